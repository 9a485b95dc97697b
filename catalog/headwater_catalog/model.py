"""What the catalog knows: tables, columns, edges and runs, as frozen values. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from headwater_catalog.knowledge import Knowledge

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

__all__ = [
    "FRESHNESS",
    "LOADS",
    "READS",
    "VALUE_KINDS",
    "WHOLE_TABLE",
    "Alias",
    "ColumnEdge",
    "ColumnFacts",
    "Kind",
    "Lineage",
    "Origin",
    "Partaking",
    "Promise",
    "RunFacts",
    "TableFacts",
    "View",
    "decides_rows",
    "first_mentions",
    "how_in_words",
    "strongest",
]

# Facets of our own: what a run read, with snapshots and loads; what a raw table shows, with its files.
READS, LOADS = "headwater_reads", "headwater_loads"

# What a table with runs is, by its definition and by what it is made of.
FRESHNESS = ("fresh", "stale")
# Stands for the target's rows as a whole, where a column decides which rows there are rather than what they hold.
WHOLE_TABLE = ""


class Kind(StrEnum):
    """What one column does to another, values first, the weakest first.

    The last three decide which rows count, not what values are made of: a window for one column, the others for all.
    """

    COPIED = "copied"
    TRANSFORMED = "transformed"
    AGGREGATED = "aggregated"
    WINDOW = "window"
    FILTER = "filter"
    JOIN = "join"


class Origin(StrEnum):
    """Who says so: a definition, SQL text that was read, or an engine that ran it."""

    DECLARED = "declared"
    PARSED = "parsed"
    OBSERVED = "observed"


# Those that make values.
VALUE_KINDS = (Kind.COPIED, Kind.TRANSFORMED, Kind.AGGREGATED)


def strongest(*kinds: Kind) -> Kind:
    """Return what a chain of value kinds amounts to: one aggregation on the way makes the whole an aggregation."""
    return max(kinds, key=VALUE_KINDS.index)


def decides_rows(kind: str, target_column: str) -> bool:
    """Return whether an edge decides which rows count, and makes no value."""
    return target_column == WHOLE_TABLE or kind not in VALUE_KINDS


def how_in_words(kind: str, target_column: str) -> str:
    """Return what an edge does as people read it: ``copied``, or ``filter only`` where it decides about rows alone.

    >>> how_in_words("aggregated", "loans"), how_in_words("aggregated", "")
    ('aggregated', 'group only')
    """
    if not decides_rows(kind, target_column):
        return kind
    return f"{'group' if kind == Kind.AGGREGATED else kind} only"


@dataclass(frozen=True, order=True)
class ColumnEdge:
    """One column's influence on another.

    Args:
        source: The read table, as the statement or event names it.
        source_column: Its column.
        target_column: The written column, or ``WHOLE_TABLE``.
        kind: What is done.
    """

    source: str
    source_column: str
    target_column: str
    kind: Kind


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What one statement reads and writes.

    Args:
        target: The written table; empty for a query.
        sources: The read tables, in order of first mention.
        columns: Influence of column on column.
        outputs: The written columns, in order; empty where a star hides them.
        problem: Why column lineage is missing or incomplete; empty when it is whole.
        view: The target is a view, so no row was written.
    """

    target: str
    sources: tuple[str, ...]
    columns: frozenset[ColumnEdge] = frozenset()
    outputs: tuple[str, ...] = ()
    problem: str = ""
    view: bool = False


@dataclass(frozen=True)
class ColumnFacts:
    """One column as somebody describes it.

    Args:
        name: Its name.
        type: Its type, in the words of whoever describes it.
        doc: What it means.
        tags: Such as ``pii``.
    """

    name: str
    type: str = ""
    doc: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Promise:
    """A check that a definition declares.

    Args:
        name: Its name, unique in the table.
        columns: The columns that it is about; empty when it is about whole rows.
        promise: What holds when it passes, in words.
        blocking: Whether a failure stops the publish.
        reads: Table and column of all that it reads, its own table's too; the empty column where only the table is
            known.
    """

    name: str
    columns: tuple[str, ...] = ()
    promise: str = ""
    blocking: bool = True
    reads: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """One table as its definition describes it, or what stands before or behind tables.

    Args:
        name: ``zone.name``; ``files:``, ``chart:`` or ``dashboard:`` and a name for the other kinds.
        kind: ``table``, ``files`` for what a raw table is loaded from, ``dataset`` for a query that is saved in
            Superset, ``chart`` or ``dashboard``.
        title: What people call it, where that is not its name.
        url: Its page elsewhere, if it has one.
        doc: What one row is.
        owner: E-mail address or ``team:name``.
        domain: What it belongs to.
        tags: Free labels.
        columns: In order.
        lineage: What it is made of, by who says so.
        promises: Its checks.
        place: File and line of the definition.
        code: The body: SQL text, or empty.
        fresh_within_hours: Age of the newest write after which it counts as stale; None when any age will do.
        revision: The git commit that last changed the definition's file; empty where it is not in one.
        revised_at: When that was.
        uncommitted: Whether the file lies in a git repository and is not as it was then.
    """

    name: str
    kind: str = "table"
    title: str = ""
    url: str = ""
    doc: str = ""
    owner: str = ""
    domain: str = ""
    tags: tuple[str, ...] = ()
    columns: tuple[ColumnFacts, ...] = ()
    lineage: tuple[tuple[Origin, Lineage], ...] = ()
    promises: tuple[Promise, ...] = ()
    place: str = ""
    code: str = ""
    fresh_within_hours: float | None = None
    revision: str = ""
    revised_at: datetime | None = None
    uncommitted: bool = False


@dataclass(frozen=True)
class Alias:
    """Another name of a table, by which another system knows it.

    Args:
        name: ``zone.name``.
        text: Such as ``superset:12``.
    """

    name: str
    text: str


@dataclass(frozen=True)
class View:
    """A table or view that a statement names and no event does.

    Args:
        columns: In order.
        tables: What a view is made of in the end, by their normal names; a table is made of itself.
    """

    columns: Sequence[str]
    tables: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Partaking:
    """A table's part in a run.

    Args:
        aliases: All names that the event gives it, the best first.
        snapshot: The Iceberg snapshot that was read or written; empty when the event does not say.
        rows: Rows written, if said.
        bytes: Bytes written, if said.
        columns: Its columns, if said.
        knowledge: How its checks came out, how large it is, and what its columns hold, if said.
    """

    aliases: tuple[str, ...]
    snapshot: str = ""
    rows: int | None = None
    bytes: int | None = None
    columns: tuple[ColumnFacts, ...] = ()
    knowledge: Knowledge = field(default_factory=Knowledge)


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """One run of one job, as all its events together tell it.

    Args:
        run: Its id.
        job: Namespace and name.
        state: The last state told: START, RUNNING, COMPLETE, ABORT, FAIL or OTHER.
        began: The first event's time.
        ended: The last event's time, once the run is over.
        engine: What ran it, e.g. ``spark 4.1.3``.
        parent: The run that this one belongs to; empty without.
        partition: The Dagster partition; empty without.
        sql: The statement, if told.
        error: Why it failed, if told.
        inputs: What was read, by the name of ``edges``.
        outputs: What was written, by the name of ``edges``.
        edges: Column lineage by written table.
        changes: Tables created, dropped or renamed, the name before, and when.
        last: The last event's time.
        effective: It has written something: it is complete, or a stream that runs.
    """

    run: str
    job: tuple[str, str]
    state: str
    began: datetime
    last: datetime
    ended: datetime | None = None
    engine: str = ""
    parent: str = ""
    partition: str = ""
    sql: str = ""
    error: str = ""
    inputs: dict[str, Partaking] = field(default_factory=dict)
    outputs: dict[str, Partaking] = field(default_factory=dict)
    edges: dict[str, frozenset[ColumnEdge]] = field(default_factory=dict)
    changes: tuple[tuple[str, Partaking, str, datetime], ...] = ()
    effective: bool = False


def first_mentions(names: Iterable[str]) -> Sequence[str]:
    """Return names without repetition, in order of first mention."""
    return tuple(dict.fromkeys(names))
