"""Which runs a selection of tables becomes."""

from __future__ import annotations

from datetime import date

import pytest
from headwater.errors import ConfigError
from headwater.project import Project, Source
from headwater.table import Column, DelimitedFiles, Partitioning, Table
from headwater_assets.lib.plan import batches, every_key, keys_between, keys_with_files, partition_tags, select

TODAY = date(2022, 6, 1)
YEAR = Partitioning("year", by="year", start="2019")
MONTH = Partitioning("month", by="month", start="2022-04")


def raw(name, cut=YEAR):
    """Return a raw table."""
    files = DelimitedFiles(folder="in", pattern=r"(?P<key>.*)\.txt")
    return Table(
        name=f"raw.{name}",
        doc="d",
        owner="team:a",
        columns=(Column("id", "string", "d"),),
        files=files,
        partitioning=cut,
    )


def typed(name, *upstreams, cut=YEAR, rejects=False):
    """Return a table with a body."""
    columns = (Column("id", "string", "d"), Column("year", "int", "d"), Column("month", "date", "d"))
    return Table(
        name=f"partitioned.{name}",
        doc="d",
        owner="team:a",
        columns=columns,
        upstreams=upstreams,
        engine="spark",
        body=lambda *frames: frames[0],
        partitioning=cut,
        rejects=rejects,
    )


RAW_A, RAW_B = raw("a"), raw("b")
A, B = typed("a", RAW_A, rejects=True), typed("b", RAW_B)
BOTH = typed("both", A, B)
WHOLE = typed("whole", BOTH, cut=None)
TABLES = (RAW_A, A, RAW_B, B, BOTH, WHOLE)
FILES = {"raw.a": {"2019": 1, "2020": 1, "2021": 1}, "raw.b": {"2019": 1, "2020": 1}}


def planned(keys):
    """Return each run as names and span."""
    return [([table.id.name for table in run.tables], run.first, run.last) for run in batches(TABLES, keys, TODAY)]


def test_a_partition_counts_when_all_its_files_are_there():
    """The partitions of a table are those that every raw table behind it has files for."""
    assert keys_with_files(A, lambda table: FILES[table.name], TODAY) == ("2019", "2020", "2021")
    assert keys_with_files(BOTH, lambda table: FILES[table.name], TODAY) == ("2019", "2020")
    assert keys_with_files(WHOLE, lambda table: FILES[table.name], TODAY) == ()


def test_tables_of_the_same_partitions_share_a_run():
    """With the same partitions everywhere, one run writes all tables, those without partitions too."""
    keys = {table.name: ("2019", "2020") for table in TABLES}

    assert planned(keys) == [(["a", "a", "b", "b", "both", "whole"], "2019", "2020")]


def test_other_partitions_are_another_run():
    """Tables with other partitions come in their own run, after their upstreams."""
    keys = {table.name: keys_with_files(table, lambda one: FILES[one.name], TODAY) for table in TABLES}

    assert planned(keys) == [
        (["a", "a"], "2019", "2021"),
        (["b", "b", "both", "whole"], "2019", "2020"),
    ]


def test_a_gap_makes_two_runs_and_the_whole_table_comes_last():
    """Dagster's runs take unbroken ranges; what reads all partitions waits for both."""
    keys = {table.name: ("2019", "2021") for table in TABLES}

    assert planned(keys) == [
        (["a", "a", "b", "b", "both"], "2019", "2019"),
        (["a", "a", "b", "b", "both"], "2021", "2021"),
        (["whole"], "", ""),
    ]


def test_without_files_there_is_nothing_to_write():
    """Tables without wanted partitions are left out, and so is what reads them."""
    assert planned({}) == []


def test_a_run_asks_for_rejected_rows_too():
    """Dagster is asked for a table's second output, and told the partitions its own way."""
    (run,) = batches((A,), {A.name: ("2019",)}, TODAY)

    assert run.assets == ("partitioned.a", "partitioned.a__rejected")
    assert run.tags == {"dagster/partition": "2019"}
    assert partition_tags("2019", "2020") == {
        "dagster/asset_partition_range_start": "2019",
        "dagster/asset_partition_range_end": "2020",
    }
    assert partition_tags("", "") == {}


def test_keys_of_a_range():
    """A range is taken from the partitions that exist; a wrong one is refused with the ends."""
    assert every_key(MONTH, TODAY) == ("2022-04", "2022-05", "2022-06")
    assert keys_between(YEAR, "2020", "2022", TODAY) == ("2020", "2021", "2022")
    with pytest.raises(ConfigError, match="'1980' is no year partition; they go from 2019 to 2022"):
        keys_between(YEAR, "1980", "2022", TODAY)
    with pytest.raises(ConfigError, match=r"write 2019\.\.2021"):
        keys_between(YEAR, "2021", "2019", TODAY)


def test_selecting_tables(tmp_path):
    """Names, patterns and domains select tables; what means nothing is refused with what there is."""
    project = Project("p", TABLES, {A.name: Source("shop", tmp_path, 1)})

    assert select(project, ["partitioned.b", "raw.*"]) == (RAW_A, RAW_B, B)
    assert select(project, ["shop"]) == (A,)
    assert select(project, ["*"]) == TABLES
    with pytest.raises(ConfigError, match=r"no table 'curated\.x'; it has raw\.a, "):
        select(project, ["curated.x"])
