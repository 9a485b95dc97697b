"""The ``.metadata`` file beside a result: its columns in Protocol Buffers' wire format, as drivers read it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from headwater_aws_api.athena._text import ResultColumn

__all__ = ["metadata_file"]

_COLUMNS = 4
# Fields of a column.
_CATALOG, _NAME, _LABEL, _TYPE, _PRECISION, _SCALE, _NULLABLE, _CASE = 1, 4, 5, 6, 7, 8, 9, 10
_UNKNOWN = 3
_LENGTH_DELIMITED = 2
_MORE = 0x80


def metadata_file(columns: Sequence[ResultColumn]) -> bytes:
    """Return the file of a result with these columns."""
    return b"".join(_bytes(_COLUMNS, _column(one)) for one in columns)


def _column(column: ResultColumn) -> bytes:
    shown = column.shown()
    texts = ((_CATALOG, "CatalogName"), (_NAME, "Name"), (_LABEL, "Label"), (_TYPE, "Type"))
    numbers = (
        (_PRECISION, column.precision),
        (_SCALE, column.scale),
        (_NULLABLE, _UNKNOWN),
        (_CASE, int(shown["CaseSensitive"])),
    )
    return b"".join(_bytes(field, shown[name].encode()) for field, name in texts) + _numbers(numbers)


def _numbers(numbers: Iterable[tuple[int, int]]) -> bytes:
    return b"".join(_varint(field << 3) + _varint(value) for field, value in numbers)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(len(value)) + value


def _varint(number: int) -> bytes:
    said = bytearray()
    while number >= _MORE:
        said.append(number % _MORE | _MORE)
        number //= _MORE
    said.append(number)
    return bytes(said)
