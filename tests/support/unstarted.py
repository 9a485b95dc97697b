"""Boxes that nothing of is started: for what components render, and for what they say when they are down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from free_ports import free_ports
from headwater.box.component import Box
from headwater.box.runtimes import Runtimes
from headwater.credentials import ensure_credentials
from headwater.profile import Profile

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FetchedBox", "idle_box"]

_PORTS = 16  # of a box, and some for what it grows by


class FetchedBox(Box):
    """A box whose runtimes are taken for fetched, as they are in an image."""

    @property
    def runtimes(self):
        """Return runtimes that have a path in any case."""
        found = Runtimes(self.profile.cache)
        found.path = lambda name: self.profile.cache / "runtimes" / name
        return found


def idle_box(place: Path) -> Box:
    """Return a box that has credentials and runs nothing, on free ports."""
    first = free_ports(_PORTS)
    given = {"HEADWATER_PROJECT": str(place), "HEADWATER_HOME": str(place / "home"), "HEADWATER_PORT": str(first)}
    profile = Profile.load(given)
    ensure_credentials(profile.home)
    return Box(profile)
