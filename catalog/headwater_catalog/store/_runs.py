"""One run: what ran, how it ended, what it read and wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["run_of"]

_MOST = 500


def run_of(connection: Connection[Any], run: str) -> dict[str, Any] | None:
    """Return all that is known of a run, or None when nobody told of it."""
    found = _rows(connection, _RUN, {"run": run})
    if not found:
        return None
    parts = _rows(connection, _PARTS, {"run": run, "most": _MOST})
    return {
        **found[0],
        "inputs": [one for one in parts if one["direction"] == "in"],
        "outputs": [one for one in parts if one["direction"] == "out"],
        "children": _rows(connection, _CHILDREN, {"run": run, "most": _MOST}),
    }


def _rows(connection: Connection[Any], statement: bytes, values: dict[str, Any]) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, values)
    names = [one.name for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


_RUN = b"""
SELECT r.id AS run, r.state, r.job_namespace, r.job_name AS job, r.engine, r.parent, r.partition, r.sql, r.error,
  r.began_at, r.ended_at, r.ended_at - r.began_at AS took, p.id IS NOT NULL AS parent_known
FROM run AS r LEFT JOIN run AS p ON p.id = r.parent WHERE r.id = %(run)s
"""

_PARTS = b"""
SELECT n.name AS table, p.direction, p.snapshot, p.rows, p.bytes FROM partaking AS p JOIN node AS n ON n.id = p.node_id
WHERE p.run_id = %(run)s ORDER BY p.direction, n.name LIMIT %(most)s
"""

_CHILDREN = b"""
SELECT id AS run, state, job_name AS job, engine, began_at, ended_at FROM run WHERE parent = %(run)s AND parent <> ''
ORDER BY began_at, id LIMIT %(most)s
"""
