"""The dashboards on a table, as packages above this one tell of them."""

from __future__ import annotations

import threading
import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headwater.profile import Profile

__all__ = ["Dashboards"]

_KEPT_SECONDS = 10.0


class Dashboards:
    """Asks every function of the entry point group ``headwater.readers``, at most every ten seconds.

    Args:
        profile: Whose project's.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile, self._lock = profile, threading.Lock()
        self._asked = float("-inf")
        self._found: dict[str, list[tuple[str, str]]] = {}

    def __call__(self) -> Mapping[str, Sequence[tuple[str, str]]]:
        """Return title and address of every dashboard by the tables that it reads."""
        with self._lock:
            if time.monotonic() - self._asked > _KEPT_SECONDS:
                self._found = {}
                for point in entry_points(group="headwater.readers"):
                    for table, links in point.load()(self._profile).items():
                        self._found.setdefault(table, []).extend(links)
                self._asked = time.monotonic()
            return self._found
