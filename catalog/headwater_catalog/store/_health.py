"""What is stale, failing, unowned or otherwise wanting, over all tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["FRESH_BY", "WANTS", "health"]

# What a table may want, in the order in which it matters, and how the database tells.
WANTS = {
    "failing": "state IN ('FAIL', 'ABORT')",
    "breaking a check": "broken",
    "stale": ("extract(epoch FROM now() - written_at) / 3600 > fresh_within_hours OR newer_upstream IS NOT NULL"),
    "unowned": "owner = ''",
    "undocumented": "doc = ''",
    "undefined": "NOT defined",
    "unwritten": "written_at IS NULL",
    "lineage incomplete": "problem <> ''",
}


def health(connection: Connection[Any], want: str, limit: int) -> dict[str, Any]:
    """Return how many tables want what, and the tables that want something, or one thing.

    Args:
        connection: In a transaction, so that counts and tables are of one moment.
        want: One of ``WANTS``; empty for any.
        limit: How many tables at most.
    """
    cursor = connection.execute(_HEALTH, {"want": want, "limit": limit + 1})
    names = [one.name for one in cursor.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in cursor]
    counts = [{name: row.pop(name) for name in ("tables", *WANTS)} for row in rows]
    tables = [row for row in rows if row["name"] is not None]
    return {
        "tables": counts[0].pop("tables"),
        "wants": counts[0],
        "results": tables[:limit],
        "cut": len(tables) > limit,
    }


# When a table n was written, and what it is made of that was written since.
FRESH_BY = """  LEFT JOIN LATERAL (
    SELECT p.at FROM partaking AS p JOIN run AS r ON r.id = p.run_id
    WHERE p.node_id = n.id AND p.direction = 'out' AND r.state IN ('COMPLETE', 'RUNNING') ORDER BY p.at DESC LIMIT 1
  ) AS written ON true
  LEFT JOIN LATERAL (
    SELECT s.name FROM edge AS e JOIN node AS s ON s.id = e.source_id
    WHERE e.target_id = n.id AND e.source_id <> n.id AND e.until IS NULL AND EXISTS (
      SELECT 1 FROM partaking AS p JOIN run AS r ON r.id = p.run_id
      WHERE p.node_id = e.source_id AND p.direction = 'out' AND p.at > written.at
        AND r.state IN ('COMPLETE', 'RUNNING'))
    ORDER BY s.name LIMIT 1
  ) AS newer ON true"""

# Dropped tables want nothing; folders of files, charts and dashboards are written by nobody. Each part is looked up by
# node: joining all writes with all edges would depend on the planner's statistics, which a young catalog has none of.
_STATE = f"""
WITH state AS (
  SELECT n.name, n.owner, n.doc, n.problem, n.defined, n.fresh_within_hours, written.at AS written_at, last.state,
    last.id AS run, newer.name AS newer_upstream, checked.broken
  FROM node AS n
{FRESH_BY}
  LEFT JOIN LATERAL (
    SELECT r.id, r.state FROM partaking AS p JOIN run AS r ON r.id = p.run_id
    WHERE p.node_id = n.id AND p.direction = 'out' AND r.state <> 'OTHER' ORDER BY p.at DESC, r.id LIMIT 1
  ) AS last ON true
  LEFT JOIN LATERAL (
    SELECT bool_or(NOT c.passed) AS broken FROM check_result AS c WHERE c.node_id = n.id AND c.run_id = (
      SELECT run_id FROM check_result WHERE node_id = n.id ORDER BY at DESC, run_id LIMIT 1)
  ) AS checked ON true
  WHERE n.dropped_at IS NULL AND n.kind = 'table'
)"""  # noqa: S608 - our own words only


def _counted(want: str) -> str:
    return f"""count(*) FILTER (WHERE '{want}' = ANY(wants)) AS "{want}\""""


# All tables are judged once, for their numbers and for those that are shown.
_HEALTH = f"""{_STATE}, judged AS MATERIALIZED (
  SELECT *, array_remove(ARRAY[{", ".join(f"CASE WHEN {how} THEN '{name}' END" for name, how in WANTS.items())}], NULL)
    AS wants FROM state
), counted AS (
  SELECT count(*) AS tables, {", ".join(_counted(name) for name in WANTS)}
  FROM judged
), shown AS (
  SELECT name, owner, written_at, state, run, fresh_within_hours, newer_upstream, problem, wants FROM judged
  WHERE CASE WHEN %(want)s = '' THEN wants <> '{{}}' ELSE %(want)s = ANY(wants) END
  ORDER BY array_position(ARRAY[{", ".join(f"'{name}'" for name in WANTS)}], wants[1]), name LIMIT %(limit)s
)
SELECT * FROM counted LEFT JOIN shown ON true
ORDER BY array_position(ARRAY[{", ".join(f"'{name}'" for name in WANTS)}], wants[1]), name
""".encode()  # noqa: S608 - our own words only
