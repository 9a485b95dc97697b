"""The catalog follows the metastore: whoever makes, changes or drops a table, it shows within seconds."""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager

import pytest
import requests
from headwater.box.components.databases import connect
from headwater.stack import Stack

pytestmark = pytest.mark.box

SECONDS = 5.0


class Catalog:
    """What the running catalog says of tables."""

    def __init__(self, profile) -> None:
        self.url = f"http://{profile.address('catalog')}/api/v1"
        self.session = requests.Session()
        self.session.trust_env = False

    def table(self, name):
        """Return a table, empty when the catalog does not know it."""
        answer = self.session.get(f"{self.url}/table", params={"name": name}, timeout=30)
        return answer.json() if answer.status_code == 200 else {}

    def within(self, name, looks_right, seconds=SECONDS):
        """Return a table as soon as it looks right."""
        end = time.monotonic() + seconds
        while not (found := self.table(name)) or not looks_right(found):
            assert time.monotonic() < end, found
            time.sleep(0.1)
        return found

    def shows(self, name):
        """Return whether search finds a table, and lineage what was copied from it."""
        given = {"q": name, "limit": 3}
        found = self.session.get(f"{self.url}/search", params=given, timeout=30).json()["results"]
        graph = self.session.get(f"{self.url}/lineage", params={"name": name}, timeout=30).json()
        edges = {(one["source"], one["target"]) for one in graph.get("edges", ())}
        return name in {one["name"] for one in found} and (name, f"{name}_copy") in edges

    def seconds_until(self, right, most=60.0):
        """Return how long something takes to be so."""
        began = time.monotonic()
        while not right():
            assert time.monotonic() < began + most
            time.sleep(0.05)
        return time.monotonic() - began


@pytest.fixture(scope="module")
def catalog(box):
    """The catalog, once it follows."""
    made = Catalog(box)
    with connect(box, "catalog-db") as connection:
        end = time.monotonic() + 60
        while not connection.execute("SELECT 1 FROM mark WHERE name = 'notices'").fetchone():
            assert time.monotonic() < end
            time.sleep(0.2)
    return made


@pytest.fixture
def name():
    """A table that no other test uses."""
    return f"curated.followed_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def trino(box):
    """SQL typed by somebody, outside Dagster."""
    return Stack.build(box).engine("trino").arrow


@contextmanager
def dropped(trino, *names):
    """Leave nothing."""
    try:
        yield
    finally:
        for one in names:
            trino(f"DROP TABLE IF EXISTS {one}")


def columns(table):
    """Return names of columns."""
    return [one["name"] for one in table["columns"]]


def test_a_table_of_anybodys_lives_and_dies(catalog, trino, name):
    """Made empty, which no lineage event tells; altered, renamed, dropped and made again: one node, one history."""
    other = f"{name}_b"
    with dropped(trino, name, other):
        trino(f"CREATE TABLE {name} (id bigint, what varchar)")
        found = catalog.within(name, lambda one: columns(one) == ["id", "what"])
        assert not found["defined"]
        assert found["dropped_at"] is None

        trino(f"ALTER TABLE {name} ADD COLUMN more double")
        catalog.within(name, lambda one: columns(one) == ["id", "what", "more"])
        trino(f"ALTER TABLE {name} RENAME TO {other}")
        renamed = catalog.within(other, lambda one: one["name"] == other and "more" in columns(one))
        assert any(one["text"] == name for one in renamed["aliases"])

        trino(f"DROP TABLE {other}")
        catalog.within(other, lambda one: one["dropped_at"] is not None)
        trino(f"CREATE TABLE {other} (id bigint)")
        catalog.within(other, lambda one: one["dropped_at"] is None and columns(one) == ["id"])


def test_nineteen_of_twenty_show_within_five_seconds(catalog, trino, name):
    """From the end of a statement, made or dropped, to search and lineage: the 95th percentile of twenty of each."""
    sources = [f"{name}_{at}" for at in range(20)]
    made, gone = [], []
    with dropped(trino, *sources, *(f"{one}_copy" for one in sources)):
        for one in sources:
            trino(f"CREATE TABLE {one} (id bigint)")
            trino(f"CREATE TABLE {one}_copy AS SELECT id FROM {one}")
            made.append(catalog.seconds_until(lambda one=one: catalog.shows(one)))
        for one in sources:
            trino(f"DROP TABLE {one}_copy")
            gone.append(catalog.seconds_until(lambda one=one: catalog.table(f"{one}_copy")["dropped_at"] is not None))

    print(f"made: {sorted(made)[18]:.1f} s, dropped: {sorted(gone)[18]:.1f} s")  # noqa: T201 - figures
    assert sorted(made)[18] <= SECONDS
    assert sorted(gone)[18] <= SECONDS


def test_a_view_is_made_of_its_tables(catalog, trino, name):
    """Column by column, as its SQL says."""
    view = f"{name}_v"
    with dropped(trino, name):
        trino(f"CREATE TABLE {name} (id bigint, what varchar)")
        trino(f"CREATE VIEW {view} AS SELECT what, count(id) AS n FROM {name} GROUP BY what")
        try:
            found = catalog.within(view, lambda one: one["kind"] == "view" and one["upstreams"])
            assert found["upstreams"] == [name]
            assert "count" in found["code"].lower()
            impact = catalog.session.get(
                f"{catalog.url}/impact", params={"name": name, "column": "id"}, timeout=30
            ).json()
            assert [(one["table"], one["columns"]) for one in impact["breaks"]] == [(view, ["n"])]
        finally:
            trino(f"DROP VIEW {view}")
        catalog.within(view, lambda one: one["dropped_at"] is not None)


def test_stages_are_never_tables(box, catalog, trino, name):
    """Nor is a table dropped because its stage was."""
    zone, _, table = name.partition(".")
    stage = f"{zone}.{table}__stage_abc123"
    with dropped(trino, name, stage):
        trino(f"CREATE TABLE {name} (id bigint)")
        catalog.within(name, lambda one: columns(one) == ["id"])
        trino(f"CREATE TABLE {stage} (other bigint)")
        trino(f"DROP TABLE {stage}")
        trino(f"ALTER TABLE {name} ADD COLUMN last bigint")
        found = catalog.within(name, lambda one: columns(one) == ["id", "last"])
        assert found["dropped_at"] is None


def test_what_happened_while_nobody_looked_is_caught_up(box, catalog, trino, name):
    """When the log does not reach back, every table is looked at: new ones are there, lost ones are dropped."""
    gone = f"{name}_gone"
    with dropped(trino, name, gone), connect(box, "catalog-db") as known, connect(box, "metastore-db") as log:
        trino(f"CREATE TABLE {gone} (id bigint)")
        trino(f"CREATE TABLE {name} (id bigint)")
        catalog.within(name, lambda one: columns(one) == ["id"])
        trino(f"DROP TABLE {gone}")
        catalog.within(gone, lambda one: one["dropped_at"] is not None)
        # As if it had missed both, and had slept for longer than the log is kept.
        known.execute("UPDATE node SET dropped_at = NULL WHERE name = %s", (gone,))
        known.execute("UPDATE node SET dropped_at = now() WHERE name = %s", (name,))
        log.execute('DELETE FROM "NOTIFICATION_LOG"')
        known.execute("UPDATE mark SET value = '1' WHERE name = 'notices'")

        catalog.within(gone, lambda one: one["dropped_at"] is not None, seconds=15)
        catalog.within(name, lambda one: one["dropped_at"] is None)
