"""What is seen of a metastore that keeps no log of changes, which is Glue, and what happened between two looks. Pure.

A look lists every table. What one look has and the other has not was made or dropped; a table that was made at another
time was dropped and made anew; one that is gone while a new one lies in its place was renamed, which Glue's clients do
by making the new name and dropping the former. Iceberg's commits pass unseen: they change a metadata file's name alone.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from headwater_catalog.notices import Happening, Notice, table_name, table_state

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headwater_catalog.notices import ColumnsOf, TableState

__all__ = ["Sighting", "halves", "happened", "seen_state", "sighting"]

_INSTANT = timedelta(microseconds=1)
# Iceberg's clients list the columns that a table once had, too, marked so.
_CURRENT = "iceberg.field.current"
# Of what is told of one moment, a name is given up before somebody else takes it.
_ORDER = (Happening.RENAMED, Happening.DROPPED, Happening.ALTERED, Happening.MADE)


@dataclass(frozen=True)
class Sighting:
    """What is remembered of a table from one look to the next.

    Args:
        name: ``zone.name``.
        made: When it was made.
        location: Where its files lie; empty for a view.
        digest: A text that is equal as long as there is nothing new to say of the table.
    """

    name: str
    made: datetime
    location: str
    digest: str


def sighting(zone: str, entry: Mapping[str, Any]) -> Sighting | None:
    """Return what to remember of a table; None of a stage, and of what lies outside the zones.

    Args:
        zone: Its database.
        entry: A ``Table`` of Glue's.
    """
    name = table_name(zone, entry["Name"])
    if not name:
        return None
    table = _table(zone, entry)
    columns = [[one.name, one.type, one.comment] for one in (*table.sd.cols, *table.partitionKeys)]
    told = json.dumps([table.tableType, table.sd.location, table.viewOriginalText, columns])
    digest = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    place = "" if table.viewOriginalText else _place(table.sd.location)
    return Sighting(name, datetime.fromtimestamp(table.createTime, UTC), place, digest)


def seen_state(zone: str, entry: Mapping[str, Any], columns_of: ColumnsOf = lambda _: ()) -> TableState | None:
    """Return a table of Glue's as ``table_state`` returns the other metastore's."""
    return table_state(_table(zone, entry), columns_of)


def halves(before: Mapping[str, Sighting], now: Mapping[str, Sighting]) -> set[str]:
    """Return the new tables that lie where another one still does: the half of a rename, as far as one look can say."""
    places: dict[str, int] = {}
    for one in now.values():
        places[one.location] = places.get(one.location, 0) + 1
    return {name for name, one in now.items() if name not in before and one.location and places[one.location] > 1}


def happened(
    before: Mapping[str, Sighting], now: Mapping[str, Sighting], *, since: datetime, at: datetime, number: int
) -> Sequence[Notice]:
    """Return what must have happened between two looks, in order, no two at one time.

    Args:
        before: What the former look saw, by name.
        now: What this one saw.
        since: When the former look began.
        at: When this one began.
        number: The number that the notices get.
    """
    renamed = _renamed(before, now)
    told = [*_changed(before, now, renamed, since, at, number)]
    told.sort(key=lambda one: (one.at, _ORDER.index(one.what)))
    return [*_one_by_one(told)]


def _changed(  # noqa: PLR0917 - private
    before: Mapping[str, Sighting],
    now: Mapping[str, Sighting],
    renamed: Mapping[str, str],
    since: datetime,
    at: datetime,
    number: int,
) -> Iterator[Notice]:
    for name, one in now.items():
        known = before.get(name)
        moment = min(max(one.made, since), at)  # what this look found first was made since the last, by our clock
        if name in renamed:
            yield Notice(number, moment, Happening.RENAMED, name, renamed[name])
        elif known is None:
            yield Notice(number, moment, Happening.MADE, name)
        elif known.made != one.made:
            if name not in renamed.values():
                yield Notice(number, moment, Happening.DROPPED, name)
            yield Notice(number, moment, Happening.MADE, name)
        elif known.digest != one.digest:
            yield Notice(number, at, Happening.ALTERED, name)
    for name in before.keys() - now.keys() - {*renamed.values()}:
        yield Notice(number, at, Happening.DROPPED, name)


def _renamed(before: Mapping[str, Sighting], now: Mapping[str, Sighting]) -> dict[str, str]:
    """Return what tables were called before that have another name now."""
    gone = {name for name, one in before.items() if name not in now or now[name].made != one.made}
    new = {name for name, one in now.items() if name not in before}
    former, since = (_alone(where[name] for name in names) for where, names in ((before, gone), (now, new)))
    return {name: former[place] for place, name in since.items() if place in former}


def _alone(some: Iterable[Sighting]) -> dict[str, str]:
    """Return who lies in a place, where it is one alone."""
    found: dict[str, list[str]] = {}
    for one in some:
        found.setdefault(one.location, []).append(one.name)
    return {place: names[0] for place, names in found.items() if place and len(names) == 1}


def _one_by_one(told: Iterable[Notice]) -> Iterator[Notice]:
    last = datetime.min.replace(tzinfo=UTC)
    for one in told:
        last = max(one.at, last + _INSTANT)
        yield replace(one, at=last)


def _table(zone: str, entry: Mapping[str, Any]) -> Any:
    """Return a table of Glue's in the form of the Hive Metastore's."""
    storage, parameters = entry.get("StorageDescriptor") or {}, entry.get("Parameters") or {}
    above = parameters.get("metadata_location", "").rpartition("/metadata/")[0]
    return SimpleNamespace(
        dbName=zone,
        tableName=entry["Name"],
        createTime=int(entry["CreateTime"].timestamp()) if "CreateTime" in entry else 0,
        tableType=entry.get("TableType", ""),
        sd=SimpleNamespace(cols=_columns(storage.get("Columns", ())), location=storage.get("Location") or above),
        partitionKeys=_columns(entry.get("PartitionKeys", ())),
        viewOriginalText=entry.get("ViewOriginalText", ""),
    )


def _columns(some: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [
        SimpleNamespace(name=one["Name"], type=one.get("Type", ""), comment=one.get("Comment", ""))
        for one in some
        if (one.get("Parameters") or {}).get(_CURRENT) != "false"
    ]


def _place(location: str) -> str:
    """Return a location without what its writers differ in.

    >>> _place("s3a://lake/curated/a/")
    's3://lake/curated/a'
    """
    scheme, slashes, rest = location.rstrip("/").partition("://")
    return f"{'s3' if scheme in ('s3a', 's3n') else scheme}{slashes}{rest}"
