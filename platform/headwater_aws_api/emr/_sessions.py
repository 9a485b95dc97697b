"""EMR Serverless's sessions: Spark Connect on the box's own Spark, behind a token that EMR gives."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError

from headwater_aws_api.emr._door import Door, Guests
from headwater_aws_api.emr._shared import CALLER, INVALID, PAGE, absent, arn, invalid, key_of, when_asked
from headwater_aws_api.emr._spark import BoxSpark
from headwater_aws_api.emr._submit import box_settings, spark_defaults
from headwater_aws_api.paging import read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from headwater.profile import Profile

    from headwater_aws_api.emr._applications import Applications
    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Document, Store

__all__ = ["Sessions"]

_LOG = logging.getLogger("headwater.aws-api")
_KIND = "emr-session"
_ENDED = ("FAILED", "TERMINATED")
_RUNS = ("STARTED", "IDLE", "BUSY")
_IDLE_MINUTES = 60
_TOKEN_SECONDS = 3600
_MINUTE = 60.0


@dataclass
class _Live:
    """What this process knows of a session that has not ended."""

    application: str
    guests: Guests
    idle_seconds: float
    tokens: dict[str, float] = field(default_factory=dict)

    def admits(self, token: str) -> bool:
        return self.tokens.get(token, 0.0) > time.monotonic()

    @property
    def left(self) -> float:
        """Seconds until it has been idle for too long."""
        return self.idle_seconds if self.guests.busy else self.guests.used + self.idle_seconds - time.monotonic()


class Sessions:
    """The operations on sessions. They all compute on the box's one Spark, as its other clients do.

    Args:
        profile: Of the box.
        store: Remembers sessions.
        applications: What they belong to.
    """

    def __init__(self, profile: Profile, store: Store, applications: Applications) -> None:
        self._store, self._applications = store, applications
        self._metastore, self._endpoint = profile.address("metastore"), profile.url("aws-api-spark")
        self._spark = BoxSpark(profile)
        self._door = Door(profile.listening("aws-api-spark"), self._spark, self._admitted)
        self._pool = ThreadPoolExecutor(1, "emr-start")
        self._live: dict[str, _Live] = {}
        self._lock = threading.Lock()

    @property
    def served(self) -> Operations:
        """The operations by name."""
        return {
            "GetSession": self.get,
            "GetSessionEndpoint": self.endpoint,
            "ListSessions": self.listed,
            "StartSession": self.start,
            "TerminateSession": self.terminate,
        }

    def __enter__(self) -> Self:
        """End what a former process has left."""
        self._applications.workloads.append(self._runs)
        for state in ("SUBMITTED", "STARTING", "STARTED"):
            for one in self._store.newest(_KIND, {"state": state}, limit=10_000):
                self._end(one.name, "TERMINATED", "The box's AWS API was started anew; start another session.")
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for key in list(self._live):
            self._end(key, "TERMINATED", "The box's AWS API was stopped.")
        self._door.close()
        self._spark.close()

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start a session; the same request again gives the same one."""
        application = given["applicationId"]
        self._applications.require_sessions(application)
        configuration = given.get("configurationOverrides", {}).get("runtimeConfiguration", ())
        settings = box_settings(spark_defaults(configuration), self._metastore)
        key, now = key_of(f"{application}/session", given["clientToken"]), time.time()
        minutes = given.get("idleTimeoutMinutes", _IDLE_MINUTES)
        kept = {name: value for name, value in given.items() if name != "clientToken"}
        body = {**kept, "idleTimeoutMinutes": minutes, "createdAt": now, "updatedAt": now}
        if self._store.add(_KIND, key, {**body, "state": "SUBMITTED", "stateDetails": "The session was submitted."}):
            self._applications.use(application)
            with self._lock:
                self._live[key] = _Live(application, Guests(settings), minutes * _MINUTE)
            self._pool.submit(self._open, key, settings)
        return {"applicationId": application, "sessionId": key, "arn": arn(application, "sessions", key)}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a session."""
        application, key = given["applicationId"], given["sessionId"]
        body = self._known(application, key)
        end = body.get("endedAt", time.time())
        seconds = int(end - body["startedAt"]) if "startedAt" in body else 0
        return {"session": {**self._named(application, key), **body, "totalExecutionDurationSeconds": seconds}}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an application's sessions, the youngest first, in pages."""
        application, limit = given["applicationId"], given.get("maxResults", PAGE)
        self._applications.known(application)
        self._expire()
        token, states = given.get("nextToken"), given.get("states") or ()
        before = None if token is None else read_token(token, int, INVALID)
        found = self._store.newest(_KIND, {"applicationId": application}, before=before, limit=10_000)
        asked = [(one, self._shown(one)) for one in found if when_asked(given, one.body["createdAt"])]
        wanted = [(one, body) for one, body in asked if not states or body["state"] in states]
        more = write_token(wanted[limit - 1][0].number) if len(wanted) > limit else None
        members = ("name", "state", "stateDetails", "executionRoleArn", "createdAt", "updatedAt")
        summaries = [
            {**self._named(application, one.name), **{name: body.get(name) for name in members}}
            for one, body in wanted[:limit]
        ]
        return {"sessions": summaries, "nextToken": more}

    def endpoint(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return where a session's clients come in, with a token that lets them in for an hour."""
        application, key = given["applicationId"], given["sessionId"]
        state = self._known(application, key)["state"]
        with self._lock:
            live = self._live.get(key)
        if state not in _RUNS or live is None:
            raise invalid(f"Session {key} is {state}; it has an endpoint while it runs.")
        token = secrets.token_urlsafe(32)
        now = time.monotonic()
        live.tokens = {one: until for one, until in live.tokens.items() if until > now} | {token: now + _TOKEN_SECONDS}
        return {
            "applicationId": application,
            "sessionId": key,
            "endpoint": self._endpoint,
            "authToken": token,
            "authTokenExpiresAt": time.time() + _TOKEN_SECONDS,
        }

    def terminate(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """End a session and what runs in it; one that has ended stays as it is."""
        application, key = given["applicationId"], given["sessionId"]
        self._known(application, key)
        self._end(key, "TERMINATED", "The session was terminated.")
        return {"applicationId": application, "sessionId": key}

    def _open(self, key: str, settings: Mapping[str, str]) -> None:
        try:
            self._change(key, {"state": "STARTING", "stateDetails": "The session is starting."})
            self._spark.check(settings)
            self._door.open()
            self._change(
                key, {"state": "STARTED", "stateDetails": "The session has started.", "startedAt": time.time()}
            )
        except HeadwaterError as error:
            self._end(key, "FAILED", str(error))
        except Exception:  # noqa: BLE001 - whatever happens, it must not be starting for ever
            _LOG.exception("The session %s failed", key)
            self._end(key, "FAILED", "The box's AWS API failed; see `headwater logs aws-api`.")

    def _admitted(self, token: str) -> Guests | None:
        self._expire()
        with self._lock:
            return next((live.guests for live in self._live.values() if live.admits(token)), None)

    def _expire(self) -> None:
        """End what has been idle for too long."""
        with self._lock:
            over = [key for key, live in self._live.items() if live.left < 0]
        for key in over:
            self._end(key, "TERMINATED", "The session was idle for longer than its idleTimeoutMinutes.")

    def _end(self, key: str, state: str, details: str) -> None:
        with self._lock:
            live = self._live.pop(key, None)
        if live is not None:
            live.guests.see_off(self._spark)
            self._applications.use(live.application)
        self._change(key, {"state": state, "stateDetails": details, "endedAt": time.time()})

    def _change(self, key: str, changes: Mapping[str, Any]) -> None:
        """Say how a session goes on; its first end counts."""
        said = {**changes, "updatedAt": time.time()}
        self._store.change(_KIND, key, lambda body: None if body["state"] in _ENDED else {**body, **said})

    def _runs(self, application: str) -> bool:
        self._expire()
        with self._lock:
            return any(live.application == application for live in self._live.values())

    def _known(self, application: str, key: str) -> dict[str, Any]:
        self._expire()
        document = self._store.get(_KIND, key)
        if document is None or document.body["applicationId"] != application:
            raise absent(f"Session {key}")
        return self._shown(document)

    def _shown(self, document: Document) -> dict[str, Any]:
        """Return what is known of a session, with what its clients do now."""
        with self._lock:
            live = self._live.get(document.name)
        body = document.body
        if live is None or body["state"] != "STARTED" or not live.guests.visited:
            return body
        if live.guests.busy:
            return {**body, "state": "BUSY"}
        return {**body, "state": "IDLE", "idleSince": time.time() - (time.monotonic() - live.guests.used)}

    def _named(self, application: str, key: str) -> dict[str, Any]:
        return {
            "applicationId": application,
            "sessionId": key,
            "arn": arn(application, "sessions", key),
            "createdBy": CALLER,
            "releaseLabel": self._applications.label(application),
        }
