"""The loans under `local`, then under `aws` against the box's AWS APIs: the same files give the same rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from aws_site import account_on
from command_line import headwater
from headwater.profile import Profile, inherited_env
from headwater.project import load_project
from headwater.stack import Stack
from project_tables import forget, names_of
from run_project import read_report, read_rows

pytestmark = pytest.mark.box

PROJECT = '[project]\nname = "loans"\ndefinitions = ["headwater_assets.loans"]\n'
YEARS = ("2019", "2020")
SUPPORT = Path(__file__).resolve().parents[1] / "support"
LOANS = Profile.load({}, HEADWATER_PROJECT=str(SUPPORT.parents[1]))
TABLES = [str(name) for name in names_of(load_project(LOANS).tables)]


@pytest.fixture(scope="module")
def folder(box, tmp_path_factory):
    """A project of its own, so that the box's Dagster leaves its files alone: the loans as they are."""
    made = tmp_path_factory.mktemp("project")
    (made / "headwater.toml").write_text(PROJECT, encoding="utf-8")
    rows = ("--rows", "1000", "--years", f"{YEARS[0]}-{YEARS[-1]}")
    headwater(box, "demo-data", "loans", *rows, "--out", str(made / "data" / "loans"))
    return made


@pytest.fixture(scope="module")
def account(box, folder):
    """The variables of the profile `aws` against the box."""
    with account_on(box, folder) as variables:
        yield variables


@pytest.fixture(scope="module")
def local(box, folder, tmp_path_factory):
    """What `local` made of the loans; the tables are gone."""
    profile = Profile.load({**box.environment(), "HEADWATER_PROJECT": str(folder)})
    _forget(box)
    yield _run(profile.environment(), tmp_path_factory.mktemp("local"))
    _forget(box)


@pytest.fixture(scope="module")
def remote(box, local, account, tmp_path_factory):
    """What `aws` made of the same files, from nothing."""
    _forget(box)
    yield _run(account, tmp_path_factory.mktemp("aws"))
    _forget(box)


def _run(environment: dict[str, str], out: Path) -> Path:
    command = [sys.executable, str(SUPPORT / "run_project.py"), str(out), *YEARS]
    done = subprocess.run(
        command, env=inherited_env(**environment), capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def _forget(box: Profile) -> None:
    forget(Stack.build(box), load_project(box).tables)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_has_equal_rows(local, remote, table):
    """Names, types and every value of every row."""
    here, there = read_rows(local, table), read_rows(remote, table)
    order = [(name, "ascending") for name in here.column_names]

    assert there.schema == here.schema
    assert here.num_rows > 0
    assert there.sort_by(order).equals(here.sort_by(order))


def test_what_dagster_keeps_is_of_aws(local, remote):
    """Rows and rejects are equal, and what Athena read and costs is told of the tables that it makes."""
    here, there = read_report(local), read_report(remote)

    assert {name: one.get("dagster/row_count") for name, one in there.items()} == {
        name: one.get("dagster/row_count") for name, one in here.items()
    }
    for name in ("curated.loan_state", "curated.loan_seller_risk"):
        assert there[name]["athena/queries"] >= 1
        assert there[name]["athena/bytes_scanned"] > 0
        assert there[name]["athena/dollars"] > 0
    assert not [name for one in here.values() for name in one if name.startswith("athena/")]
