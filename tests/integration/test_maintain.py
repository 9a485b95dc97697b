"""Upkeep on real services: whoever reads or writes meanwhile sees nothing of it."""

from __future__ import annotations

import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
import pytest
from catalog_site import Site
from command_line import headwater
from headwater.errors import QueryError
from headwater.files import Options, ingest_into
from headwater.keep import Keep
from headwater.layout import location
from headwater.table import Partitioning
from headwater.write import Published, load_raw, maintain, upkeeps, write
from headwater.write._compact import Compaction
from headwater_assets.lib.upkeep_job import upkeep_job
from headwater_catalog.telling import telling

pytestmark = pytest.mark.box

YEARS = Partitioning("year", "year", "2019")
COLUMNS = {"n": "int", "year": "int", "mark": "string"}
BODY = (
    "SELECT CAST(n AS integer) AS n, CAST(2019 + n % 2 AS integer) AS year, '{mark}' AS mark "
    "FROM UNNEST(sequence(1, 40)) AS s (n)"
)
SHORT = Keep(days=1, snapshots=1)
# A compaction in a process of its own that kills itself as soon as a message of the log holds a text.
DYING = """
import os, signal
from headwater.profile import Profile
from headwater.stack import Stack
from headwater.write import Published, load_raw, maintain, upkeeps, write

def log(message):
    if {death!r} in message:
        os.kill(os.getpid(), signal.SIGKILL)

stack = Stack.build(Profile.load())
[one] = [one for one in upkeeps(stack, ()) if str(one.name) == {name!r}]
maintain(one, stack, log=log)
"""


def years(lake, mark="x", **more):
    """Declare a table of two years, each of its rows marked."""
    return lake.table(COLUMNS, body=BODY.format(mark=mark), partitioning=YEARS, **more)


def scattered(lake, pieces=6, **more):
    """Return a table whose first year is in many small files; it has 40 rows."""
    table = years(lake, **more)
    lake.write(table, "2019", "2020")
    lake.stack.engine("trino").rows(f"DELETE FROM {table} WHERE year = 2019 AND n <= {2 * pieces}")
    add_files(lake, table, 2019, [2 * n for n in range(1, pieces + 1)])
    return table


def add_files(lake, table, year, numbers):
    """Add a file of one row for each number."""
    iceberg = lake.iceberg(table)
    for n in numbers:
        columns = {"n": pa.array([n], pa.int32()), "year": pa.array([year], pa.int32()), "mark": ["x"]}
        iceberg.append(pa.table(columns))


def keep_house(lake, table, **more):
    """Maintain one table; rows, stages and leases must be as if nothing had happened."""
    name = str(table)
    [upkeep] = [one for one in upkeeps(lake.stack, [table] if hasattr(table, "id") else ()) if str(one.name) == name]
    return maintain(upkeep, lake.stack, **more)


def later(days):
    """Return a time to come, from which ages can be counted."""
    return datetime.now(UTC) + timedelta(days=days)


def test_small_files_become_few_and_rows_stay(lake):
    """Rows are the same in both engines, also those that deletes had taken away; nothing of the copy is left."""
    table = scattered(lake)
    before, files = lake.rows(table), len(lake.data_files(table))
    planned = keep_house(lake, table, dry_run=True)
    assert lake.rows(table) == before
    assert len(lake.snapshots(table)) == 8
    done = keep_house(lake, table)

    assert lake.rows(table) == lake.rows(table, "spark") == before
    assert done.files == planned.files == (files, 2)
    assert done.expired == planned.expired == 0
    assert lake.snapshots(table)[-1].summary.operation.value == "replace"
    assert (done.snapshots, done.notes) == ((lake.snapshots(table)[-1].snapshot_id,), ())
    assert lake.stages(table) == lake.objects(table, "/_leases") == []
    assert keep_house(lake, table).files == (2, 2)
    assert len(lake.snapshots(table)) == 9


def test_a_former_state_stays_readable_for_as_long_as_it_is_kept(lake):
    """Within the days it is read as it was; after them it is forgotten, its files are gone, and the rows are not."""
    for mark in "abc":
        lake.write(years(lake, mark), "2019", "2020")
    table = years(lake, "c", keep=SHORT)
    first, _, last = (one.snapshot_id for one in lake.snapshots(table))
    stored = set(lake.objects(table))
    assert keep_house(lake, table).expired == 0
    former = f"{table} FOR VERSION AS OF {first}"
    assert lake.rows(former, select="DISTINCT mark") == [("a",)]

    planned = keep_house(lake, table, dry_run=True, now=later(5))
    assert set(lake.objects(table)) == stored
    done = keep_house(lake, table, now=later(5))
    assert (done.expired, done.removed, done.removed_bytes) == (2, planned.removed, planned.removed_bytes)
    assert done.removed == len(stored - set(lake.objects(table))) > 0
    assert [one.snapshot_id for one in lake.snapshots(table)] == [last]
    assert lake.rows(table, select="DISTINCT mark") == lake.rows(table, "spark", select="DISTINCT mark") == [("c",)]
    with pytest.raises(QueryError):
        lake.rows(former)


def test_branches_and_tags_keep_their_files(lake):
    """What somebody named stays readable under its name, however old it is."""
    for mark in "abc":
        lake.write(years(lake, mark), "2019", "2020")
    table = years(lake, "c", keep=SHORT)
    first, second, _ = (one.snapshot_id for one in lake.snapshots(table))
    spark = lake.stack.engine("spark").rows
    spark(f"ALTER TABLE {table} CREATE TAG year_end AS OF VERSION {first}")
    spark(f"ALTER TABLE {table} CREATE BRANCH audit AS OF VERSION {second}")
    done = keep_house(lake, table, now=later(400))

    assert done.expired == 0
    assert lake.rows(f"{table} FOR VERSION AS OF 'year_end'", select="DISTINCT mark") == [("a",)]
    assert lake.rows(f"{table} VERSION AS OF 'audit'", "spark", select="DISTINCT mark") == [("b",)]
    spark(f"ALTER TABLE {table} DROP TAG year_end")
    assert keep_house(lake, table, now=later(400)).expired == 1
    assert lake.rows(f"{table} VERSION AS OF 'audit'", "spark", select="DISTINCT mark") == [("b",)]


def test_orphans_go_once_they_are_old_and_never_while_the_table_is_written(lake):
    """A young file stays, an old one goes; a write that is under way keeps everything, its own stage above all."""
    table = years(lake)
    lake.write(table, "2019", "2020")
    place = location(lake.stack.profile.bucket, table.id)
    lake.stack.storage.put(place + "/data/left.parquet", b"left behind")
    assert keep_house(lake, table).removed == 0
    seen = []

    def meanwhile(message):
        if "checked" in message:
            seen.append(keep_house(lake, table, safe_age=timedelta(0)))

    lake.write(years(lake, "new"), "2019", log=meanwhile)
    assert [(one.removed, one.notes) for one in seen] == [(0, ("no file was removed: it is being written",))]
    done = keep_house(lake, table, safe_age=timedelta(0))

    assert (done.removed, done.removed_bytes) == (1, len(b"left behind"))
    assert lake.rows(f"{table} GROUP BY 1", select="mark, count(*)") == [("new", 20), ("x", 20)]


@pytest.mark.full
def test_a_table_in_the_same_place_keeps_its_files(lake):
    """A renamed table stays where it was, and a new one of its former name lies there, too: neither is cleaned."""
    table = years(lake)
    lake.write(table, "2019", "2020")
    renamed = lake.name("curated", "renamed")
    lake.stack.engine("trino").rows(f"ALTER TABLE {table} RENAME TO {renamed}")
    lake.write(years(lake, "new"), "2019")
    for one in (table, renamed):
        done = keep_house(lake, one, safe_age=timedelta(0))
        assert done.removed == 0
        assert "lies in the same place" in done.notes[0]

    assert lake.rows(renamed, select="DISTINCT mark") == [("x",)]
    assert lake.rows(table, select="DISTINCT mark") == [("new",)]


def test_a_publish_during_a_compaction_wins(lake):
    """The copy of rows that were replaced meanwhile is dropped; the new rows are there once."""
    table = scattered(lake)
    done = keep_house(
        lake, table, log=lambda said: lake.write(years(lake, "new"), "2019") if "copied" in said else None
    )

    assert "was written to while it was compacted" in done.notes[0]
    assert lake.rows(f"{table} GROUP BY 1, 2", select="year, mark, count(*)") == [(2019, "new", 20), (2020, "x", 20)]
    assert lake.stages(table) == lake.objects(table, "/_leases") == []


@pytest.mark.full
def test_a_publish_of_another_partition_stops_no_compaction(lake):
    """Both come through."""
    table = years(lake)
    lake.write(table, "2019", "2020")
    add_files(lake, table, 2019, range(100, 106))
    done = keep_house(
        lake, table, log=lambda said: lake.write(years(lake, "new"), "2020") if "copied" in said else None
    )

    assert done.notes == ()
    assert len(done.snapshots) == 1
    assert lake.rows(f"{table} GROUP BY 1, 2", select="year, mark, count(*)") == [(2019, "x", 26), (2020, "new", 20)]


def test_a_compaction_during_a_publish_changes_nothing_about_it(lake):
    """The files that the publish was to replace are others now; it replaces those."""
    table = scattered(lake)

    def meanwhile(message):
        if "checked" in message:
            assert keep_house(lake, table).files[1] == 2

    lake.write(years(lake, "new"), "2019", log=meanwhile)
    assert lake.rows(f"{table} GROUP BY 1, 2", select="year, mark, count(*)") == [(2019, "new", 20), (2020, "x", 20)]


@pytest.mark.full
def test_rows_that_are_changed_by_hand_meanwhile_are_neither_lost_nor_doubled(lake):
    """Updates, publishes and compactions at once: every reader counts the same rows, and no update is undone."""
    table = scattered(lake)
    ended, counts, wanted = threading.Event(), set(), {}

    def until_the_end(work):
        while not ended.is_set():
            work()

    def read(engine):
        return lambda: counts.update(lake.rows(table, engine, select="count(*), count(DISTINCT n)"))

    def update():
        for step in range(5):
            n = 2 * (step % 3) + 2
            try:
                sql = f"UPDATE {table} SET mark = 'u{step}' WHERE year = 2019 AND n = {n}"
                lake.stack.engine("trino").rows(sql)
                wanted[n] = f"u{step}"
            except QueryError as error:
                if "ommit" not in str(error):  # otherwise Trino says that it is undone
                    raise

    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(until_the_end, read(engine)) for engine in ("trino", "spark")]
        busy.append(pool.submit(until_the_end, lambda: keep_house(lake, table)))
        changing = pool.submit(update)
        try:
            for mark in ("p0", "p1"):
                lake.write(years(lake, mark), "2020", run=mark)
            changing.result()
        finally:
            ended.set()
        for one in busy:
            one.result()
    keep_house(lake, table)

    assert counts == {(40, 40)}
    marks = dict(lake.rows(f"{table} WHERE year = 2019", select="n, mark"))
    assert {n: marks[n] for n in wanted} == wanted
    assert lake.rows(f"{table} WHERE year = 2020", select="DISTINCT mark") == [("p1",)]
    assert lake.rows(table) == lake.rows(table, "spark")
    assert lake.stages(table) == lake.objects(table, "/_leases") == []


@pytest.mark.parametrize("death", [pytest.param("copied", marks=pytest.mark.full), "compacted"])
def test_what_a_killed_upkeep_leaves_goes_with_the_next_one(lake, death):
    """Killed before or after its commit: the rows are whole, and copy, lease and stage go after the lease."""
    table = scattered(lake)
    before = lake.rows(table)
    done = lake.program(DYING.format(death=death, name=table.name))
    assert done.returncode == -9, done.stderr
    assert lake.rows(table) == before
    assert len(lake.stages(table)) == 1
    assert keep_house(lake, table).notes == ("no file was removed: it is being written",)
    assert len(lake.stages(table)) == 1
    time.sleep(2)
    done = keep_house(lake.with_lease(1), table)

    assert lake.stages(table) == lake.objects(table, "/_leases") == []
    assert lake.rows(table) == lake.rows(table, "spark") == before
    assert (done.files[1], done.notes) == (2, ())


def test_a_copy_that_lost_a_row_is_never_shown(lake, monkeypatch):
    """However that came: the count of the copy is held against the files that it is a copy of."""
    table = years(lake)
    lake.write(table, "2020")
    add_files(lake, table, 2019, range(6))
    before = lake.rows(table)
    run = Compaction.run

    def losing(self, batch):
        lake.stack.engine("trino").rows(f"DELETE FROM {table} WHERE n = 3 AND year = 2019")
        return run(self, batch)

    monkeypatch.setattr(Compaction, "run", losing)
    done = keep_house(lake, table)
    assert "rows, not 6" in done.notes[0]
    assert lake.rows(table) == [row for row in before if row[:2] != (3, 2019)]


def test_former_loads_of_a_raw_table_go_and_what_is_shown_stays(lake):
    """The load before is kept for the days; files that people dropped are not touched."""
    raw = lake.raw(("word", "n"), keep=SHORT)
    for text in ("a|1\n", "b|2\n"):
        lake.drop_file("rows_2019.txt", text)
        lake.load(raw, "2019")
    folder = lake.stack.profile.project / raw.files.folder
    assert keep_house(lake, raw).removed == 0
    planned = keep_house(lake, raw, dry_run=True, now=later(5))
    done = keep_house(lake, raw, now=later(5))

    assert done.removed == planned.removed == 2  # the file and what is written down about it
    assert len([uri for uri in lake.objects(raw) if uri.endswith(".txt")]) == 1
    assert lake.rows(raw) == lake.rows(raw, "spark") == [("b", "2", 2019)]
    assert (folder / "rows_2019.txt").read_text(encoding="utf-8") == "b|2\n"


def test_former_loads_of_an_ingested_table_go_with_their_snapshots(lake, tmp_path):
    """A replaced load goes whole, its original too, once no snapshot shows it; appended ones stay, file by file."""
    name = lake.name("raw", "ingested")

    def take(text, if_exists):
        file = tmp_path / "rows.csv"
        file.write_text("word,n\n" + text, encoding="utf-8")
        ingest_into(lake.stack, [str(file)], table=name, options=Options(if_exists=if_exists), log=lambda _: None)

    take("a,1\n", "fail")
    take("b,2\n", "replace")
    take("c,3\n", "append")
    place = f"s3://{lake.stack.profile.bucket}/raw/{name.partition('.')[2]}/"

    def originals():
        return sorted(
            lake.stack.storage.read(one.uri) for one in lake.stack.storage.objects(place) if "/files/" in one.uri
        )

    assert len(originals()) == 3
    assert keep_house(lake, name, now=later(20)).removed == 0
    done = keep_house(lake, name, now=later(400))
    assert done.expired == 0  # three snapshots are kept whatever their age
    take("d,4\n", "append")
    assert keep_house(lake, name, now=later(400)).expired == 1

    told = json.loads(headwater(lake.stack.profile, "explain", name, "-o", "json").stdout)
    assert [one["size"] for one in told["files"]] == [len(b"word,n\nb,2\n")] * 3
    assert {one["readable"] for one in told["files"]} == {True}
    assert originals() == [b"word,n\nb,2\n", b"word,n\nc,3\n", b"word,n\nd,4\n"]
    assert lake.rows(name) == lake.rows(name, "spark") == [("b", 2), ("c", 3), ("d", 4)]


def test_the_command_plans_does_and_refuses(lake):
    """A plan changes nothing and is what is done then; a name that means nothing is refused with those that do."""
    table = scattered(lake)
    profile = lake.stack.profile
    before = lake.objects(table)
    [planned] = json.loads(headwater(profile, "maintain", table.name, "--dry-run", "-o", "json").stdout)
    assert lake.objects(table) == before
    assert "Nothing was changed" in headwater(profile, "maintain", table.name, "--dry-run").stdout
    [done] = json.loads(headwater(profile, "maintain", table.name, "-o", "json").stdout)

    assert {key: done[key] for key in planned if key != "bytes_after"} == {
        key: planned[key] for key in planned if key != "bytes_after"
    }
    assert (done["files_before"], done["files_after"]) == (8, 2)
    refused = headwater(profile, "maintain", "curated.nothing_of_that_name", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "There is no table 'curated.nothing_of_that_name' to maintain" in refused.stderr


def test_the_catalog_knows_a_compaction_and_takes_it_for_no_write(lake):
    """Its snapshot means a time to the catalog; the table is as fresh as before and is made of what it was made of."""
    table = scattered(lake)
    profile = lake.stack.profile
    headwater(profile, "maintain", table.name)
    snapshot = str(lake.snapshots(table)[-1].snapshot_id)
    history = json.loads(headwater(profile, "history", table.name, "-o", "json").stdout)["runs"]
    told = [one for one in history if one["snapshot"] == snapshot]

    assert [(one["job"], one["state"]) for one in told] == [("maintain", "OTHER")]
    assert not [one for one in history if "_maintain" in one["job"]]
    asked = headwater(profile, "lineage", table.name, "--as-of", snapshot, "-o", "json").stdout
    assert [one["snapshot"] for one in json.loads(asked)["nodes"]] == [snapshot]


def test_the_past_is_told_when_its_data_are_gone(lake):
    """The catalog answers as of an expired snapshot and says that it cannot be read, whoever expired it."""
    for mark in "abc":
        lake.write(years(lake, mark), "2019", "2020")
    table, profile = years(lake, "c", keep=SHORT), lake.stack.profile
    first, second, third = (one.snapshot_id for one in lake.snapshots(table))
    tell = telling(profile, lambda table, **_: published(table))
    states = iter((first, second, third))

    def published(table):
        return Published(table=table.name, snapshot_id=next(states), rows=40, files=2, bytes=1)

    for attempt in range(3):
        tell(table, run=f"{uuid.uuid4()}-{attempt}", partitions=(), log=pytest.fail)

    def past(snapshot):
        asked = headwater(profile, "lineage", table.name, "--as-of", str(snapshot))
        told = json.loads(headwater(profile, "lineage", table.name, "--as-of", str(snapshot), "-o", "json").stdout)
        [node] = told["nodes"]
        return node["snapshot"] == str(snapshot), node["readable"], "are gone" in asked.stderr

    assert past(first) == (True, True, False)
    spark = lake.stack.engine("spark").rows
    spark(f"CALL spark_catalog.system.expire_snapshots(table => '{table}', snapshot_ids => ARRAY({first}L))")
    assert past(first) == (True, False, True)
    assert keep_house(lake, table, now=later(5)).expired == 1
    assert (past(second), past(third)) == ((True, False, True), (True, True, False))
    runs = json.loads(headwater(profile, "history", table.name, "-o", "json").stdout)["runs"]
    readable = {one["snapshot"]: one["readable"] for one in runs if one["job"] == table.name}
    assert readable == {str(first): False, str(second): False, str(third): True}


@pytest.mark.full
def test_dagsters_job_maintains_the_lake(lake, monkeypatch):
    """The job does what the command does; here it is kept from the tables of other tests."""
    table = scattered(lake)
    before = lake.rows(table)
    for name, value in lake.stack.profile.environment().items():
        monkeypatch.setenv(name, value)
    mine = [one for one in upkeeps(lake.stack, ()) if str(one.name) == table.name]
    monkeypatch.setattr("headwater.write.upkeeps", lambda *_: [replace(one, declared=True) for one in mine])

    assert upkeep_job().execute_in_process().success
    assert len(lake.data_files(table)) == 2
    assert lake.rows(table) == before


def test_a_number_is_explained_down_to_its_files(lake):
    """From a curated table back to the exact load, with what is still there; a newer load changes nothing about it."""
    profile = lake.stack.profile
    raw = lake.raw(("word",))
    lake.drop_file("rows_2019.txt", "a\nb\n")
    table = lake.table(
        {"word": "string", "year": "int"}, body="SELECT word, year FROM " + raw.name, upstreams=(raw,),
        partitioning=YEARS,
    )  # fmt: skip
    tell = [telling(profile, partial(way, stack=lake.stack)) for way in (load_raw, write)]
    for way, what in zip(tell, (raw, table), strict=True):
        way(what, run=f"{uuid.uuid4()}-0", partitions=("2019",), log=lambda _: None)
    lake.drop_file("rows_2019.txt", "c\n")
    tell[0](raw, run=f"{uuid.uuid4()}-0", partitions=("2019",), log=lambda _: None)
    answer = json.loads(headwater(profile, "explain", table.name, "--partition", "2019", "-o", "json").stdout)

    assert [(one["table"], one["partitions"], one["rows"], one["certain"]) for one in answer["writes"]] == [
        (table.name, ["2019"], 2, True), (raw.name, ["2019"], 2, True),
    ]  # fmt: skip
    assert [(one["name"], one["size"], one["lines"], one["readable"]) for one in answer["files"]] == [
        ("rows_2019.txt", 4, 2, True)
    ]
    assert answer["writes"][0]["readable"] is True
    keep_house(lake, replace(raw, keep=SHORT), now=later(5))
    shown = headwater(profile, "explain", table.name).stdout
    assert "rows_2019.txt" in shown
    assert "gone" in shown
    page = Site(profile).get("/explain", name=table.name)
    assert page.status_code == 200
    assert "rows_2019.txt" in page.text
    assert Site(profile).get("/run", run=answer["writes"][0]["run"]).status_code == 200
