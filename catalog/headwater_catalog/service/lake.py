"""What of the past can still be read: asks the lake itself, so that it is true whoever expired what.

The catalog remembers runs and snapshots for ever; the data behind them go when ``headwater maintain``, Trino or Spark
expire a snapshot, or when somebody drops the table. No event tells of that reliably, so it is looked up when asked.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError, MetastoreError
from headwater.stack import Stack
from headwater.table import ZONES, TableName

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headwater.profile import Profile

__all__ = ["Lake"]

_LOG = logging.getLogger("headwater.catalog")
_REMEMBERED = 512
# The most tables and loads that one answer is looked up for; of the rest it says that it does not know.
_MOST = 200
_TIMEOUT_SECONDS = 5.0
# Questions to the metastore at once; those that it does not answer keep their thread until its client gives up.
_ASKING = 4
_GZIP = b"\x1f\x8b"


class Lake:
    """Looks up what there is; where the metastore or the object store do not answer, nothing is known.

    Args:
        profile: Whose.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._asking = ThreadPoolExecutor(_ASKING, thread_name_prefix="lake")
        self._known: OrderedDict[str, frozenset[str]] = OrderedDict()  # metadata files never change
        self._lock = Lock()

    def mark(self, rows: Iterable[dict[str, Any]], name: str = "") -> None:
        """Say of each row with a table and a snapshot whether it is ``readable``: true, false, or None for unknown.

        Args:
            rows: With ``snapshot``, and ``table`` or ``name``.
            name: The table of all rows; empty where each names its own.
        """
        asked = [(row, name or row.get("table") or row.get("name", "")) for row in rows]
        there = self.snapshots({table for row, table in asked if row.get("snapshot")})
        for row, table in asked:
            known = there.get(table) if row.get("snapshot") else None
            row["readable"] = None if known is None else str(row["snapshot"]) in known

    def snapshots(self, names: Iterable[str]) -> Mapping[str, frozenset[str]]:
        """Return the snapshots that tables have now; a table that is gone has none, one that is unknown is missing."""
        found: dict[str, frozenset[str]] = {}
        try:
            for name, place in self._metadata_files(sorted(set(names))[:_MOST]).items():
                if place is not None:
                    found[name] = self._ids(place) if place else frozenset()
        except HeadwaterError as error:
            _LOG.warning("what is still readable is not known: %s", error)
        return found

    def loads(self, locations: Iterable[str]) -> Mapping[str, bool]:
        """Return which folders of loads still hold anything; those that are unknown are missing."""
        found: dict[str, bool] = {}
        try:
            for one in sorted(set(locations))[:_MOST]:
                found[one] = any(True for _ in self._stack.storage.objects(one))
        except HeadwaterError as error:
            _LOG.warning("what is still readable is not known: %s", error)
        return found

    def _metadata_files(self, names: Iterable[str]) -> dict[str, str | None]:
        """Return each table's metadata file: empty when the table is gone, None when it is no Iceberg table."""
        # Also names that no definition may have: engines take others.
        wanted = {
            name: TableName(zone, name.removeprefix(f"{zone}."))
            for name in names
            for zone in ZONES
            if name.startswith(f"{zone}.")
        }
        if not wanted:
            return {}
        # A page does not wait for as long as the metastore's own client does.
        asked = self._asking.submit(self._stack.metastore.metadata_files, list(wanted.values()))
        try:
            found = asked.result(_TIMEOUT_SECONDS)
        except TimeoutError as error:
            asked.cancel()
            raise MetastoreError(f"the metastore has not answered for {_TIMEOUT_SECONDS:.0f} s") from error
        return {name: found.get(one, "") for name, one in wanted.items()}

    def _ids(self, place: str) -> frozenset[str]:
        with self._lock:
            if place in self._known:
                self._known.move_to_end(place)
                return self._known[place]
        raw = self._stack.storage.read(place)
        told = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
        ids = frozenset(str(one["snapshot-id"]) for one in told.get("snapshots") or ())
        with self._lock:
            self._known[place] = ids
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return ids

    @cached_property
    def _stack(self) -> Stack:
        return Stack.build(self._profile)
