"""`headwater fetch --prune`: the cache without what only other releases need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from headwater.box.fetch import fetch
from headwater.box.prune import prune_cache
from headwater.box.runtimes import MARK, Runtimes


@pytest.fixture
def cache(registry, settings, shapes, output):
    """A cache that an older and this release filled; this one's lock, and the older one's folder."""
    old, new = registry.put("g:one:1", b"1" * 50_000), registry.put("g:one:2", b"2" * 50_000)
    before, now = shapes.lock_of(shapes.jars("first", old)), shapes.lock_of(shapes.jars("first", new))
    for lock in (before, now):
        fetch(settings, console=output, lock=lock)
    return now, Runtimes(settings.cache, before).path("first")


def test_what_only_older_releases_need_is_removed(cache, settings, output):
    """Runtime, download and what killed fetches left; this release's own stays whole, and a second time all is done."""
    lock, old = cache
    (settings.cache / "scratch" / "first-0-00000000").mkdir(parents=True)
    stray = settings.cache / "downloads" / ("0" * 64)
    stray.mkdir(parents=True)
    (stray / "trino.tar.gz.part").write_bytes(b"x" * 100_000)

    done = prune_cache(settings, output, lock=lock)

    assert old.name in done.removed
    assert not old.exists()
    assert not stray.exists()
    assert not any((settings.cache / "scratch").iterdir())
    assert done.kept == ()
    assert done.freed >= 150_000
    assert (Runtimes(settings.cache, lock).path("first") / "one-2.jar").read_bytes() == b"2" * 50_000
    assert prune_cache(settings, output, lock=lock) == type(done)((), (), 0)


@pytest.mark.parametrize("way", ["program", "argument", "folder"])
def test_what_a_process_runs_stays(cache, settings, output, way):
    """Another box of an older release, started from it, with it on its command line, or in it."""
    lock, old = cache
    program = shutil.copy(shutil.which("sleep"), old / "server")
    argv = {
        "program": [program, "60"],
        "argument": [sys.executable, "-c", "import time; time.sleep(60)", f"x:{old}/lib/*:y"],
        "folder": ["sleep", "60"],
    }[way]
    with subprocess.Popen(argv, cwd=old if way == "folder" else None) as process:
        try:
            done = prune_cache(settings, output, lock=lock)
        finally:
            process.kill()

    assert [name.partition(" ")[0] for name in done.kept] == [old.name]
    assert f"pid {process.pid})" in done.kept[0]
    assert (old / MARK).exists()
    assert old.name not in done.removed
    assert old.name in prune_cache(settings, output, lock=lock).removed


def test_nothing_outside_of_what_a_fetch_makes_is_touched(cache, settings, output):
    """A folder that somebody put there, and what a link leads to."""
    lock, _ = cache
    mine = settings.cache / "mine"
    mine.mkdir()
    (mine / "precious").write_text("x")
    (settings.cache / "runtimes" / "link").symlink_to(mine)

    prune_cache(settings, output, lock=lock)

    assert (mine / "precious").read_text() == "x"
    assert not os.path.lexists(settings.cache / "runtimes" / "link")
    assert Path(settings.cache, "fetch.lock").exists()
