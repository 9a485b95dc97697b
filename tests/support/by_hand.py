"""What people say of tables by hand, for tests that look at a catalog of their own."""

from __future__ import annotations

from headwater_catalog.model import ColumnFacts, TableFacts
from headwater_catalog.store import Change, Store

COLUMNS = (ColumnFacts("a", "string", "Said by code."), ColumnFacts("b", "string", "", ("secret",)))


def declared(name: str, **more) -> TableFacts:
    """Return a definition with an owner and without a doc."""
    given = {"owner": "team:code", "columns": COLUMNS, "place": "tables/t.py:3", "tags": ("core",), **more}
    return TableFacts(name=name, **given)


def edit(store: Store, name: str, column: str = "", who: str = "alice", **more) -> int:
    """Say something by hand: texts by name, ``add_tag`` and the like as tuples."""
    texts = {what: text for what, text in more.items() if isinstance(text, str)}
    lists = {
        way: {what.partition("_")[2]: names for what, names in more.items() if what.startswith(way)}
        for way in ("add", "remove")
    }
    return store.edit(who, lambda editor: editor.describe(name, column, Change(texts=texts, **lists)))


def told(store: Store, name: str, column: str = "") -> dict:
    """Return a table, or one of its columns, as it is told."""
    with store.reading() as reader:
        table = reader.table(name)
    return next(one for one in table["columns"] if one["name"] == column) if column else table


def history(store: Store, name: str) -> list[str]:
    """Return what was done by hand, the oldest first."""
    with store.reading() as reader:
        return [one["said"] for one in reversed(reader.history(name)["edits"])]


def found(store: Store, text: str = "", **narrowed: str) -> set[str]:
    """Search."""
    with store.reading() as reader:
        return {one["name"] for one in reader.search(text, **narrowed)["results"]}
