"""The kinds of check that need a statement of their own: they compare rows with each other or with other tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater._kinds import BROKEN, SAMPLE, STAGED, InPartition, Kind, NotNull
from headwater.dialects import identifier
from headwater.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater._literals import Literal
    from headwater.table import Check, Table

__all__ = ["CustomSql", "ForeignKey", "Unique", "every_check", "kinds_of", "reading_others", "tables_needed"]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,79}")


@dataclass(frozen=True, init=False)
class Unique(Kind):
    """No two of the rows being written have the same values in some columns; rows with a null among them pass.

    Other partitions are not looked at: have the partition column follow from the key, or put it into the key.

    Args:
        columns: One or more columns.
    """

    key: tuple[str, ...]

    def __init__(self, *columns: str, blocking: bool = True) -> None:
        object.__setattr__(self, "key", columns)
        object.__setattr__(self, "blocking", blocking)

    @property
    def name(self) -> str:
        return f"unique_{'_'.join(self.key)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.key

    @property
    def promise(self) -> str:
        return f"({', '.join(self.key)}) is unique"

    def problems(self, table: Table) -> Iterator[str]:
        yield from super().problems(table)
        if not self.key:
            yield "a Unique check names no column."

    def count(self, table: Table) -> str:  # noqa: ARG002
        return f'SELECT coalesce(sum("_copies"), 0) AS {BROKEN} FROM ({self._groups()}) AS "_groups"'  # noqa: S608

    def sample(self, table: Table) -> str:  # noqa: ARG002
        return f'{self._groups()} ORDER BY "_copies" DESC LIMIT {SAMPLE}'

    def _groups(self) -> str:
        key = ", ".join(identifier(name) for name in self.key)
        known = " AND ".join(f"NOT {identifier(name)} IS NULL" for name in self.key)
        grouped = f"FROM {STAGED} WHERE {known} GROUP BY {key} HAVING count(*) > 1"
        return f'SELECT {key}, count(*) AS "_copies" {grouped}'


@dataclass(frozen=True, init=False)
class ForeignKey(Kind):
    """The values of some columns are found in another table; rows with a null among them pass.

    The other table must have been published before; run it first by naming it in ``upstreams`` where the body reads it.

    Args:
        columns: One column or several.
        table: The other table.
        references: Its columns, in the same order; the same names when absent.
    """

    key: tuple[str, ...]
    table: Table
    references: tuple[str, ...]

    def __init__(
        self,
        columns: str | Sequence[str],
        table: Table,
        references: str | Sequence[str] = (),
        *,
        blocking: bool = True,
    ) -> None:
        key = (columns,) if isinstance(columns, str) else tuple(columns)
        other = (references,) if isinstance(references, str) else tuple(references)
        for name, value in (("key", key), ("table", table), ("references", other or key), ("blocking", blocking)):
            object.__setattr__(self, name, value)

    @property
    def name(self) -> str:
        return f"foreign_key_{'_'.join(self.key)}"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.key

    @property
    def promise(self) -> str:
        return f"({', '.join(self.key)}) is found in {self.table} ({', '.join(self.references)})"

    def problems(self, table: Table) -> Iterator[str]:
        yield from super().problems(table)
        if not self.key or len(self.key) != len(self.references):
            yield f"check {self.name!r} pairs {len(self.key)} with {len(self.references)} columns."
        for mine, theirs in zip(self.key, self.references, strict=False):
            if theirs not in self.table.types:
                yield f"check {self.name!r} looks for {theirs!r}, which is not a column of {self.table}."
            elif mine in table.types and table.types[mine] != self.table.types[theirs]:
                yield (
                    f"check {self.name!r} compares {mine}, which is {table.types[mine]}, with {theirs} of "
                    f"{self.table}, which is {self.table.types[theirs]}."
                )

    def reads(self, table: Table) -> tuple[Table, ...]:  # noqa: ARG002
        return (self.table,)

    def count(self, table: Table) -> str:  # noqa: ARG002
        return f"SELECT count(*) AS {BROKEN} {self._orphans()}"

    def sample(self, table: Table) -> str:  # noqa: ARG002
        return f'SELECT "_mine".* {self._orphans()} LIMIT {SAMPLE}'

    def _orphans(self) -> str:
        pairs = [(identifier(a), identifier(b)) for a, b in zip(self.key, self.references, strict=True)]
        known = " AND ".join(f'NOT "_mine".{mine} IS NULL' for mine, _ in pairs)
        same = " AND ".join(f'"_theirs".{theirs} = "_mine".{mine}' for mine, theirs in pairs)
        other = f"{identifier(self.table.id.zone)}.{identifier(self.table.id.name)}"
        found = f'SELECT 1 AS "_found" FROM {other} AS "_theirs" WHERE {same}'  # noqa: S608
        return f'FROM {STAGED} AS "_mine" WHERE {known} AND NOT EXISTS ({found})'


@dataclass(frozen=True, init=False)
class CustomSql(Kind):
    """A SELECT of one's own returns no row.

    Args:
        name: What the check is called; lower-case letters, digits and underscores.
        sql: One SELECT in Trino's dialect that returns the broken rows. ``{table}`` is the rows being written; it
            may also read the table's upstreams, as ``zone.name``.
    """

    label: str
    sql: str

    def __init__(self, name: str, sql: str, *, blocking: bool = True) -> None:
        for field, value in (("label", name), ("sql", sql), ("blocking", blocking)):
            object.__setattr__(self, field, value)

    @property
    def name(self) -> str:
        return self.label

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def promise(self) -> str:
        return f"{self.name} finds no row"

    def problems(self, table: Table) -> Iterator[str]:
        if not _NAME.fullmatch(self.name) or self.name.startswith(("not_null_", "in_partition")):
            yield f"check name {self.name!r} is not usable; use lower-case letters, digits and underscores."
        if "{table}" not in self.sql:
            yield f"check {self.name!r} does not read {{table}}, the rows being written."
            return
        from headwater import _select  # noqa: PLC0415 - sqlglot is only for tables with SQL

        relations = {upstream.name: upstream.types for upstream in table.upstreams}
        try:
            _select.resolve_staged(self._selection(), STAGED, table.types, relations)
        except _select.SelectError as error:
            yield f"check {self.name!r}, {error.sentence()}"

    def reads(self, table: Table) -> tuple[Table, ...]:
        return table.upstreams

    def count(self, table: Table) -> str:  # noqa: ARG002
        return f'SELECT count(*) AS {BROKEN} FROM ({self._selection()}) AS "_found"'  # noqa: S608

    def sample(self, table: Table) -> str:  # noqa: ARG002
        return f'SELECT * FROM ({self._selection()}) AS "_found" LIMIT {SAMPLE}'  # noqa: S608

    def statement(self, table: Table) -> str:  # noqa: ARG002
        return self._selection()

    def _selection(self) -> str:
        return self.sql.replace("{table}", STAGED).rstrip().rstrip(";")


def every_check(table: Table, partition_values: Sequence[Literal] = ()) -> tuple[Check, ...]:
    """Return a table's checks: those that its columns and partitioning imply, then the declared ones."""
    implied: list[Check] = [NotNull(column.name) for column in table.columns if column.required]
    if table.partitioning is not None and table.zone != "raw":
        implied.insert(0, InPartition(table.partitioning.column, tuple(partition_values)))
    names = {check.name for check in implied}
    return (*implied, *(check for check in table.checks if check.name not in names))


def tables_needed(table: Table) -> tuple[Table, ...]:
    """Return the other tables that must have been published before a table's checks can run."""
    found = [other for check in table.checks if isinstance(check, Kind) for other in check.reads(table)]
    return tuple(dict.fromkeys(other for other in found if other != table))


def reading_others(check: Check, table: Table) -> tuple[str, tuple[Table, ...]]:
    """Return a check's statement over the published table, and the other tables that it reads; empty without any."""
    others = check.reads(table) if isinstance(check, Kind) else ()
    if not isinstance(check, Kind) or not others:
        return "", ()
    mine = f"{identifier(table.id.zone)}.{identifier(table.id.name)}"
    return check.statement(table).replace(STAGED, mine), others


def kinds_of(table: Table, partition_values: Sequence[Literal] = ()) -> tuple[Kind, ...]:
    """Return ``every_check`` as kinds that can be asked in SQL.

    Raises:
        DefinitionError: A check is of no kind known here.
    """
    checks = every_check(table, partition_values)
    for check in checks:
        if not isinstance(check, Kind):
            raise DefinitionError(f"Table {table}: check {check.name!r} is none of the kinds in headwater.checks.")
    return tuple(check for check in checks if isinstance(check, Kind))
