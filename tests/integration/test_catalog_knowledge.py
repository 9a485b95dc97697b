"""What the catalog keeps of a table besides lineage, on the real PostgreSQL: in any order, and as of the newest."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from by_hand import edit
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind, Lineage, Origin, TableFacts
from headwater_catalog.queries import Query
from headwater_catalog.store import Store
from lineage_events import body, event, facet, new_run, spark_table, trino_table

pytestmark = pytest.mark.box

BEGAN = datetime.now(UTC) - timedelta(days=2)


def at(hours: float) -> str:
    """Return a moment, some hours after the first."""
    return (BEGAN + timedelta(hours=hours)).isoformat()


def send(store: Store, *events: dict) -> None:
    """Record events."""
    for one in events:
        store.record(body(one), "test")


def known(store: Store, name: str = "curated.b") -> dict:
    """Return what is known of a table."""
    with store.reading() as reader:
        return reader.table(name)


def past(store: Store, name: str = "curated.b") -> dict:
    """Return a table's history."""
    with store.reading() as reader:
        return reader.history(name)


def wrote(
    hours: float,
    *,
    key: str = "",
    state: str = "COMPLETE",
    checks: dict[str, bool] | None = None,
    rows: int | None = None,
    snapshots: tuple[str, ...] = (),
    profile: dict | None = None,
    run: str = "",
) -> dict:
    """Return the event of a write as the write path tells it."""
    table = spark_table("curated.b", snapshot=snapshots[0] if snapshots else "")
    if checks:
        said = [
            {"assertion": name, "success": passed, "severity": "error", "description": f"It is {name}.", "column": "id",
             "actual": "0" if passed else "3", "params": {"columns": ["id"], "rows": 9}}
            for name, passed in checks.items()
        ]  # fmt: skip
        table["facets"]["dataQualityAssertions"] = facet(assertions=said)
    if rows is not None:
        shape = {"partitions": [{"key": key, "rows": rows, "bytes": 10 * rows, "files": 1}]}
        if snapshots:
            shape |= {"operation": "overwrite", "snapshots": list(snapshots), "oldestSnapshot": at(hours - 10)}
            totals = {"rowCount": 100 + rows, "bytes": 1000, "fileCount": 4}
            table["facets"]["dataQualityMetrics"] = facet(columnMetrics={}, **totals)
        table["facets"]["headwater_shape"] = facet(**shape)
    if profile:
        told = facet(partitions=[{"key": key, "columns": profile}])
        table["outputFacets"] = {"headwater_profile": told}
    more = {"tags": facet(tags=[{"key": "partition", "value": key}])} if key else {}
    made = event(state, run or new_run(), outputs=[table], at=at(hours), **more)
    made["job"]["namespace"] = "headwater"
    return made


def test_checks_have_a_state_and_a_past(store):
    """The latest result of each, its last results, and where it is broken still."""
    send(
        store,
        wrote(1, checks={"unique_id": True, "former": True}),
        wrote(2, checks={"unique_id": False, "in_range": True}, state="FAIL"),
        wrote(3, checks={"unique_id": True, "in_range": True}),
    )
    first, second, former = known(store)["checks"]

    assert [(one["name"], one["passed"], one["current"]) for one in (first, second, former)] == [
        ("in_range", True, True),
        ("unique_id", True, True),
        ("former", True, False),
    ]
    assert [one["passed"] for one in second["history"]] == [True, False, True]
    assert [one["broken"] for one in second["history"]] == [0, 3, 0]
    assert (second["promise"], second["columns"], second["total"]) == ("It is unique_id.", ["id"], 9)
    assert [one["name"] for one in past(store)["checks"]] == ["in_range", "unique_id"] * 2 + ["former", "unique_id"]


def test_a_partition_that_broke_a_check_is_broken_until_it_is_written_again(store):
    """Other partitions' results do not cover it up."""
    send(
        store,
        wrote(1, key="2019", checks={"c": False}),
        wrote(2, key="2020", checks={"c": True}),
        wrote(3, key="2021", checks={"c": True}),
    )
    (check,) = known(store)["checks"]
    assert (check["passed"], check["failing"]) == (False, ["2019"])

    send(store, wrote(4, key="2019", checks={"c": True}))
    (check,) = known(store)["checks"]
    assert (check["passed"], check["failing"]) == (True, [])


def test_only_the_last_twenty_results_are_marks(store):
    """A check that was asked often has no endless row."""
    send(store, *(wrote(number, checks={"c": number != 5}) for number in range(25)))
    (check,) = known(store)["checks"]

    assert [one["passed"] for one in check["history"]] == [number != 5 for number in range(24, 4, -1)]


def test_health_names_a_table_whose_last_run_broke_a_check(store):
    """One that only reports, too; the next run that holds takes it away."""

    def wants() -> list[str]:
        with store.reading() as reader:
            found = reader.health("breaking a check")
        return [one["name"] for one in found["results"]]

    send(store, wrote(1, checks={"c": True, "d": False}))
    assert wants() == ["curated.b"]
    send(store, wrote(2, checks={"c": True, "d": True}))
    assert wants() == []


def test_size_and_shape_are_those_of_the_newest_write(store):
    """Whatever order events come in; a stopped write says nothing of the table."""
    events = [
        wrote(1, key="2019", rows=5, snapshots=("s1",)),
        wrote(2, key="2020", rows=7, snapshots=("s2", "s1")),
        wrote(3, key="2019", rows=6, snapshots=("s3", "s2", "s1")),
        wrote(4, key="2021", rows=9, state="FAIL"),
    ]
    send(store, *reversed(events), *events)
    table = known(store)

    size = table["size"]
    assert (size["rows"], size["bytes"], size["files"], size["partitions"], size["snapshot"]) == (106, 1000, 4, 2, "s3")
    assert size["written_since"] is None
    assert [(one["key"], one["rows"], one["files"]) for one in table["partitions"]] == [("2020", 7, 1), ("2019", 6, 1)]
    assert table["partitions"][1]["at"] == BEGAN + timedelta(hours=3)
    assert [(one["snapshot"], one["gone_at"]) for one in table["snapshots"]] == [
        ("s3", None),
        ("s2", None),
        ("s1", None),
    ]
    assert [one["rows"] for one in past(store)["sizes"]] == [106, 107, 105]


def test_a_snapshot_whose_data_are_gone_says_so(store):
    """What a later write does not list any more was expired; what is newer than the list is not."""
    send(
        store,
        wrote(1, rows=1, snapshots=("s1",)),
        wrote(2, rows=1, snapshots=("s2", "s1")),
        wrote(30, rows=1, snapshots=("s3", "s2")),
    )
    gone = {one["snapshot"]: one["gone_at"] is not None for one in known(store)["snapshots"]}

    assert gone == {"s3": False, "s2": False, "s1": True}


def test_figures_from_before_another_write_say_so(store):
    """Trino tells no size: what is shown is from before, until a write tells it again."""
    send(store, wrote(1, rows=5, snapshots=("s1",)))
    send(store, event("COMPLETE", new_run(), outputs=[trino_table("curated.b")], at=at(2)))
    assert known(store)["size"]["written_since"] == BEGAN + timedelta(hours=2)

    send(store, wrote(3, rows=5, snapshots=("s2", "s1")))
    assert known(store)["size"]["written_since"] is None


def test_nothing_is_said_where_nothing_is_known(store):
    """No row counts as zero, and no check as kept."""
    send(store, event("COMPLETE", new_run(), outputs=[trino_table("curated.b")], at=at(2)))
    table = known(store)

    assert (table["size"], table["profile"]) == (None, None)
    assert table["partitions"] == table["snapshots"] == table["checks"] == table["readers"] == []
    assert table["reads"]["last_at"] is None


def test_a_raw_table_is_as_large_as_its_partitions(store):
    """It has no snapshots; its loads tell of one partition each."""
    send(store, wrote(1, key="2019", rows=5), wrote(2, key="2020", rows=7))
    size = known(store)["size"]

    assert (size["rows"], size["bytes"], size["files"], size["partitions"]) == (12, 120, 2, 2)


def test_spark_tells_how_large_its_commit_left_a_table(store):
    """A DataFrame that somebody writes outside Dagster."""
    table = spark_table("curated.b", snapshot="9")
    metrics = {"totalRecords": 11, "totalFilesSizeInBytes": 22, "totalDataFiles": 3}
    table["outputFacets"] = {"icebergCommitReport": facet(snapshotId=9, operation="append", commitMetrics=metrics)}
    send(store, event("COMPLETE", new_run(), outputs=[table], at=at(1)))
    size = known(store)["size"]

    assert (size["rows"], size["bytes"], size["files"], size["snapshot"]) == (11, 22, 3, "9")


NUMBER = {"kind": "number", "nullCount": 1, "count": 4, "distinctCount": 4, "distinctExact": False, "min": 1, "max": 9}


def profile(low: int, high: int, **bins: int) -> dict:
    """Return a profile of one column."""
    counts = [[int(name[1:]), count] for name, count in bins.items()]
    return {"n": NUMBER | {"min": low, "max": high, "histogram": {"exponent": 0, "bins": counts}}}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_profiles_of_partitions_add_up(store, order):
    """In any order; a partition that is written again counts as it is since."""
    events = [
        wrote(1, key="2019", rows=5, profile=profile(1, 9, b1=2, b9=2)),
        wrote(2, key="2020", rows=5, profile=profile(3, 20, b3=1, b20=3)),
        wrote(3, key="2019", rows=5, profile=profile(2, 8, b2=4)),
    ]
    send(store, *(events[number] for number in order))
    table = known(store)["profile"]
    one = table["columns"]["n"]

    assert (table["partitions"], table["rows"], one["nullCount"], one["min"], one["max"]) == (2, 10, 2, 2, 20)
    assert one["histogram"] == {"exponent": 0, "bins": [[2, 4], [3, 1], [20, 3]]}
    assert (one["distinctCount"], one["distinctAtMost"], one["distinctExact"]) == (4, 8, False)


def test_a_write_that_nobody_looked_at_leaves_no_profile(store):
    """An old one would be of other rows."""
    send(store, wrote(1, key="2019", rows=5, profile=profile(1, 9, b1=4)))
    assert known(store)["profile"] is not None
    send(store, wrote(2, key="2019", rows=6))

    assert known(store)["profile"] is None


def test_a_table_that_is_cut_otherwise_forgets_its_former_partitions(store):
    """A whole table has no keys, one with partitions no whole."""
    send(store, wrote(1, rows=5), wrote(2, key="2019", rows=3), wrote(3, key="2020", rows=4))
    assert [one["key"] for one in known(store)["partitions"]] == ["2020", "2019"]
    send(store, wrote(4, rows=5))

    assert known(store)["partitions"] == []
    assert known(store)["size"]["rows"] == 5


def test_partitions_that_are_written_at_once_are_all_added_up(database):
    """Two events at the same moment do not leave each other out."""
    from concurrent.futures import ThreadPoolExecutor

    keys = [str(year) for year in range(2000, 2016)]
    with Store(database, "lake") as store, ThreadPoolExecutor(8) as pool:
        send(store, wrote(0, key="1999", rows=5, profile=profile(1, 9, b1=4)))
        list(pool.map(lambda key: send(store, wrote(1, key=key, rows=5, profile=profile(1, 9, b1=4))), keys))
        table = known(store)

    assert (table["profile"]["partitions"], table["profile"]["rows"]) == (17, 85)
    assert table["profile"]["columns"]["n"]["histogram"]["bins"] == [[1, 68]]


def read(number: int, days: float = 0, reader: str = "ann", table: str = "iceberg.curated.b") -> Query:
    """Return a query that is over."""
    when = datetime.now(UTC) - timedelta(days=days)
    return Query(id=f"q{number}", at=when, reader=reader, source="dbt", tables=(table,))


def test_readers_are_counted_once_for_each_query(store):
    """By login and program, in the last 7 and 30 days; a table that nobody knows is passed over."""
    send(store, event("COMPLETE", new_run(), outputs=[spark_table("curated.b")], at=at(0)))
    queries = [read(1), read(2, 3), read(3, 20), read(4, 40), read(5, 1, "bob"), read(1)]
    told = [store.read_by(one) for one in queries]
    table = known(store)

    assert told == [True] * 5 + [False]
    assert [(one["reader"], one["last_7_days"], one["last_30_days"]) for one in table["readers"]] == [
        ("ann", 2, 3),
        ("bob", 1, 1),
    ]
    assert (table["reads"]["last_7_days"], table["reads"]["last_30_days"]) == (3, 4)
    assert store.read_by(read(9, table="iceberg.curated.unknown")) is False


def test_readings_are_forgotten_after_a_season(store, database):
    """A dashboard that reads all day does not fill the disk."""
    send(store, event("COMPLETE", new_run(), outputs=[spark_table("curated.b")], at=at(0)))
    store.read_by(read(1, 100))
    store.read_by(read(2, 80))
    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT query FROM reading").fetchall() == [("q2",)]


def test_what_was_seen_under_a_new_name_follows_the_table(store):
    """A rename that is told late moves checks, sizes and readers with the rest."""
    send(store, wrote(1, rows=5, snapshots=("s1",), checks={"c": True}))
    store.read_by(read(1))
    link = {"namespace": "s3://lake", "name": "curated/a"}
    gone = facet(lifecycleStateChange="RENAME", previousIdentifier=link)
    renamed = {
        "namespace": "trino://127.0.0.1:7702",
        "name": "iceberg.curated.b",
        "facets": {"lifecycleStateChange": gone},
    }
    send(store, event("COMPLETE", new_run(), outputs=[spark_table("curated.a")], at=at(-5)))
    send(store, event("COMPLETE", new_run(), outputs=[renamed], at=at(0.5)))
    table = known(store)

    assert (table["size"]["rows"], [one["name"] for one in table["checks"]]) == (105, ["c"])
    assert [one["reader"] for one in table["readers"]] == ["ann"]


def test_columns_of_personal_data_are_hidden_where_they_come_from_and_go_to(store):
    """Tagged, of the same name one step away, or made of or into such a column: none of their values is shown."""
    columns = {"contact": [("raw.people", "mail_text", "TRANSFORMATION")]}
    send(
        store,
        event("COMPLETE", new_run(), inputs=[spark_table("raw.people")], outputs=[
            spark_table("partitioned.people", columns=columns)], at=at(0)),
        event("COMPLETE", new_run(), inputs=[spark_table("partitioned.people")], outputs=[
            spark_table("curated.people", columns={"who": [("partitioned.people", "contact", "IDENTITY")]})], at=at(0)),
    )  # fmt: skip
    made = Lineage(target="partitioned.people", sources=("raw.people",))
    store.publish(
        [
            TableFacts(
                name="raw.people", columns=(ColumnFacts("mail_text"), ColumnFacts("postal_code"), ColumnFacts("n"))
            ),
            TableFacts(
                name="partitioned.people",
                columns=(
                    ColumnFacts("contact", tags=("pii",)),
                    ColumnFacts("postal_code", tags=("pii",)),
                    ColumnFacts("n"),
                ),
                lineage=((Origin.DECLARED, made),),
            ),
            TableFacts(name="curated.people", columns=(ColumnFacts("who"), ColumnFacts("n"))),
        ]
    )
    with store.reading() as reader:
        hidden = {
            name: reader.columns_to_show(f"{name}.people")["hidden"] for name in ("raw", "partitioned", "curated")
        }

    assert hidden == {
        "raw": ["mail_text", "postal_code"],
        "partitioned": ["contact", "postal_code"],
        "curated": ["who"],
    }


def test_values_that_are_known_as_personal_by_now_are_not_shown(store):
    """A profile that was told before somebody tagged the column."""
    told = spark_table("curated.people")
    told["facets"]["headwater_shape"] = facet(partitions=[{"key": "", "rows": 2}])
    held = {"kind": "text", "nullCount": 0, "count": 2, "distinctCount": 2, "min": "a", "max": "b", "top": [["a", 1]]}
    told["outputFacets"] = {"headwater_profile": facet(partitions=[{"key": "", "columns": {"who": held, "n": held}}])}
    send(store, event("COMPLETE", new_run(), outputs=[told], at=at(1)))
    columns = (ColumnFacts("who", tags=("pii",)), ColumnFacts("n"))
    store.publish([TableFacts(name="curated.people", columns=columns)])
    shown = known(store, "curated.people")["profile"]["columns"]

    assert shown["n"]["top"] == [["a", 1]]
    assert shown["who"].keys() == {"kind", "nullCount", "count", "distinctCount", "distinctExact", "topComplete"}


def test_what_is_personal_by_hand_or_by_inheritance_is_not_shown(store):
    """Neither some rows nor a profile, however many tables away; it is shown again when the tag goes."""
    names = ("raw.people", "partitioned.people", "curated.people", "curated.b")
    chain = [TableFacts(name=names[0], columns=(ColumnFacts("mail"), ColumnFacts("n")))]
    for number, (source, name) in enumerate(itertools.pairwise(names)):
        read, written = ("mail", "m0") if number == 0 else (f"m{number - 1}", f"m{number}")
        edges = {ColumnEdge(source, read, written, Kind.COPIED), ColumnEdge(source, "n", "n", Kind.COPIED)}
        made = Lineage(target=name, sources=(source,), columns=frozenset(edges))
        columns = (ColumnFacts(written), ColumnFacts("n"))
        chain.append(TableFacts(name=name, columns=columns, lineage=((Origin.PARSED, made),)))
    store.publish(chain)
    held = {"kind": "text", "nullCount": 0, "count": 2, "distinctCount": 2, "min": "a", "max": "b", "top": [["a", 1]]}
    send(store, wrote(1, rows=2, profile={"m2": held, "n": held}))

    def shown() -> tuple[dict[str, list[str]], list[str]]:
        store.inherit()
        with store.reading() as reader:
            hidden = {name: reader.columns_to_show(name)["hidden"] for name in names}
        profile = known(store)["profile"]["columns"]
        return hidden, sorted(name for name, said in profile.items() if {"min", "max", "top"} & said.keys())

    assert shown() == ({name: [] for name in names}, ["m2", "n"])

    edit(store, "raw.people", "mail", add_tag=("pii",))
    assert shown() == (dict(zip(names, (["mail"], ["m0"], ["m1"], ["m2"]), strict=True)), ["n"])

    edit(store, "curated.b", "n", add_tag=("pii",))
    beside = {"curated.people": ["m1", "n"], "curated.b": ["m2", "n"]}
    assert shown() == ({"raw.people": ["mail"], "partitioned.people": ["m0"]} | beside, [])

    edit(store, "raw.people", "mail", remove_tag=("pii",))
    edit(store, "curated.b", "n", remove_tag=("pii",))
    assert shown() == ({name: [] for name in names}, ["m2", "n"])


def test_a_definitions_commit_is_kept(store):
    """And that its file was changed since."""
    facts = TableFacts(name="curated.b", revision="ab12", revised_at=BEGAN, uncommitted=True, code="select 1")
    store.publish([facts])
    table = known(store)

    assert (table["revision"], table["revised_at"], table["uncommitted"]) == ("ab12", BEGAN, True)
