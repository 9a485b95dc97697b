"""The template's roles may do what the profile does, and each of their permissions has a request that needs it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from aws_account import ACCOUNT, BUCKET, REGION, Request, aws_stack
from aws_policies import role_policy
from duck_engine import DuckEngine
from headwater.checks import Unique
from headwater.engines.athena import AthenaEngine
from headwater.errors import CheckFailed
from headwater.layout import stage_name
from headwater.profile import Profile
from headwater.table import ZONES, Column, DelimitedFiles, Partitioning, Table, TableName
from headwater.write import load_raw, maintain, upkeeps, write
from headwater_dashboards.documents import folders, load

WORK = "work-of-tests"
VALUES = {
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "LakeBucket": BUCKET,
    "WorkBucket": WORK,
    "Name": "headwater",
    "Spark": "00abc",
    "Job.Arn": f"arn:aws:iam::{ACCOUNT}:role/headwater-spark",
}
SPARK = f"arn:aws:emr-serverless:{REGION}:{ACCOUNT}:/applications/00abc"
GLUE = f"arn:aws:glue:{REGION}:{ACCOUNT}:"
# The zones that people look at; raw rows are as they arrived.
TYPED = ("partitioned", "curated")
YEARS = Partitioning("year", "year", "2019")


def glue(action, *zones, tables=True):
    """Return what Athena asks Glue for as whoever queries."""
    for zone in zones:
        table = (f"{GLUE}table/{zone}/t",) if tables else ()
        yield Request(f"glue:{action}", (f"{GLUE}catalog", f"{GLUE}database/{zone}", *table))


def results(group):
    """Return what AWS documents that Athena needs of the bucket of results, as whoever queries."""
    place = f"arn:aws:s3:::{WORK}"
    for action in ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"):
        yield Request(f"s3:{action}", (place,), f"athena/{group}/")
    for action in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"):
        yield Request(f"s3:{action}", (f"{place}/athena/{group}/query.csv",))
    yield Request("glue:GetDatabase", (f"{GLUE}database/default",))


def athena(group):
    """Return what the engine asks Athena for; a query is stopped where somebody gives up."""
    for action in ("StartQueryExecution", "GetQueryExecution", "GetQueryResults", "StopQueryExecution"):
        yield Request(f"athena:{action}", (f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{group}",))


# What the engine asks EMR Serverless for, which moto has no sessions for; tests/unit/test_emr.py has the same requests.
WRITER_OF_SESSIONS = frozenset(
    [
        Request("emr-serverless:ListSessions", (SPARK,)),
        Request("emr-serverless:StartSession", (SPARK,)),
        Request("emr-serverless:GetSession", (f"{SPARK}/sessions/00def",)),
        Request("emr-serverless:GetSessionEndpoint", (f"{SPARK}/sessions/00def",)),
        Request("iam:PassRole", (VALUES["Job.Arn"],)),
    ]
)
# What no client of ours sends: Athena's own requests on behalf of the writer, by AWS's documentation.
WRITER_BY_ATHENA = frozenset(
    [
        *results("writer"),
        *athena("headwater"),
        *glue("GetPartition", "raw"),
        *glue("BatchGetPartition", "raw"),
        Request("s3:AbortMultipartUpload", (f"arn:aws:s3:::{BUCKET}/curated/t/_stagea/data/0.parquet",)),
    ]
)
# Spark reads every zone and appends to stages; Iceberg's client commits a stage as PyIceberg does.
JOB = frozenset(
    [
        *(Request("s3:ListBucket", (f"arn:aws:s3:::{BUCKET}",), f"{zone}/t/") for zone in ZONES),
        *(Request("s3:GetObject", (f"arn:aws:s3:::{BUCKET}/{zone}/t/a",)) for zone in ZONES),
        *(
            Request(f"s3:{action}", (f"arn:aws:s3:::{BUCKET}/{zone}/t/_stagea/data/0.parquet",))
            for action in ("PutObject", "DeleteObject", "AbortMultipartUpload")
            for zone in ZONES[1:]
        ),
        *glue("GetDatabase", "default", *ZONES, tables=False),
        *(Request("glue:GetDatabases", (f"{GLUE}catalog", f"{GLUE}database/{zone}")) for zone in ZONES),
        *(one for action in ("GetTable", "GetTables", "GetPartitions") for one in glue(action, *ZONES)),
        *(
            Request("glue:UpdateTable", (f"{GLUE}catalog", f"{GLUE}database/{zone}", f"{GLUE}table/{zone}/t__stage_a"))
            for zone in ZONES[1:]
        ),
    ]
)
# A reader has no client of ours but Athena's; the rest is what Athena does to answer it.
READER = frozenset(
    [
        *results("reader"),
        *athena("headwater-reader"),
        *glue("GetDatabase", *TYPED, tables=False),
        *glue("GetTable", *TYPED),
        *glue("GetPartitions", *TYPED),
        # PyAthena's requests for Superset's lists, and what Athena asks Glue for them.
        *(
            Request(f"athena:{action}", (f"arn:aws:athena:{REGION}:{ACCOUNT}:datacatalog/AwsDataCatalog",))
            for action in ("ListDatabases", "ListTableMetadata", "GetTableMetadata")
        ),
        *(Request("glue:GetDatabases", (f"{GLUE}catalog", f"{GLUE}database/{zone}")) for zone in TYPED),
        *glue("GetTables", *TYPED),
        *(Request("s3:GetObject", (f"arn:aws:s3:::{BUCKET}/{zone}/t/data/0.parquet",)) for zone in TYPED),
        *(Request("s3:ListBucket", (f"arn:aws:s3:::{BUCKET}",), f"{zone}/t/") for zone in TYPED),
    ]
)


@pytest.fixture(scope="module")
def writers(account, tmp_path_factory):
    """Every request of a writer's day: loads, writes, a refusal, a dead write, evolution, upkeep, a query."""
    boto3.client("athena").create_work_group(Name="headwater", Configuration={})
    account.requests.clear()
    folder = tmp_path_factory.mktemp("project")
    (folder / "in").mkdir()
    stack = aws_stack(folder)
    stack = replace(stack, engines={"trino": DuckEngine(stack.metastore)})
    for zone in ("raw", "partitioned", "curated"):
        _day(stack, folder, zone)
    stack.metastore.registered()
    _take_up(stack)
    AthenaEngine(region=REGION, work_group="headwater").arrow("SELECT 1")
    return frozenset(account.requests)


def _day(stack, folder, zone):
    if zone == "raw":
        _load(stack, folder)
        return
    table = _table(zone)
    write(table, stack, run="one", partitions=("2019",))
    write(table, stack, run="two", partitions=("2019",))
    with pytest.raises(CheckFailed):
        write(_table(zone, checks=(Unique("id"),)), stack, run="three", partitions=("2019",))
    wider = _table(
        zone, Column("more", "string", "More."), body="SELECT 'a' AS id, CAST(2019 AS integer) AS year, 'b' AS more"
    )
    write(wider, stack, run="four", partitions=("2019",))
    [upkeep] = [one for one in upkeeps(stack, [wider]) if one.name == wider.id]
    later = datetime.now(UTC) + timedelta(days=400)
    maintain(upkeep, stack, now=later, safe_age=timedelta(0))


def _take_up(stack):
    """Copy an object and register tables of another lake, as `headwater migrate --to aws` does."""
    [one, *_] = stack.storage.objects(f"s3://{BUCKET}/raw/policies/")
    stack.storage.take(f"s3://{BUCKET}/raw/copied/a", stack.storage, one, "a")
    stack.storage.mark_of(f"s3://{BUCKET}/raw/copied/a")
    shape = stack.metastore.shape(TableName("raw", "policies")).named("copied")
    stack.metastore.take(shape, "raw")
    none = replace(shape, partitions=())
    stack.metastore.take(none, "raw", stack.metastore.shape(TableName("raw", "copied")))
    stack.metastore.forget(TableName("raw", "copied"))
    known = stack.metastore.shape(TableName("curated", "policies"))
    stage = stage_name(TableName("curated", "policies"), "migrate")
    stack.metastore.take(stack.metastore.over_iceberg(stage, known.metadata_location), "curated")
    stack.metastore.forget(stage)


def _load(stack, folder):
    files = DelimitedFiles(folder="in", pattern=r"rows_(?P<key>\d{4})\.txt")
    given = {"doc": "Rows.", "owner": "team:tests", "files": files}
    more = Column("more", "string", "More.")
    for name, cut in (("raw.policies", YEARS), ("raw.policies_whole", None)):
        one = Table(name=name, columns=(Column("id", "string", "Id."),), partitioning=cut, **given)
        keys = ("2019",) if cut else ()
        for text in ("a\n", "a\nb\n", "a\nc\n"):
            (folder / "in" / "rows_2019.txt").write_text(text)
            load_raw(one, stack, run="one", partitions=keys)
        (folder / "in" / "rows_2019.txt").write_text("a|1\n")
        wider = Table(name=name, columns=(Column("id", "string", "Id."), more), partitioning=cut, **given)
        load_raw(wider, stack, run="two", partitions=keys)


def _table(zone, *more, checks=(), body=""):
    twice = "SELECT 'a' AS id, CAST(2019 AS integer) AS year FROM UNNEST(ARRAY[1, 2]) AS s (n)"
    columns = (Column("id", "string", "Id."), Column("year", "int", "Year."), *more)
    return Table(
        name=f"{zone}.policies", doc="Rows.", owner="team:tests", columns=columns, body=body or twice,
        partitioning=YEARS, checks=checks,
    )  # fmt: skip


def test_the_writer_may_do_all_that_it_does(writers):
    """Every request of any client, to S3, Glue and Athena, and what Athena asks on its behalf."""
    policy = role_policy("Writer", VALUES)

    assert len(writers) > 100
    assert (
        sorted({one.action for one in writers | WRITER_BY_ATHENA | WRITER_OF_SESSIONS if not policy.allows(one)}) == []
    )


def test_the_writer_may_do_nothing_more(writers):
    """Without any one of its permissions something that it does would be denied."""
    asked = writers | WRITER_BY_ATHENA | WRITER_OF_SESSIONS

    assert [name for name, less in role_policy("Writer", VALUES).weakened() if all(map(less.allows, asked))] == []


def test_the_catalog_follows_with_two_of_them(account, tmp_path):
    """It lists the zones' tables, and looks at those that a view reads; the writer may, the reader not of raw."""
    account.requests.clear()
    metastore = aws_stack(tmp_path).metastore
    names = [metastore.entry(TableName(zone, one["Name"])) for zone, one in metastore.entries()]
    writer, reader = (role_policy(name, VALUES) for name in ("Writer", "Reader"))

    assert {one.action for one in account.requests} <= {"glue:GetTables", "glue:GetTable"}
    assert all(map(writer.allows, account.requests))
    raw = [one for one in account.requests if one.action == "glue:GetTables" and "raw" in str(one)]
    assert raw
    assert not any(map(reader.allows, raw))
    assert None not in names


def test_spark_may_write_stages_alone():
    """It reads every zone; what it may change is what the writer judges before anybody reads it."""
    policy = role_policy("Job", VALUES)
    table = (f"{GLUE}catalog", f"{GLUE}database/curated", f"{GLUE}table/curated/t")

    assert [one for one in JOB if not policy.allows(one)] == []
    assert [name for name, less in policy.weakened() if all(map(less.allows, JOB))] == []
    for refused in (
        Request("s3:PutObject", (f"arn:aws:s3:::{BUCKET}/curated/t/data/0.parquet",)),
        Request("s3:PutObject", (f"arn:aws:s3:::{BUCKET}/raw/t/_stagea/0",)),
        Request("glue:UpdateTable", table),
        Request("glue:DeleteTable", table),
    ):
        assert not policy.allows(refused)


def test_the_reader_may_read_the_typed_zones(writers):
    """And each of its permissions is needed for that."""
    policy = role_policy("Reader", VALUES)

    assert [one for one in READER if not policy.allows(one)] == []
    assert [name for name, less in policy.weakened() if all(map(less.allows, READER))] == []


def test_the_reader_can_change_nothing_and_see_nothing_raw(writers):
    """Of all that the writer does, it may do what reads the typed zones."""
    policy = role_policy("Reader", VALUES)
    allowed = [one for one in writers if policy.allows(one)]

    reading = {"s3:GetObject", "s3:ListBucket", "glue:GetTable", "glue:GetTables", "glue:GetDatabase"}
    assert {one.action for one in allowed} <= reading
    assert not [one for one in allowed if "raw" in str(one)]


def test_the_reader_may_read_what_the_default_dashboards_show():
    """Superset asks Athena as the reader."""
    documents = load(folders(Profile.load({}, HEADWATER_PROJECT=str(Path(__file__).resolve().parents[2]))))
    zones = {str(one.data["table"]).partition(".")[0] for one in documents.of("datasets")}

    assert set() < zones <= set(TYPED)


@pytest.mark.parametrize(
    ("action", "place"),
    [
        ("s3:GetObject", "arn:aws:s3:::another/curated/t"),
        ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/elsewhere/t"),
        ("s3:DeleteBucket", f"arn:aws:s3:::{BUCKET}"),
        ("s3:DeleteObjectVersion", f"arn:aws:s3:::{BUCKET}/curated/t"),
        ("glue:DeleteDatabase", f"{GLUE}database/curated"),
        ("glue:GetTable", f"{GLUE}table/payroll/t"),
        ("athena:StartQueryExecution", f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/primary"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
    ],
)
def test_the_writer_is_kept_to_its_lake(action, place):
    """Former versions and databases cannot be deleted, and nothing elsewhere be touched."""
    assert not role_policy("Writer", VALUES).allows(Request(action, (place,)))
