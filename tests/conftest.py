"""The one shared box of the tests: real services, small data, its own home and ports."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from command_line import headwater
from headwater.profile import SETTINGS, Profile

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = """\
[project]
name = "loans"
definitions = ["headwater_assets.loans"]
dashboards = ["headwater_dashboards.loans"]
"""


def _user_settings() -> dict[str, str]:
    """Return the settings of the machine that tests keep: the cache and the mirrors."""
    mirrors = [f"HEADWATER_{one}_MIRROR" for one in ("PYPI", "MAVEN", "GO", "NPM")]
    return {name: os.environ[name] for name in ("HEADWATER_CACHE", *mirrors) if name in os.environ}


KEPT = _user_settings()


@pytest.fixture(autouse=True, scope="session")
def _no_settings_of_the_user():
    """Tests see no HEADWATER_* variable of the person who runs them, but for cache and mirrors."""
    removed = {one.name: os.environ.pop(one.name) for one in SETTINGS if one.name in os.environ}
    os.environ.update(KEPT)
    yield
    os.environ.update(removed)


@pytest.fixture(scope="session")
def box() -> Profile:
    """A running box with the loans project and no data; stopped at the end, on failure too.

    KEEP_BOX=1 leaves it running and uses it again, for quick rounds while developing; BOX_ONLY="postgres catalog"
    starts these components alone, for tests that need no more; TEST_PORT=18700 puts it on another block of ports.
    """
    keep = bool(os.environ.get("KEEP_BOX"))
    root = REPOSITORY / ".headwater-test"
    profile = _profile(root)
    if not keep:
        headwater(profile, "down", check=False)
        shutil.rmtree(root, ignore_errors=True)
    (root / "project").mkdir(parents=True, exist_ok=True)
    (root / "project" / "headwater.toml").write_text(PROJECT, encoding="utf-8")
    profile = _profile(root)
    try:
        headwater(profile, "up", *os.environ.get("BOX_ONLY", "").split())
        yield profile
    finally:
        if not keep:
            headwater(profile, "down", check=False)


def _profile(root: Path) -> Profile:
    return Profile.load(
        HEADWATER_PROJECT=str(root / "project") if (root / "project").is_dir() else str(REPOSITORY),
        HEADWATER_HOME=str(root / "home"),
        HEADWATER_PORT=os.environ.get("TEST_PORT", "17700"),
        HEADWATER_LEASE="10",
        HEADWATER_START_TIMEOUT="420",  # a test machine may be busy with other things
    )
