"""The box's crawlers: files as they are become tables that Trino, Athena and Spark read alike."""

from __future__ import annotations

import bz2
import csv
import datetime as dt
import gzip
import io
import json
import time
import uuid
from decimal import Decimal
from pathlib import Path

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from aws_site import AwsSite
from command_line import headwater
from crawler_cases import CrawlerCases
from glue_cases import code_of
from headwater.box.components.databases import database_url
from headwater_aws_api.glue.crawlers._runs import Runs
from headwater_aws_api.store import Store
from pyarrow import orc

pytestmark = pytest.mark.box

# Real files that are never part of the repository.
OUTSIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
ROLE = "arn:aws:iam::000000000000:role/crawler"
MOMENT = dt.datetime(2020, 2, 29, 1, 2, 3)


@pytest.fixture(scope="module")
def aws(box):
    """The running APIs."""
    return AwsSite(box)


@pytest.fixture
def glue(aws):
    """A Glue client."""
    return aws.client("glue")


def ended(glue, name):
    """Wait until a crawler is ready and return it."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        found = glue.get_crawler(Name=name)["Crawler"]
        if found["State"] == "READY":
            return found
        time.sleep(0.1)
    raise AssertionError(f"{name} did not end")


class TestBox(CrawlerCases):
    """Crawlers over the box's store and metastore."""

    @pytest.fixture
    def place(self, box):
        """A folder with nothing in it."""
        return f"s3://{box.bucket}/{uuid.uuid4().hex[:8]}"

    def ended(self, glue, name):
        """Wait for the end of a crawl."""
        ended(glue, name)


class Desk:
    """A folder of the lake, a crawler of it, and the database that its tables go to."""

    def __init__(self, aws, stack):
        self.glue, self.stack = aws.client("glue"), stack
        self.aws = aws
        self.name = f"crawl_{uuid.uuid4().hex[:8]}"
        self.root = f"s3://{stack.profile.bucket}/{self.name}"

    def drop(self, path, content):
        """Put one file below the folder."""
        self.stack.storage.put(f"{self.root}/{path}", content if isinstance(content, bytes) else content.encode())

    def remove(self, *paths):
        """Delete files."""
        self.stack.storage.delete([f"{self.root}/{one}" for one in paths])

    def crawl(self, **said):
        """Crawl and return the crawl, as ListCrawls shows it; what is said changes the crawler first."""
        target = {"Path": f"{self.root}/", **said.pop("target", {})}
        told = {"Role": ROLE, "DatabaseName": self.name, "Targets": {"S3Targets": [target]}, **said}
        if self.name in self.glue.list_crawlers()["CrawlerNames"]:
            self.glue.update_crawler(Name=self.name, **told)
        else:
            self.glue.create_crawler(Name=self.name, **told)
        self.glue.start_crawler(Name=self.name)
        last = ended(self.glue, self.name)["LastCrawl"]
        assert last["Status"] == "SUCCEEDED", last
        found = self.glue.list_crawls(CrawlerName=self.name, MaxResults=1)["Crawls"][0]
        changes = json.loads(found["Summary"])
        return {
            (kind, change): sorted(told["Details"]["names"])
            for kind, done in changes.items()
            for change, told in done.items()
        }

    def columns(self, table):
        """Return a table's columns and types, with those of its partitions."""
        found = self.glue.get_table(DatabaseName=self.name, Name=table)["Table"]
        every = [*found["StorageDescriptor"]["Columns"], *found["PartitionKeys"]]
        return {one["Name"]: one["Type"] for one in every}

    def parameters(self, table):
        """Return a table's parameters."""
        return self.glue.get_table(DatabaseName=self.name, Name=table)["Table"]["Parameters"]

    def tables(self):
        """Return the names of the tables."""
        return [one["Name"] for one in self.glue.get_tables(DatabaseName=self.name)["TableList"]]

    def versions(self):
        """Return how many versions each table has."""
        return {
            name: len(self.glue.get_table_versions(DatabaseName=self.name, TableName=name)["TableVersions"])
            for name in self.tables()
        }

    def rows(self, table, select="*"):
        """Return a table's rows, sorted, which Trino and Spark must read alike; Athena counts as many.

        In quoted text Trino has an empty text for no value, Spark NULL; that is the one difference.
        """
        found, none = [], "" if self.parameters(table).get("areColumnsQuoted") == "true" else None
        for engine in ("trino", "spark"):
            rows = self.stack.engine(engine).rows(f"SELECT {select} FROM {self.name}.{table}")
            found.append(
                sorted(
                    (tuple(None if value == none else _plain(value) for value in row.values()) for row in rows),
                    key=repr,
                )
            )
        assert found[0] == found[1]
        if select == "*":
            assert self.aws.rows(f"SELECT count(*) FROM {table}", self.name) == [[str(len(found[0]))]]
        return found[0]

    def close(self):
        """Delete crawler and database."""
        self.glue.delete_crawler(Name=self.name)
        self.glue.delete_database(Name=self.name)


def _plain(value):
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    if hasattr(value, "_asdict"):
        return _plain(value._asdict())
    if isinstance(value, dict):
        return {name.lower(): _plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value


@pytest.fixture
def desk(aws, stack):
    """A desk of this test's own."""
    made = Desk(aws, stack)
    yield made
    made.close()


def test_files_side_by_side_are_one_right_table_each(desk):
    """Delimiters, headers, types and quotes are each file's own; what is of no table is passed over."""
    desk.drop(
        "rides.csv",
        "id,fare,day,at,who\n1,0.5,2020-02-29,2020-02-29 01:02:03,Ann\n2,,,,\n3,100000.5,2021-01-01,,B\\n\n",
    )
    desk.drop("zips.tsv", "zip\tlat\n00501\t40.9\n00544\t-1.25\n")
    desk.drop("places.csv", 'id,name\n1,"Troy, N.Y."\n2,"the ""big"" one"\n3,back\\slash\n')
    desk.drop("plain.txt", "7|x\n8|y\n")
    desk.drop("README.md", "# Of no use.\n\nAs a table, at least.\n")
    desk.drop("flights.arrow", b"ARROW1\0\0" + b"x" * 100)
    done = desk.crawl()
    assert done == {("TABLE", "ADD"): ["places_csv", "plain_txt", "rides_csv", "zips_tsv"]}
    assert desk.columns("rides_csv") == {
        "id": "bigint",
        "fare": "double",
        "day": "date",
        "at": "timestamp",
        "who": "string",
    }
    assert desk.rows("rides_csv") == [
        (1, 0.5, dt.date(2020, 2, 29), MOMENT, "Ann"),
        (2, None, None, None, None),
        (3, 100000.5, dt.date(2021, 1, 1), None, "B\\n"),
    ]
    assert desk.rows("zips_tsv") == [("00501", 40.9), ("00544", -1.25)]
    assert desk.columns("places_csv") == {"id": "string", "name": "string"}
    assert desk.rows("places_csv") == [("1", "Troy, N.Y."), ("2", 'the "big" one'), ("3", "back\\slash")]
    assert desk.rows("plain_txt") == [(7, "x"), (8, "y")]
    assert desk.parameters("zips_tsv")["classification"] == "csv"


def test_compatible_files_are_one_table_and_a_recrawl_changes_nothing(desk):
    """Not one table per file; packed ones with plain ones; and none gets a new version."""
    desk.drop("rides/a.csv", "id,fare\n1,1\n")
    desk.drop("rides/b.csv.gz", gzip.compress(b"id,fare\n2,2.5\n"))
    desk.drop("rides/c.csv.bz2", bz2.compress(b"id,fare\n3,3\n"))
    desk.drop("rides/_SUCCESS", b"")
    desk.drop("rides/_marks/a.csv", "x\n1\n")
    assert desk.crawl() == {("TABLE", "ADD"): ["rides"]}
    assert desk.rows("rides") == [(1, 1.0), (2, 2.5), (3, 3.0)]
    versions = desk.versions()
    assert desk.crawl() == {}
    assert desk.versions() == versions


def test_folders_are_partitions_and_their_changes_are_followed(desk):
    """New partitions and columns, wider types; what people wrote beside stays; each change is in the summary."""
    desk.drop("year=2023/month=01/a.csv", "id,n\n1,1\n")
    desk.drop("year=2023/month=02/a.csv", "id,n\n2,2\n")
    name = desk.name
    first = desk.crawl(TablePrefix="p_")
    table = f"p_{name}"
    parts = [f"{table}(2023, 01)", f"{table}(2023, 02)"]
    assert first == {("TABLE", "ADD"): [table], ("PARTITION", "ADD"): parts}
    assert desk.columns(table) == {"id": "bigint", "n": "bigint", "year": "string", "month": "string"}
    assert desk.rows(table) == [(1, 1, "2023", "01"), (2, 2, "2023", "02")]
    shown = desk.glue.get_table(DatabaseName=name, Name=table)["Table"]
    shown["StorageDescriptor"]["Columns"][0]["Comment"] = "The number."
    told = {key: shown[key] for key in ("Name", "TableType", "PartitionKeys", "StorageDescriptor", "Parameters")}
    desk.glue.update_table(DatabaseName=name, TableInput=told)
    desk.drop("year=2024/month=01/a.csv", "id,n,more\n3,2.5,x\n")
    second = desk.crawl(TablePrefix="p_")
    assert second == {
        ("TABLE", "UPDATE"): [table],
        ("PARTITION", "ADD"): [f"{table}(2024, 01)"],
        ("PARTITION", "UPDATE"): parts,
    }
    assert desk.rows(table) == [
        (1, 1.0, None, "2023", "01"),
        (2, 2.0, None, "2023", "02"),
        (3, 2.5, "x", "2024", "01"),
    ]
    shown = desk.glue.get_table(DatabaseName=name, Name=table)["Table"]
    assert shown["StorageDescriptor"]["Columns"][0]["Comment"] == "The number."
    assert desk.crawl(TablePrefix="p_") == {}
    assert len(desk.rows(table, "id")) == 3
    found = desk.stack.engine("spark").rows(f"SELECT id FROM {name}.{table} WHERE year = '2024'")
    assert [row["id"] for row in found] == [3]


def test_folders_without_keys_are_numbered_partitions(desk):
    """As Glue numbers them."""
    for land, id_ in (("eu", 1), ("us", 2)):
        desk.drop(f"rides/{land}/a.json", json.dumps({"id": id_}) + "\n")
    desk.drop("zips/a.csv", "zip,lat\n00501,1\n")
    desk.crawl()
    assert desk.tables() == ["rides", "zips"]
    assert desk.rows("rides") == [(1, "eu"), (2, "us")]


ROWS = pa.table(
    {
        "Id": pa.array([1, 2], pa.int32()),
        "what": ["a", None],
        "at": pa.array([MOMENT, None], pa.timestamp("us")),
        "x": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
    }
)


def test_files_of_avro(desk):
    """They bring their types, too."""
    fields = [{"name": "id", "type": "long"}, {"name": "s", "type": "string"}]
    made = io.BytesIO()
    fastavro.writer(made, {"type": "record", "name": "r", "fields": fields}, [{"id": 1, "s": "x"}])
    desk.drop("avros/a.avro", made.getvalue())
    desk.crawl()
    assert desk.rows("avros") == [(1, "x")]


def test_files_that_bring_their_types(desk):
    """Parquet, ORC and lines of JSON, alone and beside another file."""
    sinks = {kind: pa.BufferOutputStream() for kind in ("parquet", "orc")}
    pq.write_table(ROWS, sinks["parquet"])
    orc.write_table(ROWS, sinks["orc"])
    for kind, sink in sinks.items():
        desk.drop(f"{kind}s/a.{kind}", sink.getvalue().to_pybytes())
    desk.drop("listed/a.parquet", sinks["parquet"].getvalue().to_pybytes())
    desk.drop("listed/b.csv", "a,b\n1,2\n")
    rows = [{"Id": 1, "pickupZone": "a", "in": {"X": 1, "y": [1, 2]}}, {"Id": 2, "odd key": True, "d": 1.5}]
    desk.drop("jsons/a.json", "\n".join(map(json.dumps, rows)))
    desk.crawl()
    typed = [(1, "a", MOMENT, Decimal("1.50")), (2, None, None, None)]
    assert desk.columns("parquets") == {"id": "int", "what": "string", "at": "timestamp", "x": "decimal(10,2)"}
    for table in ("parquets", "orcs", "a_parquet"):
        assert desk.rows(table) == typed
    assert desk.rows("b_csv") == [(1, 2)]
    assert desk.columns("jsons")["in"] == "struct<x:bigint,y:array<bigint>>"
    assert desk.rows("jsons", "id, pickupzone, d") == [(1, "a", None), (2, None, 1.5)]
    nested = [row["y"] for row in desk.stack.engine("spark").rows(f"SELECT `in`.y FROM {desk.name}.jsons WHERE id = 1")]
    assert [list(one) for one in nested] == [[1, 2]]
    assert desk.aws.rows('SELECT "in".x, "odd key" FROM jsons ORDER BY id', desk.name) == [["1", None], [None, "true"]]


def test_a_large_file_that_brings_its_types_is_read_at_its_ends(desk):
    """They say what its columns are; engines read all of it."""
    rows = pa.table({"x": np.random.default_rng(1).random(5_000_000)})
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="none")
    assert sink.tell() > 32 * 1024 * 1024
    desk.drop("a.parquet", sink.getvalue().to_pybytes())
    desk.crawl()
    assert desk.columns(desk.name) == {"x": "double"}
    assert desk.rows(desk.name, "count(*), min(x), max(x)") == [
        (5_000_000, *map(pc.min_max(rows["x"]).as_py().get, ("min", "max")))
    ]


def test_what_is_excluded_is_in_no_table(desk):
    """Although it lies in the table's folder: engines would read all of a folder."""
    desk.drop("a.csv", "a,b\n1,2\n")
    desk.drop("a.tmp.csv", "a,b\n3,4\n")
    desk.crawl(target={"Exclusions": ["*.tmp.csv"]})
    assert desk.rows(desk.name) == [(1, 2)]


@pytest.mark.parametrize("policy", ["LOG", "DELETE_FROM_DATABASE", "DEPRECATE_IN_DATABASE"])
def test_tables_whose_files_are_gone(desk, policy):
    """They stay, go, or are marked until the files are back, as the crawler is told."""
    desk.drop("rides/a.csv", "a,b\n1,2\n")
    desk.drop("zips/a.csv", "c,d,e\n1,2,3\n")
    said = {"SchemaChangePolicy": {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": policy}}
    desk.crawl(**said)
    desk.remove("rides/a.csv")
    gone = desk.crawl(**said)
    if policy == "DELETE_FROM_DATABASE":
        assert gone == {("TABLE", "DELETE"): ["rides"]}
        assert desk.tables() == ["zips"]
        return
    marked = policy == "DEPRECATE_IN_DATABASE"
    assert gone == ({("TABLE", "UPDATE"): ["rides"]} if marked else {})
    assert ("DEPRECATED_BY_CRAWLER" in desk.parameters("rides")) is marked
    assert desk.crawl(**said) == {}
    desk.drop("rides/a.csv", "a,b\n1,2\n")
    desk.crawl(**said)
    assert "DEPRECATED_BY_CRAWLER" not in desk.parameters("rides")


def test_a_change_may_be_logged_alone(desk, box):
    """The table stays as it is; partitions are added all the same."""
    desk.drop("day=1/a.csv", "a,b\n1,2\n")
    said = {"SchemaChangePolicy": {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}}
    desk.crawl(**said)
    desk.drop("day=2/a.csv", "a,b,c\n1,2,3\n")
    assert desk.crawl(**said) == {("PARTITION", "ADD"): [f"{desk.name}(2)"]}
    assert desk.columns(desk.name) == {"a": "bigint", "b": "bigint", "day": "string"}
    prefix = desk.glue.get_crawler(Name=desk.name)["Crawler"]["LastCrawl"]["MessagePrefix"]
    said = [line for line in headwater(box, "logs", "aws-api", "-n", "500").stdout.splitlines() if prefix in line]
    assert any("has changed (new column c bigint); the crawler only logs it" in line for line in said), said


def test_a_name_that_another_table_has_is_not_taken(desk):
    """The crawled table gets a longer one, and keeps it."""
    desk.drop("rides/a.csv", "a,b\n1,2\n")
    desk.glue.create_database(DatabaseInput={"Name": desk.name})
    desk.aws.query(f"CREATE EXTERNAL TABLE rides (x int) LOCATION 's3://{desk.stack.profile.bucket}/other/'", desk.name)
    [name] = desk.crawl()["TABLE", "ADD"]
    assert name.startswith("rides_")
    assert desk.columns("rides") == {"x": "int"}
    assert desk.crawl() == {}


def test_a_crawler_that_runs_is_left_alone_until_it_is_stopped(desk):
    """It is neither started again, changed nor deleted; what it has found by then stays."""
    for number in range(300):
        desk.drop(f"t{number}/a.csv", f"a{number},b,c\n1,2,3\n")
    name = desk.name
    desk.glue.create_crawler(
        Name=name, Role=ROLE, DatabaseName=name, Targets={"S3Targets": [{"Path": desk.root, "SampleSize": 1}]}
    )
    desk.glue.start_crawler(Name=name)
    assert code_of(desk.glue.start_crawler, Name=name) == "CrawlerRunningException"
    assert code_of(desk.glue.update_crawler, Name=name, Role="other") == "CrawlerRunningException"
    assert code_of(desk.glue.delete_crawler, Name=name) == "CrawlerRunningException"
    assert desk.glue.get_crawler(Name=name)["Crawler"]["State"] == "RUNNING"
    desk.glue.stop_crawler(Name=name)
    assert ended(desk.glue, name)["LastCrawl"]["Status"] == "CANCELLED"
    [crawl] = desk.glue.list_crawls(CrawlerName=name)["Crawls"]
    assert crawl["State"] == "STOPPED"
    [measured] = desk.glue.get_crawler_metrics(CrawlerNameList=[name])["CrawlerMetricsList"]
    assert measured["CrawlerName"] == name
    stopped = [{"FieldName": "STATE", "FilterOperator": "EQ", "FieldValue": "STOPPED"}]
    assert len(desk.glue.list_crawls(CrawlerName=name, Filters=stopped)["Crawls"]) == 1
    arn = f"arn:aws:glue:us-east-1:000000000000:crawler/{name}"
    desk.glue.tag_resource(ResourceArn=arn, TagsToAdd={"a": "b", "c": "d"})
    desk.glue.untag_resource(ResourceArn=arn, TagsToRemove=["a"])
    assert desk.glue.get_tags(ResourceArn=arn)["Tags"] == {"c": "d"}


def test_crawlers_outlast_a_restart_and_a_crawl_does_not(desk, box, tmp_path):
    """A new process knows the crawler and its tables; what ran when the former one ended has failed, and says so."""
    desk.drop("a.csv", "a,b\n1,2\n")
    desk.crawl()
    with Store(database_url(box, "aws-api-db")) as store:
        told = {"CrawlerName": desk.name, "State": "RUNNING", "StartTime": time.time()}
        store.add("crawl", uuid.uuid4().hex, told)
        with Runs(store, desk.stack.storage, {}, lists=desk.root, folder=tmp_path / "crawls"):
            last, _ = desk.glue.list_crawls(CrawlerName=desk.name)["Crawls"]
        assert last["State"] == "FAILED"
        assert "started anew" in last["ErrorMessage"]
        assert list(store.get("crawler", desk.name).body["tables"]) == [desk.name]


def _said(text, kind):
    """Return a field of a file as a column's type holds it."""
    if not text:
        return None
    made = {"bigint": int, "double": float, "date": dt.date.fromisoformat, "timestamp": dt.datetime.fromisoformat}
    return made.get(kind, str)(text)


@pytest.mark.skipif(
    not OUTSIDE.is_dir(), reason="there is no folder ../shared/data with real files beside the repository"
)
def test_real_files_are_one_right_table_each(desk):
    """As they are, side by side; every row of every file in both engines."""
    files = [one for one in sorted(OUTSIDE.iterdir()) if one.suffix in (".csv", ".tsv")]
    for one in sorted(OUTSIDE.iterdir()):
        desk.drop(one.name, one.read_bytes())
    tables = [one.name.replace(".", "_").replace("-", "_") for one in files]
    assert desk.crawl() == {("TABLE", "ADD"): tables}
    for table, one in zip(tables, files, strict=True):
        text = one.read_text()
        header, *rows = csv.reader(io.StringIO(text), delimiter="\t" if one.suffix == ".tsv" else ",")
        columns = desk.columns(table)
        assert list(columns) == [name.lower() for name in header]
        wanted = [tuple(map(_said, row, columns.values())) for row in rows]
        assert desk.rows(table) == sorted(wanted, key=repr)
    assert desk.crawl() == {}
