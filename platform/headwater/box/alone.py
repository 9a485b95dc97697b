"""One command at a time changes what runs in a box and what it keeps."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["alone"]


@contextmanager
def alone(home: Path, say: Callable[[str, str], None], command: str = "up") -> Iterator[str]:
    """Wait for another command that starts or changes the same box, telling so; one inside another goes on.

    Args:
        home: The box's.
        say: Called with a name and what happens to it.
        command: What others are told that they wait for.

    Yields:
        The command that there was to wait for; empty for none.

    Raises:
        ConfigError: The box's home cannot be written.
    """
    lock, holder = FileLock(home / "up.lock", is_singleton=True), home / "up.pid"
    waited_for = ""
    try:
        tempfile.TemporaryFile(dir=home).close()  # the lock would be tried for ever where no file can be made
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waited_for, pid = _holder(holder)
            say("box", f"another `headwater {waited_for}`{pid} is at work; waiting for it")
            lock.acquire()
        if lock.lock_counter == 1:
            partial = holder.with_suffix(".new")  # who waits reads a whole line, of this holder or of the last
            partial.write_text(f"{command} {os.getpid()}", encoding="ascii")
            partial.replace(holder)
    except OSError as error:
        lock.release()
        raise ConfigError(
            f"{home} cannot be written: {error.strerror or error}. Give this user the right to, or set HEADWATER_HOME."
        ) from error
    try:
        yield waited_for
    finally:
        lock.release()


def _holder(holder: Path) -> tuple[str, str]:
    with suppress(OSError, ValueError):  # it has the lock and has not written its number yet
        command, pid = holder.read_text(encoding="ascii").split()
        return command, f" (pid {pid})"
    return "up", ""
