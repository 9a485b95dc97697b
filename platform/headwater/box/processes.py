"""The operating system's view of a box: its processes, their memory, who holds a port."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from headwater.box.supervisor import MARK

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["box_of", "end", "listeners", "members", "resident"]

_GRACE_SECONDS = 10.0


def box_of(process: psutil.Process) -> str | None:
    """Return the home of the box that a process belongs to; None for none, or when this user may not know."""
    try:
        return process.environ().get(MARK)
    except (psutil.Error, OSError):
        return None


def members(home: Path) -> list[psutil.Process]:
    """Return every live process that carries a box's mark, this one and its parents left out."""
    mine = {psutil.Process().pid, *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in mine and box_of(process) == str(home)]


def end(processes: Iterable[psutil.Process]) -> None:
    """Terminate processes, killing those that do not go in time."""
    alive = list(processes)
    for process in alive:
        with suppress(psutil.Error):
            process.terminate()
    _, stubborn = psutil.wait_procs(alive, timeout=_GRACE_SECONDS)
    for process in stubborn:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_GRACE_SECONDS)


def resident(pid: int) -> int:
    """Return the resident bytes of a process and its children, pages that they share counted once."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        children = root.children(recursive=True)
        if not children:
            return int(root.memory_info().rss)
        for process in (root, *children):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


def listeners(ports: Iterable[int]) -> dict[int, psutil.Process | None]:
    """Return who listens on some TCP ports; None where the owner is hidden from this user."""
    wanted = set(ports)
    found: dict[int, psutil.Process | None] = {}
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port in wanted:
            owner = None
            with suppress(psutil.Error):
                owner = psutil.Process(connection.pid) if connection.pid else None
            found[connection.laddr.port] = owner
    return found
