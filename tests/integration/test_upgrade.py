"""Backup, upgrade and restore on a box of its own, with PostgreSQL and the catalog as the release before left it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files

import pytest
from command_line import headwater
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.components.databases import connect, ensure_database
from headwater.box.components.postgres import cluster
from headwater.box.unfinished import Unfinished, take_note
from headwater.box.upgrade import Keeper
from headwater.errors import ComponentError
from headwater.profile import inherited_env
from own_box import counted, own_box

pytestmark = [pytest.mark.box, pytest.mark.timeout(1200)]

NODES = 50
_MIGRATIONS = files("headwater_catalog.store").joinpath("migrations")
BEFORE, LAST = sorted(one.name for one in _MIGRATIONS.iterdir() if one.name.endswith(".sql"))[-2:]


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A running PostgreSQL with a catalog that lacks its last migration and knows some tables."""
    with own_box(tmp_path_factory.mktemp("old")) as profile:
        headwater(profile, "up", "postgres")
        ensure_database(profile, "catalog-db")
        with connect(profile, "catalog-db") as connection:
            connection.execute("CREATE TABLE migration (name text PRIMARY KEY, at timestamptz NOT NULL)")
            for one in sorted(_MIGRATIONS.iterdir(), key=lambda one: one.name):
                if one.name < LAST:
                    connection.execute(one.read_text(encoding="utf-8").encode())
                    connection.execute("INSERT INTO migration VALUES (%s, now())", (one.name,))
            connection.execute(
                "INSERT INTO node (first_name, born, name, doc) "
                f"SELECT 'curated.t' || n, now(), 'curated.t' || n, 'Tāble ' || n FROM generate_series(1, {NODES}) n"
            )
        yield profile


def _begin(profile, *arguments):
    """Start a command whose lines are read while it works."""
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "headwater", *arguments],
        env=inherited_env(**profile.environment()),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _kill_at(profile, pattern, *arguments):
    """Kill a command as soon as it says something, and return what it had said."""
    with _begin(profile, *arguments) as process:
        said = ""
        for line in process.stdout:
            said += line
            if re.search(pattern, line):
                process.kill()
                break
    assert process.returncode == -9, said
    return said


def _backups(profile):
    return [row["backup"] for row in json.loads(headwater(profile, "backup", "--list", "-o", "json").stdout)]


def _nodes(profile):
    with connect(profile, "catalog-db") as connection:
        return connection.execute("SELECT id, first_name, born, name, doc FROM node ORDER BY id").fetchall()


def _migrations(profile):
    with connect(profile, "catalog-db") as connection:
        return {row[0] for row in connection.execute("SELECT name FROM migration")}


def test_an_upgrade_that_was_killed_goes_on_and_leads_back(old):
    """Nobody starts the half of it; called again it goes on with the backup that it has; a restore ends at the same."""
    before, nodes = counted(old), _nodes(old)
    said = _kill_at(old, "catalog +migrating its data", "upgrade", "postgres")
    assert f"migrating its data from {BEFORE} without {LAST} to {LAST}" in said
    backup = re.search(r"(\w+) is good: a PostgreSQL on it has the same", said)[1]

    refused = headwater(old, "up", "postgres", check=False)
    assert refused.returncode == 1
    assert f"error: The upgrade of the box in {old.home} was cut off: `headwater upgrade` goes on" in refused.stderr
    assert f"`headwater restore {backup}` goes back" in refused.stderr
    done = headwater(old, "upgrade", "postgres")

    assert f"going on with an upgrade that was cut off; its backup is {backup}" in done.stdout
    assert _backups(old) == [backup]
    assert LAST in _migrations(old)
    assert _nodes(old) == nodes
    assert len(nodes) == NODES

    done = headwater(old, "restore", "--yes")

    assert "`headwater up` of the release that it had then" in done.stdout
    assert (old.home / "replaced" / "data" / "postgres" / "cluster" / "PG_VERSION").exists()
    headwater(old, "up", "postgres")
    assert counted(old) == before
    assert LAST not in _migrations(old)
    assert _backups(old) == [backup]


@pytest.mark.full
def test_a_backup_of_older_data_does_not_bring_them_on(old):
    """Whoever only asks for a backup has not asked for a migration."""
    known = _backups(old)

    done = headwater(old, "backup")

    assert "stays stopped: its data are older than this release; see `headwater upgrade`" in done.stdout
    assert len(_backups(old)) == len(known) + 1
    headwater(old, "up", "postgres")
    assert LAST not in _migrations(old)


@pytest.mark.full
def test_of_two_upgrades_one_does_it(old):
    """After a third that was killed while it copied, and has changed nothing."""
    nodes, known = _nodes(old), _backups(old)
    _kill_at(old, "copying", "upgrade", "postgres")
    assert _backups(old) == known

    with _begin(old, "upgrade", "postgres") as one, _begin(old, "upgrade", "postgres") as other:
        said = [process.communicate(timeout=500)[0] for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0], said
    assert sum("migrating its data from" in text for text in said) == 1
    waited = next(text for text in said if "nothing is left to do" in text)
    assert re.search(r"another `headwater upgrade`.* is at work; waiting for it", waited)
    assert len(_backups(old)) == len(known) + 1
    assert not list((old.home / "backups").glob(".*"))  # what the killed one had copied
    assert LAST in _migrations(old)
    assert _nodes(old) == nodes


@pytest.mark.full
def test_a_restore_that_was_cut_off_goes_on_without_the_logins(old):
    """Half of the box set aside, credentials.json among it: nothing starts, and the same command ends it."""
    headwater(old, "up", "postgres")
    now = counted(old)
    headwater(old, "backup")
    backup = _backups(old)[0]
    headwater(old, "down")
    take_note(old.home, Unfinished("restore", backup))
    old.credentials_path.rename(old.home / "lost.json")

    for command in ("up", "upgrade"):
        refused = headwater(old, command, check=False)
        assert f"The restore of the box in {old.home} was cut off: `headwater restore {backup}`" in refused.stderr
    assert not old.credentials_path.exists()
    headwater(old, "restore", "--yes")

    assert old.credentials_path.read_bytes() == (old.home / "lost.json").read_bytes()
    headwater(old, "up", "postgres")
    assert counted(old) == now


def test_newer_data_stop_an_upgrade_before_anything_is_stopped(old):
    """One sentence, no backup, and what ran still runs."""
    headwater(old, "up", "postgres")
    known = _backups(old)
    with connect(old, "catalog-db") as connection:
        connection.execute("INSERT INTO migration VALUES ('9999_later.sql', now())")
        try:
            refused = headwater(old, "upgrade", "postgres", check=False)
            connection.execute("SELECT 1")  # on the server that it was on
        finally:
            connection.execute("DELETE FROM migration WHERE name = '9999_later.sql'")

    assert refused.returncode == 1
    assert refused.stderr == (
        "error: The catalog's database was made by a newer Headwater (9999_later.sql). Nothing was changed; "
        "start that one.\n"
    )
    assert _backups(old) == known


def test_another_postgresql_is_refused(old):
    """Its files cannot be read, so neither an upgrade nor a start touches them."""
    headwater(old, "down")
    version = cluster(Box(old)) / "PG_VERSION"
    version.write_text("16\n")
    try:
        for command in (["upgrade"], ["backup"], ["migrate", "postgres"], ["up", "postgres"]):
            refused = headwater(old, *command, check=False)
            assert refused.returncode == 1
            assert "was made by PostgreSQL 16, and this release has 17, which cannot read it" in refused.stderr
    finally:
        version.write_text("17\n")


@pytest.mark.full
def test_a_backup_that_answers_otherwise_is_none(old):
    """One row less in the copy, and nothing comes of it."""
    headwater(old, "up", "postgres")
    right = counted(old)
    keeper = Keeper(Box(old), all_components(), lambda *_: None)
    table = "catalog.public.node"
    headwater(old, "restore", "--yes")  # leaves a stopped box whose files can be tried out

    keeper._try_out(old.home, right)
    with pytest.raises(ComponentError, match=rf"The copy is not what the box had: {table} \(51 rows, and 50\) differ"):
        keeper._try_out(old.home, {**right, table: (NODES + 1, right[table][1])})


def test_a_damaged_backup_is_refused_by_name(old):
    """One byte of one file: the box keeps what it has."""
    backup = _backups(old)[0]
    path = next((old.home / "backups" / backup / "files" / "data").rglob("pg_xact/0000"))
    whole = path.read_bytes()
    path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    try:
        refused = headwater(old, "restore", backup, "--yes", check=False)
    finally:
        path.write_bytes(whole)

    assert refused.returncode == 1
    assert f"The backup {backup} is damaged: data/postgres/cluster/pg_xact/0000 is not as it was" in refused.stderr
    assert not (old.home / "unfinished.json").exists()
