"""One run: what ran, how it ended, what it read and wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_catalog.store._told import told_of

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["HEADWATERS", "adopt", "run_of"]

_MOST = 500

# Whether run r is a write of the write path; the box's engines, which work for it, send to the same namespace.
HEADWATERS = "(r.job_namespace = 'headwater' AND split_part(r.engine, ' ', 1) = 'headwater')"


def adopt(connection: Connection[Any], run: str) -> None:
    """Make engines' runs that fill a stage belong to the write that has the stage, whichever of them is told first.

    A stage's token begins like the Dagster run that the write is part of.

    Args:
        connection: In a transaction.
        run: Either of the two.
    """
    connection.execute(_ADOPT, {"run": run})


def run_of(connection: Connection[Any], run: str) -> dict[str, Any] | None:
    """Return all that is known of a run, or None when nobody told of it."""
    found = _rows(connection, _RUN, {"run": run})
    if not found:
        return None
    parts = _rows(connection, _PARTS, {"run": run, "most": _MOST})
    return {
        **found[0],
        "inputs": [one for one in parts if one["direction"] == "in"] or _told_reads(connection, run),
        "outputs": [one for one in parts if one["direction"] == "out"],
        "children": _rows(connection, _CHILDREN, {"run": run, "most": _MOST}),
    }


def _told_reads(connection: Connection[Any], run: str) -> list[dict[str, Any]]:
    """Return what the write path says that it read: the engines that read for it are runs of their own."""
    reads = sorted(told_of(connection, run).reads or (), key=lambda one: str(one["table"]))
    return [
        {"table": str(one["table"]), "direction": "in", "snapshot": str(one["snapshot"]), "rows": None, "bytes": None}
        for one in reads[:_MOST]
    ]


def _rows(connection: Connection[Any], statement: bytes, values: dict[str, Any]) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, values)
    names = [one.name for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


_RUN = f"""
SELECT r.id AS run, r.state, r.job_namespace, r.job_name AS job, r.engine, r.parent, r.partition, r.sql, r.error,
  r.began_at, r.ended_at, r.ended_at - r.began_at AS took, p.id IS NOT NULL AS parent_known,
  {HEADWATERS} AND r.parent <> '' AS of_dagster
FROM run AS r LEFT JOIN run AS p ON p.id = r.parent WHERE r.id = %(run)s
""".encode()  # noqa: S608 - our own words only

_PARTS = b"""
SELECT n.name AS table, p.direction, p.snapshot, p.rows, p.bytes FROM partaking AS p JOIN node AS n ON n.id = p.node_id
WHERE p.run_id = %(run)s ORDER BY p.direction, n.name LIMIT %(most)s
"""

_STAGE = "substring(r.job_name || ' ' || r.sql FROM '__stage_([a-z0-9]{8})')"

_ADOPT = f"""
UPDATE run AS child SET parent = found.parent FROM (
  SELECT DISTINCT ON (r.id) r.id, w.id AS parent FROM run AS r
  JOIN partaking AS p ON p.run_id = r.id AND p.direction = 'out'
  JOIN partaking AS q ON q.node_id = p.node_id AND q.direction = 'out' AND q.run_id <> r.id
  JOIN (SELECT * FROM run AS r WHERE {HEADWATERS}) AS w ON w.id = q.run_id
  WHERE (r.id = %(run)s OR r.id IN (
      SELECT o.run_id FROM partaking AS o JOIN partaking AS m USING (node_id, direction)
      WHERE m.run_id = %(run)s AND m.direction = 'out'))
    AND {_STAGE} IS NOT NULL AND NOT {HEADWATERS}
    AND w.began_at <= r.began_at AND (w.ended_at IS NULL OR w.ended_at >= r.began_at)
    AND (w.parent = '' OR left(replace(w.parent, '-', ''), 8) = {_STAGE})
  ORDER BY r.id, w.began_at DESC, w.id
) AS found WHERE child.id = found.id AND child.parent <> found.parent
""".encode()  # noqa: S608 - our own words only

_CHILDREN = b"""
SELECT id AS run, state, job_name AS job, engine, began_at, ended_at FROM run WHERE parent = %(run)s AND parent <> ''
ORDER BY began_at, id LIMIT %(most)s
"""
