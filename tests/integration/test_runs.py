"""Runs in progress on the box: what happens to them when a process is killed, and when they are cancelled."""

from __future__ import annotations

import json
import time

import psutil
import pytest
from command_line import headwater
from headwater.errors import ComponentError
from headwater_assets.lib.run_identity import PID_TAG
from headwater_assets.lib.webserver import Webserver

pytestmark = pytest.mark.box

QUICK, SLOW = "curated.quick_step", "curated.slow_step"
TABLES = """\
import time
from pathlib import Path
from headwater import Column, Table

GO = Path(__file__).parent / "go"
BUSY = Path(__file__).parent / "busy"

def once(*upstreams):
    from pyspark.sql import SparkSession
    return SparkSession.active().range(3)

def wait(upstream):
    BUSY.touch()
    while not GO.exists():
        time.sleep(0.1)
    return upstream

ID = (Column("id", "long", "A number."),)
quick = Table(name="curated.quick_step", doc="Three.", owner="team:tests", columns=ID, engine="spark", body=once)
slow = Table(name="curated.slow_step", doc="Three, later.", owner="team:tests", columns=ID, engine="spark", body=wait,
             upstreams=(quick,))
"""


@pytest.fixture(scope="module")
def project(box):
    """The box's project with two tables more; the second one waits in its body until it is told to go on."""
    file, folder = box.project / "headwater.toml", box.project / "slow"
    before = file.read_text(encoding="utf-8")
    folder.mkdir(exist_ok=True)
    (folder / "tables.py").write_text(TABLES, encoding="utf-8")
    file.write_text(before.replace('["', '["slow", "'), encoding="utf-8")
    _until(lambda: SLOW in _assets(box), 60)
    yield folder
    file.write_text(before, encoding="utf-8")


@pytest.fixture
def waiting(box, project):
    """A run whose second step is in its body."""
    for mark in ("go", "busy"):
        (project / mark).unlink(missing_ok=True)
    run = _dagster(box).launch([QUICK, SLOW], {})
    _until((project / "busy").exists, 90)
    return run


def test_a_run_whose_process_is_killed_fails_soon_and_is_retried_from_there(box, project, waiting):
    """Within a minute it is recorded as failed; the retry writes what was left, and nothing twice."""
    psutil.Process(_pid(box, waiting)).kill()
    _until(lambda: _dagster(box).follow(waiting).ended, 60)
    assert _dagster(box).follow(waiting).status == "FAILURE"

    (project / "go").touch()
    retried = _dagster(box).retry(waiting)
    _until(lambda: _dagster(box).follow(retried).ended, 120)

    assert _dagster(box).follow(retried).status == "SUCCESS"
    assert _written(box, waiting) == {QUICK}
    assert _written(box, retried) == {SLOW}
    assert headwater(box, "sql", "-o", "csv", f"select count(*) as n from {SLOW}").stdout.split() == ["n", "3"]


@pytest.mark.parametrize("name", ["dagster:code", "dagster:daemon", "dagster:runner", "dagster:webserver"])
def test_a_run_outlives_the_rest_of_dagster(box, project, waiting, name):
    """Its process is its own: kill -9 of any other process of Dagster, and it still ends well and is recorded."""
    psutil.Process(_rows(box)[name]["pid"]).kill()
    _until(lambda: all(row["ready"] for row in _rows(box).values()), 120)
    assert not _dagster(box).follow(waiting).ended

    (project / "go").touch()
    _until(lambda: _dagster(box).follow(waiting).ended, 120)

    assert _dagster(box).follow(waiting).status == "SUCCESS"
    assert _written(box, waiting) == {QUICK, SLOW}


def test_a_cancelled_run_ends_with_its_process(box, waiting):
    """Cancel is heard in the middle of a body."""
    pid = _pid(box, waiting)

    _dagster(box).cancel(waiting)

    _until(lambda: _dagster(box).follow(waiting).ended, 30)
    assert _dagster(box).follow(waiting).status == "CANCELED"
    _until(lambda: not psutil.pid_exists(pid), 10)
    assert _written(box, waiting) == {QUICK}


def _dagster(box):
    return Webserver(f"http://{box.address('dagster')}")


def _rows(box):
    return {row["name"]: row for row in json.loads(headwater(box, "status", "-o", "json").stdout)}


def _assets(box):
    answer = _dagster(box)._ask("{ assetNodes { assetKey { path } } }")
    return {".".join(node["assetKey"]["path"]) for node in answer["assetNodes"]}


def _pid(box, run):
    answer = _dagster(box)._ask(
        "query R($run: ID!) { runOrError(runId: $run) { ... on Run { tags { key value } } } }", run=run
    )
    return int(next(tag["value"] for tag in answer["runOrError"]["tags"] if tag["key"] == PID_TAG))


def _written(box, run):
    return {event.asset for event in _dagster(box).follow(run).events if event.kind == "MaterializationEvent"}


def _until(condition, seconds):
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except ComponentError:  # what was killed is still coming back
            pass
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)
