"""What a file holds, for tables that lie over it as it is: format, columns, and what a reader of text must be told.

Text is judged by every row of it, as an ingest does; what brings its types is asked for them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._delimited import find_delimiter, read_delimited
from headwater.files._duck import connected
from headwater.files._find import Source
from headwater.files._formats import compression_of, format_by_content, without_compression
from headwater.files._json import read_json
from headwater.files._names import looks_like_value, usable
from headwater.files._options import Options
from headwater.files._plan import plan_columns
from headwater.files._readers import even_delimiter
from headwater.files._records import records_at
from headwater.files._text import examine_text
from headwater.files._typed import schema_of
from headwater.files._types import text
from headwater.files._unpack import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from headwater.files._plan import Planned
    from headwater.files._relation import Relation
    from headwater.files._text import Text

__all__ = ["Look", "look"]

# Compressions that Trino and Spark open by a name's ending.
_READABLE = ("", "gzip", "bz2")
_TYPED = ("parquet", "orc", "avro")
_DELIMITED = ("csv", "tsv", "text")
_JSON = ("json", "ndjson")
# As Hive's readers of text want it, and Spark's and Trino's with them; Trino's gives back milliseconds.
_HIVE_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,3})?"
_BLOCK = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one file holds.

    Args:
        format: ``csv`` (whatever its delimiter is), ``json`` (an object per line), ``parquet``, ``orc`` or ``avro``.
        columns: Their Arrow schema; names of delimited text are usable ones, all others the file's own.
        compression: ``gzip``, ``bz2``, or nothing.
        delimiter: Between the fields of delimited text.
        header: The first line of delimited text names the columns.
        quoted: Fields of delimited text stand in quotes.
        avro: The file's own schema, where it is Avro.
        remark: What of it engines will read otherwise than it is written; empty for nothing.
    """

    format: str
    columns: Any
    compression: str = ""
    delimiter: str = ""
    header: bool = False
    quoted: bool = False
    avro: str = ""
    remark: str = ""


def look(path: Path, name: str, shown: str, scratch: Path) -> Look:
    """Return what a file holds.

    Args:
        path: The file.
        name: Its own name.
        shown: What sentences call it.
        scratch: A folder for what is unpacked.

    Raises:
        InputError: No table can lie over it; the sentence says why.
    """
    source = Source(path, name, shown)
    packing = compression_of(path, name)
    if packing not in _READABLE:
        raise InputError(f"{shown} is packed as {packing}, which engines do not read in place.")
    [plain] = unpacked(source, scratch / "unpacked")
    if not plain.path.stat().st_size:
        raise InputError(f"{shown} is empty.")
    kind = format_by_content(plain.path, without_compression(name))
    if kind in _TYPED:
        return _typed(plain, kind, packing)
    if kind not in (*_DELIMITED, *_JSON):
        raise InputError(f"{shown} is of the format {kind}, which engines do not read in place.")
    found = examine_text(plain, any_line_end=False)
    with connected(scratch) as connection:
        if kind in _JSON:
            return _json(connection, plain, found, packing)
        return _delimited(connection, plain, found, packing, kind)


def _typed(source: Source, kind: str, packing: str) -> Look:
    if packing:
        raise InputError(f"{source.shown}: {kind} is packed inside; engines do not read it packed again.")
    schema, said = schema_of(source, kind)
    return Look(format=kind, columns=schema, avro=json.dumps(said) if kind == "avro" else "")


def _json(connection: Any, source: Source, found: Text, packing: str) -> Look:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    try:
        relation = read_json(connection, [(source, found)], lines=True)
    except InputError as error:
        raise InputError(f"{error} Engines read JSON in place that has one object per line.") from error
    fields = []
    for column in plan_columns(connection, relation, Options(), None, whole=True):
        structure = relation.structure[column.field.given]
        nested = not isinstance(structure, str) and column.kind != "VARCHAR"
        fields.append(
            pa.field(column.field.given, _nested(structure) if nested else _plain(column.kind, moments=False))
        )
    return Look(format="json", columns=pa.schema(fields), compression=packing)


def _nested(structure: Any) -> Any:
    """Return the Arrow type of what is below a key, every key as it is written."""
    import pyarrow as pa  # noqa: PLC0415

    if isinstance(structure, dict):
        return pa.struct([pa.field(key, _nested(inner)) for key, inner in structure.items()])
    if isinstance(structure, list):
        return pa.list_(_nested(structure[0]) if structure else pa.string())
    whole = ("UBIGINT", "BIGINT", "HUGEINT")
    return {"DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), **dict.fromkeys(whole, pa.int64())}.get(
        structure, pa.string()
    )


def _plain(kind: str, *, moments: bool = True) -> Any:
    """Return the Arrow type of one of our types of text; null's where there is no value."""
    import pyarrow as pa  # noqa: PLC0415

    if kind.startswith("decimal"):
        return pa.decimal128(*map(int, re.findall(r"\d+", kind)))
    found = {"boolean": pa.bool_(), "long": pa.int64(), "double": pa.float64(), "null": pa.null()}
    if moments:
        found |= {"date": pa.date32(), "timestamp": pa.timestamp("us")}
    return found.get(kind, pa.string())


def _delimited(connection: Any, source: Source, found: Text, packing: str, kind: str) -> Look:
    import pyarrow as pa  # noqa: PLC0415

    delimiter = _delimiter(source, kind)
    first = next(records_at(source.path, delimiter)).fields
    header = not any(map(looks_like_value, filter(str.strip, first))) and any(map(str.strip, first))
    names = _unique_names(first) if header else tuple(f"col{number}" for number in range(len(first)))
    options = Options(names=names, header=header, delimiter=delimiter)
    relation = read_delimited([(source, found)], options)
    columns = plan_columns(connection, relation, options, None, whole=True)
    ragged = relation.bad_rows(connection)
    quoted = found.quotes and _has_quoted_field(source.path, delimiter)
    if quoted and found.lines < sum(block.count(b"\n") for block in _blocks(source.path)):
        raise InputError(
            f"{source.shown} has line breaks inside of quotes, which engines take for ends of rows; "
            "`headwater ingest` reads it."
        )
    kinds = _for_hive(connection, relation, columns)
    return Look(
        format="csv",
        columns=pa.schema([pa.field(name, _plain(one)) for name, one in zip(names, kinds, strict=True)]),
        compression=packing,
        delimiter=delimiter,
        header=header,
        quoted=quoted,
        remark=f"{len(ragged)} rows have too few or too many fields, the first in line {ragged[0].line}."
        if ragged
        else "",
    )


def _delimiter(source: Source, kind: str) -> str:
    if kind == "tsv":
        return "\t"
    found = even_delimiter(source) if kind == "text" else find_delimiter(source.path)
    if not found:
        raise InputError(f"{source.shown} is text that no delimiter divides evenly.")
    return found


def _unique_names(given: Sequence[str]) -> tuple[str, ...]:
    """Return a usable name for each field of a header, whatever it says.

    >>> _unique_names(["", "Total (EUR)", "total_eur"])
    ('col0', 'total_eur', 'total_eur_2')
    """
    made: list[str] = []
    for number, name in enumerate(given):
        wanted = usable(name)[:100] or f"col{number}"
        same = sum(one == wanted or re.fullmatch(re.escape(wanted) + r"_\d+", one) is not None for one in made)
        made.append(f"{wanted}_{same + 1}" if same else wanted)
    return tuple(made)


def _has_quoted_field(path: Path, delimiter: str) -> bool:
    begins = re.compile(rb"(?:^|[\n\r]|" + re.escape(delimiter.encode()) + rb')"')
    last = b""
    for block in _blocks(path):
        if begins.search(last + block):
            return True
        last = block[-len(delimiter.encode()) :]
        if not last.startswith((b"\n", b"\r", delimiter.encode())):
            last = b"."
    return False


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _for_hive(connection: Any, relation: Relation, columns: Sequence[Planned]) -> list[str]:
    """Return the columns' types; times in a form that Hive's readers do not take stay text."""
    times = [one.field for one in columns if one.kind == "timestamp"]
    asked = ", ".join(
        f"coalesce(bool_and({one.value} IS NULL OR regexp_full_match({one.value}, {text(_HIVE_MOMENT)})), TRUE)"
        for one in times
    )
    row = connection.execute(f"SELECT {asked} FROM {relation.rows()}").fetchall()[0] if times else ()
    wrong = {one.name for one, fits in zip(times, row, strict=True) if not fits}
    return ["string" if one.field.name in wrong else one.kind for one in columns]
