"""What makes the platform run by itself: new files, new upstream rows, and alerts for people."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from dagster import (
    AssetKey,
    AssetRecordsFilter,
    AssetSelection,
    AutomationConditionSensorDefinition,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    run_failure_sensor,
    sensor,
)
from headwater.arrivals import ARRIVALS, arrivals, fingerprint

from headwater_assets.lib.alerts import Alert, channels, send
from headwater_assets.lib.specs import asset_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dagster import DagsterInstance
    from headwater.profile import Profile
    from headwater.project import Project
    from headwater.table import Table

    from headwater_assets.lib.alerts import Channel

__all__ = ["sensors_of"]

_LOOK_SECONDS = 30
_STALE_SECONDS = 300
_SETTLED_SECONDS = 10
_UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]


def sensors_of(project: Project, profile: Profile, *, clock: Callable[[], float] = time.time) -> list[SensorDefinition]:
    """Return a project's sensors; all of them are on from the start.

    Args:
        project: Whose tables.
        profile: Where the files and the people to tell are.
        clock: Seconds since the epoch.
    """
    raw = [table for table in project.tables if table.zone == "raw"]
    watched = [table for table in project.tables if table.fresh_within_hours is not None]
    to = channels(profile)
    url = profile.url("dagster")
    found: list[SensorDefinition] = []
    if raw:
        found.append(_new_files(raw, profile.project, clock))
    if len(project.tables) > len(raw):
        found.append(_new_rows())
    if to:
        found.append(_failures(project, to, url))
    if to and watched:
        found.append(_stale(project, watched, to, url, clock))
    return found


def _new_rows() -> SensorDefinition:
    return AutomationConditionSensorDefinition(
        "new_upstream_rows",
        target=AssetSelection.all(),
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_LOOK_SECONDS,
        description="Refreshes what is downstream of new rows, and nothing else.",
    )


def _new_files(tables: Sequence[Table], project: Path, clock: Callable[[], float]) -> SensorDefinition:
    @sensor(
        name="new_raw_files",
        asset_selection=AssetSelection.assets(*(asset_key(table.id) for table in tables)),
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_LOOK_SECONDS,
        description="Loads exactly the partition whose files came, went or changed.",
    )
    def new_raw_files(context: SensorEvaluationContext) -> SensorResult | SkipReason:
        known: dict[str, str] = json.loads(context.cursor or "{}")
        busy = _under_way(context.instance)
        requests = []
        for table, key, mark in _marks(tables, project, clock()):
            place = f"{table.name}/{key}"
            if known.get(place) == mark or asset_key(table.id) in busy:
                continue
            known[place] = mark
            if _loaded(context.instance, table, key) != mark:
                requests.append(_request(table, key, mark))
        cursor = json.dumps(known, sort_keys=True)
        if not requests:
            context.update_cursor(cursor)
            return SkipReason("No new files.")
        return SensorResult(run_requests=requests, cursor=cursor)

    return new_raw_files


def _marks(tables: Sequence[Table], project: Path, now: float) -> Iterator[tuple[Table, str, str]]:
    """Yield table, key and fingerprint of what has settled: a file that was just written may not be whole."""
    for table in tables:
        for key, files in arrivals(table, project).items():
            if max(file.stat().st_mtime for file in files) < now - _SETTLED_SECONDS:
                yield table, key, fingerprint(files)


def _under_way(instance: DagsterInstance) -> set[AssetKey]:
    """Return what queued and started runs are about to write; they may be loading these very files."""
    runs = instance.get_runs(RunsFilter(statuses=_UNDER_WAY))
    return {key for run in runs for key in run.asset_selection or ()}


def _loaded(instance: DagsterInstance, table: Table, key: str) -> str:
    """Return the fingerprint of the files that the table's partition was last loaded from."""
    partitions = [key] if table.partitioning else None
    records = instance.fetch_materializations(
        AssetRecordsFilter(asset_key(table.id), asset_partitions=partitions), limit=1
    )
    for record in records.records:
        materialization = record.asset_materialization
        value = materialization.metadata.get(ARRIVALS) if materialization else None
        marks: Mapping[str, Any] = value.value if value is not None else {}  # type: ignore[assignment]
        return str(marks.get(key, ""))
    return ""


def _request(table: Table, key: str, mark: str) -> RunRequest:
    return RunRequest(
        run_key=f"{table.name}/{key}/{mark}",
        asset_selection=[asset_key(table.id)],
        partition_key=key if table.partitioning else None,
    )


def _failures(project: Project, to: list[Channel], url: str) -> SensorDefinition:
    @run_failure_sensor(
        name="alert_on_failure",
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_LOOK_SECONDS,
        description="Sends an alert for every failed run.",
    )
    def alert_on_failure(context: RunFailureSensorContext) -> None:
        run = context.dagster_run
        steps = context.get_step_failure_events()
        said = "; ".join(_sentence(event) for event in steps) or context.failure_event.message or "The run failed."
        names = tuple(sorted(".".join(key.path) for key in run.asset_selection or ()))
        link = f"{url}/runs/{run.run_id}"
        send(Alert(kind="failure", project=project.name, tables=names, text=said, url=link, run=run.run_id), to)

    return alert_on_failure


def _sentence(event: Any) -> str:
    data = event.event_specific_data
    described = data.user_failure_data.description if data.user_failure_data else None
    if described:
        return str(described)
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return str(error.message).strip() if error is not None else str(event.message)


def _stale(
    project: Project, tables: Sequence[Table], to: list[Channel], url: str, clock: Callable[[], float]
) -> SensorDefinition:
    @sensor(
        name="alert_on_stale_tables",
        default_status=DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=_STALE_SECONDS,
        description="Sends one alert when a table gets older than it may be.",
    )
    def alert_on_stale_tables(context: SensorEvaluationContext) -> SkipReason:
        told = set(json.loads(context.cursor or "[]"))
        stale = {
            table.name: hours
            for table in tables
            if (hours := _hours_late(context.instance, table, clock())) is not None
        }
        for name in sorted(set(stale) - told):
            text = f"{name} was last written {stale[name]:.1f} hours ago, which is longer than it may be."
            send(Alert(kind="stale", project=project.name, tables=(name,), text=text, url=_page(url, name)), to)
        context.update_cursor(json.dumps(sorted(stale)))
        return SkipReason(f"{len(stale)} stale tables." if stale else "Every table is fresh.")

    return alert_on_stale_tables


def _hours_late(instance: DagsterInstance, table: Table, now: float) -> float | None:
    """Return the age of a table's newest rows in hours when it is above what is allowed; None when it has no rows."""
    event = instance.get_latest_materialization_event(asset_key(table.id))
    hours = (now - event.timestamp) / 3600 if event else 0
    return hours if hours > (table.fresh_within_hours or hours) else None


def _page(url: str, name: str) -> str:
    return f"{url}/assets/{name.replace('.', '/')}"
