"""The glossary's terms, and what people did to the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_catalog.store._found import NotFound
from headwater_catalog.store._said import said_in_words

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["edits", "glossary", "logins", "term_of"]


def glossary(connection: Connection[Any], limit: int) -> dict[str, Any]:
    """Return the terms by name, with how many tables and columns carry each."""
    found = _rows(connection, _TERMS, {"limit": limit + 1})
    return {"terms": found[:limit], "cut": len(found) > limit}


def term_of(connection: Connection[Any], name: str, limit: int) -> dict[str, Any]:
    """Return a term with all that carries it, at most so many.

    Raises:
        NotFound: There is none of that name, in upper or lower case.
    """
    title = name.removeprefix("term:").strip()
    found = _rows(connection, _TERM, {"title": title})
    if not found:
        raise NotFound(f"The glossary has no term {title!r}; /glossary lists all.")
    node = found[0].pop("id")
    said = _rows(connection, _SAID, {"node": node})
    carriers = _rows(connection, _CARRIERS, {"key": str(node), "limit": limit + 1})
    return {
        **found[0],
        "said": {one["what"]: {"from": "hand", "who": one["who"], "at": one["at"]} for one in said if not one["key"]},
        "synonyms": [one["key"] for one in said if one["what"] == "synonym"],
        "tags": [one["key"] for one in said if one["what"] == "tag"],
        "carriers": carriers[:limit],
        "cut": len(carriers) > limit,
        "edits": edits(connection, node, 50),
    }


def edits(connection: Connection[Any], node: int | None, limit: int) -> list[dict[str, Any]]:
    """Return what people changed, the newest first: of one table or term, or of all."""
    found = _rows(connection, _EDITS if node is not None else _ALL_EDITS, {"node": node, "limit": limit})
    return [{**one, "said": said_in_words(one)} for one in found]


def logins(connection: Connection[Any]) -> list[dict[str, Any]]:
    """Return who has a login of their own."""
    return _rows(connection, b"SELECT name, made_at, made_by FROM login ORDER BY name", {})


def _rows(connection: Connection[Any], statement: bytes, values: dict[str, Any]) -> list[dict[str, Any]]:
    cursor = connection.execute(statement, values)
    names = [one.name for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


_TERMS = b"""
SELECT n.title AS term, n.doc AS definition, n.owner,
  ARRAY(SELECT key FROM by_hand WHERE node_id = n.id AND what = 'synonym' ORDER BY key) AS synonyms,
  (SELECT count(*) FROM by_hand WHERE what = 'term' AND key = n.id::text AND column_name = '') AS tables,
  (SELECT count(*) FROM by_hand WHERE what = 'term' AND key = n.id::text AND column_name <> '') AS columns
FROM node AS n WHERE n.kind = 'term' ORDER BY lower(n.title) LIMIT %(limit)s
"""
_TERM = b"""
SELECT id, title AS term, doc AS definition, owner FROM node WHERE kind = 'term' AND lower(title) = lower(%(title)s)
"""
_SAID = b"SELECT what, key, who, at FROM by_hand WHERE node_id = %(node)s ORDER BY what, key"
_CARRIERS = b"""
SELECT n.name AS table, n.kind, n.title, h.column_name AS column, n.owner, h.who, h.at
FROM by_hand AS h JOIN node AS n ON n.id = h.node_id WHERE h.what = 'term' AND h.key = %(key)s
ORDER BY n.name, h.column_name LIMIT %(limit)s
"""
_ALL_EDITS = b"""
SELECT at, who, subject AS table, column_name AS column, what, before, after FROM audit ORDER BY id DESC LIMIT %(limit)s
"""
_EDITS = b"""
SELECT at, who, subject AS table, column_name AS column, what, before, after FROM audit WHERE node_id = %(node)s
ORDER BY id DESC LIMIT %(limit)s
"""
