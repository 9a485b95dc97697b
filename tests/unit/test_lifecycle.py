"""How long a component may take to start; its real start is tested on the box."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest
from headwater.box import lifecycle
from headwater.box.component import Box
from headwater.errors import ComponentError
from headwater.profile import Profile


class _Supervisor:
    """Starts nothing; what it started is alive."""

    def __init__(self):
        self.started = []

    def start_program(self, program):
        self.started.append(program.name)

    def state(self, _program):
        return SimpleNamespace(alive=True, state="RUNNING", why="")


@pytest.fixture
def start(tmp_path):
    """A component that may take a second until it is ready."""
    given = {"HEADWATER_HOME": str(tmp_path), "HEADWATER_PROJECT": str(tmp_path), "HEADWATER_START_TIMEOUT": "1"}
    said = []
    made = lifecycle._Start(
        box=Box(Profile.load(given)), supervisor=_Supervisor(), say=lambda *words: said.append(words), ready={}
    )
    return made, said


def _program():
    component = SimpleNamespace(name="superset", hints=())
    return SimpleNamespace(name="superset", file_name="superset", component=component)


def test_the_time_of_a_migration_is_not_that_of_the_start(start, monkeypatch):
    """A slow machine migrates for minutes; then the process still has all of its time."""
    made, said = start
    monkeypatch.setattr(lifecycle, "run_migration", lambda *_: time.sleep(1.1))
    program, began = _program(), time.monotonic()
    monkeypatch.setattr(lifecycle, "why_not_ready", lambda *_: "" if time.monotonic() > began + 1.5 else "not yet")

    lifecycle._start_roles(made, program.component, (program,))

    assert said[-1][1].startswith("ready after")


def test_a_start_that_takes_too_long_says_what_gives_it_longer(start, monkeypatch):
    """The sentence names the setting."""
    made, _ = start
    monkeypatch.setattr(lifecycle, "run_migration", lambda *_: None)
    monkeypatch.setattr(lifecycle, "why_not_ready", lambda *_: "connection refused.")
    program = _program()

    with pytest.raises(
        ComponentError, match=r"connection refused, after 1 s; on a slow or busy machine .*HEADWATER_START_TIMEOUT"
    ):
        lifecycle._start_roles(made, program.component, (program,))
    assert made.supervisor.started == ["superset"]
