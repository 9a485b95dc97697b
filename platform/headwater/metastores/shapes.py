"""What a metastore says of a table, in Glue's words: those of a Hive Metastore are cousins. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LONGEST_COMMENT", "Shape", "partition_input", "table_input"]

# Glue's limit on a column's comment; the whole text stays in the Iceberg metadata, and in the definition.
LONGEST_COMMENT = 255

_COMMENT = "comment"
_VIEW = "VIRTUAL_VIEW"
_METADATA = "metadata_location"
# Of a table's or partition's parameters: what a metastore counts or notes by itself.
_VOLATILE = frozenset(
    {"COLUMN_STATS_ACCURATE", "last_modified_by", "last_modified_time", "numFiles", "numRows", "rawDataSize",
     "totalSize", "transient_lastDdlTime", "numFilesErasureCoded"}
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a metastore says of a table.

    Args:
        table: A ``TableInput``.
        partitions: A ``PartitionInput`` for each partition of a table over files.
        version: Which version of the table that is, where the metastore counts them.
    """

    table: Mapping[str, Any]
    partitions: tuple[Mapping[str, Any], ...] = ()
    version: str = ""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The table's parameters."""
        found: Mapping[str, str] = self.table.get("Parameters") or {}
        return found

    @property
    def location(self) -> str:
        """Where it lies, without a closing slash."""
        return str(self.table["StorageDescriptor"].get("Location") or "").rstrip("/")

    @property
    def metadata_location(self) -> str:
        """An Iceberg table's metadata file; empty for others."""
        return self.parameters.get(_METADATA, "")

    @property
    def locations(self) -> tuple[str, ...]:
        """Where the files lie that are read: a partition's, or the table's where there are no partitions' keys."""
        if not self.table.get("PartitionKeys"):
            return (self.location,)
        return tuple(str(one["StorageDescriptor"].get("Location") or "").rstrip("/") for one in self.partitions)

    def named(self, name: str, **parameters: str) -> Shape:
        """Return the same under another name, with further parameters."""
        return replace(self, table={**self.table, "Name": name, "Parameters": {**self.parameters, **parameters}})

    def placed(self, place: Callable[[str], str]) -> Shape:
        """Return the same with every location as ``place`` says."""

        def there(entry: Mapping[str, Any]) -> dict[str, Any]:
            storage = entry["StorageDescriptor"]
            location = place(str(storage.get("Location") or ""))
            return {**entry, "StorageDescriptor": {**storage, "Location": location}}

        return replace(self, table=there(self.table), partitions=tuple(map(there, self.partitions)))

    @property
    def digest(self) -> str:
        """A text that is equal for tables whose readers see the same rows in the same columns."""
        told = [_seen(self.table), sorted((_seen(one) for one in self.partitions), key=lambda one: str(one["values"]))]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def settled(self) -> Shape:
        """The same without what a metastore counts or notes by itself."""

        def without(entry: Mapping[str, Any]) -> dict[str, Any]:
            return {**entry, "Parameters": _kept(entry)}

        return replace(self, table=without(self.table), partitions=tuple(map(without, self.partitions)))


def _kept(entry: Mapping[str, Any]) -> dict[str, str]:
    return {name: text for name, text in (entry.get("Parameters") or {}).items() if name not in _VOLATILE}


def _seen(entry: Mapping[str, Any]) -> dict[str, Any]:
    storage = entry["StorageDescriptor"]
    serde = storage.get("SerdeInfo") or {}
    columns = [*storage.get("Columns", ()), *entry.get("PartitionKeys", ())]
    return {
        "values": list(entry.get("Values", ())),
        "columns": [(one["Name"], one.get("Type", "")) for one in columns],
        "location": str(storage.get("Location") or "").rstrip("/"),
        "format": storage.get("InputFormat", ""),
        "serde": [serde.get("SerializationLibrary", ""), sorted((serde.get("Parameters") or {}).items())],
    }


def table_input(table: Any) -> dict[str, Any]:
    """Return a metastore's table as a ``TableInput``."""
    parameters = dict(table.parameters or {})
    found = {
        "Name": table.tableName,
        "Description": parameters.get(_COMMENT) if table.tableType != _VIEW else None,
        "Owner": table.owner,
        "Retention": table.retention or 0,
        "StorageDescriptor": _storage(table.sd),
        "PartitionKeys": _columns(table.partitionKeys or ()),
        "ViewOriginalText": table.viewOriginalText,
        "ViewExpandedText": table.viewExpandedText,
        "TableType": table.tableType,
        "Parameters": parameters,
    }
    return _said(found)


def partition_input(partition: Any) -> dict[str, Any]:
    """Return a metastore's partition as a ``PartitionInput``."""
    return {
        "Values": list(partition.values),
        "StorageDescriptor": _storage(partition.sd),
        "Parameters": dict(partition.parameters or {}),
    }


def _said(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if value is not None}


def _columns(columns: Sequence[Any]) -> list[dict[str, Any]]:
    return [_said({"Name": one.name, "Type": one.type, "Comment": one.comment}) for one in columns]


def _storage(sd: Any) -> dict[str, Any]:
    serde = sd.serdeInfo
    return _said(
        {
            "Columns": _columns(sd.cols or ()),
            "Location": sd.location,
            "InputFormat": sd.inputFormat,
            "OutputFormat": sd.outputFormat,
            "Compressed": bool(sd.compressed),
            "NumberOfBuckets": sd.numBuckets or 0,
            "SerdeInfo": serde
            and _said(
                {
                    "Name": serde.name,
                    "SerializationLibrary": serde.serializationLib,
                    "Parameters": dict(serde.parameters or {}),
                }
            ),
            "BucketColumns": list(sd.bucketCols or ()),
            "SortColumns": [{"Column": one.col, "SortOrder": one.order} for one in sd.sortCols or ()],
            "Parameters": dict(sd.parameters or {}),
            "StoredAsSubDirectories": bool(sd.storedAsSubDirectories),
        }
    )
