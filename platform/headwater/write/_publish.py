"""Publishing: one commit of metadata that swaps the files of the written partitions for the staged ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.manifest import DataFile, DataFileContent

from headwater.errors import HeadwaterError, MetastoreError, PublishConflict, WriteError
from headwater.write._fence import NotFenced
from headwater.write._iceberg import STAGE_MARK, TRIES, iceberg_errors, live_files, load, wait_turn
from headwater.write._stage import iceberg_value, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table import Transaction
    from pyiceberg.table.metadata import TableMetadata

    from headwater.write._stage import Stage, Staged

__all__ = ["Landed", "Publication"]


@dataclass(frozen=True)
class Landed:
    """What came of a commit.

    Args:
        snapshot: The snapshot's id.
        metadata: The table's, with that snapshot in it.
    """

    snapshot: int
    metadata: TableMetadata


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What to publish.

    Args:
        stage: Where the rows are.
        staged: Its files.
        column: The partition column; empty for a table that is replaced whole.
        values: The partitions to replace.
        summary: What the snapshot says about itself.
        before_commit: Called before every attempt; raises to give up.
        log: Told why an attempt is repeated.
    """

    stage: Stage
    staged: Staged
    column: str = ""
    values: Sequence[int | date | str] = ()
    summary: Mapping[str, str] = field(default_factory=dict)
    before_commit: Callable[[], None]
    log: Callable[[str], None]

    def commit(self, catalog: Catalog) -> Landed:
        """Publish and return what came of it. Publishing the same stage again does nothing.

        A conflict with another writer is settled by loading the table again: nothing is copied, so trying costs little.

        Raises:
            PublishConflict: Others kept changing the table.
            WriteError: The stage does not fit the table any more, or was taken for dead.
            MetastoreError: The metastore or the object store failed.
        """
        for attempt in range(TRIES):
            self.before_commit()
            table = load(catalog, self.stage.target)
            done = published_snapshot(table, self.stage.token)
            if done is not None:
                return Landed(done, table.metadata)
            self._refuse_misfits(table)
            try:
                return self._swap(table)
            except (CommitFailedException, ValidationException) as error:
                wait_turn(attempt, self.stage.target, error, self.log)
            except MetastoreError:
                # The answer may be lost and the commit done all the same.
                landed = self._landed(catalog)
                if landed is None:
                    raise
                return landed
        raise PublishConflict(
            f"{self.stage.target} was not published: other writers changed it during {TRIES} attempts. Run it again.",
        )

    def _swap(self, table: IcebergTable) -> Landed:
        summary = {**self.summary, STAGE_MARK: self.stage.token}
        with iceberg_errors(f"{self.stage.target} was not published"):
            replaced = [file for file in live_files(table) if self._is_replaced(file, table)]
            with table.transaction() as transaction:
                # The metastore's lock is held while requirements are judged, so a fence cannot come in between.
                transaction._stage((), self._requirements(table))  # noqa: SLF001 - there is no public way
                with self._overwrite(transaction, summary) as overwrite:
                    for file in replaced:
                        overwrite.delete_data_file(file)
                    for file in self.staged.files:
                        overwrite.append_data_file(file)
        return Landed(int(overwrite.snapshot_id), table.metadata)

    def _requirements(self, table: IcebergTable) -> tuple[Any, ...]:  # noqa: ARG002 - a rewrite asks more of it
        return (NotFenced(target=str(self.stage.target), token=self.stage.token),)

    def _overwrite(self, transaction: Transaction, summary: Mapping[str, str]) -> Any:
        return transaction.update_snapshot(snapshot_properties=dict(summary)).overwrite()

    def _is_replaced(self, file: DataFile, table: IcebergTable) -> bool:
        # Delete files stay: they apply to older rows only, which this commit takes away.
        if file.content != DataFileContent.DATA:
            return False
        return not self.column or partition_of(file, table, self.column) in self._wanted

    @property
    def _wanted(self) -> set[Any]:
        return {iceberg_value(value) for value in self.values}

    def _refuse_misfits(self, table: IcebergTable) -> None:
        target = self.stage.target
        if table.metadata.table_uuid != self.staged.target:
            raise WriteError(f"{target} was dropped and made anew while this run wrote it. Run it again.")
        if table.metadata.default_spec_id != self.staged.spec:
            raise WriteError(f"{target} got other partitions while this run wrote it. Run it again.")
        if not self.column:
            return
        strays = {partition_of(file, table, self.column) for file in self.staged.files} - self._wanted
        if strays:
            named = ", ".join(sorted(map(str, strays))[:5])
            raise WriteError(
                f"{target} was not published: its body made rows with {self.column} {named}, which is not being "
                "written. Filter them out in the body.",
            )

    def _landed(self, catalog: Catalog) -> Landed | None:
        for pause in (0.5, 2.0):
            time.sleep(pause)
            try:
                table = load(catalog, self.stage.target)
                done = published_snapshot(table, self.stage.token)
                return None if done is None else Landed(done, table.metadata)
            except HeadwaterError as error:
                self.log(f"{self.stage.target}: the metastore does not answer yet ({error})")
        return None


def published_snapshot(table: IcebergTable, token: str) -> int | None:
    """Return the snapshot that took a stage's files, or None."""
    for snapshot in reversed(table.metadata.snapshots):
        summary = snapshot.summary
        if summary is not None and summary.additional_properties.get(STAGE_MARK) == token:
            return snapshot.snapshot_id
    return None
