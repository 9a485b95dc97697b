"""The catalog follows Glue: what is made, changed or dropped there shows, and is the same table as on the box.

The box's Glue lies over the box's metastore, which the box's own catalog follows by its log. So both see the same.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from aws_site import AwsSite, account_on, stack_on
from catalog_site import Site
from headwater import _aws
from headwater.box.components.databases import connect
from headwater.credentials import password_variable
from headwater.profile import Profile, inherited_env
from headwater.stack import Stack
from headwater_catalog.service.followers import follower_of
from headwater_catalog.service.lake import Lake
from headwater_catalog.store import NotFound, Store

pytestmark = pytest.mark.box

SECONDS = 15.0


class Seen:
    """What a catalog's memory says of tables.

    Args:
        store: The memory.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def table(self, name):
        """Return a table, empty when it is not known."""
        with self._store.reading() as reader, suppress(NotFound):
            return reader.table(name)
        return {}

    def within(self, name, looks_right):
        """Return a table as soon as it looks right."""
        end = time.monotonic() + SECONDS
        while not (found := self.table(name)) or not looks_right(found):
            assert time.monotonic() < end, found
            time.sleep(0.1)
        return found

    def impact(self, name, column):
        """Return what breaks with a column."""
        with self._store.reading() as reader:
            found = reader.impact(name, column=column, depth=3, limit=10)
        return [(one["table"], one["columns"]) for one in found["breaks"]]

    def changes(self, name):
        """Return what happened to a table, in order."""
        with self._store.reading() as reader:
            return [one["what"] for one in reversed(reader.history(name)["changes"])]


@pytest.fixture(scope="module")
def aws(box):
    """The running APIs."""
    return AwsSite(box)


@pytest.fixture(scope="module")
def account(box, tmp_path_factory):
    """The variables of the profile `aws` against the box, which looks every second."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "headwater.toml").write_text('[project]\nname = "none"\n', encoding="utf-8")
    with account_on(box, folder) as variables:
        yield {**variables, "HEADWATER_GLUE_LOOK": "1"}


@pytest.fixture(scope="module")
def remote(account):
    """The adapters of that profile."""
    with stack_on(account) as stack:
        yield stack


@pytest.fixture
def seen(remote, store):
    """A catalog of its own that follows Glue, once it does."""
    with follower_of(remote, store):
        end = time.monotonic() + SECONDS
        while store.followed() is None:
            assert time.monotonic() < end
            time.sleep(0.1)
        yield Seen(store)


@pytest.fixture
def service(box, account):
    """The catalog's own process under the profile `aws`, with a database of its own; the process and its profile."""
    mine = f"catalog_{uuid.uuid4().hex[:8]}"
    given = {
        **account,
        "HEADWATER_POSTGRES": box.address("postgres"),
        "HEADWATER_PORT": str(box.first_port + 50),
        "HEADWATER_USER_CATALOG_DB": mine,
        password_variable("catalog-db"): "secret",
        password_variable("postgres"): box.credentials.password("postgres"),
    }
    profile = Profile.load(inherited_env(**given))
    command, env = [sys.executable, "-m", "headwater"], inherited_env(**given)
    subprocess.run([*command, "migrate", "catalog"], env=env, check=True, timeout=120)
    with subprocess.Popen([*command, "run", "catalog"], env=env, start_new_session=True) as process:
        try:
            yield process, profile
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # with what it started, as the supervisor does
            process.wait(30)
    with connect(box, "postgres", database="postgres") as connection:
        connection.execute(f"DROP DATABASE {mine} WITH (FORCE)".encode())
        connection.execute(f"DROP ROLE {mine}".encode())


@pytest.fixture
def trino(box):
    """SQL typed by somebody on the box."""
    return Stack.build(box).engine("trino").arrow


@pytest.fixture
def name(aws):
    """A table that no other test uses, dropped in the end with its kin."""
    made = f"curated.glued_{uuid.uuid4().hex[:8]}"
    yield made
    glue, (zone, base) = aws.client("glue"), made.split(".")
    for one in glue.get_tables(DatabaseName=zone, Expression=f"{base}.*")["TableList"]:
        glue.delete_table(DatabaseName=zone, Name=one["Name"])


def columns(table):
    """Return columns as they are shown."""
    return [(one["name"], one["type"], one["doc"]) for one in table["columns"]]


def identity(table):
    """Return what a table is known by."""
    places = {one["text"] for one in table["aliases"] if one["kind"] == "location"}
    return table["name"], table["kind"], table["dropped_at"] is None, columns(table), places


def same_on_the_box(box, look, name):
    """Wait until the box's catalog, which read it in the metastore's log, knows the same table."""
    site, end = Site(box), time.monotonic() + SECONDS
    while (there := site.get("/api/v1/table", name=name)).status_code != 200 or identity(there.json()) != identity(
        look()
    ):
        assert time.monotonic() < end, (there.json(), look())
        time.sleep(0.2)


def test_a_table_of_athenas_lives_and_dies(box, aws, remote, seen, trino, name):  # noqa: PLR0917 - fixtures
    """Made and altered by Athena, commented by PyIceberg, dropped by boto3 and made again by Trino: one table."""
    glue, (zone, base) = aws.client("glue"), name.split(".")
    place = f"s3://{box.bucket}/{zone}/{base}"
    aws.rows(f"CREATE TABLE {name} (id bigint, what string) LOCATION '{place}' TBLPROPERTIES ('table_type'='ICEBERG')")
    found = seen.within(name, lambda one: len(one["columns"]) == 2)
    assert not found["defined"]
    assert place in {one["text"] for one in found["aliases"]}
    same_on_the_box(box, lambda: seen.table(name), name)

    aws.rows(f"ALTER TABLE {name} ADD COLUMNS (more double)")
    seen.within(name, lambda one: [row[0] for row in columns(one)] == ["id", "what", "more"])
    with remote.metastore.iceberg().load_table(name).update_schema() as change:
        change.update_column("more", doc="More of it.")
    seen.within(name, lambda one: ("more", "double", "More of it.") in columns(one))
    same_on_the_box(box, lambda: seen.table(name), name)

    glue.delete_table(DatabaseName=zone, Name=base)
    seen.within(name, lambda one: one["dropped_at"] is not None)
    trino(f"CREATE TABLE {name} (id bigint)")
    seen.within(name, lambda one: one["dropped_at"] is None and len(one["columns"]) == 1)
    same_on_the_box(box, lambda: seen.table(name), name)
    assert set(seen.changes(name)) == {"created", "dropped"}  # two of a kind within seconds are told as one


def test_a_table_over_files_is_seen(box, aws, seen, name):
    """As boto3 makes and changes it, with its partition columns and their comments."""
    glue, (zone, base) = aws.client("glue"), name.split(".")
    place = f"s3://{box.bucket}/{zone}/{base}"
    column = {"Name": "id", "Type": "bigint", "Comment": "The id."}
    given = {"Name": base, "TableType": "EXTERNAL_TABLE", "StorageDescriptor": {"Columns": [column], "Location": place}}
    given["PartitionKeys"] = [{"Name": "year", "Type": "int", "Comment": "When."}]
    glue.create_table(DatabaseName=zone, TableInput=given)
    seen.within(name, lambda one: columns(one) == [("id", "bigint", "The id."), ("year", "int", "When.")])
    same_on_the_box(box, lambda: seen.table(name), name)

    column["Comment"] = "Another."
    glue.update_table(DatabaseName=zone, TableInput=given)
    seen.within(name, lambda one: columns(one)[0] == ("id", "bigint", "Another."))
    same_on_the_box(box, lambda: seen.table(name), name)


def test_a_renamed_table_is_the_same(box, remote, seen, trino, name):
    """By an engine's rename, and by PyIceberg, which registers it anew and drops the first."""
    second, third = f"{name}_b", f"{name}_c"
    trino(f"CREATE TABLE {name} (id bigint)")
    seen.within(name, lambda one: one["columns"])
    trino(f"ALTER TABLE {name} RENAME TO {second}")
    seen.within(second, lambda one: name in {alias["text"] for alias in one["aliases"]})
    same_on_the_box(box, lambda: seen.table(second), second)

    remote.metastore.iceberg().rename_table(second, third)
    found = seen.within(third, lambda one: second in {alias["text"] for alias in one["aliases"]})
    assert found["dropped_at"] is None
    assert seen.changes(third) == ["created", "renamed", "renamed"]


def test_athenas_view_is_made_of_its_tables(box, aws, seen, trino, name):
    """Column by column, as its SQL says."""
    view = f"{name}_v"
    trino(f"CREATE TABLE {name} (id bigint, what varchar)")
    aws.rows(f"CREATE VIEW {view} AS SELECT what, count(id) AS n FROM {name} GROUP BY what")
    found = seen.within(view, lambda one: one["kind"] == "view" and one["upstreams"])
    assert found["upstreams"] == [name]
    assert seen.impact(name, "id") == [(view, ["n"])]
    same_on_the_box(box, lambda: seen.table(view), view)


def test_while_glue_is_away_nothing_is_lost(aws, seen, trino, name, monkeypatch, caplog):  # noqa: PLR0917 - fixtures
    """Nobody is let in any more: it is said once, and afterwards what happened meanwhile is caught up."""
    gone, stage = f"{name}_gone", f"{name}__stage_x1"
    trino(f"CREATE TABLE {gone} (id bigint)")
    trino(f"CREATE TABLE {name} (id bigint)")
    seen.within(gone, lambda one: one["columns"])
    seen.within(name, lambda one: one["columns"])
    with caplog.at_level(logging.INFO, logger="headwater.catalog"):
        with monkeypatch.context() as patch:
            patch.setenv("AWS_SECRET_ACCESS_KEY", "no longer")
            _aws._client.cache_clear()
            _said(caplog, "the metastore is not followed: The tables of the lake cannot be listed")
            trino(f"DROP TABLE {gone}")
            trino(f"ALTER TABLE {name} ADD COLUMN more double")
            trino(f"CREATE TABLE {name}_new (id bigint)")
            trino(f"CREATE TABLE {stage} (id bigint)")
            assert seen.table(f"{name}_new") == {}
        _aws._client.cache_clear()
        seen.within(gone, lambda one: one["dropped_at"] is not None)
        seen.within(name, lambda one: len(one["columns"]) == 2 and one["dropped_at"] is None)
        assert seen.within(f"{name}_new", lambda one: one["columns"])["name"] == f"{name}_new"
        _said(caplog, "the metastore is followed again")
    assert sum("is not followed" in one.message for one in caplog.records) == 1


def test_what_changed_while_nobody_looked_is_caught_up(remote, store, trino, name):
    """A catalog that was down looks at everything when it begins."""
    trino(f"CREATE TABLE {name} (id bigint)")
    trino(f"CREATE TABLE {name}_gone (id bigint)")
    seen = Seen(store)
    with follower_of(remote, store):
        seen.within(name, lambda one: one["columns"])
        seen.within(f"{name}_gone", lambda one: one["columns"])
    trino(f"DROP TABLE {name}_gone")
    trino(f"ALTER TABLE {name} ADD COLUMN more double")
    with follower_of(replace(remote), store):
        seen.within(name, lambda one: len(one["columns"]) == 2)
        seen.within(f"{name}_gone", lambda one: one["dropped_at"] is not None)


def test_what_can_still_be_read_is_known(remote, trino, name):
    """Each snapshot until it is expired, and none of a table that is gone."""
    lake, table = Lake(remote.profile), tuple(name.split("."))
    trino(f"CREATE TABLE {name} AS SELECT 1 AS id")
    trino(f"INSERT INTO {name} VALUES 2")
    first, *_, second = (one.snapshot_id for one in remote.metastore.iceberg().load_table(table).metadata.snapshots)
    rows = [{"table": name, "snapshot": str(one)} for one in (first, second, 7)]
    lake.mark(rows)
    assert [one["readable"] for one in rows] == [True, True, False]
    remote.metastore.iceberg().load_table(table).maintenance.expire_snapshots().by_id(first).commit()
    lake.mark(rows)
    assert [one["readable"] for one in rows] == [False, True, False]
    trino(f"DROP TABLE {name}")
    lake.mark(rows)
    assert [one["readable"] for one in rows] == [False, False, False]


def test_the_service_itself_follows(box, service, trino, name):
    """Under the profile `aws`, with its answers over HTTP; it stays small beside the clients of AWS."""
    process, profile = service
    site, end = Site(profile), time.monotonic() + 60
    trino(f"CREATE TABLE {name} (id bigint)")
    while (found := _asked(site, name)) is None:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.2)
    same_on_the_box(box, lambda: found, name)
    [resident] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
    assert int(resident) <= 300 * 1024


def _asked(site, name):
    with suppress(requests.ConnectionError):
        answer = site.get("/api/v1/table", name=name)
        return answer.json() if answer.status_code == 200 else None
    return None


def _said(caplog, text):
    end = time.monotonic() + SECONDS
    while not any(one.message.startswith(text) for one in caplog.records):
        assert time.monotonic() < end, [one.message for one in caplog.records]
        time.sleep(0.1)
