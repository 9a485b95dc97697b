"""Crawls into the Glue that moto plays: the crawler asks of a catalog nothing but what somebody else's knows too."""

from __future__ import annotations

import boto3
import pytest
from aws_account import BUCKET
from botocore.exceptions import ClientError
from headwater.storage import S3Storage
from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue.crawlers._crawl import Crawl, Stopped
from headwater_aws_api.glue.crawlers._register import Register
from headwater_aws_api.glue.crawlers._settings import checked, settings_of


class Catalog:
    """Moto's Glue, called as the box's operations are."""

    def __init__(self):
        self._client = boto3.client("glue")

    def __getitem__(self, operation):
        """Return one operation."""
        method = getattr(self._client, "".join(f"_{one.lower()}" if one.isupper() else one for one in operation)[1:])

        def call(given):
            try:
                return method(**given)
            except ClientError as error:
                told = error.response["Error"]
                raise AwsError(told["Code"], told["Message"]) from error

        return call


class Desk:
    """A folder of the account's bucket, and crawls of it."""

    def __init__(self, mark, scratch, endpoint):
        self.storage = S3Storage(endpoint=endpoint, region="eu-central-1", access_key="test", secret_key="test")
        self.root, self.database = f"s3://{BUCKET}/{mark}/", f"d_{mark}"
        self.glue, self.scratch = Catalog(), scratch
        self.tables, self.said = {}, []

    def drop(self, path, content):
        """Put a file."""
        self.storage.put(self.root + path, content.encode())

    def crawl(self, *, stopped=False, **said):
        """Crawl; return what changed."""
        told = {"Role": "r", "DatabaseName": self.database, "Targets": {"S3Targets": [{"Path": self.root}]}, **said}
        settings = settings_of("c", checked(told))
        lists = f"s3://{BUCKET}/_crawled/"
        register = Register(settings, self.glue, self.storage, lists, self.said.append)
        crawl = Crawl(settings, register, self.storage, self.scratch, self.said.append, lambda: stopped)
        self.tables = crawl.run(self.tables)
        return register.summary

    def table(self, name):
        """Return a table's input."""
        return self.glue["GetTable"]({"DatabaseName": self.database, "Name": name})["Table"]


@pytest.fixture
def desk(account, mark, tmp_path):
    """A desk of this test's own."""
    return Desk(mark, tmp_path, boto3.client("s3").meta.endpoint_url)


def test_a_crawl_makes_tables_and_the_next_changes_nothing(desk):
    """Files that differ become tables over lists; those that are none are told of."""
    desk.drop("a.csv", "id,x\n1,2\n")
    desk.drop("b.tsv", "zip\tlat\n00501\t1.5\n")
    desk.drop("c.arrow", "ARROW1\0\0")
    assert desk.crawl() == {"TABLE": {"ADD": ["a_csv", "b_tsv"]}}
    place = desk.table("b_tsv")["StorageDescriptor"]["Location"]
    assert desk.storage.read(f"{place}files").decode() == f"{desk.root}b.tsv\n"
    assert any("c.arrow is UNKNOWN" in line for line in desk.said)
    assert desk.crawl() == {}
    desk.drop("a2.csv", "id,x\n3,4\n")
    assert desk.crawl() == {"TABLE": {"UPDATE": ["a_csv"]}}
    place = desk.table("a_csv")["StorageDescriptor"]["Location"]
    assert desk.storage.read(f"{place}files").decode() == f"{desk.root}a.csv\n{desk.root}a2.csv\n"


def test_partitions_follow_the_folders(desk, mark):
    """They come, widen with the table, and go; a hundred and more of them."""
    for day in range(130):
        desk.drop(f"day={day:03}/a.csv", "id\n1\n")
    policy = {"UpdateBehavior": "UPDATE_IN_DATABASE", "DeleteBehavior": "DELETE_FROM_DATABASE"}
    made = desk.crawl(SchemaChangePolicy=policy)
    assert (made["TABLE"], len(made["PARTITION"]["ADD"])) == ({"ADD": [mark]}, 130)
    desk.storage.delete([f"{desk.root}day=000/a.csv"])
    desk.drop("day=130/a.csv", "id,more\n1.5,x\n")
    changed = desk.crawl(SchemaChangePolicy=policy)
    counts = {change: len(names) for change, names in changed["PARTITION"].items()}
    assert counts == {"ADD": 1, "UPDATE": 129, "DELETE": 1}
    assert [one["Type"] for one in desk.table(mark)["StorageDescriptor"]["Columns"]] == ["double", "string"]
    assert desk.crawl(SchemaChangePolicy=policy) == {}


def test_a_table_with_other_partitions_is_made_anew(desk, mark):
    """No metastore changes the keys of one that is there."""
    desk.drop("a/x.csv", "id,x\n1,2\n")
    desk.drop("b/x.csv", "id,x\n1,2\n")
    desk.crawl()
    desk.storage.delete([f"{desk.root}{one}/x.csv" for one in "ab"])
    desk.drop("year=1/x.csv", "id,x\n1,2\n")
    assert desk.crawl()["TABLE"] == {"UPDATE": [mark]}
    assert [one["Name"] for one in desk.table(mark)["PartitionKeys"]] == ["year"]


def test_a_crawl_that_is_stopped_keeps_what_it_has(desk):
    """And says so."""
    desk.drop("a.csv", "id,x\n1,2\n")
    with pytest.raises(Stopped):
        desk.crawl(stopped=True)
    assert desk.tables == {}
    desk.crawl()
