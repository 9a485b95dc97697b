"""One table's upkeep: sweep what dead writes left, compact, expire, remove garbage."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.manifest import DataFileContent

from headwater import layout
from headwater.errors import PublishConflict, WriteError
from headwater.keep import Keep
from headwater.write import Maintained, Upkeep
from headwater.write._compact import Compaction, batches, files_after
from headwater.write._expire import expirable, expire
from headwater.write._fence import fence_and_discard
from headwater.write._garbage import garbage, look
from headwater.write._iceberg import TRIES, live_files, load, wait_turn
from headwater.write._lease import expired_leases
from headwater.write._leftovers import sweep
from headwater.write._old_loads import old_loads, remove_old_loads, shown_objects
from headwater.write._rejects import Rejects
from headwater.write._stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table as IcebergTable

    from headwater.metastores.base import Registered
    from headwater.stack import Stack
    from headwater.storage import Listed
    from headwater.table import Table, TableName
    from headwater.write._garbage import Ground

__all__ = ["Housekeeping", "upkeeps"]

# A table's own folder is at least s3://bucket/zone/name.
_SLASHES = 4
# Ends the name of a table of rejected rows.
_REJECTED = "__rejected"


def upkeeps(stack: Stack, tables: Sequence[Table]) -> list[Upkeep]:
    """Return what there is to maintain; see ``headwater.write.upkeeps``."""
    known = {one.name: one for one in stack.metastore.registered() if not layout.is_stage(one.name)}
    found: dict[TableName, Upkeep] = {}
    for table in tables:
        files = table if table.files is not None else None
        for name in (table.id, table.id.rejected):
            if name in known and (name == table.id or table.rejects):
                found[name] = Upkeep(name=name, home=table.id, keep=table.keep, files=files, declared=True)
    for name, one in known.items():
        if name not in found and one.iceberg:
            found[name] = Upkeep(name=name, home=_home(name, known), keep=Keep(), declared=False)
    return [found[name] for name in sorted(found)]


def _home(name: TableName, known: Mapping[TableName, Registered]) -> TableName:
    """Return the table whose leases speak for a table: the one whose rejected rows it holds, or itself.

    Loads of rejected rows into the raw zone are loads like all others.
    """
    home = _rejecting(name)
    return home if home in known and name.zone != "raw" else name


def _rejecting(name: TableName) -> TableName:
    """Return the table whose rejected rows a table holds, by its name; itself where that says nothing of them."""
    return replace(name, name=name.name.removesuffix(_REJECTED))


@dataclass(frozen=True, kw_only=True)
class Housekeeping:
    """One call of ``maintain``.

    Args:
        upkeep: What is maintained.
        stack: Where it lies.
        safe_age: See ``maintain``.
        now: See ``maintain``.
        dry_run: Change nothing.
        log: Told what happens.
        notes: Filled with what was left alone, and why.
    """

    upkeep: Upkeep
    stack: Stack
    safe_age: timedelta
    now: datetime | None
    dry_run: bool
    log: Callable[[str], None]
    notes: list[str] = field(default_factory=list)

    def finish(self) -> Maintained:
        """Do all of it."""
        return self._raw_text(self.upkeep.files) if self.upkeep.files else self._iceberg()

    def _raw_text(self, table: Table) -> Maintained:
        shown = shown_objects(table, self.stack)
        gone = old_loads(table, self.stack, self.upkeep.keep.span - self._ahead, safe_age=self.safe_age - self._ahead)
        if not self.dry_run:
            remove_old_loads(table, self.stack, gone)
        removed = [one for objects in gone.values() for one in objects]
        return self._done(_size(one.size for one in shown), _size(one.size for one in shown), 0, removed, ())

    def _iceberg(self) -> Maintained:
        catalog = self.stack.metastore.iceberg()
        if self.name.zone == "raw" and not self.dry_run:
            self._show_rejects()
        table = load(catalog, self.name)
        before = _shown(table)
        if self.name.zone == "raw" and _is_rewritten(table):
            self.notes.append("left alone: its rows were rewritten by hand, and may need what lies in its former loads")
            return self._done(before, before, 0, (), ())
        if not self.dry_run:
            self._sweep(catalog)
        planned, snapshots = self._compact(table)
        expired, removed = self._clear(catalog)
        after = _shown(load(catalog, self.name))
        if self.dry_run:
            after = (before[0] - planned, before[1])
        return self._done(before, after, expired, removed, snapshots)

    @property
    def name(self) -> TableName:
        """The table's."""
        return self.upkeep.name

    @property
    def _ahead(self) -> timedelta:
        """By how much the time that ages count from is ahead of the store's clock."""
        return (self.now - datetime.now(UTC)) if self.now else timedelta(0)

    def _done(
        self,
        before: tuple[int, int],
        after: tuple[int, int],
        expired: int,
        removed: Sequence[Listed],
        snapshots: Sequence[int],
    ) -> Maintained:
        return Maintained(
            table=self.name,
            files=(before[0], after[0]),
            bytes=(before[1], after[1]),
            expired=expired,
            removed=len(removed),
            removed_bytes=sum(one.size for one in removed),
            snapshots=tuple(snapshots),
            notes=tuple(self.notes),
        )

    def _show_rejects(self) -> None:
        """Finish ingests of this table, and of the one whose rejected rows it holds while it still says which."""
        for name in {self.name, _rejecting(self.name)}:
            Rejects(name=name, stack=self.stack, log=self.log).finish()

    def _sweep(self, catalog: Catalog) -> None:
        """Remove what dead writes and killed upkeeps left."""
        home, bucket = self.upkeep.home, self.stack.profile.bucket
        if home.zone == "raw":
            sweep(home, self.stack, self.log)
            return
        place, seconds = layout.location(bucket, home), float(self.stack.profile.setting("HEADWATER_LEASE"))
        for token, lease in expired_leases(self.stack.storage, place, seconds):
            self.log(f"{home}: removing what the dead write {token} left")
            for target in (home, home.rejected):
                stage = Stage(target=target, token=token, bucket=bucket)
                fence_and_discard(catalog, self.stack.storage, stage, log=self.log)
            self.stack.storage.delete([lease])

    def _compact(self, table: IcebergTable) -> tuple[int, list[int]]:
        """Put small files together; return by how many files there are fewer, and the snapshots that show it.

        Raw tables show files as they came, one by one.
        """
        found = [] if self.name.zone == "raw" else batches(table)
        made: list[int] = []
        for batch in found if not self.dry_run else ():
            compaction = Compaction(name=self.name, home=self.upkeep.home, stack=self.stack, log=self.log)
            try:
                snapshot = compaction.run(batch)
            except WriteError as error:
                self.notes.append(str(error))
            else:
                made += [snapshot] if snapshot else []
        return sum(len(batch.files) - files_after(batch) for batch in found), made

    def _clear(self, catalog: Catalog) -> tuple[int, Sequence[Listed]]:
        """Expire snapshots and remove garbage; return how many, and what."""
        for attempt in range(TRIES):
            location = load(catalog, self.name).metadata.location.rstrip("/")
            ground = look(self.stack, location, self.upkeep.home, swept=not self.dry_run)
            table = load(catalog, self.name)
            doomed = expirable(table.metadata, self.upkeep.keep, self.now or datetime.now(UTC))
            removed, why = self._garbage(table, ground, doomed)
            try:
                if doomed and not self.dry_run:
                    expire(table, doomed)
            except (CommitFailedException, ValidationException) as error:
                wait_turn(attempt, self.name, error, self.log)
                continue
            if not self.dry_run:
                self.stack.storage.delete(one.uri for one in removed)
            if why:
                self.notes.append(f"no file was removed: {why}")
            return len(doomed), removed
        raise PublishConflict(f"Snapshots of {self.name} were not expired: others kept changing it. Try again later.")

    def _garbage(self, table: IcebergTable, ground: Ground, doomed: frozenset[int]) -> tuple[Sequence[Listed], str]:
        """Return what can go; nothing where another table lies in the same place, as one made under a former name."""
        if ground.location.count("/") < _SLASHES:
            return (), f"it lies in {ground.location}, which is no folder of its own"
        for one in self.stack.metastore.registered():
            if one.name != self.name and _overlap(one.location, ground.location):
                mine = layout.target_of(one.name) == self.name
                return (), "it is being written" if mine else f"{one.name} lies in the same place"
        return garbage(ground, table, doomed, safe_age=self.safe_age - self._ahead)


def _is_rewritten(table: IcebergTable) -> bool:
    """Return whether rows of an ingested table lie outside of its loads."""
    return any(layout.parse_load(file.file_path) is None for file in live_files(table))


def _shown(table: IcebergTable) -> tuple[int, int]:
    """Return how many data files a table shows, and their size."""
    return _size(file.file_size_in_bytes for file in live_files(table) if file.content == DataFileContent.DATA)


def _overlap(one: str, other: str) -> bool:
    return f"{one}/".startswith(f"{other}/") or f"{other}/".startswith(f"{one}/")


def _size(sizes: Iterable[int]) -> tuple[int, int]:
    """Return how many there are, and what they add up to."""
    found = list(sizes)
    return len(found), sum(found)
