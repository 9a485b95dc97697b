"""Which runs write some tables, in which order, for which partitions. Pure, and without Dagster to load fast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from headwater.checks import tables_needed
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from headwater.project import Project
    from headwater.table import Partitioning, Table

__all__ = ["Batch", "batches", "every_key", "keys_between", "keys_with_files", "partition_tags", "ranges", "select"]

# Dagster's names for "these partitions"; the same ones that its own pages send.
_KEY, _FIRST, _LAST = "dagster/partition", "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@dataclass(frozen=True)
class Batch:
    """What one run writes.

    Args:
        tables: Upstreams first.
        first: First partition; empty when none of the tables is partitioned.
        last: Last partition.
    """

    tables: tuple[Table, ...]
    first: str = ""
    last: str = ""

    @property
    def assets(self) -> tuple[str, ...]:
        """What Dagster is asked for: the tables and their rejected rows."""
        return tuple(name for table in self.tables for name in _outputs(table))

    @property
    def tags(self) -> dict[str, str]:
        """The tags that tell Dagster the partitions."""
        return partition_tags(self.first, self.last)


def partition_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags of a run that writes all partitions from one to another; none without partitions."""
    if not first:
        return {}
    return {_KEY: first} if first == last else {_FIRST: first, _LAST: last}


def select(project: Project, patterns: Sequence[str]) -> tuple[Table, ...]:
    """Return the tables that names, domains or patterns such as ``curated.*`` mean, upstreams first.

    Raises:
        ConfigError: One of them means nothing.
    """
    chosen: set[str] = set()
    for pattern in patterns:
        found = {table.name for table in project.tables if fnmatchcase(table.name, pattern)}
        found |= {name for name, source in project.sources.items() if source.domain == pattern}
        if not found:
            known = ", ".join(table.name for table in project.tables) or "none"
            raise ConfigError(f"Project {project.name} has no table {pattern!r}; it has {known}.")
        chosen |= found
    return tuple(table for table in project.tables if table.name in chosen)


def every_key(cut: Partitioning, today: date) -> tuple[str, ...]:
    """Return all partition keys of a partitioning up to today.

    >>> from headwater.table import Partitioning
    >>> every_key(Partitioning("month", by="month", start="2020-11"), date(2021, 1, 5))
    ('2020-11', '2020-12', '2021-01')
    """
    if cut.by == "value":
        return cut.values
    return tuple(dict.fromkeys(day.strftime(cut.key_format) for day in _days(cut, today)))


def keys_between(cut: Partitioning, first: str, last: str, today: date) -> tuple[str, ...]:
    """Return the keys from one to another, both included.

    Raises:
        ConfigError: One of them is no partition, or they are the wrong way round.
    """
    keys = every_key(cut, today)
    for key in (first, last):
        if key not in keys:
            raise ConfigError(f"{key!r} is no {cut.by} partition; they go from {keys[0]} to {keys[-1]}.")
    if keys.index(first) > keys.index(last):
        raise ConfigError(f"Partitions {first}..{last} are the wrong way round; write {last}..{first}.")
    return keys[keys.index(first) : keys.index(last) + 1]


def keys_with_files(table: Table, files: Callable[[Table], Mapping[str, object]], today: date) -> tuple[str, ...]:
    """Return a table's partitions for which all of its raw upstreams have files.

    Args:
        table: A partitioned table.
        files: Returns a raw table's files by partition key.
        today: The last day that a partition may begin on.
    """
    if table.partitioning is None:
        return ()
    keys = every_key(table.partitioning, today)
    for raw in _raw_ancestors(table):
        if raw.partitioning is not None and raw.partitioning.by == table.partitioning.by:
            found = files(raw)
            keys = tuple(key for key in keys if key in found)
    return keys


def batches(tables: Sequence[Table], keys: Mapping[str, Sequence[str]], today: date) -> list[Batch]:
    """Return the runs that write tables, one after the other; as many tables as possible share a run.

    Args:
        tables: Upstreams first.
        keys: The wanted partitions of every partitioned table; one without any is left out, and so is a table
            without partitions that reads it.
        today: The last day that a partition may begin on.
    """
    groups: list[_Group] = []
    left_out: set[Table] = set()
    for table in tables:
        spans = ranges(keys.get(table.name, ()), every_key(table.partitioning, today)) if table.partitioning else []
        if not spans and (table.partitioning or left_out.intersection(_inputs(table))):
            left_out.add(table)
            continue
        if groups and groups[-1].takes(table, spans):
            groups[-1].tables.append(table)
            groups[-1].spans = groups[-1].spans or spans
        else:
            groups.append(_Group([table], spans))
    return [Batch(tuple(group.tables), *span) for group in groups for span in group.spans or [("", "")]]


def ranges(keys: Sequence[str], every: Sequence[str]) -> list[tuple[str, str]]:
    """Return first and last of every unbroken run of keys.

    >>> ranges(["2019", "2020", "2022"], ["2018", "2019", "2020", "2021", "2022"])
    [('2019', '2020'), ('2022', '2022')]
    """
    places = {key: at for at, key in enumerate(every)}
    found: list[tuple[str, str]] = []
    for key in sorted((key for key in set(keys) if key in places), key=places.__getitem__):
        if found and places[found[-1][1]] == places[key] - 1:
            found[-1] = (found[-1][0], key)
        else:
            found.append((key, key))
    return found


@dataclass
class _Group:
    """Tables that are written for the same partitions, one run for each span of them."""

    tables: list[Table]
    spans: list[tuple[str, str]]

    def takes(self, table: Table, spans: list[tuple[str, str]]) -> bool:
        """Return whether a table can share these runs; one without partitions only where there is a single run."""
        if not spans or not self.spans:
            return max(len(spans), len(self.spans)) <= 1
        cuts = {(one.partitioning.by, one.partitioning.start) for one in (*self.tables, table) if one.partitioning}
        return spans == self.spans and len(cuts) == 1


def _outputs(table: Table) -> tuple[str, ...]:
    return (table.name, str(table.id.rejected)) if table.rejects else (table.name,)


def _raw_ancestors(table: Table) -> set[Table]:
    if table.zone == "raw":
        return {table}
    return {raw for upstream in _inputs(table) for raw in _raw_ancestors(upstream)}


def _inputs(table: Table) -> tuple[Table, ...]:
    return (*table.upstreams, *tables_needed(table))


def _days(cut: Partitioning, today: date) -> Iterator[date]:
    value = cut.value(cut.start)
    day = date(value, 1, 1) if isinstance(value, int) else value
    while isinstance(day, date) and day <= today:
        yield day
        day += timedelta(days=1)
