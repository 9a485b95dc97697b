"""What may be asked of a table, and what of its raw upstreams that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.engines.base import RawFile, same_cut
from headwater.errors import WriteError
from headwater.layout import partition_value
from headwater.write._manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from headwater.stack import Stack
    from headwater.table import Table

__all__ = ["partition_values", "raw_files"]


def partition_values(table: Table, keys: Sequence[str]) -> tuple[int | date | str, ...]:
    """Return the partition column's values for partition keys.

    Raises:
        WriteError: Keys and table do not go together.
        DefinitionError: There is no such partition.
    """
    if table.partitioning is None:
        if keys:
            raise WriteError(f"{table} has no partitions, but {', '.join(keys)} was asked for; ask without.")
        return ()
    if not keys:
        raise WriteError(
            f"{table} is written by partition of {table.partitioning.column}; say which, e.g. {_first(table)}."
        )
    if len(set(keys)) != len(keys):
        raise WriteError(f"{table}: a partition is asked for twice in {', '.join(keys)}.")
    return tuple(table.partitioning.value(key) for key in keys)


def _first(table: Table) -> str:
    cut = table.partitioning
    return (cut.start or cut.values[0]) if cut else ""


def raw_files(table: Table, upstream: Table, values: Sequence[int | date | str], stack: Stack) -> tuple[RawFile, ...]:
    """Return the files of a raw upstream that a table's partitions are made from.

    Raises:
        WriteError: They have not been loaded.
    """
    loads = stack.metastore.raw_loads(upstream)
    wanted = {str(value) for value in values} if same_cut(table, upstream) else set(loads)
    missing = sorted(wanted - loads.keys())
    if missing or not wanted:
        which = f"{upstream} {', '.join(missing)}".strip()
        raise WriteError(f"{table} was not written: {which} has not been loaded. Materialize {upstream} first.")
    found = []
    for text in sorted(wanted):
        value = partition_value(upstream.partitioning, text) if upstream.partitioning else None
        load = loads[text]
        found += [
            RawFile(uri=load.location + file.name, name=file.name, lines=file.lines, fields=file.fields, value=value)
            for file in read_manifest(stack.storage, load)
        ]
    return tuple(found)
