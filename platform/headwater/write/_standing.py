"""Whether tables still hold what Headwater published, or were dropped, set back or changed by somebody else."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from pyiceberg.table.snapshots import Operation, ancestors_of

from headwater.write._iceberg import RUN_MARK, loaded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot

    from headwater.stack import Stack
    from headwater.table import Table

__all__ = ["disturbed"]


def disturbed(table: Table, stack: Stack, published: Mapping[str, int | None]) -> dict[str, str]:
    """Say why partitions do not hold any more what was published; see ``headwater.write.disturbed``."""
    if not published:
        return {}
    if table.zone == "raw":
        return _unshown(table, stack, published)
    catalog = stack.metastore.iceberg()
    found = loaded(catalog, table.id)
    if found is None:
        return dict.fromkeys(published, f"{table} is gone from the lake")
    if table.rejects and loaded(catalog, table.id.rejected) is None:
        return dict.fromkeys(published, f"{table.id.rejected} is gone from the lake")
    reasons = {key: _why(table, found.metadata, wanted) for key, wanted in published.items() if wanted is not None}
    return {key: reason for key, reason in reasons.items() if reason}


def _unshown(table: Table, stack: Stack, published: Mapping[str, int | None]) -> dict[str, str]:
    shown = stack.metastore.raw_loads(table)
    if not shown:
        return dict.fromkeys(published, f"{table} is gone from the lake")
    values = {key: str(table.partitioning.value(key)) if table.partitioning else "" for key in published}
    return {key: f"{table} {key} is gone from the lake" for key, value in values.items() if value not in shown}


def _why(table: Table, metadata: TableMetadata, wanted: int) -> str:
    """Return why a snapshot is not what a table shows, or an empty text.

    Later publishes of other partitions move the current snapshot on; so the wanted one has to be the current one or
    one of its ancestors, with nothing but publishes and rewrites of the same rows in between.
    """
    line = list(ancestors_of(metadata.current_snapshot(), metadata))
    after = list(takewhile(lambda one: one.snapshot_id != wanted, line))
    strangers = [at for at, one in enumerate(after) if _is_foreign(one)]
    if strangers:
        run = _run_of(line[strangers[-1] + 1 :])
        return f"{table} was changed by hand" + (f" after run {run}" if run else "")
    known = {one.snapshot_id for one in metadata.snapshots}
    # Where old snapshots were expired, the line ends at one that was not the table's first.
    is_whole = not line or (line[-1].sequence_number or 0) <= 1
    if len(after) == len(line) and (wanted in known or is_whole):
        return f"{table} was set back or made anew by hand since it was written"
    return ""


def _is_foreign(snapshot: Snapshot) -> bool:
    summary = snapshot.summary
    if summary is None:
        return True
    # Compaction writes the same rows into other files.
    return RUN_MARK not in summary.additional_properties and summary.operation is not Operation.REPLACE


def _run_of(line: Sequence[Snapshot]) -> str:
    """Return the run that made the first of some snapshots that a run made, without the number of its attempt."""
    runs = (one.summary.additional_properties.get(RUN_MARK) for one in line if one.summary)
    return next((run.rpartition("-")[0] or run for run in runs if run), "")
