"""Rejected rows of ingests whose process dies: they are there when the rows are, and once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from headwater.errors import InputError, WriteError
from headwater.files import Options, ingest_into
from headwater.layout import location
from headwater.profile import inherited_env
from headwater.table import TableName
from headwater.write import ingested_table, maintain, upkeeps
from headwater.write._ingested import FileLoad

pytestmark = pytest.mark.box

# Two good lines and a bad one each.
ONE, TWO = "a,b\n1,x\n2\n3,y\n", "a,b\n4,z\n5,z\n6\n"
ASIDE = "source_file, source_line"

# An ingest in a process of its own that kills itself at one step of one table's load.
DYING = """
import os, signal
from headwater.files import Options, ingest_into
from headwater.profile import Profile
from headwater.stack import Stack
from headwater.write._ingested import FileLoad

original = FileLoad.{step}

def dying(load, *given, **more):
    done = None if {before} else original(load, *given, **more)
    if str(load.name) == {name!r}:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(load, *given, **more) if {before} else done

FileLoad.{step} = dying
ingest_into(Stack.build(Profile.load()), [{path!r}], table={table!r}, options=Options(**{wishes!r}))
"""


class Ingests:
    """Ingests into a table of one test's own; bad rows are set aside."""

    def __init__(self, lake, folder):
        self.lake, self.folder = lake, folder
        self.table = lake.name("raw", "aside")
        self.aside = f"{self.table}__rejected"

    def file(self, name, text):
        """Write a file; return its path."""
        (self.folder / name).write_text(text, encoding="utf-8")
        return str(self.folder / name)

    def __call__(self, path, lake=None, **wishes):
        """Ingest a file."""
        options = Options(**{"on_bad_rows": "reject", **wishes})
        return ingest_into((lake or self.lake).stack, [path], table=self.table, options=options)

    def die(self, path, step, *, before=False, aside=False, **wishes):
        """Ingest in a process that dies at a step, before or after it is made."""
        done = self.lake.program(
            DYING.format(
                step=step,
                before=before,
                name=self.aside if aside else self.table,
                path=path,
                table=self.table,
                wishes={"on_bad_rows": "reject", **wishes},
            )
        )
        assert done.returncode == -9, done.stderr

    def rows(self):
        """Return the rows, which must be equal in both engines; none without a table."""
        return self._rows(self.table, "a")

    def rejects(self):
        """Return file and line of the rejected rows, likewise."""
        return self._rows(self.aside, ASIDE)

    def _rows(self, table, select):
        if ingested_table(self.lake.stack, _name(table)) is None:
            return []
        trino = self.lake.rows(table, "trino", select)
        assert trino == self.lake.rows(table, "spark", select)
        return [row if len(row) > 1 else row[0] for row in trino]

    def objects(self, table, below):
        """Return what lies below a table."""
        place = location(self.lake.stack.profile.bucket, _name(table))
        return [found.uri for found in self.lake.stack.storage.objects(place + below)]

    def settled(self):
        """Return whether, once leases are over, a load leaves nothing unfinished."""
        time.sleep(2)
        self(self.file("last.csv", "a,b\n9,w\n"), lake=self.lake.with_lease(1), if_exists="append")
        left = self.objects(self.table, "/_leases") + self.objects(self.aside, "/_leases")
        shown = {uri for (uri,) in self.lake.rows(self.aside, "trino", 'DISTINCT "$path"')}
        kept = {uri.partition("://")[2] for uri in self.objects(self.aside, "/load=")}
        return left == [] and kept == {uri.partition("://")[2] for uri in shown}


def _name(table):
    return TableName(*table.split("."))


@pytest.fixture
def ingests(lake, tmp_path):
    """Ingests into a table of this test's own."""
    return Ingests(lake, tmp_path)


@pytest.fixture
def once_at(monkeypatch):
    """Lets something happen once, at a step of the next load of one table in this process."""

    def arrange(step, name, happens, *, after=False):
        original = getattr(FileLoad, step)

        def later(load, *given, **more):
            if str(load.name) != name:
                return original(load, *given, **more)
            monkeypatch.setattr(FileLoad, step, original)
            if not after:
                happens()
                return original(load, *given, **more)
            done = original(load, *given, **more)
            happens()
            return done

        monkeypatch.setattr(FileLoad, step, later)

    return arrange


@pytest.mark.parametrize("if_exists", ["fail", "append"])
def test_killed_between_rows_and_rejects_a_rerun_shows_the_rejects(ingests, if_exists):
    """The rows were published, so the load is done: whoever comes next shows what it set aside, at once and once."""
    path = ingests.file("1.csv", ONE)
    ingests.die(path, "publish", if_exists=if_exists)
    assert (ingests.rows(), ingests.rejects()) == ([1, 3], [])
    for _ in range(2):
        with pytest.raises(InputError, match="is in raw.* already, byte for byte|exists; say --if-exists"):
            ingests(path, if_exists=if_exists)
        assert (ingests.rows(), ingests.rejects()) == ([1, 3], [("1.csv", 3)])

    assert ingests.settled()
    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 9], [("1.csv", 3)])


def test_killed_in_the_middle_of_the_rejects_a_rerun_shows_them(ingests):
    """What the dead process left below the table of rejected rows is no hindrance, and goes later."""
    path = ingests.file("1.csv", ONE)
    ingests.die(path, "_create", before=True, aside=True)
    assert (ingests.rows(), ingests.rejects()) == ([1, 3], [])
    assert len(ingests.objects(ingests.aside, "/_leases")) == 1
    with pytest.raises(InputError, match="already, byte for byte"):
        ingests(path, if_exists="append")

    assert (ingests.rows(), ingests.rejects()) == ([1, 3], [("1.csv", 3)])
    time.sleep(2)
    ingests(ingests.file("2.csv", TWO), lake=ingests.lake.with_lease(1), if_exists="append")
    assert ingests.settled()
    assert ingests.rejects() == [("1.csv", 3), ("2.csv", 4)]


def test_killed_before_the_rows_there_are_no_rejects(ingests):
    """A load that does not exist rejected nothing; the rerun has both, once."""
    path = ingests.file("1.csv", ONE)
    ingests.die(path, "publish", before=True)
    assert (ingests.rows(), ingests.rejects()) == ([], [])
    done = ingests(path)

    assert (done.rows, done.rejected) == (2, 1)
    assert (ingests.rows(), ingests.rejects()) == ([1, 3], [("1.csv", 3)])
    assert ingests.settled()
    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 9], [("1.csv", 3)])


@pytest.mark.parametrize("how", [{"step": "publish", "aside": True}, {"step": "__exit__", "before": True}])
def test_killed_after_the_rejects_nothing_doubles(ingests, how):
    """Only a lease is left, of one table or of both."""
    path = ingests.file("1.csv", ONE)
    ingests.die(path, **how)
    assert (ingests.rows(), ingests.rejects()) == ([1, 3], [("1.csv", 3)])
    with pytest.raises(InputError, match="already, byte for byte"):
        ingests(path, if_exists="append")
    time.sleep(2)
    ingests(ingests.file("2.csv", TWO), lake=ingests.lake.with_lease(1), if_exists="append")

    assert ingests.settled()
    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 4, 5, 9], [("1.csv", 3), ("2.csv", 4)])


def test_a_killed_replace_takes_former_rejects_away(ingests):
    """Its own take their place, by the next load or by a rerun that replaces again."""
    ingests(ingests.file("1.csv", ONE))
    second = ingests.file("2.csv", TWO)
    ingests.die(second, "publish", if_exists="replace")
    assert (ingests.rows(), ingests.rejects()) == ([4, 5], [("1.csv", 3)])
    with pytest.raises(InputError, match="already, byte for byte"):
        ingests(second, if_exists="append")
    assert (ingests.rows(), ingests.rejects()) == ([4, 5], [("2.csv", 4)])
    ingests(second, if_exists="replace")
    assert (ingests.rows(), ingests.rejects()) == ([4, 5], [("2.csv", 4)])

    ingests.die(ingests.file("3.csv", "a,b\n7,v\n"), "publish", if_exists="replace")
    ingests(ingests.file("4.csv", ONE), if_exists="append")
    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 7], [("4.csv", 3)])


def test_a_replace_that_is_finished_late_leaves_the_rejects_of_later_loads(ingests, once_at):
    """The order of the rows' publishes counts, not that in which rejects come."""
    ingests(ingests.file("0.csv", "a,b\n0,u\n0\n"))
    first, second = ingests.file("1.csv", ONE), ingests.file("2.csv", TWO)
    once_at("publish", ingests.table, lambda: ingests.die(first, "publish", if_exists="replace"))
    ingests(second, if_exists="append")
    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 4, 5], [("0.csv", 3), ("2.csv", 4)])
    ingests(ingests.file("3.csv", "a,b\n7,v\n"), if_exists="append")

    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 4, 5, 7], [("1.csv", 3), ("2.csv", 4)])


@pytest.mark.parametrize("there", [True, False])
def test_rejects_of_rows_that_were_replaced_meanwhile_are_not_shown(ingests, once_at, there):
    """A killed load whose rows gave way has nothing to show any more, whether others ever rejected rows or not."""
    ingests(ingests.file("0.csv", "a,b\n0,u\n" + "0\n" * there))
    first = ingests.file("1.csv", ONE)
    once_at("publish", ingests.table, lambda: ingests.die(first, "publish", if_exists="append"))
    ingests(ingests.file("2.csv", "a,b\n4,z\n"), if_exists="replace")
    ingests(ingests.file("3.csv", "a,b\n5,z\n"), if_exists="append")

    assert (ingests.rows(), ingests.rejects()) == ([4, 5], [])


@pytest.mark.parametrize("there", [True, False])
def test_rejects_whose_rows_are_replaced_while_they_are_shown_go_too(ingests, once_at, there):
    """The replacing load had begun before, so it does not finish the other one, and comes between its two steps."""
    ingests(ingests.file("0.csv", "a,b\n0,u\n" + "0\n" * there))
    first, second = ingests.file("1.csv", ONE), ingests.file("2.csv", "a,b\n4,z\n")
    begun, may_go_on = threading.Event(), threading.Event()

    def wait():
        begun.set()
        assert may_go_on.wait(120)

    with ThreadPoolExecutor(1) as pool:
        once_at("publish", ingests.table, wait)
        replacing = pool.submit(ingests, second, if_exists="replace")
        assert begun.wait(120)

        def let_it_pass():
            may_go_on.set()
            replacing.result(120)

        once_at("_change" if there else "_create", ingests.aside, let_it_pass)
        ingests(first, if_exists="append")

    assert replacing.done()
    assert (ingests.rows(), ingests.rejects()) == ([4], [])


@pytest.mark.parametrize("there", [True, False])
def test_rejects_that_two_show_at_once_are_there_once(ingests, once_at, there):
    """In a table that is there and in one that has to be made; the loser leaves nothing."""
    if there:
        ingests(ingests.file("0.csv", "a,b\n0,u\n0\n"))
    path, more = ingests.file("1.csv", ONE), ingests.file("2.csv", "a,b\n7,v\n")
    ingests.die(path, "publish", if_exists="append")
    once_at("_change" if there else "_create", ingests.aside, lambda: ingests(more, if_exists="append"))
    with pytest.raises(InputError, match="already, byte for byte"):
        ingests(path, if_exists="append")

    assert ingests.rejects() == [("0.csv", 3)] * there + [("1.csv", 3)]
    assert ingests.settled()


def test_processes_that_begin_at_once_show_rejects_once(ingests):
    """Three reruns of a killed load: each is refused, and the counts add up."""
    path = ingests.file("1.csv", ONE)
    ingests.die(path, "publish", if_exists="append")
    command = ["ingest", path, "--table", ingests.table, "--if-exists", "append", "--on-bad-rows", "reject"]

    def rerun(_):
        return subprocess.run(
            [sys.executable, "-m", "headwater", *command],
            env=inherited_env(**ingests.lake.stack.profile.environment()),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    with ThreadPoolExecutor(3) as pool:
        said = [done.stderr for done in pool.map(rerun, range(3))]

    assert [("already, byte for byte" in one) for one in said] == [True] * 3, said
    assert (ingests.rows(), ingests.rejects()) == ([1, 3], [("1.csv", 3)])
    assert ingests.settled()


@pytest.mark.parametrize("whose", ["table", "aside"])
def test_maintain_shows_rejects_of_killed_loads(ingests, whose):
    """Of the table, and before anything of the table of rejected rows is forgotten; a dry run changes nothing."""
    ingests(ingests.file("0.csv", "a,b\n0,u\n0\n"))
    ingests.die(ingests.file("1.csv", ONE), "publish", if_exists="append")
    name = getattr(ingests, whose)
    [upkeep] = [one for one in upkeeps(ingests.lake.stack, ()) if str(one.name) == name]
    maintain(upkeep, ingests.lake.stack, dry_run=True)
    assert ingests.rejects() == [("0.csv", 3)]
    for _ in range(2):
        maintain(upkeep, ingests.lake.stack)

    assert ingests.rejects() == [("0.csv", 3), ("1.csv", 3)]
    assert ingests.settled()


def test_rejects_that_could_not_be_shown_refuse_the_load(ingests):
    """Something else has the name of their table, or its columns are others: nothing is written."""
    path = ingests.file("1.csv", ONE)
    ingests(ingests.file("0.csv", "a,b\n0,u\n"))
    before = ingests.objects(ingests.table, "/load=")
    trino = ingests.lake.stack.engine("trino")
    trino.rows(f"CREATE VIEW hive.{ingests.aside} AS SELECT 1 AS a")
    with pytest.raises(WriteError, match=f"{ingests.aside} is not an ingested table but something else"):
        ingests(path, if_exists="append")
    trino.rows(f"DROP VIEW hive.{ingests.aside}")
    trino.rows(f"CREATE TABLE {ingests.aside} AS SELECT 7 AS a")
    for way in ("append", "replace"):
        with pytest.raises(WriteError, match=f"{ingests.aside} is there, but not as a table of rejected rows"):
            ingests(path, if_exists=way)

    assert ingests.rows() == [0]
    assert ingests.objects(ingests.table, "/load=") == before
    assert ingests.objects(ingests.table, "/_leases") == []
    assert ingests._rows(ingests.aside, "a") == [7]


def test_rejects_that_fail_after_the_rows_are_kept_and_shown_later(ingests, once_at):
    """One sentence says so, whoever meets it; once the hindrance is gone, the next load shows them."""
    trino = ingests.lake.stack.engine("trino")
    once_at(
        "publish", ingests.table, lambda: trino.rows(f"CREATE VIEW hive.{ingests.aside} AS SELECT 1 AS a"), after=True
    )
    kept = f"are in {ingests.table}.* kept.*next ingest.*`headwater maintain`.*{ingests.aside} is not an ingested table"
    with pytest.raises(WriteError, match=kept):
        ingests(ingests.file("1.csv", ONE))
    assert ingests.rows() == [1, 3]
    assert len(ingests.objects(ingests.table, "/_leases")) == 1
    more = ingests.file("2.csv", "a,b\n7,v\n")
    with pytest.raises(WriteError, match=kept):
        ingests(more, if_exists="append")
    assert len(ingests.objects(ingests.table, "/_leases")) == 1
    trino.rows(f"DROP VIEW hive.{ingests.aside}")
    ingests(more, if_exists="append")

    assert (ingests.rows(), ingests.rejects()) == ([1, 3, 7], [("1.csv", 3)])
    assert ingests.settled()
