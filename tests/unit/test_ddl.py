"""What the metastore and the engines are told of a table."""

from __future__ import annotations

import pytest
from headwater import ddl
from headwater.errors import DefinitionError
from headwater.table import Column, DelimitedFiles, Partitioning, Table

TYPES = (
    "boolean int long float double string date timestamp timestamptz binary decimal(10,2)".split()  # noqa: SIM905
)

LOAN = Table(
    name="curated.loan",
    doc="It's one \\ loan.",
    owner="team:loans",
    columns=(Column("id", "string", "The loan's id.", required=True), Column("year", "int", "The year.")),
    partitioning=Partitioning("year", "year", "2019"),
    body=lambda *_: None,
    engine="spark",
)
LINES = Table(
    name="raw.line",
    doc="Lines.",
    owner="team:loans",
    columns=(Column("a", "string", "A."), Column("b", "string", "B.")),
    files=DelimitedFiles(folder="d", pattern="(?P<key>.*)"),
    partitioning=Partitioning("month", "month", "2019-01"),
)


def _one_of_each(types: tuple[str, ...]) -> Table:
    columns = tuple(Column(f"c{number}", kind, "Doc.") for number, kind in enumerate(types))
    return Table(name="curated.all", doc="D.", owner="team:t", columns=columns, body=lambda *_: None, engine="spark")


def test_every_type_has_its_own_iceberg_type() -> None:
    """Field ids run from 1 in the declared order and types keep their names."""
    schema = ddl.iceberg_schema(_one_of_each(tuple(TYPES)))

    assert [field.field_id for field in schema.fields] == list(range(1, len(TYPES) + 1))
    assert [str(field.field_type).replace(" ", "") for field in schema.fields] == TYPES


def test_an_iceberg_schema_carries_docs_and_required_columns() -> None:
    """What the definition says of a column stands in the metastore."""
    first, second = ddl.iceberg_schema(LOAN).fields

    assert (first.name, first.doc, first.required) == ("id", "The loan's id.", True)
    assert (second.name, second.doc, second.required) == ("year", "The year.", False)


def test_a_table_is_cut_by_the_identity_of_its_partition_column() -> None:
    """One partition value is one partition; a table without partitioning has none."""
    (field,) = ddl.iceberg_partition_spec(LOAN, ddl.iceberg_schema(LOAN)).fields
    plain = _one_of_each(("int",))

    assert (field.source_id, field.name, str(field.transform)) == (2, "year", "identity")
    assert ddl.iceberg_partition_spec(plain, ddl.iceberg_schema(plain)).is_unpartitioned()


def test_rejected_rows_keep_where_they_came_from() -> None:
    """A rejects table has source, line, reason, text, and its table's partition column."""
    schema = ddl.rejects_schema(LOAN)
    (field,) = ddl.iceberg_partition_spec(LOAN, schema).fields

    assert schema.column_names == ["source_file", "source_line", "reject_reason", "source_text", "year"]
    assert str(schema.find_type("source_line")) == "long"
    assert field.source_id == schema.find_field("year").field_id
    assert [column.name for column in ddl.rejects_columns(_one_of_each(("int",)))][-1] == "source_text"


def test_a_stage_takes_nulls_under_its_targets_field_ids() -> None:
    """A null in a required column reaches the check instead of failing the write."""
    target = ddl.iceberg_schema(LOAN)
    stage = ddl.stage_schema(target)

    assert [field.field_id for field in stage.fields] == [field.field_id for field in target.fields]
    assert not any(field.required for field in stage.fields)
    assert target.fields[0].required


def test_a_raw_table_is_text_with_a_partition_column_beside() -> None:
    """Hive gets the declared columns, the partition key, and how lines are split."""
    assert ddl.hive_columns(LINES) == (ddl.HiveColumn("a", "string", "A."), ddl.HiveColumn("b", "string", "B."))
    (key,) = ddl.hive_partition_keys(LINES)
    assert (key.name, key.type) == ("month", "date")

    storage = ddl.delimited_storage(LINES)
    assert storage.serde.endswith("LazySimpleSerDe")
    assert dict(storage.serde_parameters) == {"field.delim": "|", "serialization.format": "|"}
    with pytest.raises(DefinitionError, match="has no files"):
        ddl.delimited_storage(LOAN)


def test_trino_creates_tables_with_properties() -> None:
    """Trino's statements, exactly."""
    assert ddl.create_table(LOAN, "trino", "s3://lake/curated/loan") == (
        'CREATE TABLE "curated"."loan" (\n'
        "  \"id\" VARCHAR NOT NULL COMMENT 'The loan''s id.',\n"
        "  \"year\" INTEGER COMMENT 'The year.'\n"
        ")\n"
        "COMMENT 'It''s one \\ loan.'\n"
        "WITH (\n"
        "  format = 'PARQUET',\n"
        "  format_version = 2,\n"
        "  partitioning = ARRAY['\"year\"'],\n"
        "  location = 's3://lake/curated/loan'\n"
        ")"
    )
    assert ddl.create_table(LINES, "trino", "s3://lake/raw/line", relation="hive.raw.line") == (
        "CREATE TABLE hive.raw.line (\n"
        "  \"a\" VARCHAR COMMENT 'A.',\n"
        "  \"b\" VARCHAR COMMENT 'B.',\n"
        "  \"month\" DATE COMMENT 'The month that the file was loaded for.'\n"
        ")\n"
        "COMMENT 'Lines.'\n"
        "WITH (\n"
        "  format = 'TEXTFILE',\n"
        "  textfile_field_separator = '|',\n"
        "  partitioned_by = ARRAY['month'],\n"
        "  external_location = 's3://lake/raw/line'\n"
        ")"
    )


def test_spark_creates_tables_with_clauses() -> None:
    """Spark's statements, exactly."""
    assert ddl.create_table(LOAN, "spark", "s3://lake/curated/loan") == (
        "CREATE TABLE `curated`.`loan` (\n"
        "  `id` STRING NOT NULL COMMENT 'The loan\\'s id.',\n"
        "  `year` INT COMMENT 'The year.'\n"
        ")\n"
        "USING iceberg\n"
        "COMMENT 'It\\'s one \\\\ loan.'\n"
        "PARTITIONED BY (`year`)\n"
        "LOCATION 's3://lake/curated/loan'\n"
        "TBLPROPERTIES ('format-version' = '2')"
    )
    assert ddl.create_table(LINES, "spark", "s3://lake/raw/line") == (
        "CREATE TABLE `raw`.`line` (\n"
        "  `a` STRING COMMENT 'A.',\n"
        "  `b` STRING COMMENT 'B.'\n"
        ")\n"
        "COMMENT 'Lines.'\n"
        "PARTITIONED BY (\n"
        "  `month` DATE COMMENT 'The month that the file was loaded for.'\n"
        ")\n"
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'\n"
        "STORED AS TEXTFILE\n"
        "LOCATION 's3://lake/raw/line'"
    )


def test_athena_differs_from_spark_where_it_must() -> None:
    """Athena names Iceberg in a property, knows no NOT NULL, and wants EXTERNAL for text."""
    assert ddl.create_table(LOAN, "athena", "s3://lake/curated/loan") == (
        "CREATE TABLE `curated`.`loan` (\n"
        "  `id` STRING COMMENT 'The loan\\'s id.',\n"
        "  `year` INT COMMENT 'The year.'\n"
        ")\n"
        "COMMENT 'It\\'s one \\\\ loan.'\n"
        "PARTITIONED BY (`year`)\n"
        "LOCATION 's3://lake/curated/loan'\n"
        "TBLPROPERTIES ('table_type' = 'ICEBERG', 'format' = 'parquet')"
    )
    assert ddl.create_table(LINES, "athena", "s3://x").startswith("CREATE EXTERNAL TABLE `raw`.`line`")
    with pytest.raises(DefinitionError, match="athena cannot create column 'c0' as timestamptz"):
        ddl.create_table(_one_of_each(("timestamptz",)), "athena", "s3://x")


@pytest.mark.parametrize(
    ("dialect", "names"),
    [
        ("trino", ["BOOLEAN", "INTEGER", "BIGINT", "REAL", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP(6)", "VARBINARY"]),
        ("spark", ["BOOLEAN", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "DATE", "TIMESTAMP_NTZ", "BINARY"]),
        ("athena", ["BOOLEAN", "INT", "BIGINT", "FLOAT", "DOUBLE", "STRING", "DATE", "TIMESTAMP", "BINARY"]),
    ],
)
def test_every_type_has_its_name_in_every_dialect(dialect: str, names: list[str]) -> None:
    """Types are spelled as each engine's CREATE TABLE wants them."""
    types = tuple(kind for kind in TYPES if kind not in {"timestamptz", "decimal(10,2)"})
    lines = ddl.create_table(_one_of_each(types), dialect, "s3://x").splitlines()[1 : len(types) + 1]

    assert [line.split()[1] for line in lines] == names
