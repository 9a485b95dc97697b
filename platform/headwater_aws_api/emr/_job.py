"""One job: a Spark of its own, its logs, and its end."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headwater.box.clients import aws_variables
from headwater.box.component import Box
from headwater.box.components.spark import submit_command
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from pathlib import Path

    from headwater.profile import Profile
    from headwater.storage import Storage

    from headwater_aws_api.emr._submit import Submission

__all__ = ["Job", "run_job"]

_PAUSE = 0.3
_GRACE = 15
_LAST_LINES = 8
_LAST_BYTES = 16 * 1024


@dataclass
class Job:
    """A job under way; shared by the thread that follows it and the one that may cancel it.

    Args:
        stop: Set to end it.
        late: Whether it was ended for its time.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    late: bool = False


def run_job(
    profile: Profile, storage: Storage, submission: Submission, job: Job, *, folder: Path, logs: str, seconds: float
) -> tuple[int, str]:
    """Run a job to its end; return its exit code and the last lines that it wrote.

    Args:
        profile: Of the box.
        storage: Takes the logs.
        submission: What to run.
        job: To end it by.
        folder: Of this job alone, for what Spark writes meanwhile.
        logs: Folder in the store for its logs, with a closing slash; empty for none.
        seconds: The longest it may take.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = [*submission.options]
    for name, value in submission.settings.items():
        options += ["--conf", f"{name}={value}"]
    command = submit_command(Box(profile), folder, [*options, submission.entry, *submission.arguments])
    out, err = folder / "stdout", folder / "stderr"
    env = inherited_env(**{**command.env, **aws_variables(profile), **submission.environment})
    with out.open("wb") as output, err.open("wb") as errors:
        process = subprocess.Popen(
            list(command.argv), env=env, cwd=folder, stdout=output, stderr=errors, start_new_session=True
        )
        _follow(process, job, time.monotonic() + seconds)
    for path in (out, err):
        if logs:
            storage.put(f"{logs}SPARK_DRIVER/{path.name}.gz", gzip.compress(path.read_bytes()))
    # What Python says of an error goes the way of its output: Spark puts the two together.
    return process.returncode, "\n".join(filter(None, (_last_lines(err), _last_lines(out))))


def _follow(process: subprocess.Popen[bytes], job: Job, deadline: float) -> None:
    while process.poll() is None:
        if time.monotonic() > deadline:
            job.late = True
            job.stop.set()
        if job.stop.wait(_PAUSE):
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the driver with all that it has started."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            return


def _last_lines(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_LAST_LINES:])
