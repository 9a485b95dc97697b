"""Files of the demo data: lines from columns, and now and then a line that no reader can accept.

A malformed line is always an extra line, so that leaving it out loses nothing: in an origination file it has a loan
sequence number of its own, whose seven digits begin with 9 and which no performance line mentions; in a performance
file it is a damaged copy of the line before it. The kinds are:

- ``wrong_field_count``: the last three fields are cut off;
- ``letters_in_number``: the balance has a letter O among its digits;
- ``impossible_month``: the first payment date or the reporting period is the 13th month of its year.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.csv as pa_csv

from headwater_assets.loans.layout import ORIGINATION_FIELDS, PERFORMANCE_FIELDS, FileKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

MALFORMED_KINDS = ("wrong_field_count", "letters_in_number", "impossible_month")
GOOD_LINES_PER_MALFORMED = 20_000
_DELIMITER = "|"
_OPTIONS = pa_csv.WriteOptions(include_header=False, delimiter=_DELIMITER, quoting_style="none", batch_size=65_536)

_FIELDS = {"origination": ORIGINATION_FIELDS, "performance": PERFORMANCE_FIELDS}
_NUMBER = {"origination": "original_upb", "performance": "current_actual_upb"}
_MONTH = {"origination": "first_payment_date", "performance": "monthly_reporting_period"}


@dataclass(frozen=True)
class WrittenFile:
    """What one file holds.

    Args:
        name: The file's name.
        kind: ``origination`` or ``performance``.
        bytes: Its size.
        lines: All its lines, malformed ones included.
        malformed: Malformed lines by kind.
    """

    name: str
    kind: FileKind
    bytes: int
    lines: int
    malformed: Mapping[str, int]


class LineFile:
    """A file being written.

    Args:
        path: Where.
        kind: ``origination`` or ``performance``.
        prefix: What the quarter's loan sequence numbers begin with.
        before: Good lines in earlier files of this kind: every 20,000th of a data set is followed by a malformed line.
        one_of_each: Whether the file ends with one malformed line of each kind.
    """

    def __init__(self, path: Path, kind: FileKind, *, prefix: str, before: int, one_of_each: bool) -> None:
        self.good = 0
        self.malformed = dict.fromkeys(MALFORMED_KINDS, 0)
        self._path = path
        self._kind: FileKind = kind
        self._prefix = prefix
        self._before = before
        self._one_of_each = one_of_each
        self._last: pa.Table | None = None
        self._sink = pa.OSFile(str(path), "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._one_of_each and self._last is not None:
            for name in MALFORMED_KINDS:
                self._write_malformed(name)
        self._sink.close()

    def write(self, columns: Mapping[str, pa.Array], rows: int) -> None:
        """Write good lines from columns by field name, and the malformed lines due among them."""
        empty = pa.nulls(rows, pa.string())
        table = pa.table({field.name: columns.get(field.name, empty) for field in _FIELDS[self._kind]})
        done = 0
        while done < rows:
            position = self._before + self.good
            step = min(GOOD_LINES_PER_MALFORMED - position % GOOD_LINES_PER_MALFORMED, rows - done)
            pa_csv.write_csv(table.slice(done, step), self._sink, _OPTIONS)
            done, self.good = done + step, self.good + step
            self._last = table.slice(done - 1, 1)
            turn, left = divmod(position + step, GOOD_LINES_PER_MALFORMED)
            if left == 0:
                self._write_malformed(MALFORMED_KINDS[turn % len(MALFORMED_KINDS)])

    def result(self) -> WrittenFile:
        """Say what the closed file holds."""
        lines = self.good + sum(self.malformed.values())
        return WrittenFile(self._path.name, self._kind, self._path.stat().st_size, lines, dict(self.malformed))

    def _write_malformed(self, name: str) -> None:
        """Write a damaged copy of the last good line."""
        text = pa.BufferOutputStream()
        pa_csv.write_csv(self._last, text, _OPTIONS)
        names = [field.name for field in _FIELDS[self._kind]]
        values = dict(zip(names, text.getvalue().to_pybytes().decode().rstrip("\n").split(_DELIMITER), strict=True))
        if self._kind == "origination":
            values["loan_sequence_number"] = f"{self._prefix}9{sum(self.malformed.values()) + 1:06d}"
        line = _DELIMITER.join(_damaged(values, name, number=_NUMBER[self._kind], month=_MONTH[self._kind]))
        self._sink.write(f"{line}\n".encode())
        self.malformed[name] += 1


def _damaged(values: dict[str, str], name: str, *, number: str, month: str) -> list[str]:
    """Return a line's values with damage of the named kind."""
    if name == "wrong_field_count":
        return list(values.values())[:-3]
    if name == "letters_in_number":
        return list({**values, number: f"{values[number][:1]}O{values[number][1:]}"}.values())
    return list({**values, month: f"{values[month][:4]}13"}.values())
