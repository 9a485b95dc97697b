"""``import headwater``: what it offers, and that it costs nothing until used."""

from __future__ import annotations

import importlib
import subprocess
import sys

import headwater
import pytest

MODULES = (
    "headwater.checks",
    "headwater.ddl",
    "headwater.dialects",
    "headwater.evolve",
    "headwater.keep",
    "headwater.layout",
    "headwater.sqlbody",
)


def test_all_names_the_real_contents() -> None:
    """Every public name is there, listed once and in order."""
    assert headwater.__all__ == sorted(set(headwater.__all__))
    assert set(headwater.__all__) == set(headwater._HOMES)
    for name in headwater.__all__:
        assert getattr(headwater, name) is not None
    assert set(headwater.__all__) <= set(dir(headwater))


def test_an_unknown_name_is_no_attribute() -> None:
    """Asking for something else fails as it does on any module."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        headwater.nothing  # noqa: B018


@pytest.mark.parametrize("name", MODULES)
def test_a_modules_all_is_what_it_defines(name: str) -> None:
    """A module's public names are there and listed in its __all__."""
    module = importlib.import_module(name)

    assert all(hasattr(module, public) for public in module.__all__)
    own = {
        attribute
        for attribute, value in vars(module).items()
        if getattr(value, "__module__", None) == name and not attribute.startswith("_")
    }
    assert own <= set(module.__all__)


def test_importing_definitions_needs_no_heavy_library() -> None:
    """Tables, checks and SQL bodies load without PyIceberg, Spark or Dagster, and the face itself loads nothing."""
    heavy = ("pyiceberg", "pyarrow", "pandas", "pyspark", "dagster", "boto3", "trino")
    code = (
        "import sys, headwater; assert not [m for m in sys.modules if m.startswith('headwater.')]\n"
        "import headwater.checks, headwater.sqlbody, headwater.ddl, headwater.evolve, headwater.layout\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
