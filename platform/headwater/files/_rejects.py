"""Rows that were set aside, in ``<table>__rejected``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from headwater.ddl import REJECTS
from headwater.write import begin_file_load, ingested_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headwater.files._relation import BadRow
    from headwater.stack import Stack
    from headwater.table import TableName

__all__ = ["publish_rejects"]


def publish_rejects(
    stack: Stack, name: TableName, rejected: Sequence[BadRow], *, replace: bool, log: Callable[[str], None]
) -> None:
    """Show rejected rows; when the table is replaced, instead of those that were there.

    Raises:
        WriteError: They cannot be shown.
    """
    there = ingested_table(stack, name.rejected) is not None
    if not rejected and not (replace and there):
        return
    with begin_file_load(name.rejected, stack, run="ingest", log=log) as load:
        schema, whole = _parquet(rejected)
        uri = f"{load.prefix}data/rejected.parquet"
        if rejected:
            stack.storage.put(uri, whole)
        load.publish(
            schema, [uri] if rejected else [], replace=replace, partition_by="", summary={"headwater.run": "ingest"}
        )


def _parquet(rejected: Sequence[BadRow]) -> tuple[object, bytes]:
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    types = {"string": pa.string(), "long": pa.int64()}
    schema = pa.schema([pa.field(column.name, types[column.type]) for column in REJECTS])
    rows = [(one.name, one.line, one.reason, one.text) for one in rejected]
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    table = pa.Table.from_arrays(
        [pa.array(list(values), kind.type) for values, kind in zip(columns, schema, strict=True)], schema=schema
    )
    whole = io.BytesIO()
    pq.write_table(table, whole)
    return schema, whole.getvalue()
