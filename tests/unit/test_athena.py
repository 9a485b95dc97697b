"""Athena: what it is asked, and what becomes of its answers; requests and answers are held against AWS's own model."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from botocore.stub import ANY, Stubber
from headwater import _aws
from headwater.engines import athena
from headwater.engines._athena_sql import for_athena
from headwater.engines.athena import AthenaEngine
from headwater.engines.base import StageJob
from headwater.engines.meter import metered
from headwater.errors import EngineAway, QueryError
from headwater.table import Column, Partitioning, Table, TableName

ENGINE = AthenaEngine(region="eu-central-1", work_group="headwater")


@pytest.fixture
def service(monkeypatch):
    """Athena's answers, in the order in which they are asked for; every one of them must be."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(athena, "_FIRST_PAUSE", 0.0)
    monkeypatch.setattr(athena, "_LONGEST_PAUSE", 0.0)
    _aws._client.cache_clear()
    with Stubber(_aws.aws_client("athena", "eu-central-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()
    _aws._client.cache_clear()


def takes(service, sql, **more):
    """Expect one statement."""
    wanted = {"QueryString": sql, "QueryExecutionContext": ANY, "WorkGroup": "headwater", **more}
    service.add_response("start_query_execution", {"QueryExecutionId": "q1"}, wanted)


def goes(service, state, kind="DML", **more):
    """Say how the query goes."""
    status = {"State": state, **more.pop("status", {})}
    found = {"QueryExecutionId": "q1", "StatementType": kind, "Status": status, **more}
    service.add_response("get_query_execution", {"QueryExecution": found}, {"QueryExecutionId": "q1"})


def answers(service, columns, *rows, token=None, wanted=None):
    """Answer with a page of rows."""
    info = [{"Name": name, "Type": kind, **more} for name, kind, more in columns]
    told = [{"Data": [{} if text is None else {"VarCharValue": text} for text in row]} for row in rows]
    answer = {"ResultSet": {"Rows": told, "ResultSetMetadata": {"ColumnInfo": info}}}
    asked = {"QueryExecutionId": "q1", "MaxResults": 1000, **(wanted or {})}
    service.add_response("get_query_results", answer | ({"NextToken": token} if token else {}), asked)


def test_rows_have_the_types_that_athena_reports(service):
    """Nothing is lost on the way from text: nulls are not empty texts, decimals and instants are exact."""
    columns = [
        ("b", "boolean", {}),
        ("i", "integer", {}),
        ("l", "bigint", {}),
        ("f", "float", {}),
        ("d", "double", {}),
        ("s", "varchar", {}),
        ("day", "date", {}),
        ("t", "timestamp", {}),
        ("z", "timestamp with time zone", {}),
        ("o", "timestamp with time zone", {}),
        ("n", "decimal", {"Precision": 38, "Scale": 2}),
        ("x", "varbinary", {}),
        ("a", "array", {}),
    ]
    full = ["true", "-1", "9223372036854775807", "1.5", "NaN", "", "2020-02-29", "2020-01-01 00:00:00.123456",
            "2020-06-01 12:00:00.000 Europe/Berlin", "2020-06-01 12:00:00.000 +02:00",
            "123456789012345678901234567890123456.78", "00 ff", "[1, 2]"]  # fmt: skip
    takes(service, "SELECT 1")
    goes(service, "QUEUED")
    goes(service, "RUNNING")
    goes(service, "SUCCEEDED")
    answers(service, columns, [name for name, *_ in columns], full, [None] * len(columns))
    [row, empty] = ENGINE.rows("SELECT 1;")

    noon = dt.datetime(2020, 6, 1, 10, tzinfo=dt.UTC)
    assert row.pop("d") != row.get("d")  # not a number
    assert row == {
        "b": True, "i": -1, "l": 2**63 - 1, "f": 1.5, "s": "", "day": dt.date(2020, 2, 29),
        "t": dt.datetime(2020, 1, 1, 0, 0, 0, 123456), "z": noon, "o": noon,
        "n": Decimal("123456789012345678901234567890123456.78"), "x": b"\x00\xff", "a": "[1, 2]",
    }  # fmt: skip
    assert set(empty.values()) == {None}


def test_rows_come_in_pages(service):
    """Only the first has the names; what DDL answers has none."""
    takes(service, "SELECT n FROM t")
    goes(service, "SUCCEEDED")
    answers(service, [("n", "integer", {})], ["n"], ["1"], token="more")
    answers(service, [("n", "integer", {})], ["2"], wanted={"NextToken": "more"})
    assert ENGINE.arrow("SELECT n FROM t").to_pydict() == {"n": [1, 2]}

    takes(service, "SHOW TABLES IN raw")
    goes(service, "SUCCEEDED", kind="UTILITY")
    answers(service, [("tab_name", "string", {})], ["tab_name"], ["loans"])
    assert ENGINE.arrow("SHOW TABLES IN raw").to_pydict() == {"tab_name": ["tab_name", "loans"]}


def test_two_columns_may_bear_one_name(service):
    """They are told apart by their place."""
    takes(service, "SELECT 1 a, 2 a")
    goes(service, "SUCCEEDED")
    answers(service, [("a", "integer", {}), ("a", "integer", {})], ["a", "a"], ["1", "2"])

    assert [column.to_pylist() for column in ENGINE.arrow("SELECT 1 a, 2 a").columns] == [[1], [2]]


def test_a_refusal_points_at_the_place(service):
    """As on the other engines."""
    takes(service, "SELECT wrong\nFROM here")
    goes(
        service, "FAILED", status={"StateChangeReason": "COLUMN_NOT_FOUND: line 1:8: Column 'wrong' cannot be resolved"}
    )
    with pytest.raises(QueryError) as caught:
        ENGINE.rows("SELECT wrong\nFROM here")

    assert str(caught.value) == (
        "Athena refused line 1, column 8: Column 'wrong' cannot be resolved\n  SELECT wrong\n         ^"
    )


def test_what_athena_calls_its_own_fault_may_be_tried_again(service):
    """A step waits and begins anew; its stage is of no one's use."""
    takes(service, "SELECT 1")
    reason = {"StateChangeReason": "INTERNAL_ERROR.", "AthenaError": {"ErrorCategory": 1, "Retryable": True}}
    goes(service, "FAILED", status=reason)

    with pytest.raises(EngineAway, match=r"could not run the statement now: INTERNAL_ERROR \(query q1\)"):
        ENGINE.rows("SELECT 1")


def test_a_query_beyond_the_work_groups_bound_is_one_sentence(service):
    """Athena cancels it by itself."""
    takes(service, "SELECT 1")
    goes(service, "CANCELLED", status={"StateChangeReason": "Bytes scanned limit was exceeded"})

    with pytest.raises(QueryError, match=r"q1 was cancelled: Bytes scanned limit was exceeded\. Ask for less"):
        ENGINE.rows("SELECT 1")


def test_throttling_that_does_not_end_is_one_sentence(service):
    """The client has paused and tried again by then; the step may wait for more."""
    service.add_client_error("start_query_execution", "TooManyRequestsException", "Rate exceeded", 400)

    with pytest.raises(EngineAway, match=r"AWS asked for fewer requests \(TooManyRequestsException\) 10 times"):
        ENGINE.rows("SELECT 1")


def test_throttling_is_tried_again_with_pauses():
    """The client's own retries are on, ten in all; a tenth refusal is told."""
    retries = _aws.aws_client("athena", "eu-central-1").meta.config.retries

    assert (retries["mode"], retries["total_max_attempts"]) == ("standard", 10)


def test_a_role_that_may_not_is_told_what_it_may_not(service):
    """The operation is named as AWS names it."""
    service.add_client_error("start_query_execution", "AccessDeniedException", "You are not authorized", 400)

    with pytest.raises(QueryError, match="This role may not do StartQueryExecution; `headwater aws plan`"):
        ENGINE.rows("SELECT 1")


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [({"seconds": 0}, "takes longer than 0 seconds"), ({"most_scanned": "1kB"}, "reads more than 1kB")],
)
def test_a_reader_is_stopped_at_its_bounds(service, bounds, sentence):
    """The query is stopped in Athena, too, where it would go on costing."""
    takes(service, "SELECT 1")
    goes(service, "RUNNING", Statistics={"DataScannedInBytes": 1025})
    service.add_response("stop_query_execution", {}, {"QueryExecutionId": "q1"})

    with pytest.raises(QueryError, match=sentence):
        AthenaEngine(region="eu-central-1", work_group="headwater", **bounds).rows("SELECT 1")


def test_an_interrupted_query_is_stopped(service, monkeypatch):
    """Whoever gives up waiting does not go on paying."""

    def interrupt(_):
        raise KeyboardInterrupt

    takes(service, "SELECT 1")
    goes(service, "RUNNING")
    service.add_response("stop_query_execution", {}, {"QueryExecutionId": "q1"})
    monkeypatch.setattr(athena.time, "sleep", interrupt)

    with pytest.raises(KeyboardInterrupt):
        ENGINE.rows("SELECT 1")


def test_a_query_that_cannot_be_stopped_still_says_why_nobody_waits(service):
    """The first reason is the one that helps."""
    takes(service, "SELECT 1")
    goes(service, "RUNNING")
    service.add_client_error("stop_query_execution", "InvalidRequestException", "too late", 400)

    with pytest.raises(QueryError, match="takes longer than 0 seconds"):
        AthenaEngine(region="eu-central-1", work_group="headwater", seconds=0).rows("SELECT 1")


def test_a_failed_query_is_free_and_a_cancelled_one_is_not(service):
    """Both are told, so that a step's sum is right."""
    for state in ("FAILED", "CANCELLED"):
        takes(service, "SELECT 1")
        goes(service, state, Statistics={"DataScannedInBytes": 1024**4})
    with metered() as bill:
        for _ in range(2):
            with pytest.raises(QueryError):
                ENGINE.rows("SELECT 1")

    assert bill["athena/dollars"] == pytest.approx(5)


def test_a_repeated_query_may_be_answered_from_its_last_result(service):
    """Only where the setting says so; then it costs nothing."""
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 60}}
    takes(service, "SELECT 1 AS n", ResultReuseConfiguration=reuse)
    goes(service, "SUCCEEDED", Statistics={"ResultReuseInformation": {"ReusedPreviousResult": True}})
    answers(service, [("n", "integer", {})], ["n"], ["1"])
    with metered() as bill:
        AthenaEngine(region="eu-central-1", work_group="headwater", reuse_minutes=60).rows("SELECT 1 AS n")

    assert bill == {"athena/queries": 1.0, "athena/bytes_scanned": 0.0, "athena/dollars": 0.0}


def test_what_queries_cost_is_summed_up(service):
    """By bytes scanned, ten megabytes at least for each; DDL is free."""
    for scanned, kind in ((2 * 1024**4, "DML"), (1, "DML"), (0, "DDL")):
        takes(service, "SELECT 1 AS n")
        goes(service, "SUCCEEDED", kind=kind, Statistics={"DataScannedInBytes": scanned})
        answers(service, [("n", "integer", {})])
    with metered() as bill:
        for _ in range(3):
            ENGINE.arrow("SELECT 1 AS n")

    assert bill["athena/queries"] == 3
    assert bill["athena/bytes_scanned"] == 2 * 1024**4 + 1
    assert bill["athena/dollars"] == pytest.approx(10 + 5 * 10 / 1024**2)


def test_a_stage_is_filled_a_hundred_partitions_at_a_time(service):
    """Athena writes no more at once."""
    table = Table(
        name="curated.t",
        doc="A table of a test.",
        owner="team:tests",
        columns=(Column("n", "int", "N."), Column("day", "date", "Day.")),
        body="SELECT 1 AS n, CAST('2020-01-01' AS date) AS day",
        partitioning=Partitioning("day", "day", "2020-01-01"),
    )
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=at) for at in range(150)]
    for _ in range(2):
        service.add_response("start_query_execution", {"QueryExecutionId": "q1"})
        goes(service, "SUCCEEDED")
    asked = []
    events = _aws.aws_client("athena", "eu-central-1").meta.events
    events.register("provide-client-params.athena.StartQueryExecution", lambda params, **_: asked.append(params))
    ENGINE.stage(StageJob(table=table, stage=TableName("curated", "t__stage_a"), values=days))

    texts = [params["QueryString"] for params in asked]
    assert [text.count("DATE '2020") or text.count("'2020-") for text in texts] == [
        101,
        51,
    ]  # the body has one of its own
    assert all(text.startswith('INSERT INTO "curated"."t__stage_a" ("n", "day")\n') for text in texts)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ('SHOW TABLES IN "curated"', "SHOW TABLES IN `curated`"),
        ('ALTER TABLE "a"."b" ADD COLUMNS ("c" string)', "ALTER TABLE `a`.`b` ADD COLUMNS (`c` string)"),
        ('CREATE TABLE "a".b (c string COMMENT \'say "x"\')', "CREATE TABLE `a`.b (c string COMMENT 'say \"x\"')"),
        ('-- why\nDROP TABLE "a"', "-- why\nDROP TABLE `a`"),
        ('DROP VIEW "a"."v"', 'DROP VIEW "a"."v"'),
        ('CREATE OR REPLACE VIEW "v" AS SELECT 1', 'CREATE OR REPLACE VIEW "v" AS SELECT 1'),
        ('CREATE TABLE "t" AS SELECT 1', 'CREATE TABLE "t" AS SELECT 1'),
        ('SELECT "a" FROM "b"', 'SELECT "a" FROM "b"'),
        ('INSERT INTO "a" SELECT 1', 'INSERT INTO "a" SELECT 1'),
        ('DROP TABLE "never closed', 'DROP TABLE "never closed'),
    ],
)
def test_ddl_has_hives_quotes_and_everything_else_trinos(given, wanted):
    """Athena reads the two with different parsers; texts and places stay."""
    assert for_athena(given) == wanted
