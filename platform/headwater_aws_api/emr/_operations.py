"""EMR Serverless: applications, and job runs that are one Spark process each."""

from __future__ import annotations

import logging
import shutil
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError

from headwater_aws_api.emr._job import Job, run_job
from headwater_aws_api.emr._submit import read_submission
from headwater_aws_api.errors import AwsError
from headwater_aws_api.paging import page_of, read_token, write_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from headwater.profile import Profile
    from headwater.storage import Storage

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Store

__all__ = ["Jobs", "emr_served"]

_LOG = logging.getLogger("headwater.aws-api")
_ACCOUNT = "000000000000"
_APPLICATION, _JOB = "emr-application", "emr-job"
_PAGE = 50
_ENDED = ("SUCCESS", "FAILED", "CANCELLED")
_INVALID = "ValidationException"
_MINUTES = 720
_IDLE_MINUTES = 15
_RELEASES = ("emr-spark-8", "emr-7", "emr-6", "emr-8")


def emr_served(jobs: Jobs) -> Operations:
    """Return the operations by name."""
    return {
        "CancelJobRun": jobs.cancel,
        "CreateApplication": jobs.create_application,
        "DeleteApplication": jobs.delete_application,
        "GetApplication": jobs.get_application,
        "GetDashboardForJobRun": jobs.dashboard,
        "GetJobRun": jobs.get,
        "ListApplications": jobs.list_applications,
        "ListJobRuns": jobs.listed,
        "StartApplication": jobs.start_application,
        "StartJobRun": jobs.start,
        "StopApplication": jobs.stop_application,
        "UpdateApplication": jobs.update_application,
    }


class Jobs:
    """The operations; one job runs at a time, as the machine has no room for more.

    Args:
        profile: Of the box.
        store: Remembers applications and jobs.
        storage: Takes logs.
        folder: For what jobs write meanwhile.
    """

    def __init__(self, profile: Profile, store: Store, storage: Storage, folder: Path) -> None:
        self._profile, self._store, self._storage, self._folder = profile, store, storage, folder
        self._pool = ThreadPoolExecutor(1, "emr")
        self._running: dict[str, Job] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """End what a former process has left."""
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

    def create_application(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make an application; the same request again gives the same one."""
        if given["type"].lower() != "spark":
            raise AwsError(_INVALID, f"type is {given['type']!r}; the box runs Spark.")
        if not given["releaseLabel"].startswith(_RELEASES):
            raise AwsError(_INVALID, f"releaseLabel {given['releaseLabel']!r} is none of EMR Serverless.")
        key = _key("a", given["clientToken"])
        kept = {name: value for name, value in given.items() if name != "clientToken"}
        now = time.time()
        made = {**kept, "type": "Spark", "state": "CREATED", "createdAt": now, "updatedAt": now, "used": now}
        self._store.add(_APPLICATION, key, {"architecture": "X86_64", **made})
        return {"applicationId": key, "name": given.get("name"), "arn": _arn(key)}

    def get_application(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return an application."""
        key = given["applicationId"]
        body = self._application(key)
        shown = {name: value for name, value in body.items() if name != "used"}
        return {"application": {**shown, "applicationId": key, "arn": _arn(key)}}

    def list_applications(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return applications, in pages."""
        states = given.get("states") or ()
        every = {one.name: self._application(one.name) for one in self._store.every(_APPLICATION)}
        names = sorted(name for name, body in every.items() if not states or body["state"] in states)
        page, token = page_of(names, str, given.get("nextToken"), given.get("maxResults", _PAGE), code=_INVALID)
        members = ("name", "releaseLabel", "type", "state", "createdAt", "updatedAt", "architecture")
        shown = [{"id": name, "arn": _arn(name)} | {one: every[name].get(one) for one in members} for name in page]
        return {"applications": shown, "nextToken": token}

    def update_application(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change an application that does not run."""
        key = given["applicationId"]
        if self._application(key)["state"] == "STARTED":
            raise AwsError(_INVALID, f"Application {key} must be stopped before it is updated.")
        changes = {name: value for name, value in given.items() if name not in ("applicationId", "clientToken")}
        self._store.change(_APPLICATION, key, lambda body: {**body, **changes, "updatedAt": time.time()})
        return self.get_application(given)

    def delete_application(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget an application that does not run."""
        key = given["applicationId"]
        if self._application(key)["state"] == "STARTED":
            raise AwsError(_INVALID, f"Application {key} must be stopped before it is deleted.")
        self._store.remove(_APPLICATION, key)
        return {}

    def start_application(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Say that an application may run jobs; nothing waits for them on the box."""
        self._application(given["applicationId"])
        self._use(given["applicationId"])
        return {}

    def stop_application(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Say that it may not, when none runs."""
        key = given["applicationId"]
        self._application(key)
        if self._busy(key):
            raise AwsError(_INVALID, f"Application {key} has jobs that run.")
        self._store.change(_APPLICATION, key, lambda body: {**body, "state": "STOPPED", "updatedAt": time.time()})
        return {}

    def start(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Start a job; the same request again gives the same one."""
        application = given["applicationId"]
        self._application(application)
        metastore = self._profile.address("metastore")
        read_submission(given.get("jobDriver", {}), given.get("configurationOverrides", {}), metastore)
        key = _key(application, given["clientToken"])
        kept = {name: value for name, value in given.items() if name not in ("clientToken", "executionRoleArn")}
        now = time.time()
        made = {**kept, "executionRole": given["executionRoleArn"], "createdAt": now, "updatedAt": now}
        if self._store.add(_JOB, key, {**made, "state": "SUBMITTED", "stateDetails": ""}):
            self._use(application)
            job = Job()
            with self._lock:
                self._running[key] = job
            self._pool.submit(self._run, key, made, job)
        return {"applicationId": application, "jobRunId": key, "arn": _arn(application, key)}

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
        application, limit = given["applicationId"], given.get("maxResults", _PAGE)
        self._application(application)
        token, states = given.get("nextToken"), given.get("states") or ()
        before = None if token is None else read_token(token, int, _INVALID)
        found = self._store.newest(_JOB, {"applicationId": application}, before=before, limit=10_000)
        wanted = [one for one in found if not states or one.body["state"] in states]
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
            self._use(body["applicationId"])
            with self._lock:
                self._running.pop(key, None)

    def _end(self, key: str, state: str, details: str) -> None:
        self._change(key, {"state": state, "stateDetails": details, "endedAt": time.time()})

    def _change(self, key: str, changes: Mapping[str, Any]) -> None:
        """Say how a job goes on; its first end counts."""
        said = {**changes, "updatedAt": time.time()}
        self._store.change(_JOB, key, lambda body: None if body["state"] in _ENDED else {**body, **said})

    def _use(self, application: str) -> None:
        now = {"state": "STARTED", "used": time.time(), "updatedAt": time.time()}
        self._store.change(_APPLICATION, application, lambda body: {**body, **now})

    def _busy(self, application: str) -> bool:
        return any(
            self._store.newest(_JOB, {"applicationId": application, "state": state})
            for state in ("SUBMITTED", "SCHEDULED", "RUNNING", "CANCELLING")
        )

    def _application(self, key: str) -> dict[str, Any]:
        document = self._store.get(_APPLICATION, key)
        if document is None:
            raise AwsError("ResourceNotFoundException", f"Application {key} does not exist.", 404)
        body = document.body
        stop = body.get("autoStopConfiguration", {})
        idle = 60 * stop.get("idleTimeoutMinutes", _IDLE_MINUTES)
        over = body["state"] == "STARTED" and time.time() - body["used"] > idle and not self._busy(key)
        return {**body, "state": "STOPPED"} if over and stop.get("enabled", True) else body

    def _job(self, application: str, key: str) -> dict[str, Any]:
        document = self._store.get(_JOB, key)
        if document is None or document.body["applicationId"] != application:
            raise AwsError("ResourceNotFoundException", f"Job run {key} does not exist.", 404)
        return document.body

    def _shown(self, application: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        end = body.get("endedAt", time.time())
        seconds = int(end - body["startedAt"]) if "startedAt" in body else 0
        return {
            **body,
            "jobRunId": key,
            "arn": _arn(application, key),
            "createdBy": f"arn:aws:iam::{_ACCOUNT}:root",
            "releaseLabel": self._label(application),
            "totalExecutionDurationSeconds": seconds,
            "attempt": 1,
        }

    def _summary(self, application: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        members = ("name", "createdAt", "updatedAt", "executionRole", "state", "stateDetails")
        return {name: body.get(name) for name in members} | {
            "applicationId": application,
            "id": key,
            "arn": _arn(application, key),
            "createdBy": f"arn:aws:iam::{_ACCOUNT}:root",
            "releaseLabel": self._label(application),
            "type": "Spark",
        }

    def _label(self, application: str) -> str:
        document = self._store.get(_APPLICATION, application)
        return str(document.body["releaseLabel"]) if document else ""


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


def _key(scope: str, token: str) -> str:
    """Return a name as EMR gives it: 16 letters and digits, the same for the same request."""
    return f"00{uuid.uuid5(uuid.NAMESPACE_OID, f'{scope}/{token}').hex[:14]}"


def _arn(application: str, job: str = "") -> str:
    place = f"arn:aws:emr-serverless:us-east-1:{_ACCOUNT}:/applications/{application}"
    return f"{place}/jobruns/{job}" if job else place
