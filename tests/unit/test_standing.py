"""Whether a table still holds what was published, on real Iceberg tables in a catalog of their own."""

from __future__ import annotations

from types import SimpleNamespace

import pyarrow as pa
import pytest
from headwater.table import Column, Partitioning, Table
from headwater.write import disturbed
from pyiceberg.catalog.memory import InMemoryCatalog
from pyiceberg.table.refs import MAIN_BRANCH

ROWS = Table(
    name="partitioned.rows",
    doc="Rows.",
    owner="team:tests",
    columns=(Column("a", "long", "A."), Column("year", "int", "Y.")),
    body="select 1 as a, 2019 as year",
    partitioning=Partitioning("year", "year", "2019"),
)
BOTH = ("2019", "2020")


@pytest.fixture
def catalog(tmp_path):
    """A catalog with an empty table."""
    made = InMemoryCatalog("tests", warehouse=tmp_path.as_uri())
    made.create_namespace("partitioned")
    made.create_table(ROWS.name, pa.schema([("a", pa.int64()), ("year", pa.int32())]))
    return made


def publish(catalog, key, run="r1-0"):
    """Commit as the write path does and return the snapshot; without a run it is somebody else's commit."""
    table = catalog.load_table(ROWS.name)
    rows = pa.table({"a": pa.array([1], pa.int64()), "year": pa.array([int(key)], pa.int32())})
    table.append(rows, snapshot_properties={"headwater.run": run, "headwater.partitions": key} if run else {})
    return table.current_snapshot().snapshot_id


def found(catalog, published):
    """Return what is wrong with the table."""
    return disturbed(ROWS, SimpleNamespace(metastore=SimpleNamespace(iceberg=lambda: catalog)), published)


def test_later_publishes_of_other_partitions_disturb_nothing(catalog):
    """They move the current snapshot on; an older partition's stays among its ancestors."""
    published = {key: publish(catalog, key) for key in BOTH}

    assert found(catalog, published) == {}


def test_a_dropped_table_is_gone_with_all_its_partitions(catalog):
    """Whatever Dagster says of it."""
    published = {key: publish(catalog, key) for key in BOTH}
    catalog.drop_table(ROWS.name)

    assert found(catalog, published) == dict.fromkeys(BOTH, "partitioned.rows is gone from the lake")


def test_a_foreign_commit_disturbs_what_was_published_before_it(catalog):
    """What is published after it holds; the sentence names the run before it."""
    old = publish(catalog, "2019", "r1-0")
    publish(catalog, "2019", run="")
    new = publish(catalog, "2020", "r2-0")

    reasons = found(catalog, {"2019": old, "2020": new})

    assert reasons == {"2019": "partitioned.rows was changed by hand after run r1"}


def test_a_table_that_was_made_anew_by_hand_is_told(catalog):
    """A table of the same name without the published snapshot is another table, empty or not."""
    old = publish(catalog, "2019")
    schema = catalog.load_table(ROWS.name).schema()
    catalog.drop_table(ROWS.name)
    catalog.create_table(ROWS.name, schema)
    again = "partitioned.rows was set back or made anew by hand since it was written"
    assert found(catalog, {"2019": old}) == {"2019": again}

    new = publish(catalog, "2020")

    assert found(catalog, {"2019": old, "2020": new}) == {"2019": again}


def test_a_table_that_was_set_back_is_told(catalog):
    """An older snapshot made the current one loses what came after it."""
    old, new = (publish(catalog, key) for key in BOTH)
    table = catalog.load_table(ROWS.name)
    with table.manage_snapshots() as change:
        change._updates, change._requirements = table.transaction()._set_ref_snapshot(old, MAIN_BRANCH, "branch")

    reasons = found(catalog, {"2019": old, "2020": new})

    assert list(reasons) == ["2020"]
    assert "set back" in reasons["2020"]


def test_expired_snapshots_disturb_nothing(catalog):
    """Where the past was cut off, what is left speaks."""
    published = {key: publish(catalog, key) for key in BOTH}
    catalog.load_table(ROWS.name).maintenance.expire_snapshots().by_id(published["2019"]).commit()

    assert found(catalog, published) == {}
