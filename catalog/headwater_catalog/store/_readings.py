"""Who read which table, into the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_catalog.store._nodes import Nodes

if TYPE_CHECKING:
    from psycopg import Connection

    from headwater_catalog.queries import Query

__all__ = ["keep_reading"]

_KEPT_DAYS = 90


def keep_reading(connection: Connection[Any], bucket: str, query: Query) -> bool:
    """Keep who read which tables, and return whether it was new; a table that nobody knows yet is passed over.

    What is older than a season is forgotten: nobody asks for more, and a dashboard reads all day.
    """
    nodes, new = Nodes(connection, bucket), False
    found = {node for name in query.tables if (node := nodes.find(name, query.at)) is not None}
    for node in sorted(found):
        row = connection.execute(
            "INSERT INTO reading VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING true",
            (node, query.id, query.at, query.reader, query.source),
        ).fetchone()
        new = new or row is not None
        connection.execute(
            "DELETE FROM reading WHERE node_id = %s AND at < now() - make_interval(days => %s)", (node, _KEPT_DAYS)
        )
    return new
