"""The ``TableInput`` of a crawled table, read alike by Trino and Athena, which go by Hive's words, and by Spark.

Spark knows nothing of Hive's word for a header, nor of the serde that Glue names for JSON, and it would find a list of
files through Hive's reader of text alone. The table therefore tells it its own reader as well, the way Spark itself
writes down tables in a metastore. Pure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from headwater_aws_api.glue.crawlers._types import hive_type, spark_schema

if TYPE_CHECKING:
    from headwater_aws_api.glue.crawlers._layout import Crawled
    from headwater_aws_api.glue.crawlers._shape import Shape

__all__ = ["DEPRECATED", "SCHEMA", "is_crawlers_own", "list_text", "partition_input_of", "table_input_of"]

# Says since when a table has had no files, in milliseconds.
DEPRECATED = "DEPRECATED_BY_CRAWLER"
# Spark's columns.
SCHEMA = "spark.sql.sources.schema"
_PROVIDER = "spark.sql.sources.provider"
_HIVE = "org.apache.hadoop.hive"
_KEYLESS = f"{_HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat"
_TEXT = ("org.apache.hadoop.mapred.TextInputFormat", _KEYLESS)
_LIST = f"{_HIVE}.ql.io.SymlinkTextInputFormat"
_LAZY = f"{_HIVE}.serde2.lazy.LazySimpleSerDe"
_QUOTED = f"{_HIVE}.serde2.OpenCSVSerde"
# The serde for quotes has a letter for escapes, which it drops from texts, and takes doubled quotes anyway.
_NO_ESCAPE = "\x01"
# Input format, output format and serde by format.
_STORED = {
    "csv": (*_TEXT, _LAZY),
    "json": (*_TEXT, "org.openx.data.jsonserde.JsonSerDe"),
    "parquet": (
        f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{_HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "orc": (f"{_HIVE}.ql.io.orc.OrcInputFormat", f"{_HIVE}.ql.io.orc.OrcOutputFormat", f"{_HIVE}.ql.io.orc.OrcSerde"),
    "avro": (
        f"{_HIVE}.ql.io.avro.AvroContainerInputFormat",
        f"{_HIVE}.ql.io.avro.AvroContainerOutputFormat",
        f"{_HIVE}.serde2.avro.AvroSerDe",
    ),
}
# Spark's own readers; Avro it reads through Hive's.
_PROVIDERS = {"csv": "csv", "json": "json", "parquet": "parquet", "orc": "orc"}
# Spark takes these in a path for a pattern.
_PATTERN = re.compile(r"([\\\[\]{}*?])")


# What a crawler notes of a table; it goes when the table no longer is so.
_OWN = (
    "classification", "compressionType", "typeOfData", "delimiter", "columnsOrdered", "areColumnsQuoted",
    "skip.header.line.count", "serialization.null.format", "avro.schema.literal", "UPDATED_BY_CRAWLER", DEPRECATED,
)  # fmt: skip


def is_crawlers_own(parameter: str) -> bool:
    """Return whether a parameter of a table is one that crawlers keep, and nobody else."""
    return parameter in _OWN or parameter.startswith(("spark.sql.sources.", "spark.sql.partitionProvider"))


def table_input_of(table: Crawled, name: str, crawler: str, *, list_folder: str) -> tuple[dict[str, Any], list[str]]:
    """Return a table's ``TableInput``, and its columns that no type of Hive's fits, which are left out.

    Args:
        table: What was found.
        name: What it is called.
        crawler: Whose table it is.
        list_folder: Where the list of its files lies, if it is one.
    """
    columns = [(column, kind) for column, kind in table.shape.columns if hive_type(kind)]
    if table.shape.quoted:
        # Trino reads no other types through the serde for quotes.
        columns = [(column, _text()) for column, _ in columns]
    storage = _storage(table.shape, table.listed)
    storage["Columns"] = [{"Name": column.lower(), "Type": hive_type(kind)} for column, kind in columns]
    storage["Location"] = list_folder if table.listed else table.root
    parameters = {**_facts(table.shape), "UPDATED_BY_CRAWLER": crawler}
    if table.shape.format in _PROVIDERS:
        storage["SerdeInfo"]["Parameters"] |= {**_spark_options(table.shape), "path": _spark_path(table)}
        parameters |= _spark_parameters(table, columns)
    given = {
        "Name": name,
        "Owner": "owner",
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in table.keys],
        "StorageDescriptor": storage,
        "Parameters": parameters,
    }
    return given, [column for column, kind in table.shape.columns if not hive_type(kind)]


def partition_input_of(given: dict[str, Any], values: tuple[str, ...], folder: str) -> dict[str, Any]:
    """Return the ``PartitionInput`` of one of a table's folders, which is read as its table is."""
    return {"Values": list(values), "StorageDescriptor": {**given["StorageDescriptor"], "Location": folder}}


def list_text(files: tuple[str, ...]) -> bytes:
    """Return the file that tells Trino which files a table is made of."""
    return "".join(f"{uri}\n" for uri in files).encode()


def _storage(shape: Shape, listed: bool) -> dict[str, Any]:  # noqa: FBT001 - a fact of the table
    input_format, output_format, serde = _STORED[shape.format]
    if listed:
        input_format, output_format = _LIST, _KEYLESS
    parameters = {"serialization.format": "1"}
    if shape.format == "csv" and shape.quoted:
        serde = _QUOTED
        parameters |= {"separatorChar": shape.delimiter, "quoteChar": '"', "escapeChar": _NO_ESCAPE}
    elif shape.format == "csv":
        parameters = {"field.delim": shape.delimiter, "serialization.format": shape.delimiter}
        parameters["serialization.null.format"] = ""
    elif shape.format == "avro":
        parameters["avro.schema.literal"] = shape.avro
    return {
        "InputFormat": input_format,
        "OutputFormat": output_format,
        "Compressed": bool(shape.compression),
        "NumberOfBuckets": -1,
        "SerdeInfo": {"SerializationLibrary": serde, "Parameters": parameters},
        "StoredAsSubDirectories": False,
    }


def _facts(shape: Shape) -> dict[str, str]:
    """Return what Glue's crawlers note of a table."""
    found = {"classification": shape.format, "compressionType": shape.compression or "none", "typeOfData": "file"}
    if shape.format == "csv":
        found |= {"delimiter": shape.delimiter, "columnsOrdered": "true", "areColumnsQuoted": str(shape.quoted).lower()}
        found |= {"skip.header.line.count": "1"} if shape.header else {}
        found |= {} if shape.quoted else {"serialization.null.format": ""}
    elif shape.format == "avro":
        found["avro.schema.literal"] = shape.avro
    return found


def _spark_options(shape: Shape) -> dict[str, str]:
    if shape.format != "csv":
        return {}
    quote = '"' if shape.quoted else ""
    return {"header": str(shape.header).lower(), "sep": shape.delimiter, "quote": quote, "escape": quote}


def _spark_path(table: Crawled) -> str:
    if not table.listed:
        return table.root
    names = [_PATTERN.sub(r"\\\1", uri.removeprefix(table.root)) for uri in table.files]
    return table.root + (names[0] if len(names) == 1 else f"{{{','.join(names)}}}")


def _spark_parameters(table: Crawled, columns: list[tuple[str, Any]]) -> dict[str, str]:
    schema = spark_schema([*columns, *((key, _text()) for key in table.keys)])
    found = {_PROVIDER: _PROVIDERS[table.shape.format], SCHEMA: json.dumps(schema)}
    if table.keys:
        found |= {"spark.sql.partitionProvider": "catalog", f"{SCHEMA}.numPartCols": str(len(table.keys))}
        found |= {f"{SCHEMA}.partCol.{number}": key for number, key in enumerate(table.keys)}
    return found


def _text() -> Any:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return pa.string()
