"""Garbage: the objects below a table that no snapshot reads and nobody is about to publish.

The order of the questions matters: objects are listed first, then leases, then the table. A file that is about to be
published is therefore either under a lease, or read by the table by the time that the table is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater import layout
from headwater.write._iceberg import iceberg_errors, live_files
from headwater.write._lease import expired_leases, leases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from pyiceberg.table import Table as IcebergTable

    from headwater.stack import Stack
    from headwater.storage import Listed
    from headwater.table import TableName

__all__ = ["Ground", "garbage", "look"]

_SCHEMES = ("s3a://", "s3n://")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What lies below a table, and who is at work there.

    Args:
        location: The table's, without a closing slash.
        objects: What lies below it.
        writers: Tokens of the writes that are alive.
        dead: Tokens of those that are not, whose stages will be removed before.
    """

    location: str
    objects: tuple[Listed, ...]
    writers: frozenset[str]
    dead: frozenset[str]


def look(stack: Stack, location: str, home: TableName, *, swept: bool) -> Ground:
    """List what lies below a location, and then who is at work there.

    Args:
        stack: Where it is.
        location: The table's.
        home: The table whose leases speak for it.
        swept: What dead writes left has been removed already, so whoever has a lease now is taken for alive.
    """
    place = layout.location(stack.profile.bucket, home)
    objects = tuple(stack.storage.objects(location + "/"))
    held = frozenset(leases(stack.storage, place))
    seconds = float(stack.profile.setting("HEADWATER_LEASE"))
    dead = frozenset() if swept else held & dict(expired_leases(stack.storage, place, seconds)).keys()
    return Ground(location=location, objects=objects, writers=held - dead, dead=dead)


def garbage(
    ground: Ground, table: IcebergTable, doomed: frozenset[int], *, safe_age: timedelta
) -> tuple[Sequence[Listed], str]:
    """Return the objects that can go, or none and the reason.

    Args:
        ground: What was found before the table was loaded.
        table: The table.
        doomed: Snapshots that will be gone.
        safe_age: What is younger may be of a statement that somebody typed, which holds no lease.
    """
    if ground.writers:
        return (), "it is being written"
    present = {_plain(one.uri) for one in ground.objects}
    current = {_plain(file.file_path) for file in live_files(table)}
    unseen = sorted(uri for uri in current - present if uri.startswith(ground.location + "/"))
    if unseen:
        # Its own names and the store's do not match, or it changed just now: then nothing is known to be garbage.
        return (), f"{unseen[0]}, which it reads, was not among its files"
    used = _Used(_reachable(table, doomed))
    found = [one for one in ground.objects if not used.holds(one.uri) and not _is_lease(ground, one.uri)]
    return [one for one in found if one.age > safe_age.total_seconds() or _is_dead(ground, one.uri)], ""


class _Used:
    """What a table still reads; an original of an ingest is used as long as its load is."""

    def __init__(self, uris: Iterable[str]) -> None:
        self._uris = {_plain(uri) for uri in uris}
        self._loads = {load.id for load in map(layout.parse_load, self._uris) if load}

    def holds(self, uri: str) -> bool:
        load = layout.parse_load(_plain(uri))
        return _plain(uri) in self._uris or (load is not None and load.id in self._loads)


def _reachable(table: IcebergTable, doomed: frozenset[int]) -> set[str]:
    """Return every file that a table needs without some of its snapshots."""
    metadata = table.metadata
    used = {table.metadata_location, *(one.metadata_file for one in metadata.metadata_log)}
    used |= {one.statistics_path for one in metadata.statistics if one.snapshot_id not in doomed}
    used |= {one.statistics_path for one in metadata.partition_statistics}
    seen: set[str] = set()
    with iceberg_errors(f"The files of {'.'.join(table.name())} cannot be listed"):
        for snapshot in metadata.snapshots:
            if snapshot.snapshot_id in doomed:
                continue
            used.add(snapshot.manifest_list)
            for manifest in snapshot.manifests(table.io):
                if manifest.manifest_path not in seen:
                    seen.add(manifest.manifest_path)
                    entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                    used |= {entry.data_file.file_path for entry in entries}
    return used | seen


def _is_lease(ground: Ground, uri: str) -> bool:
    return uri.startswith(f"{ground.location}/_leases/")


def _is_dead(ground: Ground, uri: str) -> bool:
    """Return whether an object is of a stage whose writer is dead; a real run sweeps it away before."""
    place = layout.parse_location(uri)
    return place is not None and place.stage in ground.dead


def _plain(uri: str) -> str:
    for scheme in _SCHEMES:
        if uri.startswith(scheme):
            return "s3://" + uri.removeprefix(scheme)
    return uri
