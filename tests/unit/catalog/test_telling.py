"""What a write tells the catalog, and what happens when nobody listens."""

from __future__ import annotations

import json
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from headwater.checks import CheckResult
from headwater.credentials import ensure_credentials
from headwater.errors import CheckFailed, QueryError
from headwater.files import Ingested
from headwater.profile import Profile
from headwater.profiles import ColumnProfile
from headwater.table import Column, Table
from headwater.write import LoadedFile, Maintained, Published, RawState, Read, TableState, WrittenPartition
from headwater_catalog.model import LOADS, READS
from headwater_catalog.openlineage import read_event, run_facts
from headwater_catalog.telling import ingested_event, tell_ingested, tell_upkeep, telling
from lineage_events import body, event, spark_table

RUN = str(uuid.uuid4())
TABLE = Table(
    name="curated.told",
    doc="One.",
    owner="team:t",
    columns=(Column("id", "int", "Key."),),
    body="select 1 as id",
)
DONE = Published(
    table="curated.told",
    snapshot_id=2**60,
    rows=3,
    files=1,
    bytes=1024,
    checks=(
        CheckResult(
            check="unique_id", promise="id is unique", passed=False, blocking=False, broken=1, columns=("id",), total=3
        ),
    ),
    written=(
        WrittenPartition(
            key="",
            rows=3,
            files=1,
            bytes=1024,
            profile={"id": ColumnProfile(kind="number", nulls=0, count=3, distinct=2, low=1, high=2)},
        ),
    ),
    state=TableState(
        rows=5,
        files=2,
        bytes=2048,
        operation="overwrite",
        snapshots=(2**60, 7),
        oldest=datetime(2026, 1, 1, tzinfo=UTC),
    ),
)


class Catalog(HTTPServer):
    """Takes events."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Taker)
        self.events, self.shown = [], []


class Taker(BaseHTTPRequestHandler):
    """One request."""

    def do_POST(self):
        """Keep the event."""
        self.server.events.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.shown.append(self.headers["Authorization"])
        self.send_response(201)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def catalog():
    """A catalog that takes everything."""
    with Catalog() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def profile(tmp_path, catalog):
    """A box that does not run, with its logins; where its catalog would be, another one listens."""
    (tmp_path / "headwater.toml").write_text('[project]\nname = "own"\n')
    apart = Profile.load({"HEADWATER_PORT": "9000"}, HEADWATER_PROJECT=str(tmp_path)).port("catalog") - 9000
    made = Profile.load({"HEADWATER_PROJECT": str(tmp_path), "HEADWATER_PORT": str(catalog.server_port - apart)})
    ensure_credentials(made.home)
    return made


def _facts(catalog):
    return run_facts([read_event(one)[0] for one in catalog.events])


def test_a_publication_is_told_with_its_snapshot_and_run(profile, catalog):
    """Both events are of one run, within Dagster's; they are valid, and carry the token."""
    said = []
    write = telling(profile, lambda *_, **__: DONE)
    assert write(TABLE, run=f"{RUN}-0", partitions=["2019", "2020"], log=said.append) is DONE

    facts = _facts(catalog)
    assert (facts.state, facts.parent, facts.partition) == ("COMPLETE", RUN, "2019, 2020")
    assert facts.engine.startswith("headwater ")
    (name,) = facts.outputs
    part = facts.outputs[name]
    assert part.aliases == (f"s3://{profile.bucket}/curated/told",)
    assert (part.snapshot, part.rows, part.bytes) == (str(2**60), 3, 1024)
    assert facts.inputs == {}
    assert said == []
    assert catalog.shown == [f"Bearer {profile.credentials.password('catalog')}"] * 2
    (check,) = part.knowledge.checks
    assert (check.name, check.passed, check.blocking, check.broken) == ("unique_id", False, False, 1)
    assert (check.columns, check.promise, check.total) == (("id",), "id is unique", 3)


def test_a_publication_is_told_with_size_shape_and_profile(profile, catalog):
    """The whole table, the partitions that were written, and what their columns hold."""
    telling(profile, lambda *_, **__: DONE)(TABLE, run=f"{RUN}-0", partitions=(), log=print)

    ((_, part),) = _facts(catalog).outputs.items()
    version, (written,) = part.knowledge.version, part.knowledge.partitions
    assert (version.rows, version.bytes, version.files, version.operation) == (5, 2048, 2, "overwrite")
    assert (version.kept, version.oldest) == ((str(2**60), "7"), datetime(2026, 1, 1, tzinfo=UTC))
    assert (written.key, written.rows, written.bytes, written.files) == ("", 3, 1024, 1)
    assert written.profile == dict(DONE.written[0].profile)
    metrics = json.loads(catalog.events[-1])["outputs"][0]["facets"]["dataQualityMetrics"]
    assert metrics["columnMetrics"] == {"id": {"nullCount": 0, "count": 3, "distinctCount": 2, "min": 1, "max": 2}}


def test_a_failed_check_is_told_with_all_results(profile, catalog):
    """A run that was stopped says which check stopped it, and how the others came out."""
    held = replace(DONE.checks[0], check="held", passed=True)

    def stopped(*_, **__):
        raise CheckFailed("curated.told", (DONE.checks[0],), (DONE.checks[0], held))

    with pytest.raises(CheckFailed):
        telling(profile, stopped)(TABLE, run=f"{RUN}-0", partitions=(), log=print)

    ((_, part),) = _facts(catalog).outputs.items()
    assert [(one.name, one.passed) for one in part.knowledge.checks] == [("unique_id", False), ("held", True)]
    assert part.knowledge.version is None


def test_a_failure_is_told_with_its_sentence(profile, catalog):
    """And raised as it was; another attempt is another run."""

    def fails(*_, **__):
        raise QueryError("Column x is not there.")

    for attempt in range(2):
        with pytest.raises(QueryError, match=r"^Column x is not there\.$"):
            telling(profile, fails)(TABLE, run=f"{RUN}-{attempt}", partitions=(), log=print)

    runs = {str(read_event(one)[0].run.run_id) for one in catalog.events}
    facts = run_facts([event for one in catalog.events[:2] if (event := read_event(one)[0])])
    assert (facts.state, facts.error, facts.effective) == ("FAIL", "Column x is not there.", False)
    assert len(runs) == 2


def test_a_load_that_changed_nothing_publishes_nothing(profile, catalog):
    """Its run is known; nothing was written by it."""
    same = Published(table="curated.told", snapshot_id=None, rows=3, files=1, bytes=1, changed=False)
    telling(profile, lambda *_, **__: same)(TABLE, run=f"{RUN}-0", partitions=(), log=print)

    assert [part.rows for part in _facts(catalog).outputs.values()] == [None]


def test_without_a_catalog_the_write_goes_on(profile, catalog):
    """The log says so, and what to look at."""
    catalog.socket.close()
    said = []
    assert telling(profile, lambda *_, **__: DONE)(TABLE, run=f"{RUN}-0", partitions=(), log=said.append) is DONE

    assert len(said) == 2
    assert all("the catalog was not told" in one and "headwater status" in one for one in said)


def test_what_was_read_is_told_with_the_publication(profile, catalog):
    """Snapshots and loads of the upstreams go with the run; they are no reading of its own beside the engine's."""
    load = RawState(partition="2019", location="s3://lake/raw/a/year=2019/load=1/")
    reads = (Read(table="raw.a", loads=(load,), partitions=("2019",)), Read(table="partitioned.b", snapshot_id=2**60))
    telling(profile, lambda *_, **__: replace(DONE, reads=reads))(TABLE, run=f"{RUN}-0", partitions=(), log=print)

    told = json.loads(catalog.events[-1])["run"]["facets"][READS]["reads"]
    assert [(one["table"], one["snapshot"], one["partitions"]) for one in told] == [
        ("raw.a", "", ["2019"]), ("partitioned.b", str(2**60), []),
    ]  # fmt: skip
    assert told[0]["loads"] == [{"partition": "2019", "location": load.location}]
    assert _facts(catalog).inputs == {}


def test_files_are_told_with_the_load_that_shows_them(profile, catalog):
    """A raw load's files by name, size and digest; an ingest's originals likewise, and whether it appended."""
    file = LoadedFile(name="a.txt", size=3, sha256="ab", lines=1)
    load = RawState(partition="2019", location="s3://lake/raw/told/year=2019/load=1/", files=(file,))
    raw = Published(table="raw.told", snapshot_id=None, rows=1, files=1, bytes=3, loads=(load,))
    telling(profile, lambda *_, **__: raw)(TABLE, run=f"{RUN}-0", partitions=(), log=print)
    done = Ingested(table="raw.told", columns=(), rows=1, snapshot_id=5, location=load.location, originals=(file,),
                    appended=True)  # fmt: skip
    tell_ingested(profile, done)

    for one in catalog.events[-2:]:
        (told,) = json.loads(one)["outputs"][0]["facets"][LOADS]["loads"]
        assert told["location"] == load.location
        assert told["files"] == [{"name": "a.txt", "size": 3, "sha256": "ab", "lines": 1}]
    assert json.loads(catalog.events[-1])["outputs"][0]["facets"][LOADS]["appended"] is True


def test_an_ingest_tells_of_the_rows_that_it_set_aside():
    """They are a table that this run wrote; without any it wrote none."""
    done = Ingested(table="raw.told", columns=(), rows=5, rejected=2, snapshot_id=5, location="s3://lake/raw/told/x/")
    told = run_facts([read_event(body(ingested_event(done, "lake")))[0]])
    whole = run_facts([read_event(body(ingested_event(replace(done, rejected=0), "lake")))[0]])

    rows = {name.rpartition("/")[2]: part.rows for name, part in told.outputs.items()}
    assert rows == {"told": 5, "told__rejected": 2}
    assert [part.rows for part in whole.outputs.values()] == [5]


def test_upkeep_is_told_without_an_outcome(profile, catalog):
    """Its snapshots are known by their time; without a catalog the log says so."""
    done = Maintained(table=TABLE.id, files=(9, 1), bytes=(1, 1), snapshots=(7, 8))
    said = []
    tell_upkeep(profile, done, said.append)
    facts = [run_facts([read_event(one)[0]]) for one in catalog.events]

    assert [(one.state, one.ended, one.effective) for one in facts] == [("OTHER", None, False)] * 2
    assert [part.snapshot for one in facts for part in one.outputs.values()] == ["7", "8"]
    catalog.socket.close()
    tell_upkeep(profile, done, said.append)
    assert len(said) == 1


def test_a_stages_snapshot_is_nobodys():
    """It passes with the stage; the table that people read never has it."""
    for name in ("curated.told__stage_ab12", "curated.told"):
        told = event("COMPLETE", RUN, outputs=[spark_table(name, snapshot="77")])
        facts = run_facts([read_event(body(told))[0]])
        assert [part.snapshot for part in facts.outputs.values()] == ["" if "stage" in name else "77"]
