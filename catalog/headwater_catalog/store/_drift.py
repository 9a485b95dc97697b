"""Where a definition disagrees with what engines were seen to do, and with what the metastore has."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import ColumnFacts
from headwater_catalog.there import differences, write_command

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["drift_of", "there_of"]

_MOST = 200


def drift_of(connection: Connection[Any], node: int) -> dict[str, Any]:
    """Return what only the definition says of a table's lineage, and what only runs since that definition show.

    A table without a definition, or without a run since, has nothing to compare: ``compared`` is then false. A column
    is compared where both sides know columns; how it is changed is not, because not every engine tells.
    """
    rows = connection.execute(_TABLES, {"node": node, "most": _MOST}).fetchall()
    columns = connection.execute(_COLUMNS, {"node": node, "most": _MOST}).fetchall()
    declared, observed = any(row[2] for row in rows), any(row[3] is not None for row in rows)
    compared = declared and observed
    return {
        "compared": compared,
        "only_declared": [row[0] for row in rows if compared and row[2] and row[3] is None and row[1] != "files"],
        "only_observed": [{"table": row[0], "seen": row[3]} for row in rows if compared and not row[2]],
        "columns": [
            {"source": row[0], "source_column": row[1], "target_column": row[2], "origin": row[3]} for row in columns
        ],
    }


def there_of(connection: Connection[Any], node: int) -> dict[str, Any]:
    """Return where a definition's columns and the metastore's disagree, with what would settle it.

    ``compared`` is false of a table without a definition, and of one that the metastore does not have: ``command``
    then makes it.
    """
    name, place, defined, dropped, there = connection.execute(_THERE, {"node": node}).fetchone() or ("", "", 0, 0, None)
    if not defined or dropped or there is None:
        return {"compared": False, "command": write_command(name) if defined else "", "columns": []}
    columns = connection.execute(_DECLARED, {"node": node}).fetchall()
    found = differences(name, place, (ColumnFacts(*one) for one in columns), (ColumnFacts(*one) for one in there))
    return {"compared": True, "command": "", "columns": [asdict(one) for one in found]}


_THERE = b"""
SELECT name, place, defined AND kind = 'table', dropped_at IS NOT NULL, there FROM node WHERE id = %(node)s
"""
_DECLARED = b"""
SELECT name, type, doc FROM column_fact WHERE node_id = %(node)s AND until IS NULL AND origin = 'declared'
ORDER BY position
"""

# Since when a table's declaration is what it is now: edges that were added and those that were taken back count.
_DECLARED_AT = """
declared_at AS (
  SELECT greatest(max(since), max(until)) AS at FROM edge
  WHERE target_id = %(node)s AND origin IN ('declared', 'parsed')
)"""

_TABLES = f"""
WITH {_DECLARED_AT}
SELECT n.name, n.kind, bool_or(e.origin <> 'observed'), max(e.seen) FILTER (WHERE e.origin = 'observed')
FROM edge AS e JOIN node AS n ON n.id = e.source_id, declared_at AS d
WHERE e.target_id = %(node)s AND e.source_id <> %(node)s AND e.until IS NULL
  AND (e.origin <> 'observed' OR e.seen >= d.at)
GROUP BY n.name, n.kind ORDER BY n.name LIMIT %(most)s
""".encode()  # noqa: S608 - our own words only

_COLUMNS = f"""
WITH {_DECLARED_AT}, said AS (
  SELECT e.source_id, c.source_column, c.target_column, e.origin
  FROM edge AS e JOIN column_edge AS c ON c.edge_id = e.id AND c.until IS NULL, declared_at AS d
  WHERE e.target_id = %(node)s AND e.until IS NULL AND c.target_column <> ''
    AND (e.origin = 'parsed' OR (e.origin = 'observed' AND c.seen >= d.at))
), both_know AS (
  SELECT source_id FROM said GROUP BY source_id HAVING count(DISTINCT origin) = 2
)
SELECT n.name, s.source_column, s.target_column, min(s.origin)
FROM said AS s JOIN both_know USING (source_id) JOIN node AS n ON n.id = s.source_id
GROUP BY n.name, s.source_column, s.target_column HAVING count(DISTINCT s.origin) = 1
ORDER BY n.name, s.target_column, s.source_column LIMIT %(most)s
""".encode()  # noqa: S608 - our own words only
