"""What loads of an ingested table leave behind, and its removal once nobody needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import layout
from headwater.words import amount
from headwater.write._fence import commit_fence
from headwater.write._iceberg import iceberg_errors, live_files, loaded
from headwater.write._lease import expired_leases, leases
from headwater.write._publish import published_snapshot
from headwater.write._stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pyiceberg.table import Table as IcebergTable

    from headwater.stack import Stack
    from headwater.table import TableName

__all__ = ["below_loads", "load_id", "sweep"]


def sweep(name: TableName, stack: Stack, log: Callable[[str], None]) -> None:
    """Finish the loads that were published, and remove those whose writers are dead and that no snapshot reads.

    The order of the questions matters, as it does for raw loads: what is listed was leased before. And a dead load is
    fenced before it is asked whether it was published, so that it cannot be after its lease is gone.

    Raises:
        WriteError: What a load rejected cannot be shown; it is kept, and nothing is removed.
    """
    from headwater.write._rejects import Rejects  # noqa: PLC0415 - they are shown by a load, which sweeps

    storage, place = stack.storage, layout.location(stack.profile.bucket, name)
    listed = list(below_loads(stack, name))
    held = set(leases(storage, place))
    dead = dict(expired_leases(storage, place, float(stack.profile.setting("HEADWATER_LEASE"))))
    suspects = {load_id(uri) for uri in listed} - (held - dead.keys()) - _shown(_table(stack, name))
    _fence(stack, name, dead, log)
    Rejects(name=name, stack=stack, log=log).finish()
    if suspects:
        suspects -= _referenced(_table(stack, name))
    if suspects:
        log(f"{name}: removing {amount(len(suspects), 'unfinished load')}")
        storage.delete(uri for uri in listed if load_id(uri) in suspects)
    storage.delete(dead.values())


def below_loads(stack: Stack, name: TableName) -> Iterable[str]:
    """Yield what lies below a table's loads."""
    place = layout.location(stack.profile.bucket, name)
    return (found.uri for found in stack.storage.objects(f"{place}/load="))


def load_id(uri: str) -> str:
    """Return the load that a file lies in, or nothing."""
    found = layout.parse_load(uri)
    return found.id if found else ""


def _table(stack: Stack, name: TableName) -> IcebergTable | None:
    return loaded(stack.metastore.iceberg(), name)


def _fence(stack: Stack, name: TableName, tokens: Iterable[str], log: Callable[[str], None]) -> None:
    """Keep loads from being published that were not yet; a table that is not there cannot say so."""
    for token in sorted(tokens):
        table = _table(stack, name)
        if table is not None and published_snapshot(table, token) is None:
            stage = Stage(target=name, token=token, bucket=stack.profile.bucket)
            commit_fence(stack.metastore.iceberg(), stage, log)


def _shown(table: IcebergTable | None) -> set[str]:
    """Return the loads that the table shows now."""
    if table is None:
        return set()
    with iceberg_errors(f"The files of {'.'.join(table.name())} cannot be listed"):
        return {load_id(file.file_path) for file in live_files(table)}


def _referenced(table: IcebergTable | None) -> set[str]:
    """Return the loads that any snapshot still reads."""
    found: set[str] = set()
    if table is None:
        return found
    seen: set[str] = set()
    with iceberg_errors(f"The files of {'.'.join(table.name())} cannot be listed"):
        for snapshot in table.metadata.snapshots:
            for manifest in snapshot.manifests(table.io):
                if manifest.manifest_path not in seen:
                    seen.add(manifest.manifest_path)
                    entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                    found |= {load_id(entry.data_file.file_path) for entry in entries}
    return found
