"""Asking a program whether it works: its probe, what it says when it fails, and waiting until it does."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from headwater.box.component import MIGRATE
from headwater.box.components.databases import is_migrated
from headwater.box.programs import programs
from headwater.errors import ComponentError, HeadwaterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater.box.component import Box, Component
    from headwater.box.programs import Program

__all__ = ["wait_for_migration", "wait_for_needs", "why_not_ready"]

_PAUSE_SECONDS = 1.0


def why_not_ready(box: Box, program: Program) -> str:
    """Use a program once; return why that failed, empty when it worked."""
    try:
        program.component.probe(box, program.role)
    except HeadwaterError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a half-started service may answer anything at all
        return f"{type(error).__name__}: {error}"
    return ""


def wait_for_needs(box: Box, components: Mapping[str, Component], component: Component) -> None:
    """Return when everything that a component's bootstrap calls is ready.

    Raises:
        ComponentError: One was not ready in time; the sentence is its probe's.
    """
    called = set(component.calls.get(MIGRATE, ()))
    for program in programs(components[name] for name in component.needs):
        if called.isdisjoint(program.component.listens.get(program.role, ())):
            continue
        _wait(box, f"{component.name} needs {program.name}", partial(why_not_ready, box, program))


def wait_for_migration(box: Box, component: Component) -> None:
    """Return when a component's database is at this version.

    Raises:
        ComponentError: It is not, in time.
    """

    def why_not() -> str:
        try:
            return "" if is_migrated(box.profile, component) else "its database is not at this version"
        except ComponentError as error:
            return str(error)

    _wait(box, f"{component.name} waits for its migration", why_not)


def _wait(box: Box, what: str, why_not: Callable[[], str]) -> None:
    until = time.monotonic() + int(box.profile.setting("HEADWATER_START_TIMEOUT"))
    while why := why_not():
        if time.monotonic() > until:
            raise ComponentError(f"{what}: {why}")
        time.sleep(_PAUSE_SECONDS)
