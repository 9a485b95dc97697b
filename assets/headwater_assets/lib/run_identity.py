"""Names a run's process for ever: by its number and the moment it started, because a number alone is used again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NAMESPACE_TAG", "PID_TAG", "end_process", "identity_tags", "is_elsewhere", "living_process"]

PID_TAG = "headwater/pid"
STARTED_TAG = "headwater/process_started"
# The numbers of processes mean something only among those that share a namespace, as a container does not with others.
NAMESPACE_TAG = "headwater/process_namespace"

_PAUSE = 0.05
_KILL_SECONDS = 5.0


def identity_tags() -> dict[str, str]:
    """Return the run tags that name this process."""
    pid = os.getpid()
    return {PID_TAG: str(pid), STARTED_TAG: _started(pid), NAMESPACE_TAG: _namespace()}


def is_elsewhere(tags: Mapping[str, str]) -> bool:
    """Tell whether the process that the tags name is, or was, in another container than this one."""
    return tags.get(NAMESPACE_TAG, _namespace()) != _namespace()


def living_process(tags: Mapping[str, str]) -> int | None:
    """Return the number of the process that the tags name, or None when it has ended."""
    pid = "" if is_elsewhere(tags) else tags.get(PID_TAG, "")
    return int(pid) if pid.isdigit() and _started(int(pid)) == tags.get(STARTED_TAG) else None


def end_process(tags: Mapping[str, str], grace: float) -> None:
    """Interrupt the process that the tags name, then kill it and all it has started.

    Args:
        tags: The run's tags.
        grace: Seconds it gets to clean up.
    """
    pid = living_process(tags)
    if pid is None:
        return
    # The run leads a session and a process group of its own; what it started is in there too.
    for target, number, seconds in ((pid, signal.SIGTERM, grace), (-pid, signal.SIGKILL, _KILL_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(target, number)
        until = time.monotonic() + seconds
        while living_process(tags) is not None and time.monotonic() < until:
            time.sleep(_PAUSE)


def _namespace() -> str:
    return os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it is no path


def _started(pid: int) -> str:
    """Return a process's start in clock ticks since boot, empty when it is gone or only waits to be reaped."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state in "ZX" else fields[18]
