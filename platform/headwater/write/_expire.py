"""Expiry: which snapshots a table no longer keeps, and the commit that forgets them."""

from __future__ import annotations

from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Literal

from pyiceberg.exceptions import ValidationException
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update import RemoveSnapshotsUpdate, ValidatableTableRequirement

from headwater.write._iceberg import iceberg_errors

if TYPE_CHECKING:
    from datetime import datetime

    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.metadata import TableMetadata

    from headwater.keep import Keep

__all__ = ["expirable", "expire"]


def expirable(metadata: TableMetadata, keep: Keep, now: datetime) -> frozenset[int]:
    """Return the snapshots that nothing keeps: no branch or tag, no count, and no day since they were the table.

    What counts is when another snapshot took its place, not when it was made: a table that is written once a month
    keeps yesterday's state although that is a month old, and whoever began to read it a minute ago can go on.
    """
    ended, first = _ended(metadata), int((now - keep.span).timestamp() * 1000)
    kept = {metadata.current_snapshot_id}
    for ref in metadata.refs.values():
        kept.add(ref.snapshot_id)
        if ref.snapshot_ref_type == SnapshotRefType.BRANCH:
            line = list(ancestors_of(metadata.snapshot_by_id(ref.snapshot_id), metadata))
            number = max(keep.snapshots, ref.min_snapshots_to_keep or 0)
            oldest = int(now.timestamp() * 1000) - (ref.max_snapshot_age_ms or 0)
            kept |= {one.snapshot_id for one in islice(line, number)}
            kept |= {one.snapshot_id for one in line if ended[one.snapshot_id] > oldest}
    return frozenset(identity for identity, at in ended.items() if at <= first and identity not in kept)


def _ended(metadata: TableMetadata) -> dict[int, int]:
    """Return when each snapshot last was the state of the table or of a branch, in milliseconds."""
    ended = {one.snapshot_id: one.timestamp_ms for one in metadata.snapshots}
    after = [(one.parent_snapshot_id, one.timestamp_ms) for one in metadata.snapshots]
    after += [(one.snapshot_id, following.timestamp_ms) for one, following in pairwise(metadata.snapshot_log)]
    for identity, at in after:
        if identity in ended:
            ended[identity] = max(ended[identity], at)
    return ended


class _Dispensable(ValidatableTableRequirement):
    """The requirement of a commit that nothing has taken up a snapshot that it removes."""

    type: Literal["assert-dispensable"] = "assert-dispensable"
    doomed: frozenset[int]

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]  # PyIceberg's own name
        """Judge the table as it is under the catalog's lock.

        Raises:
            ValidationException: One is the table's, a branch's or a tag's again, or is gone.
        """
        if base_metadata is None:
            raise ValidationException("the table is gone")
        used = {base_metadata.current_snapshot_id, *(ref.snapshot_id for ref in base_metadata.refs.values())}
        known = {one.snapshot_id for one in base_metadata.snapshots}
        if self.doomed & used or not self.doomed <= known:
            raise ValidationException("a snapshot that should go was taken up or removed meanwhile")


def expire(table: IcebergTable, doomed: frozenset[int]) -> None:
    """Forget snapshots by one commit; their files stay until somebody removes them.

    Raises:
        CommitFailedException: Another writer was first.
        ValidationException: A snapshot is in use again, or gone.
        MetastoreError: The metastore failed.
    """
    removal = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": sorted(doomed)})
    requirement: Any = _Dispensable(doomed=doomed)
    with iceberg_errors(f"No snapshot of {'.'.join(table.name())} was expired"), table.transaction() as transaction:
        transaction._stage((removal,), (requirement,))  # noqa: SLF001 - its own builder asks for no requirement
