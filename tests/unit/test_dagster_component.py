"""How Dagster runs in the box: its configuration, its processes, and the code server that sees new files."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from dagster._core.instance.config import dagster_instance_config
from dagster._grpc.client import DagsterGrpcClient
from free_ports import free_ports
from graphql import parse, validate
from headwater.box.component import Box
from headwater.credentials import ensure_credentials
from headwater.errors import ComponentError
from headwater.profile import Profile, inherited_env
from headwater.project import definition_states
from headwater_assets.lib import webserver
from headwater_assets.lib.component import DagsterComponent
from headwater_assets.lib.webserver import Webserver
from unstarted import idle_box

if TYPE_CHECKING:
    from pathlib import Path

THINGS = (
    "from headwater.table import Column, DelimitedFiles, Table\n\n"
    "{name} = Table(name='raw.{name}', doc='One line per thing.', owner='team:own',\n"
    "    columns=(Column('id', 'string', 'Thing.'),), files=DelimitedFiles(folder='in', pattern='things.txt'))\n"
)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box that has credentials and a project with one table, and runs nothing."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\ndefinitions = ["tables"]\n')
    (tmp_path / "tables" / "things.py").write_text(THINGS.format(name="things"))
    profile = Profile.load({}, HEADWATER_PROJECT=str(tmp_path), HEADWATER_HOME=str(tmp_path / "home"))
    ensure_credentials(profile.home)
    return Box(profile)


@pytest.mark.parametrize("role", DagsterComponent.roles)
def test_no_role_shows_a_secret_or_listens_outside(box, role):
    """Arguments hold no password, and every address is the box's own."""
    component = DagsterComponent()
    command = component.command(box, role)

    password = box.profile.credentials.password("dagster-db")
    assert password not in " ".join(command.argv)
    assert password not in (box.conf("dagster") / "dagster.yaml").read_text()
    assert "0.0.0.0" not in " ".join(command.argv)  # noqa: S104 - what must not be there
    if "-h" in command.argv:
        assert command.argv[command.argv.index("-h") + 1] == "127.0.0.1"
    assert (component.url(box, role) is not None) == (role == "webserver")


def test_the_configuration_is_one_that_dagster_takes(box):
    """Dagster accepts dagster.yaml; runs are queued, watched and forked, and nothing calls home."""
    DagsterComponent().command(box, "daemon")
    config, _ = dagster_instance_config(str(box.conf("dagster")))

    assert config["telemetry"] == {"enabled": False}
    assert config["run_monitoring"]["enabled"] is True
    assert config["run_coordinator"]["config"]["max_concurrent_runs"] == 2
    assert config["run_launcher"]["class"] == "WarmRunLauncher"
    workspace = json.loads((box.conf("dagster") / "workspace.yaml").read_text())
    assert workspace["load_from"][0]["grpc_server"]["host"] == "127.0.0.1"


@pytest.mark.parametrize("role", DagsterComponent.roles)
def test_a_role_that_is_down_is_one_sentence(tmp_path, role):
    """The probe of a role that does not run is an error of Headwater's that says what did not answer."""
    with pytest.raises(ComponentError, match="answer|refused|heartbeat"):
        DagsterComponent().probe(idle_box(tmp_path), role)


def test_a_webserver_that_is_away_is_one_sentence():
    """A closed port is named, with what to do."""
    with pytest.raises(ComponentError, match=r"Dagster at http://127\.0\.0\.1:9 does not answer.*headwater status"):
        Webserver("http://127.0.0.1:9").tables()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # graphene's own
def test_what_is_asked_of_dagster_is_what_it_answers():
    """Every query is one of this Dagster's schema."""
    from dagster_graphql.schema import create_schema

    schema = create_schema().graphql_schema
    queries = {name: text for name, text in vars(webserver).items() if isinstance(text, str) and " {" in text}

    assert len(queries) >= 5
    for name, text in queries.items():
        assert validate(schema, parse(text)) == [], name


def test_files_of_definitions_are_watched(box):
    """A new, a changed and a removed file are seen; a project file that cannot be read hides none of them for ever."""
    before = definition_states(box.profile)
    folder = box.profile.project / "tables"
    (folder / "more.py").write_text("")
    added = definition_states(box.profile)
    assert set(added) - set(before) == {folder / "more.py"}

    (folder / "more.py").unlink()
    assert definition_states(box.profile) == before
    (box.profile.project / "headwater.toml").write_text("[project")
    assert set(definition_states(box.profile)) == {box.profile.project / "headwater.toml"}


def test_the_code_server_serves_a_new_file(box):
    """After a file was added the same process serves the new definitions under a new server id."""
    port = free_ports()
    argv = [sys.executable, "-m", "headwater_assets.lib.code_server", "-m", "headwater_assets.definitions"]
    argv += ["-h", "127.0.0.1", "-p", str(port), "--lazy-load-user-code"]
    env = inherited_env(**box.profile.environment())
    with (box.profile.project / "log").open("wb") as log:
        process = subprocess.Popen(argv, env=env, stdout=log, stderr=log)
    try:
        client = DagsterGrpcClient(host="127.0.0.1", port=port)
        first = server_id(client, "")
        (box.profile.project / "tables" / "more.py").write_text(THINGS.format(name="more"))
        second = server_id(client, first)

        assert second != first
        assert process.poll() is None
        assert "__repository__" in str(client.list_repositories())
    finally:
        process.kill()
        process.wait()


def server_id(client: DagsterGrpcClient, other: str) -> str:
    """Wait for a server with another id."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        try:
            found = client.get_server_id(timeout=2)
        except Exception:  # noqa: BLE001 - whatever a server that is not there yet causes
            found = other
        if found != other:
            return found
        time.sleep(0.2)
    raise AssertionError("no other server came up")
