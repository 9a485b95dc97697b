"""What Headwater asks of the running Dagster, over its webserver's GraphQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import requests
from headwater.arrivals import ARRIVALS
from headwater.errors import ComponentError

from headwater_assets.lib.outdated import SNAPSHOT, WARNINGS, Writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["LOCATION", "Event", "RunState", "Webserver"]

LOCATION = "headwater"
_GIST = 300
ENDED = ("SUCCESS", "FAILURE", "CANCELED")

_SELECTOR = {"repositoryLocationName": LOCATION, "repositoryName": "__repository__", "pipelineName": "__ASSET_JOB"}

_WORKSPACE = """query Workspace {
  workspaceOrError { __typename ... on PythonError { message } ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message }
      ... on RepositoryLocation { repositories { name assetNodes { id } } } } } } }
}"""

_LAUNCH = """mutation Launch($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } ... on RunConflict { message }
  ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message } ... on UnauthorizedError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""

_RETRY = """mutation Retry($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } ... on RunConflict { message }
  ... on PipelineNotFoundError { message } ... on InvalidSubsetError { message } } }"""

_CANCEL = """mutation Cancel($run: String!) { terminateRun(runId: $run) {
  __typename ... on TerminateRunFailure { message } ... on RunNotFoundError { message }
  ... on PythonError { message } } }"""

_EVENTS = """query Events($run: ID!, $after: String) {
  runOrError(runId: $run) { __typename ... on Run { status } ... on RunNotFoundError { message } }
  logsForRun(runId: $run, afterCursor: $after) { __typename ... on PythonError { message } ... on EventConnection {
    cursor hasMore events { __typename
      ... on MessageEvent { message stepKey timestamp }
      ... on ErrorEvent { error { message errorChain { error { message } } } }
      ... on ExecutionStepFailureEvent { failureMetadata { description } }
      ... on MaterializationEvent { assetKey { path } partition
        metadataEntries { label ... on IntMetadataEntry { intRepr } ... on FloatMetadataEntry { floatValue }
          ... on TextMetadataEntry { text } } }
  } } } }"""

_WRITINGS = """query Writings($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename ... on AssetNode {
  assetMaterializations(limit: 1000) { timestamp partition
    metadataEntries { label ... on JsonMetadataEntry { jsonString } ... on TextMetadataEntry { text } } } } } }"""


@dataclass(frozen=True)
class Event:
    """One event of a run.

    Args:
        kind: Its GraphQL type, e.g. ``MaterializationEvent``.
        message: What it says.
        step: The step it belongs to.
        asset: ``zone.name`` of what was materialized.
        error: The innermost error's sentence.
        metadata: Whole and decimal numbers recorded with a materialization, by label.
        seconds: When it happened, since the epoch.
        warnings: What somebody should look at, recorded with a materialization.
    """

    kind: str
    message: str
    step: str
    asset: str
    error: str
    metadata: Mapping[str, float]
    seconds: float
    warnings: str = ""


@dataclass(frozen=True)
class RunState:
    """A run and what happened in it since the cursor that was asked with.

    Args:
        status: Dagster's word for it, e.g. ``STARTED``.
        events: In order.
        cursor: Ask with it the next time.
    """

    status: str
    events: tuple[Event, ...]
    cursor: str

    @property
    def ended(self) -> bool:
        """Nothing more will happen."""
        return self.status in ENDED


class Webserver:
    """Dagster's webserver.

    Args:
        url: Its address.
        timeout: Seconds to wait for one answer.
    """

    def __init__(self, url: str, *, timeout: float = 30) -> None:
        self._url, self._timeout = url.rstrip("/"), timeout

    def tables(self) -> int:
        """Return how many assets it serves.

        Raises:
            ComponentError: It does not answer, or the definitions did not load; the sentence says why.
        """
        for entry in self._location_entries():
            loaded = entry["locationOrLoadError"] or {"message": f"it is {entry['loadStatus'].lower()}"}
            if "repositories" not in loaded:
                raise ComponentError(f"Dagster could not load the definitions: {_gist(loaded['message'])}")
            if entry["name"] == LOCATION:
                return sum(len(repository["assetNodes"]) for repository in loaded["repositories"])
        raise ComponentError(f"Dagster at {self._url} serves no code location named {LOCATION}.")

    def _location_entries(self) -> list[dict[str, Any]]:
        workspace = self._ask(_WORKSPACE)["workspaceOrError"]
        if "locationEntries" not in workspace:
            raise ComponentError(f"Dagster at {self._url} has no workspace: {workspace.get('message')}")
        entries: list[dict[str, Any]] = workspace["locationEntries"]
        return entries

    def launch(self, assets: Iterable[str], tags: Mapping[str, str]) -> str:
        """Submit one run and return its id.

        Args:
            assets: ``zone.name`` of what to materialize.
            tags: The run's tags, such as its partitions.

        Raises:
            ComponentError: Dagster refuses it.
        """
        selector = {**_SELECTOR, "assetSelection": [{"path": name.split(".")} for name in assets]}
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": pairs}}
        answer = self._ask(_LAUNCH, params=params)["launchRun"]
        return self._run_id(answer, "the run")

    def retry(self, run: str) -> str:
        """Submit a run that does what another one left undone, and return its id.

        Raises:
            ComponentError: Dagster refuses it.
        """
        answer = self._ask(_RETRY, params={"parentRunId": run, "strategy": "FROM_FAILURE"})["launchRunReexecution"]
        return self._run_id(answer, f"a retry of run {run}")

    def cancel(self, run: str) -> None:
        """Cancel a run.

        Raises:
            ComponentError: Dagster refuses it.
        """
        answer = self._ask(_CANCEL, run=run)["terminateRun"]
        if answer["__typename"] != "TerminateRunSuccess":
            raise ComponentError(f"Dagster did not cancel run {run}: {answer.get('message')}")

    def follow(self, run: str, cursor: str = "") -> RunState:
        """Return a run's status and its events after a cursor.

        Raises:
            ComponentError: There is no such run, or Dagster does not answer.
        """
        data = self._ask(_EVENTS, run=run, after=cursor or None)
        if "status" not in data["runOrError"]:
            raise ComponentError(f"Dagster has no run {run}: {data['runOrError'].get('message')}")
        logs = data["logsForRun"]
        if "events" not in logs:
            raise ComponentError(f"Dagster has no events of run {run}: {_gist(str(logs.get('message')))}")
        # The status was read before the events: a run that has ended has all of them, unless there is another page.
        status = "STARTED" if logs["hasMore"] else data["runOrError"]["status"]
        return RunState(status, tuple(_event(event) for event in logs["events"]), logs["cursor"])

    def writings(self, table: str) -> dict[str, Writing]:
        """Return the last writing of each of a table's partitions by key; the key is empty without partitions.

        Raises:
            ComponentError: Dagster does not answer.
        """
        node = self._ask(_WRITINGS, key={"path": table.split(".")})["assetNodeOrError"]
        found: dict[str, Writing] = {}
        for event in node.get("assetMaterializations", []):  # newest first
            key = event["partition"] or ""
            said = {entry["label"]: entry.get("jsonString") or entry.get("text") for entry in event["metadataEntries"]}
            mark = json.loads(said[ARRIVALS]).get(key, "") if said.get(ARRIVALS) else ""
            snapshot = int(said[SNAPSHOT]) if said.get(SNAPSHOT) else None
            found.setdefault(key, Writing(float(event["timestamp"]) / 1000, mark, snapshot))
        return found

    def _run_id(self, answer: dict[str, Any], what: str) -> str:
        if "run" not in answer:
            said = answer.get("message") or "; ".join(error["message"] for error in answer.get("errors", []))
            raise ComponentError(f"Dagster refused {what}: {_gist(said or answer['__typename'])}")
        return str(answer["run"]["runId"])

    def _ask(self, query: str, **variables: object) -> dict[str, Any]:
        try:
            answer = requests.post(
                f"{self._url}/graphql", json={"query": query, "variables": variables}, timeout=self._timeout
            )
            body = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise ComponentError(
                f"Dagster at {self._url} does not answer: {error}. Is it up? See `headwater status`."
            ) from error
        if body.get("errors") or not body.get("data"):
            said = "; ".join(str(error.get("message")) for error in body.get("errors") or [{"message": answer.text}])
            raise ComponentError(f"Dagster at {self._url} refused a query: {_gist(said)}")
        data: dict[str, Any] = body["data"]
        return data


def _event(raw: dict[str, Any]) -> Event:
    metadata, warnings = {}, ""
    for entry in raw.get("metadataEntries") or []:
        number = entry.get("intRepr") or entry.get("floatValue")
        if number is not None:
            metadata[entry["label"]] = float(number)
        elif entry["label"] == WARNINGS:
            warnings = entry.get("text") or ""
    return Event(
        kind=raw["__typename"],
        message=raw.get("message") or "",
        step=raw.get("stepKey") or "",
        asset=".".join((raw.get("assetKey") or {}).get("path", [])),
        error=_innermost(raw),
        metadata=metadata,
        seconds=float(raw.get("timestamp") or 0) / 1000,
        warnings=warnings,
    )


def _innermost(raw: dict[str, Any]) -> str:
    described = (raw.get("failureMetadata") or {}).get("description")
    error = raw.get("error")
    if described or not error:
        return described or ""
    chain = [link["error"]["message"] for link in error.get("errorChain") or []]
    return str((chain or [error["message"]])[-1]).strip()


def _gist(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= _GIST else f"{line[: _GIST - 3]}..."
