"""From files to rows: each format's reader."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._delimited import find_delimiter, read_delimited
from headwater.files._formats import format_of
from headwater.files._json import read_json
from headwater.files._text import examine_text, transcoded
from headwater.files._typed import Batches, read_arrow, read_avro, read_orc, read_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from headwater.files._find import Source
    from headwater.files._options import Options
    from headwater.files._relation import Relation
    from headwater.files._text import Text

__all__ = ["common_format", "even_delimiter", "open_files"]

_TEXT = ("csv", "tsv", "json", "ndjson", "text")
_READERS: dict[str, Any] = {"parquet": read_parquet, "orc": read_orc, "arrow": read_arrow, "avro": read_avro}
_LINES_AT_ONCE = 50_000
_LONGEST_LINE = 2_000_000


def common_format(sources: Sequence[Source], options: Options) -> str:
    """Return the one format of all files.

    Raises:
        InputError: There are several, or one is unknown.
    """
    formats: dict[str, str] = {}
    for source in sources:
        formats.setdefault(format_of(source.path, source.name, source.shown, options.format), source.shown)
    if len(formats) > 1:
        (one, here), (other, there), *_ = formats.items()
        raise InputError(f"{here} is {one} and {there} is {other}; ingest them into different tables.")
    return next(iter(formats))


def open_files(connection: Any, sources: Sequence[Source], kind: str, options: Options, scratch: Path) -> Relation:
    """Return the rows of files of one format.

    Raises:
        InputError: A file cannot be read as what it is.
    """
    for source in sources:
        if not source.path.stat().st_size:
            raise InputError(f"{source.shown}, line 1: the file is empty; there is nothing to ingest.")
    if kind == "xlsx":
        return _sheets(sources, options, scratch)
    if kind not in _TEXT:
        made: Relation = _READERS[kind](sources, connection)
        return made
    files = [_as_utf8(source, options, scratch) for source in sources]
    if kind in ("json", "ndjson"):
        return read_json(connection, files, lines=kind == "ndjson")
    if kind == "text" and not (options.delimiter or options.names):
        delimiter = even_delimiter(sources[0])
        return read_delimited(files, options, delimiter=delimiter) if delimiter else _lines(files, connection)
    return read_delimited(files, options, delimiter="\t" if kind == "tsv" else "")


def _as_utf8(source: Source, options: Options, scratch: Path) -> tuple[Source, Text]:
    known = options.encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    if not known or options.any_line_end:
        scratch.mkdir(parents=True, exist_ok=True)
        target = scratch / f"utf8-{len(list(scratch.iterdir()))}"
        transcoded(source, target, encoding=options.encoding, any_line_end=options.any_line_end)
        source = replace(source, path=target)
    return source, examine_text(source, any_line_end=options.any_line_end)


def _sheets(sources: Sequence[Source], options: Options, scratch: Path) -> Relation:
    from headwater.files._xlsx import sheet_as_text  # noqa: PLC0415 - only workbooks need it

    scratch.mkdir(parents=True, exist_ok=True)
    sheets = [sheet_as_text(source, scratch / f"sheet-{number}") for number, source in enumerate(sources)]
    files = [(source, examine_text(source, any_line_end=True)) for source, _ in sheets]
    relation = read_delimited(files, replace(options, delimiter=","))
    texts = {relation.fields[at].name for _, columns in sheets for at in columns if at < len(relation.fields)}
    # What Excel keeps as text may be digits, but is no number.
    kept = ("date", "timestamp", "timestamptz")
    relation.fields = [replace(one, rules=kept) if one.name in texts else one for one in relation.fields]
    return relation


def even_delimiter(source: Source) -> str:
    """Return what divides every one of a text's first lines into as many fields; empty for plain text."""
    with source.path.open(encoding="utf-8", errors="replace") as file:
        lines = [line for line in (file.readline(_LONGEST_LINE) for _ in range(100)) if line.strip()]
    found = find_delimiter(source.path)
    counts = {line.count(found) for line in lines}
    return found if len(lines) > 1 and len(counts) == 1 and counts != {0} else ""


def _lines(files: Sequence[tuple[Source, Text]], connection: Any) -> Relation:
    """Return the lines of plain text, one row each, empty ones too."""
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    schema = pa.schema({"text": pa.string()})

    def batches() -> Iterator[Any]:
        for source, _ in files:
            rows: list[str] = []
            for number, line in enumerate(_read_lines(source), 1):
                if len(line) >= _LONGEST_LINE:
                    raise InputError(f"{source.shown}, line {number}: the line is longer than 2 MB; this is no text.")
                rows.append(line.rstrip("\r\n"))
                if len(rows) == _LINES_AT_ONCE:
                    yield pa.RecordBatch.from_arrays([pa.array(rows, pa.string())], schema=schema)
                    rows = []
            yield pa.RecordBatch.from_arrays([pa.array(rows, pa.string())], schema=schema)

    return Batches(schema, batches, files[0][0].shown, connection)


def _read_lines(source: Source) -> Iterator[str]:
    with source.path.open(encoding="utf-8") as file:
        while line := file.readline(_LONGEST_LINE):
            yield line
