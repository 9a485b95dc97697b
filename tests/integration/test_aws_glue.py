"""The box's Glue: the contract, and what others see of the same tables."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from aws_site import AwsSite
from glue_cases import GlueCases, code_of, partition_input, table_input
from headwater.box.clients import client_variables
from headwater.box.components.metastore import metastore_client
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.types import LongType

pytestmark = pytest.mark.box


@pytest.fixture(scope="module")
def aws(box):
    """The running APIs."""
    return AwsSite(box)


@pytest.fixture
def glue(aws):
    """A Glue client."""
    return aws.client("glue")


@pytest.fixture
def database(glue):
    """An empty database of this test's own."""
    name = f"glue_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": name})
    yield name
    glue.delete_database(Name=name)


@pytest.fixture
def place(box, database):
    """Where its tables lie."""
    return f"s3://{box.bucket}/{database}"


class TestBox(GlueCases):
    """Glue over the box's Hive Metastore."""


def test_every_page_is_short_and_nothing_is_left_out(glue, database, place):
    """Tables and partitions, also when they are shared out between readers."""
    for name in ("a", "b", "c"):
        glue.create_table(DatabaseName=database, TableInput=table_input(name, f"{place}/{name}"))
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database, PaginationConfig={"PageSize": 2})
    assert [[one["Name"] for one in page["TableList"]] for page in pages] == [["a", "b"], ["c"]]
    where = {"DatabaseName": database, "TableName": "a"}
    given = [partition_input(f"{place}/a", 2000 + year, "a b/c=d") for year in range(5)]
    glue.batch_create_partition(**where, PartitionInputList=given)
    found = []
    for segment in range(2):
        pages = glue.get_paginator("get_partitions").paginate(
            **where, Segment={"SegmentNumber": segment, "TotalSegments": 2}, PaginationConfig={"PageSize": 1}
        )
        found += [one["Values"] for page in pages for one in page["Partitions"]]
    assert sorted(found) == [[str(2000 + year), "a b/c=d"] for year in range(5)]
    wrong = {"DatabaseName": database, "NextToken": "none"}
    assert code_of(glue.get_tables, **wrong) == "InvalidInputException"


def test_a_change_that_came_another_way_is_a_version(box, glue, database, place):
    """Somebody alters the table in the metastore: readers see it, and an older version can no longer be updated."""
    glue.create_table(DatabaseName=database, TableInput=table_input("t", f"{place}/t"))
    seen = glue.get_table(DatabaseName=database, Name="t")["Table"]["VersionId"]
    with metastore_client(box) as client:
        table = client.get_table(database, "t")
        table.parameters["by"] = "hand"
        client.alter_table(database, "t", table)
    now = glue.get_table(DatabaseName=database, Name="t")["Table"]
    assert now["Parameters"]["by"] == "hand"
    assert now["VersionId"] != seen
    late = {"DatabaseName": database, "TableInput": table_input("t", f"{place}/t"), "VersionId": seen}
    assert code_of(glue.update_table, **late) == "ConcurrentModificationException"
    assert glue.get_table(DatabaseName=database, Name="t")["Table"]["Parameters"]["by"] == "hand"


def test_a_table_that_is_made_anew_has_no_past(glue, database, place):
    """Versions belong to one table, not to a name."""
    for description in ("one", "two"):
        glue.create_table(DatabaseName=database, TableInput=table_input("t", f"{place}/t", Description=description))
        glue.update_table(DatabaseName=database, TableInput=table_input("t", f"{place}/t", Description="changed"))
        versions = glue.get_table_versions(DatabaseName=database, TableName="t")["TableVersions"]
        assert [one["Table"]["Description"] for one in versions] == ["changed", description]
        glue.delete_table(DatabaseName=database, Name="t")


def test_an_archive_may_be_skipped(glue, database, place):
    """The former version is then not kept."""
    glue.create_table(DatabaseName=database, TableInput=table_input("t", f"{place}/t", Description="one"))
    glue.update_table(
        DatabaseName=database, TableInput=table_input("t", f"{place}/t", Description="two"), SkipArchive=True
    )
    versions = glue.get_table_versions(DatabaseName=database, TableName="t")["TableVersions"]
    assert [one["Table"]["Description"] for one in versions] == ["two"]


@pytest.fixture
def catalogs(box):
    """Makes catalogs of PyIceberg's that know the box's Glue."""
    shown = client_variables(box)
    properties = {
        "type": "glue",
        "glue.endpoint": shown["AWS_ENDPOINT_URL_GLUE"],
        "client.region": shown["AWS_DEFAULT_REGION"],
        "client.access-key-id": shown["AWS_ACCESS_KEY_ID"],
        "client.secret-access-key": shown["AWS_SECRET_ACCESS_KEY"],
        "s3.endpoint": shown["AWS_ENDPOINT_URL_S3"],
    }
    return lambda name: load_catalog(name, **properties)


ROWS = pa.table({"id": pa.array([1, 2], pa.int64()), "what": ["a", "b"]})


def test_pyicebergs_glue_catalog_works(aws, catalogs, database, place):
    """Tables are made, written, evolved, renamed and dropped; Athena reads and writes the same ones."""
    first, second = catalogs("one"), catalogs("two")
    table = first.create_table((database, "ice"), ROWS.schema, location=f"{place}/ice")
    table.append(ROWS)
    with table.update_schema() as change:
        change.add_column("more", LongType(), doc="Later.")
        change.rename_column("what", "said")
    assert aws.rows("SELECT id, said, more FROM ice ORDER BY id", database) == [["1", "a", None], ["2", "b", None]]
    assert aws.query("INSERT INTO ice VALUES (3, 'c', 7)", database)["Status"]["State"] == "SUCCEEDED"
    assert second.load_table((database, "ice")).scan().to_arrow().num_rows == 3
    assert first.list_tables(database) == [(database, "ice")]
    first.rename_table((database, "ice"), (database, "iced"))
    assert second.load_table((database, "iced")).scan().to_arrow().num_rows == 3
    first.drop_table((database, "iced"))
    assert first.list_tables(database) == []


def test_no_commit_of_several_is_lost(glue, catalogs, database, place):
    """Who commits over somebody else's version is refused, and does it again on the new one."""
    catalogs("maker").create_table((database, "ice"), ROWS.schema, location=f"{place}/ice")
    stale = glue.get_table(DatabaseName=database, Name="ice")["Table"]

    def append(name):
        for _ in range(50):
            try:
                catalogs(name).load_table((database, "ice")).append(ROWS)
            except CommitFailedException:
                continue
            return 1
        return 0

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(append, ["a", "b", "c"])) == 3
    assert catalogs("reader").load_table((database, "ice")).scan().to_arrow().num_rows == 6
    back = {name: stale[name] for name in ("Name", "TableType", "Parameters", "StorageDescriptor")}
    late = {"DatabaseName": database, "TableInput": back, "VersionId": stale["VersionId"], "SkipArchive": True}
    assert code_of(glue.update_table, **late) == "ConcurrentModificationException"
    assert catalogs("reader").load_table((database, "ice")).scan().to_arrow().num_rows == 6
