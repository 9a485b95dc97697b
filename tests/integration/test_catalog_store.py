"""The catalog's memory on the real PostgreSQL: events in any order, the graph as it was, and nothing doubled."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from defined import declared
from headwater.box.components.databases import connect
from headwater.errors import ComponentError
from headwater_catalog.model import ColumnEdge, Kind
from headwater_catalog.openlineage import InvalidEvent
from headwater_catalog.store import NotFound, Store, migrate
from headwater_catalog.store._edges import saw_edge
from headwater_catalog.store._graph import Question, walk_columns, walk_tables
from hypothesis import given, settings
from hypothesis import strategies as st
from lineage_events import body, event, facet, fields, new_run, spark_table, trino_table

pytestmark = pytest.mark.box

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def send(store: Store, *events: dict) -> None:
    """Record events."""
    for one in events:
        store.record(body(one), "test")


def graph(store: Store, name: str, **more: object) -> dict:
    """Ask for lineage with defaults."""
    asked = {"column": "", "columns": False, "direction": "both", "depth": 10, "as_of": "", "limit": 1000, **more}
    with store.reading() as reader:
        return reader.lineage(name, **asked)


def pairs(answer: dict) -> set[tuple[str, str]]:
    """Return an answer's table edges."""
    return {(one["source"], one["target"]) for one in answer["edges"]}


def flows(answer: dict) -> set[tuple[str, str, str]]:
    """Return an answer's column edges."""
    return {
        (f"{one['source']}.{one['source_column']}", f"{one['target']}.{one['target_column']}", one["kind"])
        for one in answer["columns"]
    }


def everything(database: str) -> list:
    """Return all facts, without what counts arrivals."""
    queries = (
        "SELECT first_name, born, name, kind, dropped_at FROM node",
        "SELECT text, kind, key, seen_at FROM alias",
        (
            "SELECT s.name, t.name, e.origin, e.since, e.seen, e.until FROM edge e JOIN node s ON s.id = e.source_id "
            "JOIN node t ON t.id = e.target_id"
        ),
        (
            "SELECT s.name, source_column, t.name, target_column, c.kind, c.since, c.seen FROM column_edge c "
            "JOIN edge e ON e.id = c.edge_id JOIN node s ON s.id = e.source_id JOIN node t ON t.id = e.target_id"
        ),
        "SELECT * FROM run",
        "SELECT run_id, n.name, direction, at, snapshot, rows, bytes FROM partaking JOIN node n ON n.id = node_id",
        "SELECT n.name, at, what, detail FROM change JOIN node n ON n.id = node_id",
        "SELECT n.name, c.name, type, until FROM column_fact c JOIN node n ON n.id = node_id",
    )
    with psycopg.connect(database) as connection:
        return [sorted(connection.execute(query.encode()).fetchall(), key=repr) for query in queries]


def test_a_migration_runs_once_however_many_start_it(box, database):
    """Two at once, and one more later: the same tables, and no error."""
    problems = []

    def again():
        try:
            with connect(box, "postgres", database=database.rpartition("/")[2]) as connection:
                assert migrate(connection) == ()
        except Exception as error:  # noqa: BLE001 - shown below
            problems.append(error)

    threads = [threading.Thread(target=again) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert problems == []
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO migration VALUES ('9999_later.sql', now())")
        with pytest.raises(ComponentError, match="newer Headwater"):
            migrate(connection)


def test_spark_and_trino_mean_the_same_tables(store):
    """A folder with a symlink, a connector's name, a stage and a partition's path are two nodes and one edge."""
    send(
        store,
        event("COMPLETE", new_run(), inputs=[spark_table("raw.a")], outputs=[spark_table("curated.b__stage_ab12")]),
        event("COMPLETE", new_run(), inputs=[trino_table("raw.a", "hive")], outputs=[trino_table("curated.b")]),
        event(
            "COMPLETE",
            new_run(),
            inputs=[{"namespace": "s3a://lake", "name": "raw/a/year=2019/load=1/x.txt", "facets": {}}],
            outputs=[{"namespace": "s3://lake", "name": "curated/b/_stageab12", "facets": {}}],
        ),
    )
    answer = graph(store, "curated.b")

    assert pairs(answer) == {("raw.a", "curated.b")}
    assert {one["name"] for one in answer["nodes"]} == {"raw.a", "curated.b"}
    with store.reading() as reader:
        aliases = {one["text"] for one in reader.table("s3a://lake/raw/a/")["aliases"]}
    assert {"s3a://lake/raw/a", "s3://lake/raw/a", "hive://127.0.0.1:7707/raw.a"} <= aliases
    assert "trino://127.0.0.1:7702/hive.raw.a" in aliases
    assert not any("stage" in one for one in aliases)


def a_run(run: str) -> list[dict]:
    """The events of one run, as an engine would send them."""
    target = spark_table(
        "curated.b",
        snapshot="77",
        columns={"s": [("raw.a", "x", "AGGREGATION"), ("raw.a", "y", "FILTER")], "k": [("raw.a", "k", "IDENTITY")]},
    )
    target["outputFacets"] = {"outputStatistics": facet(rowCount=10, size=100)}
    engine = facet(name="spark", version="4.1.3")
    return [
        event("START", run, inputs=[spark_table("raw.a")], at="2026-01-01T12:00:00Z", processing_engine=engine),
        event("RUNNING", run, outputs=[spark_table("curated.b")], at="2026-01-01T12:00:01Z"),
        event("OTHER", run, inputs=[spark_table("raw.c", snapshot="5")], at="2026-01-01T12:00:04Z"),
        event("COMPLETE", run, outputs=[target], at="2026-01-01T12:00:03Z", tags=facet(tags=[
            {"key": "partition", "value": "2019"}])),
    ]  # fmt: skip


def test_events_in_any_order_and_repeated_change_nothing(box, database):
    """Every order of a run's events, each sent twice, leaves the same facts."""
    run, found = new_run(), []
    with Store(database, "lake") as store:
        for order in itertools.permutations(a_run(run)):
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("TRUNCATE node, run, event, rename CASCADE")
            send(store, *order, *order)
            found.append(everything(database))
            assert store.record(body(order[0]), "test") is False

    assert all(one == found[0] for one in found)
    assert {(row[0], row[1]) for row in found[0][2]} == {("raw.a", "curated.b"), ("raw.c", "curated.b")}


def test_a_run_is_told_whole(store):
    """Partition, engine, snapshots, rows and column lineage of a run arrive; a value edge is no row edge."""
    run = new_run()
    send(store, *a_run(run))
    with store.reading() as reader:
        history = reader.history("curated.b")
    answer = graph(store, "curated.b", columns=True)

    (told,) = history["runs"]
    assert (told["state"], told["partition"], told["engine"]) == ("COMPLETE", "2019", "spark 4.1.3")
    assert (told["snapshot"], told["rows"], told["bytes"], told["run"]) == ("77", 10, 100, run)
    assert flows(answer) == {
        ("raw.a.x", "curated.b.s", "aggregated"),
        ("raw.a.k", "curated.b.k", "copied"),
    }
    node = next(one for one in answer["nodes"] if one["name"] == "curated.b")
    assert (node["snapshot"], node["run"]) == ("77", run)


def test_a_columns_lineage_has_what_decides_which_rows_count(store):
    """A count has no column that it is made of; what its rows are chosen by is named, and followed on."""
    counted = spark_table("curated.b", columns={"n": [("raw.a", "k", "WINDOW"), ("raw.a", "status", "FILTER")]})
    counted["facets"]["columnLineage"]["fields"]["n"]["inputFields"][0]["transformations"][0]["type"] = "INDIRECT"
    grouped = fields([("raw.a", "k", "IDENTITY")])["inputFields"]
    grouped[0]["transformations"] = [{"type": "INDIRECT", "subtype": "GROUP_BY"}]
    counted["facets"]["columnLineage"]["dataset"] = grouped
    typed = spark_table("raw.a", columns={"status": [("raw.z", "value", "TRANSFORMATION")]})
    send(store, event("COMPLETE", new_run(), inputs=[spark_table("raw.z")], outputs=[typed]))
    send(store, event("COMPLETE", new_run(), inputs=[spark_table("raw.a")], outputs=[counted]))

    assert flows(graph(store, "curated.b", column="n", columns=True, direction="up")) == {
        ("raw.a.k", "curated.b.n", "window"),
        ("raw.a.status", "curated.b.", "filter"),
        ("raw.a.k", "curated.b.", "aggregated"),
        ("raw.z.value", "raw.a.status", "transformed"),
    }
    assert flows(graph(store, "raw.z", column="value", columns=True, direction="down")) == {
        ("raw.z.value", "raw.a.status", "transformed"),
        ("raw.a.status", "curated.b.", "filter"),
    }
    # The columns of a table at once are its values: its rows are the table's lineage.
    assert flows(graph(store, "curated.b", columns=True, depth=1)) == {("raw.a.k", "curated.b.n", "window")}


def test_a_run_that_failed_wrote_nothing(store):
    """Its inputs and outputs are remembered with it, but make no edge."""
    run = new_run()
    send(
        store,
        event("START", run, inputs=[spark_table("raw.a")], outputs=[spark_table("curated.b")]),
        event("RUNNING", run, inputs=[spark_table("raw.a")], outputs=[spark_table("curated.b")]),
        event("FAIL", run, errorMessage=facet(message="no space", programmingLanguage="SQL")),
    )

    assert pairs(graph(store, "curated.b")) == set()
    with store.reading() as reader:
        assert reader.history("curated.b")["runs"][0]["error"] == "no space"


def test_a_merge_is_no_loop_unless_its_values_are(store):
    """The target among the inputs, and rows that stay as they are, make no loop; a value of the table itself does."""
    same = {"v": [("curated.b", "v", "IDENTITY"), ("raw.a", "x", "IDENTITY")], "": []}
    merge = [spark_table("raw.a"), spark_table("curated.b")]
    send(store, event("COMPLETE", new_run(), inputs=merge, outputs=[spark_table("curated.b", columns=same)]))
    assert pairs(graph(store, "curated.b")) == {("raw.a", "curated.b")}

    counted = {"n": [("curated.b", "n", "TRANSFORMATION")]}
    send(store, event("COMPLETE", new_run(), inputs=merge, outputs=[spark_table("curated.b", columns=counted)]))
    assert pairs(graph(store, "curated.b")) == {("raw.a", "curated.b"), ("curated.b", "curated.b")}


def test_definitions_are_replaced_and_remembered(store):
    """What a definition no longer says is gone from now, and still there as of before."""
    edge = ColumnEdge("raw.a", "id", "id", Kind.COPIED)
    assert store.publish([declared("raw.a"), declared("curated.b", "raw.a", edges=(edge,))]) is True
    assert store.publish([declared("raw.a"), declared("curated.b", "raw.a", edges=(edge,))]) is False
    before = datetime.now(UTC)
    store.publish([declared("raw.c"), declared("curated.b", "raw.c", columns=("id", "more"))])

    assert pairs(graph(store, "curated.b")) == {("raw.c", "curated.b")}
    assert flows(graph(store, "curated.b", columns=True)) == set()
    then = graph(store, "curated.b", as_of=before.isoformat())
    assert pairs(then) == {("raw.a", "curated.b")}
    assert flows(graph(store, "curated.b", columns=True, as_of=before.isoformat())) == {
        ("raw.a.id", "curated.b.id", "copied")
    }
    with store.reading() as reader:
        assert [one["name"] for one in reader.table("curated.b")["columns"]] == ["id", "more"]
        assert reader.table("raw.a")["defined"] is False
        assert {one["what"] for one in reader.history("raw.a")["changes"]} == {"defined", "no longer defined"}


def test_origins_of_one_edge_are_told_apart(store):
    """Declared and observed stand side by side, so that drift shows."""
    store.publish([declared("raw.a"), declared("raw.c"), declared("curated.b", "raw.a", "raw.c")])
    send(store, event("COMPLETE", new_run(), inputs=[trino_table("raw.a")], outputs=[trino_table("curated.b")]))
    answer = graph(store, "curated.b")

    assert {(one["source"], *sorted(one["origins"])) for one in answer["edges"]} == {
        ("raw.a", "declared", "observed"),
        ("raw.c", "declared"),
    }


def test_as_of_a_run_a_snapshot_and_a_time(store):
    """The graph as it was when a run ended does not know what came later."""
    first, second = new_run(), new_run()
    send(
        store,
        event("COMPLETE", first, inputs=[spark_table("raw.a")], outputs=[spark_table("curated.b", snapshot="1")]),
        event(
            "COMPLETE",
            second,
            inputs=[spark_table("raw.c")],
            outputs=[spark_table("curated.b", snapshot="2")],
            at="2026-01-02T12:00:00Z",
        ),
    )

    for as_of in (first, "1", "2026-01-01T18:00:00Z"):
        answer = graph(store, "curated.b", as_of=as_of)
        assert pairs(answer) == {("raw.a", "curated.b")}
        assert next(one["snapshot"] for one in answer["nodes"] if one["name"] == "curated.b") == "1"
    assert len(pairs(graph(store, "curated.b", as_of=second))) == 2
    with pytest.raises(NotFound, match="no run, snapshot or time 'nothing'"):
        graph(store, "curated.b", as_of="nothing")


def test_drop_and_rename(store):
    """A dropped table says so and comes back; a renamed one keeps its lineage, and its old name is another table."""

    def change(what: str, name: str, at: str, former: str = "") -> dict:
        output = trino_table(name)
        old = (
            {"previousIdentifier": {"namespace": "trino://127.0.0.1:7702", "name": f"iceberg.{former}"}}
            if former
            else {}
        )
        output["facets"]["lifecycleStateChange"] = facet(lifecycleStateChange=what, **old)
        return event("COMPLETE", new_run(), outputs=[output], at=at)

    copy = {"inputs": [trino_table("raw.a")]}
    send(
        store,
        event("COMPLETE", new_run(), **copy, outputs=[trino_table("curated.b")]),
        change("DROP", "curated.b", "2026-01-02T12:00:00Z"),
        change("DROP", "curated.never_seen", "2026-01-02T12:00:00Z"),
    )
    with store.reading() as reader:
        assert reader.table("curated.b")["dropped_at"] == datetime(2026, 1, 2, 12, tzinfo=UTC)
        with pytest.raises(NotFound):
            reader.table("curated.never_seen")
    send(store, change("CREATE", "curated.b", "2026-01-03T12:00:00Z"))
    with store.reading() as reader:
        assert reader.table("curated.b")["dropped_at"] is None

    # What was seen under the new name before the rename is told belongs to the renamed table.
    send(
        store,
        event("COMPLETE", new_run(), inputs=[trino_table("raw.c")], outputs=[trino_table("curated.n")],
              at="2026-01-05T12:00:00Z"),
        change("RENAME", "curated.n", "2026-01-04T12:00:00Z", former="curated.b"),
        event("COMPLETE", new_run(), inputs=[trino_table("raw.d")], outputs=[trino_table("curated.b")],
              at="2026-01-06T12:00:00Z"),
    )  # fmt: skip

    assert pairs(graph(store, "curated.n")) == {("raw.a", "curated.n"), ("raw.c", "curated.n")}
    assert pairs(graph(store, "curated.b")) == {("raw.d", "curated.b")}


def test_search_forgives_and_says_why(store):
    """A typo, part of a name, a column, a doc and an owner find their table; filters hold; nothing finds nothing."""
    store.publish([declared("curated.loan_vintage", columns=("cumulative_default_rate",)), declared("raw.a")])

    def found(text: str, **more: str) -> list[tuple[str, str]]:
        with store.reading() as reader:
            return [(one["name"], one["in"]) for one in reader.search(text, **more)["results"]]

    for text in ("loan_vintage", "vintge", "laon vintage", "vint", "CURATED.loan"):
        assert found(text)[0] == ("curated.loan_vintage", "name"), text
    assert found("default rate")[0] == ("curated.loan_vintage", "column")
    assert ("curated.loan_vintage", "owner") in found("team:t")
    assert found("team:t", zone="raw") == [("raw.a", "owner")]
    assert found("loan", owner="team:other") == []
    assert found("zzzzqq") == []
    for text in ("%", "_", "'; DROP TABLE node; --", "\\", "😀"):
        assert all("a" in name for name, _ in found(text))


edges = st.sets(
    st.tuples(st.integers(0, 7), st.sampled_from("xy"), st.integers(0, 7), st.sampled_from("xy")), max_size=25
)


@pytest.fixture
def walkable(database):
    """A connection whose transaction is never committed, and eight tables in it."""
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO node (first_name, born, name) SELECT 't' || g, now(), 't' || g FROM generate_series(0, 7) g"
        )
        rows = connection.execute("SELECT id FROM node ORDER BY id").fetchall()
        connection.commit()
        yield connection, [row[0] for row in rows]


def test_walks_equal_a_plain_search_in_memory(walkable):
    """On random graphs, cycles included, both directions and every depth give what a search in memory gives."""
    connection, ids = walkable

    @settings(max_examples=150)
    @given(edges, st.sampled_from(["up", "down"]), st.integers(1, 9))
    def same(drawn, direction, depth):
        connection.rollback()
        for source, read, target, written in drawn:
            saw_edge(
                connection, (ids[source], ids[target]), "observed", (NOON, NOON), frozenset({(read, written, "copied")})
            )
        asked = Question(direction=direction, depth=depth, at=NOON, limit=1000)
        tables = walk_tables(connection, ids[0], asked)
        columns = walk_columns(connection, [(ids[0], "x")], asked)

        steps = {(a, b) if direction == "down" else (b, a) for a, _, b, _ in drawn}
        reached, cut = search(0, steps, depth)
        assert {ids.index(node): step for node, step in tables.nodes.items()} == reached
        assert tables.cut == cut
        steps = {((a, x), (b, y)) if direction == "down" else ((b, y), (a, x)) for a, x, b, y in drawn}
        ends, cut = search((0, "x"), steps, depth)
        assert columns.cut == cut
        walked = {(ids.index(row[0]), row[1], ids.index(row[2]), row[3]) for row in columns.columns}
        inside = {start for start, step in ends.items() if step < depth}
        assert walked == {one for one in drawn if (one[:2] if direction == "down" else one[2:]) in inside}

    same()


def search(start, steps, depth):
    """Return how far everything is within a depth, and whether there is more."""
    reached, frontier = {start: 0}, [start]
    for step in range(1, depth + 1):
        frontier = sorted({b for a, b in steps if a in frontier and b not in reached}, key=repr)
        reached.update(dict.fromkeys(frontier, step))
    return reached, any(a in reached and b not in reached for a, b in steps)


def test_a_bound_is_said(walkable):
    """An answer that reaches its bound is cut and says so, in either kind of walk."""
    connection, ids = walkable
    for target in ids[1:]:
        saw_edge(connection, (ids[0], target), "observed", (NOON, NOON), frozenset({("x", "x", "copied")}))
    asked = Question(direction="down", depth=3, at=NOON, limit=4)

    tables = walk_tables(connection, ids[0], asked)
    columns = walk_columns(connection, [(ids[0], "x")], asked)
    assert (len(tables.nodes), tables.cut) == (4, True)
    assert (len(columns.columns), columns.cut) == (3, True)
    whole = Question(direction="down", depth=3, at=NOON + timedelta(days=1), limit=8)
    assert walk_tables(connection, ids[0], whole).cut is False


def test_many_senders_of_one_run_double_nothing(database):
    """Eight threads send the same run's events at once; the facts are those of one sender."""
    run = new_run()
    with Store(database, "lake") as store:
        problems = []

        def sender():
            try:
                send(store, *a_run(run))
            except ComponentError as error:
                problems.append(error)

        threads = [threading.Thread(target=sender) for _ in range(8)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert problems == []
        with store.reading() as reader:
            assert len(reader.history("curated.b")["runs"]) == 1
        assert pairs(graph(store, "curated.b")) == {("raw.a", "curated.b"), ("raw.c", "curated.b")}


def test_what_is_refused_leaves_nothing(store):
    """A bad event is an error with its reason; no part of it is recorded."""
    bad = event("COMPLETE", new_run(), inputs=[trino_table("raw.a")], outputs=[{"namespace": "x"}])
    with pytest.raises(InvalidEvent, match=r"outputs\.0\.name"):
        store.record(body(bad), "test")
    with store.reading() as reader, pytest.raises(NotFound):
        reader.table("raw.a")
