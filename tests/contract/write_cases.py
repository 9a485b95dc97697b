"""What the write path promises, on whichever adapters `lake` has."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater.checks import NotNull, Unique
from headwater.errors import CheckFailed, QueryError
from headwater.table import Partitioning

__all__ = ["BY_YEAR", "NUMBERS", "YEARLY", "YEARS", "WriteCases"]

NUMBERS = (
    "SELECT CAST(n AS integer) AS n, CAST({version} AS integer) AS version FROM UNNEST(sequence(1, {count})) AS s (n)"
)
YEARS = Partitioning("year", "year", "2019")
BY_YEAR = (
    "SELECT CAST(n AS integer) AS n, CAST(2019 + n % 4 AS integer) AS year, '{mark}' AS mark "
    "FROM UNNEST(sequence(1, 400)) AS s (n)"
)
YEARLY = {"n": "int", "year": "int", "mark": "string"}


class WriteCases:
    """Readers see the old rows or the new ones, whatever happens; `trino` and `spark` are dialects here."""

    def test_a_write_leaves_nothing_but_its_rows(self, lake):
        """No stage is registered afterwards, no lease is kept, and its stage has only files that the table reads."""
        table = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=1, count=3))
        lake.write(table)

        assert lake.stages(table) == []
        assert lake.objects(table, "/_leases") == []
        assert {uri.rpartition("/")[2] for uri in lake.objects(table, "/_stage")} == {
            path.rpartition("/")[2] for path in lake.data_files(table)
        }

    @pytest.mark.parametrize("engine", ["trino", "spark"])
    def test_a_rerun_gives_the_same_table(self, lake, engine):
        """A table that is replaced whole has the same rows however often it is written, on either engine."""
        table = lake.table({"n": "int", "version": "int"}, body=NUMBERS.format(version=1, count=3), engine=engine)
        for _ in range(2):
            lake.write(table)

        assert lake.rows(table) == [(1, 1), (2, 1), (3, 1)]
        assert len(lake.snapshots(table)) == 2

    def test_a_rerun_of_one_partition_changes_nothing_else(self, lake):
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
            (
                Partitioning("p", "month", "2020-01"),
                "date",
                "DATE '2020-01-01', DATE '2020-02-01'",
                ("2020-01", "2020-02"),
            ),
            (Partitioning("p", "value", values=("a b", "c'd")), "string", "'a b', 'c''d'", ("a b", "c'd")),
        ],
    )
    def test_partitions_may_be_months_or_values(self, lake, partitioning, kind, values, keys):
        """Dates and texts as partition values are replaced one by one, also with blanks and quotes in them."""
        body = f"SELECT x AS p, 'mark' AS mark FROM UNNEST(ARRAY[{values}]) AS s (x)"
        table = lake.table({"p": kind, "mark": "string"}, body=body, partitioning=partitioning)
        lake.write(table, *keys)
        lake.write(table, keys[0])

        assert lake.rows(table, select="count(*), count(DISTINCT p)") == [(2, 2)]

    def test_four_partitions_at_once_all_publish(self, lake):
        """Four writers of one new table get in each other's way and all succeed."""
        table = lake.table(YEARLY, body=BY_YEAR.format(mark="x"), partitioning=YEARS)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda year: lake.write(table, str(year), run=f"run-{year}"), range(2019, 2023)))

        assert lake.rows(f"{table} GROUP BY 1", select="year, count(*)") == [(year, 100) for year in range(2019, 2023)]
        assert len(lake.snapshots(table)) == 4

    def test_readers_see_old_or_new_rows_only(self, lake):
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

    def test_a_failing_check_keeps_the_old_rows_and_shows_the_broken_ones(self, lake):
        """Rows that break a blocking check are not published; the error names check and rows, and no stage is left."""
        columns = {"n": "int", "version": "int"}
        good = lake.table(columns, body=NUMBERS.format(version=1, count=3), checks=(Unique("n"),))
        lake.write(good)
        twice = NUMBERS.format(version=2, count=3) + " CROSS JOIN UNNEST(sequence(1, 2)) AS t (m)"
        bad = lake.table(columns, body=twice, checks=(Unique("n"),))
        with pytest.raises(CheckFailed) as caught:
            lake.write(bad)

        assert lake.rows(good) == [(1, 1), (2, 1), (3, 1)]
        [failure] = caught.value.failures
        assert failure.rows
        assert good.name in str(caught.value)
        assert lake.stages(good) == []
        assert lake.objects(good, "/_leases") == []

    @pytest.mark.parametrize("engine", ["trino", "spark"])
    def test_a_null_in_a_required_column_is_shown_by_a_check(self, lake, engine):
        """The engine does not refuse the row; the check does, and says where."""
        body = "SELECT CAST(NULL AS integer) AS n, CAST(1 AS integer) AS version"
        table = lake.table({"n": "int", "version": "int"}, body=body, engine=engine, checks=(NotNull("n"),))
        with pytest.raises(CheckFailed, match="not_null_n"):
            lake.write(table)

    def test_a_value_that_does_not_fit_its_type_fails_the_write(self, lake):
        """A cast that fails stops the write on either engine, and the sentence says why."""
        body = "SELECT CAST(x AS varchar) AS n FROM UNNEST(ARRAY['1', 'one']) AS s (x)"
        for engine in ("trino", "spark"):
            table = lake.table({"n": "int"}, base=engine, body=body, engine=engine)
            with pytest.raises(QueryError, match="(?i)cast"):
                lake.write(table)
            assert lake.snapshots(table) == []
            assert lake.stages(table) == []

    def test_a_changed_definition_adds_and_widens_columns(self, lake):
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

    def test_delete_files_in_the_table_are_harmless(self, lake):
        """Somebody's DELETE left delete files: the other partition keeps them, the rewritten one has all its rows."""
        table = lake.table(YEARLY, body=BY_YEAR.format(mark="x"), partitioning=YEARS)
        lake.write(table, "2019", "2020")
        lake.stack.engine("trino").rows(f"DELETE FROM {table} WHERE n <= 40")
        assert lake.rows(f"{table} GROUP BY 1", select="year, count(*)") == [(2019, 90), (2020, 90)]
        lake.write(table, "2019")

        for engine in ("trino", "spark"):
            assert lake.rows(f"{table} GROUP BY 1", engine, select="year, count(*)") == [(2019, 100), (2020, 90)]

    @pytest.mark.parametrize("engine", ["trino", "spark"])
    def test_a_refused_statement_names_its_line_and_column(self, lake, engine):
        """The error of an engine points at the place in the statement."""
        with pytest.raises(QueryError, match=r"line 2, column \d+") as caught:
            lake.stack.engine(engine).rows("SELECT 1 AS n\nFROM curated.no_such_table")
        assert "FROM curated.no_such_table" in str(caught.value)
