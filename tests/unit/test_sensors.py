"""What starts by itself: new files, new upstream rows, the weekly refresh, and alerts."""

from __future__ import annotations

import json
import os
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from dagster import (
    AssetMaterialization,
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    SensorResult,
    SkipReason,
    build_run_status_sensor_context,
    build_schedule_context,
    build_sensor_context,
    evaluate_automation_conditions,
    materialize,
)
from headwater.arrivals import ARRIVALS, arrivals, fingerprint
from headwater.errors import QueryError
from headwater.profile import Profile
from headwater.project import Project, Source
from headwater.table import Column, DelimitedFiles, Partitioning, Table
from headwater_assets.lib.adapter import assets_of, definitions_of
from headwater_assets.lib.schedules import schedules_of
from headwater_assets.lib.sensors import sensors_of
from headwater_assets.lib.specs import asset_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

YEAR = Partitioning("year", by="year", start="2019")
RAW = Table(
    name="raw.orders",
    doc="One line per order.",
    owner="team:sales",
    columns=(Column("id", "string", "Order."),),
    files=DelimitedFiles(folder="in", pattern=r"orders_(?P<key>\d{4})\.txt"),
    partitioning=YEAR,
)
ORDERS = Table(
    name="partitioned.orders",
    doc="One row per order.",
    owner="team:sales",
    columns=(Column("id", "string", "Order."), Column("year", "int", "Year.")),
    upstreams=(RAW,),
    engine="spark",
    body=lambda raw: raw,
    partitioning=YEAR,
)
OTHER = Table(
    name="raw.other",
    doc="One line per thing.",
    owner="team:sales",
    columns=(Column("id", "string", "Thing."),),
    files=DelimitedFiles(folder="in", pattern=r"other\.txt"),
)
TOTAL = Table(
    name="curated.total",
    doc="One row.",
    owner="team:sales",
    columns=(Column("orders", "long", "Orders."),),
    upstreams=(ORDERS,),
    body="SELECT count(*) AS orders FROM partitioned.orders",
    fresh_within_hours=1,
)
TABLES = (RAW, ORDERS, OTHER, TOTAL)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    """A throw-away instance."""
    with DagsterInstance.ephemeral(tempdir=str(tmp_path)) as found:
        yield found


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook: its address and what it got."""
    got: list[dict[str, Any]] = []

    class Keep(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Keep) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", got
        server.shutdown()
        thread.join()


@pytest.fixture
def project(tmp_path: Path, hook: tuple[str, list[Any]]) -> tuple[Project, Profile]:
    """A project with three settled files."""
    (tmp_path / "headwater.toml").touch()
    (tmp_path / "in").mkdir()
    for name in ("orders_2019.txt", "orders_2020.txt", "other.txt", "unknown.txt"):
        put(tmp_path / "in" / name, "a\n")
    source = Source("shop", tmp_path / "x.py", 1)
    profile = Profile.load({}, HEADWATER_PROJECT=str(tmp_path), HEADWATER_ALERT_WEBHOOK=hook[0])
    return Project("shop", TABLES, {table.name: source for table in TABLES}), profile


def put(path: Path, text: str, *, age: float = 60) -> None:
    """Write a file as if some time ago."""
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))


def sensor(project: tuple[Project, Profile], name: str) -> Any:
    """Return one sensor of the project."""
    return next(one for one in sensors_of(*project) if one.name == name)


def look(
    project: tuple[Project, Profile], instance: DagsterInstance, cursor: str | None = None
) -> tuple[list[Any], str]:
    """Evaluate the file sensor and return what it asks for and its cursor."""
    with build_sensor_context(instance, cursor=cursor) as context:
        result = sensor(project, "new_raw_files")(context)
        if isinstance(result, SensorResult):
            return list(result.run_requests or ()), str(result.cursor)
        assert isinstance(result, SkipReason)
        return [], str(context.cursor)


def asked(requests: list[Any]) -> list[tuple[str, str | None]]:
    """Return table and partition of run requests."""
    return [(".".join(request.asset_selection[0].path), request.partition_key) for request in requests]


def test_new_files_load_exactly_their_partition(project, instance):
    """Every settled file's partition is asked for once; a changed file asks for its partition again, and no other."""
    requests, cursor = look(project, instance)
    assert asked(requests) == [("raw.orders", "2019"), ("raw.orders", "2020"), ("raw.other", None)]
    assert look(project, instance, cursor) == ([], cursor)

    folder = project[1].project / "in"
    put(folder / "orders_2020.txt", "a\nb\n")
    again, cursor = look(project, instance, cursor)

    assert asked(again) == [("raw.orders", "2020")]
    assert again[0].run_key != requests[1].run_key
    assert look(project, instance, cursor)[0] == []


def test_a_file_that_is_being_written_waits(project, instance):
    """A file that changed a moment ago is left alone until it has settled."""
    put(project[1].project / "in" / "orders_2020.txt", "half", age=1)

    assert asked(look(project, instance)[0]) == [("raw.orders", "2019"), ("raw.other", None)]


def test_what_was_loaded_by_hand_is_not_loaded_again(project, instance):
    """Files that a materialization has recorded, or that a queued run is about to load, start nothing."""
    marks = {key: fingerprint(files) for key, files in arrivals(RAW, project[1].project).items()}
    for key in marks:
        instance.report_runless_asset_event(
            AssetMaterialization(asset_key(RAW.id), partition=key, metadata={ARRIVALS: marks})
        )
    other = {asset_key(OTHER.id)}
    job = definitions_of(*project).resolve_implicit_global_asset_job_def().get_subset(asset_selection=other)
    instance.create_run_for_job(job, asset_selection=other, status=DagsterRunStatus.STARTED)

    requests, cursor = look(project, instance)

    assert asked(requests) == []
    assert "raw.other/" not in json.loads(cursor)


def test_everything_that_should_work_by_itself_is_on(project):
    """Sensors and the schedule run from the start; alerts exist when there is somebody to tell."""
    found = {one.name: one.default_status for one in sensors_of(*project)}
    quiet = Profile.load({}, HEADWATER_PROJECT=str(project[1].project))

    assert set(found) == {"new_raw_files", "new_upstream_rows", "alert_on_failure", "alert_on_stale_tables"}
    assert set(found.values()) == {DefaultSensorStatus.RUNNING}
    assert [one.default_status for one in schedules_of(TABLES)] == [DefaultScheduleStatus.RUNNING]
    assert [one.name for one in sensors_of(project[0], quiet)] == ["new_raw_files", "new_upstream_rows"]


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")  # Dagster's own evaluation uses a beta parameter
def test_new_rows_refresh_only_what_is_downstream_of_them(instance):
    """One new raw partition asks for that partition downstream, then for the table that reads all of them."""
    assets = assets_of([RAW, ORDERS, TOTAL])
    written(instance, RAW, "2019")
    written(instance, ORDERS, "2019")
    first = evaluate_automation_conditions(assets, instance)
    assert first.total_requested == 0

    written(instance, RAW, "2020")
    second = evaluate_automation_conditions(assets, instance, cursor=first.cursor)

    assert second.get_requested_partitions(asset_key(ORDERS.id)) == {"2020"}
    assert second.total_requested == 1
    written(instance, ORDERS, "2020")
    third = evaluate_automation_conditions(assets, instance, cursor=second.cursor)
    assert third.get_num_requested(asset_key(TOTAL.id)) == third.total_requested == 1
    written(instance, TOTAL)
    assert evaluate_automation_conditions(assets, instance, cursor=third.cursor).total_requested == 0


def written(instance: DagsterInstance, table: Table, key: str | None = None) -> None:
    """Record that a table was written."""
    instance.report_runless_asset_event(AssetMaterialization(asset_key(table.id), partition=key))


def test_the_weekly_refresh_writes_what_is_there(tmp_path):
    """The schedule asks for the curated tables that have been written, and for no other."""
    schedule = schedules_of(TABLES)[0]
    monday = datetime(2026, 1, 5, 5, tzinfo=UTC)
    with (
        DagsterInstance.local_temp(str(tmp_path)) as instance,
        build_schedule_context(instance, scheduled_execution_time=monday) as context,
    ):
        assert list(schedule(context)) == []
        written(instance, TOTAL)
        (request,) = schedule(context)

    assert request.asset_selection == [asset_key(TOTAL.id)]
    assert request.run_key == "2026-01-05/curated.total/"


def test_a_stale_table_is_told_once(project, instance, hook):
    """A table older than it may be raises one alert, another only after it was fresh in between."""
    _, got = hook

    def evaluate(cursor: str | None, later: float) -> str:
        stale = next(
            one
            for one in sensors_of(*project, clock=lambda: time.time() + later * 3600)
            if one.name == "alert_on_stale_tables"
        )
        with build_sensor_context(instance, cursor=cursor) as context:
            stale(context)
            return str(context.cursor)

    cursor = evaluate(None, 5)
    assert got == []  # never written: nothing can be old
    written(instance, TOTAL)
    for later in (0.5, 2, 3):
        cursor = evaluate(cursor, later)
    (alert,) = got
    assert (alert["kind"], alert["tables"]) == ("stale", ["curated.total"])
    assert "2.0 hours" in alert["text"]

    for later in (0, 2):
        cursor = evaluate(cursor, later)
    assert len(got) == 2


def test_a_failed_run_is_told(project, hook):
    """A failed run's alert has the sentence of what failed, the tables and a link."""
    _, got = hook

    def write(table: Table, **_: Any) -> Any:
        raise QueryError(f"{table} met a closed engine.")

    with DagsterInstance.ephemeral(tempdir=str(project[1].project)) as instance:
        result = materialize(assets_of([TOTAL], write=write), instance=instance, raise_on_error=False)
        run = instance.get_run_by_id(result.run_id)
        context = build_run_status_sensor_context(
            "alert_on_failure", result.get_run_failure_event(), instance, run
        ).for_run_failure()
        sensor(project, "alert_on_failure")(context)

    (alert,) = got
    assert alert["kind"] == "failure"
    assert alert["text"] == "curated.total met a closed engine."
    assert alert["url"].endswith(f"/runs/{result.run_id}")
