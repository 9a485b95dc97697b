"""What a run told of itself beyond OpenLineage's own facets: what it read, and the files that it loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater_catalog.model import LOADS, READS

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import Connection

__all__ = ["Told", "told_of"]


@dataclass
class Told:
    """What a run told of itself.

    Args:
        reads: What it read; None when it did not say.
        loads: The loads that it showed.
        appended: It added to the rows that were there.
        parts: Rows written by partition, where it said so.
    """

    reads: list[dict[str, Any]] | None = None
    loads: list[dict[str, Any]] = field(default_factory=list)
    appended: bool = False
    parts: dict[str, int] = field(default_factory=dict)

    def rows_of(self, keys: Collection[str], whole: int | None) -> int | None:
        """Return how many rows it wrote of some partitions; of all that it wrote where it told no more."""
        return sum(self.parts[key] for key in keys) if keys and {*keys} <= self.parts.keys() else whole


def told_of(connection: Connection[Any], run: str) -> Told:
    """Return what all events of a run say of it together."""
    told = Told()
    for (body,) in connection.execute("SELECT body FROM event WHERE run_id = %s", (run,)).fetchall():
        event = json.loads(body)
        facet = event.get("run", {}).get("facets", {}).get(READS)
        told.reads = facet.get("reads") if isinstance(facet, dict) else told.reads
        for output in event.get("outputs") or ():
            facets = output.get("facets") or {}
            shown = facets.get(LOADS)
            if isinstance(shown, dict):
                told.loads += shown.get("loads", [])
                told.appended |= bool(shown.get("appended"))
            told.parts |= _parts(facets.get("headwater_shape"))
    return told


def _parts(shape: Any) -> dict[str, int]:
    parts = shape.get("partitions") if isinstance(shape, dict) else None
    return {
        str(one.get("key")): one["rows"]
        for one in (parts if isinstance(parts, list) else ())
        if isinstance(one, dict) and isinstance(one.get("rows"), int)
    }
