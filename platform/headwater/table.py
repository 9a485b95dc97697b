"""What a table is: a frozen value that says everything Headwater derives the rest from. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal

from headwater.errors import DefinitionError

__all__ = ["Body", "Check", "Column", "DelimitedFiles", "Partitioning", "Table", "TableName", "Zone"]

Zone = Literal["raw", "partitioned", "curated"]
ZONES: tuple[Zone, ...] = ("raw", "partitioned", "curated")

# A Spark body: one DataFrame per upstream in, by position; one DataFrame out.
Body = Callable[..., Any]

# The primitive types that Iceberg v2, Spark, Trino and Athena all hold without loss.
_TYPE = re.compile(r"^(boolean|int|long|float|double|string|date|timestamp|timestamptz|binary|decimal\(\d{1,2},\d{1,2}\))$")
_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]{0,99}$")
# Names that the write path keeps for itself: rejects and stages of a table.
_RESERVED = re.compile(r"__(rejected|stage_)|__$|^__")


@dataclass(frozen=True, order=True)
class TableName:
    """The one name of a table, the same in every engine and page.

    Args:
        zone: ``raw``, ``partitioned`` or ``curated``; also the database in the metastore.
        name: Lower-case letters, digits and underscores.
    """

    zone: Zone
    name: str

    @classmethod
    def parse(cls, text: str) -> TableName:
        """Read ``zone.name``.

        Raises:
            DefinitionError: It is not a usable name.
        """
        zone, _, name = text.partition(".")
        if zone not in ZONES:
            raise DefinitionError(f"Table {text!r} is in no zone; its name must begin with one of {', '.join(ZONES)}.")
        if not _IDENTIFIER.match(name) or _RESERVED.search(name):
            raise DefinitionError(
                f"Table name {text!r} is not usable; after the zone use lower-case letters, digits and single "
                "underscores, beginning with a letter.",
            )
        return cls(zone, name)

    @property
    def rejected(self) -> TableName:
        """The table that holds this one's rejected rows."""
        return replace(self, name=f"{self.name}__rejected")

    def __str__(self) -> str:
        """Return ``zone.name``."""
        return f"{self.zone}.{self.name}"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One promise about a table's rows; the kinds are in ``headwater.checks``.

    Args:
        blocking: A broken blocking check stops the publish; another is only reported.
    """

    blocking: bool = True

    @property
    def name(self) -> str:
        """A stable name, unique in the table."""
        raise NotImplementedError

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the check reads."""
        raise NotImplementedError


@dataclass(frozen=True)
class Column:
    """One column.

    Args:
        name: Lower-case letters, digits and underscores.
        type: boolean, int, long, float, double, string, date, timestamp, timestamptz, binary or decimal(p,s).
        doc: One line that says what it means, with its unit.
        required: Null is refused; implies a blocking not-null check.
        tags: Such as ``pii``.
    """

    name: str
    type: str
    doc: str
    required: bool = field(default=False, kw_only=True)
    tags: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not _IDENTIFIER.match(self.name):
            raise DefinitionError(f"Column name {self.name!r} is not usable; use lower-case letters, digits and underscores.")
        if not _TYPE.match(self.type):
            raise DefinitionError(f"Column {self.name} has the unknown type {self.type!r}; see headwater.table.Column.")


@dataclass(frozen=True)
class Partitioning:
    """How a table is cut: one identity partition column, one value of it per Dagster partition.

    Args:
        column: The partition column; ``int`` for years, ``date`` for days and months, ``string`` for values.
        by: ``year``, ``month``, ``day`` or ``value``.
        start: First partition, e.g. ``1999``, ``2020-01`` or ``2020-01-31``; not for ``value``.
        values: The partitions of ``value``, in order.
    """

    column: str
    by: Literal["year", "month", "day", "value"]
    start: str = ""
    values: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.by == "value") != bool(self.values) or (self.by != "value") != bool(self.start):
            raise DefinitionError(f"Partitioning by {self.by} of {self.column}: give start for time, values for value.")
        if self.start:
            self.value(self.start)

    @property
    def type(self) -> str:
        """The type that the partition column must have."""
        return {"year": "int", "month": "date", "day": "date", "value": "string"}[self.by]

    @property
    def key_format(self) -> str:
        """The strftime format of a partition key; not for ``value``."""
        return {"year": "%Y", "month": "%Y-%m", "day": "%Y-%m-%d"}[self.by]

    def value(self, key: str) -> int | date | str:
        """Return the partition column's value for a partition key.

        Raises:
            DefinitionError: There is no such partition.
        """
        if self.by == "value":
            if key not in self.values:
                raise DefinitionError(f"{self.column} has no partition {key!r}; it has {', '.join(self.values)}.")
            return key
        try:
            moment = datetime.strptime(key, self.key_format).replace(tzinfo=UTC).date()
        except ValueError as error:
            raise DefinitionError(f"{key!r} is no {self.by} partition; write it like {self.start}.") from error
        return moment.year if self.by == "year" else moment


@dataclass(frozen=True, kw_only=True)
class DelimitedFiles:
    """Where a raw table's rows come from: headerless delimited text, kept byte for byte.

    Args:
        folder: Folder below the project that people drop files into, e.g. ``data/loans``.
        pattern: Regular expression on the file name, fully matched; its group ``key`` is the partition key.
        delimiter: One character.
        variants: Further field counts that a file may have, each with the columns that its fields are.
    """

    folder: str
    pattern: str
    delimiter: str = "|"
    variants: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: columns, partitioning, checks, owner, docs, upstreams and how its rows are made.

    Args:
        name: ``zone.name``.
        doc: What one row is and what the table is for.
        owner: E-mail address or ``team:name``.
        columns: In order.
        upstreams: The tables that the body reads, in the order of its arguments.
        body: One SELECT in Trino's dialect, or a function of Spark DataFrames (one per upstream) that returns one.
        files: For the raw zone, in place of a body.
        engine: ``spark`` or ``trino``; SQL runs on either, a function on Spark.
        partitioning: None for a table that is replaced whole.
        checks: Run on the staged rows before they are published.
        rejects: The body's DataFrame has a string column ``reject_reason``; rows where it is not null go to
            ``NAME__rejected`` with their file, line and text, and only a raw upstream can feed such a table.
        fresh_within_hours: Age of the newest publish after which the table counts as stale.
        tags: Free labels.

    Raises:
        DefinitionError: The declaration contradicts itself; the sentence names the table.
    """

    name: str
    doc: str
    owner: str
    columns: tuple[Column, ...]
    upstreams: tuple[Table, ...] = ()
    body: str | Body | None = field(default=None, repr=False)
    files: DelimitedFiles | None = None
    engine: Literal["spark", "trino"] = "trino"
    partitioning: Partitioning | None = None
    checks: tuple[Check, ...] = ()
    rejects: bool = False
    fresh_within_hours: float | None = None
    tags: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise DefinitionError(f"Table {self.name}: {problem}")

    @cached_property
    def id(self) -> TableName:
        """The parsed name."""
        return TableName.parse(self.name)

    @property
    def zone(self) -> Zone:
        """The table's zone."""
        return self.id.zone

    def column(self, name: str) -> Column:
        """Return a column by name.

        Raises:
            DefinitionError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise DefinitionError(f"Table {self.name} has no column {name!r}; it has {', '.join(self.column_names)}.")

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def __str__(self) -> str:
        """Return ``zone.name``."""
        return self.name


def _problems(table: Table) -> list[str]:
    zone = table.id.zone
    names = table.column_names
    found = [f"column {name!r} is declared twice." for name in sorted({n for n in names if names.count(n) > 1})]
    if not names:
        found.append("it has no columns.")
    if zone == "raw" and (table.files is None or table.body is not None):
        found.append("a raw table has files and no body.")
    if zone != "raw" and (table.files is not None or table.body is None):
        found.append("only a raw table has files; give it a body (SQL text or a function of DataFrames).")
    if callable(table.body) and table.engine != "spark":
        found.append("a function body needs engine='spark'.")
    if table.rejects and (not callable(table.body) or not any(up.zone == "raw" for up in table.upstreams)):
        found.append("rejects=True needs a function body and a raw upstream, whose lines it can reject.")
    return [*found, *_partition_problems(table), *_check_problems(table)]


def _partition_problems(table: Table) -> list[str]:
    cut = table.partitioning
    if cut is None or table.zone == "raw":
        return []
    if cut.column not in table.column_names:
        return [f"it is partitioned by {cut.column!r}, which is not one of its columns."]
    if table.column(cut.column).type != cut.type:
        return [f"partition column {cut.column!r} must be {cut.type} to be cut by {cut.by}."]
    return []


def _check_problems(table: Table) -> list[str]:
    names = [check.name for check in table.checks]
    found = [f"check {name!r} is declared twice." for name in sorted({n for n in names if names.count(n) > 1})]
    for check in table.checks:
        unknown = [name for name in check.columns if name not in table.column_names]
        found += [f"check {check.name!r} reads {name!r}, which is not one of its columns." for name in unknown]
    return found
