"""What a kind of check is, and the kinds that one scan can answer: each promises something of every row by itself.

SQL is written in Trino's dialect and reads ``STAGED``, the rows being written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from headwater._literals import Literal, literal, literal_problem
from headwater.dialects import identifier
from headwater.table import Check, Table
from headwater.words import amount

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BROKEN", "SAMPLE", "STAGED", "InPartition", "InRange", "InSet", "Kind", "Matches", "NotNull", "RowCount"]

# Stands for the staged rows until a plan puts the real relation in its place. No table can have this name, and it is
# as long as the "{table}" of CustomSql, so that places in such a text stay right.
STAGED = "_staged"
# Rows shown of a broken check.
SAMPLE = 10
# Columns that the statements add begin with an underscore, which no table's column does.
BROKEN = '"_broken"'


class Kind(Check):
    """A check that can be asked in SQL: either ``measure``, in one scan with others, or a statement of its own."""

    # Whether no single row keeps or breaks it: the number of rows does.
    whole: ClassVar[bool] = False

    def measure(self, table: Table) -> str:  # noqa: ARG002
        """Return the aggregate that counts broken rows, or nothing when one scan of the rows cannot tell."""
        return ""

    def count(self, table: Table) -> str:
        """Return the statement that counts broken rows as ``_broken``; only asked without a ``measure``."""
        raise NotImplementedError

    def sample(self, table: Table) -> str:
        """Return the statement that shows some of the broken rows."""
        raise NotImplementedError

    def reads(self, table: Table) -> tuple[Table, ...]:  # noqa: ARG002
        """Return the tables that the statements read beside the staged rows."""
        return ()

    def statement(self, table: Table) -> str:
        """Return the statement that names every column which the check reads, of whichever table."""
        return self.count(table)


class _RowKind(Kind):
    """A check that each row keeps or breaks by itself."""

    def broken(self, table: Table) -> str:
        """Return the condition that holds for a broken row."""
        raise NotImplementedError

    def measure(self, table: Table) -> str:
        return f"count_if({self.broken(table)})"

    def sample(self, table: Table) -> str:
        return f"SELECT * FROM {STAGED} WHERE {self.broken(table)} LIMIT {SAMPLE}"  # noqa: S608 - quoted


class _ColumnKind(_RowKind):
    """A row check of one column."""

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def problems(self, table: Table) -> Iterator[str]:
        yield from super().problems(table)
        if self.column in table.types:
            yield from (f"check {self.name!r} cannot hold: {said}." for said in self.misfits(table.types[self.column]))

    def misfits(self, column_type: str) -> Iterator[str]:  # noqa: ARG002
        """Yield why the check cannot be made of a column of a type."""
        yield from ()


@dataclass(frozen=True)
class NotNull(_ColumnKind):
    """The column is never null.

    Args:
        column: The column.
    """

    column: str

    @property
    def name(self) -> str:
        return f"not_null_{self.column}"

    @property
    def promise(self) -> str:
        return f"{self.column} is never null"

    def broken(self, table: Table) -> str:  # noqa: ARG002
        return f"{identifier(self.column)} IS NULL"


@dataclass(frozen=True)
class InSet(_ColumnKind):
    """The column holds one of some values, or null.

    Args:
        column: The column.
        values: Python values of its type.
    """

    column: str
    values: tuple[Literal, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))

    @property
    def name(self) -> str:
        return f"in_set_{self.column}"

    @property
    def promise(self) -> str:
        return f"{self.column} is one of {', '.join(str(value) for value in self.values)}"

    def misfits(self, column_type: str) -> Iterator[str]:
        if not self.values:
            yield "it has no values"
        yield from filter(None, (literal_problem(value, column_type) for value in self.values))

    def broken(self, table: Table) -> str:
        wanted = ", ".join(literal(value, table.types[self.column]) for value in self.values)
        return f"NOT {identifier(self.column)} IN ({wanted})"


@dataclass(frozen=True)
class InPartition(_ColumnKind):
    """Every row belongs to the partitions being written; implied for partitioned tables.

    Args:
        column: The partition column.
        values: The partitions being written; with none, any value will do except null.
    """

    column: str
    values: tuple[Literal, ...] = ()

    @property
    def name(self) -> str:
        return "in_partition"

    @property
    def promise(self) -> str:
        # Of the check, not of one write: who reads the definition and who reads a result read the same.
        return f"{self.column} is that of a partition being written, and never null"

    def broken(self, table: Table) -> str:
        column = identifier(self.column)
        wanted = ", ".join(literal(value, table.types[self.column]) for value in self.values)
        return f"({column} IS NULL OR NOT {column} IN ({wanted}))" if wanted else f"{column} IS NULL"


@dataclass(frozen=True)
class InRange(_ColumnKind):
    """The column lies between two values, both included, or is null; NaN lies outside.

    Args:
        column: A column of numbers, dates or timestamps (of texts: in the order of their code points).
        minimum: None for no lower end.
        maximum: None for no upper end.
    """

    column: str
    minimum: Literal | None = None
    maximum: Literal | None = None

    @property
    def name(self) -> str:
        return f"in_range_{self.column}"

    @property
    def promise(self) -> str:
        if self.minimum is None or self.maximum is None:
            side = "at most" if self.minimum is None else "at least"
            return f"{self.column} is {side} {self.maximum if self.minimum is None else self.minimum}"
        return f"{self.column} is between {self.minimum} and {self.maximum}"

    def misfits(self, column_type: str) -> Iterator[str]:
        ends = [end for end in (self.minimum, self.maximum) if end is not None]
        if not ends:
            yield "give a minimum, a maximum or both"
        misfits = [said for said in (literal_problem(end, column_type) for end in ends) if said]
        yield from misfits
        if not misfits and self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:  # type: ignore[operator]
            yield f"its minimum {self.minimum} is above its maximum {self.maximum}"

    def broken(self, table: Table) -> str:
        column, kind = identifier(self.column), table.types[self.column]
        outside = [f"is_nan({column})"] if kind in {"float", "double"} else []
        if self.minimum is not None:
            outside.append(f"{column} < {literal(self.minimum, kind)}")
        if self.maximum is not None:
            outside.append(f"{column} > {literal(self.maximum, kind)}")
        return f"({' OR '.join(outside)})"


@dataclass(frozen=True)
class Matches(_ColumnKind):
    r"""The column's whole text matches a regular expression, or is null.

    Args:
        column: A string column.
        pattern: In what Python, Java (Spark) and Joni (Trino) share: no named groups, no ``\Z``.
    """

    column: str
    pattern: str

    @property
    def name(self) -> str:
        return f"matches_{self.column}"

    @property
    def promise(self) -> str:
        return f"{self.column} matches {self.pattern}"

    def misfits(self, column_type: str) -> Iterator[str]:
        if column_type != "string":
            yield f"only a string column can match a pattern, and {self.column} is {column_type}"
        if "(?P" in self.pattern or r"\Z" in self.pattern:
            yield "named groups and \\Z mean different things to the engines"
        try:
            re.compile(self.pattern)
        except re.error as error:
            yield f"{self.pattern!r} is no regular expression: {error}"

    def broken(self, table: Table) -> str:  # noqa: ARG002
        # Both engines look for a match anywhere, and $ also matches before a last line break: hence \A and \z.
        whole = literal(rf"\A(?:{self.pattern})\z", "string")
        return f"NOT regexp_like({identifier(self.column)}, {whole})"


@dataclass(frozen=True)
class RowCount(Kind):
    """The number of rows being written lies between two numbers, both included.

    Args:
        minimum: At least so many.
        maximum: At most so many; None for no limit.
    """

    minimum: int = 1
    maximum: int | None = None
    whole = True

    @property
    def name(self) -> str:
        return "row_count"

    @property
    def columns(self) -> tuple[str, ...]:
        return ()

    @property
    def promise(self) -> str:
        most = "" if self.maximum is None else f" and at most {self.maximum}"
        return f"there {'is' if self.minimum == 1 else 'are'} at least {amount(self.minimum, 'row')}{most}"

    def problems(self, table: Table) -> Iterator[str]:
        yield from super().problems(table)
        if self.minimum < 0 or (self.maximum is not None and self.maximum < self.minimum):
            yield f"check {self.name!r} cannot hold: no number lies between {self.minimum} and {self.maximum}."

    def measure(self, table: Table) -> str:  # noqa: ARG002
        misses = [f"{self.minimum} - count(*)", "0"]
        if self.maximum is not None:
            misses.append(f"count(*) - {self.maximum}")
        return f"greatest({', '.join(misses)})"

    def sample(self, table: Table) -> str:  # noqa: ARG002
        return f'SELECT count(*) AS "_rows" FROM {STAGED}'  # noqa: S608
