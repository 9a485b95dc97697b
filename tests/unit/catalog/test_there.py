"""Where a definition and the metastore disagree about columns, and what would settle it."""

import pytest
from headwater_catalog.model import ColumnFacts
from headwater_catalog.there import Difference, differences

TABLE, PLACE = "curated.t", "tables/t.py:3"
WRITE = "headwater materialize curated.t --all-partitions"


def found(declared, there, table=TABLE):
    """Return the differences of columns given as name, type and doc."""
    return differences(table, PLACE, (ColumnFacts(*one) for one in declared), (ColumnFacts(*one) for one in there))


@pytest.mark.parametrize(
    ("declared", "hive"),
    [
        ("long", "bigint"),
        ("int", "int"),
        ("timestamptz", "timestamp with local time zone"),
        ("timestamptz", "timestamp"),
        ("timestamp", "timestamp"),
        ("decimal(12,2)", "decimal(12, 2)"),
        ("string", "STRING"),
    ],
)
def test_the_same_type_in_hives_words_is_no_difference(declared, hive):
    """Names of types differ, types do not; the order of columns does not count."""
    assert found([("a", declared, "A."), ("b", "int", "")], [("b", "int", ""), ("a", hive, "A.")]) == ()


def test_a_comment_that_glue_has_cut_is_no_difference():
    """It takes 255 characters; another text of that length is one."""
    whole = "x" * 300

    assert found([("a", "int", whole)], [("a", "int", whole[:255])]) == ()
    assert [one.what for one in found([("a", "int", whole)], [("a", "int", "y" * 255)])] == ["comment"]
    assert [one.what for one in found([("a", "int", whole)], [("a", "int", "x" * 254)])] == ["comment"]


def test_what_the_next_write_settles():
    """A missing column, a wider type and another comment: the command that writes the table."""
    told = found([("new", "string", "N."), ("n", "long", "Old."), ("c", "int", "New.")],
                 [("n", "int", "Old."), ("c", "int", "Old.")])  # fmt: skip

    assert told == (
        Difference("new", "missing", "string", "", "The next write adds it.", WRITE),
        Difference("n", "type", "long", "int", "The next write changes it.", WRITE),
        Difference("c", "comment", "New.", "Old.", "The next write changes it.", WRITE),
    )


def test_what_would_lose_values_is_settled_in_the_definition():
    """A narrower type has no command; its sentence names the file and the type that is there."""
    (one,) = found([("n", "int", "")], [("n", "bigint", "")])

    assert (one.what, one.declared, one.there, one.command) == ("type", "int", "long", "")
    assert one.advice == "It would lose values: declare it long in tables/t.py:3."


def test_a_column_that_nobody_declared_is_declared_or_dropped():
    """The statement is ready for a shell, whatever the column is called."""
    (one,) = found([], [('it"s', "bigint", "")])

    assert (one.what, one.there) == ("extra", "long")
    assert "tables/t.py:3" in one.advice
    assert one.command == """headwater sql 'ALTER TABLE curated.t DROP COLUMN "it""s"'"""


def test_a_table_of_rejects_is_written_with_the_one_that_rejects():
    """Nobody can materialize it alone."""
    (one,) = found([("a", "int", "")], [], table="partitioned.t__rejected")

    assert one.command == "headwater materialize partitioned.t --all-partitions"
