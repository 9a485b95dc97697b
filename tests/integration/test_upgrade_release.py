"""A box that the release before this one filled, upgraded: every table, run, dashboard and edge is there as it was."""

from __future__ import annotations

import json

import pytest
from command_line import headwater
from headwater.box.components.databases import connect
from own_box import own_box
from people import graphql
from release_before import ReleaseBefore

pytestmark = [pytest.mark.box, pytest.mark.full, pytest.mark.timeout(3600)]

PROJECT = """\
[project]
name = "loans"
definitions = ["headwater_assets.loans"]
dashboards = ["headwater_dashboards.loans"]
"""
TABLES = (
    "raw.loan_origination", "raw.loan_performance", "partitioned.loan_origination", "partitioned.loan_performance",
    "partitioned.loan_origination__rejected", "curated.loan_state", "curated.loan_vintage",
    "curated.loan_seller_risk",
)  # fmt: skip
RUNS = """{ runsOrError { __typename ... on Runs { results {
  id status jobName tags { key value } assetMaterializations { assetKey { path } partition }
} } } }"""
DASHBOARDS = "SELECT uuid::text, dashboard_title, slug, position_json, json_metadata FROM dashboards ORDER BY 1"
CHARTS = "SELECT uuid::text, slice_name, viz_type, params, query_context FROM slices ORDER BY 1"


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What the box says before and after its upgrade."""
    folder = tmp_path_factory.mktemp("release")
    before = ReleaseBefore.installed_in(folder / "before")
    project = folder / "project"
    project.mkdir()
    (project / "headwater.toml").write_text(PROJECT, encoding="utf-8")
    with own_box(folder, project=project) as profile:
        before.headwater(profile, "up")
        before.headwater(profile, "demo-data", "loans", "--rows", "1000", "--years", "2019-2020")
        before.headwater(profile, "materialize", "--all")
        before.headwater(profile, "dashboards", "push")
        was = _told(profile, lambda *words: before.headwater(profile, *words))
        said = headwater(profile, "upgrade", timeout=1800).stdout
        yield was, _told(profile, lambda *words: headwater(profile, *words).stdout), said


def _told(profile, ask):
    """Everything that a person would miss."""
    rows = {name: json.loads(ask("sql", "-o", "json", f"select * from {name}")) for name in TABLES}
    found = graphql(f"http://{profile.address('dagster')}/graphql", RUNS)["runsOrError"]["results"]
    with connect(profile, "superset-db") as connection:
        dashboards, charts = (connection.execute(one.encode()).fetchall() for one in (DASHBOARDS, CHARTS))
    edges = json.loads(ask("lineage", "curated.loan_vintage", "-o", "json"))["edges"]
    return {
        "tables": {name: sorted(json.dumps(row, sort_keys=True) for row in held) for name, held in rows.items()},
        "runs": {run["id"]: run for run in found},
        "dashboards": dashboards,
        "charts": charts,
        "edges": {(one["source"], one["target"]) for one in edges},
    }


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_a_table_is_there(both, table):
    """Equal, value by value, asked by each release's own command line."""
    was, now, _ = both

    assert was["tables"][table]
    assert now["tables"][table] == was["tables"][table]


def test_every_run_is_there(both):
    """With its state, its tags and what it materialized."""
    was, now, _ = both

    assert was["runs"]
    assert {key: now["runs"].get(key) for key in was["runs"]} == was["runs"]


def test_every_dashboard_and_chart_is_there(both):
    """With its place on the page and all that was set."""
    was, now, _ = both

    assert len(was["dashboards"]) == 2
    assert now["dashboards"] == was["dashboards"]
    assert now["charts"] == was["charts"]


def test_every_edge_is_there(both):
    """From the raw files to the charts."""
    was, now, _ = both

    assert was["edges"]
    assert was["edges"] <= now["edges"]


def test_it_says_what_it_did(both):
    """A backup came first."""
    assert "backup" in both[2].lower()
