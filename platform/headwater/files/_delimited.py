"""Delimited text: DuckDB reads it strictly and in parallel, and says by byte which rows it left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._names import column_names
from headwater.files._records import Record, broken_record, count_records, records_at
from headwater.files._relation import BadRow, Field, Relation
from headwater.files._text import LONGEST_ROW, lines_at
from headwater.files._types import quoted, text
from headwater.words import amount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headwater.files._find import Source
    from headwater.files._options import Options
    from headwater.files._text import Text

__all__ = ["Delimited", "find_delimiter", "read_delimited"]

# Letters and records that a delimiter is judged by.
_HEAD = 1024 * 1024
_CANDIDATES = (",", "\t", ";", "|")
_LOOKED_AT = 100
# What DuckDB keeps of a row that it leaves out.
_KEPT_TEXT = 100_000


@dataclass(frozen=True)
class _File:
    source: Source
    text: Text
    header: tuple[str, ...]


def read_delimited(files: Sequence[tuple[Source, Text]], options: Options, *, delimiter: str = "") -> Delimited:
    """Return the rows of delimited files, which must all have the same columns.

    Args:
        files: The files, as UTF-8, and what a first reading found.
        options: The caller's wishes.
        delimiter: What the format says; found out when empty.

    Raises:
        InputError: Column names are not usable or differ, or a file has a header and nothing else.
    """
    delimiter = options.delimiter or delimiter or find_delimiter(files[0][0].path)
    for source, found in files:
        _refuse_broken(source, found, delimiter)
    made = [_File(source, found, _header(source, delimiter, options)) for source, found in files]
    first = made[0]
    for one in made:
        if set(one.header) != set(first.header):
            odd = sorted(set(one.header) ^ set(first.header))
            raise InputError(
                f"{one.source.shown}, line 1: its columns are not those of {first.source.shown} ({', '.join(odd)[:99]}"
                "); ingest them into different tables.",
            )
        lines = one.text.lines - one.text.empty * (len(one.header) > 1)
        if lines <= int(options.header):
            raise InputError(f"{one.source.shown}, line 1: there is a header and no row below it.")
    return Delimited(made, delimiter, options)


def _refuse_broken(source: Source, found: Text, delimiter: str) -> None:
    """Keep from DuckDB what would fill its memory: cells without an end."""
    broken = broken_record(source.path, delimiter, LONGEST_ROW) if found.open_quote or found.long_row else None
    if broken:
        raise InputError(f"{source.shown}, line {broken[0]}: {broken[1]}; correct it.")


def find_delimiter(path: Path) -> str:
    """Return what most evenly divides a file's first records; a comma when nothing does."""
    best, most = ",", (0.0, 0)
    for candidate in _CANDIDATES:
        rows = _first_rows(path, candidate)
        counts = Counter(len(row) for row in rows)
        if not counts:
            continue
        fields, times = counts.most_common(1)[0]
        score = (times / len(rows) if fields > 1 else 0.0, fields)
        if score > most:
            best, most = candidate, score
    return best


def _first_rows(path: Path, delimiter: str) -> list[tuple[str, ...]]:
    """Return the first records; one that no reader can divide says nothing for or against a delimiter."""
    rows, size = [], 0
    for record in islice(records_at(path, delimiter), _LOOKED_AT):
        rows.append(record.fields)
        size += len(record.text)
        if size > _HEAD:
            break
    return [row for row in rows if row]


def _header(source: Source, delimiter: str, options: Options) -> tuple[str, ...]:
    first = next(records_at(source.path, delimiter), Record(1, "", ()))
    if options.names:
        if len(options.names) != len(first.fields):
            raise InputError(
                f"{source.shown}, line 1: {amount(len(first.fields), 'field')} divided by {delimiter!r}, but "
                f"{amount(len(options.names), 'name')} given.",
            )
        return column_names(options.names, where="--names")
    if not options.delimiter:
        _refuse_undivided(source, first, delimiter)
    return column_names(first.fields, where=f"{source.shown}, line {first.line}", header=True)


def _refuse_undivided(source: Source, header: Record, delimiter: str) -> None:
    """Keep a header from becoming one name because its rows do not show what divides it; in quotes it is one."""
    if len(header.fields) != 1 or header.text.startswith('"'):
        return
    other = next((one for one in _CANDIDATES if one in header.text), "")
    if other:
        raise InputError(
            f"{source.shown}, line {header.line}: {delimiter!r} does not divide the header, but {other!r} is in it; "
            f"say --delimiter {_typed(other)}, or --delimiter {_typed(delimiter)} if the header is one name.",
        )


def _typed(delimiter: str) -> str:
    """Return a delimiter as a shell takes it."""
    return "$'\\t'" if delimiter == "\t" else f"'{delimiter}'"


class Delimited(Relation):
    """Rows of delimited text.

    Args:
        files: With the same columns, perhaps in another order.
        delimiter: Between fields.
        options: The caller's wishes.
    """

    def __init__(self, files: Sequence[_File], delimiter: str, options: Options) -> None:
        self._files = files
        self._delimiter = delimiter
        self._options = options
        first = files[0]
        given = options.names or next(records_at(first.source.path, delimiter)).fields
        self.fields = [
            Field(name=name, given=original, value=quoted(name))
            for name, original in zip(first.header, given, strict=True)
        ]

    def rows(self, *, number: bool = False) -> str:
        """Return one scan for each order of the columns."""
        groups: Mapping[tuple[str, ...], list[str]] = defaultdict(list)
        for file in self._files:
            groups[file.header].append(str(file.source.path))
        names = ", ".join([*(quoted(field.name) for field in self.fields), *(["filename"] * number)])
        scans = [f"SELECT {names} FROM {self._scan(header, paths, number=number)}" for header, paths in groups.items()]
        return f"({' UNION ALL '.join(scans)})"

    def _scan(self, header: Sequence[str], paths: Sequence[str], *, number: bool) -> str:
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in header)
        nulls = ", ".join(text(null) for null in dict.fromkeys(("", self._options.null)))
        more = ", filename=true" if number else ""
        return (
            f"read_csv([{', '.join(map(text, paths))}], auto_detect=false, header={str(self._options.header).lower()}, "
            f"delim={text(self._delimiter)}, quote='\"', escape='\"', columns={{{columns}}}, nullstr=[{nulls}], "
            f"store_rejects=true, rejects_line_size_limit={_KEPT_TEXT}, max_line_size={LONGEST_ROW}{more})"
        )

    def forget(self, connection: Any) -> None:
        """Empty DuckDB's tables of rejects."""
        for table in ("reject_errors", "reject_scans"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")

    def bad_rows(self, connection: Any) -> list[BadRow]:
        """Return the rows that are not as the header and the quotes want them."""
        known = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'").fetchall()
        if not known:
            return []
        found = connection.execute(
            "SELECT s.file_path, e.line_byte_position, min(e.error_type), min(e.error_message), min(e.csv_line) "
            "FROM (SELECT DISTINCT scan_id, file_id, file_path FROM reject_scans) s "
            "JOIN reject_errors e USING (scan_id, file_id) "
            "GROUP BY 1, 2 ORDER BY 1, 2",
        ).fetchall()
        made = []
        for file in self._files:
            rows = [rest for path, *rest in found if path == str(file.source.path)]
            lines = lines_at(file.source.path, [offset for offset, *_ in rows]) if rows else []
            made += [self._bad(file, line, *told) for line, (_, *told) in zip(lines, rows, strict=True)]
        return made

    def _bad(self, file: _File, number: int, kind: str, message: str, line: str) -> BadRow:
        fields = len(file.header)
        numbers = [word for word in message.split() if word.isdigit()]
        reason = {
            "MISSING COLUMNS": f"{_fields(numbers, 'fewer')} where there should be {fields}",
            "TOO MANY COLUMNS": f"{_fields(numbers, 'more')} where there should be {fields}",
            "UNQUOTED VALUE": "text follows a closing quote",
            "LINE SIZE OVER MAXIMUM": f"the row is longer than {LONGEST_ROW // 1_000_000} MB",
        }.get(kind, kind.lower())
        return BadRow(
            file=file.source.shown,
            name=file.source.name,
            line=number,
            reason=reason,
            text=line or "",
        )

    def expected(self, written: int, rejected: int) -> int:
        """Return the records outside of quotes; counted again, slowly, where a quote inside a field misleads."""
        headers = len(self._files) * int(self._options.header)
        lines = sum(file.text.lines for file in self._files)
        if len(self.fields) > 1:
            lines -= sum(file.text.empty for file in self._files)
        if lines - headers == written + rejected or not any(file.text.quotes for file in self._files):
            return lines - headers
        return sum(count_records(file.source.path, self._delimiter) for file in self._files) - headers

    def located(self, rows: Mapping[tuple[str, tuple[str, ...]], str]) -> list[BadRow]:
        """Find rows by reading their files once more, record by record."""
        made = []
        order = {field.name: at for at, field in enumerate(self.fields)}
        for file in self._files:
            wanted = {values: why for (path, values), why in rows.items() if path == str(file.source.path)}
            places = [order[name] for name in file.header]
            for record in records_at(file.source.path, self._delimiter) if wanted else ():
                why = wanted.get(self._values(record, places))
                if why is not None:
                    made.append(
                        BadRow(
                            file=file.source.shown,
                            name=file.source.name,
                            line=record.line,
                            reason=why,
                            text=record.text,
                        )
                    )
        return made

    def _values(self, record: Record, places: Sequence[int]) -> tuple[str, ...]:
        values = [""] * len(places)
        for place, value in zip(places, record.fields, strict=False):
            values[place] = "" if value == self._options.null else value
        return tuple(values)


def _fields(numbers: Sequence[str], otherwise: str) -> str:
    return amount(int(numbers[-1]), "field") if numbers else f"{otherwise} fields"
