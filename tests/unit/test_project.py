"""Which tables a project has, and what is said when a definition is wrong."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from headwater.errors import ConfigError, DefinitionError
from headwater.profile import Profile
from headwater.project import load_project, load_tables

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = """\
from headwater.table import Column, DelimitedFiles, Table

orders = Table(
    name="raw.orders",
    doc="One row per order.",
    owner="team:sales",
    columns=(Column("id", "string", "Order number."),),
    files=DelimitedFiles(folder="in", pattern=r"orders\\.txt"),
)
"""

TOTALS = """\
from headwater.table import Column, Table
from tables.sales.orders import orders

totals = Table(
    name="curated.totals",
    doc="One row per day.",
    owner="team:sales",
    columns=(Column("id", "string", "Order number."),),
    upstreams=(orders,),
    body="SELECT id FROM raw.orders",
)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of two tables in nested folders."""
    (tmp_path / "headwater.toml").write_text('[project]\nname = "shop"\ndefinitions = ["tables"]\n')
    (tmp_path / "tables" / "sales").mkdir(parents=True)
    (tmp_path / "tables" / "sales" / "orders.py").write_text(ORDERS)
    (tmp_path / "tables" / "totals.py").write_text(TOTALS)
    return tmp_path


@pytest.fixture(autouse=True)
def _own_imports():
    before, path = set(sys.modules), list(sys.path)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "tables":
            del sys.modules[name]


def profile(folder: Path) -> Profile:
    """Load the profile of a project."""
    return Profile.load({}, HEADWATER_PROJECT=str(folder))


def test_a_folder_outside_the_repository_is_a_project(folder):
    """Every Table in the folder is found, upstreams first, with its domain, file and line."""
    project = load_project(profile(folder))

    assert project.name == "shop"
    assert [table.name for table in project.tables] == ["raw.orders", "curated.totals"]
    assert {name: source.domain for name, source in project.sources.items()} == {
        "raw.orders": "sales",
        "curated.totals": "shop",
    }
    assert str(project.sources["curated.totals"]) == f"{folder}/tables/totals.py, line 4"


def test_two_projects_with_folders_of_one_name_do_not_mix(folder, tmp_path):
    """Loading a second project in the same process does not see the first one's files."""
    load_tables(profile(folder))
    other = tmp_path / "other"
    (other / "tables").mkdir(parents=True)
    (other / "headwater.toml").write_text('[project]\ndefinitions = ["tables"]\n')
    (other / "tables" / "orders.py").write_text(ORDERS.replace("raw.orders", "raw.mine"))

    assert [table.name for table in load_tables(profile(other))] == ["raw.mine"]


def test_without_a_project_file_there_are_no_tables(tmp_path):
    """An empty folder is a project without tables, named after the folder."""
    project = load_project(profile(tmp_path))

    assert (project.name, project.tables) == (tmp_path.name, ())


def test_the_same_name_twice_is_refused(folder):
    """Two definitions of one name are refused, and both places are named."""
    (folder / "tables" / "again.py").write_text(ORDERS)

    with pytest.raises(DefinitionError, match=r"sales/orders\.py, line 3.*raw\.orders.*again\.py, line 3"):
        load_tables(profile(folder))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nothing_like_it\n", r"broken\.py, line 1: ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("x = 1\ny = (\n", r"broken\.py, line 2: SyntaxError"),
        ("from headwater.table import Column\n\nColumn('A b', 'int', '')\n", r"broken\.py, line 3: Column name 'A b'"),
        ("from tables import other\n", r"other\.py, line 2: ZeroDivisionError"),
    ],
)
def test_a_wrong_definition_is_named_with_file_and_line(folder, text, said):
    """Whatever an import raises becomes one sentence with the line in the project's own file."""
    (folder / "tables" / "other.py").write_text("\n1 / 0\n" if "other" in text else "")
    (folder / "tables" / "broken.py").write_text(text)

    with pytest.raises(DefinitionError, match=said):
        load_tables(profile(folder))


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('[project]\ndefinitions = ["nowhere"]\n', "'nowhere', which is neither a folder"),
        ('[project]\ndefinitions = ["csv"]\n', "'csv', which is neither a folder"),
        ('[project]\ndefinitions = "tables"\n', "give a list"),
        ("[project]\nname = 3\n", "name is 3"),
        ("project = 3\n", "not a section"),
        ('[project]\ndefinitions = ["platform"]\n', "has the name of another Python package"),
    ],
)
def test_an_unusable_project_file_is_named(folder, toml, said):
    """A wrong headwater.toml is one sentence that says what to write."""
    (folder / "headwater.toml").write_text(toml)
    (folder / "platform").mkdir()

    with pytest.raises(ConfigError, match=said):
        load_tables(profile(folder))


def test_an_unknown_table_is_named_with_those_there_are(folder):
    """Asking for a table that is not there lists the project's tables."""
    with pytest.raises(DefinitionError, match=r"no table 'curated\.x'; it has raw\.orders, curated\.totals"):
        load_project(profile(folder)).table("curated.x")
