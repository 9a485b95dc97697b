"""The warm runner and the launcher, with real processes on a real instance."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from dagster import DagsterInstance, DagsterRunStatus, ReexecutionOptions, execute_job
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus
from dagster._daemon.monitoring.run_monitoring import monitor_started_run
from headwater.errors import ComponentError
from headwater.profile import inherited_env
from headwater_assets.lib.run_identity import NAMESPACE_TAG, PID_TAG, identity_tags, living_process
from headwater_assets.lib.runner import ONE_THREAD_ENV, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dagster import DagsterRun

JOBS = """\
import os, subprocess, time
from pathlib import Path
from dagster import In, Nothing, in_process_executor, job, op

HERE = Path(__file__).parent

@op
def first():
    with (HERE / "first").open("a") as file:
        file.write("x")

@op(ins={"after": In(Nothing)})
def slow():
    print("slow speaks")
    if (HERE / "go").exists():
        return
    subprocess.Popen(["sleep", "300"])
    (HERE / "slow").touch()
    while not (HERE / "go").exists():
        time.sleep(0.02)

@job(executor_def=in_process_executor)
def two_steps():
    slow(first())
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A DAGSTER_HOME on SQLite, with two jobs beside it."""
    (tmp_path / "jobs.py").write_text(JOBS)
    launcher = {"module": "headwater_assets.lib.launcher", "class": "WarmRunLauncher"}
    logs = {"module": "headwater_assets.lib.compute_logs", "class": "QuietComputeLogManager"}
    config = {
        "run_launcher": {**launcher, "config": {"socket": str(tmp_path / "r.sock"), "grace_seconds": 5}},
        "compute_logs": {**logs, "config": {"base_dir": str(tmp_path / "out")}},
        "run_monitoring": {"enabled": True},
        "telemetry": {"enabled": False},
    }
    (tmp_path / "dagster.yaml").write_text(json.dumps(config))
    return tmp_path


@contextmanager
def running(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a runner, and leave no process of the test behind."""
    env = inherited_env(**ONE_THREAD_ENV, DAGSTER_HOME=str(home), HEADWATER_BOX=str(home))
    argv = [
        sys.executable,
        "-m",
        "headwater_assets.lib.runner",
        "--socket",
        str(home / "r.sock"),
        "--logs",
        str(home / "runs"),
    ]
    with (home / "runner.log").open("wb") as log:
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)
    try:
        until(lambda: _answers(home) or process.poll() is not None, 120)
        assert process.poll() is None, (home / "runner.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()
        for pid in of_box(home):
            os.kill(pid, signal.SIGKILL)


def _answers(home: Path) -> bool:
    try:
        ask(home / "r.sock", {})
    except ComponentError:
        return False
    return True


def of_box(home: Path) -> list[int]:
    """Return the living processes that carry the test's mark."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HEADWATER_BOX") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def instance(home: Path) -> Iterator[DagsterInstance]:
    """The instance of DAGSTER_HOME."""
    with DagsterInstance.from_config(str(home)) as found:
        yield found


def launched(instance: DagsterInstance, home: Path) -> DagsterRun:
    """Create a run and launch it."""
    job = ReconstructableJob.for_file(str(home / "jobs.py"), "two_steps")
    run = instance.create_run_for_job(job.get_definition(), job_code_origin=job.get_python_origin())
    instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    return run


def in_slow_step(instance: DagsterInstance, home: Path) -> tuple[DagsterRun, int]:
    """Launch a run, wait until its second step runs, and return the run and its process."""
    run = launched(instance, home)
    until((home / "slow").exists)
    run = instance.get_run_by_id(run.run_id)
    pid = living_process(run.tags)
    assert pid is not None
    return run, pid


def status(instance: DagsterInstance, run: DagsterRun) -> DagsterRunStatus:
    """Return a run's status now."""
    return instance.get_run_by_id(run.run_id).status


def monitored(instance: DagsterInstance, run: DagsterRun) -> DagsterRunStatus:
    """Let Dagster's monitor look at a run once, and return its status."""
    record = instance.get_run_record_by_id(run.run_id)
    monitor_started_run(instance, None, record, logging.getLogger("test"))
    return status(instance, run)


def test_a_run_is_forked_and_recorded(home, instance):
    """A launched run executes in a child of the runner, in a session of its own; its prints are kept."""
    with running(home) as runner:
        run, pid = in_slow_step(instance, home)

        assert psutil.Process(pid).ppid() == runner.pid
        assert os.getsid(pid) == pid
        assert ask(home / "r.sock", {}) == {"pid": runner.pid, "runs": [run.run_id]}
        (home / "go").touch()
        until(lambda: status(instance, run) == DagsterRunStatus.SUCCESS)
        until(lambda: ask(home / "r.sock", {})["runs"] == [])

    assert "slow speaks" in "".join(path.read_text() for path in (home / "out").rglob("*.out"))


def test_only_the_owner_can_ask(home):
    """The socket is closed to other users, and nonsense on it harms nobody."""
    with running(home):
        assert (home / "r.sock").stat().st_mode & 0o077 == 0
        with pytest.raises(ComponentError, match="no run id"):
            ask(home / "r.sock", {"run": "../../etc"})
        assert "pid" in ask(home / "r.sock", {})


def test_a_killed_run_is_failed_and_goes_on_where_it_was(home, instance):
    """After kill -9 the monitor marks the run failed, and a retry does not repeat the step that was done."""
    with running(home):
        run, pid = in_slow_step(instance, home)
        assert monitored(instance, run) == DagsterRunStatus.STARTED

        os.kill(pid, signal.SIGKILL)
        until(lambda: living_process(run.tags) is None)
        health = instance.run_launcher.check_run_worker_health(run)

        assert (health.status, health.run_worker_id) == (WorkerStatus.NOT_FOUND, str(pid))
        assert monitored(instance, run) == DagsterRunStatus.FAILURE

    (home / "go").touch()
    job = ReconstructableJob.for_file(str(home / "jobs.py"), "two_steps")
    options = ReexecutionOptions.from_failure(run.run_id, instance)
    with execute_job(job, instance, reexecution_options=options) as again:
        assert again.success
    assert (home / "first").read_text() == "x"


def ended(pid):
    """Tell whether a process has ended; who inherited it may not have noticed yet."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_killed_runner_does_not_harm_its_runs(home, instance):
    """After kill -9 of the runner its run goes on to success, and the next runner takes new runs."""
    with running(home) as runner:
        run, pid = in_slow_step(instance, home)
        runner.kill()
        runner.wait()

        assert monitored(instance, run) == DagsterRunStatus.STARTED
        with running(home):
            (home / "go").touch()
            until(lambda: status(instance, run) == DagsterRunStatus.SUCCESS)
            until(lambda: ended(pid))
            second = launched(instance, home)
            until(lambda: status(instance, second) == DagsterRunStatus.SUCCESS)


def test_a_cancelled_run_leaves_no_process(home, instance):
    """Cancelling ends the run's process and what it has started, and the run is recorded as cancelled."""
    with running(home) as runner:
        run, _ = in_slow_step(instance, home)
        assert len(of_box(home)) == 3

        assert instance.run_launcher.terminate(run.run_id)

        assert status(instance, run) == DagsterRunStatus.CANCELED
        until(lambda: of_box(home) == [runner.pid])
        assert not instance.run_launcher.terminate(run.run_id)


def test_a_run_in_another_container_is_asked_for_and_ended_by_its_runner(home, instance):
    """Its process has a number that means nothing here; the runner knows it, and ends it with all it has started."""
    with running(home) as runner:
        run, _ = in_slow_step(instance, home)
        instance.add_run_tags(run.run_id, {NAMESPACE_TAG: "pid:[1]"})
        run = instance.get_run_by_id(run.run_id)

        assert living_process(run.tags) is None
        assert monitored(instance, run) == DagsterRunStatus.STARTED
        assert instance.run_launcher.terminate(run.run_id)

        assert status(instance, run) == DagsterRunStatus.CANCELED
        until(lambda: of_box(home) == [runner.pid])
        assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
        assert ask(home / "r.sock", {"end": run.run_id}) == {"pid": runner.pid}
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING  # it may come back


def test_a_stopped_runner_ends_its_runs(home, instance):
    """TERM to the runner, as when the box goes down, records its run as failed and leaves no process."""
    with running(home) as runner:
        run, _ = in_slow_step(instance, home)
        runner.terminate()

        assert runner.wait(30) == 0
        assert status(instance, run) == DagsterRunStatus.FAILURE
        assert not (home / "r.sock").exists()


def test_without_a_runner_the_run_goes_back_to_the_queue(home, instance):
    """Launching without a runner raises what Dagster's queue answers with another try, and says which log to read."""
    with pytest.raises(DagsterUserCodeUnreachableError, match="runner at .* does not answer.*headwater logs dagster"):
        launched(instance, home)


def test_a_process_is_known_by_number_and_start(home, instance):
    """Another process that got the same number is not taken for the run's."""
    tags = identity_tags()

    assert living_process(tags) == os.getpid()
    assert living_process({**tags, "headwater/process_started": "1"}) is None
    assert living_process({}) is None
    run = instance.create_run_for_job(
        ReconstructableJob.for_file(str(home / "jobs.py"), "two_steps").get_definition(), tags={PID_TAG: "1"}
    )
    assert instance.run_launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
