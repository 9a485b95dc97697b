"""What a write reads: the state of every upstream, looked at before and after the rows are computed.

Engines read what is there when they begin, which nobody outside can fix; but a state that is the same before and after
is the one that they read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from headwater.engines.base import same_cut
from headwater.layout import partition_value
from headwater.sqlbody import tables_in_step
from headwater.write import RawState, Read
from headwater.write._iceberg import loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.stack import Stack
    from headwater.table import Partitioning, Table

__all__ = ["reads", "unchanged"]


def reads(
    table: Table, stack: Stack, partitions: Sequence[str], values: Sequence[int | date | str]
) -> tuple[Read, ...]:
    """Return the present state of what a table's partitions are made of.

    Raises:
        MetastoreError: The metastore does not answer.
    """
    catalog = stack.metastore.iceberg()
    found, in_step = [], tables_in_step(table)
    for upstream in table.upstreams:
        # A body that is a function gets the same partition of what is cut alike; SQL reads what it names, but may make
        # its rows of the same partition alone.
        cut = callable(table.body) and same_cut(table, upstream)
        keys = tuple(partitions) if cut or (upstream.name in in_step and same_cut(table, upstream)) else ()
        if upstream.files is not None:
            wanted = {str(value) for value in values} if cut else None
            found.append(Read(table=upstream.name, loads=tuple(_shown(upstream, stack, wanted)), partitions=keys))
            continue
        there = loaded(catalog, upstream.id)
        now = there.metadata.current_snapshot_id if there else None
        found.append(Read(table=upstream.name, snapshot_id=now, partitions=keys))
    return tuple(found)


def _shown(upstream: Table, stack: Stack, wanted: set[str] | None) -> Iterator[RawState]:
    for value, load in sorted(stack.metastore.raw_loads(upstream).items()):
        if wanted is None or value in wanted:
            yield RawState(partition=_key(upstream.partitioning, value), location=load.location)


def _key(cut: Partitioning | None, text: str) -> str:
    """Return the key of the partition that has a value."""
    if cut is None:
        return ""
    value = partition_value(cut, text)
    return value.strftime(cut.key_format) if isinstance(value, date) else str(value)


def unchanged(before: Sequence[Read], after: Sequence[Read]) -> tuple[Read, ...]:
    """Return what was read, without the state of what changed meanwhile."""
    return tuple(
        one if one == now else replace(one, snapshot_id=None, loads=()) for one, now in zip(before, after, strict=True)
    )
