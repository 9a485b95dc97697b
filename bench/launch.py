"""One trivial asset from launch to recorded: the box's Dagster against a stock one, on the same PostgreSQL."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from headwater.box.component import Box, Command
from headwater.box.components.databases import connect, database_url
from headwater.errors import ComponentError
from headwater.profile import inherited_env
from headwater_assets.lib.component import DagsterComponent
from headwater_assets.lib.webserver import LOCATION, Webserver

from bench.box import ROOT
from bench.pairs import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headwater_assets.lib.webserver import Event

    from bench.box import BenchBox

__all__ = ["launch"]

_MODULE = "bench.trivial"
_STOCK_PORT_OFFSET = 50
_START_SECONDS = 180


class _TrivialDagster(DagsterComponent):
    """The box's Dagster, every process as it is there, with the trivial asset for definitions."""

    definitions = _MODULE


def launch(box: BenchBox, rounds: int, say: Callable[[str], None]) -> Pair:
    """Launch the asset on both Dagsters in turns, each already up, after one launch that is not counted."""
    ours, theirs = [], []
    with box.up("postgres"), _ours(Box(box.profile)) as our_server, _stock(box) as stock_server:
        for number in range(rounds + 1):
            our_seconds, our_rows = _launched(our_server)
            their_seconds, their_rows = _launched(stock_server)
            if our_rows != their_rows:
                raise AssertionError(f"Both must record the same: {our_rows} and {their_rows}.")
            say(f"launch {number} of {rounds}: {our_seconds:.2f} s, stock {their_seconds:.2f} s")
            if number:
                ours.append(our_seconds)
                theirs.append(their_seconds)
    return Pair(
        name="A trivial asset, from launch to recorded",
        ours="the box's Dagster: run queue, warm runner, every check of run health",
        theirs="stock Dagster (`dagster dev`, multiprocess executor) on the same PostgreSQL",
        goal=0.25,
        our_seconds=ours,
        their_seconds=theirs,
        limit="Dagster's own work per run: the launch, and an event for every state, each a commit",
    )


def _launched(server: Webserver) -> tuple[float, float]:
    """Return seconds from the request to the run's last event, and the number that was recorded."""
    began = time.time()
    run = server.launch(["trivial"], {})
    state = server.follow(run)
    events: list[Event] = [*state.events]
    while not state.ended:
        time.sleep(0.05)
        state = server.follow(run, state.cursor)
        events += state.events
    if state.status != "SUCCESS":
        raise AssertionError(f"The run ended as {state.status}: {[one.message for one in events]}")
    recorded = next(one for one in events if one.kind == "MaterializationEvent")
    return max(one.seconds for one in events) - began, recorded.metadata["rows"]


@contextmanager
def _ours(box: Box) -> Iterator[Webserver]:
    component = _TrivialDagster()
    component.migrate(box)
    commands = [component.command(box, role) for role in component.roles]
    with _processes(commands, box.profile.home / "bench-dagster", BENCH_EXECUTOR="in_process"):
        for role in component.roles:
            _until(partial(component.probe, box, role))
        yield Webserver(f"http://{box.profile.address('dagster')}")


@contextmanager
def _stock(box: BenchBox) -> Iterator[Webserver]:
    """``dagster dev`` as its documentation starts it, but for the storage, which is the same PostgreSQL."""
    profile, home = box.profile, box.profile.home / "stock"
    home.mkdir()
    with connect(profile, "postgres", database="postgres") as connection:
        owner = profile.credentials.user("dagster-db")
        connection.execute(f'CREATE DATABASE stock OWNER "{owner}"')
    url = database_url(profile, "dagster-db", "postgresql+psycopg2").rpartition("/")[0] + "/stock"
    storage = {"postgres": {"postgres_url": {"env": "BENCH_DATABASE"}}}
    (home / "dagster.yaml").write_text(json.dumps({"storage": storage, "telemetry": {"enabled": False}}))
    module = {"python_module": {"module_name": _MODULE, "location_name": LOCATION}}
    (home / "workspace.yaml").write_text(json.dumps({"load_from": [module]}))
    port = profile.first_port + _STOCK_PORT_OFFSET
    argv = [sys.executable, "-m", "dagster", "dev", "-w", str(home / "workspace.yaml")]
    command = Command(
        [*argv, "-h", profile.host, "-p", str(port)],
        env={"DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "1", "BENCH_DATABASE": url},
        cwd=home,
    )
    server = Webserver(f"http://{profile.host}:{port}")
    with _processes([command], home / "dagster-dev"):
        _until(server.tables)
        yield server


@contextmanager
def _processes(commands: list[Command], log: Path, **more: str) -> Iterator[None]:
    """Run processes with the repository importable; end each with its process group."""
    with log.with_suffix(".log").open("wb") as output:
        started = [
            subprocess.Popen(
                command.argv,
                env=inherited_env(**command.env, **more, PYTHONPATH=str(ROOT)),
                cwd=command.cwd,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            for command in commands
        ]
        try:
            yield
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


def _until(use: Callable[[], object]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            use()
        except ComponentError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
        else:
            return
