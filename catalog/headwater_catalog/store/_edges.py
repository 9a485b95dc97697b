"""Edges in the database: added when first seen, kept alive when seen again, closed when somebody takes them back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.model import Lineage
    from headwater_catalog.store._nodes import Nodes

__all__ = ["ColumnKeys", "replace_edges", "saw_edge", "stated_edges"]

# Source column, target column, kind.
ColumnKeys = frozenset[tuple[str, str, str]]


def saw_edge(
    connection: Connection[Any],
    pair: tuple[int, int],
    origin: str,
    span: tuple[datetime, datetime],
    columns: ColumnKeys = frozenset(),
) -> int:
    """Record that one table was made from another, and when, with what is known of their columns; return the edge's id.

    The same again changes nothing, and the order in which moments are told does not matter.
    """
    row = connection.execute(
        """INSERT INTO edge (source_id, target_id, origin, since, seen)
           VALUES (%(source)s, %(target)s, %(origin)s, %(since)s, %(seen)s)
           ON CONFLICT (target_id, source_id, origin) WHERE until IS NULL
           DO UPDATE SET since = least(edge.since, excluded.since), seen = greatest(edge.seen, excluded.seen)
           RETURNING id""",
        {"source": pair[0], "target": pair[1], "origin": origin, "since": span[0], "seen": span[1]},
    ).fetchone()
    identity = int(row[0]) if row else 0
    if columns:
        sources, targets, kinds = zip(*sorted(columns), strict=True)
        connection.execute(
            """INSERT INTO column_edge (edge_id, source_column, target_column, kind, since, seen)
               SELECT %s, c.*, %s, %s FROM unnest(%s::text[], %s::text[], %s::text[]) AS c
               ON CONFLICT (edge_id, target_column, source_column, kind) WHERE until IS NULL
               DO UPDATE SET since = least(column_edge.since, excluded.since),
                             seen = greatest(column_edge.seen, excluded.seen)""",
            (identity, *span, list(sources), list(targets), list(kinds)),
        )
    return identity


def stated_edges(nodes: Nodes, lineage: Lineage, at: datetime) -> dict[int, ColumnKeys]:
    """Return what a lineage states, by source node; a star names no column."""
    return {
        nodes.see([name], at): ColumnKeys(
            (edge.source_column, edge.target_column, edge.kind.value)
            for edge in lineage.columns
            if edge.source == name and edge.source_column != "*"
        )
        for name in lineage.sources
    }


def replace_edges(
    connection: Connection[Any], target: int, origin: str, at: datetime, wanted: Mapping[int, ColumnKeys]
) -> None:
    """Bring what one origin says a table is made of to what it says now; what it no longer says is closed."""
    rows = connection.execute(
        """SELECT e.id, e.source_id, c.source_column, c.target_column, c.kind FROM edge AS e
           LEFT JOIN column_edge AS c ON c.edge_id = e.id AND c.until IS NULL
           WHERE e.target_id = %s AND e.origin = %s AND e.until IS NULL""",
        (target, origin),
    ).fetchall()
    known = {source: edge for edge, source, *_ in rows}
    gone = [edge for source, edge in known.items() if source not in wanted]
    if gone:
        connection.execute("UPDATE edge SET until = %s WHERE id = ANY(%s)", (at, gone))
        connection.execute("UPDATE column_edge SET until = %s WHERE edge_id = ANY(%s) AND until IS NULL", (at, gone))
    _close(connection, at, [row for row in rows if row[2] is not None and tuple(row[2:]) not in wanted.get(row[1], ())])
    for source, columns in sorted(wanted.items()):
        saw_edge(connection, (source, target), origin, (at, at), columns)


def _close(connection: Connection[Any], at: datetime, rows: Iterable[tuple[Any, ...]]) -> None:
    connection.cursor().executemany(
        """UPDATE column_edge SET until = %s WHERE edge_id = %s AND source_column = %s AND target_column = %s
           AND kind = %s AND until IS NULL""",
        [(at, edge, *key) for edge, _, *key in rows],
    )
