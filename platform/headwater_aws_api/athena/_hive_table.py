"""CREATE TABLE in Hive's language: Glue's ``TableInput`` of an external table, Trino's statement for an Iceberg one.

Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_aws_api.athena._sql import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["NewTable", "columns_of", "hive_type", "read_create_table", "trino_type"]

_HIVE = "org.apache.hadoop.hive"
_TEXT = ("org.apache.hadoop.mapred.TextInputFormat", f"{_HIVE}.ql.io.HiveIgnoreKeyTextOutputFormat")
# Input format, output format and serde by the word after STORED AS.
_STORED = {
    "TEXTFILE": (*_TEXT, f"{_HIVE}.serde2.lazy.LazySimpleSerDe"),
    "PARQUET": (
        f"{_HIVE}.ql.io.parquet.MapredParquetInputFormat",
        f"{_HIVE}.ql.io.parquet.MapredParquetOutputFormat",
        f"{_HIVE}.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "ORC": (f"{_HIVE}.ql.io.orc.OrcInputFormat", f"{_HIVE}.ql.io.orc.OrcOutputFormat", f"{_HIVE}.ql.io.orc.OrcSerde"),
    "AVRO": (
        f"{_HIVE}.ql.io.avro.AvroContainerInputFormat",
        f"{_HIVE}.ql.io.avro.AvroContainerOutputFormat",
        f"{_HIVE}.serde2.avro.AvroSerDe",
    ),
    "JSON": (*_TEXT, "org.openx.data.jsonserde.JsonSerDe"),
    "JSONFILE": (*_TEXT, "org.openx.data.jsonserde.JsonSerDe"),
    "RCFILE": (
        f"{_HIVE}.ql.io.RCFileInputFormat",
        f"{_HIVE}.ql.io.RCFileOutputFormat",
        f"{_HIVE}.serde2.columnar.ColumnarSerDe",
    ),
    "SEQUENCEFILE": (
        "org.apache.hadoop.mapred.SequenceFileInputFormat",
        f"{_HIVE}.ql.io.HiveSequenceFileOutputFormat",
        f"{_HIVE}.serde2.lazy.LazySimpleSerDe",
    ),
}
# Hive's names of what ROW FORMAT DELIMITED says.
_DELIMITERS = {
    "fields": "field.delim",
    "escaped": "escape.delim",
    "collection_items": "collection.delim",
    "map_keys": "mapkey.delim",
    "lines": "line.delim",
    "null": "serialization.null.format",
}


@dataclass(frozen=True)
class NewTable:
    """A table that a statement makes.

    Args:
        database: Its database.
        name: Its name.
        optional: Whether it may be there already.
        input: Glue's ``TableInput``; None for an Iceberg table.
        iceberg: Trino's columns and properties of an Iceberg table, which follow its name; empty for others.
    """

    database: str
    name: str
    optional: bool
    input: dict[str, Any] | None
    iceberg: str = ""


def read_create_table(sql: str, database: str) -> NewTable:
    """Return the table that a statement makes.

    Raises:
        AwsError: The statement is not understood, or lacks what Athena wants.
    """
    from sqlglot import exp, parse_one  # noqa: PLC0415 - slow to import
    from sqlglot.errors import SqlglotError  # noqa: PLC0415

    try:
        tree: Any = parse_one(sql, dialect="athena")
    except SqlglotError as error:
        raise refused(f"FAILED: ParseException: {str(error).splitlines()[0]}") from error
    if not isinstance(tree, exp.Create) or not isinstance(tree.this, exp.Schema):
        raise refused(f"FAILED: ParseException: no CREATE TABLE with columns: {sql.strip()[:200]}")
    table, found = tree.this.this, tree.args["properties"].expressions if tree.args.get("properties") else []
    plain = {one.this.name: one.args["value"].name for one in found if type(one) is exp.Property}
    where = (table.db or database).lower(), table.name.lower(), bool(tree.args.get("exists"))
    properties = {type(one).__name__: one for one in found if type(one) is not exp.Property}
    if plain.get("table_type", "").upper() == "ICEBERG":
        return NewTable(*where, None, _iceberg(tree.this.expressions, properties, plain))
    if "ExternalProperty" not in properties:
        raise refused(
            "FAILED: ParseException: only external tables and Iceberg tables can be made: CREATE EXTERNAL TABLE."
        )
    return NewTable(*where, _external(where[1], tree.this.expressions, properties, plain))


def columns_of(definitions: Iterable[Any]) -> list[dict[str, Any]]:
    """Return sqlglot's column definitions as Glue's columns."""
    found = []
    for one in definitions:
        column = {"Name": one.name.lower(), "Type": hive_type(one.args["kind"])}
        comment = _comment(one)
        found.append({**column, "Comment": comment} if comment else column)
    return found


def hive_type(kind: Any) -> str:
    """Return a type as the metastore writes it, such as ``struct<a:int>``."""
    said = re.sub(r"\s*([<>:,()])\s*", r"\1", kind.sql(dialect="hive").replace("`", ""))
    return said.lower().replace("integer", "int")


def trino_type(kind: Any) -> str:
    """Return a type as Trino writes it; Iceberg's timestamps have microseconds."""
    return re.sub(r"\bTIMESTAMP\b(?!\()", "TIMESTAMP(6)", str(kind.sql(dialect="trino")))


def _comment(definition: Any) -> str:
    from sqlglot import exp  # noqa: PLC0415

    found = definition.find(exp.CommentColumnConstraint)
    return found.this.name if found else ""


def _external(
    name: str, columns: Iterable[Any], properties: Mapping[str, Any], plain: Mapping[str, str]
) -> dict[str, Any]:
    if "LocationProperty" not in properties:
        raise refused("FAILED: SemanticException: LOCATION is missing: where do the table's files lie?")
    input_format, output_format, serde, parameters = _storage(properties)
    partitioned = properties.get("PartitionedByProperty")
    comment = properties.get("SchemaCommentProperty")
    given = {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": columns_of(partitioned.this.expressions) if partitioned else [],
        "StorageDescriptor": {
            "Columns": columns_of(columns),
            "Location": properties["LocationProperty"].this.name.rstrip("/"),
            "InputFormat": input_format,
            "OutputFormat": output_format,
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": parameters},
        },
        "Parameters": {"EXTERNAL": "TRUE", **plain},
    }
    return {**given, "Description": comment.this.name} if comment else given


def _storage(properties: Mapping[str, Any]) -> tuple[str, str, str, dict[str, str]]:
    """Return input format, output format, serde and the serde's parameters."""
    stored = properties.get("FileFormatProperty")
    formats = stored.this if stored else None
    word = "TEXTFILE" if formats is None or formats.args.get("input_format") else formats.name.upper()
    if word not in _STORED:
        raise refused(f"FAILED: SemanticException: Unrecognized file format in STORED AS clause: {word}")
    input_format, output_format, serde = _STORED[word]
    if formats is not None and formats.args.get("input_format"):
        input_format, output_format = (str(formats.args[f"{way}_format"].name) for way in ("input", "output"))
    parameters = {"serialization.format": "1"}
    if delimited := properties.get("RowFormatDelimitedProperty"):
        said = {key: delimited.args[name].name for name, key in _DELIMITERS.items() if delimited.args.get(name)}
        parameters = {"serialization.format": said.get("field.delim", "1"), **said}
    if own := properties.get("RowFormatSerdeProperty"):
        more = own.args.get("serde_properties")
        parameters |= {one.this.name: one.args["value"].name for one in more.expressions} if more else {}
        return input_format, output_format, own.this.name, parameters
    return input_format, output_format, serde, parameters


def _iceberg(columns: Iterable[Any], properties: Mapping[str, Any], plain: Mapping[str, str]) -> str:
    said = [
        f'"{one.name.lower()}" {trino_type(one.args["kind"])}'
        + (f" COMMENT {_text(comment)}" if (comment := _comment(one)) else "")
        for one in columns
    ]
    if "LocationProperty" not in properties:
        raise refused("FAILED: SemanticException: LOCATION is missing: where do the table's files lie?")
    place = properties["LocationProperty"].this.name.rstrip("/")
    given = {"format": _text(plain.get("format", "PARQUET").upper()), "location": _text(place)}
    if partitioned := properties.get("PartitionedByProperty"):
        transforms = ", ".join(_text(_transform(one)) for one in partitioned.this.expressions)
        given["partitioning"] = f"ARRAY[{transforms}]"
    about = properties.get("SchemaCommentProperty")
    noted = f" COMMENT {_text(about.this.name)}" if about else ""
    return f"({', '.join(said)}){noted} WITH ({', '.join(f'{name} = {value}' for name, value in given.items())})"


_TIMES = ("year", "month", "day", "hour")
_COUNTED = {
    "partitionedbybucket": "bucket",
    "partitionbytruncate": "truncate",
    "bucket": "bucket",
    "truncate": "truncate",
}


def _transform(node: Any) -> str:
    """Return one part of PARTITIONED BY as Trino writes it."""
    from sqlglot import exp  # noqa: PLC0415

    if isinstance(node, exp.Identifier | exp.Column):
        return str(node.name).lower()
    column, number = node.find(exp.Column), node.find(exp.Literal)
    called = (node.name if isinstance(node, exp.Anonymous) else type(node).__name__).lower()
    if column is not None and called.removesuffix("s") in _TIMES:
        return f"{called.removesuffix('s')}({column.name.lower()})"
    if column is not None and number is not None and called in _COUNTED:
        return f"{_COUNTED[called]}({column.name.lower()}, {number.name})"
    raise refused(f"FAILED: ParseException: {node.sql()} is no way to partition a table.")


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
