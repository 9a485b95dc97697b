"""What Headwater needs of an engine: answer queries, and fill a stage with a table's rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.errors import EngineAway

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    import pyarrow as pa

    from headwater.dialects import Dialect
    from headwater.table import Table, TableName

__all__ = ["Engine", "RawFile", "StageJob", "as_text", "insert_statement", "pointed", "same_cut", "unreachable"]


@dataclass(frozen=True, kw_only=True)
class RawFile:
    """One file of a raw table, as the loader met it.

    Args:
        uri: Where it lies.
        name: Its name when it arrived.
        lines: Its lines, empty ones too.
        fields: How many fields its lines have; lines with another number are malformed.
        value: The value of the partition it belongs to; None without partitions.
    """

    uri: str
    name: str
    lines: int
    fields: int
    value: int | date | str | None = None


@dataclass(frozen=True, kw_only=True)
class StageJob:
    """What an engine has to compute.

    Args:
        table: The definition.
        stage: The table that takes the good rows.
        rejects: The table that takes the rejected ones, where the definition has any.
        values: The partition values wanted; empty for a table that is replaced whole.
        raw: The files of every raw upstream, by table name.
    """

    table: Table
    stage: TableName
    rejects: TableName | None = None
    values: Sequence[int | date | str] = ()
    raw: Mapping[str, tuple[RawFile, ...]] = field(default_factory=dict)


class Engine(ABC):
    """An engine. It only ever writes stages; publishing is the same for all of them."""

    @property
    @abstractmethod
    def dialect(self) -> Dialect:
        """The SQL it speaks."""

    @abstractmethod
    def arrow(self, sql: str) -> pa.Table:
        """Run one statement in the engine's dialect and return its rows.

        Raises:
            QueryError: The engine refused or failed it; the sentence names the place.
        """

    @abstractmethod
    def batches(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run one statement and return the shape of its rows, and the rows in pieces that fit into memory.

        Raises:
            QueryError: The engine refused or failed it, at once or while rows come.
        """

    def texts(self, sql: str) -> tuple[list[str], list[list[str | None]]]:
        """Run one statement that returns few rows, and return names and values as text, to be looked at.

        Raises:
            QueryError: The engine refused or failed it.
        """
        found = self.arrow(sql)
        rows = [[as_text(value) for value in row.values()] for row in found.to_pylist()]
        return list(found.column_names), rows

    @abstractmethod
    def stage(self, job: StageJob) -> None:
        """Compute a table's rows and append them to its stage, in the declared types.

        Raises:
            QueryError: The engine refused or failed it, e.g. a value did not fit its declared type.
            WriteError: The body returned something that cannot become the table.
        """

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column name.

        Raises:
            QueryError: The engine refused or failed it.
        """
        found: list[dict[str, Any]] = self.arrow(sql).to_pylist()
        return found


def as_text(value: object) -> str | None:
    """Return a value as people read it; bytes in hexadecimal."""
    return value.hex() if isinstance(value, bytes) else None if value is None else str(value)


# Trino's answer to a login before it has read its passwords.
_STARTING = "authenticators were not loaded"


def unreachable(engine: str, address: str, why: object) -> EngineAway:
    """Return the error of an engine that cannot be asked.

    Args:
        engine: Its name for people.
        address: ``host:port``.
        why: What happened.
    """
    if isinstance(why, ConnectionRefusedError) or "Connection refused" in str(why):
        return EngineAway(f"{engine} at {address} is not running; start the box with `headwater up`.")
    if _STARTING in str(why):
        return EngineAway(f"{engine} at {address} is still starting; `headwater status` says when it is ready.")
    return EngineAway(f"{engine} at {address} did not answer: {why}. See `headwater status`.")


def same_cut(one: Table, other: Table) -> bool:
    """Return whether a partition of one table is made from the same partition of the other."""
    mine, theirs = one.partitioning, other.partitioning
    return mine is not None and theirs is not None and (mine.column, mine.by) == (theirs.column, theirs.by)


def insert_statement(job: StageJob, dialect: str) -> str:
    """Return the INSERT that fills a stage from a SQL body, in an engine's dialect."""
    from headwater.sqlbody import insert_select, quoted, relation_name  # noqa: PLC0415 - sqlglot is slow to import

    columns = ", ".join(quoted(name, dialect) for name in job.table.column_names)
    select = insert_select(job.table, dialect, job.values)
    return f"INSERT INTO {relation_name(job.stage, dialect)} ({columns})\n{select}"


def pointed(sql: str, line: int, column: int) -> str:
    """Return the line of a statement that an error is about, with a mark under the place (both count from 1).

    >>> print(pointed("SELECT wrong FROM here", 1, 8))
      SELECT wrong FROM here
             ^
    """
    lines = sql.splitlines()
    if not 1 <= line <= len(lines):
        return ""
    return f"  {lines[line - 1]}\n  {' ' * (column - 1)}^"
