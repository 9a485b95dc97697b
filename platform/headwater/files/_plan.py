"""The columns that a table gets: found by looking, wished by the caller, or given by the table that is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._names import usable
from headwater.files._types import (
    checked_cast,
    judge,
    judging_select,
    lossless,
    quoted,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from headwater.files._options import Options
    from headwater.files._relation import Field, Relation

__all__ = ["MARK", "Planned", "plan_columns", "refuse_other_columns"]

# In DuckDB's error: this column was taken for something that it is not.
MARK = "headwater-mistyped:"
_SAMPLE = 10_000


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One column of the table.

    Args:
        field: Where its values come from.
        kind: Its type: ours for text, DuckDB's for what brings its type; ``null`` for a column without a value.
        why: In a few words.
        examples: Some values.
        wished: The caller or the table wants this type, whatever the values are.
    """

    field: Field
    kind: str
    why: str
    examples: tuple[str, ...] = ()
    wished: bool = False

    @property
    def sql(self) -> str:
        """The SQL of the typed value."""
        name, value = quoted(self.field.name), self.field.value
        if self.field.type:
            return f"CAST({value} AS {self.kind}) AS {name}"
        if self.kind == "null":
            return f"CAST({checked_cast(value, 'null', MARK + self.field.name)} AS VARCHAR) AS {name}"
        return f"{checked_cast(value, self.kind, MARK + self.field.name, self.field.rules)} AS {name}"

    @property
    def fits(self) -> str:
        """The SQL condition that a value is of the wished type."""
        condition = lossless(self.field.value, self.kind, self.field.rules)
        return f"({self.field.value} IS NULL OR coalesce({condition}, FALSE))"

    @property
    def shown_kind(self) -> str:
        """The type as people read it."""
        return "string" if self.kind in ("null", "VARCHAR") else self.kind.lower()


def plan_columns(
    connection: Any, relation: Relation, options: Options, target: Mapping[str, str] | None, *, whole: bool
) -> list[Planned]:
    """Return the columns, their types judged by the first rows or by all.

    Args:
        connection: DuckDB.
        relation: The rows.
        options: The caller's wishes.
        target: DuckDB's types of the table that rows are appended to, by column.
        whole: Judge by every row; else by the first ones, to be held against every row while it is written.

    Raises:
        InputError: A wish is for a column that is not there, or the columns are not the table's.
    """
    wishes = _wishes(relation.fields, options)
    if target is not None:
        refuse_other_columns([field.name for field in relation.fields], target)
    made = {}
    asked = [one for one in relation.fields if not one.type and one.name not in wishes and target is None]
    found = _judged(connection, relation, asked, whole=whole)
    for field in relation.fields:
        if target is not None:
            made[field.name] = _appended(field, target[field.name])
        elif field.name in wishes:
            made[field.name] = _wished(field, wishes[field.name])
        elif field.type:
            made[field.name] = Planned(field=field, kind=field.type, why=field.why)
        else:
            made[field.name] = found[field.name]
    return list(made.values())


def _wishes(fields: Sequence[Field], options: Options) -> dict[str, str]:
    names = {field.name for field in fields}
    wishes = {usable(column): kind for column, kind in options.types.items()}
    for column in wishes.keys() - names:
        raise InputError(f"There is no column {column!r} to give a type; there are {', '.join(sorted(names))}.")
    return wishes


def _wished(field: Field, kind: str) -> Planned:
    if field.type and kind != "string":
        raise InputError(
            f"Column {field.name!r} brings its type, {field.type.lower()}; only string can be wished for it."
        )
    if field.type:
        return Planned(field=field, kind="VARCHAR", why="wished", wished=True)
    return Planned(field=field, kind=kind, why="wished", wished=True)


def refuse_other_columns(names: Iterable[str], target: Iterable[str]) -> None:
    """Refuse rows whose columns are not those of the table that they are appended to.

    Raises:
        InputError: One is too many or lacks.
    """
    names, target = list(names), list(target)
    for name in sorted(set(target) - set(names)):
        raise InputError(
            f"The table has the column {name!r}, which the new rows lack; add it, or use --if-exists replace."
        )
    for name in sorted(set(names) - set(target)):
        raise InputError(f"The new rows have the column {name!r}, which the table lacks; use --if-exists replace.")


# DuckDB's types, as DESCRIBE spells them, to ours.
_OURS = {
    "BOOLEAN": "boolean", "INTEGER": "int", "BIGINT": "long", "FLOAT": "float", "DOUBLE": "double", "VARCHAR": "string",
    "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamptz",
}  # fmt: skip


def _appended(field: Field, kind: str) -> Planned:
    if field.type:
        wider = {"INTEGER": ("BIGINT", "DOUBLE"), "FLOAT": ("DOUBLE",)}
        if _spelled(field.type) != _spelled(kind) and kind not in wider.get(field.type, ()):
            raise InputError(
                f"Column {field.name!r} is {kind.lower()} in the table, but {field.type.lower()} in the new rows."
            )
        return Planned(field=field, kind=kind, why="as in the table", wished=True)
    ours = _OURS.get(kind) or (kind.lower() if kind.startswith("DECIMAL") else "")
    if not ours:
        raise InputError(f"Column {field.name!r} is {kind.lower()} in the table, but text in the new rows.")
    return Planned(field=field, kind=ours, why="as in the table", wished=True)


def _spelled(kind: str) -> str:
    """Return a type of DuckDB's in the one spelling that types are compared in."""
    return kind.replace("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE").replace('"', "").replace(" ", "")


def _judged(connection: Any, relation: Relation, fields: Sequence[Field], *, whole: bool) -> dict[str, Planned]:
    """Judge text columns; the first rows sort out most rules before all rows are asked."""
    if not fields:
        return {}
    rules = {field.value: field.rules for field in fields}
    limited = f"(SELECT * FROM {relation.rows()} LIMIT {_SAMPLE})"
    verdicts = judge(rules, connection.execute(f"SELECT {judging_select(rules)} FROM {limited}").fetchall()[0])
    if whole:
        rules = {value: verdict.alive for value, verdict in verdicts.items()}
        verdicts = judge(
            rules, connection.execute(f"SELECT {judging_select(rules)} FROM {relation.rows()}").fetchall()[0]
        )
    return {
        field.name: Planned(
            field=field,
            kind=verdicts[field.value].kind,
            why=verdicts[field.value].why,
            examples=verdicts[field.value].examples,
        )
        for field in fields
    }
