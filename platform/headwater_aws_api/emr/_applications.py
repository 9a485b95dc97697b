"""EMR Serverless's applications: what job runs and sessions belong to."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from headwater_aws_api.emr._shared import INVALID, PAGE, absent, arn, invalid, key_of
from headwater_aws_api.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["Applications"]

_KIND = "emr-application"
_IDLE_MINUTES = 15
_RELEASES = ("emr-spark-8", "emr-7", "emr-6", "emr-8")
_BEFORE_SESSIONS = re.compile(r"emr-(6\.|7\.([0-9]|1[0-2])\.)")


class Applications:
    """The operations on applications. Nothing waits for one on the box: it has started when it is used.

    Args:
        store: Remembers them.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        # Each says whether something of its kind runs in an application.
        self.workloads: list[Callable[[str], bool]] = []

    @property
    def served(self) -> Operations:
        """The operations by name."""
        return {
            "CreateApplication": self.create,
            "DeleteApplication": self.delete,
            "GetApplication": self.get,
            "ListApplications": self.listed,
            "StartApplication": self.start,
            "StopApplication": self.stop,
            "UpdateApplication": self.update,
        }

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make an application; the same request again gives the same one."""
        if given["type"].lower() != "spark":
            raise invalid(f"type is {given['type']!r}; the box runs Spark.")
        if not given["releaseLabel"].startswith(_RELEASES):
            raise invalid(f"releaseLabel {given['releaseLabel']!r} is none of EMR Serverless.")
        key = key_of("a", given["clientToken"])
        kept = {name: value for name, value in given.items() if name != "clientToken"}
        now = time.time()
        made = {**kept, "type": "Spark", "state": "CREATED", "createdAt": now, "updatedAt": now, "used": now}
        self._store.add(_KIND, key, {"architecture": "X86_64", **made})
        return {"applicationId": key, "name": given.get("name"), "arn": arn(key)}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an application."""
        key = given["applicationId"]
        shown = {name: value for name, value in self.known(key).items() if name != "used"}
        return {"application": {**shown, "applicationId": key, "arn": arn(key)}}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return applications, in pages."""
        states = given.get("states") or ()
        every = {one.name: self.known(one.name) for one in self._store.every(_KIND)}
        names = sorted(name for name, body in every.items() if not states or body["state"] in states)
        page, token = page_of(names, str, given.get("nextToken"), given.get("maxResults", PAGE), code=INVALID)
        members = ("name", "releaseLabel", "type", "state", "createdAt", "updatedAt", "architecture")
        shown = [{"id": name, "arn": arn(name)} | {one: every[name].get(one) for one in members} for name in page]
        return {"applications": shown, "nextToken": token}

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change an application that does not run."""
        key = given["applicationId"]
        if self.known(key)["state"] == "STARTED":
            raise invalid(f"Application {key} must be stopped before it is updated.")
        changes = {name: value for name, value in given.items() if name not in ("applicationId", "clientToken")}
        self._store.change(_KIND, key, lambda body: {**body, **changes, "updatedAt": time.time()})
        return self.get(given)

    def delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget an application that does not run."""
        key = given["applicationId"]
        if self.known(key)["state"] == "STARTED":
            raise invalid(f"Application {key} must be stopped before it is deleted.")
        self._store.remove(_KIND, key)
        return {}

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Say that an application may run jobs."""
        self.known(given["applicationId"])
        self.use(given["applicationId"])
        return {}

    def stop(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Say that it may not, when nothing runs."""
        key = given["applicationId"]
        self.known(key)
        if self._busy(key):
            raise invalid(f"Application {key} has jobs or sessions that run.")
        self._store.change(_KIND, key, lambda body: {**body, "state": "STOPPED", "updatedAt": time.time()})
        return {}

    def known(self, key: str) -> dict[str, Any]:
        """Return what an application is now.

        Raises:
            AwsError: It does not exist.
        """
        document = self._store.get(_KIND, key)
        if document is None:
            raise absent(f"Application {key}")
        body = document.body
        stop = body.get("autoStopConfiguration", {})
        idle = 60 * stop.get("idleTimeoutMinutes", _IDLE_MINUTES)
        over = body["state"] == "STARTED" and time.time() - body["used"] > idle and not self._busy(key)
        return {**body, "state": "STOPPED"} if over and stop.get("enabled", True) else body

    def use(self, key: str) -> None:
        """Note that something of an application began or ended."""
        now = {"state": "STARTED", "used": time.time(), "updatedAt": time.time()}
        self._store.change(_KIND, key, lambda body: {**body, **now})

    def label(self, key: str) -> str:
        """Return the release of an application; empty where it is gone."""
        document = self._store.get(_KIND, key)
        return str(document.body["releaseLabel"]) if document else ""

    def require_sessions(self, key: str) -> None:
        """Refuse an application that takes no sessions.

        Raises:
            AwsError: It does not.
        """
        body = self.known(key)
        if _BEFORE_SESSIONS.match(body["releaseLabel"]):
            raise invalid(f"Application {key} is of {body['releaseLabel']}; sessions need emr-7.13.0 or later.")
        if not body.get("interactiveConfiguration", {}).get("sessionEnabled"):
            raise invalid(f"Application {key} takes no sessions: interactiveConfiguration.sessionEnabled is not true.")

    def _busy(self, key: str) -> bool:
        return any(busy(key) for busy in self.workloads)
