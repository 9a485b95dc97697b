"""What the materialize command shows of a run, and how it ends, against a web server that answers like Dagster's."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from headwater.box.component import Box
from headwater.box.supervisor import Supervisor
from headwater.credentials import ensure_credentials
from headwater.errors import ConfigError, HeadwaterError
from headwater.profile import Profile
from headwater_assets.lib import commands
from headwater_assets.lib.commands import _Progress, materialize
from headwater_assets.lib.webserver import _event

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = """
from headwater.table import Column, DelimitedFiles, Partitioning, Table

things = Table(name="raw.things", doc="d", owner="team:own", columns=(Column("id", "string", "d"),),
    files=DelimitedFiles(folder="in", pattern=r"(?P<key>\\d{4})\\.txt"),
    partitioning=Partitioning("year", by="year", start="2019"))
count = Table(name="curated.count", doc="d", owner="team:own", columns=(Column("n", "long", "d"),),
    upstreams=(things,), body="SELECT count(*) AS n FROM raw.things")
"""


def event(kind: str, step: str, at: float, **more: Any) -> dict[str, Any]:
    """Return one event as Dagster's GraphQL does."""
    return {"__typename": kind, "message": "", "stepKey": step, "timestamp": str(at * 1000), **more}


WRITTEN = event(
    "MaterializationEvent",
    "raw__things",
    2,
    assetKey={"path": ["raw", "things"]},
    metadataEntries=[{"label": "dagster/row_count", "intRepr": "1234567"}, {"label": "rejected", "intRepr": "2"}],
)
GOOD = [
    event("ExecutionStepStartEvent", "raw__things", 1),
    WRITTEN,
    event("ExecutionStepSuccessEvent", "raw__things", 3.5),
]
WHY = {"description": "It broke."}
BAD = [
    event("ExecutionStepStartEvent", "raw__things", 1),
    event(
        "ExecutionStepFailureEvent",
        "raw__things",
        2,
        error={"message": "x"},
        failureMetadata={"description": "It broke."},
    ),
]


class Dagster:
    """Answers launches and follows with what a test wants."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = GOOD
        self.status = "SUCCESS"
        self.launched: list[dict[str, Any]] = []
        self.silences = 0

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the data of one query."""
        if "launchRun" in body["query"]:
            self.launched.append(body["variables"]["params"])
            return {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}}}
        if self.silences:
            self.silences -= 1
            return {"runOrError": {"status": "STARTED"}, "logsForRun": {"message": "server closed the connection"}}
        logs = {"cursor": "c", "hasMore": False, "events": self.events}
        return {"runOrError": {"status": self.status}, "logsForRun": logs}


@pytest.fixture
def dagster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dagster]:
    """A project with files of 2019 and 2020, and a Dagster on its port."""
    found = Dagster()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"data": found.answer(body)}).encode())

        def log_message(self, *_: object) -> None: ...

    (tmp_path / "tables").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "tables" / "things.py").write_text(TABLES)
    for year in (2019, 2020):
        (tmp_path / "in" / f"{year}.txt").write_text("a\n")
    (tmp_path / "headwater.toml").write_text('[project]\ndefinitions = ["tables"]\n')
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        monkeypatch.setenv("HEADWATER_PROJECT", str(tmp_path))
        monkeypatch.setenv("HEADWATER_PORT", str(server.server_port))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        profile = Profile.load()
        ensure_credentials(profile.home)
        supervisor = Supervisor(Box(profile))
        supervisor.start(())
        yield found
        supervisor.shutdown()
        server.shutdown()
        thread.join()


def run(*arguments: str) -> Any:
    """Run the command."""
    return CliRunner().invoke(materialize, arguments)


def test_everything_is_one_run_that_is_shown(dagster):
    """--all takes the partitions that have files; which table runs, its rows and its seconds are shown."""
    done = run("--all")

    assert done.exit_code == 0
    (params,) = dagster.launched
    assert [".".join(one["path"]) for one in params["selector"]["assetSelection"]] == ["raw.things", "curated.count"]
    assert params["executionMetadata"]["tags"] == [
        {"key": "dagster/asset_partition_range_start", "value": "2019"},
        {"key": "dagster/asset_partition_range_end", "value": "2020"},
    ]
    assert "raw.things                         begins" in done.output
    assert "raw.things                         1,234,567 rows, 2 rejected, in 2.5 s" in done.output
    assert done.output.rstrip().endswith("done: 2 tables written")


def test_stale_takes_every_partition_that_has_files(dagster, monkeypatch):
    """Which are behind is the command's to find out, so no key has to be given."""
    asked = []
    monkeypatch.setattr(commands, "_outdated", lambda _, tables, keys, profile: asked.append(keys) or {})

    assert "nothing was written" in run("raw.things", "--stale").output
    assert asked == [{"raw.things": ("2019", "2020")}]


def test_what_a_load_warns_of_is_shown_once(dagster):
    """Every partition's materialization of a run carries it."""
    labels = [{"label": "warnings", "text": "raw.things 2019 lost 3 lines."}]
    dagster.events = [*GOOD[:2], {**WRITTEN, "metadataEntries": labels}, {**WRITTEN, "metadataEntries": labels}]

    assert run("--all").output.count("warning: raw.things 2019 lost 3 lines.") == 1


def test_a_failed_run_is_its_sentence(dagster):
    """The command fails with what the table's failure said."""
    dagster.events, dagster.status = BAD, "FAILURE"
    done = run("raw.things", "--partition", "2019")

    assert isinstance(done.exception, HeadwaterError)
    assert str(done.exception) == "Run r1 did not write everything. It broke."
    assert "raw.things                         failed" in done.output


def test_a_cancelled_run_is_not_success(dagster):
    """A run that somebody cancelled ends the command with that word."""
    dagster.events, dagster.status = [], "CANCELED"

    assert "Its end was canceled." in str(run("raw.things", "--partition", "2019").exception)


def test_no_wait_returns_at_once(dagster):
    """With --no-wait the run is submitted and named, and nothing is followed."""
    dagster.status = "STARTED"
    done = run("curated.count", "--no-wait")

    assert done.exit_code == 0
    assert "run r1" in done.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say which tables"),
        (("raw.things",), r"raw\.things has partitions; add --partition 20"),
        (("raw.things", "--partition", "1900"), "'1900' is no year partition"),
        (("raw.thing",), r"no table 'raw\.thing'"),
        (("raw.things", "--partition", "2019", "--all-partitions"), "Give one of"),
    ],
)
def test_what_cannot_be_meant_is_refused(dagster, arguments, said):
    """A selection that means nothing is refused before anything is submitted."""
    with pytest.raises(ConfigError, match=said):
        raise run(*arguments).exception
    assert dagster.launched == []


def test_without_files_the_answer_says_where_to_put_them(dagster, tmp_path):
    """With no file anywhere there is nothing to write, and the sentence names the folder."""
    for path in (tmp_path / "in").iterdir():
        path.unlink()

    assert "Put files into in" in str(run("--all").exception)
    assert dagster.launched == []


def test_a_long_step_shows_that_it_goes_on(monkeypatch):
    """After a while without an event there is a line, and none once the table is written."""
    progress, now = _Progress(2), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: now[0])
    assert progress.tell(_event(GOOD[0])) == f"{'raw.things':<34} begins, 1 of 2"

    assert progress.still() == ""
    now[0] += 25
    assert "raw.things" in progress.still()
    assert progress.still() == ""
    for one in GOOD[1:]:
        progress.tell(_event(one))
    now[0] += 25
    assert progress.still() == ""


def test_a_box_that_is_stopped_meanwhile_is_said_soon(dagster, monkeypatch):
    """`headwater down` cuts runs off; a minute of silence and a connection's error would not tell that."""
    box = Supervisor(Box(Profile.load()))
    answer = dagster.answer

    def stop(body):
        dagster.silences = 1
        if "launchRun" not in body["query"]:
            box.shutdown()
        return answer(body)

    monkeypatch.setattr(dagster, "answer", stop)
    began = time.monotonic()

    said = str(run("raw.things", "--partition", "2019").exception)

    assert said.startswith("The box was stopped; run r1 was cut off. Start it with `headwater up`")
    assert time.monotonic() - began < 30


def test_a_dagster_that_is_started_anew_is_waited_for(dagster):
    """PostgreSQL killed under it, for example: the run goes on meanwhile, so the command does, too."""
    dagster.silences = 2

    done = run("--all")

    assert done.exit_code == 0, done.exception
    assert "1,234,567 rows, 2 rejected" in done.output
