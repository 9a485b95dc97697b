"""What a Table refuses, and what it answers about itself."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from headwater.checks import NotNull, Unique
from headwater.errors import DefinitionError
from headwater.table import Column, DelimitedFiles, Partitioning, Table, TableName

ID = Column("id", "string", "The id.")
YEAR = Column("year", "int", "The year.")
FILES = DelimitedFiles(folder="data", pattern=r"loan_(?P<key>\d{4})\.txt")
BY_YEAR = Partitioning("year", "year", "2019")


def _nothing(*_: Any) -> None:
    """Stand in for a Spark body."""


def _curated(**changes: Any) -> Table:
    given = {
        "name": "curated.loan",
        "doc": "One row per loan.",
        "owner": "team:loans",
        "columns": (ID, YEAR),
        "body": _nothing,
        "engine": "spark",
    }
    return Table(**{**given, **changes})


def _raw(**changes: Any) -> Table:
    given = {"name": "raw.loan", "doc": "Lines.", "owner": "a@b.org", "columns": (ID,), "files": FILES}
    return Table(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"columns": ()}, "has no columns"),
        ({"columns": (ID, ID)}, "'id' is declared twice"),
        ({"owner": "me"}, "give an e-mail address or team:name"),
        ({"doc": " "}, "say what one row is"),
        ({"fresh_within_hours": 0}, "give hours above 0"),
        ({"body": None}, "give it a body"),
        ({"files": FILES}, "only a raw table has files"),
        ({"engine": "trino"}, "a function body needs engine='spark'"),
        ({"rejects": True}, "rejects=True needs a function body and a raw upstream"),
        ({"partitioning": Partitioning("month", "month", "2019-01")}, "'month', which is not one of its columns"),
        ({"partitioning": Partitioning("id", "year", "2019")}, "'id' must be int to be cut by year"),
        ({"checks": (NotNull("nope"),)}, "reads 'nope', which is not one of its columns"),
        ({"checks": (Unique("id"), Unique("id", blocking=False))}, "'unique_id' is declared twice"),
        ({"name": "silver.loan"}, "must begin with one of raw, partitioned, curated"),
        ({"name": "curated.Loan"}, "is not usable"),
        ({"name": "curated.loan__stage_1"}, "is not usable"),
        ({"name": "curated.loan__rejected"}, "is not usable"),
        ({"name": "curated." + "x" * 91}, "90 at most"),
    ],
)
def test_a_contradictory_table_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    """A declaration that contradicts itself fails at import and says what to change."""
    with pytest.raises(DefinitionError, match=sentence):
        _curated(**changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"body": "SELECT 1"}, "a raw table has files, and neither a body nor upstreams"),
        ({"columns": (ID, YEAR)}, "'year' is int, but a raw table keeps its files' text"),
        ({"partitioning": BY_YEAR, "columns": (Column("year", "string", "Y."),)}, "comes from where a file lies"),
        ({"partitioning": BY_YEAR, "files": DelimitedFiles(folder="d", pattern=".*")}, r"no group \(\?P<key>"),
        ({"files": DelimitedFiles(folder="d", pattern="(")}, "is no regular expression"),
        ({"files": DelimitedFiles(folder="d", pattern=".*", delimiter="||")}, "give one character"),
        ({"files": DelimitedFiles(folder="d", pattern=".*", variants=(("id", "zip"),))}, "names 'zip'"),
        ({"files": DelimitedFiles(folder="d", pattern=".*", variants=(("id",),))}, "could not be told apart"),
    ],
)
def test_a_contradictory_raw_table_is_refused_with_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    """A raw table is text over files; anything else is refused."""
    with pytest.raises(DefinitionError, match=sentence):
        _raw(**changes)


def test_a_column_must_have_a_known_type_and_a_plain_name() -> None:
    """Types are those that every engine holds, names those that need no quoting."""
    with pytest.raises(DefinitionError, match="unknown type 'varchar'"):
        Column("a", "varchar", "A.")
    with pytest.raises(DefinitionError, match="'A b' is not usable"):
        Column("A b", "string", "A.")


def test_an_upstream_is_declared_once_and_is_another_table() -> None:
    """A table can neither read itself nor name an upstream twice."""
    other = _curated(name="curated.other")
    with pytest.raises(DefinitionError, match="curated.other is declared twice"):
        _curated(upstreams=(other, other))
    with pytest.raises(DefinitionError, match="its own upstream"):
        _curated(upstreams=(_curated(),))


def test_tables_are_equal_by_name() -> None:
    """A name exists once, so it is all that comparing and hashing look at."""
    assert _curated() == _curated(doc="Another doc.")
    assert _curated() != _curated(name="curated.other")
    assert {_curated(): 1}[_curated()] == 1
    assert _curated() != "curated.loan"


def test_a_raw_table_can_be_read_by_its_partition_column_too() -> None:
    """The Hive partition column comes last, with the partitioning's type."""
    assert list(_raw(partitioning=BY_YEAR).types.items()) == [("id", "string"), ("year", "int")]
    assert _raw(partitioning=BY_YEAR).column_names == ("id",)


def test_a_partition_key_gives_the_partition_columns_value() -> None:
    """Years are numbers, months and days are dates, values are themselves; others are refused."""
    assert BY_YEAR.value("2020") == 2020
    assert Partitioning("m", "month", "2019-01").value("2020-02") == date(2020, 2, 1)
    assert Partitioning("d", "day", "2019-01-01").value("2020-02-03") == date(2020, 2, 3)
    assert Partitioning("s", "value", values=("x", "y")).value("y") == "y"
    with pytest.raises(DefinitionError, match="write it like 2019"):
        BY_YEAR.value("20x0")
    with pytest.raises(DefinitionError, match="has no partition 'z'; it has x, y"):
        Partitioning("s", "value", values=("x", "y")).value("z")


def test_a_table_name_is_read_back_from_its_text() -> None:
    """Text and name are the same thing, and a table's rejects stand beside it."""
    name = TableName.parse("curated.loan")

    assert str(name) == "curated.loan"
    assert str(name.rejected) == "curated.loan__rejected"


def test_an_unknown_column_is_named_with_those_that_exist() -> None:
    """Asking for a column that is not there says which there are."""
    with pytest.raises(DefinitionError, match="has no column 'x'; it has id, year"):
        _curated().column("x")
