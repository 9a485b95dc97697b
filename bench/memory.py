"""Resident memory of the box, by component: at rest, and the most while it loads the demo."""

from __future__ import annotations

import re
import threading
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.processes import members
from headwater.box.programs import programs
from headwater.box.supervisor import Supervisor

from bench.box import YEARS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.box import BenchBox

__all__ = ["memory", "resident", "written"]

_SETTLE_SECONDS = 60
_SAMPLE_SECONDS = 2.0
_MIB = 1024**2
_IDLE_GOAL_MIB = 6 * 1024
_PEAK_GOAL_MIB = 7 * 1024
_OTHERS = "supervisor and commands"
# What `materialize` says of a table that it has written.
_WRITTEN = re.compile(r"\] (?P<table>\w+\.\w+) +(?P<rows>[\d,]+) rows.* in (?P<seconds>[\d.]+) s$", re.MULTILINE)


def memory(box: BenchBox, rows: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Load the demo of so many loans into a new box and return MiB per component at rest and at most.

    Every page counts once: a page that n processes share counts 1/n for each.
    """
    with box.up():
        time.sleep(_SETTLE_SECONDS)
        idle = _by_component(box)
        say(f"memory: {sum(idle.values()):.0f} MiB at rest")
        with _watching(box) as peaks:
            box.headwater("demo-data", "loans", "--rows", str(rows), "--years", YEARS)
            began = time.monotonic()
            said = box.headwater("materialize", "--all")
            seconds = time.monotonic() - began
        size = sum(file.stat().st_size for file in (box.profile.project / "data" / "loans").iterdir())
        say(f"memory: at most {peaks['box']:.0f} MiB over {seconds:.0f} s of loading {rows} loans")
    total, peak = sum(idle.values()), peaks["box"]
    return {
        "loans": rows,
        "load_seconds": round(seconds, 1),
        "bytes": size,
        "tables": written(said),
        "components": [
            {"name": name, "idle_mib": round(idle.get(name, 0)), "peak_mib": round(peaks[name])}
            for name in sorted(set(peaks) - {"box"})
        ],
        "box": {
            "idle_mib": round(total),
            "idle_goal_mib": _IDLE_GOAL_MIB,
            "peak_mib": round(peak),
            "peak_goal_mib": _PEAK_GOAL_MIB,
            "met": total <= _IDLE_GOAL_MIB and peak <= _PEAK_GOAL_MIB,
        },
    }


def written(said: str) -> list[dict[str, Any]]:
    """Return name, rows and seconds of each table that ``materialize`` told of, in the order in which it wrote them."""
    return [
        {"name": one["table"], "rows": int(one["rows"].replace(",", "")), "seconds": float(one["seconds"])}
        for one in _WRITTEN.finditer(said)
    ]


def _by_component(box: BenchBox) -> dict[str, float]:
    """Return MiB per component; processes that carry the box's mark and no component's pid count as others."""
    owners = _owners(box)
    found: dict[str, float] = defaultdict(float)
    for pid in {*owners, *(process.pid for process in members(box.profile.home))}:
        with suppress(psutil.Error):  # it has ended meanwhile
            found[owners.get(pid, _OTHERS)] += psutil.Process(pid).memory_full_info().pss / _MIB
    return found


def _owners(box: BenchBox) -> Mapping[int, str]:
    """Return the component of every process below a component's own; PostgreSQL's write over the mark they carry."""
    found: dict[int, str] = {}
    for root, name in _roots(box).items():
        with suppress(psutil.Error):
            found |= {one.pid: name for one in (psutil.Process(root), *psutil.Process(root).children(recursive=True))}
    return found


def _roots(box: BenchBox) -> Mapping[int, str]:
    states = Supervisor(Box(box.profile)).states()
    every = programs(all_components().values())
    return {states[one.file_name].pid: one.component.name for one in every if states[one.file_name].pid}


@contextmanager
def _watching(box: BenchBox) -> Iterator[dict[str, float]]:
    """Keep each component's highest sample, and the highest sum of one moment as ``box``."""
    peaks: dict[str, float] = defaultdict(float)

    def sample() -> None:
        now = _by_component(box)
        for name, mib in (*now.items(), ("box", sum(now.values()))):
            peaks[name] = max(peaks[name], mib)

    with _sampling(sample):
        yield peaks


@contextmanager
def resident(box: BenchBox, component: str) -> Iterator[list[float]]:
    """Sample the MiB of a component's own process: what a sample costs is not to be seen in what is timed meanwhile."""
    process = next(psutil.Process(pid) for pid, name in _roots(box).items() if name == component)
    found: list[float] = []
    with _sampling(lambda: found.append(process.memory_info().rss / _MIB)):
        yield found


@contextmanager
def _sampling(sample: Callable[[], None]) -> Iterator[None]:
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(_SAMPLE_SECONDS):
            sample()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
