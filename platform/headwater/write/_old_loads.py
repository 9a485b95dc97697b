"""Former loads of a raw table of delimited text: what its partitions no longer show, once nobody keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import layout
from headwater.write._lease import expired_leases, leases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from headwater.stack import Stack
    from headwater.storage import Listed
    from headwater.table import Table

__all__ = ["old_loads", "remove_old_loads", "shown_objects"]


def old_loads(table: Table, stack: Stack, span: timedelta, *, safe_age: timedelta) -> dict[str, list[Listed]]:
    """Return the objects of every load that can go, by the load's folder.

    A former load goes when the one that its partition shows has been shown for as long as states are kept. A partition
    that shows nothing keeps all it has: it may be the only copy. The order of the questions matters, as it does when
    a load cleans up: what is listed was leased before.
    """
    place = layout.location(stack.profile.bucket, table.id)
    loads: dict[str, list[Listed]] = {}
    for found in stack.storage.objects(place + "/"):
        folder = _folder(found.uri)
        if folder:
            loads.setdefault(folder, []).append(found)
    alive = set(leases(stack.storage, place)) - _dead(stack, place).keys()
    shown = {value: load.location for value, load in stack.metastore.raw_loads(table).items()}
    gone = {}
    for folder, objects in loads.items():
        load = layout.parse_load(folder)
        now = shown.get(load.value) if load else None
        if load is None or now is None or folder == now or load.id in alive or now not in loads:
            continue
        since, own = (min(one.age for one in loads[which]) for which in (now, folder))
        if since >= span.total_seconds() and own > safe_age.total_seconds():
            gone[folder] = objects
    return gone


def remove_old_loads(table: Table, stack: Stack, gone: dict[str, list[Listed]]) -> None:
    """Remove former loads.

    A loader that was taken for dead and is not finds its lease gone before it shows anything.
    """
    place = layout.location(stack.profile.bucket, table.id)
    dead = _dead(stack, place)
    stack.storage.delete(uri for token, uri in dead.items() if any(f"/load={token}/" in folder for folder in gone))
    shown = {load.location for load in stack.metastore.raw_loads(table).values()}
    stack.storage.delete(one.uri for folder, objects in gone.items() if folder not in shown for one in objects)


def shown_objects(table: Table, stack: Stack) -> Sequence[Listed]:
    """Return the files that a raw table shows, without what the loader wrote down about them."""
    shown = [load.location for load in stack.metastore.raw_loads(table).values()]
    listed = (one for location in shown for one in stack.storage.objects(location))
    return [one for one in listed if not one.uri.rpartition("/")[2].startswith("_")]


def _dead(stack: Stack, place: str) -> dict[str, str]:
    return dict(expired_leases(stack.storage, place, float(stack.profile.setting("HEADWATER_LEASE"))))


def _folder(uri: str) -> str:
    """Return the folder of the load that an object belongs to, or an empty text."""
    return uri.rpartition("/")[0] + "/" if layout.parse_load(uri) else ""
