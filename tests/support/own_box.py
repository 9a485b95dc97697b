"""Boxes of a test's own, beside the shared one, for tests that stop, break or upgrade what they use."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_line import headwater
from headwater.box.components.databases import connect
from headwater.box.inventory import READING, inventory
from headwater.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.box.inventory import Inventory

__all__ = ["counted", "elsewhere", "own_box"]

REPOSITORY = Path(__file__).resolve().parents[2]
# The shared box has the first block of ports, and test_box.py's second box the next.
_BLOCK = 200


@contextmanager
def own_box(folder: Path, *, project: Path = REPOSITORY, **settings: str) -> Iterator[Profile]:
    """Give a box that was never started; whatever is made of it is stopped and deleted."""
    first = int(os.environ.get("TEST_PORT", "17700")) + _BLOCK
    profile = Profile.load(
        HEADWATER_PROJECT=str(project),
        HEADWATER_HOME=str(folder / "home"),
        HEADWATER_PORT=str(first),
        HEADWATER_START_TIMEOUT="900",  # a test machine may be busy with other things
        **settings,
    )
    try:
        yield profile
    finally:
        headwater(profile, "down", check=False)
        shutil.rmtree(profile.home, ignore_errors=True)


def elsewhere(profile: Profile, folder: Path) -> Profile:
    """Return the same services as a job in a container sees them: from a home of its own, with the same logins."""
    folder.mkdir(mode=0o700)
    shutil.copy(profile.credentials_path, folder)
    return replace(profile, home=folder)


def counted(profile: Profile) -> Inventory:
    """Return rows and digest of all that a box's PostgreSQL has."""

    def opened(database: str) -> Any:
        return connect(profile, "postgres", database=database, options=READING)

    return inventory(opened)
