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

from headwater_assets.lib.plan import partition_tags, ranges
from headwater_assets.lib.specs import asset_key, partitions_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dagster import DagsterInstance
    from headwater.table import Table

__all__ = ["schedules_of"]

_MONDAY_AT_FIVE = "0 5 * * 1"


def schedules_of(tables: Sequence[Table]) -> list[ScheduleDefinition]:
    """Return the schedules; they are on from the start."""
    curated = [table for table in tables if table.zone == "curated"]
    return [_refresh(curated)] if curated else []


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
            keys = [asset_key(table.id), *([asset_key(table.id.rejected)] if table.rejects else [])]
            for first, last in _written(context.instance, table):
                yield RunRequest(
                    run_key=f"{day}/{table.name}/{first}", asset_selection=keys, tags=partition_tags(first, last)
                )

    return refresh_curated


def _written(instance: DagsterInstance, table: Table) -> list[tuple[str, str]]:
    cut = partitions_of(table.partitioning)
    if cut is None:
        return [("", "")] if instance.get_latest_materialization_event(asset_key(table.id)) else []
    return ranges(sorted(instance.get_materialized_partitions(asset_key(table.id))), cut.get_partition_keys())
