"""What the pages ask the store besides: browsing, runs, drift and health, on the real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts
from headwater_catalog.store import NotFound, Store
from lineage_events import body, event, facet, new_run, spark_table, trino_table

pytestmark = pytest.mark.box


def at(minutes: int) -> str:
    """Return a moment after everything that a test publishes."""
    return (datetime.now(UTC) + timedelta(minutes=5 + minutes)).isoformat()


def wrote(target: str, *sources: str, state: str = "COMPLETE", when: int = 0, **more) -> dict:
    """Return the event of a run that made a table from others."""
    return event(
        state,
        new_run(),
        inputs=[spark_table(one) for one in sources],
        outputs=[spark_table(target)],
        at=at(when),
        **more,
    )


def send(store: Store, *events: dict) -> None:
    """Record events."""
    for one in events:
        store.record(body(one), "test")


def defined(name: str, *sources: str, columns: tuple[tuple[str, str, str], ...] = (), **more) -> TableFacts:
    """Return a table's definition; columns are source, its column, and the column made of it."""
    said = [(Origin.DECLARED, Lineage(target=name, sources=sources))]
    if columns:
        edges = frozenset(ColumnEdge(source, read, made, Kind.COPIED) for source, read, made in columns)
        said.append((Origin.PARSED, Lineage(target=name, sources=sources, columns=edges)))
    given = {"doc": "A table.", "owner": "team:a", **more}
    return TableFacts(name=name, lineage=tuple(said), **given)


def drift(store: Store, name: str) -> dict:
    """Return where a table's origins disagree, without times."""
    with store.reading() as reader:
        found = reader.table(name)["drift"]
    return {**found, "only_observed": [one["table"] for one in found["only_observed"]]}


def wants(store: Store) -> dict[str, list[str]]:
    """Return what each table wants."""
    with store.reading() as reader:
        return {one["name"]: one["wants"] for one in reader.health()["results"]}


def test_definition_and_runs_that_agree(store):
    """Without a run there is nothing to compare; a run that read what is declared agrees."""
    store.publish([defined("raw.a"), defined("curated.b", "raw.a")])
    assert drift(store, "curated.b") == {"compared": False, "only_declared": [], "only_observed": [], "columns": []}

    send(store, wrote("curated.b", "raw.a"))
    assert drift(store, "curated.b") == {"compared": True, "only_declared": [], "only_observed": [], "columns": []}


def test_definition_and_runs_that_disagree(store):
    """What only one of them says is told, on both sides; folders of files are never read by an engine."""
    files = TableFacts(name="files:in", kind="files")
    store.publish([files, defined("raw.a"), defined("raw.x"), defined("curated.b", "raw.a", "raw.x", "files:in")])
    send(store, wrote("curated.b", "raw.a", "raw.other"))

    found = drift(store, "curated.b")
    assert (found["only_declared"], found["only_observed"]) == (["raw.x"], ["raw.other"])


def test_what_was_read_before_the_definition_changed_is_no_drift(store):
    """Only runs since the definition is what it is now are held against it."""
    send(store, {**wrote("curated.b", "raw.old"), "eventTime": "2020-01-01T00:00:00Z"})
    store.publish([defined("raw.a"), defined("curated.b", "raw.a")])

    assert drift(store, "curated.b")["compared"] is False
    send(store, wrote("curated.b", "raw.a"))
    assert drift(store, "curated.b") == {"compared": True, "only_declared": [], "only_observed": [], "columns": []}


def test_columns_that_disagree(store):
    """A column edge that only the SQL or only a run has is told where both know columns of that pair."""
    columns = (("raw.a", "x", "x"), ("raw.a", "y", "z"))
    store.publish([defined("raw.a"), defined("curated.b", "raw.a", columns=columns)])
    made = {"x": [("raw.a", "x", "IDENTITY")], "z": [("raw.a", "w", "TRANSFORMATION")]}
    run = event("COMPLETE", new_run(), inputs=[spark_table("raw.a")],
                outputs=[spark_table("curated.b", columns=made)], at=at(0))  # fmt: skip
    send(store, run)

    found = {
        (one["source_column"], one["target_column"], one["origin"]) for one in drift(store, "curated.b")["columns"]
    }
    assert found == {("y", "z", "parsed"), ("w", "z", "observed")}


def test_health_names_what_each_table_wants(store):
    """Failing, stale by a newer upstream, unowned, undocumented, undefined and unwritten tables; files want nothing."""
    files = TableFacts(name="files:in", kind="files")
    store.publish([files, defined("raw.a", "files:in"), defined("curated.b", "raw.a"), defined("curated.c", owner="")])
    send(store, wrote("raw.a", when=1), wrote("curated.b", "raw.a", when=2), wrote("curated.c", when=1))
    assert wants(store) == {"curated.c": ["unowned"]}

    send(store, wrote("raw.a", when=3), wrote("curated.c", when=4, state="FAIL"), wrote("curated.made_by_hand", when=4))
    assert wants(store) == {
        "curated.b": ["stale"],
        "curated.c": ["failing", "unowned"],
        "curated.made_by_hand": ["unowned", "undocumented", "undefined"],
    }
    with store.reading() as reader:
        found = reader.health()
        assert (found["tables"], found["wants"]["failing"], found["wants"]["stale"]) == (4, 1, 1)
        assert [one["newer_upstream"] for one in reader.health("stale")["results"]] == ["raw.a"]
        assert reader.health("", 1)["cut"] is True

    send(store, wrote("curated.b", "raw.a", when=5), wrote("curated.c", when=6))
    assert "curated.b" not in wants(store)


def test_a_table_that_is_older_than_it_may_be_is_stale(store):
    """`fresh_within_hours` of the definition counts against the last write that succeeded."""
    store.publish([defined("curated.b", fresh_within_hours=24.0), defined("curated.c", fresh_within_hours=1e9)])
    old = [event("COMPLETE", new_run(), outputs=[trino_table(one)]) for one in ("curated.b", "curated.c")]
    failed = event("FAIL", new_run(), outputs=[trino_table("curated.b")], at=at(0))
    send(store, *old)
    assert wants(store) == {"curated.b": ["stale"]}

    send(store, failed)
    assert wants(store) == {"curated.b": ["failing", "stale"]}


def test_a_dropped_table_wants_nothing(store):
    """What is gone is not to be mended."""
    gone = trino_table("curated.gone")
    gone["facets"]["lifecycleStateChange"] = facet(lifecycleStateChange="DROP")
    send(store, wrote("curated.gone"), event("COMPLETE", new_run(), outputs=[gone], at=at(9)))

    assert wants(store) == {}


def test_a_run_with_all_that_belongs_to_it(store):
    """Inputs, outputs, its parent when that is known, and its children."""
    parent = wrote("curated.b", "raw.a")
    child = wrote("curated.c", "raw.a", parent=facet(run={"runId": parent["run"]["runId"]}, job={}))
    send(store, parent, child)
    with store.reading() as reader:
        one, other = (reader.run(run["run"]["runId"]) for run in (parent, child))
        with pytest.raises(NotFound, match="knows no run 'nothing'"):
            reader.run("nothing")

    assert [(part["table"], part["direction"]) for part in (*one["inputs"], *one["outputs"])] == [
        ("raw.a", "in"),
        ("curated.b", "out"),
    ]
    assert [run["run"] for run in one["children"]] == [other["run"]]
    assert (other["parent"], other["parent_known"], other["children"]) == (one["run"], True, [])


def test_every_table_can_be_browsed(store):
    """An empty search finds all, by name; filters narrow it; a tag of a column is the table's, too."""
    pii = ColumnFacts("email", "string", "", ("pii",))
    store.publish([defined("raw.a", columns=()), defined("curated.b", owner="team:b", tags=("gold",))])
    store.publish(
        [
            TableFacts(name="raw.a", owner="team:a", columns=(pii,)),
            TableFacts(name="curated.b", owner="team:b", tags=("gold",)),
        ]
    )
    with store.reading() as reader:

        def names(**narrowed: str) -> list[str]:
            return [one["name"] for one in reader.search("", **narrowed)["results"]]

        assert names() == ["curated.b", "raw.a"]
        assert names(zone="raw") == names(tag="pii") == names(owner="team:a") == ["raw.a"]
        assert names(tag="gold") == ["curated.b"]
        assert [one["name"] for one in reader.search("email", tag="pii")["results"]] == ["raw.a"]
        assert reader.choices() == {
            "domains": [],
            "zones": [{"name": "curated", "tables": 1}, {"name": "raw", "tables": 1}],
            "owners": [{"name": "team:a", "tables": 1}, {"name": "team:b", "tables": 1}],
            "tags": [{"name": "gold", "tables": 1}, {"name": "pii", "tables": 1}],
        }


def test_neighbours_are_counted(store):
    """A graph says of each of its tables how many more there are beside it; a table made of itself counts none."""
    made = (("curated.b", "raw.a", "raw.b"), ("curated.c", "curated.b"), ("curated.d", "curated.b"))
    send(store, *(wrote(*names, when=-60) for names in made))
    with store.reading() as reader:
        found = reader.lineage(
            "curated.c", columns=False, direction="both", depth=1, as_of="", limit=10, neighbours=True
        )["nodes"]

    assert {one["name"]: (one["upstreams"], one["downstreams"]) for one in found} == {
        "curated.b": (2, 2),
        "curated.c": (1, 0),
    }
