"""What a write can say of the table that it left: how large it is, its snapshots, and what its columns hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from headwater._profileplan import profile_columns
from headwater.errors import QueryError
from headwater.layout import relation_name
from headwater.write import TableState, WrittenPartition
from headwater.write._bounds import column_bounds
from headwater.write._stage import iceberg_value, partition_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date

    from pyiceberg.manifest import DataFile

    from headwater.engines.base import Engine
    from headwater.profiles import ColumnProfile
    from headwater.table import Table
    from headwater.write._publish import Landed
    from headwater.write._stage import Stage, Staged

    Value = int | date | str | None
    Files = Mapping[Value, Sequence[DataFile]]

__all__ = ["table_state", "written_partitions"]

# Ids of snapshots that are told; of older ones only since when there are any.
_MOST_SNAPSHOTS = 200


def written_partitions(
    table: Table,
    engine: Engine,
    stage: Stage,
    staged: Staged,
    *,
    keys: Mapping[int | date | str, str],
    log: Callable[[str], None],
) -> tuple[WrittenPartition, ...]:
    """Return the partitions that a stage holds, with what their columns hold; a failing look stops nothing.

    Args:
        table: The definition.
        engine: What filled the stage.
        stage: Where the rows are.
        staged: Its files.
        keys: The partition keys that are written, by value; empty for a table without partitions.
        log: Told why nobody could look.
    """
    files = _by_partition(table, staged, tuple(keys))
    bounds = {value: column_bounds(some, staged.table.schema()) for value, some in files.items()}
    relation = relation_name(stage.name, engine.dialect.name)
    profiles: Mapping[Value, Mapping[str, ColumnProfile]]
    try:
        asked = engine.rows if table.profiled else _nothing
        profiles = profile_columns(table, relation, engine.dialect, bounds, asked)
    except QueryError as error:
        log(f"{table}: only nulls and ranges of its columns are known. {error}")
        profiles = profile_columns(table, relation, engine.dialect, bounds, _nothing)
    return tuple(
        WrittenPartition(
            key="" if value is None else keys[value],
            rows=sum(file.record_count for file in some),
            files=len(some),
            bytes=sum(file.file_size_in_bytes for file in some),
            profile=profiles.get(value),
        )
        for value, some in files.items()
    )


def _nothing(statement: str) -> list[dict[str, Any]]:
    """Answer that nobody was asked."""
    del statement
    return []


def _by_partition(table: Table, staged: Staged, values: Sequence[int | date | str]) -> Files:
    cut = table.partitioning
    if cut is None:
        return {None: staged.files}
    found: dict[Value, list[DataFile]] = {value: [] for value in values}
    known = {iceberg_value(value): value for value in values}
    for file in staged.files:
        value = partition_of(file, staged.table, cut.column)
        if value in known:  # another one's rows are refused before they are published
            found[known[value]].append(file)
    return found


def table_state(landed: Landed) -> TableState | None:
    """Return the whole table as a commit left it, from its metadata alone."""
    snapshots = sorted(landed.metadata.snapshots, key=lambda one: -one.timestamp_ms)
    summary = next((one.summary for one in snapshots if one.snapshot_id == landed.snapshot), None)
    if summary is None:
        return None
    told = summary.additional_properties
    # A row that a delete file takes away is still counted.
    whole = told.get("total-delete-files", "0") == "0"
    return TableState(
        rows=_count(told.get("total-records")) if whole else None,
        files=_count(told.get("total-data-files")),
        bytes=_count(told.get("total-files-size")),
        operation=summary.operation.value,
        snapshots=tuple(one.snapshot_id for one in snapshots[:_MOST_SNAPSHOTS]),
        oldest=datetime.fromtimestamp(snapshots[-1].timestamp_ms / 1000, UTC),
    )


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
