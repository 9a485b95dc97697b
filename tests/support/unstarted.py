"""Boxes that nothing of is started: for what components render, and for what they say when they are down."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from headwater.box.component import Box
from headwater.box.runtimes import Runtimes
from headwater.credentials import ensure_credentials
from headwater.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FetchedBox", "idle_box"]


class FetchedBox(Box):
    """A box whose runtimes are taken for fetched, as they are in an image."""

    @property
    def runtimes(self):
        """Return runtimes that have a path in any case."""
        found = Runtimes(self.profile.cache)
        found.path = lambda name: self.profile.cache / "runtimes" / name
        return found


def idle_box(place: Path) -> Box:
    """Return a box that has credentials and runs nothing, on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        first = min(free.getsockname()[1], 60000)
    given = {"HEADWATER_PROJECT": str(place), "HEADWATER_HOME": str(place / "home"), "HEADWATER_PORT": str(first)}
    profile = Profile.load(given)
    ensure_credentials(profile.home)
    return Box(profile)
