"""Stages: tables that only their own write knows, with the field ids, columns and partitions of their target."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.manifest import DataFile, DataFileContent
from pyiceberg.serializers import ToOutputFile

from headwater import ddl, layout
from headwater.errors import WriteError
from headwater.write._iceberg import iceberg_errors, live_files, load

if TYPE_CHECKING:
    from uuid import UUID

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.metadata import TableMetadata

    from headwater.table import TableName

__all__ = ["Stage", "Staged", "iceberg_value", "partition_of"]

_PROPERTIES = {
    # A stage lives for one write: what it keeps for readers of old metadata is of no use.
    "write.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
    "write.object-storage.enabled": "false",
}


@dataclass(frozen=True, kw_only=True)
class Staged:
    """What an engine left in a stage.

    Args:
        files: The data files.
        target: The identity of the table that the stage was made for.
        table: The stage as it is now.
    """

    files: tuple[DataFile, ...]
    target: UUID
    table: IcebergTable = field(repr=False)

    @property
    def spec(self) -> int:
        """The partition spec that the files were written with."""
        return self.table.metadata.default_spec_id

    @property
    def rows(self) -> int:
        """Rows in the files."""
        return sum(file.record_count for file in self.files)

    @property
    def bytes(self) -> int:
        """Size of the files."""
        return sum(file.file_size_in_bytes for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of one table.

    Args:
        target: The table it will be published to.
        token: Names the stage; the same for a table and its rejects.
        bucket: The lake's.
    """

    target: TableName
    token: str
    bucket: str

    @property
    def name(self) -> TableName:
        """Its name in the metastore."""
        return layout.stage_name(self.target, self.token)

    @property
    def location(self) -> str:
        """Where it lies."""
        return layout.stage_location(self.bucket, self.target, self.token)

    def register(self, catalog: Catalog) -> None:
        """Make the stage: empty, with the target's metadata, so that its files fit into the target as they are."""
        target = load(catalog, self.target)
        path = f"{self.location}/metadata/00000-{uuid4()}.metadata.json"
        with iceberg_errors(f"The stage {self.name} was not made"):
            ToOutputFile.table_metadata(_like(target.metadata, self.location), target.io.new_output(path))
            catalog.register_table((self.name.zone, self.name.name), path)

    def staged(self, catalog: Catalog) -> Staged:
        """Return what an engine left.

        Raises:
            WriteError: It left delete files, which cannot be published.
        """
        stage, target = load(catalog, self.name), load(catalog, self.target)
        with iceberg_errors(f"The stage {self.name} cannot be read"):
            files = tuple(live_files(stage))
        if any(file.content != DataFileContent.DATA for file in files):
            raise WriteError(f"{self.target} was not published: its stage holds delete files. Only append to a stage.")
        return Staged(files=files, target=target.metadata.table_uuid, table=stage)

    def unregister(self, catalog: Catalog) -> None:
        """Forget the stage's name; its files stay."""
        with iceberg_errors(f"The stage {self.name} was not dropped"), suppress(NoSuchTableError):
            catalog.drop_table((self.name.zone, self.name.name))


def _like(target: TableMetadata, location: str) -> TableMetadata:
    kept = {key: value for key, value in target.properties.items() if not key.startswith("headwater.")}
    current = ddl.stage_schema(target.schema())
    changes: dict[str, Any] = {
        "schemas": [current],
        "current_schema_id": current.schema_id,
        "table_uuid": uuid4(),
        "location": location,
        "properties": {**kept, **_PROPERTIES},
        "current_snapshot_id": None,
        "last_sequence_number": 0,
        **{name: [] for name in ("snapshots", "snapshot_log", "metadata_log", "statistics", "partition_statistics")},
        "refs": {},
    }
    return target.model_copy(update=changes)


def iceberg_value(value: Any) -> Any:
    """Return a partition's value in Iceberg's own form: a date is its day number."""
    return (value - date(1970, 1, 1)).days if isinstance(value, date) else value


def partition_of(file: DataFile, table: IcebergTable, column: str) -> Any:
    """Return a data file's value of an identity partition column, in Iceberg's own form (a date is its day number)."""
    source = table.schema().find_field(column).field_id
    for at, part in enumerate(table.specs()[file.spec_id].fields):
        if part.source_id == source:
            return iceberg_value(file.partition[at])
    raise WriteError(f"{file.file_path} is not partitioned by {column}; rewrite the table with its present partitions.")
