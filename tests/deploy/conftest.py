"""What tests of the chart share."""

from __future__ import annotations

import pytest
from chart import CASES, render


@pytest.fixture(params=CASES)
def objects(request):
    """What the chart renders to, for every values file and every switch."""
    return render(*CASES[request.param])
