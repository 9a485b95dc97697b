"""Athena's answers as Arrow: every value comes as text, with the name of its column's type beside."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headwater.engines._arrow_types import NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

__all__ = ["arrow_schema", "record_batch"]

_TYPES = {**NAMED, "float": "float32"}
_LONGEST_DECIMAL = 38


def arrow_schema(columns: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """Return the schema of what Athena says of its columns; a type that Arrow lacks is text."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    return pa.schema([(column["Name"], _arrow_type(pa, column)) for column in columns])


def record_batch(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Return rows of Athena's as Arrow."""
    import pyarrow as pa  # noqa: PLC0415

    texts = [[entry.get("VarCharValue") for entry in row["Data"]] for row in rows]
    # By position: two columns may bear one name.
    columns = [_column(pa, [row[at] for row in texts], field.type) for at, field in enumerate(schema)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _arrow_type(pa: Any, column: Mapping[str, Any]) -> Any:
    name = column["Type"]
    if name in _TYPES:
        return getattr(pa, _TYPES[name])()
    if name == "decimal":
        return pa.decimal128(column.get("Precision") or _LONGEST_DECIMAL, column.get("Scale") or 0)
    if name.startswith("timestamp"):
        return pa.timestamp("us", tz="UTC" if name.endswith("with time zone") else None)
    return pa.string()


def _column(pa: Any, texts: list[str | None], kind: Any) -> Any:
    read = _reader(pa, kind)
    if read is None:
        text = pa.array(texts, pa.string())
        return text if pa.types.is_string(kind) else text.cast(kind)
    return pa.array([None if one is None else read(one) for one in texts], kind)


def _reader(pa: Any, kind: Any) -> Callable[[str], Any] | None:
    """Return what reads a text where Arrow's own cast does not."""
    if pa.types.is_binary(kind):
        return bytes.fromhex  # pairs of digits with blanks between
    if pa.types.is_decimal(kind):
        return Decimal
    if pa.types.is_timestamp(kind) and kind.tz:
        return _instant
    if pa.types.is_floating(kind):
        return float
    return None


def _instant(text: str) -> Any:
    from datetime import datetime  # noqa: PLC0415
    from zoneinfo import ZoneInfo  # noqa: PLC0415

    stamp, _, zone = text.rpartition(" ")
    if zone[0] in "+-":
        return datetime.fromisoformat(stamp + zone)
    return datetime.fromisoformat(stamp).replace(tzinfo=ZoneInfo(zone))
