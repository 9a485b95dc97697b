"""What the wiring tests of the compose file and of the chart have in common."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from command_line import headwater
from compose_file import ROOT
from headwater.profile import Profile
from platform_steps import StepError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from platform_steps import Steps

__all__ = ["IMAGES", "fails_without", "loans_go_through", "make_project"]

IMAGES = ROOT / ".headwater-images"


def make_project(place: Path) -> Path:
    """Return a project folder with a few loans, which everybody may read."""
    place.mkdir(parents=True)
    shutil.copy(ROOT / "headwater.toml", place)
    profile = Profile.load(HEADWATER_PROJECT=str(place), HEADWATER_HOME=str(place / ".headwater"))
    headwater(profile, "demo-data", "loans", "--rows", "2000", "--years", "2019-2020")
    return place


def loans_go_through(steps: Steps) -> None:
    """From files to tables, charts and lineage, through the command line and the ports for people."""
    said = replace(steps, within=900).headwater("materialize", "--all")
    assert "curated.loan_vintage" in said
    steps.push_dashboards()

    ((rows, loans),) = steps.query()
    assert rows > 10
    assert 1900 < loans <= 2000
    assert "partitioned.loan_performance" in steps.headwater("lineage", "curated.loan_vintage", "--direction", "up")
    assert steps.chart()


def fails_without(steps: Steps, step: str, close: Callable[[], object], open_again: Callable[[], object]) -> None:
    """Hold that a step works, and does not while something is closed."""
    took = _ready(steps, step)
    close()
    try:
        # On a machine that is busy with other things, both take long.
        with pytest.raises(StepError):
            replace(steps, within=max(15, 3 * took)).do(step)
    finally:
        open_again()


def _ready(steps: Steps, step: str) -> float:
    """Do a step until it works, since a service may be starting anew, and return how long it takes."""
    until = time.monotonic() + 300
    while True:
        began = time.monotonic()
        try:
            steps.deployed.revive()
            steps.do(step)
            return time.monotonic() - began
        except StepError:
            if time.monotonic() > until:
                raise
            time.sleep(1)
