"""What the process of one run does: say who it is, execute the run's steps, record the end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from dagster import DagsterEventType, DagsterInstance, DagsterRunStatus
from dagster._core.events import EngineEventData
from dagster._core.origin import JobPythonOrigin
from dagster._grpc.impl import core_execute_run
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster._utils.interrupts import capture_interrupts

from headwater_assets.lib.run_identity import identity_tags

if TYPE_CHECKING:
    from dagster import DagsterRun

__all__ = ["execute"]

_STATEMENT_MILLISECONDS = 60_000


def execute(run_id: str) -> int:
    """Execute a run of the instance at DAGSTER_HOME and return the exit code."""
    with capture_interrupts(), DagsterInstance.get() as instance:
        # Dagster would open a connection for every statement, which takes longer than most statements.
        instance.optimize_for_webserver(_STATEMENT_MILLISECONDS, pool_recycle=3600, max_overflow=20)
        run = instance.get_run_by_id(run_id)
        if run is None or not isinstance(run.job_code_origin, JobPythonOrigin):
            print(f"Run {run_id} is not in this instance, or does not say where its code is.", file=sys.stderr)  # noqa: T201
            return 1
        instance.add_run_tags(run_id, identity_tags())
        try:
            return _execute(instance, run, run.job_code_origin)
        finally:
            _close_cancelling(instance, run_id)


def _execute(instance: DagsterInstance, run: DagsterRun, origin: JobPythonOrigin) -> int:
    pid = os.getpid()
    instance.report_engine_event(f"Process {pid} executes the run.", run, EngineEventData.in_process(pid))
    code = 0
    for event in core_execute_run(recon_job_from_origin(origin), run, instance, inject_env_vars=True):
        if event.event_type == DagsterEventType.RUN_FAILURE:
            code = 1
    return code


def _close_cancelling(instance: DagsterInstance, run_id: str) -> None:
    """Record the end of a run that was cancelled before its first step, which Dagster would leave open."""
    run = instance.get_run_by_id(run_id)
    if run is not None and run.status == DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run)
