"""How the catalog sees Glue, as moto plays it: every table and view of the zones, and what became of them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import boto3
import pyarrow as pa
import pytest
from aws_account import BUCKET, aws_stack
from headwater import _aws
from headwater.errors import MetastoreError
from headwater.table import TableName
from headwater_catalog.notices import Happening
from headwater_catalog.sightings import happened, seen_state, sighting
from pyiceberg.types import StringType

SCHEMA = pa.schema([pa.field("id", pa.int64()), pa.field("gone", pa.string())])


@pytest.fixture
def metastore(account, tmp_path):
    """Glue, with the zones."""
    made = aws_stack(tmp_path).metastore
    for zone in ("raw", "curated"):
        glue = boto3.client("glue")
        with suppress(glue.exceptions.AlreadyExistsException):
            glue.create_database(DatabaseInput={"Name": zone})
    return made


def look(metastore):
    """Return what a look sees."""
    found = [sighting(zone, entry) for zone, entry in metastore.entries()]
    return {one.name: one for one in found if one is not None}


def told(before, metastore, since):
    """Return what happened since, and the newest look."""
    now = look(metastore)
    notices = happened(before, now, since=since, at=datetime.now(UTC), number=1)
    return [(one.what, one.name, one.former) for one in notices], now


def test_an_iceberg_table_lives_and_dies(metastore, mark):
    """Made, evolved, renamed and dropped by PyIceberg's own client; a commit of rows is no news."""
    since, seen = datetime.now(UTC), look(metastore)
    name, other = f"curated.t_{mark}", f"curated.u_{mark}"
    client = metastore.iceberg()
    table = client.create_table(name, SCHEMA, location=f"s3://{BUCKET}/curated/t_{mark}-1")
    what, seen = told(seen, metastore, since)
    assert what == [(Happening.MADE, name, "")]

    table.append(pa.table({"id": [1], "gone": ["a"]}, schema=SCHEMA))
    assert told(seen, metastore, since)[0] == []

    with table.update_schema() as change:
        change.delete_column("gone")
        change.add_column("more", StringType(), doc="More.")
    what, seen = told(seen, metastore, since)
    assert what == [(Happening.ALTERED, name, "")]
    state = seen_state("curated", metastore.entry(TableName("curated", f"t_{mark}")))
    assert [(one.name, one.type, one.doc) for one in state.columns] == [
        ("id", "bigint", ""),
        ("more", "string", "More."),
    ]
    assert state.location == f"s3://{BUCKET}/curated/t_{mark}-1"

    client.rename_table(name, other)
    what, seen = told(seen, metastore, since)
    assert what == [(Happening.RENAMED, other, name)]
    client.drop_table(other)
    assert told(seen, metastore, since)[0] == [(Happening.DROPPED, other, "")]
    assert metastore.entry(TableName("curated", f"u_{mark}")) is None


def test_views_are_listed_and_are_no_tables_of_the_lake(metastore, mark):
    """The catalog shows them; whoever looks for tables with files passes them over."""
    storage = {"Columns": [{"Name": "n", "Type": "bigint"}], "Location": ""}
    given = {"Name": f"v_{mark}", "TableType": "VIRTUAL_VIEW", "ViewOriginalText": "SELECT 1 AS n"}
    boto3.client("glue").create_table(DatabaseName="curated", TableInput={**given, "StorageDescriptor": storage})

    assert f"curated.v_{mark}" in look(metastore)
    assert TableName("curated", f"v_{mark}") not in {one.name for one in metastore.registered()}


def test_what_cannot_be_listed_is_an_error_in_the_middle_too(metastore, monkeypatch):
    """Half a list would look as if the other half had been dropped."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(_aws, "_ATTEMPTS", 1)
    _aws._client.cache_clear()
    try:
        with pytest.raises(MetastoreError, match="The tables of the lake cannot be listed"):
            [*metastore.entries()]
    finally:
        _aws._client.cache_clear()
