"""What search can be narrowed to, with how many tables each zone, owner, domain and tag has."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from psycopg import Connection

__all__ = ["Choices"]

# Counting that takes no longer than this is done while somebody waits, so that small catalogs tell what is.
_AT_ONCE_SECONDS = 0.05
_LOG = logging.getLogger(__name__)


class Choices:
    """What search can be narrowed to, with how many tables each has.

    It is counted over all tables, so it is kept for many times as long as that took: for a blink in a small catalog,
    for a minute in a very large one. There nobody waits for it twice: who asks meanwhile gets the numbers before.

    Args:
        apart: Opens a connection to count on while somebody has got the numbers before; None to count at once always.
        kept: How many times as long as counting took.
    """

    def __init__(
        self, apart: Callable[[], AbstractContextManager[Connection[Any]]] | None = None, kept: int = 100
    ) -> None:
        self._apart, self._kept = apart, kept
        self._counted: dict[str, Any] = {}
        self._until = self._took = 0.0
        self._counting = threading.Lock()

    def of(self, connection: Connection[Any]) -> dict[str, Any]:
        """Return zones, owners, domains and tags."""
        if time.monotonic() >= self._until:
            if self._apart is None or self._took <= _AT_ONCE_SECONDS:
                self._count(connection)
            elif self._counting.acquire(blocking=False):
                threading.Thread(target=self._count_apart, args=(self._apart,), daemon=True).start()
        return self._counted

    def _count(self, connection: Connection[Any]) -> None:
        began = time.monotonic()
        self._counted = {
            what: [{"name": name, "tables": count} for name, count in connection.execute(statement)]
            for what, statement in _CHOICES.items()
        }
        now = time.monotonic()
        self._took, self._until = now - began, now + self._kept * (now - began)

    def _count_apart(self, apart: Callable[[], AbstractContextManager[Connection[Any]]]) -> None:
        from psycopg import Error  # noqa: PLC0415 - slow to import

        try:
            with apart() as connection:
                self._count(connection)
        except Error as error:  # the numbers before are as good as any until it answers again
            _LOG.warning("What search can be narrowed to could not be counted: %s", error)
        finally:
            self._counting.release()


_CHOICES = {
    "zones": b"""SELECT split_part(name, '.', 1), count(*) FROM node
      WHERE kind = 'table' AND name ~ '^[a-z_]+[.]' AND dropped_at IS NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20""",
    "owners": b"""SELECT owner, count(*) FROM node WHERE owner <> '' AND dropped_at IS NULL
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200""",
    "domains": b"""SELECT domain, count(*) FROM node WHERE domain <> '' AND dropped_at IS NULL
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200""",
    "tags": b"""SELECT tag, count(DISTINCT id) FROM (
        SELECT id, unnest(tags) AS tag FROM node WHERE dropped_at IS NULL AND tags <> '{}'
        UNION ALL SELECT node_id, unnest(tags) FROM column_fact WHERE until IS NULL AND tags <> '{}'
        UNION ALL SELECT node_id, key FROM by_hand WHERE what = 'tag'
        UNION ALL SELECT node_id, tag FROM inherited) AS said
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200""",
}
