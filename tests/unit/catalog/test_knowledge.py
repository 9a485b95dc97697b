"""What events say of a table besides lineage, from any client; and how columns changed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from headwater_catalog.openlineage import InvalidEvent, read_event, run_facts
from headwater_catalog.profiles import ColumnProfile, Histogram, column_metrics, profile_json, read_profile
from headwater_catalog.queries import read_query
from headwater_catalog.schema_history import schema_changes
from hypothesis import given
from hypothesis import strategies as st
from lineage_events import body, event, facet, new_run, spark_table

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def known(dataset: dict):
    """Return what is known of the one dataset that a run wrote."""
    facts = run_facts([read_event(body(event("COMPLETE", new_run(), outputs=[dataset])))[0]])
    (part,) = facts.outputs.values()
    return part.knowledge


def test_assertions_of_any_client_are_checks():
    """A name, else the kind; one column, or several as Headwater tells them; what has no outcome is none."""
    said = [
        {"assertion": "not_null", "success": False, "column": "Id", "severity": "warn", "actual": "3"},
        {
            "assertion": "custom_sql",
            "name": "no_orphans",
            "success": True,
            "params": {"columns": ["a", "b"], "rows": 9},
        },
        {"assertion": "lost"},
    ]
    table = spark_table("curated.b") | {"inputFacets": {"dataQualityAssertions": facet(assertions=said)}}
    first, second = known(table).checks

    assert (first.name, first.columns, first.passed, first.blocking, first.broken) == (
        "not_null",
        ("id",),
        False,
        False,
        3,
    )
    assert (second.name, second.columns, second.total) == ("no_orphans", ("a", "b"), 9)


def test_a_stage_says_nothing_of_its_table():
    """What Spark reports of its commit to a stage is not the table's size."""
    totals = {"totalRecords": {"unit": "count", "value": 7}, "totalFilesSizeInBytes": 70, "totalDataFiles": 2}
    report = {"icebergCommitReport": facet(snapshotId=5, operation="append", commitMetrics=totals)}
    stage = spark_table("curated.b__stage_ab12") | {"outputFacets": report}
    table = spark_table("curated.b") | {"outputFacets": report}

    assert known(stage | {"name": "curated/b/_stageab12"}).version is None
    version = known(table).version
    assert (version.rows, version.bytes, version.files, version.operation) == (7, 70, 2, "append")


def test_metrics_of_another_client_are_a_profile():
    """The specification's own facet, with what it has room for."""
    columns = {"ID": {"nullCount": 1, "distinctCount": 4, "count": 9.0, "min": 1, "max": 7.5}}
    table = spark_table("curated.b")
    table["facets"]["dataQualityMetrics"] = facet(rowCount=10, bytes=99, columnMetrics=columns)
    found = known(table)

    assert (found.version.rows, found.version.bytes, found.version.files) == (10, 99, None)
    (part,) = found.partitions
    assert (part.key, part.rows) == ("", 10)
    one = part.profile["id"]
    assert (one.nulls, one.count, one.distinct, one.low, one.high) == (1, 9, 4, 1, 7.5)


PROFILES = st.builds(
    ColumnProfile,
    kind=st.sampled_from(["number", "date", "text", ""]),
    nulls=st.none() | st.integers(0, 2**62),
    count=st.none() | st.integers(0, 2**62),
    distinct=st.none() | st.integers(0, 2**62),
    distinct_at_most=st.none() | st.integers(0, 2**62),
    exact=st.booleans(),
    low=st.none() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False),
    high=st.none() | st.sampled_from(["2026-01-01", "ü"]),
    histogram=st.none()
    | st.builds(
        Histogram,
        st.integers(-900, 900),
        st.dictionaries(st.integers(-(2**60), 2**60), st.integers(1, 2**40), min_size=1, max_size=40),
    ),
    top=st.lists(st.tuples(st.sampled_from(["a", "b", "'", "🦆"]), st.integers(1, 99)), max_size=4).map(tuple),
    complete=st.booleans(),
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), PROFILES, min_size=1))
def test_a_profile_survives_the_way_through_an_event(profile):
    """What is told is what is read."""
    assert read_profile(json.loads(json.dumps(profile_json(profile)))) == profile
    assert set(column_metrics(profile)) == set(profile)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
_WORDS = [
    "key",
    "rows",
    "columns",
    "partitions",
    "snapshots",
    "oldestSnapshot",
    "assertions",
    "name",
    "success",
    "params",
]
_WORDS += [
    "columnMetrics",
    "histogram",
    "bins",
    "exponent",
    "top",
    "min",
    "count",
    "commitMetrics",
    "totalRecords",
    "x",
]


@given(st.dictionaries(st.sampled_from(_WORDS), JSON | st.dictionaries(st.sampled_from(_WORDS), JSON)))
def test_facets_of_any_shape_harm_nothing(fields):
    """What makes no sense is left out; no event is refused for it."""
    names = (
        "dataQualityAssertions",
        "dataQualityMetrics",
        "headwater_shape",
        "headwater_profile",
        "icebergCommitReport",
    )
    table = spark_table("curated.b")
    table["facets"] |= {name: facet(**fields) for name in names}
    table["outputFacets"] = {name: facet(**fields) for name in names}
    try:
        found = known(table)
    except InvalidEvent:
        return  # e.g. half a character
    assert all(part.profile is None or isinstance(part.profile, dict) for part in found.partitions)


def column(name: str, kind: str, since: int, until: int | None = None, origin: str = "declared") -> dict:
    """Return a column as it was for some hours."""
    ends = (NOON + timedelta(hours=since), None if until is None else NOON + timedelta(hours=until))
    return {"name": name, "type": kind, "origin": origin, "since": ends[0], "until": ends[1]}


def test_changes_of_columns_are_told_as_a_difference():
    """Added, dropped and retyped, the newest first; what a table began with is no change."""
    facts = [
        column("id", "int", 0, 2),
        column("id", "long", 2),
        column("name", "string", 0, 1),
        column("day", "date", 1),
        column("kept", "string", 0, 3),  # its doc changed
        column("kept", "string", 3),
    ]
    newest, older = schema_changes(facts)

    assert newest["retyped"] == [{"name": "id", "before": "int", "after": "long"}]
    assert (newest["added"], newest["dropped"]) == ([], [])
    assert older["added"] == [{"name": "day", "type": "date"}]
    assert older["dropped"] == [{"name": "name", "type": "string"}]
    assert older["at"] == NOON + timedelta(hours=1)


def test_another_teller_is_no_change():
    """A definition says long where an engine said bigint; an engine that tells no type says nothing."""
    facts = [
        column("id", "bigint", 0, 1, "observed"),
        column("id", "long", 1),
        column("at", "timestamp(6) with time zone", 0, 1, "observed"),
        column("at", "timestamptz", 1),
        column("x", "", 0, 1, "observed"),
        column("x", "decimal(9, 2)", 1),
    ]
    assert schema_changes(facts) == []


def completed(**more) -> dict:
    """Return what Trino tells of a query that is over."""
    table = {"catalog": "iceberg", "schema": "curated", "table": "a", "directlyReferenced": True}
    names = [table, table | {"table": "v", "directlyReferenced": False}, table | {"table": "a__stage_12"}]
    names += [table | {"catalog": "system"}, table | {"schema": "information_schema"}, table | {"catalog": "hive"}]
    about = {"queryId": "q1", "queryState": "FINISHED", "tables": names, "query": "select 1"}
    return {"metadata": about, "context": {"user": "ann", "source": "dbt"}, "endTime": "2026-01-01T12:00:00Z"} | more


def test_a_query_names_its_reader_and_tables():
    """Tables of the lake that the query itself names; no stage, no system table, no table behind a view."""
    query = read_query(body(completed()))

    assert (query.id, query.reader, query.source, query.at) == ("q1", "ann", "dbt", NOON)
    assert query.tables == ("iceberg.curated.a", "hive.curated.a")


def test_a_query_that_read_nothing_is_none():
    """It failed, or read no table; what is no query at all is refused."""
    told = completed()
    assert read_query(body(completed(metadata=told["metadata"] | {"queryState": "FAILED"}))) is None
    assert read_query(body(completed(metadata=told["metadata"] | {"tables": []}))) is None
    for wrong in (b"{", b"[]", b"{}", body(completed(endTime="now")), body(completed(metadata=[]))):
        with pytest.raises(InvalidEvent):
            read_query(wrong)
