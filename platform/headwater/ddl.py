"""What the metastore is told of a table: Iceberg schemas, Hive columns, and CREATE TABLE per dialect. Pure.

PyIceberg is imported only where one of its values is made, so that loading definitions does not pay for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from headwater.dialects import DIALECTS, Dialect, dialect_named
from headwater.errors import DefinitionError
from headwater.table import Column, Partitioning, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.schema import Schema
    from pyiceberg.types import PrimitiveType

__all__ = [
    "FORMAT_VERSION",
    "REJECTS",
    "HiveColumn",
    "HiveStorage",
    "create_table",
    "declared_properties",
    "delimited_storage",
    "hive_columns",
    "hive_partition_keys",
    "iceberg_partition_spec",
    "iceberg_schema",
    "rejects_columns",
    "rejects_schema",
    "stage_schema",
]

FORMAT_VERSION = 2

REJECTS = (
    Column("source_file", "string", "Name of the file that the line came from."),
    Column("source_line", "long", "The line's number in that file, from 1."),
    Column("reject_reason", "string", "Why the line was not taken over."),
    Column("source_text", "string", "The line as it arrived."),
)

# PyIceberg's class of a type, where it is not the type's own name.
_ICEBERG_CLASSES = {"int": "IntegerType"}


def iceberg_schema(table: Table) -> Schema:
    """Return the schema of a table that is created now: docs included, field ids 1 to n in the declared order.

    A stage must carry its target's field ids, and after an evolution those are the target's own: derive its schema
    from the target with ``stage_schema``, not from here.
    """
    return _schema(table.columns)


def rejects_columns(table: Table) -> tuple[Column, ...]:
    """Return the columns of a table's rejected rows: where each came from, why, its text, and the partition column."""
    cut = table.partitioning
    return REJECTS if cut is None else (*REJECTS, Column(cut.column, cut.type, "The partition that was written."))


def rejects_schema(table: Table) -> Schema:
    """Return the schema of the table that holds a table's rejected rows."""
    return _schema(rejects_columns(table))


def stage_schema(target: Schema) -> Schema:
    """Return a stage's schema: the target's with the same field ids, but every column may be null.

    So a row that breaks a required column reaches the check, which shows it, instead of failing the write.
    """
    from pyiceberg.schema import Schema as Made  # noqa: PLC0415

    return Made(*(field.model_copy(update={"required": False}) for field in target.fields))


def iceberg_partition_spec(table: Table, schema: Schema) -> PartitionSpec:
    """Return the partition spec over a schema of the table, its rejects or its stage: one identity field, or none."""
    from pyiceberg.partitioning import PARTITION_FIELD_ID_START, PartitionField, PartitionSpec  # noqa: PLC0415
    from pyiceberg.transforms import IdentityTransform  # noqa: PLC0415

    if table.partitioning is None:
        return PartitionSpec()
    column = table.partitioning.column
    source = schema.find_field(column).field_id
    return PartitionSpec(PartitionField(source, PARTITION_FIELD_ID_START, IdentityTransform(), column))


def _schema(columns: tuple[Column, ...]) -> Schema:
    from pyiceberg.schema import Schema as Made  # noqa: PLC0415
    from pyiceberg.types import NestedField  # noqa: PLC0415

    return Made(
        *(
            NestedField(number, column.name, _iceberg_type(column.type), required=column.required, doc=column.doc)
            for number, column in enumerate(columns, start=1)
        ),
    )


def _iceberg_type(column_type: str) -> PrimitiveType:
    from pyiceberg import types  # noqa: PLC0415

    head, _, rest = column_type.partition("(")
    if head == "decimal":
        precision, scale = rest.rstrip(")").split(",")
        return types.DecimalType(int(precision), int(scale))
    made: PrimitiveType = getattr(types, _ICEBERG_CLASSES.get(head, f"{head.capitalize()}Type"))()
    return made


@dataclass(frozen=True)
class HiveColumn:
    """A column as the metastore stores it.

    Args:
        name: The column's name.
        type: Hive's name of its type.
        comment: The column's doc.
    """

    name: str
    type: str
    comment: str


@dataclass(frozen=True, kw_only=True)
class HiveStorage:
    """How the metastore says that a table's files are read.

    Args:
        input_format: Java class.
        output_format: Java class.
        serde: Java class.
        serde_parameters: Its parameters.
    """

    input_format: str
    output_format: str
    serde: str
    serde_parameters: Mapping[str, str]


def hive_columns(table: Table) -> tuple[HiveColumn, ...]:
    """Return a raw table's columns, without its partition column."""
    return tuple(HiveColumn(column.name, _hive_type(column.type), column.doc) for column in table.columns)


def hive_partition_keys(table: Table) -> tuple[HiveColumn, ...]:
    """Return a raw table's partition column, if it has one."""
    cut = table.partitioning
    return () if cut is None else (HiveColumn(cut.column, _hive_type(cut.type), _partition_doc(cut)),)


def delimited_storage(table: Table) -> HiveStorage:
    """Return how a raw table's delimited text is read: one record per line, nothing quoted or escaped.

    Raises:
        DefinitionError: The table has no files.
    """
    delimiter = _delimiter(table)
    return HiveStorage(
        input_format="org.apache.hadoop.mapred.TextInputFormat",
        output_format="org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        serde="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        serde_parameters=MappingProxyType({"field.delim": delimiter, "serialization.format": delimiter}),
    )


def declared_properties(table: Table) -> Mapping[str, str]:
    """Return what the metastore remembers of a definition besides its columns; an empty text where it says nothing."""
    return MappingProxyType({"comment": table.doc, "owner": table.owner, "tags": ",".join(table.tags)})


def create_table(table: Table, dialect: str, location: str, *, relation: str = "") -> str:
    """Return the statement that creates a table in an engine.

    Args:
        table: A raw table becomes a Hive table over its text, another an Iceberg table.
        dialect: The engine's.
        location: Where its files lie.
        relation: Its name there, in the engine's own quoting; ``zone.name`` when absent.

    Raises:
        DefinitionError: The engine cannot create a column of such a type.
    """
    writer = _WRITERS[dialect_named(dialect).name]
    name = relation or f"{writer.name(table.id.zone)}.{writer.name(table.id.name)}"
    return writer.raw(table, name, location) if table.zone == "raw" else writer.iceberg(table, name, location)


class _Writer:
    """CREATE TABLE in Hive's manner, which Spark and Athena share."""

    raw_head = "CREATE TABLE"
    iceberg_tail = "USING iceberg"
    iceberg_properties: Mapping[str, str] = MappingProxyType({"format-version": str(FORMAT_VERSION)})
    null_marks = True

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def name(self, name: str) -> str:
        return self.dialect.quoted(name, ddl=True)

    def column(self, name: str, column_type: str, doc: str, *, required: bool = False) -> str:
        null = " NOT NULL" if required and self.null_marks else ""
        kind = self.dialect.type_name(column_type, ddl=True)
        return f"  {self.name(name)} {kind}{null} COMMENT {self.dialect.ddl_text(doc)}"

    def columns(self, table: Table) -> str:
        for column in table.columns:
            if column.type in self.dialect.ddl_missing_types:
                raise DefinitionError(
                    f"Table {table}: {self.dialect.name} cannot create column {column.name!r} as {column.type}; create "
                    "the table through the metastore, or declare it timestamp, in UTC.",
                )
        told = (self.column(c.name, c.type, c.doc, required=c.required) for c in table.columns)
        return ",\n".join(told)

    def iceberg(self, table: Table, relation: str, location: str) -> str:
        text = self.dialect.ddl_text
        properties = ", ".join(f"{text(key)} = {text(value)}" for key, value in self.iceberg_properties.items())
        lines = [
            f"CREATE TABLE {relation} (\n{self.columns(table)}\n)",
            self.iceberg_tail,
            f"COMMENT {text(table.doc)}",
            f"PARTITIONED BY ({self.name(table.partitioning.column)})" if table.partitioning else "",
            f"LOCATION {text(location)}",
            f"TBLPROPERTIES ({properties})",
        ]
        return "\n".join(line for line in lines if line)

    def raw(self, table: Table, relation: str, location: str) -> str:
        text, cut = self.dialect.ddl_text, table.partitioning
        key = self.column(cut.column, cut.type, _partition_doc(cut)) if cut else ""
        lines = [
            f"{self.raw_head} {relation} (\n{self.columns(table)}\n)",
            f"COMMENT {text(table.doc)}",
            f"PARTITIONED BY (\n{key}\n)" if key else "",
            f"ROW FORMAT DELIMITED FIELDS TERMINATED BY {text(_delimiter(table))}",
            "STORED AS TEXTFILE",
            f"LOCATION {text(location)}",
        ]
        return "\n".join(line for line in lines if line)


class _AthenaWriter(_Writer):
    """Athena wants EXTERNAL for Hive tables, names Iceberg in a property and cannot mark a column as required."""

    raw_head = "CREATE EXTERNAL TABLE"
    iceberg_tail = ""
    iceberg_properties = MappingProxyType({"table_type": "ICEBERG", "format": "parquet"})
    null_marks = False


class _TrinoWriter(_Writer):
    """Trino puts everything but columns and comment into WITH properties."""

    def iceberg(self, table: Table, relation: str, location: str) -> str:
        properties = {"format": "'PARQUET'", "format_version": str(FORMAT_VERSION)}
        if table.partitioning:
            properties["partitioning"] = f"ARRAY[{self.dialect.ddl_text(self.name(table.partitioning.column))}]"
        return self._statement(table, relation, self.columns(table), properties, ("location", location))

    def raw(self, table: Table, relation: str, location: str) -> str:
        text, cut = self.dialect.ddl_text, table.partitioning
        columns = self.columns(table)
        properties = {"format": "'TEXTFILE'", "textfile_field_separator": text(_delimiter(table))}
        if cut:
            columns += f",\n{self.column(cut.column, cut.type, _partition_doc(cut))}"
            properties["partitioned_by"] = f"ARRAY[{text(cut.column)}]"
        return self._statement(table, relation, columns, properties, ("external_location", location))

    def _statement(
        self,
        table: Table,
        relation: str,
        columns: str,
        properties: Mapping[str, str],
        place: tuple[str, str],
    ) -> str:
        text = self.dialect.ddl_text
        told = ",\n".join(f"  {key} = {value}" for key, value in {**properties, place[0]: text(place[1])}.items())
        return f"CREATE TABLE {relation} (\n{columns}\n)\nCOMMENT {text(table.doc)}\nWITH (\n{told}\n)"


_WRITERS: Mapping[str, _Writer] = {
    "trino": _TrinoWriter(DIALECTS["trino"]),
    "spark": _Writer(DIALECTS["spark"]),
    "athena": _AthenaWriter(DIALECTS["athena"]),
}


def _hive_type(column_type: str) -> str:
    return DIALECTS["athena"].type_name(column_type, ddl=True).lower()


def _partition_doc(cut: Partitioning) -> str:
    return f"The {cut.by} that the file was loaded for." if cut.by != "value" else "What the file was loaded for."


def _delimiter(table: Table) -> str:
    if table.files is None:
        raise DefinitionError(f"Table {table} has no files; only a raw table is read as delimited text.")
    return table.files.delimiter
