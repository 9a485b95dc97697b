"""Follows a Hive Metastore's notification log: what anybody makes, alters or drops shows within seconds.

The log is read on from the last notice that was taken in. When it no longer reaches back that far, or at the very first
time, every table is looked at once; no table is ever polled.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.box.components.metastore import metastore_client
from headwater.table import ZONES
from headwater.words import amount

from headwater_catalog._names import parts_of
from headwater_catalog.notices import Happening, TableState, notices, table_state
from headwater_catalog.service.following import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from headwater.profile import Profile

    from headwater_catalog.store import Store

__all__ = ["HiveFollower"]

_LOG = logging.getLogger("headwater.catalog")
_AT_ONCE = 200


class HiveFollower(Follower):
    """Takes in what a Hive Metastore's notification log says.

    Args:
        profile: Whose metastore.
        store: What it is written to.
    """

    seconds = 1.0

    def __init__(self, profile: Profile, store: Store) -> None:
        super().__init__()
        self._profile, self._store = profile, store

    @contextmanager
    def _looking(self) -> Iterator[Callable[[], bool]]:
        with metastore_client(self._profile) as client:
            yield partial(self._step, client)

    def _step(self, client: Any) -> bool:
        """Take in what is new and return whether there may be more."""
        from thrift_files.libraries.thrift_hive_metastore_client.ttypes import NotificationEventRequest  # noqa: PLC0415

        known, current = self._store.followed(), client.get_current_notificationEventId().eventId
        if known == current:
            return False
        if known is None or known > current:
            self._resync(client, current)
            return True
        events = client.get_next_notification(NotificationEventRequest(known, _AT_ONCE)).events
        if not events or events[0].eventId > known + 1:
            self._resync(client, current)  # those between are gone
            return True
        told = [*notices(events)]
        names = dict.fromkeys((*parts_of(one.name),) for one in told if one.what != Happening.DROPPED)
        states = {state.name: state for state in _found(client, names)}
        self._store.follow(told, states, events[-1].eventId)
        return True

    def _resync(self, client: Any, current: int) -> None:
        names = [(zone, name) for zone in ZONES for name in client.get_all_tables(zone)]
        states = [*_found(client, names)]
        self._store.resync(states, current)
        _LOG.info("the metastore is known: %s, as of notice %s", amount(len(states), "table"), current)


def _found(client: Any, names: Iterable[Sequence[str]]) -> Iterator[TableState]:
    """Yield every table of these that is there, each given by zone and name."""
    from thrift_files.libraries.thrift_hive_metastore_client.ttypes import NoSuchObjectException  # noqa: PLC0415

    def columns_of(name: str) -> Sequence[str]:
        parts = parts_of(name)
        try:
            read = table_state(client.get_table(*parts)) if len(parts) == 2 else None  # noqa: PLR2004
        except NoSuchObjectException:
            return ()
        return tuple(one.name for one in read.columns) if read else ()

    for zone, table in names:
        try:
            state = table_state(client.get_table(zone, table), columns_of)
        except NoSuchObjectException:
            continue
        if state is not None:
            yield state
