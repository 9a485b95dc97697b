"""What statements are and what they become, without running any."""

from __future__ import annotations

import pytest
from headwater_aws_api.athena._hive_table import read_create_table
from headwater_aws_api.athena._hive_words import Reader
from headwater_aws_api.athena._statements import Context, classified, for_trino, with_parameters
from headwater_aws_api.errors import AwsError

CONTEXT = Context("db", "s3://lake/out/", "0a-1b")


def asked(sql: str):
    """Return what Trino is asked for a statement."""
    return for_trino(sql, classified(sql), CONTEXT)


@pytest.mark.parametrize(
    ("sql", "kind", "sub", "hive"),
    [
        ("-- why\nSELECT 1", "DML", "SELECT", False),
        ("(SELECT 1) UNION (SELECT 2)", "DML", "SELECT", False),
        ("WITH a AS (SELECT 1) SELECT * FROM a", "DML", "SELECT", False),
        ("INSERT INTO t VALUES (1)", "DML", "INSERT", False),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE", "DML", "MERGE", False),
        ("UNLOAD (SELECT 1) TO 's3://b/c'", "DML", "UNLOAD", False),
        ("EXPLAIN SELECT 1", "UTILITY", "EXPLAIN", False),
        ("SHOW TABLES IN db 'a*'", "UTILITY", "SHOW", True),
        ("MSCK REPAIR TABLE t", "DDL", "MSCK_REPAIR", True),
        ("DESCRIBE `a`.`b`", "UTILITY", "DESCRIBE", True),
        ("create external table t (a int) location 's3://b/t/'", "DDL", "CREATE_TABLE", True),
        ("CREATE TABLE t (a int) TBLPROPERTIES ('table_type'='ICEBERG')", "DDL", "CREATE_TABLE", True),
        ("CREATE TABLE t AS SELECT 1 AS a", "DDL", "CREATE_TABLE_AS_SELECT", False),
        ("CREATE OR REPLACE VIEW v AS SELECT 1 AS a", "DDL", "CREATE_VIEW", False),
        ("CREATE DATABASE d", "DDL", "CREATE_DATABASE", True),
        ("DROP TABLE IF EXISTS `t`", "DDL", "DROP_TABLE", True),
        ("DROP VIEW v", "DDL", "DROP_VIEW", False),
        ("ALTER TABLE t ADD PARTITION (a='b')", "DDL", "ALTER_TABLE", True),
    ],
)
def test_a_statement_is_known_by_its_words(sql, kind, sub, hive):
    """As Athena tells of it, and which language it is."""
    found = classified(sql)
    assert (found.type, found.sub, found.hive) == (kind, sub, hive)


@pytest.mark.parametrize("sql", ["GRANT ALL ON t TO x", "SELEC 1", "CREATE FUNCTION f", "SELECT 'open"])
def test_other_statements_are_refused(sql):
    """With Athena's code."""
    with pytest.raises(AwsError) as caught:
        classified(sql)
    assert caught.value.code == "InvalidRequestException"


def test_the_catalogs_name_is_trinos():
    """In any case, with and without quotes, and not within texts or as a column."""
    sql = """SELECT 'AwsDataCatalog.x' FROM AwsDataCatalog.a.b JOIN "awsdatacatalog".c."d$files" ON true"""
    assert asked(sql).sql == """SELECT 'AwsDataCatalog.x' FROM iceberg.a.b JOIN iceberg.c."d$files" ON true"""
    assert asked("SELECT awsdatacatalog FROM t;").sql == "SELECT awsdatacatalog FROM t"


def test_a_table_as_a_query_is_hives_unless_it_is_icebergs():
    """Properties get Trino's names; a table without a place lies beside the results."""
    steps = asked(
        """CREATE TABLE "t" WITH (format = 'Parquet', external_location = 's3://b/t', write_compression = 'SNAPPY',
        partitioned_by = ARRAY['a', 'b'], bucketed_by = ARRAY['c'], bucket_count = 2)
        AS WITH q AS (SELECT 1) SELECT 2 AS a"""
    )
    assert steps.sql == (
        """CREATE TABLE hive."db"."t" WITH (format = 'PARQUET', external_location = 's3://b/t/', """
        """partitioned_by = ARRAY['a', 'b'], bucketed_by = ARRAY['c'], bucket_count = 2) """
        """AS WITH q AS (SELECT 1) SELECT 2 AS a"""
    )
    assert steps.session == {"hive.compression_codec": "SNAPPY"}
    assert steps.written == "s3://b/t/"
    assert asked("CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a").written == "s3://lake/out/tables/0a-1b/"
    iceberg = asked(
        "CREATE TABLE x.t WITH (table_type='ICEBERG', is_external=false, location='s3://b/t/') AS SELECT 1 AS a"
    )
    assert iceberg.sql == """CREATE TABLE iceberg."x"."t" WITH (location = 's3://b/t') AS SELECT 1 AS a"""


def test_unload_leaves_files_and_no_table():
    """A table that is forgotten at once."""
    steps = asked("UNLOAD (SELECT ')' AS a FROM t) TO 's3://b/c' WITH (format = 'TEXTFILE', field_delimiter = '|')")
    assert steps.sql == (
        """CREATE TABLE hive."db"."unload_0a_1b" WITH (format = 'TEXTFILE', external_location = 's3://b/c/', """
        """textfile_field_separator = '|') AS SELECT ')' AS a FROM t"""
    )
    assert steps.after == 'DROP TABLE IF EXISTS hive."db"."unload_0a_1b"'


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t WITH (format = 'XML') AS SELECT 1 AS a",
        "CREATE TABLE t WITH (invented = 1) AS SELECT 1 AS a",
        "CREATE TABLE t WITH (table_type = 'ICEBERG', bucketed_by = 1) AS SELECT 1 AS a",
        "UNLOAD SELECT 1",
        "UNLOAD (SELECT 1 TO 's3://b/c'",
        "OPTIMIZE t",
    ],
)
def test_properties_and_forms_that_are_not_athenas_are_refused(sql):
    """Rather than left out."""
    with pytest.raises(AwsError):
        asked(sql)


def test_gaps_are_filled_where_they_are():
    """A question mark in a text is none, and their number must be right."""
    assert with_parameters("SELECT '?', ?", ["'a?'"]) == "SELECT '?', 'a?'"
    with pytest.raises(AwsError, match="expected 1 but found 2"):
        with_parameters("SELECT ?", ["1", "2"])


def test_an_external_table_is_glues():
    """Types, comments, partitions, delimiters and properties."""
    new = read_create_table(
        r"""CREATE EXTERNAL TABLE IF NOT EXISTS `a`.`t` (`Id` bigint COMMENT 'The id', s struct<x:int,y:array<string>>,
        d decimal(10, 2)) COMMENT 'A table' PARTITIONED BY (y int) ROW FORMAT DELIMITED FIELDS TERMINATED BY '|'
        STORED AS TEXTFILE LOCATION 's3://b/t/' TBLPROPERTIES ('skip.header.line.count'='1')""",
        "db",
    )
    assert (new.database, new.name, new.optional) == ("a", "t", True)
    assert new.input is not None
    storage = new.input["StorageDescriptor"]
    assert [(one["Name"], one["Type"]) for one in storage["Columns"]] == [
        ("id", "bigint"),
        ("s", "struct<x:int,y:array<string>>"),
        ("d", "decimal(10,2)"),
    ]
    assert storage["SerdeInfo"]["Parameters"]["field.delim"] == "|"
    assert new.input["PartitionKeys"] == [{"Name": "y", "Type": "int"}]
    assert (new.input["Description"], new.input["Parameters"]["skip.header.line.count"]) == ("A table", "1")


def test_an_iceberg_table_is_trinos():
    """Types, transforms, format and place."""
    new = read_create_table(
        """CREATE TABLE t (id bigint, ts timestamp, s string) PARTITIONED BY (day(ts), bucket(4, id), truncate(2, s), s)
        LOCATION 's3://b/t/' TBLPROPERTIES ('table_type'='iceberg', 'format'='orc')""",
        "db",
    )
    assert (new.database, new.input) == ("db", None)
    assert new.iceberg == (
        """("id" BIGINT, "ts" TIMESTAMP(6), "s" VARCHAR) WITH (format = 'ORC', location = 's3://b/t', """
        """partitioning = ARRAY['day(ts)', 'bucket(id, 4)', 'truncate(s, 2)', 's'])"""
    )


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("CREATE TABLE t (a int) LOCATION 's3://b/t'", "external"),
        ("CREATE EXTERNAL TABLE t (a int)", "LOCATION"),
        ("CREATE EXTERNAL TABLE t (a int) STORED AS CRAYON LOCATION 's3://b/t'", "CRAYON"),
    ],
)
def test_tables_that_athena_does_not_make_are_refused(sql, said):
    """With what is missing or wrong."""
    with pytest.raises(AwsError, match=said):
        read_create_table(sql, "db")


def test_hives_words_are_taken_one_by_one():
    """Names with and without quotes, pairs, texts, and what stands where something else should."""
    reader = Reader("ALTER TABLE `A`.b ADD IF NOT EXISTS PARTITION (y='2019', m=-5) LOCATION 's3://x';", "db")
    assert reader.maybe("ALTER TABLE")
    assert reader.table() == ("a", "b")
    assert not reader.maybe("DROP")
    assert reader.maybe("ADD IF NOT EXISTS")
    reader.must("PARTITION")
    assert reader.pairs() == {"y": "2019", "m": "-5"}
    with pytest.raises(AwsError, match="the end was expected, not 'LOCATION'"):
        reader.end()
    assert reader.maybe("LOCATION")
    assert reader.text() == "s3://x"
    reader.end()
