"""`headwater migrate`: again, twice at once from two homes as jobs in containers are, on older and on newer data."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest
from command_line import headwater
from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.components.databases import connect, database_url, ensure_database
from headwater.profile import inherited_env
from own_box import counted, elsewhere, own_box

pytestmark = [pytest.mark.box, pytest.mark.timeout(1200)]

LOGINS = {"metastore": "metastore-db", "dagster": "dagster-db", "superset": "superset-db", "catalog": "catalog-db"}
NEWER = {
    "catalog": "INSERT INTO migration VALUES ('9999_later.sql', now())",
    "metastore": """UPDATE "VERSION" SET "SCHEMA_VERSION" = '9.0.0'""",
    "dagster": "UPDATE alembic_version SET version_num = 'ffffffffffff'",
    "superset": "UPDATE alembic_version SET version_num = 'ffffffffffff'",
}
# The one that has the most to do twice, and those whose tools give no sentence of their own; the others are tried, too.
TWICE, REFUSING = ("metastore",), ("metastore", "superset")
SHAPE = """
    SELECT table_name, column_name, data_type, character_maximum_length, is_nullable FROM information_schema.columns
    WHERE table_schema = 'public' ORDER BY 1, 2
"""


def _full_but(quick):
    """Return every component with a database; those that are not in the quick round are marked."""
    return [pytest.param(one, marks=[] if one in quick else [pytest.mark.full]) for one in LOGINS]


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    """PostgreSQL and MinIO without anything in them."""
    with own_box(tmp_path_factory.mktemp("migrations")) as profile:
        headwater(profile, "up", "postgres", "minio")
        yield profile


def _drop(profile, component):
    name = profile.credentials.user(LOGINS[component])
    with connect(profile, "postgres", database="postgres") as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _twice_at_once(component, *profiles):
    """Run a migration from two homes at the same moment; return what each said when it failed."""
    argv = [sys.executable, "-m", "headwater", "migrate", component]
    both = [
        subprocess.Popen(
            argv, env=inherited_env(**one.environment()), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for one in profiles
    ]
    said = [process.communicate(timeout=500)[0] for process in both]
    return [(process.returncode, text[-2000:]) for process, text in zip(both, said, strict=True) if process.returncode]


def _schema(profile, component):
    return all_components()[component].schema(Box(profile))


@pytest.mark.parametrize("component", _full_but(TWICE))
def test_jobs_that_run_twice_at_once_and_again_do_it_once(services, tmp_path, component):
    """On an empty PostgreSQL both succeed, and a third one changes no row."""
    _drop(services, component)
    jobs = [elsewhere(services, tmp_path / name) for name in ("one", "two")]

    assert _twice_at_once(component, *jobs) == []

    schema = _schema(services, component)
    assert schema.found == schema.wanted
    assert schema.found
    rows = {name: rows for name, (rows, _) in counted(services).items()}
    headwater(elsewhere(services, tmp_path / "three"), "migrate", component)
    assert {name: rows for name, (rows, _) in counted(services).items()} == rows


@pytest.mark.full
@pytest.mark.parametrize("component", ["spark", "trino"])
def test_jobs_that_need_the_metastore_may_run_twice_at_once(services, tmp_path, component):
    """The zones are made once, whoever comes first."""
    headwater(services, "up", "metastore")
    jobs = [elsewhere(services, tmp_path / name) for name in ("one", "two")]

    assert _twice_at_once(component, *jobs) == []

    headwater(elsewhere(services, tmp_path / "three"), "migrate", component)
    with connect(services, "metastore-db") as connection:
        zones = [row[0] for row in connection.execute("""SELECT "NAME" FROM "DBS" ORDER BY 1""")]
    assert zones == ["curated", "default", "partitioned", "raw"]


def test_a_cluster_is_made_once(services, tmp_path):
    """Two jobs on one volume: both succeed, on one cluster."""
    fresh = elsewhere(services, tmp_path / "volume")

    assert _twice_at_once("postgres", fresh, fresh) == []

    assert (fresh.home / "data" / "postgres" / "cluster" / "PG_VERSION").read_text() == "17\n"
    assert not list((fresh.home / "data" / "postgres").glob(".*"))


@pytest.mark.parametrize("component", _full_but(REFUSING))
def test_newer_data_are_refused_and_stay_as_they_are(services, component):
    """By `migrate` in one sentence, and by `up`, which runs it."""
    if component == "superset":  # what it looks at before it starts its long migration
        _drop(services, component)
        ensure_database(services, LOGINS[component])
        with connect(services, LOGINS[component]) as connection:
            connection.execute("CREATE TABLE alembic_version AS SELECT 'x' AS version_num")
    else:
        headwater(services, "migrate", component)
    with connect(services, LOGINS[component]) as connection:
        connection.execute(NEWER[component].encode())
    before = counted(services)

    refused = headwater(services, "migrate", component, check=False)
    started = headwater(services, "up", component, check=False)

    assert (refused.returncode, started.returncode) == (1, 1)
    assert refused.stderr.count("\n") == 1
    assert "database was made by a newer Headwater" in refused.stderr
    assert "Nothing was changed; start that one." in refused.stderr
    assert "database was made by a newer Headwater" in started.stderr
    assert "this release is older than the data" in started.stderr
    assert counted(services) == before
    _drop(services, component)


def test_an_older_metastore_is_brought_on_with_its_tables(services):
    """From Hive 3.0 by Hive's own scripts, to the very columns that a new one has."""
    headwater(services, "migrate", "metastore")
    with connect(services, "metastore-db") as connection:
        fresh = connection.execute(SHAPE).fetchall()
    _drop(services, "metastore")
    ensure_database(services, "metastore-db")
    scripts = Box(services).runtimes.path("metastore") / "scripts" / "metastore" / "upgrade" / "postgres"
    with connect(services, "metastore-db") as connection:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute((scripts / "hive-schema-3.0.0.postgres.sql").read_bytes())
        connection.execute("SET search_path = public")
        connection.execute("""INSERT INTO "DBS" VALUES (7, 'of 3.0', 's3://lake/old', 'old', NULL, NULL, 'hive')""")
    schema = _schema(services, "metastore")
    assert (schema.found, schema.wanted, schema.obstacle) == ("3.0.0", "3.1.0", "")

    headwater(services, "migrate", "metastore")

    with connect(services, "metastore-db") as connection:
        assert connection.execute(SHAPE).fetchall() == fresh
        assert connection.execute("""SELECT "NAME", "DESC" FROM "DBS" WHERE "DB_ID" = 7""").fetchall() == [
            ("old", "of 3.0")
        ]
    assert _schema(services, "metastore").found == "3.1.0"


@pytest.mark.full
def test_an_older_dagster_is_brought_on_with_its_runs(services):
    """Set back by its own steps, it comes forward with the rows that it had."""
    from dagster._core.storage.sql import create_engine, get_alembic_config, run_alembic_downgrade
    from dagster_postgres import utils

    headwater(services, "migrate", "dagster")
    head = _schema(services, "dagster").found
    run = str(uuid.uuid4())
    engine = create_engine(database_url(services, "dagster-db", "postgresql+psycopg2"))
    with connect(services, "dagster-db") as connection:
        shape = connection.execute(SHAPE).fetchall()
        connection.execute(
            "INSERT INTO runs (run_id, pipeline_name, status, run_body) VALUES (%s, 'old', 'SUCCESS', '{}')", (run,)
        )
    with engine.connect() as connection:
        run_alembic_downgrade(get_alembic_config(utils.__file__), connection, "-1")
        connection.commit()
    engine.dispose()
    behind = _schema(services, "dagster")
    assert behind.found != head
    assert (behind.wanted, behind.obstacle) == (head, "")

    headwater(services, "migrate", "dagster")

    assert _schema(services, "dagster").found == head
    with connect(services, "dagster-db") as connection:
        assert connection.execute(SHAPE).fetchall() == shape
        found = connection.execute("SELECT status FROM runs WHERE run_id = %s", (run,)).fetchall()
    assert found == [("SUCCESS",)]
