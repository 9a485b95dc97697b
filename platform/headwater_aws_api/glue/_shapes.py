"""Glue's shapes in Hive Metastore's form; ``headwater.metastores.shapes`` is the way back. Pure."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "hive_database",
    "hive_partition",
    "hive_table",
    "mark_of",
]

_COMMENT = "comment"
_EXTERNAL = "EXTERNAL_TABLE"
_VIEW = "VIRTUAL_VIEW"
# What the metastore wants of any table, and Iceberg's own Hive catalogs say.
_FORMATS = ("org.apache.hadoop.mapred.FileInputFormat", "org.apache.hadoop.mapred.FileOutputFormat")
_SERDE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
# Iceberg's clients list the columns that a table once had, too, marked so.
_CURRENT = "iceberg.field.current"


def hive_database(ttypes: Any, given: Mapping[str, Any], location: str) -> Any:
    """Return the metastore's form of a ``DatabaseInput``."""
    return ttypes.Database(
        name=given["Name"].lower(),
        description=given.get("Description"),
        locationUri=given.get("LocationUri") or location,
        parameters=dict(given.get("Parameters", {})),
    )


def hive_table(ttypes: Any, database: str, given: Mapping[str, Any]) -> Any:
    """Return the metastore's form of a ``TableInput``."""
    parameters = dict(given.get("Parameters", {}))
    kind = given.get("TableType") or "MANAGED_TABLE"
    if kind not in (_EXTERNAL, _VIEW, "MANAGED_TABLE"):
        kind = _EXTERNAL
    if kind == _EXTERNAL:
        # The type alone does not make a table external for this version of the metastore.
        parameters["EXTERNAL"] = "TRUE"
    if given.get("Description"):
        parameters[_COMMENT] = given["Description"]
    return ttypes.Table(
        dbName=database,
        tableName=given["Name"].lower(),
        owner=given.get("Owner"),
        retention=given.get("Retention", 0),
        sd=_hive_storage(ttypes, given.get("StorageDescriptor", {})),
        partitionKeys=_hive_columns(ttypes, given.get("PartitionKeys", ())),
        viewOriginalText=given.get("ViewOriginalText"),
        viewExpandedText=given.get("ViewExpandedText"),
        tableType=kind,
        parameters=parameters,
    )


def hive_partition(ttypes: Any, database: str, table: str, given: Mapping[str, Any], whole: Any) -> Any:
    """Return the metastore's form of a ``PartitionInput``; what it does not say is as in its table."""
    storage = given.get("StorageDescriptor")
    if storage is None:
        sd = copy(whole.sd)
        sd.location = None  # the metastore's own place for it, below the table's
    else:
        sd = _hive_storage(ttypes, storage)
        sd.cols = sd.cols or whole.sd.cols
    return ttypes.Partition(
        values=list(given.get("Values", ())),
        dbName=database,
        tableName=table,
        sd=sd,
        parameters=dict(given.get("Parameters", {})),
    )


def mark_of(table: Any) -> str:
    """Return a text that is equal for equal states of a metastore's table."""
    state = json.dumps(table, default=vars, sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()


def _hive_columns(ttypes: Any, given: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [
        ttypes.FieldSchema(name=one["Name"].lower(), type=one.get("Type", "string"), comment=one.get("Comment"))
        for one in given
        if one.get("Parameters", {}).get(_CURRENT) != "false"
    ]


def _hive_storage(ttypes: Any, given: Mapping[str, Any]) -> Any:
    serde = given.get("SerdeInfo", {})
    return ttypes.StorageDescriptor(
        cols=_hive_columns(ttypes, given.get("Columns", ())),
        location=given.get("Location") or None,
        inputFormat=given.get("InputFormat") or _FORMATS[0],
        outputFormat=given.get("OutputFormat") or _FORMATS[1],
        compressed=given.get("Compressed", False),
        numBuckets=given.get("NumberOfBuckets", 0),
        serdeInfo=ttypes.SerDeInfo(
            name=serde.get("Name"),
            serializationLib=serde.get("SerializationLibrary") or _SERDE,
            parameters=dict(serde.get("Parameters", {})),
        ),
        bucketCols=list(given.get("BucketColumns", ())),
        sortCols=[ttypes.Order(col=one["Column"], order=one["SortOrder"]) for one in given.get("SortColumns", ())],
        parameters=dict(given.get("Parameters", {})),
        storedAsSubDirectories=given.get("StoredAsSubDirectories", False),
    )
