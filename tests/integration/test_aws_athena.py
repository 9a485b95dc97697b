"""The box's Athena, and the clients that people use on AWS, unmodified."""

from __future__ import annotations

import json
import time
import uuid

import pytest
from aws_programs import PYATHENA, WRANGLER
from aws_site import AwsSite
from botocore.exceptions import ClientError
from glue_cases import code_of

pytestmark = pytest.mark.box

TYPES = """SELECT 1 AS a, 'x' AS b, DECIMAL '2.50' AS c, 1e10 AS d, DATE '2020-01-01' AS e,
    TIMESTAMP '2020-01-01 00:00:00.123' AS f, ARRAY[1, NULL] AS g, MAP(ARRAY['k'], ARRAY[1.5e0]) AS h,
    CAST(ROW(1, 'z') AS ROW(p bigint, q varchar)) AS i, NULL AS j, X'6162' AS k, true AS l, '' AS m, REAL '1.5' AS n"""


@pytest.fixture(scope="module")
def aws(box):
    """The running APIs."""
    return AwsSite(box)


@pytest.fixture(scope="module")
def athena(aws):
    """An Athena client."""
    return aws.client("athena")


@pytest.fixture
def database(aws):
    """An empty database of this test's own."""
    name = f"athena_{uuid.uuid4().hex[:8]}"
    aws.rows(f"CREATE DATABASE {name}")
    yield name
    aws.rows(f"DROP DATABASE {name} CASCADE")


@pytest.fixture
def place(box, database):
    """Where its tables lie."""
    return f"s3://{box.bucket}/{database}"


def read(aws, uri):
    """Return an object's bytes."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()


def test_a_result_is_athenas(aws, athena):
    """Types, texts, the CSV and its metadata file, and what it took."""
    found = aws.query(TYPES)
    assert (found["StatementType"], found["SubstatementType"]) == ("DML", "SELECT")
    result = athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])["ResultSet"]
    kinds = [one["Type"] for one in result["ResultSetMetadata"]["ColumnInfo"]]
    assert kinds == ["integer", "varchar", "decimal", "double", "date", "timestamp", "array", "map", "row", "unknown",
                     "varbinary", "boolean", "varchar", "float"]  # fmt: skip
    row = [datum.get("VarCharValue") for datum in result["Rows"][1]["Data"]]
    assert row == ["1", "x", "2.50", "1.0E10", "2020-01-01", "2020-01-01 00:00:00.123", "[1, null]", "{k=1.5}",
                   "{p=1, q=z}", None, "61 62", "true", "", "1.5"]  # fmt: skip
    output = found["ResultConfiguration"]["OutputLocation"]
    assert output.endswith(f"/{found['QueryExecutionId']}.csv")
    assert read(aws, output).decode().splitlines()[0] == ",".join(f'"{name}"' for name in "abcdefghijklmn")
    assert b"varbinary" in read(aws, f"{output}.metadata")
    assert found["Statistics"]["TotalExecutionTimeInMillis"] > 0


def test_a_long_result_comes_in_pages(aws, athena):
    """Each row once, whatever is in it."""
    text = "'a \"quoted\", ' || chr(10) || 'broken ' || CAST(n AS varchar)"
    sql = f"SELECT n, {text} AS t FROM UNNEST(sequence(1, 2500)) AS s(n)"
    rows = aws.rows(sql)
    assert sorted(int(row[0]) for row in rows) == list(range(1, 2501))
    assert rows[0][1] == f'a "quoted", \nbroken {rows[0][0]}'
    key = athena.list_query_executions(MaxResults=1)["QueryExecutionIds"][0]
    page = athena.get_query_results(QueryExecutionId=key, MaxResults=2)
    assert len(page["ResultSet"]["Rows"]) == 2
    follow = athena.get_query_results(QueryExecutionId=key, MaxResults=2, NextToken=page["NextToken"])
    assert len(follow["ResultSet"]["Rows"]) == 2
    assert follow["ResultSet"]["Rows"] != page["ResultSet"]["Rows"]


def test_hives_tables(aws, database, place):
    """Made, filled, partitioned, told of, altered and dropped; their files stay."""
    aws.rows(
        f"""CREATE EXTERNAL TABLE `{database}`.`t` (`id` bigint COMMENT 'The id', name string) COMMENT 'A table'
        PARTITIONED BY (y int) STORED AS PARQUET LOCATION '{place}/t/' TBLPROPERTIES ('a'='b')"""
    )
    aws.rows("INSERT INTO t VALUES (1, 'a', 2019), (2, NULL, 2020)", database)
    assert aws.rows("SELECT * FROM t ORDER BY id", database) == [["1", "a", "2019"], ["2", None, "2020"]]
    assert aws.rows("SHOW PARTITIONS t", database) == [["y=2019"], ["y=2020"]]
    assert aws.rows(f"SHOW TABLES IN {database} 't*'") == [["t"]]
    assert aws.rows("SHOW COLUMNS IN t", database) == [["id"], ["name"], ["y"]]
    described = [row[0].split() for row in aws.rows("DESCRIBE t", database)]
    assert described[0] == ["id", "bigint", "The", "id"]
    made = "\n".join(str(row[0]) for row in aws.rows("SHOW CREATE TABLE t", database))
    aws.rows(made.replace(f"{database}.t", f"{database}`.`again"), database)
    assert aws.rows("SHOW TBLPROPERTIES again('a')", database) == [["a\tb"]]
    assert aws.rows("MSCK REPAIR TABLE again", database) == [
        ["Repair: Added partition to metastore again:y=2019"],
        ["Repair: Added partition to metastore again:y=2020"],
    ]
    assert aws.rows("MSCK REPAIR TABLE again", database) == []
    assert aws.rows("SELECT count(*) FROM again", database) == [["2"]]
    aws.rows(f"ALTER TABLE t ADD IF NOT EXISTS PARTITION (y=2021) LOCATION '{place}/t/y=2019'", database)
    assert aws.rows("SELECT id FROM t WHERE y = 2021", database) == [["1"]]
    aws.rows("ALTER TABLE t DROP PARTITION (y=2021)", database)
    aws.rows("ALTER TABLE t ADD COLUMNS (more string)", database)
    aws.rows("ALTER TABLE t SET TBLPROPERTIES ('a'='c')", database)
    assert aws.rows("SHOW TBLPROPERTIES t('a')", database) == [["a\tc"]]
    aws.rows("DROP TABLE t", database)
    assert aws.rows("SELECT count(*) FROM again", database) == [["2"]]


def test_icebergs_tables(aws, database, place):
    """Made with a hidden partition, changed row by row, kept small, evolved and dropped."""
    aws.rows(
        f"""CREATE TABLE ice (id bigint, ts timestamp, s string) PARTITIONED BY (day(ts), bucket(4, id))
        LOCATION '{place}/ice/' TBLPROPERTIES ('table_type'='ICEBERG')""",
        database,
    )
    aws.rows("INSERT INTO ice VALUES (1, TIMESTAMP '2020-01-01 00:00:00.123456', 'x'), (2, NULL, 'y')", database)
    aws.rows("UPDATE ice SET s = 'z' WHERE id = 1", database)
    aws.rows("DELETE FROM ice WHERE id = 2", database)
    merge = "MERGE INTO ice USING (VALUES 1, 3) AS n(id) ON ice.id = n.id"
    aws.rows(
        f"{merge} WHEN MATCHED THEN UPDATE SET s = 'm' WHEN NOT MATCHED THEN INSERT (id, s) VALUES (n.id, 'n')",
        database,
    )
    aws.rows("ALTER TABLE ice ADD COLUMNS (more int)", database)
    aws.rows("OPTIMIZE ice REWRITE DATA USING BIN_PACK", database)
    aws.rows("VACUUM ice", database)
    assert aws.rows("SELECT * FROM ice ORDER BY id", database) == [
        ["1", "2020-01-01 00:00:00.123456", "m", None],
        ["3", None, "n", None],
    ]
    assert int(aws.rows('SELECT count(*) FROM "ice$snapshots"', database)[0][0] or 0) > 3
    aws.rows("DROP TABLE ice", database)
    assert aws.rows("SHOW TABLES", database) == []


def test_queries_make_tables_and_files(aws, database, place):
    """CREATE TABLE AS for Hive and Iceberg, UNLOAD, and manifests of what was written; views."""
    aws.rows(
        f"CREATE TABLE a WITH (external_location = '{place}/a/') AS SELECT n FROM UNNEST(sequence(1, 5)) AS t(n)",
        database,
    )
    kept = aws.query(
        "CREATE TABLE b WITH (format = 'ORC', partitioned_by = ARRAY['p']) AS SELECT 1 AS x, 2 AS p", database
    )
    assert kept["Status"]["State"] == "SUCCEEDED"
    assert f"tables/{kept['QueryExecutionId']}/" in read(aws, kept["Statistics"]["DataManifestLocation"]).decode()
    iceberg = f"table_type = 'ICEBERG', is_external = false, location = '{place}/c/'"
    aws.rows(f"CREATE TABLE c WITH ({iceberg}) AS SELECT * FROM a", database)
    unloaded = aws.query(
        f"UNLOAD (SELECT * FROM c) TO '{place}/d/' WITH (format = 'JSON', compression = 'NONE')", database
    )
    files = read(aws, unloaded["Statistics"]["DataManifestLocation"]).decode().split()
    lines = [json.loads(line) for uri in files for line in read(aws, uri).splitlines()]
    assert sorted(line["n"] for line in lines) == [1, 2, 3, 4, 5]
    assert aws.rows("SHOW TABLES", database) == [["a"], ["b"], ["c"]]
    aws.rows(f'CREATE VIEW v AS SELECT count(*) AS n FROM "AwsDataCatalog".{database}.a', database)
    assert aws.rows("SELECT n FROM v", database) == [["5"]]
    assert aws.rows("SHOW VIEWS", database) == [["v"]]


def test_what_is_wrong_fails_with_its_sentence(aws, athena):
    """A query with Trino's words; a request with Athena's code, and nothing is started."""
    failed = aws.query("SELECT * FROM nowhere")
    assert failed["Status"]["State"] == "FAILED"
    assert "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.default.nowhere'" in failed["Status"]["StateChangeReason"]
    assert failed["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert code_of(athena.get_query_results, QueryExecutionId=failed["QueryExecutionId"]) == "InvalidRequestException"
    for wrong in ("SELEC 1", "GRANT ALL ON x TO y", "SELECT 'open"):
        assert code_of(athena.start_query_execution, QueryString=wrong) == "InvalidRequestException"
    assert code_of(athena.get_query_execution, QueryExecutionId="none") == "InvalidRequestException"
    with pytest.raises(ClientError, match=r"NotImplemented.*athena:CreateNotebook"):
        athena.create_notebook(WorkGroup="primary", Name="n")


def test_a_query_can_be_stopped(aws, athena):
    """It ends at once, and stays as it ended."""
    long = "SELECT count(*) FROM tpch.sf1000.lineitem a JOIN tpch.sf1000.lineitem b ON a.orderkey = b.partkey"
    key = athena.start_query_execution(QueryString=long)["QueryExecutionId"]
    while athena.get_query_execution(QueryExecutionId=key)["QueryExecution"]["Status"]["State"] == "QUEUED":
        time.sleep(0.1)
    athena.stop_query_execution(QueryExecutionId=key)
    assert aws.ended(key)["Status"]["State"] == "CANCELLED"
    athena.stop_query_execution(QueryExecutionId=key)
    time.sleep(1)
    assert aws.ended(key)["Status"]["StateChangeReason"] == "Query cancelled by user"


def test_the_same_request_is_the_same_query(athena):
    """A client that did not hear the answer asks again; another query under that token is refused."""
    token = uuid.uuid4().hex
    keys = {
        athena.start_query_execution(QueryString="SELECT 1", ClientRequestToken=token)["QueryExecutionId"] for _ in "ab"
    }
    assert len(keys) == 1
    other = {"QueryString": "SELECT 2", "ClientRequestToken": token}
    assert code_of(athena.start_query_execution, **other) == "InvalidRequestException"


def test_work_groups_decide(aws, athena, box):
    """Where results go, how much may be read, and whether anything runs."""
    name = f"group_{uuid.uuid4().hex[:8]}"
    place = f"s3://{box.bucket}/{name}/"
    configuration = {"ResultConfiguration": {"OutputLocation": place}, "BytesScannedCutoffPerQuery": 10_000_000}
    athena.create_work_group(Name=name, Configuration=configuration, Description="Told.")
    assert name in [one["Name"] for one in athena.list_work_groups()["WorkGroups"]]
    elsewhere = {"WorkGroup": name, "ResultConfiguration": {"OutputLocation": f"s3://{box.bucket}/elsewhere/"}}
    found = aws.query("SELECT 1", **elsewhere)
    assert found["ResultConfiguration"]["OutputLocation"].startswith(place)
    athena.update_work_group(WorkGroup=name, State="DISABLED")
    refused = {"QueryString": "SELECT 1", "WorkGroup": name}
    assert code_of(athena.start_query_execution, **refused) == "InvalidRequestException"
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    assert code_of(athena.get_work_group, WorkGroup=name) == "InvalidRequestException"


def test_a_query_that_reads_too_much_is_ended(aws, athena, database, place):
    """By its group's limit."""
    aws.rows(f"CREATE TABLE big WITH (external_location = '{place}/big/') AS SELECT * FROM tpch.tiny.orders", database)
    name = f"limit_{uuid.uuid4().hex[:8]}"
    result = {"OutputLocation": f"{place}/results/"}
    athena.create_work_group(
        Name=name, Configuration={"ResultConfiguration": result, "BytesScannedCutoffPerQuery": 10_000_000}
    )
    assert aws.query("SELECT * FROM big", database, WorkGroup=name)["Statistics"]["DataScannedInBytes"] > 100_000
    athena.delete_work_group(WorkGroup=name)


def test_queries_are_kept_under_names_and_prepared(aws, athena):
    """By API and by SQL; parameters fill the gaps."""
    named = athena.create_named_query(Name="n", Database="default", QueryString="SELECT 1")["NamedQueryId"]
    assert athena.get_named_query(NamedQueryId=named)["NamedQuery"]["QueryString"] == "SELECT 1"
    athena.delete_named_query(NamedQueryId=named)
    assert code_of(athena.get_named_query, NamedQueryId=named) == "InvalidRequestException"
    name = f"p{uuid.uuid4().hex[:8]}"
    aws.rows(f"PREPARE {name} FROM SELECT ? + ? AS s, '?' AS t")
    assert (
        athena.get_prepared_statement(StatementName=name, WorkGroup="primary")["PreparedStatement"]["StatementName"]
        == name
    )
    assert aws.rows(f"EXECUTE {name} USING 1, 2") == [["3", "?"]]
    assert aws.rows(f"EXECUTE {name}", ExecutionParameters=["3", "4"]) == [["7", "?"]]
    aws.rows(f"DEALLOCATE PREPARE {name}")
    missing = {"StatementName": name, "WorkGroup": "primary"}
    assert code_of(athena.get_prepared_statement, **missing) == "ResourceNotFoundException"


def test_a_young_result_is_used_again(aws):
    """When the caller is content with it."""
    sql = f"SELECT '{uuid.uuid4()}' AS a"
    reuse = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}}
    first, second, third = aws.query(sql, **reuse), aws.query(sql, **reuse), aws.query(sql)
    reused = [one["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"] for one in (first, second, third)]
    assert reused == [False, True, False]
    assert second["ResultConfiguration"]["OutputLocation"] == first["ResultConfiguration"]["OutputLocation"]


def test_the_catalog_is_told_of(athena, database):
    """Data catalogs, databases and tables, as drivers and Superset ask."""
    assert athena.list_data_catalogs()["DataCatalogsSummary"][0]["CatalogName"] == "AwsDataCatalog"
    found = athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    assert database in [one["Name"] for one in found]
    assert athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=database)["TableMetadataList"] == []
    absent = {"CatalogName": "AwsDataCatalog", "DatabaseName": database, "TableName": "none"}
    assert code_of(athena.get_table_metadata, **absent) == "MetadataException"


@pytest.mark.full
def test_awswrangler(aws, database, place):
    """A frame goes to S3 and Glue and comes back by three ways."""
    assert aws.program("python", "-c", WRANGLER, database, f"{place}/wrangled/") == "4"


@pytest.mark.full
def test_pyathena(aws, database, place):
    """Rows, parameters and pandas."""
    assert aws.program("python", "-c", PYATHENA, database, f"{place}/results/") == "2500"


@pytest.mark.full
def test_the_aws_cli(aws, database):
    """Glue and Athena from a shell."""
    found = json.loads(aws.program("aws", "glue", "get-database", "--name", database))
    assert found["Database"]["Name"] == database
    assert json.loads(aws.program("aws", "glue", "get-tables", "--database-name", database)) == {"TableList": []}
    started = aws.program("aws", "athena", "start-query-execution", "--query-string", "SELECT 7", "--output", "text")
    assert aws.ended(started)["Status"]["State"] == "SUCCEEDED"
    shown = json.loads(aws.program("aws", "athena", "get-query-results", "--query-execution-id", started))
    assert shown["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"] == "7"
