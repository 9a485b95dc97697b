"""Helper programs of a fetch."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest
from headwater.box.download import Stopped
from headwater.box.tether import run_tethered
from headwater.errors import FetchError

OUTER = """
import os, threading
from pathlib import Path
from headwater.box.progress import progress_on
from headwater.box.tether import run_tethered
from rich.console import Console
with progress_on(Console()) as progress, progress.step("x") as step:
    run_tethered(["sleep", "60"], cwd=Path("/"), env=dict(os.environ), step=step, stop=threading.Event(), doing="x")
"""


@pytest.fixture
def run(progress, tmp_path):
    """Return a function that runs a shell script under a tether."""
    stop = threading.Event()

    def call(script, **more):
        with progress.step("x") as step:
            return run_tethered(
                ["sh", "-c", script], cwd=tmp_path, env=dict(os.environ), step=step, stop=stop, doing="Trying", **more
            )

    call.stop = stop
    return call


def test_output_and_niceness(run):
    """What it writes is returned, and it runs below the others' priority."""
    assert int(run("nice")) >= 5


def test_failure_says_what_it_said(run):
    """A failure names what was tried, what to do, and the last that the program said."""
    with pytest.raises(FetchError, match=r"Trying failed \(exit code 3\); do that\. It said: oh no"):
        run("echo oh no >&2; exit 3", advice="do that")


def test_stop(run):
    """It is ended when the fetch ends early."""
    threading.Timer(0.2, run.stop.set).start()
    began = time.monotonic()

    with pytest.raises(Stopped):
        run("sleep 60")
    assert time.monotonic() - began < 10


def test_no_orphan():
    """A fetch that is killed takes its helpers along."""
    outer = subprocess.Popen([sys.executable, "-c", OUTER])
    ends = time.monotonic() + 20
    helpers = []
    while not any(helper.name() == "sleep" for helper in helpers) and time.monotonic() < ends:
        time.sleep(0.02)
        helpers = psutil.Process(outer.pid).children(recursive=True)
    outer.kill()
    outer.wait()

    gone, alive = psutil.wait_procs(helpers, timeout=10)
    assert (len(gone), alive) == (1, [])
