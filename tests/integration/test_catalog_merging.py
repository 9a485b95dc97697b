"""Lineage on the real PostgreSQL, put together from events: whatever comes in whatever order gives one graph."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind, Lineage
from headwater_catalog.notices import Happening, Notice, TableState
from headwater_catalog.store._events import record
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_events import body, event, facet, new_run, spark_table, trino_table

pytestmark = pytest.mark.box

TABLES = ("raw.a", "curated.b", "curated.c")
RUNS = tuple(new_run() for _ in range(3))
NAMED = {
    "spark": spark_table,
    "trino": trino_table,
    "hive": lambda name: trino_table(name, "hive"),
    "stage": lambda name: spark_table(f"{name}__stage_ab12"),
    "folder": lambda name: {
        "namespace": "s3a://lake",
        "name": f"{name.replace('.', '/')}/data/x.parquet",
        "facets": {},
    },
}
GRAPH = (
    "SELECT first_name, born, name FROM node",
    "SELECT n.name, a.text, a.key, a.seen_at FROM alias a JOIN node n ON n.id = a.node_id",
    """SELECT s.name, t.name, e.origin, e.since, e.seen, c.source_column, c.target_column, c.kind, c.since, c.seen
       FROM edge e JOIN node s ON s.id = e.source_id JOIN node t ON t.id = e.target_id
       LEFT JOIN column_edge c ON c.edge_id = e.id""",
    "SELECT * FROM run",
    "SELECT p.run_id, n.name, p.direction, p.at, p.snapshot, p.rows FROM partaking p JOIN node n ON n.id = p.node_id",
)

tables = st.builds(lambda form, name: NAMED[form](name), st.sampled_from(sorted(NAMED)), st.sampled_from(TABLES))
ways = st.sampled_from(["IDENTITY", "TRANSFORMATION", "AGGREGATION", "JOIN", "FILTER"])


@st.composite
def told(draw) -> dict:
    """One event of one of a few runs, by any of the names of a few tables."""
    columns = {"v": draw(st.lists(st.tuples(st.sampled_from(TABLES), st.sampled_from("xy"), ways), max_size=2))}
    outputs = [draw(tables), spark_table(draw(st.sampled_from(TABLES)), columns=columns)]
    return event(
        draw(st.sampled_from(["START", "RUNNING", "COMPLETE", "COMPLETE", "FAIL", "OTHER"])),
        draw(st.sampled_from(RUNS)),
        inputs=draw(st.lists(tables, max_size=2)),
        outputs=draw(st.permutations(outputs))[: draw(st.integers(0, 2))],
        at=f"2026-01-01T12:00:{draw(st.integers(0, 9)):02}Z",
    )


def test_any_order_and_repetition_of_events_gives_one_graph(database):
    """Several runs over the same tables, under all their names, told in another order and partly twice."""
    with psycopg.connect(database) as connection:

        def graph(events: list[dict]) -> list[list]:
            connection.rollback()
            for one in events:
                record(connection, "lake", body(one), "test")
            return [sorted(connection.execute(query.encode()).fetchall(), key=repr) for query in GRAPH]

        @settings(max_examples=60, deadline=None)
        @given(st.data(), st.lists(told(), min_size=1, max_size=6))
        def same(data, events):
            again = data.draw(st.permutations([*events, *data.draw(st.lists(st.sampled_from(events), max_size=3))]))

            found = graph(events)
            assert graph(again) == found
            names = {row[2] for row in found[0]}
            assert names <= {*TABLES}

        same()


def test_what_a_run_touched_of_a_table_takes_no_column_away(store):
    """Trino names the columns that it read, without types; the table has all that the metastore tells."""
    now = datetime.now(UTC)
    columns = tuple(ColumnFacts(name, "bigint") for name in ("id", "v", "w"))
    state = TableState(name="curated.b", made=now, location="s3://lake/curated/b", columns=columns)
    store.follow([Notice(1, now, Happening.MADE, "curated.b")], {"curated.b": state}, 1)
    for side in ("inputs", "outputs"):
        touched = trino_table("curated.b")
        touched["facets"]["schema"] = facet(fields=[{"name": "v"}])
        later = (now + timedelta(minutes=1)).isoformat()
        store.record(body(event("COMPLETE", new_run(), at=later, **{side: [touched]})), "test")

    with store.reading() as reader:
        assert [(one["name"], one["type"]) for one in reader.table("curated.b")["columns"]] == [
            ("id", "bigint"), ("v", "bigint"), ("w", "bigint"),
        ]  # fmt: skip


def test_columns_that_nobody_told_before_are_those_that_were_touched(store):
    """A table of another system is known by what is read of it; more of it adds to what is known."""
    for name in ("name", "key"):
        nation = {"namespace": "trino://h:1", "name": "tpch.tiny.nation", "facets": {}}
        nation["facets"]["schema"] = facet(fields=[{"name": name}])
        store.record(body(event("COMPLETE", new_run(), inputs=[nation], outputs=[trino_table("curated.b")])), "test")

    with store.reading() as reader:
        assert [one["name"] for one in reader.table("tpch.tiny.nation")["columns"]] == ["name", "key"]


def test_the_sql_of_a_run_says_how_columns_came_to_be(store):
    """Trino tells which column comes from which; the graph has kinds and filters all the same."""
    now = datetime.now(UTC)
    for number, (name, *columns) in enumerate([("raw.a", "id", "x"), ("curated.b", "id", "v")], 1):
        facts = tuple(ColumnFacts(one, "bigint") for one in columns)
        store.follow(
            [Notice(number, now, Happening.MADE, name)], {name: TableState(name=name, made=now, columns=facts)}, number
        )
    output = trino_table("curated.b")
    ends = {"id": "id", "v": "x"}
    output["facets"]["columnLineage"] = facet(
        fields={
            made: {"inputFields": [{"namespace": "trino://127.0.0.1:7702", "name": "iceberg.raw.a", "field": read}]}
            for made, read in ends.items()
        }
    )
    one = event("COMPLETE", new_run(), inputs=[trino_table("raw.a")], outputs=[output],
                processing_engine=facet(name="trino", version="476"))  # fmt: skip
    one["job"]["facets"]["sql"] = facet(query="INSERT INTO b SELECT id, x + 1 FROM raw.a WHERE x > 0")
    store.record(body(one), "test")

    with store.reading() as reader:
        answer = reader.lineage("curated.b", columns=True, direction="up", depth=1, as_of="", limit=10)
        impact = reader.impact("raw.a", column="x", depth=1, limit=10)
    assert {(row["source_column"], row["target_column"], row["kind"]) for row in answer["columns"]} == {
        ("id", "id", "copied"),
        ("x", "v", "transformed"),
    }
    assert [(row["columns"], row["all_rows"]) for row in impact["breaks"]] == [(["v"], True)]


@pytest.mark.parametrize("first", ["view", "run"])
def test_a_view_is_on_the_way_whichever_is_told_first(store, first):
    """Spark tells the tables behind a view; its statement names the view, which the metastore may tell of later."""
    now = datetime.now(UTC)
    seen = Lineage(
        target="curated.seen",
        sources=("raw.a",),
        columns=frozenset({ColumnEdge("raw.a", "x", "n", Kind.TRANSFORMED)}),
    )
    state = TableState(name="curated.seen", made=now, columns=(ColumnFacts("n"),), view=seen, code="SELECT x + 1 AS n")
    written = spark_table("curated.b", columns={"v": [("raw.a", "x", "TRANSFORMATION")]})
    run = event("COMPLETE", new_run(), inputs=[spark_table("raw.a")], outputs=[written], at=now.isoformat(),
                processing_engine=facet(name="spark", version="4.1.3"))  # fmt: skip
    run["job"]["facets"]["sql"] = facet(query="INSERT INTO curated.b (v) SELECT n FROM curated.seen")
    steps = {
        "view": lambda: store.follow([Notice(1, now, Happening.MADE, "curated.seen")], {"curated.seen": state}, 1),
        "run": lambda: store.record(body(run), "test"),
    }
    for step in sorted(steps, key=lambda one: one != first):
        steps[step]()

    with store.reading() as reader:
        asked = {"columns": True, "direction": "up", "depth": 5, "as_of": "", "limit": 10}
        tables = reader.lineage("curated.b", **{**asked, "columns": False})["edges"]
        columns = reader.lineage("curated.b", **asked)["columns"]
    assert {(one["source"], one["target"]) for one in tables} == {
        ("raw.a", "curated.seen"),
        ("curated.seen", "curated.b"),
    }
    assert {(one["source"], one["source_column"], one["target_column"], one["kind"]) for one in columns} == {
        ("curated.seen", "n", "v", "copied"),
        ("raw.a", "x", "n", "transformed"),
    }
