"""Finds tables, columns and moments by what people call them, or says that there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

    from headwater_catalog.store._nodes import Nodes

__all__ = ["NotFound", "found_moment", "found_node", "found_or_titled", "known_columns", "require_column"]

# Of those that share a title an error names so many.
_CANDIDATES = 5


class NotFound(LookupError):  # noqa: N818 - reads as the outcome it is
    """There is no such table, column, run or snapshot; its text says which."""


def found_node(nodes: Nodes, name: str) -> int:
    """Return the node that a name means.

    Raises:
        NotFound: There is none.
    """
    try:
        found = nodes.find(name)
    except ValueError as error:
        raise NotFound(str(error)) from error
    if found is None:
        raise NotFound(f"The catalog knows no table {name!r}; look for it with `headwater search`.")
    return found


def found_or_titled(connection: Connection[Any], nodes: Nodes, name: str) -> int:
    """Return the node that a name means, or the title of a chart, dashboard or dataset.

    Raises:
        NotFound: There is none, or several have that title.
    """
    try:
        return found_node(nodes, name)
    except NotFound:
        titled = connection.execute(
            """SELECT id, name FROM node WHERE lower(title) = lower(%s) AND kind <> 'term' AND dropped_at IS NULL
               ORDER BY kind, name LIMIT %s""",
            (name, _CANDIDATES + 1),
        ).fetchall()
        if not titled:
            raise
        if len(titled) > 1:
            names = ", ".join(str(one[1]) for one in titled[:_CANDIDATES])
            more = ", others" if len(titled) > _CANDIDATES else ""
            raise NotFound(f"More than one is titled {name!r}: {names}{more}; say which by its name.") from None
        return int(titled[0][0])


def found_moment(connection: Connection[Any], text: str) -> datetime:
    """Return the time that a time, a run's id or a snapshot's id means; now for an empty text.

    Raises:
        NotFound: It is none of them.
    """
    if not text:
        return datetime.now(UTC)
    run = connection.execute(
        """SELECT coalesce(ended_at, began_at) FROM run WHERE id = %(text)s
           UNION ALL (SELECT at FROM partaking WHERE snapshot = %(text)s AND direction = 'out' ORDER BY at LIMIT 1)
           LIMIT 1""",
        {"text": text},
    ).fetchone()
    if run:
        return run[0]  # type: ignore[no-any-return]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise NotFound(
            f"There is no run, snapshot or time {text!r}; give a run's id, a snapshot's id or a time such as "
            "2026-01-31T12:00:00Z."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def known_columns(connection: Connection[Any], node: int, at: datetime) -> list[tuple[int, str]]:
    """Return a table's columns of a moment, with those that only lineage ever named."""
    rows = connection.execute(
        """SELECT DISTINCT name FROM column_fact WHERE node_id = %(node)s AND since <= %(at)s
             AND (until IS NULL OR until > %(at)s)
           UNION SELECT c.target_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
             WHERE e.target_id = %(node)s AND c.target_column <> ''
           UNION SELECT c.source_column FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
             WHERE e.source_id = %(node)s""",
        {"node": node, "at": at},
    )
    return [(node, row[0]) for row in rows]


def require_column(connection: Connection[Any], node: int, name: str, column: str, at: datetime) -> None:
    """Refuse a column that a table does not have; an empty one is the table itself.

    Raises:
        NotFound: There is none.
    """
    asked = {"node": node, "column": column, "at": at}
    if column and not connection.execute(_HAS_COLUMN, asked).fetchone():
        raise NotFound(f"Table {name} has no column {column!r} that the catalog knows.")


# A column is known by itself, or by an edge from or to it.
_HAS_COLUMN = b"""
(SELECT 1 FROM column_fact WHERE node_id = %(node)s AND name = %(column)s AND since <= %(at)s
   AND (until IS NULL OR until > %(at)s) LIMIT 1)
UNION ALL (SELECT 1 FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
   WHERE e.target_id = %(node)s AND c.target_column = %(column)s AND c.target_column <> '' LIMIT 1)
UNION ALL (SELECT 1 FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id
   WHERE e.source_id = %(node)s AND c.source_column = %(column)s LIMIT 1)
LIMIT 1
"""
