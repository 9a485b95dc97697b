"""Follows Glue, which keeps no log of changes: every table is listed again and again, and compared with what was seen.

What was seen is kept in memory. When the process starts, everything is looked at once, as after a gap in the other
metastore's log. A look that fails is as none: the next one finds what happened meanwhile, however long that was.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater.table import ZONES, TableName
from headwater.words import amount

from headwater_catalog._names import parts_of
from headwater_catalog.service.following import Follower
from headwater_catalog.sightings import Sighting, halves, happened, seen_state, sighting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from headwater.metastores.glue import GlueMetastore

    from headwater_catalog.notices import TableState
    from headwater_catalog.store import Store

__all__ = ["GlueFollower"]

_LOG = logging.getLogger("headwater.catalog")
_MICROSECONDS = 1_000_000


class GlueFollower(Follower):
    """Takes in what differs from look to look.

    Args:
        metastore: Glue.
        store: What it is written to.
        seconds: From the end of one look to the next.
    """

    def __init__(self, metastore: GlueMetastore, store: Store, seconds: float) -> None:
        super().__init__()
        self._metastore, self._store, self.seconds = metastore, store, seconds
        self._seen: Mapping[str, Sighting] | None = None
        self._since = datetime.now(UTC)
        self._left: set[str] = set()

    @contextmanager
    def _looking(self) -> Iterator[Callable[[], bool]]:
        yield self._look

    def _look(self) -> bool:
        """Take in what is new; there is never more to be had at once."""
        at, before = datetime.now(UTC), self._seen or {}
        found: dict[str, Sighting] = {}
        changed: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for zone, entry in self._metastore.entries():
            one = sighting(zone, entry)
            if one is None:
                continue
            found[one.name] = one
            if before.get(one.name) != one:
                changed[one.name] = zone, entry
        for name in self._left_to_the_next(found):
            del found[name], changed[name]
        self._take(at, found, changed.values())
        return False

    def _left_to_the_next(self, found: Mapping[str, Sighting]) -> set[str]:
        """Return the tables that are looked at once more before anything is said of them."""
        if self._seen is None:
            return set()
        new = halves(self._seen, found)
        left, self._left = new - self._left, new
        return left

    def _take(
        self, at: datetime, found: Mapping[str, Sighting], changed: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> None:
        # By the time, so that the numbers of a Hive Metastore, which count from one, never catch up with them.
        number = max(int(at.timestamp() * _MICROSECONDS), (self._store.followed() or 0) + 1)
        states = [*self._states(changed)]
        if self._seen is None:
            self._store.resync(states, number)
            _LOG.info("Glue is known: %s", amount(len(states), "table"))
        else:
            told = happened(self._seen, found, since=self._since, at=at, number=number)
            if told:
                self._store.follow(told, {state.name: state for state in states}, number)
                at = max(at, told[-1].at)
        self._seen, self._since = found, at

    def _states(self, changed: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[TableState]:
        for zone, entry in changed:
            state = seen_state(zone, entry, self._columns_of)
            if state is not None:
                yield state

    def _columns_of(self, name: str) -> Sequence[str]:
        """Return the columns of a table that a view reads."""
        zone, *rest = parts_of(name)
        known = next((one for one in ZONES if one == zone), None)
        if known is None or len(rest) != 1:
            return ()
        entry = self._metastore.entry(TableName(known, rest[0]))
        state = seen_state(known, entry) if entry else None
        return tuple(one.name for one in state.columns) if state else ()
