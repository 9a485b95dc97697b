"""A text file read once before anything else: its digest, its lines and records, and what is wrong with it as text.

Records are counted here and again where rows are written, by other code: rows in must be rows out plus rejected.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from headwater.files._find import Source

__all__ = ["LONGEST_ROW", "Text", "examine_text", "line_at", "lines_at", "transcoded"]

LONGEST_ROW = 2_000_000
_BLOCK = 4 * 1024 * 1024
_LF, _CR, _QUOTE = b'\n\r"'
_MARKS = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_EMPTY_LINE = re.compile(rb"\n(?=\n)")
_END = re.compile(rb"\r\n|\n|\r")
_NAMES = {b"\n": "LF", b"\r\n": "CR LF", b"\r": "CR"}


@dataclass(frozen=True)
class Text:
    """What a first reading found.

    Args:
        lines: Ends of lines outside of quotes, and a last line without an end.
        empty: Lines among them with nothing in them.
        open_quote: The number of quotes is odd.
        quotes: There are quotes at all.
        long_row: Ends of lines outside of quotes are further apart than a row may be long.
    """

    lines: int
    empty: int
    open_quote: bool
    quotes: bool
    long_row: bool


@dataclass
class _Count:
    """Counts over blocks; what is inside of quotes is not looked at."""

    inside: bool = False
    quotes: int = 0
    lf: int = 0
    crlf: int = 0
    cr: int = 0
    empty: int = 0
    done: int = 0
    row: int = 0
    longest: int = 0
    last: bytes = field(default=b"\n")

    def add(self, block: bytes) -> None:
        if b"\r" in block or self.last == b"\r":
            self._add_slowly(block)
            return
        # Positions instead of pieces: most of a large file's first reading is spent here.
        bytes_ = np.frombuffer(block, np.uint8)
        ends = np.flatnonzero(bytes_ == _LF)
        if b'"' in block:
            quotes = np.flatnonzero(bytes_ == _QUOTE)
            ends = ends[(np.searchsorted(quotes, ends) + self.inside) % 2 == 0]
            self.quotes += len(quotes)
            self.inside ^= len(quotes) % 2 == 1
        elif self.inside:
            ends = ends[:0]
        self.lf += len(ends)
        if b"\n\n" in block or (self.last == block[:1] == b"\n"):
            before = bytes_[ends - 1] == _LF
            if len(ends) and ends[0] == 0:
                before[0] = self.last == b"\n"
            self.empty += int(before.sum())
        self._measure(ends, len(block))
        self.last = b'"' if self.inside else block[-1:]

    def _measure(self, ends: Any, size: int) -> None:
        """Keep the longest distance between ends of rows."""
        if len(ends):
            widest = int(np.diff(ends).max()) if len(ends) > 1 else 0
            self.longest = max(self.longest, self.done + int(ends[0]) - self.row, widest)
            self.row = self.done + int(ends[-1])
        self.done += size
        self.longest = max(self.longest, self.done - self.row)

    def _add_slowly(self, block: bytes) -> None:
        # Ends are found where CR is none; where a row looks long, records are looked at one by one.
        self._measure(np.flatnonzero(np.isin(np.frombuffer(block, np.uint8), (_LF, _CR))), len(block))
        parts = block.split(b'"')
        self.quotes += len(parts) - 1
        # A mark stays for each quoted piece, so that a line of nothing but one is not taken for an empty line.
        outside = b'"'.join(parts[self.inside :: 2])
        outside = b'"' + outside if self.inside and len(parts) > 1 else outside
        self.inside ^= (len(parts) - 1) % 2 == 1
        self._count_ends(outside + b'"' if self.inside and len(parts) > 1 else outside)

    def _count_ends(self, text: bytes) -> None:
        if b"\r" in text or self.last == b"\r":
            pairs = text.count(b"\r\n") + (self.last == b"\r" and text[:1] == b"\n")
            self.crlf += pairs
            self.cr += text.count(b"\r") - pairs
            self.lf += text.count(b"\n") - pairs
            ending = text[-1:]
            text = text.removeprefix(b"\n") if self.last == b"\r" else text
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            before = b"\n" if self.last == b"\r" else self.last
        else:
            self.lf += text.count(b"\n")
            ending, before = text[-1:], self.last
        self.empty += len(_EMPTY_LINE.findall(before + text)) if b"\n\n" in before + text else 0
        self.last = ending or self.last

    @property
    def lines(self) -> int:
        return self.lf + self.crlf + self.cr + (self.last not in (b"\n", b"\r"))

    @property
    def kinds(self) -> int:
        return sum(count > 0 for count in (self.lf, self.crlf, self.cr))


def examine_text(source: Source, *, any_line_end: bool) -> Text:
    """Read a text file once.

    Raises:
        InputError: It is empty, begins with a byte order mark, is not UTF-8, holds zero bytes or mixes line ends.
    """
    count = _Count()
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = 0
    for block in _blocks(source.path):
        if not done:
            _check_head(source, block)
        try:
            if decoder.getstate()[0] or not block.isascii():
                decoder.decode(block)
        except UnicodeDecodeError as error:
            _refuse_encoding(source, done + max(error.start, 0))
        if b"\0" in block:
            where = line_at(source.path, done + block.index(b"\0"))
            raise InputError(f"{source.shown}, line {where}: there is a zero byte; this is no text file.")
        count.add(block)
        done += len(block)
    _check_end(source, done, decoder, count, any_line_end=any_line_end)
    return Text(count.lines, count.empty, count.inside, count.quotes > 0, count.longest > LONGEST_ROW)


def _check_head(source: Source, block: bytes) -> None:
    if block.startswith(_MARKS):
        mark = next(mark for mark in _MARKS if block.startswith(mark))
        name = {codecs.BOM_UTF8: "utf-8-sig"}.get(mark, "utf-32" if len(mark) > 2 else "utf-16")  # noqa: PLR2004
        raise InputError(
            f"{source.shown}, line 1: the file begins with a byte order mark (BOM); say --encoding {name} to read it "
            "without, or save it without.",
        )


def _check_end(
    source: Source, done: int, decoder: codecs.IncrementalDecoder, count: _Count, *, any_line_end: bool
) -> None:
    if not done or count.lines == count.empty:
        raise InputError(f"{source.shown}, line 1: the file is empty; there is nothing to ingest.")
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        _refuse_encoding(source, done - 1)
    if count.kinds > 1 and not any_line_end and not count.inside:
        _refuse_line_ends(source)


def _refuse_encoding(source: Source, offset: int) -> None:
    raise InputError(
        f"{source.shown}, line {line_at(source.path, offset)}: this is not UTF-8; say which it is with --encoding, for "
        "example latin-1 or utf-16.",
    )


def _refuse_line_ends(source: Source) -> None:
    first, line, inside = b"", 0, False
    for text, end in _lines(source.path):
        inside ^= text.count(b'"') % 2 == 1
        line += 1
        if inside or not end:
            continue
        if first and end != first:
            raise InputError(
                f"{source.shown}, line {line}: it ends in {_NAMES[end]} where those before end in {_NAMES[first]}; "
                "say --any-line-end if both end lines, or mend the file.",
            )
        first = end


def _lines(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield each line and its end."""
    rest = b""
    for block in _blocks(path):
        # A CR at the end of a block may be half of an end.
        text, rest = rest + block, b""
        start = 0
        for match in _END.finditer(text):
            if match.group() == b"\r" and match.end() == len(text):
                break
            yield text[start : match.start()], match.group()
            start = match.end()
        rest = text[start:]
    if rest:
        yield rest.removesuffix(b"\r"), b"\r" if rest.endswith(b"\r") else b""


def line_at(path: Path, offset: int) -> int:
    """Return the number, from 1, of the line that holds a byte."""
    return lines_at(path, [offset])[0]


def lines_at(path: Path, offsets: Sequence[int]) -> list[int]:
    """Return the numbers, from 1, of the lines that hold some bytes, given in order; the file is read once."""
    found: list[int] = []
    ends, start, last = 0, 0, b""
    for block in _blocks(path):
        at = 0
        while len(found) < len(offsets) and offsets[len(found)] < start + len(block):
            stop = max(offsets[len(found)] - start, at)
            ends, last = _more_ends(block[at:stop], ends, last)
            found.append(ends + 1)
            at = stop
        if len(found) == len(offsets):
            return found
        ends, last = _more_ends(block[at:], ends, last)
        start += len(block)
    return found + [ends + 1] * (len(offsets) - len(found))


def _more_ends(part: bytes, ends: int, last: bytes) -> tuple[int, bytes]:
    pairs = part.count(b"\r\n") + (last == b"\r" and part[:1] == b"\n")
    return ends + part.count(b"\n") + part.count(b"\r") - pairs, part[-1:] or last


def transcoded(source: Source, target: Path, *, encoding: str, any_line_end: bool) -> None:
    """Write a text file's UTF-8 form, every line ended by LF where ends may be mixed.

    Raises:
        InputError: It is not in that encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    done, carry, inside = 0, "", False
    with target.open("wb") as file:
        for block in _blocks_then_end(source.path):
            try:
                text = carry + decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                where = line_at(source.path, max(done + error.start - 1, 0))
                raise InputError(
                    f"{source.shown}, line {where}: this is not {encoding}; give its true encoding."
                ) from error
            done += len(block)
            carry = "\r" if block and text.endswith("\r") else ""
            text = text.removesuffix(carry)
            if any_line_end:
                text, inside = _one_end(text, inside=inside)
            file.write(text.encode())


def _blocks_then_end(path: Path) -> Iterator[bytes]:
    yield from _blocks(path)
    yield b""


def _one_end(text: str, *, inside: bool) -> tuple[str, bool]:
    parts = text.split('"')
    for at in range(int(inside), len(parts), 2):
        parts[at] = parts[at].replace("\r\n", "\n").replace("\r", "\n")
    return '"'.join(parts), inside ^ (len(parts) % 2 == 0)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block
