"""What must have happened between two looks at a Glue that tells nobody of changes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from headwater_catalog.model import ColumnEdge, ColumnFacts, Kind
from headwater_catalog.notices import Happening
from headwater_catalog.sightings import halves, happened, seen_state, sighting

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOOK = timedelta(seconds=10)


def entry(name="a", *, made=NOON, location="", kind="EXTERNAL_TABLE", view="", parameters=None, columns=None, **more):
    """Return a table as Glue's clients give it."""
    return {
        "Name": name,
        "DatabaseName": "curated",
        "CreateTime": made,
        "TableType": kind,
        "Parameters": parameters or {},
        "PartitionKeys": [{"Name": "year", "Type": "int", "Comment": "The partition."}],
        "StorageDescriptor": {
            "Columns": columns or [{"Name": "Id", "Type": "bigint"}],
            "Location": location or f"s3://lake/curated/{name}",
        },
        **({"ViewOriginalText": view} if view else {}),
        **more,
    }


def look(*entries):
    """Return what one look sees."""
    found = [sighting("curated", one) for one in entries]
    return {one.name: one for one in found if one is not None}


def between(before, now, number=9):
    """Return what happened between two looks, in order."""
    told = happened(before, now, since=NOON, at=NOON + LOOK, number=number)
    assert [one.at for one in told] == sorted({one.at for one in told})
    assert {one.id for one in told} <= {number}
    return [(one.what, one.name, one.former) for one in told]


def test_nothing_happened():
    """A commit of Iceberg's changes no more of a table than its metadata file, and that is no news here."""
    committed = entry(parameters={"metadata_location": "s3://lake/curated/a/metadata/2.json"}, VersionId="2")

    assert between(look(entry(VersionId="1")), look(committed)) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"columns": [{"Name": "id", "Type": "bigint", "Comment": "New."}]},
        {"columns": [{"Name": "id", "Type": "int"}]},
        {"columns": [{"Name": "id", "Type": "bigint"}, {"Name": "more", "Type": "string"}]},
        {"location": "s3://lake/curated/elsewhere"},
        {"kind": "VIRTUAL_VIEW", "view": "SELECT 1"},
        {"PartitionKeys": []},
    ],
)
def test_a_table_is_altered(changed):
    """Its columns, their comments, its place or its text."""
    assert between(look(entry()), look(entry(**changed))) == [(Happening.ALTERED, "curated.a", "")]


def test_tables_come_and_go():
    """At the time that Glue says, where it says one."""
    made = entry("b", made=NOON + timedelta(seconds=4))
    told = happened(look(entry()), look(made), since=NOON, at=NOON + LOOK, number=1)

    assert [(one.what, one.name, one.at) for one in told] == [
        (Happening.MADE, "curated.b", made["CreateTime"]),
        (Happening.DROPPED, "curated.a", NOON + LOOK),
    ]


def test_a_table_made_anew_between_two_looks_was_dropped():
    """Only the time at which it was made tells of it."""
    later = entry(made=NOON + timedelta(seconds=4))

    assert between(look(entry()), look(later)) == [
        (Happening.DROPPED, "curated.a", ""),
        (Happening.MADE, "curated.a", ""),
    ]


def test_a_table_of_the_same_place_was_renamed():
    """Glue's clients make it anew under the other name and drop the first; a new one may have taken its name."""
    before = entry(made=NOON - LOOK, location="s3://lake/curated/a-1/")
    after = entry("b", made=NOON + timedelta(seconds=2), location="s3a://lake/curated/a-1")
    again = entry(made=NOON + timedelta(seconds=3))

    assert between(look(before), look(after)) == [(Happening.RENAMED, "curated.b", "curated.a")]
    assert between(look(before), look(after, again)) == [
        (Happening.RENAMED, "curated.b", "curated.a"),
        (Happening.MADE, "curated.a", ""),
    ]


def test_what_lies_in_one_place_twice_was_not_renamed():
    """Nobody can say which of the two it became."""
    place = "s3://lake/curated/a"
    two = look(entry("b", location=place, made=NOON + LOOK), entry("c", location=place, made=NOON + LOOK))
    told = between(look(entry()), two)

    assert sorted(told) == sorted(
        [(Happening.MADE, "curated.b", ""), (Happening.MADE, "curated.c", ""), (Happening.DROPPED, "curated.a", "")]
    )


def test_a_look_between_the_halves_of_a_rename_sees_both():
    """The new one is left to the next look; tables that lie apart, and views, are not."""
    place = "s3://lake/curated/a"
    view = entry("v", kind="VIRTUAL_VIEW", view="SELECT 1", location=" ")
    now = look(entry(), entry("b", location=f"{place}/"), entry("c"), view, {**view, "Name": "w"})

    assert halves(look(entry()), now) == {"curated.b"}
    assert halves(look(entry(), entry("b", location=place)), now) == set()


def test_a_clock_that_goes_before_ours_breaks_no_order():
    """What was not there at the last look was made since, whatever Glue's clock says, and before this one ended."""
    early, late = entry("b", made=NOON - timedelta(hours=1)), entry("c", made=NOON + timedelta(hours=1))
    told = {one.name: one.at for one in happened({}, look(early, late), since=NOON, at=NOON + LOOK, number=1)}

    assert NOON <= told["curated.b"] <= told["curated.c"] <= NOON + LOOK


def test_stages_and_other_databases_pass_unseen():
    """As they do where a log tells of them."""
    assert sighting("curated", entry("a__stage_x1")) is None
    assert sighting("payroll", entry()) is None


def test_a_table_is_described_as_the_other_metastore_describes_it():
    """Lower case, with partition columns, without the columns that an Iceberg table once had."""
    columns = [
        {"Name": "Id", "Type": "bigint", "Comment": "The id.", "Parameters": {"iceberg.field.current": "true"}},
        {"Name": "gone", "Type": "int", "Parameters": {"iceberg.field.current": "false"}},
    ]
    state = seen_state("curated", entry(columns=columns))

    assert state is not None
    assert state.columns == (ColumnFacts("id", "bigint", "The id."), ColumnFacts("year", "int", "The partition."))
    assert (state.name, state.location, state.made, state.view) == ("curated.a", "s3://lake/curated/a", NOON, None)


def test_an_iceberg_table_lies_where_its_metadata_does():
    """Where its client said no location."""
    given = {"table_type": "ICEBERG", "metadata_location": "s3://lake/curated/a-9/metadata/00001-x.metadata.json"}
    bare = {**entry(parameters=given), "StorageDescriptor": {"Columns": []}}
    state = seen_state("curated", bare)

    assert state is not None
    assert state.location == "s3://lake/curated/a-9"


def test_a_link_to_another_accounts_table_is_a_table():
    """Glue says nothing of its columns."""
    link = {"Name": "a", "CreateTime": NOON, "TargetTable": {"DatabaseName": "d", "Name": "n", "CatalogId": "1"}}
    state = seen_state("curated", link)

    assert state is not None
    assert (state.columns, state.location) == ((), "")
    assert look(link)


def test_athenas_view_is_read():
    """Its own text says its columns and what it is made of."""
    held = {"originalSql": "SELECT count(id) n FROM b", "catalog": "awsdatacatalog", "schema": "curated",
            "columns": [{"name": "n", "type": "bigint"}]}  # fmt: skip
    text = f"/* Presto View: {base64.b64encode(json.dumps(held).encode()).decode()} */"
    given = entry("v", kind="VIRTUAL_VIEW", view=text, ViewExpandedText="/* Presto View */")
    state = seen_state("curated", given, lambda _: ())

    assert state is not None
    assert state.view is not None
    assert state.view.columns == {ColumnEdge("curated.b", "id", "n", Kind.AGGREGATED)}
    assert state.location == ""
