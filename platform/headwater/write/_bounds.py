"""What data files say of their columns: nulls and range, without reading them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg.conversions import from_bytes
from pyiceberg.types import DateType, StringType, TimestampType, TimestamptzType
from pyiceberg.utils.datetime import days_to_date, micros_to_timestamp, micros_to_timestamptz

from headwater._profileplan import Bounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema

__all__ = ["column_bounds"]

# Iceberg cuts the bounds of a longer text, and what is left is none of its values.
_CUT = 16


def column_bounds(files: Sequence[DataFile], schema: Schema) -> Mapping[str, Bounds]:
    """Return what files say of their columns together; what one of them does not say is not known.

    Args:
        files: Data files of one partition.
        schema: Theirs.
    """
    return {field.name: _bounds(files, field.field_id, field.field_type) for field in schema.fields}


def _bounds(files: Sequence[DataFile], number: int, kind: Any) -> Bounds:
    told = [file for file in files if file.record_count]
    nulls = [(file.null_value_counts or {}).get(number) for file in told]
    if None in nulls:
        return Bounds()
    count = sum(file.record_count for file in told) - sum(filter(None, nulls))
    filled = [file for file, none in zip(told, nulls, strict=True) if none != file.record_count]
    ends = [(_value(file.lower_bounds, number, kind), _value(file.upper_bounds, number, kind)) for file in filled]
    if any(low is None or high is None for low, high in ends) or not ends:
        return Bounds(nulls=sum(filter(None, nulls)), count=count)
    return Bounds(
        nulls=sum(filter(None, nulls)),
        count=count,
        low=min(low for low, _ in ends),
        high=max(high for _, high in ends),
    )


def _value(bounds: Mapping[int, bytes] | None, number: int, kind: Any) -> Any:
    found = (bounds or {}).get(number)
    if found is None:
        return None
    value: Any = from_bytes(kind, found)
    if isinstance(kind, StringType):
        return value if len(value) < _CUT else None
    reader = _READERS.get(type(kind))
    return reader(value) if reader else value


_READERS: dict[type, Any] = {
    DateType: days_to_date,
    TimestampType: micros_to_timestamp,
    TimestamptzType: micros_to_timestamptz,
}
