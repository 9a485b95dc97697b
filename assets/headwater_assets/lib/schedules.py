"""The weekly refresh of what people query, so that a change in a body reaches old partitions too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    schedule,
)
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from headwater_assets.lib.specs import asset_key, partitions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import DagsterInstance
    from headwater.table import Table

__all__ = ["range_tags", "runs_of_keys", "schedules_of"]

_MONDAY_AT_FIVE = "0 5 * * 1"


def schedules_of(tables: Sequence[Table]) -> list[ScheduleDefinition]:
    """Return the schedules; they are on from the start."""
    curated = [table for table in tables if table.zone == "curated"]
    return [_refresh(curated)] if curated else []


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of a run that writes all partitions from one to another."""
    return {ASSET_PARTITION_RANGE_START_TAG: first, ASSET_PARTITION_RANGE_END_TAG: last}


def runs_of_keys(keys: Sequence[str], every: Sequence[str]) -> list[tuple[str, str]]:
    """Return first and last of every unbroken run of keys.

    >>> runs_of_keys(["2019", "2020", "2022"], ["2018", "2019", "2020", "2021", "2022"])
    [('2019', '2020'), ('2022', '2022')]
    """
    places = {key: at for at, key in enumerate(every)}
    found: list[tuple[str, str]] = []
    for key in sorted((key for key in set(keys) if key in places), key=places.__getitem__):
        if found and places[found[-1][1]] == places[key] - 1:
            found[-1] = (found[-1][0], key)
        else:
            found.append((key, key))
    return found


def _refresh(tables: Sequence[Table]) -> ScheduleDefinition:
    @schedule(
        name="refresh_curated",
        cron_schedule=_MONDAY_AT_FIVE,
        target=AssetSelection.assets(*(asset_key(table.id) for table in tables)),
        default_status=DefaultScheduleStatus.RUNNING,
        description="Writes the curated tables anew, in the partitions that they have.",
    )
    def refresh_curated(context: ScheduleEvaluationContext) -> Any:
        day = context.scheduled_execution_time.date().isoformat()
        for table in tables:
            for first, last in _written(context.instance, table):
                tags = range_tags(first, last) if first else {}
                yield RunRequest(
                    run_key=f"{day}/{table.name}/{first}", asset_selection=[asset_key(table.id)], tags=tags
                )

    return refresh_curated


def _written(instance: DagsterInstance, table: Table) -> list[tuple[str, str]]:
    cut = partitions_of(table.partitioning)
    if cut is None:
        return [("", "")] if instance.get_latest_materialization_event(asset_key(table.id)) else []
    return runs_of_keys(sorted(instance.get_materialized_partitions(asset_key(table.id))), cut.get_partition_keys())
