"""Search: an index of words over names, columns, docs, owners and tags, and trigrams for words that are misspelt.

Tables are looked for in rounds, each wider than the one before, until there are enough: those whose name begins with
the text, those whose name has its words, those of which all its words are said, then with similar words, and in the end
with some of the words. A word stands for all words that begin with it. So what is asked costs what is found, not what
there is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_catalog.store._health import FRESH_BY, WANTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from psycopg import Connection

__all__ = ["SEARCH_WEIGHTS", "search"]

# How alike a word must be; a name with one letter wrong still is, and one with two swapped is looked for as it is.
_ALIKE = 0.35
_MOST_WORDS = 12
_LONGEST_WORD = 60
_FEWEST_LETTERS = 3
# More than are asked for are ranked, because a round finds them in no order.
_MORE = 100
# With fewer than these, words that are like what was typed are looked for, too.
_FEW = 5
# What a text counts by what it is; the last stands for all else.
SEARCH_WEIGHTS = {
    "name": 1.0,
    "title": 0.9,
    "synonym": 0.9,
    "term": 0.8,
    "column": 0.8,
    "tag": 0.8,
    "owner": 0.7,
    "domain": 0.7,
    "": 0.6,
}
_LAST = chr(0x10FFFF)
# The same in SQL: the function ``tokens``.
_WORD = re.compile(r"[^\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")


@dataclass(frozen=True)
class _Word:
    """A word that somebody typed.

    Args:
        text: The word.
        alike: Words that may have been meant, and how likely.
    """

    text: str
    alike: Mapping[str, float]

    def fits(self, other: str) -> float:
        """Return how well a word of a text fits: 1 for the same."""
        if other.startswith(self.text):
            return 0.8 + 0.2 * len(self.text) / len(other)
        return self.alike.get(other, 0.0)

    @property
    def query(self) -> str:
        """Return it as the index is asked."""
        meant = [f"'{self.text}':*", *(f"'{one}'" for one in self.alike)]
        return f"({'|'.join(meant)})"


def search(connection: Connection[Any], text: str, narrowed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables that are like a text, the best first, and why; every table for an empty text.

    Args:
        connection: In a transaction.
        text: What somebody typed.
        narrowed: ``zone``, ``owner``, ``tag``, ``domain``, ``freshness`` (empty for any) and ``limit``.
    """
    if not text.strip():
        return {"query": text, "results": _rows(connection, _every(narrowed), narrowed)}
    words = [_Word(one, {}) for one in _words(text)[:_MOST_WORDS]]
    found = _strictly(connection, text, words, narrowed) if words else {}
    if words and len(found) < min(_FEW, narrowed["limit"]):
        words = _widened(connection, words)
        found |= _loosely(connection, words, narrowed)
        found = found or _partly(connection, words, narrowed)
    ids = list(found)[: narrowed["limit"] + _MORE]
    results = _ranked(_rows(connection, _TOLD, {"ids": ids}), _said(connection, ids, words), words)
    return {"query": text, "results": results[: narrowed["limit"]]}


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(one[:_LONGEST_WORD] for one in _WORD.findall(text.lower())))


def _strictly(
    connection: Connection[Any], text: str, words: Sequence[_Word], narrowed: Mapping[str, Any]
) -> dict[int, None]:
    """Return the tables that all words lead to as they are, those by their names first."""
    begin = text.strip().lower()
    asked = {**narrowed, "begin": begin, "end": begin + _LAST, "query": "&".join(one.query for one in words)}
    found: dict[int, None] = {}
    for statement in (_BEGINNING, _NAMED, _SAID):
        if len(found) < narrowed["limit"]:
            found |= _ids(connection, statement, asked)
    return found


def _loosely(connection: Connection[Any], words: Sequence[_Word], narrowed: Mapping[str, Any]) -> dict[int, None]:
    """Return the tables that all words, or words like them, lead to; a word that is like none is left out."""
    known = [one.query for one in words if one.alike]
    return _ids(connection, _SAID, {**narrowed, "query": "&".join(known)}) if known else {}


def _partly(connection: Connection[Any], words: Sequence[_Word], narrowed: Mapping[str, Any]) -> dict[int, None]:
    """Return the tables that some of the words lead to, where most of them."""
    known = [one.query for one in words if one.alike]
    return _ids(connection, _SOME, {**narrowed, "query": "|".join(known)}) if known else {}


def _ids(connection: Connection[Any], statement: str, asked: Mapping[str, Any]) -> dict[int, None]:
    narrow = "".join(f" AND {how}" for what, how in _NARROWED.items() if asked[what])
    rows = connection.execute(statement.format(narrow=narrow).encode(), {**asked, "most": asked["limit"] + _MORE})
    return dict.fromkeys(row[0] for row in rows)


def _every(narrowed: Mapping[str, Any]) -> str:
    how = [one for what, one in _NARROWED_ALONE.items() if narrowed[what]]
    return _EVERY.format(narrow=f"WHERE {' AND '.join(how)}" if how else "")


def _widened(connection: Connection[Any], words: Sequence[_Word]) -> list[_Word]:
    """Return the words with those that are like them; a word that is like no other has none."""
    connection.execute("SELECT set_config('pg_trgm.similarity_threshold', %s, true)", (str(_ALIKE),))
    made = []
    for one in words:
        asked = {"text": one.text, "like": f"%{_literal(one.text)}%", "swapped": list(_swapped(one.text))}
        fits = _FITS if len(one.text) >= _FEWEST_LETTERS else _BEGINS
        made.append(_Word(one.text, dict(connection.execute(fits, asked).fetchall())))
    return made


def _swapped(text: str) -> Iterable[str]:
    return (text[:at] + text[at + 1] + text[at] + text[at + 2 :] for at in range(len(text) - 1))


def _said(connection: Connection[Any], ids: list[int], words: Sequence[_Word]) -> dict[int, list[tuple[str, str]]]:
    """Return what is said of tables with one of the words in it."""
    known = {word for one in words for word in (one.text, *one.alike)}
    said: dict[int, list[tuple[str, str]]] = {}
    for node, what, text in connection.execute(
        "SELECT node_id, what, text FROM word WHERE node_id = ANY(%s) AND text ILIKE ANY(%s)",
        (ids, [f"%{_literal(one)}%" for one in known]),
    ):
        said.setdefault(node, []).append((what, text))
    return said


def _ranked(
    told: Sequence[dict[str, Any]], said: Mapping[int, Sequence[tuple[str, str]]], words: Sequence[_Word]
) -> list[dict[str, Any]]:
    ranked = []
    for one in told:
        score, matched, what = _best(said.get(one.pop("id"), ()), words)
        ranked.append((one.pop("dropped"), -score, {**one, "score": round(score, 3), "matched": matched, "in": what}))
    ranked.sort(key=lambda one: (one[0], one[1], one[2]["name"]))
    return [one for *_, one in ranked]


def _best(said: Sequence[tuple[str, str]], words: Sequence[_Word]) -> tuple[float, str, str]:
    """Return how well a table fits, and the text that fits best; that other texts have the other words counts, too."""
    each = [0.0] * len(words)
    best = (0.0, "", "")
    for what, text in said:
        parts, weight = _words(text) or [""], SEARCH_WEIGHTS.get(what, SEARCH_WEIGHTS[""])
        fits = [max(map(one.fits, parts)) * weight for one in words]
        each = [max(pair) for pair in zip(each, fits, strict=True)]
        close = min(1.0, sum(len(one.text) for one in words) / (sum(map(len, parts)) or 1))
        best = max(best, ((sum(fits) / len(words) + close / 10) if any(fits) else 0.0, text, what))
    return (best[0] + sum(each) / len(words)) / 2, best[1], best[2]


def _rows(connection: Connection[Any], statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    cursor = connection.execute(statement.encode(), values)
    names = [one.name for one in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _literal(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# A tag of one of its columns is a table's too, whoever gave it. Conditions that nobody asked for are left out: the
# planner looks at what is there, not at what it is compared with.
_NARROWED = {
    "zone": "n.name >= %(zone)s || '.' AND n.name < %(zone)s || '/'",
    "owner": "n.owner = %(owner)s",
    # Of each table that the words lead to: very many may have a tag.
    "tag": """(n.tags @> ARRAY[%(tag)s]
      OR EXISTS (SELECT 1 FROM column_fact AS c WHERE c.node_id = n.id AND c.until IS NULL AND c.tags <> '{}'
        AND c.tags @> ARRAY[%(tag)s])
      OR EXISTS (SELECT 1 FROM by_hand AS b WHERE b.node_id = n.id AND b.what = 'tag' AND b.key = %(tag)s)
      OR EXISTS (SELECT 1 FROM inherited AS i WHERE i.node_id = n.id AND i.tag = %(tag)s))""",
    "domain": "n.domain = %(domain)s",
    "freshness": f"""n.kind = 'table' AND n.dropped_at IS NULL AND EXISTS (
      SELECT 1 FROM (SELECT written.at AS written_at, newer.name AS newer_upstream FROM (SELECT) AS one
        {FRESH_BY}) AS state
      WHERE (%(freshness)s = 'stale') = coalesce({WANTS["stale"]}, false)
        AND (%(freshness)s = 'stale' OR written_at IS NOT NULL))""",  # noqa: S608 - our own words only
}

# Where no word narrows, those with the tag are found by it.
_NARROWED_ALONE = {
    **_NARROWED,
    "tag": """n.id IN (SELECT id FROM node WHERE tags @> ARRAY[%(tag)s] UNION ALL
      SELECT node_id FROM column_fact WHERE until IS NULL AND tags <> '{}' AND tags @> ARRAY[%(tag)s] UNION ALL
      SELECT node_id FROM by_hand WHERE what = 'tag' AND key = %(tag)s UNION ALL
      SELECT node_id FROM inherited WHERE tag = %(tag)s)""",
}

_BEGINNING = """
(SELECT n.id FROM node AS n WHERE n.name >= %(begin)s AND n.name < %(end)s{narrow} ORDER BY n.name LIMIT %(most)s)
UNION ALL
(SELECT n.id FROM node AS n WHERE substr(n.name, strpos(n.name, '.') + 1) >= %(begin)s
   AND substr(n.name, strpos(n.name, '.') + 1) < %(end)s{narrow}
 ORDER BY substr(n.name, strpos(n.name, '.') + 1) LIMIT %(most)s)
"""

_NAMED = """SELECT n.id FROM document AS d JOIN node AS n ON n.id = d.node_id
WHERE d.named @@ %(query)s::tsquery{narrow} LIMIT %(most)s"""

_SAID = """SELECT n.id FROM document AS d JOIN node AS n ON n.id = d.node_id
WHERE d.said @@ %(query)s::tsquery{narrow} LIMIT %(most)s"""

_SOME = """
SELECT id FROM (
  SELECT n.id, d.said FROM document AS d JOIN node AS n ON n.id = d.node_id
  WHERE d.said @@ %(query)s::tsquery{narrow} LIMIT 2000) AS candidate
ORDER BY ts_rank(said, %(query)s::tsquery) DESC, id LIMIT %(most)s
"""

_BEGINS = b"SELECT text, 0.9 FROM lexeme WHERE text >= %(text)s AND text < %(text)s || chr(1114111) LIMIT 1"

# A word that begins with what was typed, one that has it inside, one with two letters swapped, one with some wrong.
_FITS = b"""
SELECT text, max(fits)::float FROM (
  (SELECT text, 0.9 AS fits FROM lexeme WHERE text >= %(text)s AND text < %(text)s || chr(1114111) LIMIT 1)
  UNION ALL (SELECT text, 0.75 FROM lexeme WHERE text LIKE %(like)s LIMIT 30)
  UNION ALL (SELECT text, 0.7 FROM lexeme WHERE text = ANY(%(swapped)s))
  UNION ALL (SELECT text, similarity(text, %(text)s) FROM lexeme WHERE text %% %(text)s
    ORDER BY similarity(text, %(text)s) DESC, text LIMIT 10)) AS fitting
GROUP BY text
"""

_TOLD = """SELECT id, name, kind, title, doc, owner, tags, dropped_at IS NOT NULL AS dropped FROM node
WHERE id = ANY(%(ids)s)"""

_EVERY = """
SELECT n.name, n.kind, n.title, n.doc, n.owner, n.tags, 0 AS score, '' AS matched, '' AS "in" FROM node AS n
{narrow}
ORDER BY n.dropped_at IS NOT NULL, n.kind <> 'table', n.name LIMIT %(limit)s
"""
