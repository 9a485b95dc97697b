"""What a table is: a frozen value that says everything Headwater derives the rest from. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, Literal

from headwater.errors import DefinitionError
from headwater.keep import Keep

__all__ = ["Body", "Check", "Column", "DelimitedFiles", "Partitioning", "Table", "TableName", "Zone", "is_owner"]

Zone = Literal["raw", "partitioned", "curated"]
ZONES: tuple[Zone, ...] = ("raw", "partitioned", "curated")

# A Spark body: one DataFrame per upstream in, by position; one DataFrame out.
Body = Callable[..., Any]

# The primitive types that Iceberg v2, Spark, Trino and Athena all hold without loss.
_SIMPLE_TYPES = ("boolean", "int", "long", "float", "double", "string", "date", "timestamp", "timestamptz", "binary")
_TYPE = re.compile(rf"^({'|'.join(_SIMPLE_TYPES)}|decimal\(\d{{1,2}},\d{{1,2}}\))$")
_IDENTIFIER = re.compile(r"^[a-z][a-z0-9_]{0,99}$")
# Leaves room for "__rejected" and "__stage_<token>" within the metastore's 128 characters.
_MAX_TABLE_NAME = 90
_OWNER = re.compile(r"^(team:[^\s@]+|[^\s@:]+@[^\s@]+)$")
# Names that the write path keeps for itself: rejects and stages of a table.
_RESERVED = re.compile(r"__(rejected|stage_)|__$|^__")


def is_owner(text: str) -> bool:
    """Return whether a text is an owner: an e-mail address or ``team:name``."""
    return _OWNER.match(text) is not None


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
        if not _IDENTIFIER.match(name) or _RESERVED.search(name) or len(name) > _MAX_TABLE_NAME:
            raise DefinitionError(
                f"Table name {text!r} is not usable; after the zone use lower-case letters, digits and single "
                f"underscores, beginning with a letter, {_MAX_TABLE_NAME} at most.",
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

    @property
    def promise(self) -> str:
        """What holds when the check passes, in words."""
        return self.name

    def problems(self, table: Table) -> Iterator[str]:
        """Yield what makes the check impossible on a table, as sentences for whoever declares it."""
        for name in self.columns:
            if name not in table.types:
                yield f"check {self.name!r} reads {name!r}, which is not one of its columns."


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
            raise DefinitionError(
                f"Column name {self.name!r} is not usable; use lower-case letters, digits and underscores."
            )
        if not _TYPE.match(self.type):
            known = ", ".join((*_SIMPLE_TYPES, "decimal(p,s)"))
            raise DefinitionError(f"Column {self.name} has the unknown type {self.type!r}; there are {known}.")


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One table: columns, partitioning, checks, owner, docs, upstreams and how its rows are made.

    Two tables are equal when their names are: a name exists once.

    Args:
        name: ``zone.name``.
        doc: What one row is and what the table is for.
        owner: E-mail address or ``team:name``.
        columns: In order.
        upstreams: The tables that the body reads, in the order of its arguments.
        body: One SELECT in Trino's dialect, or a function of Spark DataFrames (one per upstream) that returns one.
        files: For the raw zone, in place of a body. Every column of such a table is ``string``, the text of its field,
            and the partition column is one more, beside the declared ones.
        engine: ``spark`` or ``trino``; SQL runs on either, a function on Spark.
        partitioning: None for a table that is replaced whole.
        checks: Run on the staged rows before they are published.
        rejects: The body's DataFrame has a string column ``reject_reason``; rows where it is not null go to
            ``NAME__rejected`` with their file, line and text, and only a raw upstream can feed such a table.
        fresh_within_hours: Age of the newest publish after which the table counts as stale.
        keep: How long former states stay readable; in the raw zone, how long former loads of files stay in the lake.
        tags: Free labels.
        profiled: Every write also asks its engine for distinct values, histograms and frequent texts of its rows; nulls
            and ranges are known without.

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
    keep: Keep = field(default_factory=Keep)
    tags: tuple[str, ...] = ()
    profiled: bool = False

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise DefinitionError(f"Table {self.name}: {problem}")
        if isinstance(self.body, str):
            _check_sql(self, self.body)

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, Table) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

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

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The type of every column that a query can read, by name; in a raw table the partition column comes last."""
        types = {column.name: column.type for column in self.columns}
        if self.zone == "raw" and self.partitioning is not None:
            types[self.partitioning.column] = self.partitioning.type
        return types

    def __str__(self) -> str:
        """Return ``zone.name``."""
        return self.name


def _problems(table: Table) -> Iterator[str]:
    zone = table.id.zone
    names = table.column_names
    if not names:
        yield "it has no columns."
    yield from (f"column {name!r} is declared twice." for name in _twice(names))
    if not is_owner(table.owner):
        yield f"its owner is {table.owner!r}; give an e-mail address or team:name."
    if not table.doc.strip():
        yield "it has no doc; say what one row is."
    if table.fresh_within_hours is not None and table.fresh_within_hours <= 0:
        yield f"fresh_within_hours is {table.fresh_within_hours}; give hours above 0."
    if not isinstance(table.keep, Keep):
        yield f"its keep is {table.keep!r}; give a Keep, such as Keep(days=30)."
    yield from _raw_problems(table) if zone == "raw" else _body_problems(table)
    yield from (f"check {name!r} is declared twice." for name in _twice([check.name for check in table.checks]))
    for check in table.checks:
        yield from check.problems(table)


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _raw_problems(table: Table) -> Iterator[str]:
    if table.files is None or table.body is not None or table.upstreams:
        yield "a raw table has files, and neither a body nor upstreams."
        return
    for column in table.columns:
        if column.type != "string":
            yield (
                f"column {column.name!r} is {column.type}, but a raw table keeps its files' text: declare it string "
                "and give it its type in the table that reads this one."
            )
    cut = table.partitioning
    if cut is not None and cut.column in table.column_names:
        yield f"partition column {cut.column!r} comes from where a file lies; take it out of the columns."
    yield from _file_problems(table.files, table)


def _file_problems(files: DelimitedFiles, table: Table) -> Iterator[str]:
    if len(files.delimiter) != 1 or files.delimiter in "\r\n":
        yield f"its delimiter is {files.delimiter!r}; give one character."
    try:
        groups = re.compile(files.pattern).groupindex
    except re.error as error:
        yield f"its file pattern {files.pattern!r} is no regular expression: {error}."
        return
    if table.partitioning is not None and "key" not in groups:
        yield f"its file pattern {files.pattern!r} has no group (?P<key>...), which names a file's partition."
    for variant in files.variants:
        yield from (
            f"a file variant names {name!r}, which is not one of its columns."
            for name in variant
            if name not in table.column_names
        )
        if len(variant) == len(table.columns):
            yield f"a file variant has {len(variant)} fields, as many as the table; it could not be told apart."
    if _twice([str(len(variant)) for variant in files.variants]):
        yield "two file variants have the same number of fields; they could not be told apart."


def _body_problems(table: Table) -> Iterator[str]:
    if table.files is not None or table.body is None:
        yield "only a raw table has files; give it a body (SQL text or a function of DataFrames)."
    if callable(table.body) and table.engine != "spark":
        yield "a function body needs engine='spark'."
    if table.rejects and (not callable(table.body) or not any(up.zone == "raw" for up in table.upstreams)):
        yield "rejects=True needs a function body and a raw upstream, whose lines it can reject."
    for name in _twice([upstream.name for upstream in table.upstreams]):
        yield f"upstream {name} is declared twice."
    if table in table.upstreams:
        yield "it is its own upstream."
    cut = table.partitioning
    if cut is not None and cut.column not in table.column_names:
        yield f"it is partitioned by {cut.column!r}, which is not one of its columns."
    elif cut is not None and table.column(cut.column).type != cut.type:
        yield f"partition column {cut.column!r} must be {cut.type} to be cut by {cut.by}."


def _check_sql(table: Table, sql: str) -> None:
    from headwater import _select, _source  # noqa: PLC0415 - sqlglot is only for tables with SQL

    try:
        _select.validate(
            sql,
            upstreams={upstream.name: upstream.types for upstream in table.upstreams},
            output={column.name: column.type for column in table.columns},
            engine=table.engine,
        )
    except _select.SelectError as error:
        place = _source.place_of(sql, error.line, sys._getframe())  # noqa: SLF001 - who declared the table
        raise DefinitionError(f"Table {table.name}: {error.sentence(place)}") from error
