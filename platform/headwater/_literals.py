"""Python values as literals of Trino's dialect, by column type. Pure."""

from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from headwater.dialects import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Literal", "literal", "literal_problem"]

Literal = bool | int | float | Decimal | str | date | datetime

_INT_BITS = {"int": 31, "long": 63}
_PLAIN = 2**31


def literal(value: Literal, column_type: str) -> str:
    """Return a value as a literal that has a column's type.

    Raises:
        ValueError: The value cannot be one of that column.
    """
    problem = literal_problem(value, column_type)
    if problem:
        raise ValueError(problem)
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int) and column_type in _INT_BITS and abs(value) < _PLAIN:
        return str(value)
    return f"CAST({_text(_spell(value))} AS {DIALECTS['trino'].type_name(column_type)})"


def literal_problem(value: Literal, column_type: str) -> str:
    """Return why a value cannot be one of a column of that type, or nothing when it can."""
    fits = _FITS.get(column_type.partition("(")[0])
    if fits is None or not fits(value, column_type):
        return f"{value!r} is no {column_type}"
    return ""


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _spell(value: Literal) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat(sep=" ") if isinstance(value, datetime) else str(value)


def _is_whole(value: Literal, column_type: str) -> bool:
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    limit = 1 << _INT_BITS[column_type]
    return -limit <= value < limit


def _is_number(value: Literal, _type: str) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_decimal(value: Literal, column_type: str) -> bool:
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or not Decimal(value).is_finite():
        return False
    precision, scale = (int(part) for part in column_type[8:-1].split(","))
    sign_digits_exponent = Decimal(value).normalize().as_tuple()
    exponent = int(sign_digits_exponent.exponent)
    whole = max(len(sign_digits_exponent.digits) + exponent, 0)
    return -exponent <= scale and whole <= precision - scale


def _is_text(value: Literal, _type: str) -> bool:
    return isinstance(value, str) and "\0" not in value


def _is_moment(value: Literal, column_type: str) -> bool:
    return isinstance(value, datetime) and (value.tzinfo is not None) == (column_type == "timestamptz")


_FITS: Mapping[str, Callable[[Literal, str], bool]] = {
    "boolean": lambda value, _: isinstance(value, bool),
    "int": _is_whole,
    "long": _is_whole,
    "float": _is_number,
    "double": _is_number,
    "decimal": _is_decimal,
    "string": _is_text,
    "date": lambda value, _: isinstance(value, date) and not isinstance(value, datetime),
    "timestamp": _is_moment,
    "timestamptz": _is_moment,
}
