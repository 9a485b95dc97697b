"""One line out: a query's rows as a file, batch by batch."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from headwater.errors import InputError
from headwater.files._duck import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from headwater.stack import Stack

__all__ = ["export_rows"]

# A sheet's rows, less its header.
_SHEET_ROWS = 1_048_575
_CELL = 32_767


class _Writer(Protocol):
    def write(self, batch: Any) -> None: ...
    def close(self) -> None: ...


def export_rows(stack: Stack, sql: str, target: str, *, engine: str) -> int:
    """Write a query's rows to a file, which is there whole or not at all; return their number.

    Raises:
        InputError: The target's ending names no format, or the format cannot hold the rows.
        QueryError: The engine refused or failed the query.
        StorageError: The object store refused the file.
    """
    ending = PurePosixPath(target).suffix.lower()
    if ending not in _WRITERS:
        raise InputError(f"{target} names no format; end it in {', '.join(_WRITERS)}.")
    if not target.startswith(("s3://", "s3a://")):
        return _to_file(stack, sql, Path(target), ending, engine)
    with scratch_folder(stack.profile.home) as scratch:
        made = scratch / f"export{ending}"
        rows = _to_file(stack, sql, made, ending, engine)
        with made.open("rb") as file:
            stack.storage.put(target, file)
        return rows


def _to_file(stack: Stack, sql: str, target: Path, ending: str, engine: str) -> int:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        schema, batches = stack.engine(engine).batches(sql)
        rows = _written(batches, _WRITERS[ending](partial, schema))
        partial.replace(target)
    except OSError as error:
        raise InputError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _written(batches: Iterator[Any], writer: _Writer) -> int:
    rows = 0
    try:
        for batch in batches:
            writer.write(batch)
            rows += batch.num_rows
    finally:
        writer.close()
    return rows


class _Csv:
    def __init__(self, path: Path, schema: Any) -> None:
        import csv  # noqa: PLC0415

        self._file = path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file, lineterminator="\n")
        self._csv.writerow(schema.names)

    def write(self, batch: Any) -> None:
        columns = [[_as_text(value) for value in column.to_pylist()] for column in batch.columns]
        self._csv.writerows(zip(*columns, strict=True))

    def close(self) -> None:
        self._file.close()


class _Json:
    """An array of objects, one a line; without the array for lines of JSON."""

    def __init__(self, path: Path, schema: Any, *, lines: bool = False) -> None:
        doubled = {name for name in schema.names if schema.names.count(name) > 1}
        if doubled:
            raise InputError(
                f"The query gives the column {min(doubled)!r} twice; name its columns differently for JSON."
            )
        self._file = path.open("w", encoding="utf-8")
        self._lines = lines
        self._first = True

    def write(self, batch: Any) -> None:
        for row in batch.to_pylist():
            before = "" if self._lines else "[\n" if self._first else ",\n"
            after = "\n" if self._lines else ""
            self._file.write(f"{before}{json.dumps(row, default=_as_text, ensure_ascii=False)}{after}")
            self._first = False

    def close(self) -> None:
        if not self._lines:
            self._file.write("[]\n" if self._first else "\n]\n")
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

        self._writer = pq.ParquetWriter(path, schema)

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


class _Xlsx:
    def __init__(self, path: Path, schema: Any) -> None:
        from openpyxl import Workbook  # noqa: PLC0415 - slow to import

        self._path = path
        self._book = Workbook(write_only=True)
        self._sheet = self._book.create_sheet("rows")
        self._sheet.append(schema.names)
        self._rows = 0

    def write(self, batch: Any) -> None:
        self._rows += batch.num_rows
        if self._rows > _SHEET_ROWS:
            raise InputError(
                f"A sheet of Excel holds {_SHEET_ROWS} rows, and there are more; export to csv or parquet."
            )
        for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            self._sheet.append([_as_cell(value) for value in row])

    def close(self) -> None:
        self._book.save(self._path)


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict | list):
        return json.dumps(value, default=_as_text, ensure_ascii=False)
    return value if value is None or isinstance(value, int | float) else str(value)


def _as_cell(value: Any) -> Any:
    """Return what Excel holds without loss: numbers of up to 15 digits, dates, text."""
    from datetime import date, datetime  # noqa: PLC0415

    if isinstance(value, datetime):
        return value.replace(tzinfo=None)
    if isinstance(value, int) and abs(value) >= 10**15:
        return str(value)
    if value is None or isinstance(value, int | float | date):
        return value
    made = str(_as_text(value))
    if len(made) > _CELL:
        raise InputError(
            f"A cell of Excel holds {_CELL} letters, and a value has {len(made)}; export to csv or parquet."
        )
    return made


def _json_lines(path: Path, schema: Any) -> _Writer:
    return _Json(path, schema, lines=True)


_WRITERS: Mapping[str, Callable[[Path, Any], _Writer]] = {
    ".csv": _Csv,
    ".json": _Json,
    ".ndjson": _json_lines,
    ".jsonl": _json_lines,
    ".parquet": _Parquet,
    ".xlsx": _Xlsx,
}
