"""Which columns inherit which tags: what is copied or transformed of a tagged column is as the column is.

An aggregate tells of many rows and no longer of one, so no tag passes through it; nor through what only decides which
rows there are. Triggers note the columns whose tags or edges change (``inherit_todo``). Most of them have nothing to do
with a tag; when one has, all inheritance is walked anew from the tagged columns down, and what differs is written. So
reading costs a look-up, and nothing is inherited that the walk would not give.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

__all__ = ["inherit", "name_inherited"]

_LOCK = 7_700_007
_AT_ONCE = 20_000
# Longer chains of tables end somewhere; cycles end by themselves.
_DEEPEST = 200


def name_inherited(connection: Connection[Any], project: str, tags: Iterable[str]) -> None:
    """Bring the tags that a project says are inherited to what it says now."""
    wanted = sorted(set(tags))
    gone = connection.execute(
        "DELETE FROM inherited_tag WHERE project = %s AND project <> '' AND tag <> ALL(%s) RETURNING tag",
        (project, wanted),
    ).fetchall()
    new = connection.execute(
        """INSERT INTO inherited_tag SELECT unnest(%s::text[]), %s::text WHERE %s::text <> '' ON CONFLICT DO NOTHING
           RETURNING tag""",
        (wanted, project, project),
    ).fetchall()
    connection.execute(_TODO_OF_TAGS, {"tags": [row[0] for row in (*gone, *new)]})


def inherit(connection: Connection[Any]) -> bool:
    """Bring inheritance to what tags and lineage are now; return whether there may be more to look at.

    Args:
        connection: In a transaction of the caller's.
    """
    if connection.execute("SELECT 1 FROM inherit_todo LIMIT 1").fetchone() is None:
        return False
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    todo = connection.execute(_TODO, {"most": _AT_ONCE}).fetchone()
    noted, matters = todo or (0, False)
    if matters:
        _walk(connection)
    return bool(noted == _AT_ONCE)


def _walk(connection: Connection[Any]) -> None:
    """Walk all inheritance, level by level, so that each column has its nearest; write what differs."""
    connection.execute("DELETE FROM inherit_todo")  # what is noted by now is in the walk
    connection.execute(_BEGIN)
    connection.execute(_CARRIERS)
    for step in range(1, _DEEPEST + 1):
        connection.execute(b"ANALYZE walked")
        if not connection.execute(_STEP, {"step": step}).rowcount:
            break
    for statement in _DIFFERENCE:
        connection.execute(statement)


# The columns that have a tag themselves, by whoever gave it.
_OWN = """
(SELECT c.node_id, c.name AS column_name, t.tag FROM column_fact AS c, unnest(c.tags) AS t (tag) WHERE c.until IS NULL
 UNION ALL SELECT h.node_id, h.column_name, h.key FROM by_hand AS h WHERE h.what = 'tag' AND h.column_name <> '')"""
_VALUES = "c.until IS NULL AND e.until IS NULL AND c.kind IN ('copied', 'transformed') AND c.target_column <> ''"

_TODO_OF_TAGS = f"""
INSERT INTO inherit_todo (node_id, column_name)
SELECT node_id, column_name FROM {_OWN} AS own WHERE tag = ANY(%(tags)s)
UNION ALL SELECT node_id, column_name FROM inherited WHERE tag = ANY(%(tags)s)
""".encode()  # noqa: S608 - our own words only

# A change matters when the column, or one that it is made of, has a tag that is inherited, or when it inherits one, or
# one that is made of it does. One that has no such tag any more is known by those that inherited it.
_TODO = b"""
WITH done AS (
  DELETE FROM inherit_todo WHERE id IN (SELECT id FROM inherit_todo ORDER BY id LIMIT %(most)s)
  RETURNING node_id, column_name
), changed AS (
  SELECT DISTINCT node_id, column_name FROM done
), near AS (
  SELECT node_id, column_name FROM changed
  UNION SELECT e.source_id, c.source_column FROM changed AS d JOIN edge AS e ON e.target_id = d.node_id
    AND e.until IS NULL JOIN column_edge AS c ON c.edge_id = e.id AND c.target_column = d.column_name
    AND c.until IS NULL
)
SELECT (SELECT count(*) FROM done), EXISTS (
  SELECT 1 FROM near AS n JOIN inherited AS i USING (node_id, column_name)
) OR EXISTS (
  SELECT 1 FROM changed AS d JOIN inherited AS i ON i.from_id = d.node_id AND i.from_column = d.column_name
) OR EXISTS (
  SELECT 1 FROM near AS n JOIN column_fact AS c ON c.node_id = n.node_id AND c.name = n.column_name
    AND c.until IS NULL AND c.tags && ARRAY(SELECT tag FROM inherited_tag)
) OR EXISTS (
  SELECT 1 FROM near AS n JOIN by_hand AS h ON h.node_id = n.node_id AND h.column_name = n.column_name
    AND h.what = 'tag' AND h.key IN (SELECT tag FROM inherited_tag)
)
"""

_BEGIN = b"""
CREATE TEMPORARY TABLE walked (
  node_id bigint, column_name text, tag text, from_id bigint, from_column text, step int,
  PRIMARY KEY (node_id, column_name, tag)
) ON COMMIT DROP
"""

_CARRIERS = f"""
INSERT INTO walked SELECT node_id, column_name, tag, node_id, column_name, 0 FROM {_OWN} AS own
WHERE tag IN (SELECT tag FROM inherited_tag) ON CONFLICT DO NOTHING
""".encode()  # noqa: S608 - our own words only

_STEP = f"""
INSERT INTO walked SELECT DISTINCT ON (e.target_id, c.target_column, w.tag)
  e.target_id, c.target_column, w.tag, w.from_id, w.from_column, %(step)s
FROM walked AS w JOIN edge AS e ON e.source_id = w.node_id
JOIN column_edge AS c ON c.edge_id = e.id AND c.source_column = w.column_name
WHERE w.step = %(step)s - 1 AND {_VALUES}
ORDER BY e.target_id, c.target_column, w.tag, w.from_id, w.from_column
ON CONFLICT DO NOTHING
""".encode()  # noqa: S608 - our own words only

_DIFFERENCE = (
    b"""DELETE FROM inherited AS i WHERE NOT EXISTS (
          SELECT 1 FROM walked AS w WHERE w.node_id = i.node_id AND w.column_name = i.column_name AND w.tag = i.tag
            AND w.step > 0)""",
    b"""INSERT INTO inherited SELECT node_id, column_name, tag, from_id, from_column FROM walked WHERE step > 0
        ON CONFLICT (node_id, column_name, tag) DO UPDATE SET from_id = excluded.from_id,
          from_column = excluded.from_column
        WHERE (inherited.from_id, inherited.from_column) IS DISTINCT FROM (excluded.from_id, excluded.from_column)""",
    b"DROP TABLE walked",
)
