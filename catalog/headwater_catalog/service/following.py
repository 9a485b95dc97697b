"""Follows the metastore, whichever it is: a table that anybody makes, alters, renames or drops shows within seconds."""

from __future__ import annotations

import logging
from abc import abstractmethod
from typing import TYPE_CHECKING

from headwater.errors import HeadwaterError

from headwater_catalog.service.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

__all__ = ["Follower"]

_LOG = logging.getLogger("headwater.catalog")
_AGAIN_SECONDS = 5.0


class Follower(Background):
    """Takes in what happens in a metastore, from a thread of its own.

    Args:
        seconds: How long to wait for more.
    """

    seconds: float

    def __init__(self) -> None:
        super().__init__("follow-metastore")

    @abstractmethod
    def _looking(self) -> AbstractContextManager[Callable[[], bool]]:
        """Open what looks cost no more with, and give one: it takes in what is new and returns if there may be more.

        Raises:
            HeadwaterError: The metastore or the catalog's database does not answer; what was missed is looked at later.
        """

    def _work(self) -> None:
        failing = False
        while not self._stop.is_set():
            try:
                with self._looking() as look:
                    while not self._stop.wait(0 if look() else self.seconds):
                        if failing:
                            _LOG.info("the metastore is followed again")
                        failing = False
            except HeadwaterError as error:
                if not failing:  # said once, not every few seconds
                    _LOG.warning("the metastore is not followed: %s", error)
                failing = True
                self._stop.wait(_AGAIN_SECONDS)
