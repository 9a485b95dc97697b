"""Writes that die: nothing half is ever read, and the next write cleans up after the dead, never after the living."""

from __future__ import annotations

import time

import pytest
from headwater.errors import WriteError
from headwater.layout import location
from headwater.table import Partitioning

pytestmark = pytest.mark.box

YEARS = Partitioning("year", "year", "2019")
BODY = "SELECT year, '{mark}' AS mark FROM UNNEST(ARRAY[2019, 2020]) AS s (year)"
COLUMNS = {"year": "int", "mark": "string"}

# A write in a process of its own that kills itself as soon as a message of the log begins in a certain way.
DYING = """
import os, signal
from headwater.profile import Profile
from headwater.stack import Stack
from headwater.table import Column, DelimitedFiles, Partitioning, Table
from headwater.write import load_raw, write

def body(rows):
    from pyspark.sql import functions as F
    return rows.withColumn("reject_reason", F.when(F.col("mark") == "bad", "bad"))

def log(message):
    if {death!r} in message:
        os.kill(os.getpid(), signal.SIGKILL)

cut = Partitioning("year", "year", "2019")
columns = tuple(Column(name, kind, "The " + name + ".") for name, kind in {columns!r}.items())
{table}
write(table, Stack.build(Profile.load()), run="dying", partitions={keys!r}, log=log)
"""
SQL_TABLE = "table = Table(name={name!r}, doc='d', owner='team:t', columns=columns, body={body!r}, partitioning=cut)"
REJECTS_TABLE = """
raw = Table(name={raw!r}, doc='d', owner='team:t', columns=(Column('mark', 'string', 'm'),), partitioning=cut,
            files=DelimitedFiles(folder={folder!r}, pattern={pattern!r}))
table = Table(name={name!r}, doc='d', owner='team:t', columns=columns, body=body, partitioning=cut, engine='spark',
              upstreams=(raw,), rejects=True)
"""


def table_of(lake, mark):
    """Return the same table each time, its rows marked."""
    return lake.table(COLUMNS, body=BODY.format(mark=mark), partitioning=YEARS)


def die(lake, table, death, *keys):
    """Write in another process, which is killed at a message; return what the process said last."""
    declared = SQL_TABLE.format(name=table.name, body=table.body)
    done = lake.program(DYING.format(death=death, columns=COLUMNS, table=declared, keys=keys))
    assert done.returncode == -9, done.stderr


def test_a_write_killed_before_its_publish_changes_nothing(lake):
    """The old rows stay; what the dead write left goes with the next write after the lease, and not before."""
    lake.write(table_of(lake, "old"), "2019", "2020")
    table = table_of(lake, "new")
    die(lake, table, "checked", "2019")
    assert lake.rows(table) == [(2019, "old"), (2020, "old")]
    assert len(lake.stages(table)) == 1

    lake.write(table, "2020")
    assert len(lake.stages(table)) == 1
    time.sleep(2)
    lake.with_lease(1).write(table, "2020")
    assert lake.rows(table) == [(2019, "old"), (2020, "new")]
    assert lake.stages(table) == []
    assert lake.objects(table, "/_leases") == []
    used = {path.rpartition("/")[2] for path in lake.data_files(table)}
    left = [uri for uri in lake.objects(table, "/_stage") if uri.endswith(".parquet")]
    assert used <= {uri.rpartition("/")[2] for uri in left}


def test_a_write_killed_after_its_publish_keeps_its_rows(lake):
    """The dead write had published: its name is cleaned up, its files are not."""
    table = table_of(lake, "new")
    die(lake, table, "published snapshot", "2019")
    assert lake.rows(table) == [(2019, "new")]
    assert len(lake.stages(table)) == 1
    time.sleep(2)
    lake.with_lease(1).write(table, "2020")

    assert lake.stages(table) == []
    for engine in ("trino", "spark"):
        assert lake.rows(table, engine) == [(2019, "new"), (2020, "new")]


def test_half_a_publish_is_healed_by_the_next_run(lake):
    """Killed when its rejects were published and its rows were not: the next run publishes both."""
    raw = lake.raw(("mark",))
    lake.drop_file("rows_2019.txt", "good\nbad\n")
    lake.load(raw, "2019")
    name = lake.name("partitioned")
    declared = REJECTS_TABLE.format(raw=raw.name, folder=raw.files.folder, pattern=raw.files.pattern, name=name)
    program = DYING.format(death="rejected rows", columns=COLUMNS, table=declared, keys=("2019",))
    assert lake.program(program).returncode == -9
    assert lake.rows(name) == []
    assert lake.rows(f"{name}__rejected", select="source_line") == [(2,)]
    time.sleep(2)
    done = lake.with_lease(1).program(program.replace("rejected rows", "nothing says this"))

    assert done.returncode == 0, done.stderr
    assert lake.rows(name) == [(2019, "good")]
    assert lake.rows(f"{name}__rejected", select="source_line") == [(2,)]
    tables = [next(iter(row.values())) for row in lake.stack.engine("trino").rows("SHOW TABLES FROM partitioned")]
    assert not [found for found in tables if found.startswith(f"{name.partition('.')[2]}__") and "stage" in found]


def test_a_living_write_is_left_alone(lake):
    """A write that takes longer than its lease gives signs of life, so others do not clean up after it."""
    short = lake.with_lease(2)
    slow, other = table_of(lake, "slow"), table_of(lake, "other")

    def linger(message):
        if "checked" in message:
            time.sleep(4)
            short.write(other, "2020")

    short.write(slow, "2019", log=linger)
    assert lake.rows(slow) == [(2019, "slow"), (2020, "other")]


def test_a_write_taken_for_dead_cannot_publish(lake):
    """Its lease was removed while it was stopped: it finds out before it publishes."""
    slow, other = table_of(lake, "slow"), table_of(lake, "other")

    def sleep_through(message):
        if "checked" in message:
            time.sleep(2)
            lake.with_lease(1).write(other, "2019", "2020")

    with pytest.raises(WriteError, match="taken for dead"):
        lake.with_lease(3600).write(slow, "2019", log=sleep_through)
    assert lake.rows(slow) == [(2019, "other"), (2020, "other")]
    assert lake.stages(slow) == []


def test_a_fence_stops_a_publish_that_is_already_on_its_way(lake):
    """Even a write whose lease looks fine is refused by the commit itself when it was fenced."""
    slow, other = table_of(lake, "slow"), table_of(lake, "other")
    base = location(lake.stack.profile.bucket, slow.id)

    def sleep_through(message):
        if "checked" in message:
            time.sleep(2)
            [lease] = lake.objects(slow, "/_leases")
            lake.with_lease(1).write(other, "2019", "2020")
            lake.stack.storage.put(base + lease, b"{}")

    with pytest.raises(WriteError, match="taken for dead"):
        lake.with_lease(3600).write(slow, "2019", log=sleep_through)
    assert lake.rows(slow) == [(2019, "other"), (2020, "other")]
    assert [key for key in lake.iceberg(slow).properties if key.startswith("headwater.fenced.")]


@pytest.mark.full
def test_a_lock_that_a_dead_writer_holds_is_waited_out(lake):
    """Killed in the middle of a commit: the metastore's lock expires, and the next write goes on by itself."""
    table = table_of(lake, "new")
    lake.write(table, "2019")
    catalog = lake.stack.metastore.iceberg()
    with catalog._client as client:
        client.lock(catalog._create_lock_request(table.zone, table.id.name))
    said = []
    began = time.monotonic()
    lake.write(table, "2020", log=said.append)

    assert lake.rows(table) == [(2019, "new"), (2020, "new")]
    assert [line for line in said if "lock" in line]
    assert time.monotonic() - began < 150


def test_a_commit_under_an_expired_lock_is_refused(lake):
    """A writer whose lock is gone, for it was stopped too long, cannot change the table."""
    from hive_metastore.ttypes import UnlockRequest
    from pyiceberg.exceptions import CommitFailedException

    table = table_of(lake, "new")
    lake.write(table, "2019")
    catalog = lake.stack.metastore.iceberg()
    with catalog._client as client:
        held = client.lock(catalog._create_lock_request(table.zone, table.id.name))
        client.unlock(UnlockRequest(lockid=held.lockid))
        known = client.get_table(table.zone, table.id.name)
        with pytest.raises(CommitFailedException, match="expired"):
            client.alter_table_with_environment_context(table.zone, table.id.name, known, None)
