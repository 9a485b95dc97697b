"""Athena's queries: started, followed, stopped, and their results in pages."""

from __future__ import annotations

import logging
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError

from headwater_aws_api.athena._groups import PRIMARY, Groups, invalid
from headwater_aws_api.athena._prepared import resolved
from headwater_aws_api.athena._statements import Context, classified
from headwater_aws_api.athena._trino import Asked, Failed, Stopped
from headwater_aws_api.errors import AwsError
from headwater_aws_api.paging import read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from headwater_aws_api.athena._execution import Outcome, Runner
    from headwater_aws_api.athena._results import Results
    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["Queries", "query_operations"]

_LOG = logging.getLogger("headwater.aws-api")
_QUERY = "athena-query"
_AT_ONCE = 5
_KEPT_DAYS = 45
_PAGE = 50
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
# Athena's categories of errors: of its own, and of the user.
_SYSTEM, _USER = 1, 2
_PLACE = re.compile(r"s3://[^/]+(/.*)?")


def query_operations(queries: Queries) -> Operations:
    """Return the operations by name."""
    return {
        "BatchGetQueryExecution": queries.several,
        "GetQueryExecution": queries.get,
        "GetQueryResults": queries.results,
        "GetQueryRuntimeStatistics": queries.statistics,
        "ListQueryExecutions": queries.listed,
        "StartQueryExecution": queries.start,
        "StopQueryExecution": queries.stop,
    }


class Queries:
    """The operations; a few queries run at once, others wait.

    Args:
        store: Remembers queries.
        groups: Where results go.
        runner: Runs them.
        results: Reads what they gave.
    """

    def __init__(self, store: Store, groups: Groups, runner: Runner, results: Results) -> None:
        self._store, self._groups, self._runner, self._results = store, groups, runner, results
        self._pool = ThreadPoolExecutor(_AT_ONCE, "athena")
        self._running: dict[str, Asked] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """End what a former process has left, and forget what is old."""
        self._store.forget_older(_QUERY, _KEPT_DAYS)
        for state in ("QUEUED", "RUNNING"):
            for one in self._store.newest(_QUERY, {"State": state}, limit=10_000):
                self._end(one.name, "FAILED", "The box's AWS API was started anew; start the query again.", _SYSTEM)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what runs."""
        with self._lock:
            running = list(self._running.values())
        for asked in running:
            asked.end()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start a query; the same request again gives the same query."""
        token = given.get("ClientRequestToken")
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, token) if token else uuid.uuid4())
        group = self._groups.found(given.get("WorkGroup", PRIMARY))
        if group["State"] != "ENABLED":
            raise invalid(f"WorkGroup {group['Name']} is disabled.")
        body = self._accepted(given, group, key)
        if not self._store.add(_QUERY, key, body):
            former = self._body(key)
            if former["Query"] != body["Query"]:
                raise invalid("Idempotent parameters do not match: ClientRequestToken was used for another query.")
            return {"QueryExecutionId": key}
        if not self._reused(key, body, given):
            asked = Asked()
            with self._lock:
                self._running[key] = asked
            self._pool.submit(self._run, key, body, asked)
        return {"QueryExecutionId": key}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a query."""
        return {"QueryExecution": _shown(given["QueryExecutionId"], self._body(given["QueryExecutionId"]))}

    def several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return queries, and which are not there."""
        found = {one.name: one.body for one in self._store.several(_QUERY, given["QueryExecutionIds"])}
        missing = [
            {"QueryExecutionId": key, "ErrorCode": "NOT_FOUND", "ErrorMessage": _missing(key).sentence}
            for key in given["QueryExecutionIds"]
            if key not in found
        ]
        shown = [_shown(key, body) for key, body in found.items()]
        return {"QueryExecutions": shown, "UnprocessedQueryExecutionIds": missing}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the ids of a group's queries, the youngest first, in pages."""
        group, limit = given.get("WorkGroup", PRIMARY), given.get("MaxResults", _PAGE)
        self._groups.found(group)
        token = given.get("NextToken")
        before = None if token is None else read_token(token, int, "InvalidRequestException")
        found = self._store.newest(_QUERY, {"WorkGroup": group}, before=before, limit=limit + 1)
        more = write_token(found[limit - 1].number) if len(found) > limit else None
        return {"QueryExecutionIds": [one.name for one in found[:limit]], "NextToken": more}

    def stop(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Stop a query; one that has ended stays as it is."""
        key = given["QueryExecutionId"]
        self._body(key)
        with self._lock:
            asked = self._running.get(key)
        if asked is not None:
            asked.end()
            self._end(key, "CANCELLED", "Query cancelled by user", _USER)
        return {}

    def results(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page of a query's result."""
        body = self._body(given["QueryExecutionId"])
        if body["State"] != "SUCCEEDED":
            raise invalid(f"Query has not yet finished. Current state: {body['State']}")
        return self._results.page(body, given.get("NextToken"), given.get("MaxResults"))

    def statistics(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a query took."""
        body = self._body(given["QueryExecutionId"])
        counted, timeline = body.get("Statistics", {}), _timeline(body)
        rows = {"InputRows": counted.get("processedRows", 0), "InputBytes": counted.get("physicalInputBytes", 0)}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    def _accepted(self, given: Mapping[str, Any], group: Mapping[str, Any], key: str) -> dict[str, Any]:
        """Return what is remembered of a query that may run."""
        sql = given["QueryString"]
        context = given.get("QueryExecutionContext", {})
        catalog = context.get("Catalog", "AwsDataCatalog")
        if catalog.lower() != "awsdatacatalog":
            raise invalid(f"DataCatalog {catalog} was not found; the box has AwsDataCatalog.")
        statement = resolved(sql, given.get("ExecutionParameters", ()), self._groups, group["Name"])
        kind = classified(statement)
        return {
            "Query": sql,
            "Statement": statement,
            "Kind": kind.type,
            "Sub": kind.sub,
            "WorkGroup": group["Name"],
            "Database": context.get("Database", "default").lower(),
            "Catalog": catalog,
            "Place": _place(given, group),
            "Parameters": list(given.get("ExecutionParameters", ())),
            "Limit": group["Configuration"].get("BytesScannedCutoffPerQuery"),
            "State": "QUEUED",
            "Submitted": time.time(),
            "Id": key,
        }

    def _reused(self, key: str, body: dict[str, Any], given: Mapping[str, Any]) -> bool:
        """Take an earlier result of the same query, if the caller is content with its age."""
        wish = given.get("ResultReuseConfiguration", {}).get("ResultReuseByAgeConfiguration", {})
        if not wish.get("Enabled") or body["Sub"] != "SELECT":
            return False
        same = {name: body[name] for name in ("Statement", "Database", "WorkGroup", "Place")}
        found = self._store.newest(_QUERY, {**same, "State": "SUCCEEDED", "Reused": False})
        oldest = time.time() - 60 * wish.get("MaxAgeInMinutes", 60)
        if not found or found[0].body["Completed"] < oldest:
            return False
        kept = {name: found[0].body[name] for name in ("Output", "Columns", "Csv", "Updated", "Manifest")}
        ended = {"State": "SUCCEEDED", "Completed": time.time(), "Reused": True, "Millis": 0, "Statistics": {}}
        self._store.change(_QUERY, key, lambda former: {**former, **kept, **ended})
        return True

    def _run(self, key: str, body: dict[str, Any], asked: Asked) -> None:
        try:
            if asked.stop.is_set():
                raise Stopped  # noqa: TRY301 - ended below, with all other ends
            self._store.change(_QUERY, key, lambda former: {**former, "State": "RUNNING", "Started": time.time()})
            context = Context(body["Database"], body["Place"], key)
            outcome = self._runner.run(body["Statement"], context, asked, body["Limit"])
            self._succeed(key, outcome, asked)
        except Stopped as error:
            self._end(key, "CANCELLED", str(error), _USER, asked)
        except Failed as error:
            state = "CANCELLED" if error.limit else "FAILED"
            said = f"Bytes scanned limit was exceeded: {error}" if error.limit else str(error)
            self._end(key, state, said, _USER if error.user else _SYSTEM, asked)
        except HeadwaterError as error:
            self._end(key, "FAILED", str(error), _USER if isinstance(error, AwsError) else _SYSTEM, asked)
        except Exception:  # noqa: BLE001 - whatever happens, the query must end
            _LOG.exception("The query %s failed", key)
            self._end(key, "FAILED", "The box's AWS API failed; see `headwater logs aws-api`.", _SYSTEM, asked)
        finally:
            with self._lock:
                self._running.pop(key, None)

    def _succeed(self, key: str, outcome: Outcome, asked: Asked) -> None:
        ended = {
            "State": "SUCCEEDED",
            "Completed": time.time(),
            "Output": outcome.output,
            "Columns": [vars(one) for one in outcome.columns],
            "Csv": outcome.csv,
            "Updated": outcome.updated,
            "Manifest": outcome.manifest,
            "Millis": outcome.engine_millis,
            "Statistics": asked.statistics,
            "Reused": False,
        }
        self._change(key, ended)

    def _end(self, key: str, state: str, reason: str, category: int, asked: Asked | None = None) -> None:
        statistics = asked.statistics if asked else {}
        ended = {"State": state, "Reason": reason, "Category": category, "Completed": time.time()}
        self._change(key, {**ended, "Statistics": statistics})

    def _change(self, key: str, ended: dict[str, Any]) -> None:
        """Say how a query ended; the first end counts."""
        self._store.change(_QUERY, key, lambda former: None if former["State"] in _ENDED else {**former, **ended})

    def _body(self, key: str) -> dict[str, Any]:
        document = self._store.get(_QUERY, key)
        if document is None:
            raise _missing(key)
        return document.body


def _missing(key: str) -> AwsError:
    return invalid(f"QueryExecution {key} was not found")


def _place(given: Mapping[str, Any], group: Mapping[str, Any]) -> str:
    """Return the folder that a query's result goes to, with a closing slash."""
    configuration = group["Configuration"]
    mine = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    theirs = given.get("ResultConfiguration", {}).get("OutputLocation")
    place = mine if configuration.get("EnforceWorkGroupConfiguration") and mine else theirs or mine
    if not place:
        raise invalid(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    if not _PLACE.fullmatch(place):
        raise invalid(f"outputLocation is not a valid S3 path: {place!r}.")
    return f"{str(place).rstrip('/')}/"


def _timeline(body: Mapping[str, Any]) -> dict[str, int]:
    begun, ended = body.get("Started", body["Submitted"]), body.get("Completed", time.time())
    return {
        "QueryQueueTimeInMillis": int((begun - body["Submitted"]) * 1000),
        "EngineExecutionTimeInMillis": int(body.get("Millis", 0)),
        "ServiceProcessingTimeInMillis": max(0, int((ended - begun) * 1000) - int(body.get("Millis", 0))),
        "TotalExecutionTimeInMillis": int((ended - body["Submitted"]) * 1000),
    }


def _shown(key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    failed = body["State"] == "FAILED"
    error = {"ErrorCategory": body.get("Category"), "ErrorMessage": body.get("Reason"), "Retryable": False}
    return {
        "QueryExecutionId": key,
        "Query": body["Query"],
        "StatementType": body["Kind"],
        "SubstatementType": body["Sub"],
        "ResultConfiguration": {"OutputLocation": body.get("Output") or _expected(key, body)},
        "ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": bool(body.get("Reused"))}},
        "QueryExecutionContext": {"Database": body["Database"], "Catalog": body["Catalog"].lower()},
        "Status": {
            "State": body["State"],
            "StateChangeReason": body.get("Reason"),
            "SubmissionDateTime": body["Submitted"],
            "CompletionDateTime": body.get("Completed"),
            "AthenaError": error if failed else None,
        },
        "Statistics": {
            **_timeline(body),
            "DataScannedInBytes": body.get("Statistics", {}).get("physicalInputBytes", 0),
            "DataManifestLocation": body.get("Manifest") or None,
            "ResultReuseInformation": {"ReusedPreviousResult": bool(body.get("Reused"))},
        },
        "WorkGroup": body["WorkGroup"],
        "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"},
        "ExecutionParameters": body["Parameters"] or None,
    }


def _expected(key: str, body: Mapping[str, Any]) -> str:
    """Return where the result of a query will be that has not ended."""
    ending = {"SELECT": ".csv", "EXPLAIN": ".txt", "SHOW": ".txt", "DESCRIBE": ".txt"}.get(body["Sub"], "")
    return f"{body['Place']}{key}{ending}"
