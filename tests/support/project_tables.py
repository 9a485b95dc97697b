"""The tables of a project on a box that others use, too: their names, and how they go without a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.layout import location

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.stack import Stack
    from headwater.table import Table, TableName

__all__ = ["forget", "names_of"]


def names_of(tables: Iterable[Table]) -> list[TableName]:
    """Return the name of every table, those of rejected rows too."""
    return [name for one in tables for name in (one.id, *([one.id.rejected] if one.rejects else []))]


def forget(stack: Stack, tables: Iterable[Table]) -> None:
    """Drop tables and delete their files."""
    catalog, known = stack.metastore.iceberg(), {str(one.name) for one in stack.metastore.registered()}
    for name in names_of(tables):
        if str(name) in known:
            catalog.drop_table((name.zone, name.name))
        place = location(stack.profile.bucket, name)
        stack.storage.delete(one.uri for one in stack.storage.objects(place + "/"))
