"""The one write path: stage, check, publish.

``write`` has a table's engine fill a stage, runs the checks on the staged rows, and publishes them by one commit of
metadata; readers see the old rows or the new ones. ``load_raw`` does the same for files: they are stored beside the old
ones, verified, and shown by one change of the metastore; ``begin_file_load`` for what ``headwater.ingest`` makes. A run
that fails or is killed leaves the table as it was, and the next write of the table removes what it left. ``maintain``
puts small files together, expires snapshots and removes what nothing reads, beside any of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from pyiceberg.table import Table as IcebergTable

    from headwater.checks import CheckResult
    from headwater.keep import Keep
    from headwater.profiles import ColumnProfile
    from headwater.stack import Stack
    from headwater.table import Table, TableName
    from headwater.write._ingested import FileLoad
    from headwater.write._rejects import Rejects

__all__ = [
    "SAFE_AGE",
    "LoadedFile",
    "Maintained",
    "Published",
    "RawState",
    "Read",
    "TableState",
    "Upkeep",
    "WrittenPartition",
    "begin_file_load",
    "disturbed",
    "ingested_table",
    "load_raw",
    "maintain",
    "rejects",
    "upkeeps",
    "write",
]

# A file that no snapshot reads may belong to a statement that somebody typed and that is still running.
SAFE_AGE = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class LoadedFile:
    """One file of a load, as it arrived.

    Args:
        name: Its name.
        size: Its bytes.
        sha256: Their digest.
        lines: Its lines, empty ones too; None where nobody counted them.
    """

    name: str
    size: int
    sha256: str
    lines: int | None = None


@dataclass(frozen=True, kw_only=True)
class RawState:
    """What a partition of a raw table shows.

    Args:
        partition: The partition key; empty without partitions.
        location: Folder of the load, with a closing slash.
        files: The load's files; empty where only its reader tells of it.
    """

    partition: str
    location: str
    files: tuple[LoadedFile, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a write read of one upstream.

    Args:
        table: The upstream's ``zone.name``.
        snapshot_id: The snapshot; None of a raw table, and where another took its place while the rows were computed.
        loads: What a raw table showed, of the partitions that count; empty likewise.
        partitions: The partition keys that were read; empty for all of them.
    """

    table: str
    snapshot_id: int | None = None
    loads: tuple[RawState, ...] = ()
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class WrittenPartition:
    """One partition as a write left it.

    Args:
        key: Its key; empty for a table without partitions.
        rows: Its rows; lines in the raw zone.
        files: Its data files.
        bytes: Their size.
        profile: What its columns hold; None when nobody looked.
    """

    key: str
    rows: int
    files: int
    bytes: int
    profile: Mapping[str, ColumnProfile] | None = None


@dataclass(frozen=True, kw_only=True)
class TableState:
    """The whole table as a write left it, as its metadata say.

    Args:
        rows: All its rows; None where the metadata do not say.
        files: All its data files.
        bytes: Their size.
        operation: What the commit did, in Iceberg's words.
        snapshots: Ids of the newest snapshots that can still be read, the newest first.
        oldest: When the oldest of all of them was made.
    """

    rows: int | None
    files: int | None
    bytes: int | None
    operation: str
    snapshots: tuple[int, ...]
    oldest: datetime


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a write did.

    Args:
        table: The table's ``zone.name``.
        snapshot_id: The Iceberg snapshot that holds the rows; None in the raw zone.
        rows: Rows written; lines in the raw zone.
        rejected: Rows that went to the rejects table.
        files: Data files written.
        bytes: Their size.
        partitions: The partition keys that were replaced; empty for a table that is replaced whole.
        checks: Every check's result, of those that only report too.
        seconds: Time by phase.
        changed: False when the files in the raw zone were already there.
        warnings: Sentences on what somebody should look at although it was published.
        written: The partitions that were replaced, one without a key for a table that was replaced whole.
        state: The whole table since; None in the raw zone.
        reads: What it was made of.
        loads: What the partitions of a raw table show since.
        spent: What engines that are billed took, by what it is, e.g. ``athena/dollars``.
    """

    table: str
    snapshot_id: int | None
    rows: int
    rejected: int = 0
    files: int
    bytes: int
    partitions: tuple[str, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    changed: bool = True
    warnings: tuple[str, ...] = ()
    written: tuple[WrittenPartition, ...] = ()
    state: TableState | None = None
    reads: tuple[Read, ...] = ()
    loads: tuple[RawState, ...] = ()
    spent: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """A table that can be maintained.

    Args:
        name: The table.
        home: The table whose leases speak for it: itself, or the one whose rejected rows it holds.
        keep: What it keeps of its past.
        files: Its definition, where it shows delimited files as they came; None for an Iceberg table.
        declared: A definition names it; the others were ingested, or made by hand.
    """

    name: TableName
    home: TableName
    keep: Keep
    files: Table | None = None
    declared: bool = True


@dataclass(frozen=True, kw_only=True)
class Maintained:
    """What maintaining a table did, or would do.

    Args:
        table: The table.
        files: How many files the table showed before, and shows after.
        bytes: Their size, likewise.
        expired: Snapshots that were forgotten.
        removed: Objects that were removed: of expired snapshots, of former loads, and what nothing ever read.
        removed_bytes: Their size.
        snapshots: The snapshots that show compacted files.
        notes: What was left alone, and why.
    """

    table: TableName
    files: tuple[int, int]
    bytes: tuple[int, int]
    expired: int = 0
    removed: int = 0
    removed_bytes: int = 0
    snapshots: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def _silent(message: str) -> None:
    del message


def write(
    table: Table,
    stack: Stack,
    *,
    run: str,
    partitions: Sequence[str] = (),
    log: Callable[[str], None] = _silent,
) -> Published:
    """Compute a table's rows, check them, and publish them in place of the old ones.

    The same call again gives the same table; other partitions stay as they are.

    Args:
        table: A table of the partitioned or curated zone.
        stack: What to compute and keep it with.
        run: Who writes; kept in the snapshot. A retry may come with the same id.
        partitions: The partition keys to replace; empty for a table without partitions.
        log: Told what happens, one line each.

    Raises:
        CheckFailed: A blocking check failed on the new rows.
        RowsLost: Lines of the raw files are neither among the good rows nor among the rejected ones.
        PublishConflict: Other writers kept changing the table.
        WriteError: The rows cannot be published for another reason.
        EvolutionError: The definition changed in a way that the existing table cannot follow.
        QueryError: The engine failed.
        MetastoreError: The metastore failed.
        StorageError: The object store failed.
    """
    from headwater.write._run import Attempt  # noqa: PLC0415 - PyIceberg is slow to import

    return Attempt.begin(table, stack, run=run, partitions=partitions, log=log).finish()


def load_raw(
    table: Table,
    stack: Stack,
    *,
    run: str,
    partitions: Sequence[str] = (),
    log: Callable[[str], None] = _silent,
) -> Published:
    """Store a raw table's files byte for byte and show them in place of those that it showed.

    A file that was loaded and is gone from the folder takes its rows with it, which is a warning of the load.

    Args:
        table: A table of the raw zone.
        stack: What to keep it with.
        run: Who loads.
        partitions: The partition keys to load; empty for a table without partitions.
        log: Told what happens, one line each.

    Raises:
        InputError: Something in the folder has the name of a file and is none.
        WriteError: There are no files of a partition, one has another number of fields than declared, or one is
            empty that had lines before.
        MetastoreError: The metastore failed.
        StorageError: The object store failed.
    """
    from headwater.write._raw import Arrival  # noqa: PLC0415

    return Arrival.begin(table, stack, run=run, partitions=partitions, log=log).finish()


def disturbed(table: Table, stack: Stack, published: Mapping[str, int | None]) -> dict[str, str]:
    """Return why partitions do not hold any more what was published, by partition key; only those that do not.

    Args:
        table: Any table of a project.
        stack: Where it is kept.
        published: By partition key ("" without partitions), the snapshot of its last publish; None in the raw zone.

    Raises:
        MetastoreError: The metastore failed.
    """
    from headwater.write._standing import disturbed as found  # noqa: PLC0415 - PyIceberg is slow to import

    return found(table, stack, published)


def begin_file_load(name: TableName, stack: Stack, *, run: str, log: Callable[[str], None] = _silent) -> FileLoad:
    """Return a load of an ingested table, to be filled and published inside a ``with``.

    Args:
        name: A table of the raw zone that no definition declares.
        stack: What to keep it with.
        run: Who loads.
        log: Told what happens, one line each.
    """
    from headwater.write._ingested import FileLoad  # noqa: PLC0415 - PyIceberg is slow to import

    return FileLoad.begin(name, stack, run=run, log=log)


def ingested_table(stack: Stack, name: TableName) -> IcebergTable | None:
    """Return an ingested table as it is now, or None when nothing has that name.

    Raises:
        WriteError: Something else has the name.
        MetastoreError: The metastore failed.
    """
    from headwater.write._ingested import ingested_table as found  # noqa: PLC0415 - PyIceberg is slow to import

    return found(stack, name)


def rejects(name: TableName, stack: Stack, *, log: Callable[[str], None] = _silent) -> Rejects:
    """Return the rejected rows of an ingested table: to be kept before a load is published, and shown after it.

    Args:
        name: The table whose loads reject them.
        stack: What it is kept with.
        log: Told what happens, one line each.
    """
    from headwater.write._rejects import Rejects  # noqa: PLC0415 - PyIceberg is slow to import

    return Rejects(name=name, stack=stack, log=log)


def upkeeps(stack: Stack, tables: Sequence[Table]) -> list[Upkeep]:
    """Return every table of the lake that can be maintained, by name.

    Args:
        stack: Where they lie.
        tables: A project's tables; the others keep what ``Keep`` keeps by default.

    Raises:
        MetastoreError: The metastore failed.
    """
    from headwater.write._maintain import upkeeps as found  # noqa: PLC0415 - PyIceberg is slow to import

    return found(stack, tables)


def maintain(
    upkeep: Upkeep,
    stack: Stack,
    *,
    dry_run: bool = False,
    safe_age: timedelta = SAFE_AGE,
    now: datetime | None = None,
    log: Callable[[str], None] = _silent,
) -> Maintained:
    """Put a table's small files together, expire its old snapshots, and remove what nothing reads any more.

    Readers and writers go on meanwhile: no row is lost or doubled. A killed call leaves nothing that the next one, or
    the next write, does not remove.

    Args:
        upkeep: The table.
        stack: What it is kept with.
        dry_run: Say what would be done; how many files come out of compaction is an estimate.
        safe_age: What is younger is never garbage.
        now: The time that ages count from; None for the present.
        log: Told what happens.

    Raises:
        PublishConflict: Other writers kept changing the table.
        QueryError: The engine that copies failed.
        MetastoreError: The metastore failed.
        StorageError: The object store failed.
    """
    from headwater.write._maintain import Housekeeping  # noqa: PLC0415 - PyIceberg is slow to import

    return Housekeeping(upkeep=upkeep, stack=stack, dry_run=dry_run, safe_age=safe_age, now=now, log=log).finish()
