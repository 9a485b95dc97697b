"""What is known of a table besides lineage: checks over time, size and shape, profile, readers, changes of columns."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from headwater_catalog.schema_history import schema_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import Connection

__all__ = ["about", "checks_of", "hidden_columns", "past"]

# Results of a check that are shown beside its latest.
_MARKS = 20
# Results that are looked at: a check that is in none of them has not been asked for long.
_MOST_RESULTS = 2000
_MOST_PARTITIONS = 500
_MOST_SNAPSHOTS = 20
_MOST_READERS = 20


def about(connection: Connection[Any], node: int) -> dict[str, Any]:
    """Return what a table's page shows besides lineage; what nobody told is empty or missing."""
    return {
        "size": _size(connection, node),
        "partitions": _rows(connection, _PARTITIONS, node=node, most=_MOST_PARTITIONS),
        "snapshots": _rows(connection, _SNAPSHOTS, node=node, most=_MOST_SNAPSHOTS),
        "checks": checks_of(connection, node),
        "profile": _profile(connection, node),
        "readers": _rows(connection, _READERS, node=node, most=_MOST_READERS),
        "reads": _rows(connection, _READS, node=node)[0],
    }


def past(connection: Connection[Any], node: int, limit: int) -> dict[str, Any]:
    """Return what was told over time: results of checks, how large the table was, and changes of its columns."""
    facts = _rows(connection, _COLUMNS, node=node)
    return {
        "checks": _rows(connection, _RESULTS, node=node, most=limit),
        "sizes": _rows(connection, _SIZES, node=node, most=limit),
        "schema": schema_changes(facts)[:limit],
    }


def _profile(connection: Connection[Any], node: int) -> dict[str, Any] | None:
    """Return what columns hold; of those that are known as personal data by now, how many values there are."""
    found = _rows(connection, "SELECT rows, partitions, columns FROM profile WHERE node_id = %(node)s", node=node)
    if not found:
        return None
    hidden = hidden_columns(connection, node)
    columns = {name: _without_values(one) if name in hidden else one for name, one in found[0]["columns"].items()}
    return {**found[0], "columns": columns}


def _without_values(column: dict[str, Any]) -> dict[str, Any]:
    return {name: said for name, said in column.items() if name not in ("min", "max", "histogram", "top")}


def _size(connection: Connection[Any], node: int) -> dict[str, Any] | None:
    """Return how large a table is: by its newest version, or by its partitions where there are no versions."""
    found = _rows(connection, _SIZE, node=node)
    return found[0] if found and any(found[0][name] is not None for name in ("rows", "bytes", "files")) else None


def checks_of(connection: Connection[Any], node: int) -> list[dict[str, Any]]:
    """Return each check with its latest state and its last results, the newest first; broken ones come first.

    A partition counts as broken while its own latest result says so, whatever others say since.
    """
    results = _rows(connection, _RESULTS, node=node, most=_MOST_RESULTS)
    newest = results[0]["at"] if results else None
    ordered = sorted(results, key=_which)  # stable: the newest of each stays first
    found = [_check(list(some), newest) for _, some in groupby(ordered, key=_which)]
    return sorted(found, key=lambda one: (not one["current"], one["passed"], one["name"]))


def _which(result: dict[str, Any]) -> tuple[str, list[str]]:
    return result["name"], result["columns"]


def _check(results: Sequence[dict[str, Any]], newest: object) -> dict[str, Any]:
    last = results[0]
    state: dict[str, bool] = {}
    for one in results:
        for key in one["partition"].split(", "):
            state.setdefault(key, one["passed"])
    failing = sorted(key for key, passed in state.items() if not passed)
    return {
        **{name: last[name] for name in ("name", "columns", "promise", "blocking", "broken", "total", "at", "run")},
        "passed": not failing,
        "failing": [key for key in failing if key],
        "current": last["at"] == newest,
        "history": [
            {name: one[name] for name in ("at", "run", "passed", "broken", "partition")} for one in results[:_MARKS]
        ],
    }


def hidden_columns(connection: Connection[Any], node: int) -> list[str]:
    """Return the columns of a table that hold personal data: tagged so, or one step from such a column.

    Code or people may have tagged it, or it inherits the tag. Raw tables have their columns' tags one step further on,
    so what a tagged column is made of counts as well.
    """
    return [row["name"] for row in _rows(connection, _HIDDEN, node=node)]


def _rows(connection: Connection[Any], statement: str, **values: object) -> list[dict[str, Any]]:
    cursor = connection.execute(statement.encode(), values)
    names = [one.name for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


_RESULTS = """
SELECT name, columns, promise, passed, blocking, broken, total, partition, at, run_id AS run FROM check_result
WHERE node_id = %(node)s ORDER BY at DESC, run_id, name LIMIT %(most)s
"""

# A run that told no size may have changed the table since: then it is said that the size is from before.
_SIZE = """
WITH last AS (
  SELECT at, run_id, rows, bytes, files, snapshot FROM version
  WHERE node_id = %(node)s AND coalesce(rows, bytes, files) IS NOT NULL ORDER BY at DESC LIMIT 1
), known AS (
  SELECT * FROM last
  UNION ALL
  SELECT max(at), (array_agg(run_id ORDER BY at DESC))[1],
    CASE WHEN count(rows) = count(*) THEN sum(rows)::bigint END, sum(bytes)::bigint, sum(files)::bigint, ''
  FROM part WHERE node_id = %(node)s AND NOT EXISTS (SELECT 1 FROM last) HAVING count(*) > 0
)
SELECT k.rows, k.bytes, k.files, k.snapshot, k.at, k.run_id AS run, (
    SELECT count(*) FROM part WHERE node_id = %(node)s AND key <> '') AS partitions, (
    SELECT max(p.at) FROM partaking AS p JOIN run AS r ON r.id = p.run_id
    WHERE p.node_id = %(node)s AND p.direction = 'out' AND p.at > k.at AND r.state = 'COMPLETE'
      AND r.job_namespace <> 'headwater') AS written_since
FROM known AS k
"""

_PARTITIONS = """
SELECT key, at, rows, bytes, files, run_id AS run FROM part WHERE node_id = %(node)s AND key <> ''
ORDER BY key DESC LIMIT %(most)s
"""

_SNAPSHOTS = """
SELECT snapshot, at, operation, rows, bytes, files, run_id AS run, gone_at FROM version
WHERE node_id = %(node)s AND snapshot <> '' ORDER BY at DESC, run_id LIMIT %(most)s
"""

_SIZES = """
SELECT at, run_id AS run, snapshot, operation, rows, bytes, files, gone_at FROM version WHERE node_id = %(node)s
ORDER BY at DESC, run_id LIMIT %(most)s
"""

_COLUMNS = "SELECT name, type, origin, since, until FROM column_fact WHERE node_id = %(node)s"

_HIDDEN = """
WITH near AS (
  SELECT %(node)s::bigint AS id
  UNION SELECT target_id FROM edge WHERE source_id = %(node)s AND until IS NULL
  UNION SELECT source_id FROM edge WHERE target_id = %(node)s AND until IS NULL
), told AS (
  SELECT node_id, name FROM column_fact
  WHERE until IS NULL AND 'pii' = ANY(tags) AND node_id IN (SELECT id FROM near)
  UNION SELECT node_id, column_name FROM by_hand
  WHERE what = 'tag' AND key = 'pii' AND column_name <> '' AND node_id IN (SELECT id FROM near)
  UNION SELECT node_id, column_name FROM inherited WHERE tag = 'pii' AND node_id IN (SELECT id FROM near)
)
SELECT DISTINCT c.name FROM column_fact AS c WHERE c.node_id = %(node)s AND c.until IS NULL AND (
  c.name IN (SELECT name FROM told)
  OR EXISTS (SELECT 1 FROM edge AS e JOIN column_edge AS s ON s.edge_id = e.id AND s.until IS NULL
    JOIN told AS t ON t.node_id = e.target_id AND t.name = s.target_column
    WHERE e.source_id = %(node)s AND e.until IS NULL AND s.source_column = c.name)
  OR EXISTS (SELECT 1 FROM edge AS e JOIN column_edge AS s ON s.edge_id = e.id AND s.until IS NULL
    JOIN told AS t ON t.node_id = e.source_id AND t.name = s.source_column
    WHERE e.target_id = %(node)s AND e.until IS NULL AND s.target_column = c.name))
ORDER BY c.name
"""

_READERS = """
SELECT reader, source, count(*) FILTER (WHERE at > now() - interval '7 days') AS last_7_days, count(*) AS last_30_days,
  max(at) AS last_at
FROM reading WHERE node_id = %(node)s AND at > now() - interval '30 days'
GROUP BY reader, source ORDER BY max(at) DESC, reader LIMIT %(most)s
"""

_READS = """
SELECT count(*) FILTER (WHERE at > now() - interval '7 days') AS last_7_days, count(*) AS last_30_days,
  (SELECT max(at) FROM reading WHERE node_id = %(node)s) AS last_at
FROM reading WHERE node_id = %(node)s AND at > now() - interval '30 days'
"""
