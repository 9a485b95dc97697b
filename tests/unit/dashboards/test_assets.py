"""What Dagster knows of dashboards, and what a stopped box says."""

from __future__ import annotations

import socket

import pytest
from command_line import headwater
from dagster import AssetKey
from headwater.credentials import ensure_credentials
from headwater.errors import DashboardError
from headwater.profile import Profile
from headwater.project import definition_states, load_project
from headwater_assets.lib.adapter import definitions_of
from headwater_dashboards.superset import Superset


def _profile(tmp_path, *, dashboards='dashboards = ["headwater_dashboards.loans"]', port="7700"):
    (tmp_path / "headwater.toml").write_text(
        f'[project]\nname = "loans"\ndefinitions = ["headwater_assets.loans"]\n{dashboards}\n'
    )
    return Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": port})


def _assets(profile):
    graph = definitions_of(load_project(profile), profile).resolve_asset_graph()
    return {key: graph.get(key) for key in graph.get_all_asset_keys()}


def test_a_dashboard_is_an_asset_downstream_of_its_tables(tmp_path):
    """Dagster shows it with its owner and a link, and never runs it."""
    node = _assets(_profile(tmp_path))[AssetKey(["dashboards", "loan_delinquency"])]

    assert node.parent_keys == {AssetKey(["curated", "loan_vintage"]), AssetKey(["curated", "loan_state"])}
    assert (node.group_name, node.owners, node.kinds) == ("dashboards", ["team:risk"], {"superset"})
    assert not node.is_materializable
    assert node.metadata["dashboard"].value == "http://127.0.0.1:7701/superset/dashboard/loan-delinquency/"


def test_a_mistake_in_yaml_takes_no_table_from_dagster(tmp_path, caplog):
    """It is logged with its file; `headwater dashboards push` says it too."""
    profile = _profile(tmp_path, dashboards="")
    (tmp_path / "dashboards" / "charts").mkdir(parents=True)
    (tmp_path / "dashboards" / "charts" / "bad.yaml").write_text("uuid: [")

    assert AssetKey(["curated", "loan_vintage"]) in _assets(profile)
    assert "bad.yaml, line 1" in caplog.text


def test_a_saved_dashboard_shows_up(tmp_path):
    """Dagster's code server and the catalog watch YAML as they watch definitions."""
    profile = _profile(tmp_path)
    before = dict(definition_states(profile))
    (tmp_path / "dashboards" / "dashboards").mkdir(parents=True)
    new = tmp_path / "dashboards" / "dashboards" / "mine.yaml"
    new.write_text("uuid: x")

    assert set(definition_states(profile)) - set(before) == {new}
    assert any(file.name == "loan_portfolio.yaml" for file in before)


def test_a_push_to_a_stopped_box_is_one_sentence(tmp_path):
    """It says what to do."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = listener.getsockname()[1]
    profile = _profile(tmp_path, port=str(free - 1))
    ensure_credentials(profile.home)

    with pytest.raises(DashboardError, match=rf"Superset at 127.0.0.1:{free} does not answer; start the box") as caught:
        Superset(profile).push({})
    assert "\n" not in str(caught.value)
    for command in (["push"], ["pull", "loan-portfolio"], ["draft", "curated.loan_state"]):
        done = headwater(profile, "dashboards", *command, check=False)
        assert done.returncode == 1
        assert done.stderr == f"error: The box in {profile.home} is stopped; start it with `headwater up`.\n"
