"""Limits of memory and processes, as control groups of the kernel, version 1 or 2."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services import Service

__all__ = ["drop_groups", "killed_for_memory", "make_groups"]


def make_groups(family: str, name: str, service: Service) -> Iterator[Path]:
    """Make the groups of a container and yield their folders; who is in them has a service's limits."""
    for controller in _controllers():
        group = controller / family / name
        group.mkdir(parents=True)
        for file, text in (
            ("memory.limit_in_bytes", f"{service.memory}M"),
            ("memory.max", f"{service.memory}M"),
            ("pids.max", str(service.pids or "max")),
        ):
            if (group / file).exists():
                (group / file).write_text(text, encoding="ascii")
        yield group


def drop_groups(family: str) -> None:
    """Remove the groups of families whose names begin so; those in use stay."""
    for folder in [one for controller in _controllers() for one in controller.glob(f"{family}*")]:
        for one in (*(each for each in folder.iterdir() if each.is_dir()), folder):
            with contextlib.suppress(OSError):
                one.rmdir()


def killed_for_memory(groups: Sequence[str]) -> int:
    """Return how many processes of a container the kernel has killed for taking more than the limit."""
    for group in groups:
        for file in ("memory.events", "memory.oom_control"):
            if (there := Path(group, file)).exists():
                told = dict(row.split() for row in there.read_text(encoding="ascii").splitlines())
                return int(told["oom_kill"])
    return 0


def _controllers() -> list[Path]:
    base = Path("/sys/fs/cgroup")
    return [base / one for one in ("memory", "pids") if (base / one / "cgroup.procs").exists()]
