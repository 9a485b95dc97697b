"""Records of delimited text, one by one with their lines: slow and exact, for what went wrong."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Record", "count_records", "records_at"]

# In letters; more than any row may have.
_LONGEST = 8_000_000
_ONE = "\x1f"


@dataclass(frozen=True)
class Record:
    """One record.

    Args:
        line: Its first line, from 1.
        text: As it stands in the file, without its end.
        fields: Its fields.
    """

    line: int
    text: str
    fields: tuple[str, ...]


def records_at(path: Path, delimiter: str) -> Iterator[Record]:
    """Yield the records of a file; empty lines are none, but count as lines."""
    _allow_long_fields()
    taken: list[str] = []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        # Python's reader takes one character.
        reader = csv.reader(_taking(file, taken, delimiter), delimiter=delimiter if len(delimiter) == 1 else _ONE)
        line = 1
        try:
            for fields in reader:
                text = "".join(taken)
                taken.clear()
                if fields:
                    yield Record(line, text.rstrip("\r\n"), tuple(fields))
                line = reader.line_num + 1
        except csv.Error:
            # One field is longer than any may be.
            yield Record(line, "".join(taken), ())


def _allow_long_fields() -> None:
    # The limit is the process's: it is raised and never lowered, since another thread may be reading by it.
    if csv.field_size_limit() < _LONGEST:
        csv.field_size_limit(_LONGEST)


def broken_record(path: Path, delimiter: str, longest: int) -> tuple[int, str] | None:
    """Return the line of the first record that is too long or whose quote never closes, and which of both it is."""
    last = Record(0, "", ())
    for record in records_at(path, delimiter):
        if len(record.text) > longest:
            return record.line, f"the row is longer than {longest // 1_000_000} MB, or a quote in it never closes"
        last = record
    if _is_open(last.text, delimiter):
        return last.line, "a quote that opens in this row never closes"
    return None


def _is_open(text: str, delimiter: str) -> bool:
    one = text if len(delimiter) == 1 else text.replace(delimiter, _ONE)
    try:
        list(csv.reader([one], delimiter=delimiter if len(delimiter) == 1 else _ONE, strict=True))
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def count_records(path: Path, delimiter: str) -> int:
    """Return the number of records of a file."""
    return sum(1 for _ in records_at(path, delimiter))


def _taking(file: TextIO, taken: list[str], delimiter: str) -> Iterator[str]:
    # One cell may not fill the memory.
    while line := file.readline(_LONGEST):
        taken.append(line)
        yield line if len(delimiter) == 1 else line.replace(delimiter, _ONE)
