"""What the form of a table, a column or a term asks for, and the change that a sent form means. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_catalog.pages._addresses import link, page_of
from headwater_catalog.store import Change, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["change_of", "described", "term_fields"]

_LABELS = {
    "owner": ("Owner", "An e-mail address or team:name."),
    "doc": ("What it means", ""),
    "domain": ("Domain", "What it belongs to, such as sales."),
    "tag": ("Tags", "Between commas."),
    "term": ("Terms of the glossary", "Between commas."),
    "synonym": ("Synonyms", "Between commas; search finds the term by them."),
}
_INHERITED = "Between commas; pii, and what the project names besides, goes on to columns made of this one."
_TEXTS, _LISTS = ("owner", "doc", "domain"), ("tag", "term", "synonym")


def described(table: Mapping[str, Any], column: str, typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the form of a table or one of its columns.

    Args:
        table: As the store tells it.
        column: Empty for the table itself.
        typed: What somebody has typed already; it is shown again.

    Raises:
        NotFound: The table has no such column.
    """
    one = next((found for found in table["columns"] if found["name"] == column), None) if column else table
    if one is None:
        raise NotFound(f"Table {table['name']} has no column {column!r} that the catalog knows.")
    fields = [_text(what, one, table, typed) for what in (("doc",) if column else _TEXTS)]
    by_hand = [label["tag"] for label in one["labels"] if label["from"] == "hand"]
    tags = _field("tag", ", ".join(by_hand), typed) | {"labels": _others(one["labels"])}
    fields.append(tags | ({"hint": _INHERITED} if column else {}))
    fields.append(_field("term", ", ".join(said["term"] for said in one["terms"]), typed))
    shown = f"{table['name']}.{column}" if column else table["title"] or table["name"]
    back = link("column", name=table["name"], column=column) if column else page_of(table["name"])
    given = {"name": table["name"], "column": column}
    return {"title": shown, "action": "/edit", "back": back, "given": given, "fields": fields, "removable": False}


def term_fields(term: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return the form of a term; of a new one for an empty term."""
    name = term.get("term", "")
    fields = [
        _field("title", name, typed) | {"label": "Name", "hint": ""},
        _field("doc", term.get("definition", ""), typed),
        _field("owner", term.get("owner", ""), typed),
        _field("synonym", ", ".join(term.get("synonyms", ())), typed),
    ]
    return {
        "title": name or "A new term",
        "action": "/term/edit",
        "back": link("term", name=name) if name else "/glossary",
        "given": {"name": name},
        "fields": fields,
        "removable": bool(name),
    }


def change_of(form: Mapping[str, str]) -> Change:
    """Return what somebody changed: each field beside what it was when they got the form.

    What others changed meanwhile in fields that they left alone stays.
    """
    texts = {what: form[what] for what in _TEXTS if what in form and form[what] != form.get(f"{what}_before", "")}
    add: dict[str, tuple[str, ...]] = {}
    remove: dict[str, tuple[str, ...]] = {}
    for what in _LISTS:
        wanted, had = _split(form.get(what, "")), _split(form.get(f"{what}_before", ""))
        add[what] = tuple(one for one in wanted if one not in had)
        remove[what] = tuple(one for one in had if one not in wanted)
    return Change(texts=texts, add=_given(add), remove=_given(remove))


def _given(lists: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {what: names for what, names in lists.items() if names}


def _split(text: str) -> list[str]:
    return [one for one in (" ".join(part.split()) for part in text.split(",")) if one]


def _field(what: str, value: str, typed: Mapping[str, str]) -> dict[str, Any]:
    label, hint = _LABELS.get(what, ("", ""))
    before = typed.get(f"{what}_before", value)
    shown = typed.get(what, value)
    return {"what": what, "label": label, "hint": hint, "value": shown, "before": before, "locked": "", "labels": []}


def _text(what: str, one: Mapping[str, Any], table: Mapping[str, Any], typed: Mapping[str, str]) -> dict[str, Any]:
    """Return a text's field; what the definition says is shown with where to change it."""
    field = _field(what, str(one[what]), typed)
    if table["defined"] and one["said"].get(what, {}).get("from") == "code":
        field["locked"] = table["place"] or "its definition"
    return field


def _others(labels: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [label for label in labels if label["from"] != "hand"]
