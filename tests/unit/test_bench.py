"""The bench's arithmetic, and what it writes into the README."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice

import pytest
from headwater_catalog.model import ColumnEdge, Kind, Lineage, Origin, TableFacts

from bench.catalog import agree, p95
from bench.catalog_data import realm
from bench.catalog_plain import Memory
from bench.dashboards import question
from bench.memory import written
from bench.pairs import Pair, same
from bench.query import geometric_mean
from bench.readme import merged, table
from bench.scale import scale
from bench.start import _component_seconds


def pair(**more):
    """A pair with three rounds."""
    given = {"our_seconds": (1.0, 4.0, 3.0), "their_seconds": (10.0, 10.0, 10.0), "goal": 0.25}
    return Pair(name="A start", ours="all at once", theirs="one by one", limit="the disk", **{**given, **more})


def test_the_ratio_is_the_median_of_the_rounds_own_ratios():
    """A machine that slows down for one round slows both sides of it, and cancels out."""
    assert pair().as_json()["ratio"] == 0.3
    drifting = pair(our_seconds=(1.0, 2.0, 30.0), their_seconds=(10.0, 20.0, 300.0)).as_json()
    assert (drifting["ratio"], drifting["our_median"], drifting["their_median"]) == (0.1, 2.0, 20.0)


def test_a_missed_goal_says_so():
    """Neither the JSON nor the README hides it, and the README says what limits it."""
    assert not pair().as_json()["met"]
    assert pair(goal=0.3).as_json()["met"]
    written = table(measured(pair()))
    assert "| 0.30 | 0.25 (missed) |" in written
    assert 'What limits "A start": the disk.' in written
    assert "missed" not in table(measured(pair(goal=0.3)))


def test_answers_may_differ_only_where_both_say_that_they_are_cut():
    """Which part of too much is told is nobody's promise; that it is a part, is."""
    whole, part, other = {"nodes": [1], "cut": False}, {"nodes": [1], "cut": True}, {"nodes": [2], "cut": True}

    assert agree(part, other)
    assert agree(whole, dict(whole))
    assert not agree(whole, part)
    assert not agree(whole, {"nodes": [2], "cut": False})


def test_sides_of_different_length_are_no_pair():
    """Every round has both sides."""
    with pytest.raises(ValueError, match="shorter"):
        pair(their_seconds=(10.0,)).as_json()


def test_what_is_not_measured_now_stays_as_it_was():
    """A run of some parts replaces these alone, and the days of all are told."""
    old, new = pair(goal=0.3).as_json(), pair(our_seconds=(2.0, 2.0, 2.0)).as_json()
    kept = {"start": {"machine": machine("2026-01-01"), "pairs": [old]}, "load": {"machine": machine(), "pairs": [old]}}
    written = table(merged(kept, {"load": {"machine": machine(), "pairs": [new]}}))

    assert "Measured 2026-01-01 to 2026-01-31" in written
    assert written.count("| 0.30 | 0.3 |") == 1
    assert written.count("| 0.20 | 0.25 |") == 1


def test_memory_is_written_by_component():
    """Each component has its line and the box its sum."""
    written = table(measured(pair()))
    assert "| trino | 700 | 900 |" in written
    assert "**2000** | **5000**" in written


def test_a_components_own_start_is_read_from_what_up_prints():
    """Not the line of another component, and not the box's."""
    lines = ("[   1.0 s] minio       ready after 1.5 s", "[   4.0 s] trino       ready after 12.5 s")
    said = "\n".join([*lines, "The box is ready after 20.0 s."])
    assert _component_seconds("trino", said) == 12.5
    with pytest.raises(AssertionError, match="did not say when"):
        _component_seconds("spark", said)


def test_different_answers_are_no_measurement():
    """A side that is fast and wrong stops the bench; a missing row is a difference, too, and names are none."""
    same("DuckDB", [{"a": 1, "b": "x"}], [{"c": 1, "d": "x"}])
    for other in ([{"a": 2, "b": "x"}], [], [{"a": 1, "b": "x"}] * 2):
        with pytest.raises(AssertionError, match="Headwater and DuckDB must give the same answer"):
            same("DuckDB", [{"a": 1, "b": "x"}], other)


def test_sums_of_doubles_may_differ_by_their_rounding_and_by_no_more():
    """Threads add up in whatever order they come by; counts, texts and missing values stay what they are."""
    ours = [{"flag": "A", "rows": 3, "price": 1_000_000.000001, "none": None}]
    theirs = [{"flag": "A", "rows": Decimal(3), "price": 1_000_000.000002, "none": None}]
    same("DuckDB", ours, theirs, within=1e-9)
    for wrong in ({"flag": "B"}, {"rows": 4}, {"price": 1_000_000.1}, {"none": 0}, {"price": None}):
        with pytest.raises(AssertionError, match="must give the same answer"):
            same("DuckDB", ours, [{**theirs[0], **wrong}], within=1e-9)
    with pytest.raises(AssertionError, match="must give the same answer"):
        same("DuckDB", ours, theirs)


def test_the_geometric_mean_weighs_each_query_alike():
    """A query of a minute does not drown those of a second."""
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
    assert geometric_mean([2.0, 0.5, 1.0]) == pytest.approx(1.0)


def test_a_chart_is_asked_for_as_its_page_asks():
    """Axis first, then groups; time in steps; a saved metric by its name; a free filter as SQL; never a kept result."""
    params = {"x_axis": "day", "time_grain_sqla": "P1M", "metrics": ["balance"], "groupby": ["purpose"], "row_limit": 7}
    asked = question({"params": {**params, "adhoc_filters": [{"sqlExpression": "a > 1"}]}}, 5)
    (query,) = asked["queries"]
    axis, group = query["columns"]
    assert (asked["datasource"], asked["force"]) == ({"id": 5, "type": "table"}, True)
    assert (axis["timeGrain"], axis["label"], group) == ("P1M", "day", "purpose")
    assert (query["metrics"], query["row_limit"], query["extras"]) == (["balance"], 7, {"where": "(a > 1)"})
    (plain,) = question({"params": {"x_axis": "state", "groupby": "vintage", "metric": "rate"}}, 5)["queries"]
    assert (plain["columns"], plain["metrics"]) == (["state", "vintage"], ["rate"])


def test_parts_that_were_not_measured_are_left_out():
    """The README's block holds what the JSON holds, and no more."""
    written = table({"launch": measured(pair())["launch"]})
    assert "| A start |" in written
    assert "trino" not in written
    assert "while it loads" not in written
    assert "Spark's resident memory while it loads, at most: 900 MiB with 5,000,000 loans." in table(measured(pair()))


def test_a_made_up_realm_is_always_the_same_and_leads_nowhere_else():
    """Or else the same question had different answers in a small and in a large catalog."""
    first, again, other = (list(islice(realm(number), 900)) for number in (0, 0, 1))
    assert first == again
    assert not {one.name for one in first} & {one.name for one in other}
    tables = [one for one in first if one.kind == "table"]
    sources = {name for one in tables for _, lineage in one.lineage for name in lineage.sources}
    assert {name.partition(".")[2].partition("_")[0] for name in sources if "." in name} == {"emea"}
    assert 9 < sum(len(one.columns) for one in tables) / len(tables) < 11


def test_a_graph_in_memory_answers_as_the_catalog_is_asked():
    """Steps bound lineage, a column leads on to its own alone, and a table of unknown columns breaks as a whole."""

    def made(name, *edges, sources=()):
        read = tuple(dict.fromkeys([*sources, *(edge[0] for edge in edges)]))
        columns = frozenset(ColumnEdge(*edge, Kind.COPIED) for edge in edges)
        return TableFacts(name=name, lineage=((Origin.PARSED, Lineage(target=name, sources=read, columns=columns)),))

    memory = Memory([made("b", ("a", "x", "y"), ("a", "z", "")), made("c", ("b", "y", "y")), made("d", sources=["c"])])
    assert (memory.lineage("c", "up", 1), memory.lineage("a", "down", 9)) == ({"b", "c"}, set("abcd"))
    assert memory.columns("c", ["y"], "up", 9) == {("b", "y", "c", "y"), ("a", "x", "b", "y")}
    assert (memory.impact("a", "x"), memory.impact("a", "w"), memory.impact("c", "w")) == (set("bcd"), set(), {"d"})


def test_the_catalogs_figures_are_written_with_what_misses_its_goal():
    """A figure above its goal says so, and what was held against nothing stays empty."""
    good = {
        "name": "table",
        "goal_ms": 100,
        "p50_ms": 4.0,
        "p95_ms": 9.0,
        "growth": 1.1,
        "met": True,
        "plain_ms": 900.0,
    }
    slow = {"name": "search page", "goal_ms": 100, "p50_ms": 40.0, "p95_ms": 190.0, "growth": None, "met": False}
    part = {
        "machine": {"when": "2026-01-01", "cores": 2, "memory_gib": 24.0, "python": "3.11.7"},
        "pairs": [],
        "rows": {"node": 136_000, "column_fact": 1_000_000, "column_edge": 5_000_000},
        "figures": [good, slow],
        "events_per_second": 90.0,
        "searchable_p95_ms": 31.0,
        "resident_mib": {"idle": 60, "after": 90, "goal": 300, "met": True},
        "limit": "the words",
    }
    written = table({"catalog": part})
    assert "What limits those that missed: the words." in written
    assert "| table | 4 ms | 9 ms | 100 ms | 1.10 | 900 ms |  |" in written
    assert "| search page | 40 ms | 190 ms | 100 ms (missed) |  |  |  |" in written
    assert "90 OpenLineage events a second" in written


def test_what_95_of_100_stay_below():
    """One outlier in twenty counts, one in a hundred does not."""
    assert p95([1.0] * 19 + [9.0]) == 9.0
    assert p95([1.0] * 99 + [9.0]) == 1.0


def machine(when="2026-01-31"):
    """What a part was measured on."""
    return {"when": when, "cores": 2, "memory_gib": 24.0, "python": "3.11.7"}


def measured(one):
    """A whole result with one pair."""
    return {
        "launch": {"machine": machine(), "pairs": [one.as_json()]},
        "load-large": {"machine": machine(), "pairs": [], "peak_mib": {"5,000,000": 900}},
        "memory": {
            "machine": machine(),
            "pairs": [],
            "loans": 1000,
            "load_seconds": 60.0,
            "components": [{"name": "trino", "idle_mib": 700, "peak_mib": 900}],
            "box": {"idle_mib": 2000, "idle_goal_mib": 6144, "peak_mib": 5000, "peak_goal_mib": 7168, "met": True},
        },
    }


def test_what_materialize_says_becomes_figures():
    """Rejected rows and the beginnings of tables are no rows of it."""
    said = (
        "[    1.0 s] run 1f2e: 2 tables\n"
        "[    1.2 s] raw.loans                          begins, 1 of 2\n"
        "[    3.2 s] raw.loans                          1,000,053 rows in 2.0 s\n"
        "[   23.2 s] partitioned.loans                  1,000,000 rows, 53 rejected, in 20.0 s\n"
        "[   23.3 s] done: 2 tables written\n"
    )

    assert written(said) == [
        {"name": "raw.loans", "rows": 1_000_053, "seconds": 2.0},
        {"name": "partitioned.loans", "rows": 1_000_000, "seconds": 20.0},
    ]


def test_larger_data_are_worked_out_from_what_was_measured():
    """Twice the seconds are twice the hours; what one process does is not divided among cores."""
    load = {
        "machine": {"when": "2026-01-31", "cores": 2, "memory_gib": 8},
        "loans": 1_000_000,
        "bytes": 1_000_000_000,
        "tables": [
            {"name": "raw.loans", "rows": 1_000_000, "seconds": 10.0},
            {"name": "partitioned.loans", "rows": 1_000_000, "seconds": 56.0},
            {"name": "curated.loans", "rows": 60, "seconds": 14.0},
        ],
    }
    text = scale({"memory": load})

    assert "| partitioned.loans | 1,000,000 | 56 | 112.0 |" in text
    assert "| curated.loans | 60 | 14 |  |" in text
    # 140 core seconds for each GB; 140 GB on 16 cores, of which 70 % counts: 1750 s.
    assert "140 core seconds of Spark and Trino for each GB" in text
    assert "| 1.3 billion months, 140 GB | 0.5 h | 0.1 h | 0.0 h | 0.4 h |" in text
