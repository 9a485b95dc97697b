"""Bringing the box up and down: dependency order, as parallel as it allows, "ready" only after a real use."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from headwater.box.alone import alone
from headwater.box.component import COMMON_HINTS
from headwater.box.processes import end, members
from headwater.box.programs import programs, tiers
from headwater.box.readiness import why_not_ready
from headwater.box.supervisor import MARK, Supervisor
from headwater.errors import ComponentError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from headwater.box.component import Box, Component
    from headwater.box.programs import Program

__all__ = [
    "bring_up",
    "end_leftovers",
    "last_lines",
    "likely_cause",
    "run_migration",
    "switch_project",
    "take_down",
]

_PROBE_PAUSE = 0.3
_STOP_SECONDS = 30.0
_LAST_SECONDS = 5.0
_LOG_LINES = 20
# Shorter waits are not worth a line.
_PATIENCE_SECONDS = 2.0


@dataclass
class _Start:
    """One `up` in progress, shared by the threads that start its components."""

    box: Box
    supervisor: Supervisor
    say: Callable[[str, str], None]
    ready: dict[str, threading.Event]
    failed: threading.Event = field(default_factory=threading.Event)


def bring_up(
    box: Box,
    components: Mapping[str, Component],
    all_programs: tuple[Program, ...],
    say: Callable[[str, str], None],
) -> None:
    """Start components that do not run, in dependency order, and return when every one is ready.

    Args:
        box: The box.
        components: What to start, complete with all it needs.
        all_programs: Every program that the supervisor shall know.
        say: Called with a component's name and what happens to it.

    Raises:
        ComponentError: One did not become ready; those that did stay up.
    """
    with alone(box.profile.home, say):
        supervisor = Supervisor(box)
        supervisor.start(all_programs)
        start = _Start(box, supervisor, say, {name: threading.Event() for name in components})
        with ThreadPoolExecutor(max_workers=len(components)) as pool:
            ordered = [components[name] for tier in tiers(components) for name in tier]
            futures = [pool.submit(_start_component, start, one) for one in ordered]
        errors = [error for future in futures if (error := future.exception())]
        for error in sorted(errors, key=lambda one: isinstance(one, _NotTriedError)):
            raise error


class _NotTriedError(ComponentError):
    """A component was not started because one that it needs had failed."""


def end_leftovers(box: Box, say: Callable[[str, str], None]) -> None:
    """End what a supervisor that was killed has left: it would hold ports and data folders.

    Raises:
        ConfigError: The box's home cannot be written.
    """
    with alone(box.profile.home, say):
        if not Supervisor(box).running():
            end(members(box.profile.home))


def take_down(box: Box, components: Mapping[str, Component], say: Callable[[str, str], None]) -> None:
    """Stop everything that belongs to the box; afterwards no process of it is left."""
    supervisor = Supervisor(box)
    if supervisor.running():
        for tier in reversed(tiers(components)):
            # Another `down` may be stopping some of them: these are waited for before what they need is stopped.
            wave = _not_stopped(supervisor, programs(components[name] for name in tier))
            for program in wave:
                supervisor.stop_program(program)
            _await_stopped(supervisor, wave)
            if wave:
                say(", ".join(dict.fromkeys(one.component.name for one in wave)), "stopped")
        supervisor.shutdown()
    left = _outlasting(box.profile.home)
    if left:
        say("box", f"ending what they left: {', '.join(sorted(_names(left)))}")
        end(left)


def _outlasting(home: Path) -> list[psutil.Process]:
    """Return the box's processes that do not end by themselves in a while, as the supervisor does."""
    deadline = time.monotonic() + _LAST_SECONDS
    while (left := members(home)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _names(processes: Iterable[psutil.Process]) -> Iterator[str]:
    for process in processes:
        with suppress(psutil.Error):
            yield f"{process.name()} ({process.pid})"


def switch_project(box: Box, components: Mapping[str, Component], say: Callable[[str, str], None]) -> None:
    """Have a running box serve the project of its profile; what reads the project is stopped, to be started anew."""
    supervisor = Supervisor(box)
    supervisor.serve_project()
    wave = programs(one for one in components.values() if one.reads_project)
    for program in wave:
        supervisor.stop_program(program)
    _await_stopped(supervisor, wave)
    say(", ".join(dict.fromkeys(one.component.name for one in wave)), "stopped")


def last_lines(home: Path, file_name: str, count: int = _LOG_LINES) -> list[str]:
    """Return the last lines of a program's log."""
    path = home / "logs" / f"{file_name}.log"
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        return file.read().decode("utf-8", "replace").splitlines()[-count:]


def likely_cause(component: Component, lines: list[str]) -> str:
    """Return the likely cause of a failure, from the component's hints and those of all."""
    text = "\n".join(lines)
    for hint in (*component.hints, *COMMON_HINTS):
        if re.search(hint.pattern, text):
            return hint.cause
    return "not known; the log above is all there is."


def _start_component(start: _Start, component: Component) -> None:
    try:
        _await_needs(start, component)
        roles = programs([component])
        if not all(_is_up(start, program) and not why_not_ready(start.box, program) for program in roles):
            _start_roles(start, component, roles)
        start.ready[component.name].set()
    except BaseException:
        start.failed.set()
        raise


def _start_roles(start: _Start, component: Component, roles: tuple[Program, ...]) -> None:
    began = time.monotonic()
    start.say(component.name, "migrating")
    run_migration(start.box, component)
    start.say(component.name, "starting")
    # The time that a start may take begins here: a migration takes what it takes, and says so.
    started = time.monotonic()
    for program in roles:
        start.supervisor.start_program(program)
    for program in roles:
        _await_ready(start, program, started)
    start.say(component.name, f"ready after {time.monotonic() - began:.1f} s")


def _await_needs(start: _Start, component: Component) -> None:
    missing = [name for name in component.needs if name in start.ready and not start.ready[name].is_set()]
    told = time.monotonic() + _PATIENCE_SECONDS
    for name in missing:
        while not start.ready[name].wait(0.1):
            if told and time.monotonic() > told:
                told = 0.0
                start.say(component.name, f"waits for {', '.join(missing)}")
            if start.failed.is_set():
                raise _NotTriedError(f"{component.name} was not started, because {name} is not ready.")


def _is_up(start: _Start, program: Program) -> bool:
    return start.supervisor.state(program).alive


def run_migration(box: Box, component: Component) -> None:
    """Run `headwater migrate`, the same command that a container runs, with its output in the logs.

    Raises:
        ComponentError: It failed; what it said is in the sentence.
    """
    log = box.profile.home / "logs" / f"{component.name}-migrate.log"
    env = inherited_env(**box.profile.environment(), **{MARK: str(box.profile.home)})
    with log.open("wb") as file:
        argv = [sys.executable, "-m", "headwater", "migrate", component.name]
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file, check=False)
    if done.returncode:
        raise _failure(box, component, "its migration", f"{component.name}-migrate", f"exit code {done.returncode}")


def _await_ready(start: _Start, program: Program, began: float) -> None:
    limit = float(start.box.profile.setting("HEADWATER_START_TIMEOUT"))
    told = time.monotonic()
    while True:
        state = start.supervisor.state(program)
        why = state.why or f"it is {state.state}"
        if state.alive:
            why = why_not_ready(start.box, program)
            if not why:
                return
        if state.state == "STOPPED":
            raise ComponentError(
                f"{program.name} was stopped while it started, as `headwater down` does; run `headwater up` again."
            )
        if state.state == "FATAL":
            raise _failure(start.box, program.component, f"{program.name}'s probe", program.file_name, why)
        if time.monotonic() - began > limit:
            more = "on a slow or busy machine set HEADWATER_START_TIMEOUT to more"
            slow = f"{why.rstrip('.')}, after {limit:.0f} s; {more}, and say the same command again"
            raise _failure(start.box, program.component, f"{program.name}'s probe", program.file_name, slow)
        if time.monotonic() - told > 10:  # noqa: PLR2004 - a line every ten seconds shows that it is alive
            told = time.monotonic()
            start.say(program.name, f"still starting, {time.monotonic() - began:.0f} s so far")
        time.sleep(_PROBE_PAUSE)


def _failure(box: Box, component: Component, what: str, file_name: str, why: str) -> ComponentError:
    lines = last_lines(box.profile.home, file_name)
    log = "\n".join(f"  | {line}" for line in lines) or "  | (its log is empty)"
    return ComponentError(
        f"{component.name} did not become ready: {what} failed ({why}).\nThe last lines of {file_name}.log:\n{log}\n"
        f"Likely cause: {likely_cause(component, lines)}",
    )


def _await_stopped(supervisor: Supervisor, wave: Sequence[Program]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    while _not_stopped(supervisor, wave) and time.monotonic() < deadline:
        time.sleep(0.1)


def _not_stopped(supervisor: Supervisor, wave: Sequence[Program]) -> tuple[Program, ...]:
    """Return those that run, are about to, or are being stopped."""
    states = {one: supervisor.state(one) for one in wave}
    return tuple(one for one, state in states.items() if state.kept or state.state == "STOPPING")
