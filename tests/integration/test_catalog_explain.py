"""Where numbers come from, on the real PostgreSQL: the very runs, snapshots and files, and what was there by then."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from headwater.table import Column, DelimitedFiles, Partitioning, Table
from headwater.write import LoadedFile, Maintained, Published, RawState, Read, WrittenPartition
from headwater_catalog.model import ColumnEdge, Kind, Lineage, Origin, TableFacts
from headwater_catalog.store import NotFound
from headwater_catalog.telling import upkeep_events, with_outcome, write_event
from lineage_events import body, event, facet, new_run, spark_table

pytestmark = pytest.mark.box

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
YEARS = Partitioning("year", by="year", start="2019")
ONE = {"doc": "d", "owner": "team:t"}
RAW = Table(
    name="raw.a",
    columns=(Column("n", "string", "N."),),
    files=DelimitedFiles(folder="in", pattern=r"a_(?P<key>\d{4})\.txt"),
    partitioning=YEARS,
    **ONE,
)
COLUMNS = (Column("n", "int", "N."), Column("year", "int", "Y."))
TYPED = Table(
    name="partitioned.a", columns=COLUMNS, upstreams=(RAW,), body=lambda raw: raw, engine="spark",
    partitioning=YEARS, rejects=True, **ONE,
)  # fmt: skip
SUMS = Table(name="curated.a", columns=COLUMNS, upstreams=(TYPED,), body="SELECT n, year FROM partitioned.a", **ONE)


def load_of(key, version):
    """Return what a load of one year shows."""
    file = LoadedFile(name=f"a_{key}.txt", size=10 * version, sha256=f"{version:064}", lines=version)
    return RawState(partition=key, location=f"s3://lake/raw/a/year={key}/load={version}/", files=(file,))


def tell(store, table, hours, *, keys=(), snapshot=None, reads=(), loads=(), changed=True):
    """Tell of a write that ended so many hours after noon; return its run."""
    done = Published(
        table=table.name, snapshot_id=snapshot, rows=5, files=1, bytes=50, partitions=keys, reads=reads, loads=loads,
        changed=changed,
    )  # fmt: skip
    run = ""
    for state, published, minutes in (("START", None, 0), ("COMPLETE", done, 1)):
        told = write_event(state, table, "lake", run=f"{hours}-0", partitions=keys)
        told["eventTime"] = (NOON + timedelta(hours=hours, minutes=minutes)).isoformat()
        store.record(body(with_outcome(told, table, "lake", published, "")), "test")
        run = told["run"]["runId"]
    return run


def raw_read(*states):
    """Return what a reader tells of loads: no files."""
    return Read(
        table=RAW.name,
        loads=tuple(RawState(partition=one.partition, location=one.location) for one in states),
        partitions=tuple(one.partition for one in states),
    )


def explain(store, name, **more):
    """Ask with defaults."""
    with store.reading() as reader:
        return reader.explain(name, **{"depth": 100, "limit": 200, **more})


def made(answer):
    """Return an answer's writes: step, table, partitions, run."""
    return [(one["steps"], one["table"], one["partitions"], one["run"]) for one in answer["writes"]]


@pytest.fixture
def told(store):
    """Two years are loaded, typed and summed; then one of them is loaded and typed again."""
    first = {key: load_of(key, 1) for key in ("2019", "2020")}
    again = load_of("2020", 2)
    runs = {
        "load": tell(store, RAW, 1, keys=("2019", "2020"), loads=tuple(first.values())),
        "typed": tell(store, TYPED, 2, keys=("2019", "2020"), snapshot=11, reads=(raw_read(*first.values()),)),
        "sums": tell(store, SUMS, 3, snapshot=21, reads=(Read(table=TYPED.name, snapshot_id=11),)),
        "loaded again": tell(store, RAW, 4, keys=("2020",), loads=(again,)),
        "typed again": tell(store, TYPED, 5, keys=("2020",), snapshot=12, reads=(raw_read(again),)),
    }
    return {"store": store, **runs}


def test_a_tables_rows_lead_back_to_the_very_files_that_were_read(told):
    """What was loaded and typed since is not what the sums are made of."""
    answer = explain(told["store"], "curated.a")

    assert made(answer) == [
        (0, "curated.a", [], told["sums"]),
        (1, "partitioned.a", ["2019", "2020"], told["typed"]),
        (2, "raw.a", ["2019", "2020"], told["load"]),
    ]
    assert [(one["partition"], one["name"], one["size"], one["lines"]) for one in answer["files"]] == [
        ("2019", "a_2019.txt", 10, 1), ("2020", "a_2020.txt", 10, 1),
    ]  # fmt: skip
    assert all(one["certain"] for one in answer["writes"])
    assert answer["cut"] is False


def test_each_partition_leads_to_its_own_last_write(told):
    """One year is as it was first, the other as it was written again; one alone leads to its own file."""
    store = told["store"]

    assert made(explain(store, "partitioned.a")) == [
        (0, "partitioned.a", ["2019"], told["typed"]),
        (0, "partitioned.a", ["2020"], told["typed again"]),
        (1, "raw.a", ["2019"], told["load"]),
        (1, "raw.a", ["2020"], told["loaded again"]),
    ]
    answer = explain(store, "partitioned.a", partition="2020")
    assert made(answer) == [
        (0, "partitioned.a", ["2020"], told["typed again"]),
        (1, "raw.a", ["2020"], told["loaded again"]),
    ]
    assert [one["location"] for one in answer["files"]] == ["s3://lake/raw/a/year=2020/load=2/"]
    assert explain(store, "partitioned.a", partition="1999")["writes"] == []


def test_a_load_that_found_its_files_in_place_made_nothing(told):
    """The rows come from the load before it."""
    tell(told["store"], RAW, 6, keys=("2020",), loads=(load_of("2020", 2),), changed=False)

    assert made(explain(told["store"], "raw.a", partition="2020")) == [(0, "raw.a", ["2020"], told["loaded again"])]


def test_upkeep_made_no_row(told):
    """A compaction's snapshot is known, and the rows still come from the write before."""
    store = told["store"]
    done = Maintained(table=SUMS.id, files=(9, 1), bytes=(9, 9), snapshots=(22,))
    for one in upkeep_events(done, "lake"):
        store.record(body({**one, "eventTime": (NOON + timedelta(hours=9)).isoformat()}), "test")

    assert made(explain(store, "curated.a"))[0] == (0, "curated.a", [], told["sums"])
    with store.reading() as reader:
        assert reader.moment("22") == NOON + timedelta(hours=9)
        assert [one["state"] for one in reader.history("curated.a")["runs"][:1]] == ["OTHER"]
        assert "curated.a" not in {one["name"] for one in reader.health("failing")["results"]}


def test_what_people_changed_by_hand_is_told_with_it(told):
    """A statement typed after the write is part of the answer, and leads on to what it read."""
    store, run = told["store"], new_run()
    changed = spark_table("curated.a", snapshot="99")
    store.record(
        body(event("COMPLETE", run, at="2026-01-01T20:00:00Z", inputs=[spark_table("raw.other")], outputs=[changed])),
        "test",
    )
    answer = explain(store, "curated.a")

    assert {(one["run"], one["how"]) for one in answer["writes"] if one["table"] == "curated.a"} == {
        (run, "by hand"),
        (told["sums"], "published"),
    }


def test_the_engines_part_of_a_write_is_no_change_by_hand(told):
    """What an engine told of the stage belongs to the write, whichever engine it was."""
    store = told["store"]
    for sql in ({}, {"sql": facet(query="INSERT INTO curated.a__stage_ab12 SELECT 1")}):
        stage = spark_table("curated.a__stage_ab12", snapshot="77")
        one = event("COMPLETE", new_run(), at="2026-01-01T21:00:00Z", outputs=[stage])
        one["job"]["facets"] = sql
        store.record(body(one), "test")

    assert {one["how"] for one in explain(store, "curated.a")["writes"]} == {"published"}


def test_the_copy_of_a_compaction_is_no_run_of_the_table(told):
    """What the engine told of it is passed over."""
    store, stage = told["store"], "curated.a__stage_maintain0123456789ab"
    one = event("COMPLETE", new_run(), at="2026-01-01T22:00:00Z", inputs=[spark_table("curated.a")],
                outputs=[spark_table(stage, snapshot="78")])  # fmt: skip
    store.record(body(one), "test")

    with store.reading() as reader:
        assert {run["job"] for run in reader.history("curated.a")["runs"]} == {"curated.a"}


def test_a_run_that_did_not_tell_what_it_read_leads_to_what_was_there(told):
    """The edges of then are followed, and the answer says that it is not certain."""
    store = told["store"]
    lineage = ((Origin.DECLARED, Lineage(target="curated.b", sources=("partitioned.a",))),)
    store.publish([TableFacts(name="curated.b", doc="B.", owner="team:a", lineage=lineage)])
    late = Table(name="curated.b", columns=COLUMNS, upstreams=(TYPED,), body="SELECT n, year FROM partitioned.a", **ONE)
    now = (datetime.now(UTC) - NOON).total_seconds() / 3600 - 1 / 60
    run = tell(store, late, now, snapshot=31)
    answer = explain(store, "curated.b")

    assert made(answer)[0] == (0, "curated.b", [], run)
    assert {(one["table"], one["certain"]) for one in answer["writes"]} == {
        ("curated.b", True), ("partitioned.a", False), ("raw.a", False),
    }  # fmt: skip


def test_a_chart_leads_to_its_tables_by_its_name_and_its_title(told):
    """A chart shows a table's rows; a metric leads only to what it is made of."""
    store = told["store"]
    edges = frozenset(
        ColumnEdge(f"curated.{source}", "n", metric, Kind.AGGREGATED)
        for source, metric in (("a", "total"), ("zero", "z"))
    )
    said = Lineage(target="chart:sums", sources=("curated.a", "curated.zero"), columns=edges, outputs=("total", "z"))
    store.publish([TableFacts(name="chart:sums", kind="chart", title="All sums", lineage=((Origin.PARSED, said),))])
    zero = Table(name="curated.zero", columns=COLUMNS, body="SELECT 1 AS n, 2 AS year", **ONE)
    tell(store, zero, 3, snapshot=41)

    for name in ("chart:sums", "all sums"):
        found = {one["table"] for one in explain(store, name)["writes"]}
        assert found == {"curated.a", "curated.zero", "partitioned.a", "raw.a"}
    assert "curated.zero" not in {one["table"] for one in explain(store, "All sums", column="total")["writes"]}
    with pytest.raises(NotFound, match="knows no table"):
        explain(store, "No such chart")
    both = (("chart:sums", "All sums"), ("chart:other", "All Sums"))
    store.publish([TableFacts(name=name, kind="chart", title=title) for name, title in both])
    with pytest.raises(NotFound, match="More than one is titled 'all sums': chart:other, chart:sums; say which"):
        explain(store, "all sums")


def test_an_answer_that_reaches_its_bound_says_so(told):
    """By depth and by number."""
    store = told["store"]

    assert (explain(store, "curated.a", depth=1)["cut"], explain(store, "curated.a", limit=2)["cut"]) == (True, True)
    assert len(explain(store, "curated.a", limit=2)["writes"]) == 2


def test_an_engines_part_of_a_write_is_told_with_the_write(store):
    """Spark fills a stage for a write of the path: one run of the table, whichever of the two is told first."""
    for at, name in enumerate(("curated.first", "curated.second")):
        table, dagster = replace(SUMS, name=name), new_run()
        staged = f"{name}__stage_{dagster[:8]}0123456789ab"
        stage = spark_table(staged, snapshot="7")
        stage["outputFacets"] = {"outputStatistics": facet(rowCount=5, size=50)}
        work = event("COMPLETE", new_run(), inputs=[spark_table("partitioned.a")], outputs=[stage],
                     at="2026-01-01T12:00:30Z", processing_engine=facet(name="spark", version="4.1.3"),
                     job=f"headwater.append_data.spark_catalog_{staged.replace('.', '_')}")  # fmt: skip
        work["job"]["namespace"] = "headwater"
        done = Published(table=name, snapshot_id=9, rows=5, files=1, bytes=50,
                         reads=(Read(table=TYPED.name, snapshot_id=11),))  # fmt: skip
        own = []
        for state, published, minutes in (("START", None, 0), ("COMPLETE", done, 1)):
            told = write_event(state, table, "lake", run=f"{dagster}-0", partitions=())
            told["eventTime"] = (NOON + timedelta(minutes=minutes)).isoformat()
            own.append(with_outcome(told, table, "lake", published, None))
        for one in ([*own, work], [work, *own])[at]:
            store.record(body(one), "test")
        mine, theirs = own[0]["run"]["runId"], work["run"]["runId"]

        assert [(how["run"], how["how"]) for how in explain(store, name)["writes"]] == [(mine, "published")]
        with store.reading() as reader:
            assert [one["run"] for one in reader.table(name)["runs"]] == [mine]
            assert reader.run(theirs)["parent"] == mine
            shown = reader.run(mine)
        assert [one["run"] for one in shown["children"]] == [theirs]
        assert [(one["table"], one["snapshot"]) for one in shown["inputs"]] == [("partitioned.a", "11")]
        assert (shown["parent"], shown["parent_known"], shown["of_dagster"]) == (dagster, False, True)


def test_what_people_do_in_the_boxs_spark_is_by_hand(store):
    """Its events come from the same namespace as the write path's."""
    typed = spark_table("curated.a", snapshot="99")
    typed["outputFacets"] = {"outputStatistics": facet(rowCount=5, size=50)}
    one = event("COMPLETE", new_run(), outputs=[typed], job="headwater.append_data.spark_catalog_curated_a",
                processing_engine=facet(name="spark", version="4.1.3"))  # fmt: skip
    one["job"]["namespace"] = "headwater"
    store.record(body(one), "test")

    assert [write["how"] for write in explain(store, "curated.a")["writes"]] == ["by hand"]


def test_a_partition_of_a_write_of_many_has_its_own_rows_and_sources(told):
    """One run wrote two years in step with its upstream: each leads to its own files and rows."""
    store, table = told["store"], replace(SUMS, name="curated.years", partitioning=YEARS)
    keys = ("2019", "2020")
    parts = tuple(
        WrittenPartition(key=key, rows=rows, files=1, bytes=9) for key, rows in zip(keys, (52, 208), strict=True)
    )
    done = Published(table=table.name, snapshot_id=31, rows=260, files=2, bytes=18, partitions=keys, written=parts,
                     reads=(Read(table=TYPED.name, snapshot_id=12, partitions=keys),))  # fmt: skip
    event_told = write_event("COMPLETE", table, "lake", run="9-0", partitions=keys)
    event_told["eventTime"] = (NOON + timedelta(hours=9)).isoformat()
    store.record(body(with_outcome(event_told, table, "lake", done, None)), "test")

    year, both = explain(store, "curated.years", partition="2019"), explain(store, "curated.years")
    assert [(one["table"], one["partitions"]) for one in year["writes"]] == [
        ("curated.years", ["2019"]), ("partitioned.a", ["2019"]), ("raw.a", ["2019"]),
    ]  # fmt: skip
    assert (year["writes"][0]["rows"], both["writes"][0]["rows"]) == (52, 260)
    assert [one["name"] for one in year["files"]] == ["a_2019.txt"]
