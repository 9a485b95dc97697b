"""What the metastore has, brought into the database: which tables there are is its word alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import Origin
from headwater_catalog.notices import Happening
from headwater_catalog.store._edges import replace_edges, stated_edges
from headwater_catalog.store._events import revisit
from headwater_catalog.store._nodes import Nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import Connection

    from headwater_catalog.notices import Notice, TableState

__all__ = ["follow", "followed", "resync"]

_LOCK = 7_700_004
_MARK = "notices"


def followed(connection: Connection[Any]) -> int | None:
    """Return the number of the last notice that was taken in; None before the first."""
    row = connection.execute("SELECT value FROM mark WHERE name = %s", (_MARK,)).fetchone()
    return int(row[0]) if row else None


def follow(
    connection: Connection[Any], bucket: str, told: Sequence[Notice], states: Mapping[str, TableState], last: int
) -> None:
    """Take in what happened since the last time; the caller's transaction makes it whole.

    Args:
        connection: In a transaction.
        bucket: The lake's.
        told: What happened, in order.
        states: Every table that it happened to, as it is now; those that are gone are missing.
        last: The number of the last notice, of a table or not.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    known = followed(connection)
    if known is not None and last <= known:
        return  # another replica was faster, and looked later at the tables
    writer = _Writer(connection, bucket)
    for one in told:
        if known is None or one.id > known:
            writer.happened(one)
    for state in states.values():
        writer.there(state)
    _remember(connection, last)


def resync(connection: Connection[Any], bucket: str, states: Sequence[TableState], last: int) -> None:
    """Bring the catalog to what there is, where it is not known what happened; the caller's transaction makes it whole.

    Args:
        connection: In a transaction.
        bucket: The lake's.
        states: Every table that there is.
        last: The number of the last notice before they were listed.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    writer, now = _Writer(connection, bucket), datetime.now(UTC)
    kept = [writer.there(state) for state in states]
    gone = connection.execute(
        "SELECT id FROM node WHERE followed AND dropped_at IS NULL AND id <> ALL(%s)", (kept,)
    ).fetchall()
    for (identity,) in gone:
        writer.dropped(identity, now)
    _remember(connection, last)


def _remember(connection: Connection[Any], last: int) -> None:
    connection.execute(
        "INSERT INTO mark VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (_MARK, str(last))
    )


class _Writer:
    def __init__(self, connection: Connection[Any], bucket: str) -> None:
        self._connection, self._bucket, self._nodes = connection, bucket, Nodes(connection, bucket)

    def happened(self, notice: Notice) -> None:
        if notice.what == Happening.RENAMED:
            self._nodes.rename(notice.former, notice.name, notice.at)
            return
        if notice.what == Happening.DROPPED:
            identity = self._nodes.find(notice.name, notice.at)
            if identity is not None:
                self.dropped(identity, notice.at)
            return
        identity = self._nodes.see([notice.name], notice.at)
        if notice.what == Happening.MADE:
            self._nodes.change_once(identity, notice.at, notice.what)

    def dropped(self, identity: int, at: datetime) -> None:
        self._nodes.change_once(identity, at, Happening.DROPPED)
        self._connection.execute("UPDATE node SET dropped_at = %s, followed = true WHERE id = %s", (at, identity))

    def there(self, state: TableState) -> int:
        now = datetime.now(UTC)
        names = [state.name, state.location] if state.location else [state.name]
        identity = self._nodes.see(names, now)
        self._connection.execute(
            """UPDATE node SET followed = true, made_at = %s, dropped_at = NULL, there = %s::jsonb,
               kind = CASE WHEN defined THEN kind ELSE %s END WHERE id = %s""",
            (state.made, _there(state), "table" if state.view is None else "view", identity),
        )
        self._nodes.columns(identity, state.columns, Origin.OBSERVED, now)
        if state.view is not None:
            self._read(identity, state, now)
        return identity

    def _read(self, identity: int, state: TableState, now: datetime) -> None:
        """Say what a view is made of; that of a defined table is its definition's to say."""
        defined = self._connection.execute("SELECT defined FROM node WHERE id = %s", (identity,)).fetchone()
        if state.view is None or (defined and defined[0]):
            return
        replace_edges(self._connection, identity, Origin.PARSED, now, stated_edges(self._nodes, state.view, now))
        self._connection.execute(
            "UPDATE node SET code = %s, problem = %s WHERE id = %s", (state.code, state.view.problem, identity)
        )
        revisit(self._connection, self._bucket, state.name)


def _there(state: TableState) -> str:
    """Return the columns as the metastore has them; those of a definition are compared with them."""
    return json.dumps([[one.name, one.type, one.doc] for one in state.columns])
