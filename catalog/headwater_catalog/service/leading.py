"""Work that one process does for all replicas of the catalog: whoever holds a lock of the database leads.

PostgreSQL frees the lock when its holder's connection ends, so another replica goes on within seconds. For a moment
both may work, until the former leader has noticed: what is written has to bear that, and does (``store.follow``).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from headwater_catalog.service.background import Background

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from psycopg import Connection

__all__ = ["Leader"]

_LOG = logging.getLogger("headwater.catalog")
# Any fixed number that no other lock of the catalog has.
_LOCK = 7_700_005
_LOOK_SECONDS = 1.0
_AGAIN_SECONDS = 3.0
# A machine that is gone without a word keeps the lock no longer than half a minute.
_KEEPALIVE = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"


class Leader(Background):
    """Works while no other replica does.

    Args:
        url: The catalog's database, with its password.
        work: Begins the work and, left, ends it; called anew for every time that this process leads.
    """

    def __init__(self, url: str, work: Callable[[], AbstractContextManager[object]]) -> None:
        super().__init__("lead")
        self._url, self._begin = url, work

    def _work(self) -> None:
        import psycopg  # noqa: PLC0415 - slow to import

        failing = False
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5, options=_KEEPALIVE) as connection:
                    failing = False
                    self._lead(connection)
            except psycopg.Error as error:
                if not failing:  # said once, not every few seconds
                    _LOG.warning("nobody leads from here: %s", str(error).strip().partition("\n")[0])
                failing = True
                self._stop.wait(_AGAIN_SECONDS)

    def _lead(self, connection: Connection[tuple[object, ...]]) -> None:
        while not _locked(connection):
            if self._stop.wait(_LOOK_SECONDS):
                return
        _LOG.info("this process leads")
        with self._begin():
            while not self._stop.wait(_LOOK_SECONDS):
                connection.execute("SELECT 1")  # fails when the connection, and with it the lock, is lost


def _locked(connection: Connection[tuple[object, ...]]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    return bool(row and row[0])
