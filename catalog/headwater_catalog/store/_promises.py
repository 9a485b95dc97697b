"""Checks in the database: what definitions promise of their tables, and which promises break with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from psycopg import Connection

    from headwater_catalog.model import Promise
    from headwater_catalog.store._nodes import Nodes

__all__ = ["MERGE", "broken_checks", "keep_promises"]


def keep_promises(
    connection: Connection[Any], nodes: Nodes, said: Mapping[int, Sequence[Promise]], at: datetime
) -> None:
    """Bring the checks of tables to what their definitions declare now.

    Args:
        connection: In a transaction.
        nodes: Finds the tables that checks read.
        said: Each table's checks.
        at: Now.
    """
    every = [(node, one) for node, promises in said.items() for one in promises]
    read = [
        (node, one.name, nodes.see([table], at), column)
        for node, one in every
        for table, column in dict.fromkeys(one.reads)
    ]
    cursor = connection.cursor()
    cursor.execute("DELETE FROM promise WHERE node_id = ANY(%s)", (list(said),))
    cursor.executemany(
        "INSERT INTO promise VALUES (%s, %s, %s, %s, %s)",
        [(node, one.name, list(one.columns), one.promise, one.blocking) for node, one in every],
    )
    cursor.executemany("INSERT INTO promise_read VALUES (%s, %s, %s, %s)", read)


def broken_checks(
    connection: Connection[Any], gone: Mapping[tuple[int, str], bool], limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """Return the checks that break where columns go, and whether there are more than that.

    A check breaks with a column that it reads, of whichever table; all of a table's checks break with its rows as a
    whole. Tables without a definition have the checks that their last run told of.

    Args:
        connection: In a transaction.
        gone: Tables and columns that go or break, and whether that is certain; the empty column stands for all rows.
        limit: How many checks at most.
    """
    cursor = connection.execute(
        _BROKEN,
        {
            "nodes": [node for node, _ in gone],
            "names": [name for _, name in gone],
            "sure": list(gone.values()),
            "limit": limit + 1,
        },
    )
    names = [one.name for one in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    return rows[:limit], len(rows) > limit


# What follows a node that turns out to be another one's new name.
MERGE = (
    """INSERT INTO promise SELECT %(into)s, name, columns, promise, blocking FROM promise WHERE node_id = %(late)s
       ON CONFLICT DO NOTHING""",
    """INSERT INTO promise_read SELECT CASE node_id WHEN %(late)s THEN %(into)s ELSE node_id END, name,
         CASE read_id WHEN %(late)s THEN %(into)s ELSE read_id END, column_name
       FROM promise_read WHERE %(late)s IN (node_id, read_id) ON CONFLICT DO NOTHING""",
    "DELETE FROM promise_read WHERE %(late)s IN (node_id, read_id)",
    "DELETE FROM promise WHERE node_id = %(late)s",
)

# One that names no columns may or may not read the one that goes.
_BROKEN = b"""
WITH gone AS (
  SELECT * FROM unnest(%(nodes)s::bigint[], %(names)s::text[], %(sure)s::boolean[]) AS g (node, name, sure)
), declared AS (
  SELECT p.node_id, p.name, g.sure AS known FROM gone AS g JOIN promise AS p ON p.node_id = g.node WHERE g.name = ''
  UNION ALL
  SELECT r.node_id, r.name, g.sure AND (g.name = '' OR r.column_name <> '') FROM gone AS g
    JOIN promise_read AS r ON r.read_id = g.node AND (g.name = '' OR r.column_name IN (g.name, ''))
), told AS (
  SELECT c.node_id, c.name, c.columns, c.promise, c.blocking, g.sure AND (g.name = '' OR c.columns <> '{}') AS known
  FROM gone AS g JOIN node AS n ON n.id = g.node AND NOT n.defined
  JOIN check_result AS c ON c.node_id = g.node AND (g.name = '' OR c.columns = '{}' OR g.name = ANY(c.columns))
  WHERE c.run_id = (SELECT run_id FROM check_result WHERE node_id = g.node ORDER BY at DESC, run_id LIMIT 1)
), every AS (
  SELECT p.node_id, p.name, p.columns, p.promise, p.blocking, d.known FROM declared AS d
    JOIN promise AS p ON p.node_id = d.node_id AND p.name = d.name
  UNION ALL SELECT * FROM told
)
SELECT n.name AS table, n.owner, e.name, e.columns, e.promise, e.blocking, bool_or(e.known) AS certain
FROM every AS e JOIN node AS n ON n.id = e.node_id
GROUP BY n.name, n.owner, e.name, e.columns, e.promise, e.blocking ORDER BY n.name, e.name LIMIT %(limit)s
"""
