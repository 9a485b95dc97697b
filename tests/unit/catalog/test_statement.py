"""What the SQL of a run says where the engine's events do not: kinds of column edges, filters and joins."""

from __future__ import annotations

import pytest
from headwater_catalog._statement import told_by_sql, wants_sql
from headwater_catalog.model import Kind, RunFacts, View
from headwater_catalog.openlineage import RunEvent, read_event, run_facts
from lineage_events import body, event, facet, new_run, spark_table, trino_table

COLUMNS = {"curated.a": ("id", "x", "y"), "curated.b": ("id", "z"), "curated.t": ("id", "v")}
TRINO = "trino://127.0.0.1:7702/iceberg."


def run_of(sql: str, *sources: str, told: dict[str, list[tuple[str, str]]] | None = None, engine="trino") -> RunFacts:
    """Return a run as Trino tells it: tables, and which column comes from which."""
    output = trino_table("curated.t")
    if told is not None:
        made = {
            name: {"inputFields": [{"namespace": "trino://127.0.0.1:7702", "name": f"iceberg.{table}", "field": column}
                                   for table, column in ends]}
            for name, ends in told.items()
        }  # fmt: skip
        output["facets"]["columnLineage"] = facet(fields=made)
    one = event("COMPLETE", new_run(), inputs=[trino_table(name) for name in sources], outputs=[output],
                processing_engine=facet(name=engine, version="476"))  # fmt: skip
    one["job"]["facets"]["sql"] = facet(query=sql)
    found = read_event(body(one))[0]
    assert isinstance(found, RunEvent)
    return run_facts([found])


def edges(facts: RunFacts) -> set[str]:
    """Return the column edges that are believed, readably."""
    known = {TRINO + name: columns for name, columns in COLUMNS.items()}
    told = told_by_sql(facts, "lake", known) if wants_sql(facts) else facts
    (found,) = told.edges.values()
    ends = {(edge.source.replace("/", ".").rpartition(".")[2], edge) for edge in found}
    return {f"{table}.{edge.source_column} {edge.kind} {edge.target_column}".strip() for table, edge in ends}


def test_the_statement_says_how_and_which_rows():
    """What an event tells as some change is a copy or an aggregate, and filters and joins are there."""
    sql = """INSERT INTO curated.t SELECT a.id, sum(z) FROM curated.a JOIN curated.b ON a.id = b.id
             WHERE y > 1 GROUP BY a.id"""
    told = {"id": [("curated.a", "id")], "v": [("curated.b", "z")]}

    assert edges(run_of(sql, "curated.a", "curated.b", told=told)) == {
        "a.id copied id", "b.z aggregated v", "a.id join", "b.id join", "a.y filter", "a.id aggregated",
    }  # fmt: skip


@pytest.mark.parametrize(
    "sql",
    [
        "MERGE INTO curated.t USING curated.a AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.x",
        "MERGE INTO t USING a AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.x",
        "MERGE INTO hive.curated.t AS t USING a AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.x",
    ],
)
def test_a_statement_of_whose_columns_nothing_is_told(sql):
    """MERGE and UPDATE; names may be of one part, or of another connector."""
    assert edges(run_of(sql, "curated.t", "curated.a", told={})) == {"a.x copied v", "a.id join"}


@pytest.mark.parametrize(
    ("sql", "sources", "told"),
    [
        ("INSERT INTO curated.t SELECT id, x FROM curated.a", ["curated.b"], {"id": [("curated.b", "id")]}),
        (
            "INSERT INTO curated.t SELECT id, x FROM curated.a",
            ["curated.a", "curated.b"],
            {"id": [("curated.a", "id")]},
        ),
        ("INSERT INTO curated.other SELECT id, x FROM curated.a", ["curated.a"], {"id": [("curated.a", "id")]}),
        ("INSERT INTO curated.t SELECT id, x FROM curated.a", ["curated.a"], {"id": [("curated.a", "y")]}),
        ("INSERT INTO curated.t SELEC id", ["curated.a"], {"id": [("curated.a", "id")]}),
        ("EXECUTE something USING 1", ["curated.a"], {"id": [("curated.a", "id")]}),
        (
            "INSERT INTO curated.t SELECT id, x FROM curated.a; DROP TABLE x",
            ["curated.a"],
            {"id": [("curated.a", "y")]},
        ),
    ],
)
def test_a_statement_that_says_otherwise_is_not_believed(sql, sources, told):
    """Other tables, another target, other columns, or text that cannot be read: what the event tells stays."""
    before = run_of(sql, *sources, told=told)

    assert {edge.kind for edge in next(iter(before.edges.values()))} == {Kind.TRANSFORMED}
    assert told_by_sql(before, "lake", {TRINO + name: columns for name, columns in COLUMNS.items()}) == before


def test_a_plan_is_read_as_it_was_meant():
    """Spark makes an updated table from itself, and IN a join; the statement knows better."""
    told = [("curated.t", "v", "TRANSFORMATION"), ("curated.a", "x", "TRANSFORMATION")]
    output = spark_table("curated.t", columns={"v": told, "": [("curated.a", "id", "JOIN")]})
    one = event("COMPLETE", new_run(), inputs=[spark_table("curated.a"), spark_table("curated.t")], outputs=[output],
                processing_engine=facet(name="spark", version="4.1.3"))  # fmt: skip
    sql = "MERGE INTO curated.t USING curated.a ON t.id = a.id WHEN MATCHED THEN UPDATE SET v = a.x + 1"
    one["job"]["facets"]["sql"] = facet(query=sql)
    found = read_event(body(one))[0]
    assert isinstance(found, RunEvent)

    assert edges(run_facts([found])) == {"a.x transformed v", "a.id join"}


def seen(name: str) -> View | None:
    """What the catalog knows of a table or view."""
    columns = COLUMNS.get(name)
    return View(columns, (name,)) if columns else None


def spark_run(sql: str, inputs: list[str], outputs: list[str]) -> RunFacts:
    """Return a run as Spark tells it when it does not find its tables any more."""
    one = event("COMPLETE", new_run(), inputs=[spark_table(name) for name in inputs],
                outputs=[spark_table(name) for name in outputs],
                processing_engine=facet(name="spark", version="4.1.3"))  # fmt: skip
    one["job"]["facets"]["sql"] = facet(query=sql)
    found = read_event(body(one))[0]
    assert isinstance(found, RunEvent)
    return run_facts([found])


@pytest.mark.parametrize(
    ("sql", "inputs", "outputs"),
    [
        ("INSERT INTO curated.t SELECT id, x FROM curated.a", ["curated.a"], []),
        ("INSERT INTO curated.t.branch_audit SELECT id, x FROM curated.a", ["curated.a"], []),
        ("CREATE TABLE curated.t AS SELECT id, x AS v FROM curated.a.branch_audit", [], ["curated.t"]),
    ],
)
def test_a_table_that_the_engine_did_not_find_again_is_in_the_statement(sql, inputs, outputs):
    """It was dropped or renamed soon after, or is a branch; only tables that are known are believed."""
    facts = spark_run(sql, inputs, outputs)
    told = told_by_sql(facts, "lake", {}, seen)

    ends = {name.rpartition("lake/")[2].replace("/", ".") for side in (told.inputs, told.outputs) for name in side}
    assert ends == {"curated.a", "curated.t"}
    assert {(one.source_column, one.target_column) for one in next(iter(told.edges.values()))} == {
        ("id", "id"),
        ("x", "v"),
    }
    assert told_by_sql(facts, "lake", {}) == facts


def test_what_decides_about_rows_may_be_told_as_a_value():
    """Trino makes the column of an EXCEPT from both of its sides."""
    told = {"id": [("curated.a", "id"), ("curated.b", "id")], "v": [("curated.a", "x"), ("curated.b", "z")]}
    sql = "INSERT INTO curated.t SELECT id, x FROM curated.a EXCEPT SELECT id, z FROM curated.b"

    assert edges(run_of(sql, "curated.a", "curated.b", told=told)) == {
        "a.id copied id", "a.x copied v", "b.id filter", "b.z filter",
    }  # fmt: skip


def test_a_view_is_what_was_read_though_the_plan_has_its_tables():
    """By the statement, where the view is known and is made of the very tables that the event names."""
    sql = "INSERT INTO curated.t SELECT n, x FROM curated.seen"
    facts = run_of(sql, "curated.a", "curated.b", told={"v": [("curated.a", "x")]}, engine="spark")
    views = {"curated.seen": View(("n", "x"), ("curated.a", "curated.b")), "curated.other": View((), ("curated.b",))}
    known = {TRINO + name: columns for name, columns in COLUMNS.items()}
    told = told_by_sql(facts, "lake", known, views.get)

    assert set(told.inputs) == {"curated.seen"}
    assert {(one.source, one.source_column, one.target_column) for one in told.edges[f"{TRINO}curated.t"]} == {
        ("curated.seen", "n", "id"),
        ("curated.seen", "x", "v"),
    }
    assert told_by_sql(facts, "lake", known) == facts
    other = run_of(sql.replace("seen", "other"), "curated.a", "curated.b", told={}, engine="spark")
    assert told_by_sql(other, "lake", known, views.get) == other


def test_a_view_of_the_lake_is_the_metastores_to_tell():
    """No row is written, and what it is made of may be replaced."""
    facts = run_of("CREATE OR REPLACE VIEW curated.t AS SELECT id, x AS v FROM curated.a", "curated.a", told={})
    told = told_by_sql(facts, "lake", {})

    assert (told.inputs, told.edges) == ({}, {})
    assert told.outputs == facts.outputs


@pytest.mark.parametrize(
    "facts", [run_of("INSERT INTO curated.t SELECT 1", told={}, engine="flink"), run_of("", told={})]
)
def test_nothing_is_asked_of_a_statement_that_nobody_can_read(facts):
    """Of another engine's, or of none."""
    assert not wants_sql(facts)
