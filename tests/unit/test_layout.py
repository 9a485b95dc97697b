"""Where tables, stages and loads lie, and the way back."""

from __future__ import annotations

from datetime import date

import pytest
from headwater import layout
from headwater.layout import Load, Place
from headwater.table import ZONES, Partitioning, TableName
from hypothesis import assume, given
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-z][a-z0-9]{0,8}(_[a-z0-9]{1,8}){0,3}", fullmatch=True)
TABLES = st.builds(TableName, st.sampled_from(ZONES), NAMES)
RUNS = st.text(min_size=1, max_size=60)
BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9-]{1,20}[a-z0-9]", fullmatch=True)

LOAN = TableName("curated", "loan")


def test_a_table_lies_in_its_zones_folder() -> None:
    """Bucket, zone and name make the location, without a closing slash."""
    assert layout.location("lake", LOAN) == "s3://lake/curated/loan"


def test_a_stage_lies_below_its_table_and_carries_its_name() -> None:
    """Whoever meets a stage finds the table in its name and in its location."""
    assert layout.stage_location("lake", LOAN, "abc123") == "s3://lake/curated/loan/_stageabc123"
    assert str(layout.stage_name(LOAN, "abc123")) == "curated.loan__stage_abc123"
    assert layout.relation_name(layout.stage_name(LOAN, "1"), "spark") == "`curated`.`loan__stage_1`"


@given(TABLES, RUNS)
def test_a_stages_name_leads_back_to_its_table(table: TableName, run: str) -> None:
    """Any run id gives a stage name that is recognised and undone."""
    stage = layout.stage_name(table, run)

    assert layout.is_stage(stage)
    assert layout.target_of(stage) == table
    assert not layout.is_stage(table)
    assert layout.target_of(table) == table


@given(TABLES, RUNS)
def test_the_stage_of_rejects_leads_back_to_the_rejects(table: TableName, run: str) -> None:
    """A table's rejected rows are staged like any table."""
    assert layout.target_of(layout.stage_name(table.rejected, run)) == table.rejected


@given(BUCKETS, TABLES, RUNS, st.sampled_from(["", "/data/part-0.parquet", "/metadata/v1.json"]))
def test_a_stages_location_leads_back_to_its_table(bucket: str, table: TableName, run: str, rest: str) -> None:
    """A file of a stage belongs to the stage's table, through either spelling of the scheme."""
    place = Place(bucket, table, layout.stage_token(run), rest)
    location = layout.stage_location(bucket, table, run) + rest

    assert layout.parse_location(location) == place
    assert layout.parse_location(location.replace("s3:", "s3a:", 1)) == place
    assert layout.parse_location(layout.location(bucket, table) + rest) == Place(bucket, table, "", rest)


@given(RUNS, RUNS)
def test_different_runs_have_different_tokens(one: str, other: str) -> None:
    """A token is short, safe in every engine, and as distinct as the run ids."""
    assume(one != other)

    assert layout.stage_token(one) != layout.stage_token(other)
    assert layout.stage_token(one).isascii()
    assert layout.stage_token(one).isalnum()
    assert layout.stage_token(one) == layout.stage_token(one).lower()


def test_the_longest_stage_name_fits_the_metastore() -> None:
    """The longest table name leaves room for its rejects' stage."""
    longest = TableName.parse("curated." + "x" * 90)

    assert len(layout.stage_name(longest.rejected, "6f1e9c0a-0000-4000-8000-000000000000").name) == layout.MAX_NAME


@given(BUCKETS, NAMES, NAMES, st.text(min_size=1).filter(lambda text: text.isprintable()), st.uuids())
def test_a_load_is_read_back_from_its_folder(bucket: str, name: str, column: str, value: str, number: object) -> None:
    """Any partition value survives the way into a folder name and back, also from a file below it."""
    table, load = TableName("raw", name), Load(str(number), column, value)
    folder = layout.load_prefix(bucket, table, load)

    assert folder.endswith("/")
    assert layout.parse_load(folder) == load
    assert layout.parse_load(folder + "a.txt") == load


def test_a_load_without_partition_has_one_folder() -> None:
    """A raw table that is not partitioned has its loads directly below it."""
    folder = layout.load_prefix("lake", TableName("raw", "loan"), Load("l1"))

    assert folder == "s3://lake/raw/loan/load=l1/"
    assert layout.parse_load(folder) == Load("l1")


@pytest.mark.parametrize("load", [Load(""), Load("a/b"), Load(".."), Load("a=b"), Load("l1", "year", "")])
def test_an_unusable_load_is_refused(load: Load) -> None:
    """What would not survive as a folder name is not written."""
    with pytest.raises(ValueError, match="Load"):
        layout.load_prefix("lake", TableName("raw", "loan"), load)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://lake",
        "s3://lake/other/loan",
        "file:///curated/loan",
        "s3://lake/raw/loan/year=2019/a.txt",
        "s3://lake/raw/Loan",
    ],
)
def test_other_locations_belong_to_no_load(uri: str) -> None:
    """What is no load of the lake is not taken for one."""
    assert layout.parse_load(uri) is None


@given(st.one_of(st.integers(1900, 2100), st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.text(min_size=1)))
def test_a_partition_value_is_read_back_from_its_text(value: int | date | str) -> None:
    """The text in a folder name gives the typed value again."""
    cut = {
        int: Partitioning("p", "year", "2019"),
        date: Partitioning("p", "month", "2019-01"),
        str: Partitioning("p", "value", values=("x",)),
    }[type(value)]

    assert layout.partition_value(cut, str(value)) == value
