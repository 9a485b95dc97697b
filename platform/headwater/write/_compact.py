"""Compaction: many small files, and files with deleted rows, become few whole ones, by the same path as every write.

An engine copies the files' rows into a stage under a lease, and one commit of metadata puts the copies in their place.
What is copied is named by file, and files never change: so a commit that finds every one of them still read, and no
new deletes on them, has the very rows in its stage. Otherwise somebody has written meanwhile, and the copy is dropped.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg.manifest import DataFileContent
from pyiceberg.table.metadata import TableMetadataV2
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update.snapshot import _OverwriteFiles

from headwater import layout
from headwater.errors import HeadwaterError, WriteError
from headwater.write._fence import Unchanged, discard, fence_and_discard
from headwater.write._iceberg import live_entries, load
from headwater.write._lease import Lease
from headwater.write._publish import Publication
from headwater.write._stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyiceberg.manifest import DataFile, ManifestEntry
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table import Transaction

    from headwater.stack import Stack
    from headwater.table import TableName
    from headwater.write._stage import Staged

__all__ = ["Batch", "Compaction", "batches", "files_after"]

# A file below this is small; so many small ones in a partition are worth a copy.
SMALL = 32 * 1024**2
FEWEST = 5
# About as large as the files that come out, for the estimate.
_GOAL = 128 * 1024**2
# The most that one statement and one commit take.
_FILES, _PARTITIONS, _BYTES = 500, 50, 8 * 1024**3
# What copies: SQL that names files.
_ENGINE = "trino"


@dataclass(frozen=True)
class Batch:
    """Files that one commit replaces.

    Args:
        files: The files, whole partitions' worth of small ones.
        base: The snapshot that read them when they were chosen.
        deletes: That snapshot's sequence number; what deletes rows later has a higher one.
        exact: No row of theirs is deleted, so their copy has as many rows as they say.
    """

    files: tuple[DataFile, ...]
    base: int
    deletes: int
    exact: bool


def batches(table: IcebergTable) -> list[Batch]:
    """Return what is worth compacting in a table as it is, in the order of its partitions.

    Files that are cut by former partitions stay: their copy would be of another cut. So do tables of other versions of
    the format: 1 does not number its commits, and a copy by SQL would lose the row ids of 3.
    """
    snapshot, metadata = table.current_snapshot(), table.metadata
    if snapshot is None or not isinstance(metadata, TableMetadataV2):
        return []
    entries = list(live_entries(table))
    deletes = _Deletes(table, entries)
    groups: dict[str, list[ManifestEntry]] = {}
    for entry in entries:
        file = entry.data_file
        if file.content == DataFileContent.DATA and file.spec_id == metadata.default_spec_id:
            groups.setdefault(repr(file.partition), []).append(entry)
    chosen = [_worth_it(group, deletes) for _, group in sorted(groups.items())]
    base, last = snapshot.snapshot_id, metadata.last_sequence_number
    return [
        Batch(tuple(one.data_file for one in taken), base, last, exact=not any(map(deletes.hit, taken)))
        for taken in _packed([group for group in chosen if group])
    ]


def files_after(batch: Batch) -> int:
    """Return about how many files a batch becomes."""
    sizes: dict[str, int] = {}
    for file in batch.files:
        sizes[repr(file.partition)] = sizes.get(repr(file.partition), 0) + file.file_size_in_bytes
    return sum(-(-size // _GOAL) for size in sizes.values())


class _Deletes:
    """Which data files may have rows that delete files take away."""

    def __init__(self, table: IcebergTable, entries: Iterable[ManifestEntry]) -> None:
        self._last: dict[str, int] = {}
        whole = {spec for spec, one in table.specs().items() if one.is_unpartitioned()}
        for entry in entries:
            if entry.data_file.content != DataFileContent.DATA:
                place = "" if entry.data_file.spec_id in whole else repr(entry.data_file.partition)
                self._last[place] = max(self._last.get(place, 0), entry.sequence_number or 0)

    def hit(self, entry: ManifestEntry) -> bool:
        last = max(self._last.get("", -1), self._last.get(repr(entry.data_file.partition), -1))
        return last >= (entry.sequence_number or 0)


def _worth_it(group: Sequence[ManifestEntry], deletes: _Deletes) -> list[ManifestEntry]:
    small = [entry for entry in group if entry.data_file.file_size_in_bytes < SMALL]
    return [entry for entry in group if deletes.hit(entry) or (len(small) >= FEWEST and entry in small)]


def _packed(groups: Iterable[list[ManifestEntry]]) -> list[list[ManifestEntry]]:
    """Put partitions together as far as one statement can take them."""
    packed: list[list[ManifestEntry]] = []
    partitions = _PARTITIONS
    for group in groups:
        both = [*packed[-1], *group] if packed else group
        size = sum(entry.data_file.file_size_in_bytes for entry in both)
        if packed and partitions < _PARTITIONS and len(both) <= _FILES and size <= _BYTES:
            packed[-1], partitions = both, partitions + 1
        else:
            packed.append(group)
            partitions = 1
    return packed


class _RewriteFiles(_OverwriteFiles):
    """The change of a snapshot that says of itself that its rows are those of the one before."""

    def _summary(self, snapshot_properties: Mapping[str, str] | None = None) -> Summary:
        made = super()._summary(dict(snapshot_properties or {}))  # PyIceberg can only add up the other operations
        return Summary(Operation.REPLACE, **made.additional_properties)


@dataclass(frozen=True, kw_only=True)
class _Rewrite(Publication):
    """The publication of a copy.

    Args:
        batch: What it is the copy of.
        schema: The columns' version that it was copied with.
    """

    batch: Batch
    schema: int

    def _is_replaced(self, file: DataFile, table: IcebergTable) -> bool:  # noqa: ARG002 - a publish asks the table
        return file.file_path in {one.file_path for one in self.batch.files}

    def _requirements(self, table: IcebergTable) -> tuple[Any, ...]:
        return (*super()._requirements(table), Unchanged(state=Unchanged.state_of(table.metadata)))

    def _overwrite(self, transaction: Transaction, summary: Mapping[str, str]) -> Any:
        return _RewriteFiles(
            operation=Operation.OVERWRITE,
            transaction=transaction,
            io=transaction._table.io,  # noqa: SLF001 - as update_snapshot does
            snapshot_properties=dict(summary),
        )

    def _refuse_misfits(self, table: IcebergTable) -> None:
        super()._refuse_misfits(table)
        entries = list(live_entries(table))
        read = {entry.data_file.file_path for entry in entries}
        late = [entry for entry in entries if entry.data_file.content != DataFileContent.DATA]
        same_columns = table.metadata.current_schema_id == self.schema
        # Where rows are deleted, their copy is only known to be right for the very state that it was made of.
        same_state = self.batch.exact or table.metadata.current_snapshot_id == self.batch.base
        no_deletes = all((entry.sequence_number or 0) <= self.batch.deletes for entry in late)
        if not (same_columns and same_state and no_deletes and read.issuperset(f.file_path for f in self.batch.files)):
            raise WriteError(f"{self.stage.target} was written to while it was compacted; next time it is tried again.")


@dataclass(frozen=True, kw_only=True)
class Compaction:
    """Puts batches of files together.

    Args:
        name: The table.
        home: The table whose leases speak for it.
        stack: Where it is and what copies.
        log: Told what happens.
    """

    name: TableName
    home: TableName
    stack: Stack
    log: Callable[[str], None]

    def run(self, batch: Batch) -> int | None:
        """Replace a batch by its copy; return the snapshot, or None when nothing would be gained.

        Raises:
            WriteError: Others wrote the table meanwhile, or the copy is not what it should be; nothing has changed.
            QueryError: The engine failed.
            MetastoreError: The metastore failed.
        """
        token = layout.stage_token(f"{layout.UPKEEP}/{secrets.token_hex(8)}")
        stage = Stage(target=self.name, token=token, bucket=self.stack.profile.bucket)
        with self._lease(token) as lease:
            publishing = False
            kept: frozenset[str] = frozenset()
            try:
                staged, schema = self._copy(stage, batch)
                publishing = True
                snapshot = self._publish(stage, staged, batch, lease, schema=schema)
                kept = frozenset(file.file_path for file in staged.files) if snapshot else kept
            except BaseException:
                self._remove(lease, stage, kept, fenced=publishing)
                raise
            self._remove(lease, stage, kept, fenced=False)
        return snapshot

    def _copy(self, stage: Stage, batch: Batch) -> tuple[Staged, int]:
        catalog = self.stack.metastore.iceberg()
        stage.register(catalog)
        table = load(catalog, self.name)
        engine = self.stack.engine(_ENGINE)
        names = ", ".join(engine.dialect.quoted(field.name) for field in table.schema().fields)
        files = ", ".join(_text(file.file_path) for file in batch.files)
        target, source = (layout.relation_name(one, engine.dialect.name) for one in (stage.name, self.name))
        engine.rows(
            f"INSERT INTO {target} ({names}) SELECT {names} FROM {source} "  # noqa: S608 - quoted above
            f"WHERE {engine.dialect.quoted('$path')} IN ({files})"
        )
        staged = stage.staged(catalog)
        expected = sum(file.record_count for file in batch.files)
        if staged.rows > expected or (batch.exact and staged.rows != expected):
            raise WriteError(
                f"{self.name} was not compacted: the copy of its {len(batch.files)} files has {staged.rows} rows, not "
                f"{expected}. Somebody may have written to it meanwhile."
            )
        self.log(f"{self.name}: copied {staged.rows} rows of {len(batch.files)} files into {len(staged.files)}")
        return staged, table.metadata.current_schema_id

    def _publish(self, stage: Stage, staged: Staged, batch: Batch, lease: Lease, *, schema: int) -> int | None:
        if batch.exact and len(staged.files) >= len(batch.files):
            self.log(f"{self.name}: {len(batch.files)} files would not become fewer; they stay")
            return None
        rewrite = _Rewrite(
            stage=stage, staged=staged, batch=batch, schema=schema, before_commit=lease.confirm, log=self.log
        )
        snapshot = rewrite.commit(self.stack.metastore.iceberg()).snapshot
        self.log(f"{self.name}: compacted {len(batch.files)} files into {len(staged.files)}, snapshot {snapshot}")
        return snapshot

    def _remove(self, lease: Lease, stage: Stage, kept: frozenset[str], *, fenced: bool) -> None:
        """Remove the stage; what cannot be removed now is found by its lease later."""
        catalog, storage = self.stack.metastore.iceberg(), self.stack.storage
        try:
            if fenced:
                fence_and_discard(catalog, storage, stage, log=self.log)
            else:
                discard(catalog, storage, stage, kept=kept)
            lease.release()
        except HeadwaterError as error:
            self.log(f"{self.name}: its stage is left for the next write to remove ({error})")

    def _lease(self, token: str) -> Lease:
        place = layout.location(self.stack.profile.bucket, self.home)
        seconds = float(self.stack.profile.setting("HEADWATER_LEASE"))
        return Lease(self.stack.storage, place, token, run=layout.UPKEEP, seconds=seconds, log=self.log)


def _text(path: str) -> str:
    return "'" + path.replace("'", "''") + "'"
