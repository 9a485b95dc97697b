"""What the metastore's notification log says, as changes of tables. Pure.

The log names which table was made, altered, renamed or dropped, in order. What a table is now is asked of the metastore
itself; so a table that changed twice since is described once, as it is.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from headwater.layout import target_of
from headwater.table import ZONES, TableName

from headwater_catalog._names import joined
from headwater_catalog.model import ColumnFacts, Lineage
from headwater_catalog.parsed import lineages

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ColumnsOf", "Happening", "Notice", "TableState", "notices", "table_name", "table_state"]

ColumnsOf = Callable[[str], Sequence[str]]
_ORDER = 1_000_000
# Trino's views, and what it keeps the rows of beside them.
_PRESTO_VIEW = re.compile(r"/\* Presto (?:Materialized )?View: (\S+)")


class Happening(StrEnum):
    """What may happen to a table."""

    MADE = "created"
    ALTERED = "altered"
    RENAMED = "renamed"
    DROPPED = "dropped"


_TYPES = {
    "CREATE_TABLE": Happening.MADE,
    "ALTER_TABLE": Happening.ALTERED,
    "DROP_TABLE": Happening.DROPPED,
}


@dataclass(frozen=True)
class Notice:
    """One change of one table.

    Args:
        id: The log's number of it.
        at: When, to the second; the number's last digits keep the order of those within one.
        what: What happened.
        name: The table, ``zone.name``, as it is called since.
        former: What a renamed table was called before.
    """

    id: int
    at: datetime
    what: Happening
    name: str
    former: str = ""


@dataclass(frozen=True, kw_only=True)
class TableState:
    """A table as the metastore has it.

    Args:
        name: ``zone.name``.
        made: When it was made.
        location: Where its files lie; empty for a view.
        columns: With its partition columns, in order.
        view: What a view is made of; None for a table.
        code: A view's SQL.
    """

    name: str
    made: datetime
    location: str = ""
    columns: tuple[ColumnFacts, ...] = ()
    view: Lineage | None = None
    code: str = ""


def notices(events: Iterable[Any]) -> Iterator[Notice]:
    """Yield what Hive's notification events say of tables of the lake; stages pass unseen.

    Args:
        events: ``NotificationEvent`` of the metastore's Thrift interface, in order.
    """
    for event in events:
        what = _TYPES.get(event.eventType)
        if what is None or event.dbName not in ZONES:
            continue
        name = table_name(event.dbName, event.tableName)
        former = _former(event, name) if what == Happening.ALTERED else name
        if not name or not former:
            continue
        at = datetime.fromtimestamp(event.eventTime, UTC).replace(microsecond=event.eventId % _ORDER)
        if name != former:
            yield Notice(event.eventId, at, Happening.RENAMED, name, former)
        else:
            yield Notice(event.eventId, at, what, name)


def table_state(table: Any, columns_of: ColumnsOf = lambda _: ()) -> TableState | None:
    """Return what the metastore's Thrift ``Table`` says; None of a stage, and of what lies outside the zones.

    The SQL of Trino's views and of Spark's is read for what they are made of.

    Args:
        table: Of the metastore.
        columns_of: Gives the columns of a table that a view reads, by its normal name; none where it is not known.
    """
    name = table_name(table.dbName, table.tableName)
    if not name:
        return None
    told = [*table.sd.cols, *(table.partitionKeys or ())]
    made = datetime.fromtimestamp(table.createTime or 0, UTC)
    if table.tableType != "VIRTUAL_VIEW":
        columns = tuple(ColumnFacts(one.name.lower(), one.type, one.comment or "") for one in told)
        return TableState(name=name, made=made, location=table.sd.location or "", columns=columns)
    return _view(name, made, table.viewOriginalText or "", told, columns_of)


def _view(name: str, made: datetime, text: str, told: Iterable[Any], columns_of: ColumnsOf) -> TableState:
    columns = tuple(ColumnFacts(one.name.lower(), one.type, one.comment or "") for one in told)
    dialect, sql, database = "spark", text, name.partition(".")[0]
    presto = _PRESTO_VIEW.match(text)
    if presto:
        try:
            held = json.loads(base64.b64decode(presto[1]))
            dialect, sql, database = "trino", held["originalSql"], held.get("schema") or database
            columns = tuple(
                ColumnFacts(one["name"].lower(), one["type"], one.get("comment") or "") for one in held["columns"]
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            unread = Lineage(target=name, sources=(), problem="the view's text in the metastore cannot be read.")
            return TableState(name=name, made=made, columns=columns, view=unread, code=text)
    found = lineages(sql, dialect, {}, database)
    if len(found) == 1 and found[0].problem:
        known = {source: tuple(columns_of(source)) for source in found[0].sources}
        found = lineages(sql, dialect, known, database)
    one = found[0] if len(found) == 1 else Lineage(target=name, sources=(), problem="it is not one query.")
    return TableState(name=name, made=made, columns=columns, view=_under(columns, replace(one, target=name)), code=sql)


def _under(columns: Sequence[ColumnFacts], view: Lineage) -> Lineage:
    """Return a view's lineage under the names that it gives to its query's columns, by their place."""
    if len(view.outputs) != len(columns):
        return view
    names = {given: column.name for given, column in zip(view.outputs, columns, strict=True)}
    edges = frozenset(
        replace(edge, target_column=names.get(edge.target_column, edge.target_column)) for edge in view.columns
    )
    return replace(view, columns=edges, outputs=tuple(names.values()))


def _former(event: Any, name: str) -> str:
    """Return what an altered table was called before; its Thrift form in the message has name and database as fields.

    The event itself bears the name since. Nothing of a stage.
    """
    try:
        before = json.loads(json.loads(event.message)["tableObjBeforeJson"])
        return table_name(before["2"]["str"], before["1"]["str"])
    except (ValueError, KeyError, TypeError):
        return name


def table_name(database: str, name: str) -> str:
    """Return ``zone.name``, or nothing for a stage and for what lies outside the zones."""
    for zone in ZONES:
        if zone == database:
            table = TableName(zone, name)
            return joined((zone, name)) if target_of(table) == table else ""
    return ""
