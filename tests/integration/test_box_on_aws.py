"""`headwater up` under `aws`: a box of Dagster, Superset, the catalog and their database, the lake in an account."""

from __future__ import annotations

import json

import pytest
from aws_site import account_on, stack_on
from catalog_site import Site, knowing
from command_line import headwater
from headwater.box.processes import members
from headwater.credentials import password_variable
from headwater.profile import Profile
from own_box import own_box

pytestmark = pytest.mark.box

COUNTED = "curated.counted_in_an_account"
TABLES = f"""\
from headwater import Column, Table

BODY = "SELECT CAST(n AS bigint) AS id FROM UNNEST(sequence(1, 7)) AS t(n)"
ID = (Column("id", "long", "A number."),)
counted = Table(name="{COUNTED}", doc="Seven.", owner="team:tests", columns=ID, engine="trino", body=BODY)
"""
PROJECT = '[project]\nname = "seven"\ndefinitions = ["tables"]\n'
COMMANDS = (("up",), ("down",), ("destroy", "--yes"), ("status",), ("materialize", "--all"))
PARTS = {"postgres", "superset", "dagster:webserver", "dagster:daemon", "dagster:code", "dagster:runner", "catalog"}


@pytest.fixture(scope="module")
def mine(box, tmp_path_factory):
    """A box of this project's own, up, whose account is the shared box."""
    folder = tmp_path_factory.mktemp("account")
    project = folder / "project"
    (project / "tables").mkdir(parents=True)
    (project / "headwater.toml").write_text(PROJECT, encoding="utf-8")
    (project / "tables" / "counted.py").write_text(TABLES, encoding="utf-8")
    with account_on(box, project) as account, stack_on(account) as remote:
        # No password: those of what a box of this kind runs are its own.
        given = {
            name: text
            for name, text in account.items()
            if name.startswith("HEADWATER_")
            and name not in (password_variable("catalog"), "HEADWATER_HOME", "HEADWATER_PORT", "HEADWATER_PROJECT")
        }
        with own_box(folder, project=project, **given, HEADWATER_GLUE_LOOK="1") as profile:
            headwater(profile, "up", timeout=1200)
            try:
                yield profile
            finally:
                remote.engine("trino").arrow(f"DROP TABLE IF EXISTS {COUNTED}")


def test_it_runs_all_but_the_lake(mine):
    """Neither MinIO nor metastore nor an engine is among its processes, and each of them is ready."""
    rows = json.loads(headwater(mine, "status", "-o", "json").stdout)

    assert {row["name"] for row in rows} == PARTS
    assert [row for row in rows if not row["ready"]] == []


def test_a_table_is_written_by_its_dagster_and_known_to_its_catalog(mine):
    """The rows are Athena's, the catalog found the table in Glue, and has been told of the run."""
    said = headwater(mine, "materialize", COUNTED, timeout=600).stdout

    assert "7 rows" in said
    assert json.loads(headwater(mine, "sql", "-o", "json", f"select count(*) as n from {COUNTED}").stdout) == [{"n": 7}]
    found = knowing(mine, COUNTED).get("/api/v1/table", name=COUNTED).json()
    assert [(one["name"], one["type"]) for one in found["columns"]] == [("id", "long")]
    assert found["runs"]
    assert found["there"]
    assert Site(mine).get("/api/v1/search", q="counted_in_an").json()["results"][0]["name"] == COUNTED


def test_it_is_no_box_of_another_profile(mine):
    """Its catalog knows another lake than a local one's would."""
    local = Profile.load({**mine.environment(), "HEADWATER_PROFILE": "local"})

    refused = [headwater(local, *words, check=False) for words in COMMANDS]

    assert {one.returncode for one in refused} == {1}
    for one in refused:
        assert "is of the profile aws, not of local; set HEADWATER_PROFILE to that, or HEADWATER_HOME" in one.stderr


def test_it_goes_and_comes_back_with_what_it_knew(mine):
    """As any other box."""
    headwater(mine, "down")
    left = members(mine.home)
    stopped = headwater(mine, "materialize", COUNTED, check=False)
    headwater(mine, "up", timeout=600)

    assert left == []
    assert "is stopped; start it with `headwater up`" in stopped.stderr
    assert Site(mine).get("/api/v1/table", name=COUNTED).json()["runs"]
