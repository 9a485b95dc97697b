"""A definition beside its table in the real metastore: its types in other words agree, a change by hand shows."""

from __future__ import annotations

import time

import pytest
from catalog_site import Site
from headwater.box.components.databases import database_url
from headwater.write._target import ensure_target
from headwater_catalog.model import ColumnFacts, TableFacts
from headwater_catalog.store import Store
from pyiceberg.types import LongType

pytestmark = pytest.mark.box

TYPES = ("boolean", "int", "long", "float", "double", "string", "date", "timestamp", "timestamptz", "binary",
         "decimal(12,2)")  # fmt: skip


def test_a_definition_and_its_table_in_the_metastore(box, lake):
    """Every type as the write path makes it is no difference; a column more and one less are told."""
    site, metastore = Site(box), lake.stack.metastore.iceberg()
    table = lake.table({f"c{at}": kind for at, kind in enumerate(TYPES)}, engine="spark", body=print)
    ensure_target(metastore, table, box.bucket, print)
    columns = tuple(ColumnFacts(one.name, one.type, one.doc) for one in table.columns)
    with Store(database_url(box, "catalog-db"), box.bucket) as store:
        try:
            store.publish([TableFacts(name=table.name, columns=columns, place="tables/t.py:1")], lake.mark)
            assert _within(site, table.name, lambda told: told["compared"])["columns"] == []
            with lake.iceberg(table).update_schema(allow_incompatible_changes=True) as change:
                change.add_column("more", LongType())
                change.delete_column("c1")
            told = _within(site, table.name, lambda told: told["columns"])["columns"]
            assert [(one["column"], one["what"]) for one in told] == [("c1", "missing"), ("more", "extra")]
            page = site.get("/table", name=table.name).text
            assert f"headwater materialize {table.name} --all-partitions" in page
            assert f"ALTER TABLE {table.name} DROP COLUMN" in page
        finally:
            store.publish([], lake.mark)
            metastore.drop_table((table.zone, table.id.name))


def _within(site, name, looks_right, seconds=30):
    """Return what the catalog says of a definition and the metastore, once it looks right."""
    end = time.monotonic() + seconds
    while True:
        told = site.get("/api/v1/table", name=name).json().get("there", {"compared": False, "columns": []})
        if looks_right(told):
            return told
        assert time.monotonic() < end, told
        time.sleep(0.2)
