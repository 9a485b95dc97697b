"""What files of one table have in common, and which files may be of one table at all. Pure but for pyarrow's types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.files import Look

__all__ = ["Shape", "group", "merged", "shape_of"]

# Of the larger one's columns, so many must be the smaller one's too.
_ALIKE = 0.5
# Of columns that no header names, so many must have types that agree.
_AGREE = 0.7


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Format and columns of a table's files.

    Args:
        format: As of a look.
        columns: Names and Arrow types, in the order of the files.
        delimiter: Of delimited text.
        header: Whether each file of delimited text begins with names.
        quoted: Whether a field of delimited text stands in quotes.
        compression: The files'; of several, what one of them has.
        avro: The schema of Avro files.
    """

    format: str
    columns: tuple[tuple[str, Any], ...]
    delimiter: str = ""
    header: bool = False
    quoted: bool = False
    compression: str = ""
    avro: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, as the metastore compares them."""
        return tuple(name.lower() for name, _ in self.columns)


def shape_of(look: Look) -> Shape:
    """Return the shape of one file."""
    return Shape(
        format=look.format,
        columns=tuple((field.name, field.type) for field in look.columns),
        delimiter=look.delimiter,
        header=look.header,
        quoted=look.quoted,
        compression=look.compression,
        avro=look.avro,
    )


def merged(one: Shape, other: Shape) -> Shape | None:
    """Return the shape of a table that holds files of both; None where no table can."""
    same = (one.format, one.delimiter, one.header) == (other.format, other.delimiter, other.header)
    columns = _MERGES[one.format](one, other) if same else None
    if columns is None:
        return None
    return replace(
        one,
        columns=columns,
        quoted=one.quoted or other.quoted,
        compression=one.compression or other.compression,
    )


def _by_place(one: Shape, other: Shape) -> tuple[tuple[str, Any], ...] | None:
    """Merge text whose fields are told apart by their order: columns may only have been added at the end."""
    short, long = sorted((one, other), key=lambda shape: len(shape.columns))
    count = len(short.columns)
    if short.names != long.names[:count] or count < _ALIKE * len(long.columns):
        return None
    pairs = list(zip(short.columns, long.columns, strict=False))
    kinds = [_wider(ours, theirs) for (_, ours), (_, theirs) in pairs]
    if not one.header and sum(kind is not None for kind in kinds) < _AGREE * count:
        return None
    return (
        *((name, kind or _text()) for (name, _), kind in zip(long.columns, kinds, strict=False)),
        *long.columns[count:],
    )


def _by_key(one: Shape, other: Shape) -> tuple[tuple[str, Any], ...] | None:
    """Merge JSON, whose objects may have more or fewer keys."""
    return _by_name(one, other, _wider)


def _by_field(one: Shape, other: Shape) -> tuple[tuple[str, Any], ...] | None:
    """Merge files that bring their types, which readers widen a little."""
    return _by_name(one, other, _readable)


def _by_order(one: Shape, other: Shape) -> tuple[tuple[str, Any], ...] | None:
    """Merge ORC, whose columns Trino finds by their order."""
    short, long = sorted((one, other), key=lambda shape: len(shape.columns))
    return _by_field(long, short) if short.names == long.names[: len(short.columns)] else None


def _equal(one: Shape, other: Shape) -> tuple[tuple[str, Any], ...] | None:
    """Merge Avro files of one schema."""
    return one.columns if one.columns == other.columns else None


_MERGES: dict[str, Any] = {
    "csv": _by_place,
    "json": _by_key,
    "parquet": _by_field,
    "orc": _by_order,
    "avro": _equal,
}


def _by_name(one: Shape, other: Shape, widen: Any) -> tuple[tuple[str, Any], ...] | None:
    known, new = dict(zip(one.names, one.columns, strict=True)), dict(zip(other.names, other.columns, strict=True))
    common = known.keys() & new.keys()
    if len(common) < _ALIKE * max(len(known), len(new)):
        return None
    kinds = {name: widen(known[name][1], new[name][1]) for name in common}
    if None in kinds.values():
        return None
    found = [(given, kinds.get(name, kind)) for name, (given, kind) in known.items()]
    return (*found, *(column for name, column in new.items() if name not in known))


def _wider(one: Any, other: Any) -> Any:
    """Return the type that a text reader takes both for; None where that is text alone."""
    import pyarrow.types as kinds  # noqa: PLC0415 - slow to import

    if one.equals(other) or kinds.is_null(other):
        return one
    if kinds.is_null(one):
        return other
    if kinds.is_struct(one) and kinds.is_struct(other):
        return _wider_struct(one, other)
    if kinds.is_list(one) and kinds.is_list(other):
        inner = _wider(one.value_type, other.value_type)
        return None if inner is None else _arrow().list_(inner)
    return _wider_number(one, other)


def _wider_struct(one: Any, other: Any) -> Any:
    fields = {field.name: field.type for field in one}
    for field in other:
        kind = _wider(fields[field.name], field.type) if field.name in fields else field.type
        if kind is None:
            return None
        fields[field.name] = kind
    return _arrow().struct(list(fields.items()))


def _wider_number(one: Any, other: Any) -> Any:
    import pyarrow.types as kinds  # noqa: PLC0415

    numbers = [
        kind for kind in (one, other) if kinds.is_int64(kind) or kinds.is_float64(kind) or kinds.is_decimal(kind)
    ]
    if len(numbers) < 2:  # noqa: PLR2004 - both
        return None
    if kinds.is_float64(one) or kinds.is_float64(other):
        # A decimal has more digits than a double gives back.
        return None if any(map(kinds.is_decimal, numbers)) else _arrow().float64()
    return _arrow().decimal128(38, max(getattr(kind, "scale", 0) for kind in numbers))


def _readable(one: Any, other: Any) -> Any:
    """Return the type by which Trino and Spark read both from Parquet or ORC."""
    pa = _arrow()
    if one.equals(other):
        return one
    pairs = {(pa.int32(), pa.int64()): pa.int64(), (pa.float32(), pa.float64()): pa.float64()}
    return pairs.get((one, other)) or pairs.get((other, one))


def _arrow() -> Any:
    import pyarrow  # noqa: ICN001, PLC0415 - slow to import

    return pyarrow


def _text() -> Any:
    return _arrow().string()


def group(files: Sequence[tuple[str, Shape]]) -> list[tuple[Shape, list[str]]]:
    """Return files, given by location, by what table they may be of; each group in the order of its files."""
    groups: list[tuple[Shape, list[str]]] = []
    for uri, shape in files:
        for at, (known, uris) in enumerate(groups):
            if (both := merged(known, shape)) is not None:
                groups[at] = (both, [*uris, uri])
                break
        else:
            groups.append((shape, [uri]))
    return groups
