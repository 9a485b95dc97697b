"""The metastore's notifications, as its Thrift interface gives them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind
from headwater_catalog.notices import Happening, notices, table_state

NOON = int(datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp())


def told(number, kind, name, database="curated", before=None):
    """Return a notification event; ``before`` is what a renamed table was called."""
    table = {"1": {"str": before or name}, "2": {"str": database}}
    return SimpleNamespace(
        eventId=number, eventTime=NOON, eventType=kind, dbName=database, tableName=name,
        message=json.dumps({"tableObjBeforeJson": json.dumps(table)}),
    )  # fmt: skip


def table(name="a", database="curated", *, view="", location="s3://lake/curated/a"):
    """Return a Thrift table."""
    column = SimpleNamespace(name="Id", type="bigint", comment=None)
    return SimpleNamespace(
        dbName=database, tableName=name, createTime=NOON, tableType="VIRTUAL_VIEW" if view else "EXTERNAL_TABLE",
        sd=SimpleNamespace(cols=[column], location=location), viewOriginalText=view,
        partitionKeys=[SimpleNamespace(name="year", type="int", comment="The partition.")],
    )  # fmt: skip


def presto(sql, columns=({"name": "N", "type": "bigint"},)):
    """Return a view's text as Trino writes it."""
    held = {"originalSql": sql, "catalog": "iceberg", "schema": "curated", "columns": list(columns)}
    return f"/* Presto View: {base64.b64encode(json.dumps(held).encode()).decode()} */"


def test_what_happens_to_tables_is_told_in_order():
    """Events of one second keep their order; stages, other databases and partitions are nobody's business."""
    events = [
        told(7, "CREATE_TABLE", "a"),
        told(8, "CREATE_TABLE", "a__stage_x1"),
        told(9, "ADD_PARTITION", "a"),
        told(10, "CREATE_TABLE", "b", database="other"),
        told(11, "ALTER_TABLE", "a"),
        told(12, "ALTER_TABLE", "b", before="a"),
        told(13, "DROP_TABLE", "b"),
    ]
    found = [*notices(events)]

    assert [(one.id, one.what, one.name, one.former) for one in found] == [
        (7, Happening.MADE, "curated.a", ""),
        (11, Happening.ALTERED, "curated.a", ""),
        (12, Happening.RENAMED, "curated.b", "curated.a"),
        (13, Happening.DROPPED, "curated.b", ""),
    ]
    assert [one.at for one in found] == sorted({one.at for one in found})
    assert {one.at.replace(microsecond=0).timestamp() for one in found} == {NOON}


def test_names_with_anything_in_them_are_quoted():
    """As SQL and events give them, so that it is one table."""
    odd = 'an "odd" one.two'
    made, renamed = notices([told(1, "CREATE_TABLE", odd), told(2, "ALTER_TABLE", "plain", before=odd)])

    assert made.name == 'curated."an ""odd"" one.two"'
    assert (renamed.name, renamed.former) == ("curated.plain", made.name)
    assert table_state(table(odd)).name == made.name


def test_a_view_of_every_column_asks_what_they_are():
    """A star, or a column of a join that does not say whose it is, is read with the columns of the tables behind it."""
    known = {"curated.a": ("id", "x"), "curated.b": ("id", "y")}
    star = table_state(table("v", view=presto("SELECT * FROM a")), lambda name: known.get(name, ()))
    joined = table_state(table("v", view="SELECT a.id, x, y FROM a JOIN b ON a.id = b.id"), lambda name: known[name])

    assert star.view.columns == {ColumnEdge("curated.a", name, name, Kind.COPIED) for name in ("id", "x")}
    assert ColumnEdge("curated.b", "y", "y", Kind.COPIED) in joined.view.columns
    assert not star.view.problem + joined.view.problem


def test_a_view_may_call_its_columns_otherwise():
    """Spark keeps the names apart from the query: they go by place, and rows stay rows."""
    view = table_state(table("v", view="SELECT x, y FROM a WHERE z > 0")).view

    assert view.columns == {
        ColumnEdge("curated.a", "x", "id", Kind.COPIED),
        ColumnEdge("curated.a", "y", "year", Kind.COPIED),
        ColumnEdge("curated.a", "z", "", Kind.FILTER),
    }


def test_a_materialized_view_is_a_view():
    """Trino writes it under another word."""
    text = presto("SELECT count(id) AS n FROM a").replace("Presto View", "Presto Materialized View")
    state = table_state(table("v", view=text))

    assert state.view.columns == {ColumnEdge("curated.a", "id", "n", Kind.AGGREGATED)}
    assert [one.name for one in state.columns] == ["n"]


def test_a_stage_that_becomes_a_table_is_no_rename():
    """How a table comes to be is not its history."""
    assert [*notices([told(1, "ALTER_TABLE", "a", before="a__stage_x1")])] == []


@pytest.mark.parametrize("message", ["", "{", "{}", '{"tableObjBeforeJson": "[]"}', '{"tableObjBeforeJson": "{}"}'])
def test_a_message_that_cannot_be_read_is_a_change(message):
    """What the table is now is asked of the metastore anyway."""
    event = told(1, "ALTER_TABLE", "a")
    event.message = message

    assert [(one.what, one.name) for one in notices([event])] == [(Happening.ALTERED, "curated.a")]


def test_a_table_has_its_partition_columns():
    """Names are lower case, as everywhere in the catalog."""
    state = table_state(table())

    assert state is not None
    assert state.columns == (ColumnFacts("id", "bigint"), ColumnFacts("year", "int", "The partition."))
    assert (state.name, state.location, state.view) == ("curated.a", "s3://lake/curated/a", None)
    assert table_state(table("a__stage_x1")) is None
    assert table_state(table(database="other")) is None


def test_trinos_view_is_read():
    """Its own text says its columns and what it is made of."""
    state = table_state(table("v", view=presto("SELECT count(id) AS n FROM b WHERE ok")))

    assert state is not None
    assert state.view is not None
    assert state.columns == (ColumnFacts("n", "bigint"),)
    assert state.view.sources == ("curated.b",)
    assert state.view.columns == {
        ColumnEdge("curated.b", "id", "n", Kind.AGGREGATED),
        ColumnEdge("curated.b", "ok", "", Kind.FILTER),
    }


def test_sparks_view_is_read():
    """Spark writes plain SQL."""
    state = table_state(table("v", view="SELECT id FROM raw.b"))

    assert state is not None
    assert state.view is not None
    assert state.view.sources == ("raw.b",)


@pytest.mark.parametrize("text", ["/* Presto View: bm8= */", "/* Presto View: ! */", presto("SELECT ((")])
def test_a_view_that_cannot_be_read_says_so(text):
    """It is there all the same."""
    state = table_state(table("v", view=text))

    assert state is not None
    assert state.view is not None
    assert state.view.problem
    assert state.code
