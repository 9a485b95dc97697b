"""Search: by trigrams over names, columns, docs, owners and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

__all__ = ["choices", "search"]

# How alike a word must be; a name with one letter wrong or two swapped still is.
_ALIKE = 0.4
# A word that very many tables share is not ranked to the last one.
_CANDIDATES = 5000
_WEIGHTS = {"name": 1.0, "title": 0.9, "column": 0.8, "tag": 0.8, "owner": 0.7, "domain": 0.7}


def search(connection: Connection[Any], text: str, narrowed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables that are like a text, the best first, and why; every table for an empty text.

    Args:
        connection: In a transaction.
        text: What somebody typed.
        narrowed: ``zone``, ``owner``, ``tag`` (empty for any) and ``limit``.
    """
    asked = text.strip()
    connection.execute("SELECT set_config('pg_trgm.word_similarity_threshold', %s, true)", (str(_ALIKE),))
    words = {"names": list(_WEIGHTS), "weights": list(_WEIGHTS.values()), "candidates": _CANDIDATES}
    cursor = connection.execute(
        _SEARCH if asked else _EVERY, {**narrowed, **words, "text": asked, "like": f"%{_literal(asked)}%"}
    )
    names = [one.name for one in cursor.description or ()]
    return {"query": text, "results": [dict(zip(names, row, strict=True)) for row in cursor]}


def choices(connection: Connection[Any]) -> dict[str, Any]:
    """Return what search can be narrowed to, with how many tables each has."""
    return {
        what: [{"name": name, "tables": count} for name, count in connection.execute(statement)]
        for what, statement in _CHOICES.items()
    }


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# A tag of one of its columns is a table's too.
_NARROWED = """WHERE (%(zone)s = '' OR n.name LIKE %(zone)s || '.%%') AND (%(owner)s = '' OR n.owner = %(owner)s)
  AND (%(tag)s = '' OR %(tag)s = ANY(n.tags) OR EXISTS (
    SELECT 1 FROM column_fact AS c WHERE c.node_id = n.id AND c.until IS NULL AND %(tag)s = ANY(c.tags)))"""

_SEARCH = f"""
WITH hit AS (
  (SELECT node_id, what, text, word_similarity(%(text)s, text) AS alike FROM word
   WHERE text %%> %(text)s LIMIT %(candidates)s)
  UNION ALL
  (SELECT node_id, what, text, 1 FROM word WHERE text ILIKE %(like)s LIMIT %(candidates)s)
), best AS (
  SELECT DISTINCT ON (node_id) node_id, what, text,
    alike * coalesce(w.weight, 0.6) + similarity(text, %(text)s) * 0.1 AS score
  FROM hit LEFT JOIN unnest(%(names)s::text[], %(weights)s::float[]) AS w (name, weight) ON w.name = hit.what
  ORDER BY node_id, score DESC, text
)
SELECT n.name, n.kind, n.title, n.doc, n.owner, n.tags, round(b.score::numeric, 3)::float AS score, b.text AS matched,
  b.what AS "in"
FROM best AS b JOIN node AS n ON n.id = b.node_id
{_NARROWED}
ORDER BY n.dropped_at IS NOT NULL, score DESC, n.name LIMIT %(limit)s
""".encode()  # noqa: S608 - our own words only

_EVERY = f"""
SELECT n.name, n.kind, n.title, n.doc, n.owner, n.tags, 0 AS score, '' AS matched, '' AS "in" FROM node AS n
{_NARROWED}
ORDER BY n.dropped_at IS NOT NULL, n.kind <> 'table', n.name LIMIT %(limit)s
""".encode()  # noqa: S608 - our own words only

_CHOICES = {
    "zones": b"""SELECT split_part(name, '.', 1), count(*) FROM node
      WHERE kind = 'table' AND name ~ '^[a-z_]+[.]' AND dropped_at IS NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20""",
    "owners": b"""SELECT owner, count(*) FROM node WHERE owner <> '' AND dropped_at IS NULL
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200""",
    "tags": b"""SELECT tag, count(DISTINCT id) FROM (
        SELECT id, unnest(tags) AS tag FROM node WHERE dropped_at IS NULL
        UNION ALL SELECT node_id, unnest(tags) FROM column_fact WHERE until IS NULL) AS said
      GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200""",
}
