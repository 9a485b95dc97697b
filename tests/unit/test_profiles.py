"""Profiles: what is added up is what counting all rows at once would give, and what is not says so."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date, datetime
from decimal import Decimal

import pytest
from headwater._profileplan import Bounds, profile_columns
from headwater.dialects import SPARK, TRINO
from headwater.profiles import MOST_BINS, ColumnProfile, Histogram, bin_exponent, merged_profiles
from headwater.table import Column, Partitioning, Table
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(2**40), 2**40).map(float)


def counted(values: list[float], *, whole: bool = False) -> Histogram:
    """Count values as an engine would."""
    exponent = bin_exponent(min(values), max(values), whole=whole)
    return Histogram(exponent, Counter(int(value // 2.0**exponent) for value in values))


def profiled(values: list[str | None]) -> ColumnProfile:
    """Profile texts as the write path would."""
    some = [value for value in values if value is not None]
    pairs = sorted(Counter(some).items(), key=lambda one: (-one[1], one[0]))
    return ColumnProfile(
        kind="text",
        nulls=len(values) - len(some),
        count=len(some),
        distinct=len(pairs),
        exact=True,
        low=min(some, default=None),
        high=max(some, default=None),
        top=tuple(pairs[:10]),
        complete=0 < len(pairs) <= 10,
    )


@given(st.lists(NUMBERS, min_size=1), st.lists(NUMBERS, min_size=1), st.booleans())
def test_histograms_add_up_exactly(one, other, whole):
    """Every value is in the bin that its place says, however finely it was counted before."""
    total = Histogram.sum([counted(one, whole=whole), counted(other, whole=whole)])

    assert total.bins == Counter(int(value // total.width) for value in one + other)
    assert max(total.bins) - min(total.bins) < MOST_BINS


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.0), (1e300, 1e308), (-1e308, 1e308), (5.0, 5.0), (2.0**60, 2.0**60 + 512), (0.0, 1e-300)]
)
def test_odd_ranges_have_few_bins_or_none(low, high):
    """Nothing overflows, and no bin's number is beyond what an engine can count with."""
    exponent = bin_exponent(low, high, whole=False)
    if exponent is not None:
        assert high // 2.0**exponent - low // 2.0**exponent < MOST_BINS + 1
        assert abs(high // 2.0**exponent) < 2**62


TEXTS = st.lists(st.none() | st.sampled_from("abcdefghijklmnopq"), min_size=0, max_size=60)


@given(TEXTS, TEXTS)
def test_what_is_said_of_all_rows_holds(one, other):
    """Counts and range are exact; distinct values lie between the bounds, and are counted where that is claimed."""
    total, whole = merged_profiles([{"c": profiled(one)}, {"c": profiled(other)}])["c"], profiled(one + other)

    assert (total.nulls, total.count) == (whole.nulls, whole.count)
    if whole.count:
        assert (total.low, total.high) == (whole.low, whole.high)
    assert total.distinct <= whole.distinct <= (total.distinct_at_most or total.distinct)
    if total.exact:
        assert total.distinct == whole.distinct
    if total.complete:
        assert dict(total.top) == dict(Counter(value for value in one + other if value is not None))


def test_ranges_that_do_not_meet_share_no_value():
    """Keys that grow from partition to partition are counted once each."""
    parts = [
        {"id": ColumnProfile(kind="number", nulls=0, count=9, distinct=9, low=low, high=low + 8)} for low in (100, 1)
    ]
    found = merged_profiles(parts)["id"]

    assert (found.distinct, found.distinct_at_most, found.low, found.high) == (18, None, 1, 108)


def test_whole_numbers_of_a_narrow_range_are_counted_not_estimated():
    """Each has a bin of its own, in the sum of partitions, too, as long as its bins are not wider."""
    small, more = (dict.fromkeys(range(low, low + 10), 5) for low in (1, 5))
    parts = [
        {"n": ColumnProfile(kind="number", count=50, distinct=10, exact=True, low=low, high=low + 9, histogram=one)}
        for low, one in ((1, Histogram(0, small)), (5, Histogram(0, more)))
    ]
    far = {
        "n": ColumnProfile(
            kind="number", count=1, distinct=1, exact=True, low=99, high=99, histogram=Histogram(0, {99: 1})
        )
    }

    assert (merged_profiles(parts)["n"].distinct, merged_profiles(parts)["n"].exact) == (14, True)
    assert not merged_profiles([*parts, far])["n"].exact


def test_what_one_partition_does_not_know_nobody_knows():
    """A new column is not told of before each partition has it; a type that changed has no common range."""
    old, new = ColumnProfile(low="1", high="2", count=1), ColumnProfile(low=1, high=2, count=1)
    found = merged_profiles([{"a": old}, {"a": new, "b": new}])

    assert set(found) == {"a"}
    assert (found["a"].low, found["a"].distinct) == (None, None)


TABLE = Table(
    name="curated.t",
    doc="One.",
    owner="team:t",
    columns=(
        Column("year", "int", "Cut."),
        Column("price", "decimal(9,2)", "Number."),
        Column("ratio", "double", "Number."),
        Column("day", "date", "Date."),
        Column("seen", "timestamp", "Time."),
        Column("name", "string", "Text."),
        Column("mail", "string", "Text.", tags=("pii",)),
        Column("born", "date", "Date.", tags=("pii",)),
        Column("blob", "binary", "Bytes."),
    ),
    body="select 1 as year, 1.0 as price, 1e0 as ratio, date '2026-01-01' as day, timestamp '2026-01-01 00:00:00' as "
    "seen, 'a' as name, 'b' as mail, date '2026-01-01' as born, x'00' as blob",
    partitioning=Partitioning("year", "year", "2019"),
)
SAID = {
    "year": Bounds(nulls=0, count=4, low=2019, high=2019),
    "price": Bounds(nulls=0, count=4, low=Decimal("1.50"), high=Decimal("9.00")),
    "ratio": Bounds(nulls=0, count=4, low=0.5, high=1.5),
    "day": Bounds(nulls=0, count=4, low=date(2026, 1, 1), high=date(2026, 1, 4)),
    "seen": Bounds(nulls=0, count=4, low=datetime(2026, 1, 1), high=datetime(2026, 1, 2)),
    "name": Bounds(nulls=1, count=3, low="a", high="b"),
    "mail": Bounds(nulls=0, count=4, low="a@x", high="b@x"),
    "born": Bounds(nulls=0, count=4, low=date(1980, 1, 1), high=date(1990, 1, 1)),
    "blob": Bounds(nulls=2, count=2),
}


@pytest.mark.parametrize("dialect", [TRINO, SPARK])
def test_personal_data_are_counted_but_never_asked_for(dialect):
    """Not in the statement, so not in an engine's log or an event either."""
    asked = []

    def run(statement):
        asked.append(statement)
        bins = json.dumps({"1": 4}) if dialect is TRINO else json.dumps([{"item": 1, "count": 4}])
        name = json.dumps({"a": 2, "b": 1}) if dialect is TRINO else '[{"item":"a","count":2},{"item":"b","count":1}]'
        answer = {f"_distinct{at}": 3 for at in range(8)} | {f"_bins{at}": bins for at in (1, 2, 3, 4)}
        return [{"_part": 2019, **answer, "_top5": name}]

    found = profile_columns(TABLE, "relation", dialect, {2019: SAID}, run)[2019]
    mail, born, name = found["mail"], found["born"], found["name"]

    (statement,) = asked
    assert (statement.count("mail"), statement.count("born")) == (1, 1)  # how many there are, no more
    assert (mail.nulls, mail.distinct, mail.low, mail.high, mail.top, mail.histogram) == (0, 3, None, None, (), None)
    assert (born.low, born.high, born.histogram) == (None, None, None)
    assert (name.top, name.complete, name.exact, name.distinct) == ((("a", 2), ("b", 1)), True, True, 2)
    assert (found["blob"].nulls, found["blob"].distinct) == (2, None)
    assert found["price"].low == 1.5
    assert found["day"].high == "2026-01-04"
    assert sum(found["seen"].histogram.bins.values()) == 4
    assert (found["day"].distinct, found["day"].exact, '"_distinct3"' in statement) == (1, True, False)


def test_values_that_may_be_miscounted_are_not_told():
    """Engines count more values than they keep by estimate: what may be their error is no frequent value."""
    said = {"name": Bounds(nulls=0, count=10_000, low="a", high="b")}
    counts = json.dumps({"often": 400, "now and then": 101, **{f"k{at}": 12 for at in range(9)}})
    found = profile_columns(
        TABLE, "r", TRINO, {2019: said}, lambda _: [{"_part": 2019, "_top5": counts, "_distinct5": 9000}]
    )

    assert found[2019]["name"].top == (("often", 400), ("now and then", 101))
    assert (found[2019]["name"].complete, found[2019]["name"].distinct) == (False, 9000)


def test_many_partitions_are_asked_about_in_turns():
    """An engine keeps counts for each column of each partition in memory."""
    asked = []
    bounds = dict.fromkeys(range(1990, 2030), SAID)
    found = profile_columns(TABLE, "r", TRINO, bounds, lambda statement: asked.append(statement) or [])

    assert len(found) == 40
    assert [statement.count(",") > 0 and "WHERE" in statement for statement in asked] == [True] * 3


def test_an_empty_partition_holds_nothing():
    """No rows, no values; that is counted, not estimated."""
    none = {name: Bounds(nulls=0, count=0) for name in SAID}
    found = profile_columns(TABLE, "r", TRINO, {2019: none}, lambda _: [])[2019]["name"]

    assert (found.count, found.distinct, found.exact, found.top) == (0, 0, True, ())
