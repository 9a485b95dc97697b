"""The box's logs: the last lines, and what follows."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from headwater.box.lifecycle import last_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from headwater.box.programs import Program

__all__ = ["follow", "recent"]

_PAUSE = 0.25


def recent(home: Path, programs: tuple[Program, ...], count: int) -> Iterator[tuple[str, str]]:
    """Yield the last lines of each program as (program, line)."""
    for program in programs:
        for line in last_lines(home, program.file_name, count):
            yield program.name, line


def follow(home: Path, programs: tuple[Program, ...]) -> Iterator[tuple[str, str]]:
    """Yield lines as they are written, for ever; rotated files are followed."""
    tails = {program.name: _Tail(home / "logs" / f"{program.file_name}.log") for program in programs}
    try:
        while True:
            found = [(name, line) for name, tail in tails.items() for line in tail.lines()]
            yield from found
            if not found:
                time.sleep(_PAUSE)
    finally:
        for tail in tails.values():
            tail.close()


class _Tail:
    """What is appended to one file from now on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._reopen(at_end=True)

    def lines(self) -> list[str]:
        """Return the whole lines that were appended since the last call."""
        if self._file is None or self._rotated():
            self._reopen(at_end=False)
        if self._file is None:
            return []
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    def _rotated(self) -> bool:
        if self._file is None or not self._path.exists():
            return False
        return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino

    def _reopen(self, *, at_end: bool) -> None:
        self.close()
        self._file = self._path.open("rb") if self._path.exists() else None
        if self._file is not None and at_end:
            self._file.seek(0, 2)
