"""A box that the release before filled, upgraded by this one and set back again: every table, run and dashboard."""

from __future__ import annotations

import json

import pytest
import requests
from command_line import headwater
from headwater.box.components.databases import connect
from headwater.stack import Stack
from headwater.table import ZONES
from headwater_dashboards.superset import Superset
from own_box import own_box
from release_before import release_before

pytestmark = [pytest.mark.box, pytest.mark.full, pytest.mark.timeout(3600)]

PROJECT = """\
[project]
name = "loans"
definitions = ["headwater_assets.loans"]
dashboards = ["headwater_dashboards.loans"]
"""
# What people made, by login: rows that neither an upgrade nor a started box has any business changing.
MADE = {
    "metastore-db": {
        "tables": """SELECT "TBL_ID", "TBL_NAME", "TBL_TYPE", "SD_ID" FROM "TBLS" """,
        "places": """SELECT "SD_ID", "LOCATION" FROM "SDS" """,
        "columns": """SELECT * FROM "COLUMNS_V2" """,
        "metadata": """SELECT "TBL_ID", "PARAM_VALUE" FROM "TABLE_PARAMS" WHERE "PARAM_KEY" = 'metadata_location'""",
    },
    "dagster-db": {
        "runs": "SELECT run_id, status, pipeline_name, run_body, create_timestamp FROM runs",
        "tags": "SELECT run_id, key, value FROM run_tags",
        "events": "SELECT id, run_id, event, asset_key, partition FROM event_logs WHERE run_id <> ''",
    },
    "superset-db": {
        "dashboards": "SELECT id, uuid, slug, dashboard_title, json_metadata, position_json FROM dashboards",
        "charts": "SELECT id, uuid, slice_name, viz_type, params, query_context FROM slices",
        "datasets": "SELECT id, uuid, schema, table_name, sql FROM tables",
        "columns": "SELECT table_id, column_name, type, description FROM table_columns",
        "metrics": "SELECT table_id, metric_name, expression FROM sql_metrics",
        "placing": "SELECT dashboard_id, slice_id FROM dashboard_slices",
    },
    "catalog-db": {
        "tables": "SELECT id, first_name, born, name, kind, doc, owner, domain, tags, dropped_at FROM node",
        "names": "SELECT text, node_id, kind FROM alias",
        "columns": "SELECT node_id, name, origin, type, doc, tags, since FROM column_fact",
        "edges": "SELECT id, source_id, target_id, origin, since FROM edge",
        "lineage": "SELECT edge_id, source_column, target_column FROM column_edge",
        "runs": "SELECT * FROM run WHERE ended_at IS NOT NULL",  # Spark's own ends with the box
        "checks": "SELECT * FROM check_result",
    },
}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """The release before, with a box that it has started and filled."""
    folder = tmp_path_factory.mktemp("release")
    project = folder / "project"
    project.mkdir()
    (project / "headwater.toml").write_text(PROJECT)
    (folder / "taxis.csv").write_text("color,zip,fare\n" + "green,00501,7.5\nyellow,10001,12\n" * 500)
    release = release_before(folder)
    with own_box(folder, project=project) as profile:
        release.headwater(profile, "up")
        data = str(project / "data" / "loans")
        release.headwater(profile, "demo-data", "loans", "--rows", "2000", "--years", "2019-2019", "--out", data)
        release.headwater(profile, "materialize", "--all", "--stale")
        release.headwater(profile, "dashboards", "push")
        release.headwater(profile, "ingest", str(folder / "taxis.csv"), "--table", "raw.taxis")
        release.headwater(profile, "sql", "create table curated.by_hand as select * from tpch.tiny.nation")
        yield release, profile


def _tables(profile):
    """Return rows and a digest of every column of every table, as Trino reads them."""
    trino, found = Stack.build(profile).engine("trino"), {}
    for zone in ZONES:
        for name in (next(iter(row.values())) for row in trino.rows(f"SHOW TABLES FROM {zone}")):
            columns = [next(iter(row.values())) for row in trino.rows(f'DESCRIBE {zone}."{name}"')]
            digests = ", ".join(f'to_hex(checksum("{column}")) AS "{column}"' for column in columns)
            (found[f"{zone}.{name}"],) = trino.rows(f'SELECT count(*) AS "rows", {digests} FROM {zone}."{name}"')
    return found


def _made(profile):
    """Return everything that people and runs made in the components' databases."""
    found = {}
    for login, asked in MADE.items():
        with connect(profile, login) as connection:
            for what, statement in asked.items():
                rows = connection.execute(statement.encode()).fetchall()
                found[f"{login} {what}"] = {json.dumps(row, default=str) for row in rows}
    return found


def _lost(before, after):
    """Return what was there and is not any more, or is otherwise."""
    return {name: sorted(rows - after[name])[:3] for name, rows in before.items() if rows - after[name]}


def _dashboards(profile):
    """Return how many charts each dashboard shows that Superset's own API opens."""
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = f"Bearer {Superset(profile)._token}"

    def ask(path):
        answer = session.get(f"http://{profile.address('superset')}/api/v1/dashboard/{path}", timeout=60)
        assert answer.ok, answer.text
        return answer.json()["result"]

    return {one["slug"]: len(ask(f"{one['id']}/charts")) for one in ask("")}


def test_a_box_of_the_release_before_is_upgraded_and_set_back(old):
    """Nothing that was there is lost or otherwise, the box works, and the old release finds its own again."""
    release, profile = old
    tables, made, dashboards = _tables(profile), _made(profile), _dashboards(profile)
    assert len(tables) >= 10, tables
    assert tables["curated.by_hand"]["rows"] == 25
    assert sum(dashboards.values()) >= 20
    assert all(made.values()), [name for name, rows in made.items() if not rows]

    said = headwater(profile, "upgrade", timeout=1500).stdout

    assert "is good: a PostgreSQL on it has the same" in said, release
    order = [line.split()[3] for line in said.splitlines() if " its data " in line]
    assert sorted(order) == ["catalog", "dagster", "metastore", "superset"]
    assert _tables(profile) == tables
    assert _lost(made, _made(profile)) == {}
    assert _dashboards(profile) == dashboards
    done = headwater(profile, "materialize", "curated.loan_state", timeout=900)
    assert "curated.loan_state" in done.stdout
    headwater(profile, "dashboards", "push")

    headwater(profile, "restore", "--yes")
    release.headwater(profile, "up", "trino", "superset")

    assert _dashboards(profile) == dashboards
    assert _tables(profile) == tables
    assert _lost(made, _made(profile)) == {}
    assert _made(profile)["dagster-db runs"] == made["dagster-db runs"]  # without the one that came after the upgrade
