"""The watch over definitions: it loads at once, again when a file changes, and again when a load could not be done."""

from __future__ import annotations

import time
from types import SimpleNamespace

from headwater.profile import Profile
from headwater_catalog.service import definitions
from headwater_catalog.service.definitions import Watch


class Recorded(Watch):
    """A watch that only counts its loads."""

    loads = 0
    settled = True

    def _load(self) -> bool:
        self.loads += 1
        return self.settled


def until(condition) -> bool:
    """Wait a little for a condition."""
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def watched(tmp_path, monkeypatch) -> Recorded:
    """Return a watch over a project with one folder that looks often."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\ndefinitions = ["tables"]\n')
    monkeypatch.setattr(definitions, "_LOOK_SECONDS", 0.05)
    monkeypatch.setattr(definitions, "_AGAIN_SECONDS", 0.05)
    return Recorded(Profile.load({}, HEADWATER_PROJECT=str(tmp_path), HEADWATER_HOME=str(tmp_path / "home")))


def test_a_changed_file_is_loaded_once(tmp_path, monkeypatch):
    """One load at the start, one for each change, none for nothing."""
    watch = watched(tmp_path, monkeypatch)
    with watch:
        assert until(lambda: watch.loads == 1)
        time.sleep(0.3)
        assert watch.loads == 1
        (tmp_path / "tables" / "new.py").write_text("")
        assert until(lambda: watch.loads == 2)
        (tmp_path / "tables" / "new.py").unlink()
        assert until(lambda: watch.loads == 3)


def test_what_a_package_above_watches_is_loaded_too(tmp_path, monkeypatch):
    """Such as what people draw in Superset: no file changes."""
    state = [1]
    point = SimpleNamespace(load=lambda: lambda profile: state[0])
    monkeypatch.setattr(definitions, "entry_points", lambda group: [point] if group == "headwater.changes" else [])
    watch = watched(tmp_path, monkeypatch)
    with watch:
        assert until(lambda: watch.loads == 1)
        state[0] = 2
        assert until(lambda: watch.loads == 2)


def test_a_load_that_could_not_be_done_is_tried_again(tmp_path, monkeypatch):
    """While the database is away, and until it is back."""
    watch = watched(tmp_path, monkeypatch)
    watch.settled = False
    with watch:
        assert until(lambda: watch.loads >= 3)
        watch.settled = True
        time.sleep(0.3)
        loads = watch.loads
        time.sleep(0.3)
        assert watch.loads == loads
