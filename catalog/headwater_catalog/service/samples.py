"""Some rows of a table, asked of Trino when somebody wants to see them; nothing of them is kept."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from headwater.errors import EngineAway, HeadwaterError, QueryError
from headwater.sqlbody import quoted
from headwater.stack import Stack
from headwater.table import ZONES

from headwater_catalog.store import NotFound

if TYPE_CHECKING:
    from headwater.profile import Profile

    from headwater_catalog.store import Store

__all__ = ["Samples"]

_ROWS = 20
_SECONDS = 10
_SCANNED = "1GB"
_AT_ONCE = 2
_LONGEST = 200


class Samples:
    """Looks into tables as a login that may only read, within bounds of time, bytes and rows.

    Args:
        store: Knows a table's columns, and which of them hold personal data.
        profile: Whose Trino.
    """

    def __init__(self, store: Store, profile: Profile) -> None:
        self._store, self._profile = store, profile
        self._turns = threading.BoundedSemaphore(_AT_ONCE)

    def rows(self, name: str) -> dict[str, Any]:
        """Return some rows of a table, without its columns of personal data.

        Raises:
            NotFound: There is no such table, or it has no rows that could be shown.
            QueryError: Trino does not answer, or refused.
            ComponentError: PostgreSQL does not answer.
        """
        with self._store.reading() as reader:
            known = reader.columns_to_show(name)
        zone, _, base = str(known["table"]).partition(".")
        shown = [one for one in known["columns"] if one not in known["hidden"]]
        if zone not in ZONES or not base:
            raise NotFound(f"{known['table']} is no table of the lake, so it has no rows to show.")
        if not shown:
            raise NotFound(f"{known['table']} has no column that may be shown.")
        columns = ", ".join(quoted(one, "trino") for one in shown)
        relation = f"{quoted(zone, 'trino')}.{quoted(base, 'trino')}"
        names, rows = self._asked(f"SELECT {columns} FROM {relation} LIMIT {_ROWS}")  # noqa: S608 - quoted
        short = [[None if value is None else value[:_LONGEST] for value in row] for row in rows]
        return {"table": known["table"], "columns": names, "hidden": known["hidden"], "rows": short}

    def _asked(self, statement: str) -> tuple[list[str], list[list[str | None]]]:
        if not self._turns.acquire(timeout=_SECONDS):
            raise EngineAway("Others are looking at rows just now; try again in a moment.")
        try:
            return Stack.build(self._profile).reader(seconds=_SECONDS, scanned=_SCANNED).texts(statement)
        except QueryError:
            raise
        except HeadwaterError as error:
            raise EngineAway(str(error)) from error
        finally:
            self._turns.release()
