"""Who says what of a table: its definition, people by hand, the metastore, or the column that it is inherited from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from psycopg import Connection

__all__ = ["add_said", "said_in_words"]

_FACTS = ("doc", "owner", "domain")
Row = dict[str, Any]


def add_said(connection: Connection[Any], node: int, table: Row) -> None:
    """Add to a table and its columns what people say of them, what they inherit, and who says each fact.

    ``said`` has by fact who says it: ``from`` is ``code``, ``hand`` or ``observed``, with ``who`` and ``at`` of a hand.
    ``labels`` has a table's or column's tags likewise, those ``inherited`` with ``table`` and ``column``; ``terms``
    its terms. A fact that nobody says is missing.

    Args:
        connection: In a transaction.
        node: The table.
        table: Its row with ``columns``; ``code_...`` are taken out of it.
    """
    hand: dict[tuple[str, str], list[Row]] = {}
    for column, what, key, value, who, at, title in connection.execute(_BY_HAND, (node,)):
        one = {"text": title or key or value, "from": "hand", "who": who, "at": at}
        hand.setdefault((column, what), []).append(one)
    code = {what: table.pop(f"code_{what}") for what in (*_FACTS, "tags")}
    table["said"] = {
        what: said
        for what in _FACTS
        if (said := _fact(code[what], hand.get(("", what)), ours=table["defined"])) is not None
    }
    _label(table, "", code["tags"], "code", hand)
    inherited: dict[str, list[Row]] = {}
    for column, *rest in connection.execute(_INHERITED, (node,)):
        inherited.setdefault(column, []).append(dict(zip(("tag", "table", "column"), rest, strict=True)))
    for one in table["columns"]:
        _describe_column(one, hand, inherited, defined=table["defined"])


def _describe_column(
    one: Row, hand: Mapping[tuple[str, str], list[Row]], inherited: Mapping[str, list[Row]], *, defined: bool
) -> None:
    column, ours = one["name"], defined and one["origin"] == "declared"
    origin = "code" if one["origin"] == "declared" else "observed"
    spoken = hand.get((column, "doc"))
    said = _fact(one["doc"], spoken, ours=ours, origin=origin)
    if spoken and said and said["from"] == "hand":
        one["doc"] = spoken[0]["text"]
    one["said"] = {"doc": said} if said else {}
    _label(one, column, one["tags"], origin, hand, inherited=inherited.get(column, ()))


def _fact(code: str, spoken: list[Row] | None, *, ours: bool, origin: str = "code") -> Row | None:
    """Return who says a fact; a definition that is gone, and the metastore, give way to people."""
    if spoken and not (code and ours):
        return {key: spoken[0][key] for key in ("from", "who", "at")}
    return {"from": origin, "who": "", "at": None} if code else None


def _label(
    one: Row,
    column: str,
    tags: Iterable[str],
    origin: str,
    hand: Mapping[tuple[str, str], list[Row]],
    *,
    inherited: Iterable[Row] = (),
) -> None:
    own = {tag: {"tag": tag, "from": origin, "who": "", "at": None} for tag in tags}
    for said in hand.get((column, "tag"), ()):
        own.setdefault(said["text"], {"tag": said["text"], **{key: said[key] for key in ("from", "who", "at")}})
    for said in inherited:
        own.setdefault(said["tag"], {**said, "from": "inherited", "who": "", "at": None})
    one["labels"], one["tags"] = list(own.values()), list(own)
    one["terms"] = [
        {"term": said["text"], "who": said["who"], "at": said["at"]} for said in hand.get((column, "term"), ())
    ]


def said_in_words(one: Row) -> str:
    """Return what somebody did as people say it: ``alice changed the owner from team:a to team:b``."""
    of = f" of column {one['column']}" if one["column"] else ""
    what, before, after = one["what"], _short(one["before"]), _short(one["after"])
    if before and after:
        return f"{one['who']} changed the {what}{of} from {before} to {after}"
    if after:
        return f"{one['who']} {'set' if what in (*_FACTS, 'name') else 'added'} the {what}{of} {after}"
    return f"{one['who']} took away the {what}{of} {before}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


_LONGEST = 120

_BY_HAND = b"""
SELECT h.column_name, h.what, h.key, h.value, h.who, h.at, t.title FROM by_hand AS h
LEFT JOIN node AS t ON h.what = 'term' AND t.id = CASE WHEN h.what = 'term' THEN h.key::bigint END
WHERE h.node_id = %s ORDER BY h.what, coalesce(t.title, h.key)
"""

_INHERITED = b"""
SELECT i.column_name, i.tag, n.name, i.from_column FROM inherited AS i JOIN node AS n ON n.id = i.from_id
WHERE i.node_id = %s ORDER BY i.tag
"""
