"""Lines of a delimited file as Hadoop, Spark and Trino count them: ended by LF, CR LF or CR."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from headwater.errors import WriteError

if TYPE_CHECKING:
    from pathlib import Path

    from headwater.storage import Readable

__all__ = ["LineCount", "usual_fields"]

_LINE_END = re.compile(rb"\r\n|\n|\r")
_LOOKED_AT = 100
_HEAD = 1024 * 1024


class LineCount:
    r"""Passes a file's bytes on and counts its lines; a line too long for the engines' memory is refused.

    >>> from io import BytesIO
    >>> counted = LineCount(BytesIO(b"one\r\ntwo\n\nfour"), "words.txt")
    >>> _ = counted.read(), counted.read()
    >>> counted.lines
    4

    Args:
        source: The file.
        name: Its name, for the sentence.
        longest: Bytes that a line may have.
    """

    def __init__(self, source: Readable, name: str, *, longest: int = 16 * 1024 * 1024) -> None:
        self._source, self._name, self._longest = source, name, longest
        self._ends = self._open = 0
        self._last = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes.

        Raises:
            WriteError: A line does not end in time.
        """
        data = self._source.read(size)
        if data:
            self._require_ends(data)
            pairs = data.count(b"\r\n") + (self._last == b"\r" and data[:1] == b"\n")
            self._ends += data.count(b"\n") + data.count(b"\r") - pairs
            self._last = data[-1:]
        return data

    def _require_ends(self, data: bytes) -> None:
        if self._open + len(data) > self._longest:
            lengths = [len(piece) for piece in _LINE_END.split(data)]
            lengths[0] += self._open
            for at, length in enumerate(lengths):
                if length > self._longest:
                    raise WriteError(
                        f"{self._name} has a line of more than {self._longest // 1024**2} MiB, line "
                        f"{self._ends + at + 1}, which no engine here can hold. Is it a file of another kind? "
                        "Correct or remove it."
                    )
        end = max(data.rfind(b"\n"), data.rfind(b"\r"))
        self._open = len(data) - end - 1 if end >= 0 else self._open + len(data)

    @property
    def lines(self) -> int:
        """Lines so far; a last line without an end counts."""
        return self._ends + (self._last not in (b"", b"\n", b"\r"))


def usual_fields(path: Path, delimiter: str) -> int:
    """Return the commonest number of fields among a file's first lines; 0 when it has none.

    One malformed line at the top says nothing about the file, so the first lines are asked together. Ties go to the
    number met first.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
        whole = not file.read(1)
    lines = _LINE_END.split(head)
    # The last piece is either nothing, after a line end, or a line that was cut off.
    kept = lines if whole and lines[-1] else lines[:-1]
    counts = Counter(line.count(delimiter.encode()) + 1 for line in kept[:_LOOKED_AT] if line)
    return counts.most_common(1)[0][0] if counts else 0
