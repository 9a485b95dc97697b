"""What Dagster is told about a Table before anything runs; everything is derived from the Table."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dagster import (
    AllPartitionMapping,
    AssetCheckSpec,
    AssetDep,
    AssetKey,
    AssetSpec,
    AutomationCondition,
    BetaWarning,
    CodeReferencesMetadataValue,
    FreshnessPolicy,
    IdentityPartitionMapping,
    LocalFileCodeReference,
    MetadataValue,
    StaticPartitionsDefinition,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    TimeWindowPartitionMapping,
    TimeWindowPartitionsDefinition,
)
from headwater.checks import Unique, every_check, tables_needed

if TYPE_CHECKING:
    from dagster import PartitionMapping, PartitionsDefinition
    from headwater.project import Source
    from headwater.table import Partitioning, Table, TableName

__all__ = ["Page", "asset_key", "asset_specs", "check_name", "check_specs", "partitions_of", "upstreams_of"]

# From a table's name to the address of its page.
Page = Callable[[str], str]

_CRON = {"year": "0 0 1 1 *", "month": "0 0 1 * *", "day": "0 0 * * *"}
_KINDS = {"raw": ("hive", "text"), "partitioned": ("iceberg",), "curated": ("iceberg",)}
# The columns that the write path adds to rejected rows, before it knows the table.
_REJECTED_DOC = "Rows that {table} refused, with the reason, their file, line and text."


def asset_key(name: TableName) -> AssetKey:
    """Return the asset key of a table: its zone and its name."""
    return AssetKey([name.zone, name.name])


def check_name(name: str) -> str:
    """Return what Dagster calls a check; it takes letters, digits and underscores only."""
    return re.sub(r"\W", "_", name)


def upstreams_of(table: Table) -> tuple[Table, ...]:
    """Return the tables that must be there before this one: those its body reads, then those its checks read."""
    return tuple(dict.fromkeys((*table.upstreams, *tables_needed(table))))


def asset_specs(table: Table, source: Source | None = None, page: Page | None = None) -> list[AssetSpec]:
    """Return what Dagster knows of a table, and of its rejected rows where it has any; both lead to their pages."""
    deps = [_dep(upstream, table) for upstream in upstreams_of(table)]
    group = source.domain if source else table.zone
    kinds = {table.engine if table.zone != "raw" else "python", *_KINDS[table.zone]}
    shared: dict[str, Any] = {
        "deps": deps,
        "group_name": re.sub(r"\W", "_", group),
        "owners": [table.owner],
        "partitions_def": partitions_of(table.partitioning),
    }
    main = AssetSpec(
        asset_key(table.id),
        description=table.doc,
        metadata=_metadata(table, source) | _catalog(table.name, page),
        tags={"headwater/zone": table.zone, **dict.fromkeys(table.tags, "")},
        kinds=kinds,
        freshness_policy=_freshness(table),
        automation_condition=_automation(table),
        **shared,
    )
    if not table.rejects:
        return [main]
    rejected = AssetSpec(
        asset_key(table.id.rejected),
        description=_REJECTED_DOC.format(table=table.name),
        metadata={"dagster/table_name": str(table.id.rejected)} | _catalog(str(table.id.rejected), page),
        tags={"headwater/zone": table.zone, "headwater/rejected": ""},
        kinds=kinds,
        **shared,
    )
    return [main, rejected]


def check_specs(table: Table) -> list[AssetCheckSpec]:
    """Return a table's promises, those that its columns imply among them."""
    key = asset_key(table.id)
    return [
        AssetCheckSpec(check_name(check.name), asset=key, description=_sentence(check.promise), blocking=check.blocking)
        for check in every_check(table)
    ]


def partitions_of(cut: Partitioning | None) -> PartitionsDefinition[str] | None:
    """Return Dagster's partitions of a partitioning; the year, month or day that has just begun is one of them."""
    if cut is None:
        return None
    if cut.by == "value":
        return StaticPartitionsDefinition(list(cut.values))
    start = datetime.strptime(cut.start, cut.key_format).replace(tzinfo=UTC)
    return TimeWindowPartitionsDefinition(start=start, fmt=cut.key_format, cron_schedule=_CRON[cut.by], end_offset=1)


def _dep(upstream: Table, table: Table) -> AssetDep:
    return AssetDep(asset_key(upstream.id), partition_mapping=_mapping(upstream.partitioning, table.partitioning))


def _mapping(upstream: Partitioning | None, own: Partitioning | None) -> PartitionMapping | None:
    if upstream is None:
        return None
    if own is None or (upstream.by == "value") != (own.by == "value"):
        return AllPartitionMapping()
    if (upstream.by, upstream.start, upstream.values) == (own.by, own.start, own.values):
        return IdentityPartitionMapping()
    return (
        TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True) if own.start else AllPartitionMapping()
    )


def _metadata(table: Table, source: Source | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"dagster/table_name": table.name, "dagster/column_schema": _schema(table)}
    if source is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BetaWarning)  # code references are beta
            place = LocalFileCodeReference(file_path=str(source.file), line_number=source.line)
            metadata["dagster/code_references"] = CodeReferencesMetadataValue(code_references=[place])
    return metadata


def _catalog(name: str, page: Page | None) -> dict[str, Any]:
    return {"catalog": MetadataValue.url(page(name))} if page else {}


def _schema(table: Table) -> TableSchema:
    unique = {check.columns[0] for check in table.checks if isinstance(check, Unique) and len(check.columns) == 1}
    columns = [
        TableColumn(
            column.name,
            column.type,
            column.doc,
            TableColumnConstraints(nullable=not column.required, unique=column.name in unique),
            tags=dict.fromkeys(column.tags, ""),
        )
        for column in table.columns
    ]
    cut = table.partitioning
    if cut is not None and cut.column not in table.column_names:
        columns.append(TableColumn(cut.column, cut.type, "Partition of the file."))
    return TableSchema(columns)


def _freshness(table: Table) -> FreshnessPolicy | None:
    if table.fresh_within_hours is None:
        return None
    return FreshnessPolicy.time_window(fail_window=timedelta(hours=table.fresh_within_hours))


def _automation(table: Table) -> AutomationCondition[Any] | None:
    """Refresh what an upstream's new rows change, once every upstream is there and at rest.

    Dagster's own ``eager`` looks at the latest time window alone and wants every partition of every upstream; a year's
    file may arrive late, and a year may have none.
    """
    if table.zone == "raw":
        return None  # new files start it, through the sensor
    missing = AutomationCondition.missing()
    ready = (
        ~AutomationCondition.any_deps_missing() if table.partitioning else AutomationCondition.all_deps_match(~missing)
    )
    return (
        AutomationCondition.any_deps_updated().since_last_handled()
        & ready
        & ~AutomationCondition.any_deps_in_progress()
        & ~AutomationCondition.in_progress()
    ).with_label("an upstream has new rows")


def _sentence(promise: str) -> str:
    return promise[:1].upper() + promise[1:] + "."
