"""Loads of ingested files: each its own prefix, shown by one commit of metadata, swept when its writer died.

An ingested table is an Iceberg table without field ids in its files: columns are found by name, so that Parquet files
lie in it as they came, and a load that replaces the table may bring other columns.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchIcebergTableError,
    NoSuchPropertyException,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)

from headwater import layout
from headwater.errors import MetastoreError, PublishConflict, WriteError
from headwater.write._fence import NotFenced, Unchanged
from headwater.write._iceberg import STAGE_MARK, TABLE_PROPERTIES, TRIES, iceberg_errors, live_files, loaded, wait_turn
from headwater.write._lease import Lease
from headwater.write._leftovers import below_loads, load_id, sweep
from headwater.write._publish import published_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table import Transaction

    from headwater.stack import Stack
    from headwater.table import TableName

__all__ = ["FileLoad", "ingested_table"]

_PROPERTIES = {
    **TABLE_PROPERTIES,
    "commit.manifest-merge.enabled": "true",
}


def _anything(table: IcebergTable | None) -> None:
    del table


def ingested_table(stack: Stack, name: TableName) -> IcebergTable | None:
    """Return an ingested table as it is now, or None when nothing has that name.

    Raises:
        WriteError: Something else has the name.
    """
    with iceberg_errors(f"{name} cannot be loaded"):
        try:
            return stack.metastore.iceberg().load_table((name.zone, name.name))
        except (NoSuchIcebergTableError, NoSuchPropertyException) as error:
            raise WriteError(
                f"{name} is not an ingested table but something else of that name; choose another name."
            ) from error
        except FileNotFoundError as error:
            raise WriteError(
                f"{name} is in the metastore, but its metadata file is gone from the lake; remove it with "
                f'`headwater sql "drop table {name}"`, and an ingest makes it anew.'
            ) from error
        except NoSuchTableError:
            return None


@dataclass(frozen=True, kw_only=True)
class FileLoad:
    """One load: a prefix of its own, leased while it is filled. Use it as a context manager.

    Args:
        name: The table.
        stack: Where it lies.
        token: Names the load.
        lease: Says that it is alive.
        log: Told what happens.
    """

    name: TableName
    stack: Stack
    token: str
    lease: Lease
    log: Callable[[str], None]

    @classmethod
    def begin(cls, name: TableName, stack: Stack, *, run: str, log: Callable[[str], None], token: str = "") -> FileLoad:
        """Choose a prefix, by a token or a new one; nothing is written yet."""
        token = token or f"{time.strftime('%Y%m%d%H%M%S', time.gmtime())}{secrets.token_hex(3)}"
        seconds = float(stack.profile.setting("HEADWATER_LEASE"))
        place = layout.location(stack.profile.bucket, name)
        lease = Lease(stack.storage, place, token, run=run, seconds=seconds, log=log)
        return cls(name=name, stack=stack, token=token, lease=lease, log=log)

    @property
    def prefix(self) -> str:
        """Where its files go, with a closing slash."""
        return layout.load_prefix(self.stack.profile.bucket, self.name, layout.Load(self.token))

    def __enter__(self) -> Self:
        """Finish what earlier loads left undone, remove what dead ones left, and take the lease."""
        sweep(self.name, self.stack, self.log)
        self.lease.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lease back; a load that failed takes its files away."""
        if kind is None:
            self.lease.release()
            return
        self.lease.__exit__(kind, value, trace)
        if not self._is_shown():
            self.stack.storage.delete(found.uri for found in self.stack.storage.objects(self.prefix))
            self.lease.release()

    def shown_files(self, table: IcebergTable) -> Iterable[str]:
        """Yield what lies below the loads that a state of the table shows, originals and copies."""
        with iceberg_errors(f"The files of {self.name} cannot be listed"):
            shown = {load_id(file.file_path) for file in live_files(table)}
        for found in below_loads(self.stack, self.name):
            if load_id(found) in shown:
                yield found

    def publish(
        self,
        schema: Any,
        files: Sequence[str],
        *,
        replace: bool,
        partition_by: str,
        summary: Mapping[str, str],
        judge: Callable[[IcebergTable | None], None] = _anything,
        gone: Callable[[IcebergTable], Iterable[DataFile]] = live_files,
    ) -> int:
        """Show Parquet files that lie in the lake, by one change of the metastore; return the snapshot's id.

        Args:
            schema: Their Arrow schema; used for a new table and for one that is replaced.
            files: Where they lie.
            replace: The rows that are there give way.
            partition_by: Column of a new table's partitions, or empty.
            summary: What the snapshot says about itself.
            judge: Called before every attempt with the very state of the table that the commit is made on; raises to
                refuse it.
            gone: Returns the files that give way, of those of the same state; all of them by default.

        Raises:
            PublishConflict: Others kept changing the table.
            WriteError: This load was taken for dead, or does not fit the table.
            MetastoreError: The metastore or the object store failed.
        """
        catalog = self.stack.metastore.iceberg()
        told = {**summary, STAGE_MARK: self.token}
        for attempt in range(TRIES):
            self.lease.confirm()
            table = loaded(catalog, self.name)
            done = published_snapshot(table, self.token) if table else None
            if done is not None:
                return done
            judge(table)
            try:
                with iceberg_errors(f"{self.name} was not published"):
                    if table is None:
                        return self._create(catalog, schema, files, partition_by, told)
                    old = tuple(gone(table)) if replace else None
                    return self._change(table, schema, files, gone=old, summary=told)
            except ValueError as error:
                raise WriteError(
                    f"{self.name} was not published: its files do not fit it ({_short(error)})."
                ) from error
            except (CommitFailedException, ValidationException, TableAlreadyExistsError) as error:
                wait_turn(attempt, self.name, error, self.log)
        raise PublishConflict(f"{self.name} was not published: others kept changing it. Ingest the files again.")

    def _create(
        self, catalog: Catalog, schema: Any, files: Sequence[str], partition_by: str, summary: Mapping[str, str]
    ) -> int:
        place = layout.location(self.stack.profile.bucket, self.name)
        with suppress(NamespaceAlreadyExistsError):
            catalog.create_namespace(self.name.zone, {"location": place.rpartition("/")[0]})
        fresh = _fresh(schema)
        transaction = catalog.create_table_transaction(
            (self.name.zone, self.name.name), fresh, place, _spec(fresh, partition_by), properties=_PROPERTIES
        )
        transaction.set_properties({"schema.name-mapping.default": fresh.name_mapping.model_dump_json()})
        _append(transaction, files, (), summary)
        table = transaction.commit_transaction()
        return _snapshot_id(table)

    def _change(
        self,
        table: IcebergTable,
        schema: Any,
        files: Sequence[str],
        *,
        gone: Sequence[DataFile] | None,
        summary: Mapping[str, str],
    ) -> int:
        """Commit the change; ``gone`` is None where rows are added and nothing is replaced."""
        with table.transaction() as transaction:
            # The metastore's lock is held while requirements are judged, so a fence cannot come in between.
            requirement: Any = NotFenced(target=str(self.name), token=self.token)
            unchanged: Any = Unchanged(state=Unchanged.state_of(table.metadata))
            transaction._stage((), (requirement, unchanged))  # noqa: SLF001 - there is no public way
            if gone is not None:
                _reshape(transaction, table, _fresh(schema))
            _append(transaction, files, gone or (), summary)
        return _snapshot_id(table)

    def _is_shown(self) -> bool:
        """Return whether the load was published after all; when nobody can say, it may have been."""
        try:
            table = loaded(self.stack.metastore.iceberg(), self.name)
        except MetastoreError:
            return True
        return table is not None and published_snapshot(table, self.token) is not None


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _fresh(schema: Any) -> Schema:
    from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids  # noqa: PLC0415 - there is no public way
    from pyiceberg.schema import assign_fresh_schema_ids  # noqa: PLC0415

    return assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(_optional(schema)))


def _optional(schema: Any) -> Any:
    """Return a schema without required fields: one load's rows say nothing of the next one's."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return pa.schema([pa.field(one.name, _optional_type(pa, one.type)) for one in schema])


def _optional_type(pa: Any, kind: Any) -> Any:
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(one.name, _optional_type(pa, one.type)) for one in kind])
    if pa.types.is_list(kind):
        return pa.list_(_optional_type(pa, kind.value_type))
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _optional_type(pa, kind.item_type))
    return kind


def _spec(schema: Schema, column: str) -> Any:
    from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec  # noqa: PLC0415
    from pyiceberg.transforms import IdentityTransform  # noqa: PLC0415

    if not column:
        return PartitionSpec()
    source = schema.find_field(column).field_id
    return PartitionSpec(PartitionField(source, PARTITION_FIELD_ID_START, IdentityTransform(), column))


def _append(transaction: Transaction, files: Sequence[str], gone: Sequence[Any], summary: Mapping[str, str]) -> None:
    from pyiceberg.table import _parquet_files_to_data_files  # noqa: PLC0415 - as add_files does

    made = _parquet_files_to_data_files(transaction.table_metadata, list(files), transaction._table.io)  # noqa: SLF001
    update = transaction.update_snapshot(snapshot_properties=dict(summary))
    with update.overwrite() if gone else update.merge_append() as change:
        for file in gone:
            change.delete_data_file(file)
        for file in made:
            change.append_data_file(file)


def _reshape(transaction: Transaction, table: IcebergTable, wanted: Schema) -> None:
    """Give a table that is replaced the columns of its new rows."""
    now = table.schema()
    if [(field.name, str(field.field_type)) for field in now.fields] == [
        (field.name, str(field.field_type)) for field in wanted.fields
    ]:
        return
    cut = {now.find_field(field.source_id).name for field in table.spec().fields}
    kept = {field.name: field for field in wanted.fields if _same(now, field)}
    if cut - kept.keys():
        raise WriteError(
            f"{'.'.join(table.name())} was not replaced: it is partitioned by {', '.join(sorted(cut))}, which the new "
            "rows do not have in the same type. Drop the table first.",
        )
    with transaction.update_schema(allow_incompatible_changes=True) as update:
        for field in now.fields:
            if field.name not in kept:
                update.delete_column(field.name)
        for field in wanted.fields:
            if field.name not in kept:
                update.add_column(field.name, field.field_type)


def _same(schema: Schema, field: Any) -> bool:
    known = next((one for one in schema.fields if one.name == field.name), None)
    return known is not None and str(known.field_type) == str(field.field_type)


def _snapshot_id(table: IcebergTable) -> int:
    snapshot = table.current_snapshot()
    if snapshot is None:  # a commit that added files leaves one
        raise WriteError(f"{'.'.join(table.name())} shows no rows after its commit. Ingest the files again.")
    return snapshot.snapshot_id
