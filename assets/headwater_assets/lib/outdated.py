"""Which partitions of which tables are behind their files or their upstreams. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headwater.arrivals import WHOLE
from headwater.checks import tables_needed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from headwater.table import Table

__all__ = ["SNAPSHOT", "WARNINGS", "Writing", "outdated", "without_files"]

# Metadata of a materialization: the Iceberg snapshot that holds the rows.
SNAPSHOT = "snapshot_id"
# Metadata of a materialization: what somebody should look at.
WARNINGS = "warnings"


@dataclass(frozen=True)
class Writing:
    """The last time that a partition was written.

    Args:
        seconds: Since the epoch.
        mark: The fingerprint of the files it was loaded from; empty for what is not loaded from files.
        snapshot: The Iceberg snapshot that holds its rows; None in the raw zone.
    """

    seconds: float
    mark: str = ""
    snapshot: int | None = None


def outdated(
    tables: Sequence[Table],
    keys: Mapping[str, Sequence[str]],
    written: Mapping[tuple[str, str], Writing],
    marks: Mapping[tuple[str, str], str],
    disturbed: Collection[tuple[str, str]] = (),
) -> dict[str, tuple[str, ...]]:
    """Return the partitions to write by table: never written, not as written, or behind what it reads.

    Args:
        tables: Upstreams first.
        keys: The wanted partitions of every partitioned table.
        written: The last writing by table and partition key.
        marks: The fingerprint of the files that are there now, by raw table and partition key.
        disturbed: Those that do not hold any more what was written, by table and partition key.
    """
    state = _State(keys, written, marks, disturbed)
    for table in tables:
        wanted = keys.get(table.name, ()) if table.partitioning else (WHOLE,)
        behind = tuple(key for key in wanted if state.is_behind(table, key))
        if behind:
            state.found[table.name] = behind
    return state.found


def without_files(
    tables: Sequence[Table], here: Mapping[str, Collection[str]], written: Collection[tuple[str, str]]
) -> list[str]:
    """Return one line for every raw table with partitions that were loaded and have no files any more.

    Args:
        tables: The tables to look at.
        here: The partition keys that have files, by table.
        written: Table and key of what was ever written.
    """
    lines = []
    for table in tables:
        keys = sorted(key for name, key in written if name == table.name and key and key not in here[table.name])
        if table.files and keys:
            which, have, their = ("s", "have", "their") if len(keys) > 1 else ("", "has", "its")
            where = table.files.folder
            lines.append(
                f"Partition{which} {', '.join(keys)} of {table} {have} no files in {where} any more; {their} rows stay."
            )
    return lines


@dataclass(frozen=True)
class _State:
    """What is known while the tables are gone through, upstreams first."""

    keys: Mapping[str, Sequence[str]]
    written: Mapping[tuple[str, str], Writing]
    marks: Mapping[tuple[str, str], str]
    disturbed: Collection[tuple[str, str]]
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def is_behind(self, table: Table, key: str) -> bool:
        """Tell whether a partition has to be written."""
        last = self.written.get((table.name, key))
        if last is None or (table.name, key) in self.disturbed or last.mark != self.marks.get((table.name, key), ""):
            return True
        return any(
            self._is_newer(upstream, upstream_key, last)
            for upstream in (*table.upstreams, *tables_needed(table))
            for upstream_key in self._read_keys(table, key, upstream)
        )

    def _is_newer(self, upstream: Table, key: str, last: Writing) -> bool:
        made = self.written.get((upstream.name, key))
        return key in self.found.get(upstream.name, ()) or (made is not None and made.seconds > last.seconds)

    def _read_keys(self, table: Table, key: str, upstream: Table) -> Sequence[str]:
        """Return the upstream's partitions that a partition reads."""
        if upstream.partitioning is None:
            return (WHOLE,)
        if table.partitioning is not None and table.partitioning.by == upstream.partitioning.by:
            return (key,)
        return self.keys.get(upstream.name, ())
