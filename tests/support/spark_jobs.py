"""What the box's Spark works at, for tests of what stops it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater.profile import Profile

__all__ = ["ENDLESS", "running_jobs", "soon"]

# Far more rows than anybody waits for.
ENDLESS = "SELECT sum(hash(a.id, b.id)) FROM range(1000000) a CROSS JOIN range(1000000) b"
# The job that is to be stopped has all cores meanwhile, and Spark's page is answered between.
_SECONDS = 60


def running_jobs(box: Profile) -> list[Any]:
    """Return the jobs that run now."""
    place = f"http://{box.address('spark-ui')}/api/v1/applications"
    name = requests.get(place, timeout=_SECONDS).json()[0]["id"]
    found: list[Any] = requests.get(f"{place}/{name}/jobs", params={"status": "running"}, timeout=_SECONDS).json()
    return found


def soon(true: Callable[[], Any]) -> None:
    """Wait until something is true."""
    until = time.monotonic() + _SECONDS
    while not true():
        assert time.monotonic() < until, f"not within {_SECONDS} seconds"
        time.sleep(0.2)
