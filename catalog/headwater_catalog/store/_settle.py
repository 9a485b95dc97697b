"""What counts of a table where code and people speak of it: code's word, and by hand what code leaves empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

__all__ = ["settle"]


def settle(connection: Connection[Any], nodes: Iterable[int]) -> None:
    """Bring what tables show, and what search finds them by, to what code and people say of them."""
    ids = {"ids": list(nodes)}
    for statement in (_SHOWN, _FORGET, _WORDS):
        connection.execute(statement, ids)


def _counts(what: str) -> str:
    """Return SQL for what counts of one fact; the word of a definition that is gone gives way to people's."""
    return f"""{what} = CASE WHEN n.defined AND n.code_{what} <> '' THEN n.code_{what} ELSE coalesce((
        SELECT h.value FROM by_hand AS h WHERE h.node_id = n.id AND h.column_name = '' AND h.what = '{what}'),
        n.code_{what}) END"""  # noqa: S608 - our own words only


_SHOWN = f"""
UPDATE node AS n SET {", ".join(_counts(what) for what in ("doc", "owner", "domain"))},
  tags = n.code_tags || ARRAY(SELECT h.key FROM by_hand AS h WHERE h.node_id = n.id AND h.column_name = ''
    AND h.what = 'tag' AND h.key <> ALL (n.code_tags) ORDER BY h.key)
WHERE n.id = ANY(%(ids)s)
""".encode()  # noqa: S608 - our own words only

_FORGET = b"DELETE FROM word WHERE node_id = ANY(%(ids)s) AND what NOT IN ('name', 'column')"

# An index holds 2700 bytes of a text; what does not fit is cut.
_WORDS = b"""
INSERT INTO word
SELECT DISTINCT id, what,
  CASE WHEN octet_length(left(text, 2000)) <= 2400 THEN left(text, 2000) ELSE left(text, 600) END
FROM (
  SELECT n.id, said.what, said.text FROM node AS n, LATERAL (VALUES ('title', n.title), ('doc', n.doc),
    ('owner', n.owner), ('domain', n.domain)) AS said (what, text) WHERE n.id = ANY(%(ids)s)
  UNION ALL SELECT n.id, 'tag', unnest(n.tags) FROM node AS n WHERE n.id = ANY(%(ids)s)
  UNION ALL SELECT c.node_id, 'tag', unnest(c.tags) FROM column_fact AS c
    WHERE c.node_id = ANY(%(ids)s) AND c.until IS NULL
  UNION ALL SELECT h.node_id, h.what, h.key FROM by_hand AS h
    WHERE h.node_id = ANY(%(ids)s) AND h.what IN ('tag', 'synonym')
  UNION ALL SELECT c.node_id, 'column doc', c.doc FROM column_fact AS c
    WHERE c.node_id = ANY(%(ids)s) AND c.until IS NULL
  UNION ALL SELECT h.node_id, 'column doc', h.value FROM by_hand AS h
    WHERE h.node_id = ANY(%(ids)s) AND h.what = 'doc' AND h.column_name <> ''
  UNION ALL SELECT h.node_id, 'term', t.title FROM by_hand AS h
    JOIN node AS t ON t.id = CASE WHEN h.what = 'term' THEN h.key::bigint END
    WHERE h.node_id = ANY(%(ids)s) AND h.what = 'term'
) AS said WHERE text <> '' ON CONFLICT DO NOTHING
"""
