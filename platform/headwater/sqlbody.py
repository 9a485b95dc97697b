"""SQL bodies: one SELECT in Trino's dialect, checked when its table is declared, written for the engine that runs it.

A body reads ``zone.name`` tables, CTEs and UNNEST. The tables must equal the declared upstreams, every column must
resolve against them, and the output must equal the declared columns by name and order. ``*`` is allowed, because it
is spelled out from the upstreams' declared columns. ``Table`` calls all of this, so that a wrong name fails at import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import _select
from headwater._literals import literal
from headwater._select_cut import in_step
from headwater.dialects import DIALECTS, dialect_named, identifier, quoted
from headwater.errors import DefinitionError
from headwater.layout import RelationFor, relation_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from headwater.table import Table

__all__ = [
    "RelationFor",
    "insert_select",
    "problems_on",
    "quoted",
    "relation_name",
    "tables_in_step",
    "to_dialect",
    "upstream_names",
    "validate",
]


def upstream_names(sql: str) -> tuple[str, ...]:
    """Return the ``zone.name`` of every table that a SELECT reads, in order of first mention.

    Raises:
        DefinitionError: It is not one SELECT, or names a table in another way.
    """
    try:
        return tuple(_select.relations_read(sql, _select.parse(sql)))
    except _select.SelectError as error:
        raise DefinitionError(f"A SELECT cannot be used: {error.sentence()}") from error


def validate(table: Table) -> None:
    """Check a table's SQL body against its upstreams and columns; a body that is a function passes.

    Raises:
        DefinitionError: Its sentence names the table, the place in the SQL and what is wrong there.
    """
    if isinstance(table.body, str):
        _resolved(table, table.body)


def tables_in_step(table: Table) -> frozenset[str]:
    """Return the upstreams of whose same partition alone each partition is made, as a SQL body shows for certain.

    They have a partition column that equals the table's own in every row; empty without partitions or a SQL body.
    """
    if not isinstance(table.body, str) or table.partitioning is None:
        return frozenset()
    found = in_step(_resolved(table, table.body), table.partitioning.column)
    cut = {(one.name, one.partitioning.column) for one in table.upstreams if one.partitioning is not None}
    return frozenset(name for name, _ in found & cut)


def problems_on(table: Table, dialect: str) -> tuple[str, ...]:
    """Return what keeps a table's SQL body from running on an engine, one sentence each; empty when it can run."""
    if not isinstance(table.body, str):
        return ()
    found = _select.missing_from(table.body, _resolved(table, table.body), dialect_named(dialect))
    return tuple(f"Table {table}: {problem.sentence()}" for problem in found)


def to_dialect(sql: str, dialect: str) -> str:
    """Return a statement of Trino's dialect as another engine's; types are not known, so prefer ``insert_select``.

    Raises:
        DefinitionError: It is not one SELECT, or the engine has no equivalent.
    """
    try:
        return _select.render(_select.parse(sql), dialect_named(dialect))
    except _select.SelectError as error:
        raise DefinitionError(f"A SELECT cannot be used: {error.sentence()}") from error


def insert_select(
    table: Table,
    dialect: str,
    partition_values: Sequence[int | date | str] = (),
    relation_for: RelationFor | None = None,
) -> str:
    """Return the SELECT whose rows an engine inserts into a stage of a table.

    Every output column is cast to its declared type, and only rows of the partitions being written come out.

    Args:
        table: A table with a SQL body.
        dialect: The engine's.
        partition_values: Values of the partition column; empty writes everything.
        relation_for: Names of the upstreams in the engine; ``relation_name`` when absent.

    Raises:
        DefinitionError: The body is not SQL, or the engine cannot run it.
    """
    if not isinstance(table.body, str):
        raise DefinitionError(f"Table {table} has no SQL body; its function runs on Spark.")
    for problem in problems_on(table, dialect):
        raise DefinitionError(problem)
    relations = {up.name: relation_for(up) if relation_for else relation_name(up.id, dialect) for up in table.upstreams}
    outer = _select.parse(f'SELECT {_casts(table)} FROM "__body"{_where(table, partition_values)}')  # noqa: S608 - quoted
    body = _resolved(table, table.body)
    try:
        return _select.render(_select.with_source(outer, "__body", body), dialect_named(dialect), relations)
    except _select.SelectError as error:
        raise DefinitionError(f"Table {table}: {error.sentence()}") from error


def _resolved(table: Table, sql: str) -> _select.Resolved:
    try:
        return _select.validate(
            sql,
            upstreams={upstream.name: upstream.types for upstream in table.upstreams},
            output=table.types,
            engine=table.engine,
        )
    except _select.SelectError as error:
        raise DefinitionError(f"Table {table}: {error.sentence()}") from error


def _cast(table: Table, column: str) -> str:
    return f'CAST("__body".{identifier(column)} AS {DIALECTS["trino"].type_name(table.types[column])})'


def _casts(table: Table) -> str:
    return ", ".join(f"{_cast(table, name)} AS {identifier(name)}" for name in table.column_names)


def _where(table: Table, values: Sequence[int | date | str]) -> str:
    if not values:
        return ""
    if table.partitioning is None:
        raise DefinitionError(f"Table {table} has no partitions, so none of them can be written on its own.")
    column = table.partitioning.column
    wanted = ", ".join(literal(value, table.types[column]) for value in values)
    return f" WHERE {_cast(table, column)} IN ({wanted})"
