"""Excel: the first sheet as delimited text, whose cells keep what Excel knows of them."""

from __future__ import annotations

import csv
import datetime as dt
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._find import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["sheet_as_text"]

_MIDNIGHT = dt.time()


def sheet_as_text(source: Source, target: Path) -> tuple[Source, frozenset[int]]:
    """Write the first sheet as CSV; return it, and which columns hold cells that Excel keeps as text.

    Raises:
        InputError: It is no workbook, or a row is longer than the header.
    """
    with _sheet(source) as sheet:
        texts, times = _kinds(sheet)
        with target.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            width = 0
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                cells = _trimmed(row)
                width = width or len(cells)
                if len(cells) > width:
                    raise InputError(f"{source.shown}, line {number}: {len(cells)} cells where the header has {width}.")
                written = [_cell(value, times=at in times) for at, value in enumerate(cells)]
                if cells:
                    writer.writerow(written + [""] * (width - len(cells)))
    return Source(target, source.name, source.shown), texts


def _kinds(sheet: Any) -> tuple[frozenset[int], frozenset[int]]:
    """Return the columns that hold text, and those whose dates have a time."""
    texts, times = set(), set()
    for row in sheet.iter_rows(min_row=2, values_only=True):
        for at, value in enumerate(row):
            if isinstance(value, str):
                texts.add(at)
            elif isinstance(value, dt.datetime) and value.time() != _MIDNIGHT:
                times.add(at)
    return frozenset(texts), frozenset(times)


def _trimmed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    last = max((at for at, value in enumerate(row) if value is not None), default=-1)
    return row[: last + 1]


def _cell(value: Any, *, times: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime) and not times:
        return value.date().isoformat()
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    return str(value)


@contextmanager
def _sheet(source: Source) -> Iterator[Any]:
    from zipfile import BadZipFile  # noqa: PLC0415

    from openpyxl import load_workbook  # noqa: PLC0415 - slow to import
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with warnings.catch_warnings(), source.path.open("rb") as file:
            warnings.simplefilter("ignore")  # about styles and validations, which carry no rows
            book = load_workbook(file, read_only=True, data_only=True)
            yield book.worksheets[0]
            book.close()
    except (BadZipFile, InvalidFileException, KeyError, IndexError, EOFError, OSError, ValueError) as error:
        raise InputError(
            f"{source.shown} is damaged or cut off: it is no whole Excel workbook. Get it anew."
        ) from error
