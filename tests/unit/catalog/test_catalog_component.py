"""How the catalog runs in the box, without starting it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from headwater.box.components import all_components
from headwater.errors import ComponentError
from headwater.profile import PORTS
from headwater_catalog.component import CatalogComponent
from unstarted import idle_box


@pytest.fixture
def box(tmp_path):
    """A box that has credentials and runs nothing, on a free port."""
    return idle_box(tmp_path)


def test_it_is_a_component_of_the_box(box):
    """It is found by its entry point, with a port of the block and its own logins."""
    component = all_components()["catalog"]

    assert isinstance(component, CatalogComponent)
    assert (component.needs, component.runtimes) == (("postgres",), ("pages",))
    assert component.port("") == "catalog"
    assert "catalog" in PORTS
    assert component.url(box, "") == f"http://127.0.0.1:{box.profile.port('catalog')}"
    assert len({box.profile.credentials.password(one) for one in ("catalog", "catalog-db")}) == 2


def test_no_secret_stands_where_others_look(box):
    """Neither arguments nor environment hold a password; the process reads them itself."""
    command = CatalogComponent().command(box, "")
    shown = " ".join((*command.argv, *command.env.values()))

    for login in ("catalog", "catalog-db"):
        assert box.profile.credentials.password(login) not in shown


def test_a_catalog_that_is_down_is_one_sentence(box):
    """The probe says where it asked and what to do."""
    with pytest.raises(ComponentError, match=r"http://127\.0\.0\.1:\d+ does not answer.*headwater status"):
        CatalogComponent().probe(box, "")


def test_heavy_libraries_stay_out_of_the_process():
    """The service imports neither orchestrator nor engines nor data frames."""
    program = "import sys, headwater_catalog.service.__main__, headwater_catalog.store._events; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    assert loaded & {"dagster", "pyspark", "pandas", "pyarrow", "numpy", "pyiceberg", "trino"} == set()
