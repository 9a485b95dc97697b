"""Which tables `materialize --stale` writes."""

import pytest
from headwater.table import Column, DelimitedFiles, Partitioning, Table
from headwater_assets.lib.outdated import Writing, outdated, without_files

YEARS = Partitioning("year", "year", "2019")
RAW = Table(
    name="raw.rows",
    doc="Rows.",
    owner="team:tests",
    columns=(Column("a", "string", "A."),),
    files=DelimitedFiles(folder="data", pattern=r"(?P<key>\d{4})\.txt"),
    partitioning=YEARS,
)
TYPED = Table(
    name="partitioned.rows",
    doc="Typed rows.",
    owner="team:tests",
    columns=(Column("a", "string", "A."), Column("year", "int", "Y.")),
    upstreams=(RAW,),
    body="select a, year from raw.rows",
    partitioning=YEARS,
)
WHOLE = Table(
    name="curated.rows",
    doc="All rows.",
    owner="team:tests",
    columns=(Column("a", "string", "A."),),
    upstreams=(TYPED,),
    body="select a from partitioned.rows",
)
TABLES = (RAW, TYPED, WHOLE)
KEYS = {"raw.rows": ("2019", "2020"), "partitioned.rows": ("2019", "2020")}
MARKS = {("raw.rows", "2019"): "x", ("raw.rows", "2020"): "y"}
FRESH = {
    ("raw.rows", "2019"): Writing(1, "x"),
    ("raw.rows", "2020"): Writing(1, "y"),
    ("partitioned.rows", "2019"): Writing(2),
    ("partitioned.rows", "2020"): Writing(2),
    ("curated.rows", ""): Writing(3),
}


def test_nothing_is_outdated_when_everything_is_newer_than_what_it_reads():
    """A second `make demo` writes nothing."""
    assert outdated(TABLES, KEYS, FRESH, MARKS) == {}


def test_everything_is_outdated_in_an_empty_lake():
    """What was never written has to be."""
    assert outdated(TABLES, KEYS, {}, MARKS) == {**KEYS, "curated.rows": ("",)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {("raw.rows", "2020"): Writing(1, "old")},
            {"raw.rows": ("2020",), "partitioned.rows": ("2020",), "curated.rows": ("",)},
        ),
        ({("raw.rows", "2019"): Writing(2.5, "x")}, {"partitioned.rows": ("2019",), "curated.rows": ("",)}),
        ({("partitioned.rows", "2019"): Writing(4)}, {"curated.rows": ("",)}),
    ],
)
def test_a_change_reaches_what_is_downstream_of_it_only(change, expected):
    """New files of one year touch that year and the tables that read all years."""
    assert outdated(TABLES, KEYS, {**FRESH, **change}, MARKS) == expected


def test_partitions_whose_files_are_gone_are_told():
    """Nothing is written for them, and nothing taken away, so it is said."""
    here = {"raw.rows": ("2019",), "partitioned.rows": (), "curated.rows": ()}

    assert without_files(TABLES, here, FRESH) == [
        "Partition 2020 of raw.rows has no files in data any more; its rows stay."
    ]
    assert without_files(TABLES, {**here, "raw.rows": ("2019", "2020")}, FRESH) == []


def test_what_was_disturbed_is_written_again():
    """A partition that was changed by hand, and what reads it; its upstream and the other partition stay."""
    found = outdated(TABLES, KEYS, FRESH, MARKS, {("partitioned.rows", "2020"): "changed by hand"})

    assert found == {"partitioned.rows": ("2020",), "curated.rows": ("",)}


def test_a_table_that_failed_is_written_again():
    """Its upstreams are fresh and stay untouched."""
    written = {place: one for place, one in FRESH.items() if place[0] != "curated.rows"}

    assert outdated(TABLES, KEYS, written, MARKS) == {"curated.rows": ("",)}
