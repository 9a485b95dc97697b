"""A service that was started: its log, its processes, and a way to run something beside them."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from limits import killed_for_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services import Service

__all__ = ["Container", "NotReadyError", "as_user", "run"]


class NotReadyError(Exception):
    """A container did not come up, or ended when it should run."""


@dataclass
class Container:
    """A started service.

    Args:
        service: What it was started from.
        process: The outermost process, which ends when the service does.
        place: Its folder, with its log.
        groups: Control groups with its limits.
        env: The variables of its processes.
        user: ``uid:gid`` of its processes.
    """

    service: Service
    process: subprocess.Popen
    place: Path
    groups: Sequence[str]
    env: Mapping[str, str]
    user: str

    @property
    def log(self) -> str:
        """What it has printed."""
        return (self.place / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def killed_for_memory(self) -> int:
        """How many of its processes the kernel has killed for taking more than the limit."""
        return killed_for_memory(self.groups)

    @property
    def first(self) -> psutil.Process:
        """Its first process, in its own count."""
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in psutil.Process(self.process.pid).children(recursive=True):
                if _own_numbers(one.pid)[-1:] == ["1"]:
                    return one
        raise NotReadyError(f"{self.service.name} has ended: {self.log[-2000:]}")

    def inside(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` in it, as its user, within its limits."""
        join = " && ".join(f"echo 0 > {group}/cgroup.procs" for group in self.groups) or "true"
        enter = [
            "nsenter",
            "--target",
            str(self.first.pid),
            "--mount",
            "--pid",
            "--net",
            "--ipc",
            "--uts",
            "--root",
            "--wd",
        ]
        env = [f"{name}={text}" for name, text in self.env.items()]
        return ["sh", "-c", f'{join} && exec "$@"', "sh", *enter, "env", "-i", *env, *as_user(self.user), *argv]

    def run(self, *argv: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in it and return what came of it; one that takes too long fails."""
        return run(self.inside(argv), timeout)

    def stop(self) -> int:
        """Ask it to end, then make it; return its exit code."""
        with contextlib.suppress(NotReadyError, psutil.NoSuchProcess):
            self.first.send_signal(getattr(signal, self.service.stop_signal))
        try:
            self.process.wait(self.service.grace)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(NotReadyError, psutil.NoSuchProcess):
                self.first.kill()
        return self.process.wait()


def as_user(user: str) -> list[str]:
    """Return the beginning of a command that is run as ``uid:gid``, who may do nothing more and get no right back."""
    uid, _, gid = user.partition(":")
    none = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs")
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", *none, "--"]


def run(argv: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
    """Run a command and return what came of it; one that takes too long fails, and all that it began is ended."""
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            for one in reversed(psutil.Process(process.pid).children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.kill()
            out, err = process.communicate()
            return subprocess.CompletedProcess(argv, 124, out, f"{err}\nno end after {timeout:.0f} s")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)


def _own_numbers(pid: int) -> list[str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return []
    return next((row.split()[1:] for row in status.splitlines() if row.startswith("NSpid:")), [])
