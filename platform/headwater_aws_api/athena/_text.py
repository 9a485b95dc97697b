"""Values and types as Athena writes them. Pure.

Trino hands values out as JSON; what people see of them in Athena is text of its own: ``[1, 2]``, ``{a=1}``, ``1.0E10``.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ResultColumn", "column_of", "text_of"]

# Athena's name of a type and its precision, by Trino's; what is not here has its own name and none.
_TYPES = {
    "boolean": ("boolean", 0),
    "tinyint": ("tinyint", 3),
    "smallint": ("smallint", 5),
    "integer": ("integer", 10),
    "bigint": ("bigint", 19),
    "real": ("float", 17),
    "double": ("double", 17),
    "varchar": ("varchar", 2147483647),
    "char": ("char", 0),
    "varbinary": ("varbinary", 1073741824),
    "date": ("date", 0),
    "timestamp": ("timestamp", 3),
    "timestamp with time zone": ("timestamp with time zone", 3),
    "time": ("time", 0),
    "json": ("json", 0),
}
_CASE_SENSITIVE = ("varchar", "char")
_PARAMETERS = re.compile(r"\(([\d, ]+)\)")
# From here on Java writes a number with an exponent.
_LARGE, _SMALL = 1e7, 1e-3


@dataclass(frozen=True)
class ResultColumn:
    """One column of a result.

    Args:
        name: Its name.
        type: Athena's name of its type.
        precision: As Athena tells it.
        scale: Of decimals.
    """

    name: str
    type: str
    precision: int = 0
    scale: int = 0

    def shown(self) -> dict[str, Any]:
        """Return Athena's ``ColumnInfo``."""
        return {
            "CatalogName": "hive",
            "SchemaName": "",
            "TableName": "",
            "Name": self.name,
            "Label": self.name,
            "Type": self.type,
            "Precision": self.precision,
            "Scale": self.scale,
            "Nullable": "UNKNOWN",
            "CaseSensitive": self.type in _CASE_SENSITIVE,
        }


def column_of(name: str, trino_type: str) -> ResultColumn:
    """Return a column of one of Trino's types.

    >>> column_of("x", "decimal(10,2)")
    ResultColumn(name='x', type='decimal', precision=10, scale=2)
    >>> column_of("x", "array(row(a bigint))").type
    'array'
    """
    head = trino_type.partition("(")[0]
    if head in ("array", "map", "row"):
        return ResultColumn(name, head)
    found = _PARAMETERS.search(trino_type)
    numbers = [int(one) for one in found[1].split(",")] if found else []
    if head == "decimal":
        return ResultColumn(name, "decimal", *numbers)
    plain = _PARAMETERS.sub("", trino_type)
    kind, precision = _TYPES.get(plain, (plain, 0))
    if kind in _CASE_SENSITIVE and numbers:
        precision = numbers[0]
    return ResultColumn(name, kind, precision)


def text_of(value: Any, trino_type: str) -> str | None:
    """Return a value that Trino gave as JSON as Athena's text; None for NULL.

    >>> text_of([1, None], "array(bigint)")
    '[1, null]'
    >>> text_of({"a": 2.5}, "map(varchar, double)")
    '{a=2.5}'
    >>> text_of([1, "x"], "row(a bigint, b varchar)")
    '{a=1, b=x}'
    >>> text_of(12345678.0, "double")
    '1.2345678E7'
    """
    if value is None:
        return None
    head = trino_type.partition("(")[0]
    if head in ("array", "map", "row"):
        nested: str = _NESTED[head](value, _inner(trino_type))
        return nested
    if head == "varbinary":
        return " ".join(f"{byte:02x}" for byte in base64.b64decode(value))
    if head in ("double", "real"):
        return _floating(value)
    if head == "boolean":
        return "true" if value else "false"
    return str(value)


def _array(value: Sequence[Any], inner: Sequence[str]) -> str:
    return f"[{', '.join(_element(one, inner[0]) for one in value)}]"


def _map(value: Mapping[str, Any], inner: Sequence[str]) -> str:
    said = [f"{key}={_element(one, inner[1])}" for key, one in value.items()]
    return "{" + ", ".join(said) + "}"


def _row(value: Sequence[Any], inner: Sequence[str]) -> str:
    said = []
    for number, (one, field) in enumerate(zip(value, inner, strict=True)):
        name, kind = _field(field, number)
        said.append(f"{name}={_element(one, kind)}")
    return "{" + ", ".join(said) + "}"


_NESTED: dict[str, Any] = {"array": _array, "map": _map, "row": _row}


def _element(value: Any, trino_type: str) -> str:
    said = text_of(value, trino_type)
    return "null" if said is None else said


def _field(field: str, number: int) -> tuple[str, str]:
    """Return the name and type of one field of a row; fields without a name are called by their place."""
    if field.startswith('"'):
        name, _, kind = field[1:].partition('" ')
        return name, kind
    space = next((at for at, depth in _depths(field) if not depth and field[at] == " "), None)
    if space is None or field[space + 1 :] == "with time zone":
        return f"field{number}", field
    return field[:space], field[space + 1 :]


def _depths(text: str) -> Iterator[tuple[int, int]]:
    """Yield every place with the number of brackets around it."""
    depth = 0
    for place, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        yield place, depth


def _inner(trino_type: str) -> list[str]:
    """Return what stands between the outermost brackets, split at the commas between them."""
    text = trino_type.partition("(")[2][:-1]
    parts, begin = [], 0
    for place, depth in _depths(text):
        if text[place] == "," and not depth:
            parts.append(text[begin:place].strip())
            begin = place + 1
    return [*parts, text[begin:].strip()]


def _floating(value: Any) -> str:
    """Return a number as Java writes it."""
    if isinstance(value, str):
        return value  # NaN, Infinity
    number = float(value)
    if number == 0 or _SMALL <= abs(number) < _LARGE:
        return repr(number)
    mantissa, _, exponent = next(
        said for precision in range(18) if float(said := f"{number:.{precision}e}") == number
    ).partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"
