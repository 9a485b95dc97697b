"""The write path on real services: whatever happens, readers see the old rows or the new ones."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater.checks import NotNull, Unique
from headwater.errors import CheckFailed, EvolutionError, QueryError, WriteError
from headwater.table import Partitioning

pytestmark = pytest.mark.box

NUMBERS = (
    "SELECT CAST(n AS integer) AS n, CAST({version} AS integer) AS version FROM UNNEST(sequence(1, {count})) AS s (n)"
)
YEARS = Partitioning("year", "year", "2019")
BY_YEAR = (
    "SELECT CAST(n AS integer) AS n, CAST(2019 + n % 4 AS integer) AS year, '{mark}' AS mark "
    "FROM UNNEST(sequence(1, 400)) AS s (n)"
)
YEARLY = {"n": "int", "year": "int", "mark": "string"}


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


def test_a_write_leaves_nothing_but_its_rows(lake):
    """After a write no stage is registered, no lease is kept, and only files that the table reads are in its stage."""
    table = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=1, count=3))
    lake.write(table)

    assert lake.stages(table) == []
    assert lake.objects(table, "/_leases") == []
    assert {uri.rpartition("/")[2] for uri in lake.objects(table, "/_stage")} == {
        path.rpartition("/")[2] for path in lake.data_files(table)
    }


@pytest.mark.parametrize("engine", ["trino", "spark"])
def test_a_rerun_gives_the_same_table(lake, engine):
    """A table that is replaced whole has the same rows however often it is written, on either engine."""
    table = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=1, count=3), engine=engine)
    for _ in range(2):
        lake.write(table)

    assert lake.rows(table) == [(1, 1), (2, 1), (3, 1)]
    assert len(lake.snapshots(table)) == 2


def test_a_rerun_of_one_partition_changes_nothing_else(lake):
    """Writing a partition replaces its rows; the other partitions keep their very files."""
    first = lake.table(YEARLY, body=BY_YEAR.format(mark="old"), partitioning=YEARS)
    lake.write(first, "2019", "2020", "2021")
    before = lake.data_files(first)
    lake.write(lake.table(YEARLY, body=BY_YEAR.format(mark="new"), partitioning=YEARS), "2020")

    counts = lake.rows(f"{first} GROUP BY 1, 2", select="year, mark, count(*)")
    assert counts == [(2019, "old", 100), (2020, "new", 100), (2021, "old", 100)]
    assert len(before & lake.data_files(first)) == len(before) - 1
    assert lake.snapshots(first)[-1].summary.additional_properties["headwater.partitions"] == "2020"


@pytest.mark.parametrize(
    ("partitioning", "kind", "values", "keys"),
    [
        (Partitioning("p", "month", "2020-01"), "date", "DATE '2020-01-01', DATE '2020-02-01'", ("2020-01", "2020-02")),
        (Partitioning("p", "value", values=("a b", "c'd")), "string", "'a b', 'c''d'", ("a b", "c'd")),
    ],
)
def test_partitions_may_be_months_or_values(lake, partitioning, kind, values, keys):
    """Dates and texts as partition values are replaced one by one, also with blanks and quotes in them."""
    body = f"SELECT x AS p, 'mark' AS mark FROM UNNEST(ARRAY[{values}]) AS s (x)"
    table = lake.table({"p": kind, "mark": "string"}, body=body, partitioning=partitioning)
    lake.write(table, *keys)
    lake.write(table, keys[0])

    assert lake.rows(table, select="count(*), count(DISTINCT p)") == [(2, 2)]


def test_an_empty_result_publishes_an_empty_partition(lake):
    """A partition whose rows are gone is published empty; a table can be published empty, too."""
    full = lake.table(YEARLY, body=BY_YEAR.format(mark="x"), partitioning=YEARS)
    lake.write(full, "2019", "2020")
    empty = lake.table(YEARLY, body=BY_YEAR.format(mark="x") + " WHERE n < 0", partitioning=YEARS)
    published = lake.write(empty, "2019")

    assert published.rows == 0
    assert lake.rows(f"{full} GROUP BY 1", select="year, count(*)") == [(2020, 100)]


def test_four_partitions_at_once_all_publish(lake):
    """Four writers of one new table get in each other's way and all succeed."""
    table = lake.table(YEARLY, body=BY_YEAR.format(mark="x"), partitioning=YEARS)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda year: lake.write(table, str(year), run=f"run-{year}"), range(2019, 2023)))

    assert lake.rows(f"{table} GROUP BY 1", select="year, count(*)") == [(year, 100) for year in range(2019, 2023)]
    assert len(lake.snapshots(table)) == 4


def test_readers_see_old_or_new_rows_only(lake):
    """While versions replace each other, every query sees one version, whole."""
    table = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=0, count=50))
    lake.write(table)
    ended, seen = threading.Event(), set()

    def poll(engine):
        while not ended.is_set():
            seen.update(lake.rows(table, engine, select="count(*), min(version), max(version)"))

    with ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(poll, engine) for engine in ("trino", "spark")]
        for version in (1, 2, 3):
            lake.write(lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=version, count=50)))
        ended.set()
        for one in polls:
            one.result()

    assert seen <= {(50, version, version) for version in range(4)}
    assert (50, 3, 3) in lake.rows(table, select="count(*), min(version), max(version)")


def test_a_failing_check_keeps_the_old_rows_and_shows_the_broken_ones(lake):
    """Rows that break a blocking check are never published; the error names check and rows, and no stage is left."""
    columns = {"n": "int", "version": "int"}
    good = lake.table(columns, body=NUMBERS.format(version=1, count=3), checks=(Unique("n"),))
    lake.write(good)
    bad = lake.table(columns, body=NUMBERS.format(version=2, count=3) + " CROSS JOIN UNNEST(sequence(1, 2)) AS t (m)",
                     checks=(Unique("n"),))  # fmt: skip
    with pytest.raises(CheckFailed) as caught:
        lake.write(bad)

    assert lake.rows(good) == [(1, 1), (2, 1), (3, 1)]
    [failure] = caught.value.failures
    assert failure.rows
    assert good.name in str(caught.value)
    assert lake.stages(good) == []
    assert lake.objects(good, "/_leases") == []


@pytest.mark.parametrize("engine", ["trino", "spark"])
def test_a_null_in_a_required_column_is_shown_by_a_check(lake, engine):
    """The engine does not refuse the row; the check does, and says where."""
    body = "SELECT CAST(NULL AS integer) AS n, CAST(1 AS integer) AS version"
    table = lake.table({"n": "int", "version": "int"}, body=body, engine=engine, checks=(NotNull("n"),))
    with pytest.raises(CheckFailed, match="not_null_n"):
        lake.write(table)


def test_a_check_that_only_reports_does_not_stop_the_write(lake):
    """The result says what broke, and the rows are published."""
    body = NUMBERS.format(version=1, count=2) + " CROSS JOIN UNNEST(sequence(1, 2)) AS t (m)"
    table = lake.table({"n": "int", "version": "int"}, body=body, checks=(Unique("n", blocking=False),))
    published = lake.write(table)

    assert [(result.check, result.passed) for result in published.checks] == [("unique_n", False)]
    assert len(lake.rows(table)) == 4


def test_a_value_that_does_not_fit_its_type_fails_the_write(lake):
    """A cast that fails stops the write on either engine, and the sentence says why."""
    body = "SELECT CAST(x AS varchar) AS n FROM UNNEST(ARRAY['1', 'one']) AS s (x)"
    for engine in ("trino", "spark"):
        table = lake.table({"n": "int"}, base=engine, body=body, engine=engine)
        with pytest.raises(QueryError, match="(?i)cast"):
            lake.write(table)
        assert lake.snapshots(table) == []
        assert lake.stages(table) == []


def test_a_changed_definition_adds_and_widens_columns(lake):
    """New columns are null in old partitions, wider types keep old values, and both engines read it all."""
    first = lake.table({"n": "int", "year": "int"}, body="SELECT 1 AS n, 2019 AS year", partitioning=YEARS)
    lake.write(first, "2019")
    second = lake.table(
        {"n": "long", "year": "int", "more": "string"},
        body="SELECT BIGINT '5000000000' AS n, 2020 AS year, 'new' AS more",
        partitioning=YEARS,
    )
    lake.write(second, "2020")

    for engine in ("trino", "spark"):
        assert lake.rows(second, engine, select="n, year, more") == [(1, 2019, None), (5000000000, 2020, "new")]


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


def test_delete_files_in_the_table_are_harmless(lake):
    """Somebody's DELETE left delete files: the other partition keeps them, the rewritten one has all its rows."""
    table = lake.table(YEARLY, body=BY_YEAR.format(mark="x"), partitioning=YEARS)
    lake.write(table, "2019", "2020")
    lake.stack.engine("trino").rows(f"DELETE FROM {table} WHERE n <= 40")
    assert lake.rows(f"{table} GROUP BY 1", select="year, count(*)") == [(2019, 90), (2020, 90)]
    lake.write(table, "2019")

    for engine in ("trino", "spark"):
        assert lake.rows(f"{table} GROUP BY 1", engine, select="year, count(*)") == [(2019, 100), (2020, 90)]


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


@pytest.mark.parametrize("engine", ["trino", "spark"])
def test_a_refused_statement_names_its_line_and_column(lake, engine):
    """The error of an engine points at the place in the statement."""
    with pytest.raises(QueryError, match=r"line 2, column \d+") as caught:
        lake.stack.engine(engine).rows("SELECT 1 AS n\nFROM curated.no_such_table")
    assert "FROM curated.no_such_table" in str(caught.value)
