"""What a caller of ingest may wish, checked before anything is read. Pure."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headwater.errors import InputError
from headwater.files._formats import FORMATS
from headwater.table import TableName

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Options", "table_name"]

_TYPE = re.compile(r"boolean|int|long|float|double|string|date|timestamp|timestamptz|decimal\((\d{1,2}),(\d{1,2})\)")
_MAX_PRECISION = 38
_CHOICES = {"if_exists": ("fail", "append", "replace"), "on_bad_rows": ("fail", "reject")}


@dataclass(frozen=True, kw_only=True)
class Options:
    """How files become a table.

    Args:
        if_exists: ``fail``, ``append`` or ``replace``.
        partition_by: Column of a new table's partitions; empty for none.
        types: Types by column name, instead of what is inferred.
        names: Column names, instead of the header's.
        header: False when the first line is a row; needs ``names``.
        null: Text that means no value, besides nothing at all.
        again: Append also files that the table already holds.
        on_bad_rows: ``fail``, or ``reject`` to put them into ``<table>__rejected``.
        delimiter: What divides the fields of text; found out when empty.
        encoding: Of text files.
        any_line_end: Accept lines of one file that end differently.
        format: One of the formats, instead of what the name's ending says.
    """

    if_exists: str = "fail"
    partition_by: str = ""
    types: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    header: bool = True
    null: str = ""
    again: bool = False
    on_bad_rows: str = "fail"
    delimiter: str = ""
    encoding: str = "utf-8"
    any_line_end: bool = False
    format: str = ""

    def __post_init__(self) -> None:
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise InputError(f"{name} is {getattr(self, name)!r}; give {' or '.join(known)}.")
        if self.format and self.format not in FORMATS:
            raise InputError(f"There is no format {self.format!r}; there are {', '.join(FORMATS)}.")
        if not self.header and not self.names:
            raise InputError("Files without a header need column names; give them with --names a,b,c.")
        self._check_text()
        for column, kind in self.types.items():
            _check_type(column, kind)

    def _check_text(self) -> None:
        # DuckDB takes up to four bytes that are neither quotes nor ends of lines.
        if len(self.delimiter.encode()) > 4 or set(self.delimiter) & set('"\r\n'):  # noqa: PLR2004
            raise InputError(
                f"The delimiter {self.delimiter!r} is not usable; give one to four bytes such as ';' or '|'."
            )
        try:
            codecs.lookup(self.encoding)
        except LookupError as error:
            raise InputError(f"There is no encoding {self.encoding!r}; give one such as utf-8 or latin-1.") from error


def _check_type(column: str, kind: str) -> None:
    match = _TYPE.fullmatch(kind)
    if match is None:
        raise InputError(
            f"Column {column!r} cannot become {kind!r}; the types are boolean, int, long, float, double, decimal(p,s), "
            "string, date, timestamp and timestamptz.",
        )
    if match[1] and not 1 <= int(match[1]) <= _MAX_PRECISION >= int(match[2]) <= int(match[1]):
        raise InputError(f"Column {column!r} cannot become {kind}; a decimal has up to {_MAX_PRECISION} digits.")


def table_name(text: str) -> TableName:
    """Return the name of a table that may be ingested.

    Raises:
        InputError: It is in another zone.
        DefinitionError: It is no name of a table.
    """
    name = TableName.parse(text)
    if name.zone != "raw":
        raise InputError(f"{text} is not in the raw zone, where files go; name it raw.{name.name}.")
    return name
