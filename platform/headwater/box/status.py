"""How every process of the box is, asked of the process itself."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.box.processes import resident
from headwater.box.readiness import why_not_ready
from headwater.box.supervisor import ProcessState, Supervisor
from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.box.component import Box
    from headwater.box.programs import Program

__all__ = ["Status", "statuses"]


@dataclass(frozen=True)
class Status:
    """One process of the box.

    Args:
        name: ``component`` or ``component:role``.
        state: The supervisor's word in lower case: running, starting, backoff, stopped, fatal, ...
        ready: Its probe, a real use, passed just now.
        pid: None when it does not run.
        port: Its main port; None when it has none.
        url: The address a person or client uses; None when it has none.
        rss_bytes: Resident memory of its process tree, shared pages counted once.
        version: Version of the software.
        uptime_seconds: Since its last start.
        problem: Why it is not ready; empty when it is.
    """

    name: str
    state: str
    ready: bool
    pid: int | None
    port: int | None
    url: str | None
    rss_bytes: int
    version: str
    uptime_seconds: int
    problem: str


def statuses(box: Box, all_programs: Iterable[Program]) -> list[Status]:
    """Return the state of every program, probing those that run, all at once.

    What starts only when it is named is left out until somebody has named it.
    """
    states, none = Supervisor(box).states(), ProcessState("STOPPED", 0, 0.0, "")
    rows = tuple(
        one
        for one in all_programs
        if not one.component.on_demand or states.get(one.file_name, none).state != none.state
    )
    with ThreadPoolExecutor(max_workers=len(rows)) as pool:
        return list(pool.map(lambda one: _status(box, one, states.get(one.file_name, none)), rows))


def _status(box: Box, program: Program, state: ProcessState) -> Status:
    problem = state.why or f"it is {state.state.lower()}"
    if state.alive:
        problem = why_not_ready(box, program)
    port = program.component.port(program.role)
    return Status(
        name=program.name,
        # The supervisor calls a process's first seconds STARTING, also when it is of use already.
        state="running" if state.alive and not problem else state.state.lower(),
        ready=not problem,
        pid=state.pid or None,
        port=None if port is None else box.profile.port(port),
        url=program.component.url(box, program.role),
        rss_bytes=resident(state.pid) if state.pid else 0,
        version=_version(box, program),
        uptime_seconds=int(time.time() - state.started) if state.started else 0,
        problem=problem,
    )


def _version(box: Box, program: Program) -> str:
    try:
        return program.component.version(box)
    except HeadwaterError:
        return "not fetched"
