"""The write path on real services: whatever happens, readers see the old rows or the new ones."""

from __future__ import annotations

import pytest
from headwater.checks import Unique
from headwater.errors import EvolutionError, WriteError
from write_cases import BY_YEAR, NUMBERS, YEARLY, YEARS, WriteCases

pytestmark = pytest.mark.box


class TestWrite(WriteCases):
    """On the box's Trino and Spark."""


def test_a_write_can_be_read_by_both_engines_and_says_who_made_it(lake):
    """A published table has the same rows in Trino and Spark, and its snapshot carries the run."""
    table = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=1, count=3))
    published = lake.write(table, run="run-1")

    assert lake.rows(table) == lake.rows(table, "spark") == [(1, 1), (2, 1), (3, 1)]
    assert (published.rows, published.rejected, published.table) == (3, 0, table.name)
    assert published.files >= 1
    assert published.bytes > 0
    assert set(published.seconds) == {"prepare", "stage", "check", "profile", "publish"}
    [snapshot] = lake.snapshots(table)
    assert snapshot.snapshot_id == published.snapshot_id
    assert snapshot.summary.additional_properties["headwater.run"] == "run-1"


def test_an_empty_result_publishes_an_empty_partition(lake):
    """A partition whose rows are gone is published empty; a table can be published empty, too."""
    full = lake.table(YEARLY, body=BY_YEAR.format(mark="x"), partitioning=YEARS)
    lake.write(full, "2019", "2020")
    empty = lake.table(YEARLY, body=BY_YEAR.format(mark="x") + " WHERE n < 0", partitioning=YEARS)
    published = lake.write(empty, "2019")

    assert published.rows == 0
    assert lake.rows(f"{full} GROUP BY 1", select="year, count(*)") == [(2020, 100)]


def test_a_check_that_only_reports_does_not_stop_the_write(lake):
    """The result says what broke, and the rows are published."""
    body = NUMBERS.format(version=1, count=2) + " CROSS JOIN UNNEST(sequence(1, 2)) AS t (m)"
    table = lake.table({"n": "int", "version": "int"}, body=body, checks=(Unique("n", blocking=False),))
    published = lake.write(table)

    assert [(result.check, result.passed) for result in published.checks] == [("unique_n", False)]
    assert len(lake.rows(table)) == 4


def test_a_change_that_would_lose_values_is_refused_before_anything_is_written(lake):
    """A narrower type or a dropped column is refused with a sentence; rows and schema stay."""
    table = lake.table({"n": "long", "version": "int"}, body="SELECT BIGINT '1' AS n, 1 AS version")
    lake.write(table)
    schema = lake.iceberg(table).schema()
    for columns, body in (
        ({"n": "int", "version": "int"}, "SELECT 1 AS n, 1 AS version"),
        ({"n": "long"}, "SELECT 1 AS n"),
    ):
        with pytest.raises(EvolutionError, match=table.name):
            lake.write(lake.table(columns, body=body))

    assert lake.rows(table) == [(1, 1)]
    assert lake.iceberg(table).schema() == schema


def test_what_cannot_be_asked_is_refused_with_a_sentence(lake):
    """Partitions of a table without, none of a table with, and the same one twice."""
    whole = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=1, count=1))
    cut = lake.table(YEARLY, base="cut", body=BY_YEAR.format(mark="x"), partitioning=YEARS)
    with pytest.raises(WriteError, match="has no partitions"):
        lake.write(whole, "2019")
    with pytest.raises(WriteError, match="say which"):
        lake.write(cut)
    with pytest.raises(WriteError, match="twice"):
        lake.write(cut, "2019", "2019")
