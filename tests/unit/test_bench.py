"""The bench's arithmetic, and what it writes into the README."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bench.dashboards import question
from bench.pairs import Pair, same
from bench.query import geometric_mean
from bench.readme import table
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


def test_sides_of_different_length_are_no_pair():
    """Every round has both sides."""
    with pytest.raises(ValueError, match="shorter"):
        pair(their_seconds=(10.0,)).as_json()


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


def measured(one):
    """A whole result with one pair."""
    machine = {"when": "2026-01-01", "cores": 2, "memory_gib": 24.0, "python": "3.11.7"}
    return {
        "launch": {"machine": machine, "pairs": [one.as_json()]},
        "load-large": {"machine": machine, "pairs": [], "peak_mib": {"5,000,000": 900}},
        "memory": {
            "machine": machine,
            "pairs": [],
            "loans": 1000,
            "load_seconds": 60.0,
            "components": [{"name": "trino", "idle_mib": 700, "peak_mib": 900}],
            "box": {"idle_mib": 2000, "idle_goal_mib": 6144, "peak_mib": 5000, "peak_goal_mib": 7168, "met": True},
        },
    }
