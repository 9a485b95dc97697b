"""The tables of the box, and the objects that each consists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater import layout
from headwater.errors import InputError
from headwater.migrate._plan import Origin
from headwater.table import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.metastores.base import Registered
    from headwater.stack import Stack
    from headwater.storage import Listed

__all__ = ["as_s3", "origins", "views"]

_ZONES_VIEWS = "SELECT table_schema, table_name FROM information_schema.views ORDER BY 1, 2"


def origins(stack: Stack, names: Sequence[str]) -> Iterator[Origin]:
    """Yield tables of the lake by name.

    Args:
        stack: The box's.
        names: Those wanted; empty for all.

    Raises:
        InputError: There is none of a name.
    """
    known = {str(one.name): one for one in stack.metastore.registered() if not layout.is_stage(one.name)}
    for name in names:
        if name not in known:
            raise InputError(f"There is no table {name} in the lake; `headwater sql` lists them with SHOW TABLES.")
    for name in sorted(set(names) or known):
        found = origin(stack, known[name])
        if found is not None:
            yield found


def origin(stack: Stack, one: Registered) -> Origin | None:
    """Return a table as it is now; None when it was dropped meanwhile."""
    shape = stack.metastore.shape(one.name)
    if shape is None:
        return None
    places = (shape.location,) if one.iceberg else shape.locations
    mine = f"s3://{stack.profile.bucket}/"
    outside = next((place for place in (shape.location, *places) if not as_s3(place).startswith(mine)), None)
    if outside is not None:
        why = f"lies in {outside or 'no place'}, outside of the lake's bucket"
        return Origin(name=one.name, shape=shape, iceberg=one.iceberg, objects=(), obstacle=why)
    objects = tuple(found for place in sorted(set(map(as_s3, places))) for found in _objects(stack, place))
    return Origin(name=one.name, shape=shape, iceberg=one.iceberg, objects=objects)


def views(stack: Stack) -> tuple[str, ...]:
    """Return the names of the views that Trino knows."""
    zones = frozenset(ZONES)
    rows = stack.engine("trino").texts(_ZONES_VIEWS)[1]
    return tuple(f"{zone}.{name}" for zone, name in rows if zone in zones)


def as_s3(uri: str) -> str:
    """Return a location as the object store's own listing names it."""
    return "s3://" + uri.partition("://")[2]


def _objects(stack: Stack, place: str) -> Iterator[Listed]:
    """Yield what lies below a place, without leases and what writes are filling."""
    for found in stack.storage.objects(f"{place}/"):
        if not found.uri.startswith(f"{place}/_leases/"):
            yield found
