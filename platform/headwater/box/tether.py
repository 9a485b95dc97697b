"""Helper programs that cannot outlive the fetch that started them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from headwater.box.download import Stopped
from headwater.errors import FetchError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from headwater.box.progress import Step

__all__ = ["run_tethered"]

_POLL_SECONDS = 0.2
_SAID = 1200

# The kernel kills the program when the fetch dies, even by SIGKILL: a builder left behind would write into folders that
# the next fetch believes its own. Niceness leaves the machine usable meanwhile.
_TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)
os.nice(5)
os.execvpe(sys.argv[2], sys.argv[2:], os.environ)
"""


def run_tethered(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    step: Step,
    stop: threading.Event,
    doing: str,
    advice: str = "run the command again",
    cause: Callable[[str], str] = str.strip,
) -> str:
    """Run a helper program to its end and return what it wrote to stdout.

    Args:
        command: Program and arguments.
        cwd: Its working folder.
        env: Its whole environment.
        step: Told that the work goes on.
        stop: Ends it when set.
        doing: What is being done, for the error's sentence.
        advice: What to do when it fails.
        cause: Finds the cause in what a failed program said.

    Raises:
        FetchError: It failed; the sentence ends with the last of what it said.
        Stopped: The fetch is ending early.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        tied = [sys.executable, "-I", "-c", _TETHER, str(os.getpid()), *command]
        with subprocess.Popen(tied, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=said) as process:
            try:
                _wait(process, step, stop)
            finally:
                process.kill()
        out.seek(0)
        said.seek(0)
        if process.returncode:
            words = cause(said.read().strip() or out.read())[-_SAID:]
            raise FetchError(f"{doing} failed (exit code {process.returncode}); {advice}. It said: {words}")
        return out.read()


def _wait(process: subprocess.Popen[bytes], step: Step, stop: threading.Event) -> None:
    while True:
        try:
            process.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if stop.is_set():
                raise Stopped from None
            step.advance()
        else:
            return
