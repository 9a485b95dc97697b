"""The file of a result: CSV for rows, tabs for what describes; and reading a page of it from its middle. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["csv_line", "read_csv", "read_text", "text_line"]

# NULL is nothing at all, an empty text is two quotes.
_CELL = re.compile(rb'(?:"((?:[^"]|"")*)")?([,\n])')


def csv_line(values: Sequence[str | None]) -> bytes:
    r"""Return a row as Athena writes it.

    >>> csv_line(["a", None, "", 'an "x" here'])
    b'"a",,"","an ""x"" here"\n'
    """
    return (",".join("" if one is None else '"' + one.replace('"', '""') + '"' for one in values) + "\n").encode()


def text_line(values: Sequence[str | None]) -> bytes:
    """Return a row of a statement that describes something."""
    return ("\t".join(one or "" for one in values) + "\n").encode()


def read_csv(chunks: Iterable[bytes]) -> Iterator[tuple[list[str | None], int]]:
    """Yield the rows of bytes that begin with a row, each with how many bytes it took."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        place = 0
        while (found := _row(rest, place)) is not None:
            values, end = found
            yield values, end - place
            place = end
        rest = rest[place:]


def read_text(chunks: Iterable[bytes]) -> Iterator[tuple[list[str | None], int]]:
    """Yield the lines, each with how many bytes it took."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield [line.decode()], len(line) + 1


def _row(text: bytes, place: int) -> tuple[list[str | None], int] | None:
    """Return the row at a place and where it ends; None when it is not all there."""
    values: list[str | None] = []
    while (found := _CELL.match(text, place)) is not None:
        cell, end = found.groups()
        values.append(None if cell is None else cell.replace(b'""', b'"').decode())
        place = found.end()
        if end == b"\n":
            return values, place
    return None
