"""Trino's answers as Arrow: every value comes as Python's own, with the name of its column's type beside."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headwater.engines._arrow_types import NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    # A type, and what makes a value that is not NULL one that Arrow takes for it; None where it is one.
    Form = tuple[pa.DataType, Callable[[Any], Any] | None]

__all__ = ["trino_column"]

_SIMPLE = {**NAMED, "varchar": "string", "char": "string", "unknown": "null"}
_TIMESTAMP = re.compile(r"timestamp(\(\d+\))?( with time zone)?")
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_NESTED = ("array(", "map(", "row(")


def trino_column(values: Sequence[Any], trino_type: str) -> pa.Array:
    """Return a column's values as Arrow; what Arrow has no type for is text, rows are structs.

    Args:
        values: As the client gives them.
        trino_type: As the client names it, e.g. ``row(a bigint, b array(varchar))``.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    kind, made = _form(pa, trino_type)
    return pa.array(values if made is None else [_each(made, value) for value in values], kind)


def _each(made: Callable[[Any], Any] | None, value: Any) -> Any:
    return value if value is None or made is None else made(value)


def _form(pa: Any, trino_type: str) -> Form:
    kind = _scalar(pa, trino_type.lower())
    if kind is not None:
        return kind, None
    return _nested(pa, trino_type) if trino_type.lower().startswith(_NESTED) else (pa.string(), str)


def _scalar(pa: Any, trino_type: str) -> Any:
    if simple := _SIMPLE.get(trino_type.partition("(")[0]):
        return getattr(pa, simple)()
    if match := _DECIMAL.fullmatch(trino_type):
        return pa.decimal128(int(match[1]), int(match[2]))
    if match := _TIMESTAMP.fullmatch(trino_type):
        return pa.timestamp("us", tz="UTC" if match[2] else None)
    return None


def _nested(pa: Any, trino_type: str) -> Form:
    from sqlglot import exp  # noqa: PLC0415 - slow to import

    # Of another's types, such as ipaddress, the names alone are known.
    parts = exp.DataType.build(trino_type, dialect="trino", udt=True).expressions
    forms = [_form(pa, part.args.get("kind", part).sql("trino")) for part in parts]
    kinds = [kind for kind, _ in forms]
    mades = [made for _, made in forms]
    if trino_type.lower().startswith("array("):
        return pa.list_(*kinds), (lambda items: [_each(mades[0], item) for item in items]) if mades[0] else None
    if trino_type.lower().startswith("map("):
        return pa.map_(*kinds), lambda pairs: [
            (_each(mades[0], key), _each(mades[1], value)) for key, value in pairs.items()
        ]
    names = [part.name if isinstance(part, exp.ColumnDef) else f"field{at}" for at, part in enumerate(parts)]
    return pa.struct(list(zip(names, kinds, strict=True))), lambda row: {
        name: _each(made, value) for name, made, value in zip(names, mades, row, strict=True)
    }
