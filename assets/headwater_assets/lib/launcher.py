"""Launches runs through the warm runner, knows whether they live, and ends them."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import DagsterInstance, Field, IntSource, StringSource
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.run_coordinator.queued_run_coordinator import QueuedRunCoordinator
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from headwater.errors import ComponentError

from headwater_assets.lib.run_identity import PID_TAG, end_process, is_elsewhere, living_process
from headwater_assets.lib.runner import ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster import DagsterRun
    from dagster._config import UserConfigSchema

__all__ = ["PromptRunCoordinator", "WarmRunLauncher"]

_PAUSE = 0.1
_KILL_SECONDS = 5.0


class PromptRunCoordinator(QueuedRunCoordinator):
    """Dagster's queue, looked at four times a second: its own interval is whole seconds, longer than a small run."""

    @property
    def dequeue_interval_seconds(self) -> float:  # type: ignore[override]
        """Seconds between two looks."""
        return 0.25


class WarmRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Dagster's launcher on one machine: asks the warm runner to fork, then finds the process by its pid and start.

    Where the runner is in another container, which has its own pids, it asks the runner for these things, too.

    Args:
        socket: The runner's Unix socket.
        grace_seconds: How long a cancelled run may take to clean up before it is killed.
        inst_data: Where Dagster read this configuration.
    """

    def __init__(self, socket: str, grace_seconds: int, inst_data: ConfigurableClassData | None = None) -> None:
        self._socket, self._grace, self._inst_data = Path(socket), grace_seconds, inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """Where Dagster read this configuration."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Return the shape of ``run_launcher.config`` in dagster.yaml."""
        return {"socket": StringSource, "grace_seconds": Field(IntSource, default_value=10, is_required=False)}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> WarmRunLauncher:
        """Build the launcher that dagster.yaml describes."""
        return cls(**config_value, inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Fork the run.

        Raises:
            DagsterUserCodeUnreachableError: The runner is down; Dagster puts the run back into its queue.
        """
        try:
            ask(self._socket, {"run": context.dagster_run.run_id})
        except ComponentError as error:
            raise DagsterUserCodeUnreachableError(str(error)) from error

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Tell Dagster's monitor to ask."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Say whether the run's process still lives."""
        if self._lives(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        pid = run.tags.get(PID_TAG)
        said = f"its process {pid} has ended without recording a result" if pid else "it never had a process"
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, said, transient=False, run_worker_id=pid)

    def _lives(self, run: DagsterRun) -> bool:
        if not is_elsewhere(run.tags):
            return living_process(run.tags) is not None
        try:
            running: list[str] = ask(self._socket, {})["runs"]
        except ComponentError:
            return True  # its runner is busy, or about to start anew; then it says that it has no such run
        return run.run_id in running

    def _end(self, run: DagsterRun) -> None:
        if not is_elsewhere(run.tags):
            end_process(run.tags, self._grace)
            return
        with suppress(ComponentError):  # a runner that is down has taken its runs along
            ask(self._socket, {"end": run.run_id})
            until = time.monotonic() + self._grace + _KILL_SECONDS
            while self._lives(run) and time.monotonic() < until:
                time.sleep(_PAUSE)

    def terminate(self, run_id: str) -> bool:
        """End a run's processes: an interrupt first, so that it can clean up; a kill when that takes too long."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        self._end(run)
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished and PID_TAG in run.tags:
            self._instance.report_run_canceled(run)
        return True
