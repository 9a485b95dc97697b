"""A raw table's files as a DataFrame: one string column per field, and where each line came from.

Beside the table's columns (and its partition column) a frame has

- ``source_file``: the file's name when it arrived
- ``source_text``: the whole line
- ``source_fields``: how many fields it has
- ``source_position``: for the write path: the line's place, and what is wrong with its shape

Spark numbers no lines in text that it cuts into splits. So every row keeps its split (file and first byte) and its
place in the scan; ``line_offsets`` counts the lines of each split, and both together give the line's number. The two
scans cut the files alike, because the cut depends on the files and the settings of the session only.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from headwater.errors import RowsLost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.engines.base import RawFile
    from headwater.table import Table

__all__ = ["SOURCE_COLUMNS", "chunk_of", "lines_frame", "raw_frame", "split_offsets"]

SOURCE_COLUMNS = ("source_file", "source_text", "source_position")
_PLAIN_IN_URI = string.ascii_letters + string.digits + "_-!.~'()*:@&=+$,;"
_BYTE_ORDER_MARK = "\ufeff"
# A chunk has 1,024 places of one partition of a scan.
_CHUNK_BITS, _CHUNKS = 10, 32768


@dataclass(frozen=True)
class SplitOffset:
    """What to add to a row's place in the scan to get its line's number.

    Args:
        file: The split's file, as Spark names it.
        start: The split's first byte.
        offset: The number to add.
    """

    file: str
    start: int
    offset: int


def chunk_of(F: Any, place: Any) -> Any:  # noqa: N803 - PySpark's own convention
    """Return the number of the chunk of a scan that a place lies in, 0 to 32767; far chunks may share a number."""
    return F.pmod(F.hash(F.shiftrightunsigned(place, _CHUNK_BITS)), F.lit(_CHUNKS))


def lines_frame(session: Any, files: Sequence[RawFile], chunks: Sequence[int] | None = None) -> Any:
    """Return the lines of raw files with their places; only those of some chunks where these are given."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - PySpark's own convention

    value = F.col("value")
    bare = F.when(value.startswith(_BYTE_ORDER_MARK), F.substring(value, 2, 2**31 - 1)).otherwise(value)
    lines = session.read.text([file.uri for file in files]).select(
        bare.alias("source_text"),
        F.struct(
            F.col("_metadata.file_path").alias("file"),
            F.col("_metadata.file_block_start").alias("start"),
            # Directly on the scan: the high bits are the partition's number, the low ones count its rows.
            F.monotonically_increasing_id().alias("place"),
        ).alias("source_position"),
    )
    return lines if chunks is None else lines.where(chunk_of(F, F.col("source_position")["place"]).isin(list(chunks)))


def raw_frame(session: Any, table: Table, files: Sequence[RawFile], chunks: Sequence[int] | None = None) -> Any:
    """Return a raw table's rows, split at the delimiter; missing fields are null."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    position = F.col("source_position")
    delimiter = table.files.delimiter if table.files else "|"
    parts = F.split(F.col("source_text"), re.escape(delimiter), -1)
    split = lines_frame(session, files, chunks).withColumns({"__parts": parts, "source_fields": F.size(parts)})
    expected = _by_file(F, position["file"], files, [F.lit(file.fields) for file in files])
    told = F.format_string("%d fields where its file has %d", F.col("source_fields"), expected)
    empty = F.col("source_text") == ""
    problem = F.when(empty, "the line is empty").when(F.col("source_fields") != expected, told)
    columns = [_field(F, table, at, files, expected) for at in range(len(table.columns))]
    partition = []
    if table.partitioning is not None:
        values = [F.lit(file.value) for file in files]
        partition = [_by_file(F, position["file"], files, values).alias(table.partitioning.column)]
    return split.select(
        *columns,
        *partition,
        _by_file(F, position["file"], files, [F.lit(file.name) for file in files]).alias("source_file"),
        "source_text",
        "source_fields",
        position.withField("problem", problem).alias("source_position"),
    )


def split_offsets(session: Any, files: Sequence[RawFile]) -> list[SplitOffset]:
    """Count the lines of every split and return what turns places into line numbers.

    Raises:
        RowsLost: Spark read another number of lines than the loader.
    """
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    position = F.col("source_position")
    counted = (
        lines_frame(session, files)
        .groupBy(position["file"].alias("file"), position["start"].alias("start"))
        .agg(F.min(position["place"]).alias("first"), F.count("*").alias("lines"))
        .orderBy("file", "start")
        .collect()
    )
    read, arrived = sum(row["lines"] for row in counted), sum(file.lines for file in files)
    if read != arrived:
        raise RowsLost(f"Spark read {read} lines of {files[0].uri} and others, but {arrived} lines arrived.")
    before: dict[str, int] = {}
    offsets = []
    for row in counted:
        offsets.append(SplitOffset(row["file"], row["start"], before.get(row["file"], 0) + 1 - row["first"]))
        before[row["file"]] = before.get(row["file"], 0) + row["lines"]
    return offsets


def _field(F: Any, table: Table, at: int, files: Sequence[RawFile], expected: Any) -> Any:  # noqa: N803 - PySpark's name
    """Return one column: its field by the layout that the row's file has."""
    name = table.columns[at].name
    places = {}
    for count in sorted({file.fields for file in files}):
        names = _layout(table, count)
        places[count] = F.get(F.col("__parts"), F.lit(names.index(name))) if name in names else F.lit(None)
    if len(places) == 1:
        return next(iter(places.values())).cast("string").alias(name)
    chosen = F.lit(None)
    for count, place in places.items():
        chosen = F.when(expected == count, place).otherwise(chosen)
    return chosen.cast("string").alias(name)


def _layout(table: Table, count: int) -> tuple[str, ...]:
    variants = table.files.variants if table.files else ()
    return next((names for names in variants if len(names) == count), table.column_names)


def _by_file(F: Any, path: Any, files: Sequence[RawFile], values: Sequence[Any]) -> Any:  # noqa: N803
    """Return a value that depends on the row's file; a plain literal where all files agree."""
    if len({str(value) for value in values}) == 1:
        return values[0]
    chosen = F.raise_error(F.concat(F.lit("This file was not loaded: "), path))
    for file, value in zip(files, values, strict=True):
        chosen = F.when(path.endswith("/" + _as_spark_spells(file.uri.rpartition("/")[2])), value).otherwise(chosen)
    return chosen


def _as_spark_spells(name: str) -> str:
    """Return a file's name as it stands in ``_metadata``: quoted by the rules of Java's URI."""
    return "".join(
        quote(letter) if letter.isspace() or (letter.isascii() and letter not in _PLAIN_IN_URI) else letter
        for letter in name
    )
