"""EMR Serverless's job runs, which are one Spark process each."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError

from headwater_aws_api.emr._job import Job, run_job
from headwater_aws_api.emr._shared import CALLER, INVALID, PAGE, absent, arn, key_of, when_asked
from headwater_aws_api.emr._submit import read_submission
from headwater_aws_api.paging import read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from headwater.profile import Profile
    from headwater.storage import Storage

    from headwater_aws_api.emr._applications import Applications
    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["Jobs"]

_LOG = logging.getLogger("headwater.aws-api")
_JOB = "emr-job"
_ENDED = ("SUCCESS", "FAILED", "CANCELLED")
_MINUTES = 720


class Jobs:
    """The operations; one job runs at a time, as the machine has no room for more.

    Args:
        profile: Of the box.
        store: Remembers jobs.
        applications: What they belong to.
        storage: Takes logs.
        folder: For what jobs write meanwhile.
    """

    def __init__(
        self, profile: Profile, store: Store, applications: Applications, *, storage: Storage, folder: Path
    ) -> None:
        self._profile, self._store, self._applications = profile, store, applications
        self._storage, self._folder = storage, folder
        self._pool = ThreadPoolExecutor(1, "emr")
        self._running: dict[str, Job] = {}
        self._lock = threading.Lock()

    @property
    def served(self) -> Operations:
        """The operations by name."""
        return {
            "CancelJobRun": self.cancel,
            "GetDashboardForJobRun": self.dashboard,
            "GetJobRun": self.get,
            "ListJobRuns": self.listed,
            "StartJobRun": self.start,
        }

    def __enter__(self) -> Self:
        """End what a former process has left."""
        self._applications.workloads.append(self._busy)
        shutil.rmtree(self._folder, ignore_errors=True)
        for state in ("SUBMITTED", "SCHEDULED", "RUNNING", "CANCELLING"):
            for one in self._store.newest(_JOB, {"state": state}, limit=10_000):
                self._end(one.name, "FAILED", "The box's AWS API was started anew; start the job again.")
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs."""
        with self._lock:
            running = list(self._running.values())
        for job in running:
            job.stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start a job; the same request again gives the same one."""
        application = given["applicationId"]
        self._applications.known(application)
        metastore = self._profile.address("metastore")
        read_submission(given.get("jobDriver", {}), given.get("configurationOverrides", {}), metastore)
        key = key_of(application, given["clientToken"])
        kept = {name: value for name, value in given.items() if name not in ("clientToken", "executionRoleArn")}
        now = time.time()
        made = {**kept, "executionRole": given["executionRoleArn"], "createdAt": now, "updatedAt": now}
        if self._store.add(_JOB, key, {**made, "state": "SUBMITTED", "stateDetails": ""}):
            self._applications.use(application)
            job = Job()
            with self._lock:
                self._running[key] = job
            self._pool.submit(self._run, key, made, job)
        return {"applicationId": application, "jobRunId": key, "arn": arn(application, "jobruns", key)}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a job."""
        application, key = given["applicationId"], given["jobRunId"]
        return {"jobRun": self._shown(application, key, self._job(application, key))}

    def dashboard(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return no address: a job has logs on the box and no dashboard, and whoever only shows one goes on without."""
        self._job(given["applicationId"], given["jobRunId"])
        return {}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an application's jobs, the youngest first, in pages."""
        application, limit = given["applicationId"], given.get("maxResults", PAGE)
        self._applications.known(application)
        token, states = given.get("nextToken"), given.get("states") or ()
        before = None if token is None else read_token(token, int, INVALID)
        found = self._store.newest(_JOB, {"applicationId": application}, before=before, limit=10_000)
        asked = [one for one in found if when_asked(given, one.body["createdAt"])]
        wanted = [one for one in asked if not states or one.body["state"] in states]
        more = write_token(wanted[limit - 1].number) if len(wanted) > limit else None
        return {
            "jobRuns": [self._summary(application, one.name, one.body) for one in wanted[:limit]],
            "nextToken": more,
        }

    def cancel(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Cancel a job; one that has ended stays as it is."""
        application, key = given["applicationId"], given["jobRunId"]
        self._job(application, key)
        with self._lock:
            job = self._running.get(key)
        if job is not None:
            self._change(key, {"state": "CANCELLING"})
            job.stop.set()
        return {"applicationId": application, "jobRunId": key}

    def _run(self, key: str, body: Mapping[str, Any], job: Job) -> None:
        try:
            if job.stop.is_set():
                self._end(key, "CANCELLED", "The job was cancelled before it began.")
                return
            self._change(key, {"state": "RUNNING", "startedAt": time.time()})
            overrides = body.get("configurationOverrides", {})
            submission = read_submission(body["jobDriver"], overrides, self._profile.address("metastore"))
            code, said = run_job(
                self._profile,
                self._storage,
                submission,
                job,
                folder=self._folder / key,
                logs=_logs(overrides, body["applicationId"], key),
                seconds=60 * (body.get("executionTimeoutMinutes") or _MINUTES),
            )
            self._end(key, *_outcome(code, said, job))
        except HeadwaterError as error:
            self._end(key, "FAILED", str(error))
        except Exception:  # noqa: BLE001 - whatever happens, the job must end
            _LOG.exception("The job %s failed", key)
            self._end(key, "FAILED", "The box's AWS API failed; see `headwater logs aws-api`.")
        finally:
            shutil.rmtree(self._folder / key, ignore_errors=True)
            self._applications.use(body["applicationId"])
            with self._lock:
                self._running.pop(key, None)

    def _end(self, key: str, state: str, details: str) -> None:
        self._change(key, {"state": state, "stateDetails": details, "endedAt": time.time()})

    def _change(self, key: str, changes: Mapping[str, Any]) -> None:
        """Say how a job goes on; its first end counts."""
        said = {**changes, "updatedAt": time.time()}
        self._store.change(_JOB, key, lambda body: None if body["state"] in _ENDED else {**body, **said})

    def _busy(self, application: str) -> bool:
        return any(
            self._store.newest(_JOB, {"applicationId": application, "state": state})
            for state in ("SUBMITTED", "SCHEDULED", "RUNNING", "CANCELLING")
        )

    def _job(self, application: str, key: str) -> dict[str, Any]:
        document = self._store.get(_JOB, key)
        if document is None or document.body["applicationId"] != application:
            raise absent(f"Job run {key}")
        return document.body

    def _shown(self, application: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        end = body.get("endedAt", time.time())
        seconds = int(end - body["startedAt"]) if "startedAt" in body else 0
        return {
            **body,
            "jobRunId": key,
            "arn": arn(application, "jobruns", key),
            "createdBy": CALLER,
            "releaseLabel": self._applications.label(application),
            "totalExecutionDurationSeconds": seconds,
            "attempt": 1,
        }

    def _summary(self, application: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        members = ("name", "createdAt", "updatedAt", "executionRole", "state", "stateDetails")
        return {name: body.get(name) for name in members} | {
            "applicationId": application,
            "id": key,
            "arn": arn(application, "jobruns", key),
            "createdBy": CALLER,
            "releaseLabel": self._applications.label(application),
            "type": "Spark",
        }


def _outcome(code: int, said: str, job: Job) -> tuple[str, str]:
    if job.late:
        return "FAILED", "The job was ended because it took longer than executionTimeoutMinutes."
    if job.stop.is_set():
        return "CANCELLED", "The job was cancelled."
    return ("SUCCESS", "") if code == 0 else ("FAILED", f"Job failed, exit code {code}. The last lines: {said}"[:2000])


def _logs(overrides: Mapping[str, Any], application: str, key: str) -> str:
    """Return the folder in the store that a job's logs go to; empty where none is wanted."""
    place = overrides.get("monitoringConfiguration", {}).get("s3MonitoringConfiguration", {}).get("logUri", "")
    return f"{place.rstrip('/')}/applications/{application}/jobs/{key}/" if place else ""
