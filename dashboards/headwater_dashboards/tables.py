"""What is known of a table that a dataset names: from its definition, else from the metastore, asked through SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.dialects import TRINO
from headwater.errors import DefinitionError, QueryError
from headwater.table import TableName

if TYPE_CHECKING:
    from headwater.engines.base import Engine
    from headwater.project import Project
    from headwater.table import Table

__all__ = ["ColumnFacts", "TableFacts", "TableReader", "reader"]


@dataclass(frozen=True)
class ColumnFacts:
    """One column, as a query sees it.

    Args:
        name: Its name.
        type: Its type in SQL, upper case.
        doc: What it means.
    """

    name: str
    type: str
    doc: str = ""

    @property
    def is_time(self) -> bool:
        """Whether it holds days or moments."""
        return self.type.startswith(("DATE", "TIMESTAMP"))


@dataclass(frozen=True)
class TableFacts:
    """One table, as a query sees it.

    Args:
        name: ``zone.name``.
        columns: In order.
        doc: What one row is.
    """

    name: str
    columns: tuple[ColumnFacts, ...]
    doc: str = ""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)


# Gives a table by its name, None when there is no such table.
TableReader = Callable[[str], TableFacts | None]


def reader(project: Project, engine: Callable[[], Engine]) -> TableReader:
    """Return what finds a table's columns; the engine is made only for tables without a definition."""
    defined = {table.name: table for table in project.tables}
    known: dict[str, TableFacts | None] = {}

    def find(name: str) -> TableFacts | None:
        if name not in known:
            known[name] = _declared(defined[name]) if name in defined else _described(name, engine)
        return known[name]

    return find


def _declared(table: Table) -> TableFacts:
    docs = {column.name: column.doc for column in table.columns}
    columns = (ColumnFacts(name, TRINO.type_name(kind), docs.get(name, "")) for name, kind in table.types.items())
    return TableFacts(table.name, tuple(columns), table.doc)


def _described(name: str, engine: Callable[[], Engine]) -> TableFacts | None:
    try:
        parsed = TableName.parse(name.removesuffix("__rejected"))
    except DefinitionError:
        return None
    called = parsed.rejected if name.endswith("__rejected") else parsed
    asked = engine()
    try:
        _, rows = asked.texts(asked.dialect.columns.format(called.zone, called.name))
    except QueryError as error:
        if "does not exist" in str(error):
            return None
        raise
    columns = (ColumnFacts(column or "", (kind or "").upper(), doc or "") for column, kind, _, doc in rows)
    return TableFacts(name, tuple(columns)) if rows else None
