"""What differs where components are many pods: one leader of several, migrations elsewhere, databases of others."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.components.databases import connect, ensure_database, is_migrated, mark_migrated
from headwater.box.readiness import wait_for_migration, wait_for_needs
from headwater.credentials import Credentials, password_variable, user_variable
from headwater.errors import ComponentError
from headwater.profile import Profile, inherited_env
from headwater_catalog.notices import TableState
from headwater_catalog.service.leading import Leader
from headwater_catalog.store._follow import followed

pytestmark = pytest.mark.box


def until(condition, seconds=30):
    """Wait for something that has to come."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Replica:
    """A process of the catalog as far as it leads or does not."""

    def __init__(self, url):
        self.working, self.times = threading.Event(), 0
        self.leader = Leader(url, self.work)

    @contextmanager
    def work(self):
        """Be seen to work."""
        self.times += 1
        self.working.set()
        try:
            yield
        finally:
            self.working.clear()


def test_one_replica_works_for_all_and_another_goes_on(database):
    """The other takes over when the leader ends, and when it loses its connection; never do both go on working."""
    first, second = Replica(database), Replica(database)
    with first.leader:
        until(first.working.is_set)
        with second.leader:
            time.sleep(2.5)
            assert not second.working.is_set()
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database = "
                    "(SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            until(lambda: first.working.is_set() != second.working.is_set() and first.times + second.times >= 2)
            leader, other = (first, second) if first.working.is_set() else (second, first)
            leader.leader._stop.set()
            until(other.working.is_set)
    assert not first.working.is_set()
    assert not second.working.is_set()


def test_a_slow_replica_undoes_nothing(database, store):
    """What a former leader read of the metastore before is passed over once another was further."""
    name = "curated.gone"
    there = TableState(name=name, made=datetime.now(UTC), location="s3://lake/curated/gone")
    store.resync([there], 10)
    store.resync([], 12)  # another replica has seen it go

    store.follow([], {name: there}, 11)

    with psycopg.connect(database) as connection:
        assert followed(connection) == 12
        assert connection.execute("SELECT dropped_at FROM node WHERE name = %s", (name,)).fetchone()[0]


def test_a_master_user_who_is_no_superuser_makes_databases(box):
    """As those of hosted databases are; a second time changes nothing."""
    mark = uuid.uuid4().hex[:8]
    master, owner = f"master_{mark}", f"owner_{mark}"
    logins = {**box.credentials.logins, "catalog-db": (owner, "secret")}
    try:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"CREATE ROLE {master} LOGIN CREATEROLE CREATEDB PASSWORD 'master'")
        hosted = replace(box, given=Credentials({**logins, "postgres": (master, "master")}))
        for _ in range(2):
            ensure_database(hosted, "catalog-db")
        with connect(hosted, "catalog-db") as connection:
            assert connection.execute("SELECT current_user, current_database()").fetchone() == (owner, owner)
            connection.execute("CREATE TABLE mine (a int)")
    finally:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {owner}")
            connection.execute(f"DROP OWNED BY {master} CASCADE")
            connection.execute(f"DROP ROLE IF EXISTS {owner}")
            connection.execute(f"DROP ROLE IF EXISTS {master}")


def test_a_process_waits_until_its_migration_is_done_elsewhere(box):
    """Not before there is a database of this version; when it never comes, the sentence says what it waited for."""
    catalog, name = all_components()["catalog"], f"waiting_{uuid.uuid4().hex[:8]}"
    mine = replace(box, given=Credentials({**box.credentials.logins, "catalog-db": (name, "secret")}))
    hasty = replace(mine, settings={**mine.settings, "HEADWATER_START_TIMEOUT": "1"})
    with pytest.raises(ComponentError, match=f"catalog waits for its migration: .*refused {name}"):
        wait_for_migration(Box(hasty), catalog)
    try:
        ensure_database(mine, "catalog-db")
        assert not is_migrated(mine, catalog)
        waiting = threading.Thread(target=wait_for_migration, args=(Box(mine), catalog))
        waiting.start()
        time.sleep(1.5)
        assert waiting.is_alive()
        mark_migrated(mine, catalog)
        waiting.join(10)

        assert not waiting.is_alive()
        mark_migrated(mine, catalog)
        assert is_migrated(mine, catalog)
    finally:
        with connect(box, "postgres", database="postgres") as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name}")
            connection.execute(f"DROP ROLE IF EXISTS {name}")


def test_a_run_that_finds_no_database_waits_for_it(box, tmp_path):
    """Its process becomes what the launcher wants once the database is there, at this version; until then it stays."""
    catalog, name = all_components()["catalog"], f"waiting_{uuid.uuid4().hex[:8]}"
    given = {
        "HEADWATER_PROFILE": "kubernetes",
        "HEADWATER_HOME": str(tmp_path),
        "HEADWATER_PROJECT": str(tmp_path),
        "HEADWATER_POSTGRES": box.address("postgres"),
        user_variable("catalog-db"): name,
        **{password_variable(one): box.credentials.password(one) for one in ("catalog", "catalog-db", "postgres")},
    }
    mine = Profile.load(given)
    command = [sys.executable, "-m", "headwater", "exec", "--wait", "catalog", "echo", "begun"]
    with subprocess.Popen(command, env=inherited_env(**given), stdout=subprocess.PIPE, text=True) as process:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(5)
            ensure_database(mine, "catalog-db")
            mark_migrated(mine, catalog)
            assert process.communicate(timeout=30)[0] == "begun\n"
        finally:
            process.kill()
            with connect(box, "postgres", database="postgres") as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name}")
                connection.execute(f"DROP ROLE IF EXISTS {name}")


def test_a_migration_waits_for_what_it_calls_and_nothing_else(box):
    """PostgreSQL, which is there; a need that is not says so after the time it has."""
    away = replace(box, settings={**box.settings, "HEADWATER_POSTGRES": "127.0.0.1:9", "HEADWATER_START_TIMEOUT": "1"})
    components = all_components()

    wait_for_needs(Box(box), components, components["dagster"])
    with pytest.raises(ComponentError, match="dagster needs postgres: PostgreSQL at 127.0.0.1:9 refused"):
        wait_for_needs(Box(away), components, components["dagster"])
