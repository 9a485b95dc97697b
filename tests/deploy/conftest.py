"""What tests of the chart share."""

from __future__ import annotations

import os

import pytest
from chart import CASES, render
from wiring import missing_tools


@pytest.fixture(params=CASES)
def objects(request):
    """What the chart renders to, for every values file and every switch."""
    return render(*CASES[request.param])


@pytest.fixture(scope="session")
def tools():
    """What namespaces and packet filters take; without it these tests are skipped, in CI they fail."""
    if why := missing_tools():
        (pytest.fail if os.environ.get("TEST_NO_SKIP") else pytest.skip)(f"nothing can be started here: {why}")
