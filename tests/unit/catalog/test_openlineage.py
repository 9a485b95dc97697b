"""OpenLineage events: what is valid, and what the events of one run say together, in whatever order they come."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from headwater_catalog.model import ColumnEdge, Kind
from headwater_catalog.openlineage import DatasetEvent, InvalidEvent, JobEvent, RunEvent, read_event, run_facts
from hypothesis import given
from hypothesis import strategies as st
from lineage_events import body, event, facet, fields, new_run, spark_table, trino_table

RUN = new_run()


def read(one: dict) -> RunEvent:
    """Return a run event."""
    found = read_event(body(one))[0]
    assert isinstance(found, RunEvent)
    return found


def test_the_three_kinds_of_event():
    """A run's, a job's and a dataset's event are told apart by what they name."""
    shared = {key: value for key, value in event("START", RUN).items() if key in ("eventTime", "producer", "schemaURL")}

    assert isinstance(read_event(body({**shared, "job": {"namespace": "a", "name": "b"}}))[0], JobEvent)
    assert isinstance(read_event(body({**shared, "dataset": trino_table("raw.a")}))[0], DatasetEvent)
    assert isinstance(read_event(body(event("START", RUN)))[0], RunEvent)


@pytest.mark.parametrize("missing", ["eventTime", "producer", "schemaURL", "job"])
def test_what_the_specification_requires(missing):
    """Each required field is named when it is missing."""
    one = event("START", RUN)
    del one[missing]
    with pytest.raises(InvalidEvent, match=missing):
        read_event(body(one))


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_utc_has_no_year_for(when):
    """It is refused with a reason, before anything is stored."""
    with pytest.raises(InvalidEvent, match="eventTime.*years 1 to 9999"):
        read_event(body({**event("START", RUN), "eventTime": when}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(json_values, st.sampled_from(["run", "job", "inputs", "outputs", "eventTime", "producer"]))
def test_no_event_breaks_the_reader(value, place):
    """Whatever stands in a place, the event is read or refused."""
    one = {**event("COMPLETE", RUN, inputs=[spark_table("raw.a")]), place: value}
    with suppress(InvalidEvent):
        found = read_event(json.dumps(one))[0]
        assert not isinstance(found, RunEvent) or run_facts([found]).run


@given(json_values, st.sampled_from(["columnLineage", "schema", "symlinks", "version", "lifecycleStateChange"]))
def test_facets_of_any_content_do_no_harm(value, name):
    """A facet that is not what its name says tells nothing, and loses nothing else."""
    output = spark_table("curated.b")
    output["facets"][name] = facet(
        fields=value, dataset=value, identifiers=value, datasetVersion=value, previousIdentifier=value
    )
    facts = run_facts([read(event("COMPLETE", RUN, inputs=[spark_table("raw.a")], outputs=[output]))])

    assert set(facts.inputs) == {"s3://lake/raw/a"}


def test_kinds_of_column_lineage():
    """Direct subtypes are values; joins, filters and groups are rows; windows decide about rows for one value."""
    made = [
        ("raw.a", "a", "IDENTITY"),
        ("raw.a", "b", "TRANSFORMATION"),
        ("raw.a", "c", "AGGREGATION"),
        ("raw.a", "d", "JOIN"),
        ("raw.a", "e", "FILTER"),
    ]
    output = spark_table("curated.t", columns={"v": made})
    also = fields([("raw.a", "g", "IDENTITY"), ("raw.a", "s", "IDENTITY"), ("raw.a", "w", "IDENTITY")])["inputFields"]
    for one, subtype in zip(also, ("GROUP_BY", "SORT", "WINDOW"), strict=True):
        one["transformations"] = [{"type": "INDIRECT", "subtype": subtype}]
    output["facets"]["columnLineage"]["dataset"] = also[:2]
    output["facets"]["columnLineage"]["fields"]["v"]["inputFields"] += also[2:]
    facts = run_facts([read(event("COMPLETE", RUN, outputs=[output]))])

    (edges,) = facts.edges.values()
    assert {(edge.source_column, edge.target_column, edge.kind) for edge in edges} == {
        ("a", "v", Kind.COPIED),
        ("b", "v", Kind.TRANSFORMED),
        ("c", "v", Kind.AGGREGATED),
        ("d", "", Kind.JOIN),
        ("e", "", Kind.FILTER),
        ("g", "", Kind.AGGREGATED),
        ("w", "v", Kind.WINDOW),
    }


def test_trinos_fields_without_transformations():
    """Trino says which columns, not how: a value that was changed in some way."""
    output = trino_table("curated.t")
    given_by = {"namespace": "trino://127.0.0.1:7702", "name": "hive.raw.a", "field": "X"}
    output["facets"]["columnLineage"] = facet(fields={"V": {"inputFields": [given_by]}})
    (edges,) = run_facts([read(event("COMPLETE", RUN, outputs=[output]))]).edges.values()

    assert edges == {ColumnEdge("trino://127.0.0.1:7702/hive.raw.a", "x", "v", Kind.TRANSFORMED)}


def test_columns_of_a_metadata_table_are_none_of_its_table():
    """Trino reads ``t$snapshots``; the table was read, and has no column of that name."""
    output = trino_table("curated.t")
    given_by = {"namespace": "trino://127.0.0.1:7702", "name": "iceberg.raw.a$snapshots", "field": "snapshot_id"}
    output["facets"]["columnLineage"] = facet(fields={"V": {"inputFields": [given_by]}})

    assert [*run_facts([read(event("COMPLETE", RUN, outputs=[output]))]).edges.values()] == [frozenset()]


@pytest.mark.parametrize(
    ("kind", "processing", "written"),
    [
        ("RUNNING", "BATCH", False),
        ("RUNNING", "STREAMING", True),
        ("COMPLETE", "BATCH", True),
        ("FAIL", "BATCH", False),
    ],
)
def test_a_batch_has_written_when_it_is_complete_and_a_stream_while_it_runs(kind, processing, written):
    """What a batch says on its way may still fail."""
    one = event(kind, RUN, inputs=[spark_table("raw.a")], outputs=[spark_table("curated.b")])
    one["job"]["facets"]["jobType"] = facet(processingType=processing, integration="SPARK", jobType="JOB")

    assert run_facts([read(one)]).effective is written


kinds = st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"])
told = st.builds(
    lambda kind, second, inputs, outputs: event(
        kind,
        RUN,
        inputs=[spark_table(one) for one in inputs],
        outputs=[spark_table(one, snapshot=str(second)) for one in outputs],
        at=f"2026-01-01T12:00:{second:02}Z",
    ),
    kinds,
    st.integers(0, 5),
    st.sets(st.sampled_from(["raw.a", "raw.c"])),
    st.sets(st.sampled_from(["curated.b"])),
)


@given(st.lists(told, min_size=1, max_size=6), st.randoms())
def test_the_order_of_events_does_not_matter(events, order):
    """Shuffled, a run's events say the same."""
    read_ones = [read(one) for one in events]
    shuffled = list(read_ones)
    order.shuffle(shuffled)

    assert run_facts(shuffled) == run_facts(read_ones)
