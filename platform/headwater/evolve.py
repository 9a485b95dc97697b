"""What a changed definition asks of a table that is already there: only what loses nothing, planned before any write.

    new nullable column             added
    int -> long, float -> double    widened; a decimal may gain precision at the same scale
    required -> nullable            relaxed
    doc                             updated
    order of columns                ignored: columns are found by name

Anything else is refused with a sentence that says what to do. Pure; the metastore applies the plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from headwater.errors import EvolutionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.table import Column, Table

__all__ = ["Evolution", "FieldLike", "SchemaLike", "plan_evolution", "widens"]

_WIDENINGS = {("int", "long"), ("float", "double")}


class FieldLike(Protocol):
    """The part of PyIceberg's ``NestedField`` that is looked at."""

    @property
    def name(self) -> str:
        """The column's name."""

    @property
    def field_type(self) -> object:
        """Its type; its text is Iceberg's name of it."""

    @property
    def required(self) -> bool:
        """Whether null is refused."""

    @property
    def doc(self) -> str | None:
        """Its doc."""


class SchemaLike(Protocol):
    """The part of PyIceberg's ``Schema`` that is looked at."""

    @property
    def fields(self) -> Iterable[FieldLike]:
        """The columns."""


@dataclass(frozen=True)
class Evolution:
    """The changes to apply, in one commit; each column is as the definition declares it.

    Args:
        add: New columns; a required one only comes up for a table without rows, where PyIceberg wants
            ``update_schema(allow_incompatible_changes=True)``.
        update_doc: Columns with another doc.
        widen: Columns with a wider type.
        relax: Columns that may be null from now on.
    """

    add: tuple[Column, ...] = ()
    update_doc: tuple[Column, ...] = ()
    widen: tuple[Column, ...] = ()
    relax: tuple[Column, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything to apply."""
        return any((self.add, self.update_doc, self.widen, self.relax))


def widens(before: str, after: str) -> bool:
    """Return whether a column of one type can become another without losing values."""
    return (before, after) in _WIDENINGS or _decimal_widens(before, after)


def plan_evolution(
    existing: SchemaLike,
    table: Table,
    *,
    partitioned_by: str | None,
    has_rows: bool,
) -> Evolution:
    """Compare a table as it stands with its definition.

    Args:
        existing: Its schema.
        table: Its definition.
        partitioned_by: Its partition column, None when it has none.
        has_rows: Whether it has ever been published.

    Raises:
        EvolutionError: The definition asks for a change that would lose or reinterpret rows.
    """
    _refuse_other_cut(table, partitioned_by)
    fields = {field.name: field for field in existing.fields}
    for name, field in fields.items():
        if name not in table.column_names:
            raise EvolutionError(
                f"Table {table} has a column {name!r} ({_text(field)}) that its definition lacks, and columns "
                "are not dropped: declare it again, drop it by hand "
                f"(`alter table {table} drop column {name}`), or give the new shape a new table name.",
            )
    added = tuple(column for column in table.columns if column.name not in fields)
    for column in added:
        if column.required and has_rows:
            raise EvolutionError(
                f"Table {table} already has rows, so its new column {column.name!r} ({column.type}) cannot be "
                "required: declare it without required=True.",
            )
    kept = [(column, fields[column.name]) for column in table.columns if column.name in fields]
    for column, field in kept:
        _refuse_tightening(table, column, field)
    return Evolution(
        add=added,
        update_doc=tuple(column for column, field in kept if column.doc != (field.doc or "")),
        widen=tuple(column for column, field in kept if _widens(table, column, field)),
        relax=tuple(column for column, field in kept if field.required and not column.required),
    )


def _refuse_other_cut(table: Table, partitioned_by: str | None) -> None:
    wanted = table.partitioning.column if table.partitioning else None
    if wanted != partitioned_by:
        is_now = f"partitioned by {partitioned_by!r}" if partitioned_by else "not partitioned"
        asked = f"by {wanted!r}" if wanted else "no partitions"
        raise EvolutionError(
            f"Table {table} is {is_now}, but its definition asks for {asked}: restore the partitioning, or give the "
            "new shape a new table name.",
        )


def _refuse_tightening(table: Table, column: Column, field: FieldLike) -> None:
    if column.required and not field.required:
        raise EvolutionError(
            f"Table {table} may hold nulls in column {column.name!r} ({_text(field)}), so it cannot become required: "
            "declare a NotNull check instead, which judges the rows that are written from now on.",
        )


def _widens(table: Table, column: Column, field: FieldLike) -> bool:
    before = _text(field)
    if before == column.type:
        return False
    if widens(before, column.type):
        return True
    raise EvolutionError(
        f"Table {table} has column {column.name!r} as {before}, which cannot become {column.type} without losing "
        f"values: restore {before}, or add a column of the new type under another name.",
    )


def _decimal_widens(before: str, after: str) -> bool:
    if not before.startswith("decimal(") or not after.startswith("decimal("):
        return False
    (old, old_scale), (new, new_scale) = (text[8:-1].split(",") for text in (before, after))
    return int(new) > int(old) and int(new_scale) == int(old_scale)


def _text(field: FieldLike) -> str:
    return str(field.field_type).replace(" ", "")
