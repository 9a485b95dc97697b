"""Charts, and several projects on one box, on the real PostgreSQL: what each definition says and takes back."""

from __future__ import annotations

import pytest
from headwater_catalog.model import Lineage, Origin, TableFacts

pytestmark = pytest.mark.box


def table(name: str) -> TableFacts:
    """Return a table's definition."""
    return TableFacts(name=name, doc="A table.", owner="team:a")


def test_a_chart_is_gone_with_its_file_and_back_with_it(store):
    """A table that is no longer defined stays, for its rows are there; a chart is nothing but its definition."""
    chart = TableFacts(
        name="chart:a",
        kind="chart",
        title="All of A",
        lineage=((Origin.DECLARED, Lineage(target="chart:a", sources=("curated.a",))),),
    )
    board = TableFacts(
        name="dashboard:b",
        kind="dashboard",
        title="About A",
        url="http://s/b",
        lineage=((Origin.DECLARED, Lineage(target="dashboard:b", sources=("chart:a",))),),
    )

    def state() -> tuple:
        with store.reading() as reader:
            return reader.table("chart:a")["dropped_at"] is None, reader.table("curated.a")["dashboards"]

    store.publish([table("curated.a"), chart, board])
    assert state() == (True, [{"name": "dashboard:b", "title": "About A", "url": "http://s/b"}])
    with store.reading() as reader:
        assert reader.search("All of A")["results"][0]["name"] == "chart:a"
        assert {one["name"] for one in reader.health()["results"]} == {"curated.a"}

    store.publish([table("curated.a")])
    assert state() == (False, [])
    store.publish([table("curated.a"), chart, board])
    assert state()[0] is True


def test_a_project_takes_back_only_what_it_said(store):
    """The box serves one project at a time; what the others' charts and tables are made of is still so."""
    chart = TableFacts(
        name="chart:a",
        kind="chart",
        lineage=((Origin.DECLARED, Lineage(target="chart:a", sources=("curated.a",))),),
    )

    def state() -> tuple:
        with store.reading() as reader:
            return reader.table("chart:a")["dropped_at"] is None, reader.table("curated.b")["defined"]

    store.publish([table("curated.a"), chart], "loans")
    store.publish([table("curated.a"), table("curated.b")], "sales")
    assert state() == (True, True)
    with store.reading() as reader:
        assert reader.table("curated.a")["downstreams"] == ["chart:a"]
    store.publish([table("curated.a")], "loans")
    assert state() == (False, True)
    store.publish([table("curated.a")], "sales")
    assert state() == (False, False)
