"""Keeps inherited tags at what tags and lineage are, whoever writes these."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from headwater.errors import ComponentError

from headwater_catalog.service.background import Background

if TYPE_CHECKING:
    from headwater_catalog.store import Store

__all__ = ["Inheritance"]

_LOG = logging.getLogger("headwater.catalog")
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 10.0
# It takes at most a tenth of the time, however much changes.
_REST = 9


class Inheritance(Background):
    """Looks for changed tags and edges, from a thread of its own.

    Args:
        store: What it works on.
    """

    def __init__(self, store: Store) -> None:
        super().__init__("inherit-tags")
        self._store = store

    def _work(self) -> None:
        failing = False
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._store.inherit()
                failing = False
            except ComponentError as error:
                if not failing:  # said once, not every few seconds
                    _LOG.warning("inherited tags are as they were: %s", error)
                failing = True
            took = time.monotonic() - began
            self._stop.wait(_AGAIN_SECONDS if failing else max(_LOOK_SECONDS, _REST * took))
