"""Files and frames that bring their types: Parquet, ORC, Arrow, Avro, DataFrames. All pass as batches of rows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._names import column_names
from headwater.files._relation import Field, Relation
from headwater.files._types import quoted, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from headwater.files._find import Source

__all__ = [
    "Batches", "ParquetFiles", "read_arrow", "read_avro", "read_orc", "read_parquet", "schema_of", "typed_fields"
]  # fmt: skip

_BATCH = 8192
_MAX_DIGITS = 38
# DuckDB's type -> one that Iceberg, Spark and Trino all hold.
_PLAIN = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "utinyint", "usmallint"), "INTEGER"),
    **dict.fromkeys(("bigint", "uinteger"), "BIGINT"),
    "ubigint": "DECIMAL(20,0)",
    **dict.fromkeys(("hugeint", "uhugeint"), "DECIMAL(38,0)"),
    **{name: name.upper() for name in ("boolean", "float", "double", "date", "blob", "varchar")},
    **dict.fromkeys(
        ("enum", "uuid", "time", "time with time zone", "interval", "bit", "json", "null", '"null"'), "VARCHAR"
    ),
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), "TIMESTAMP"),
    "timestamp with time zone": "TIMESTAMPTZ",
}


def typed_fields(connection: Any, scan: str, *, where: str) -> list[Field]:
    """Return the columns of something that has types.

    Raises:
        InputError: A name or a type is not usable.
    """
    found = connection.sql(f"SELECT * FROM {scan} LIMIT 0")
    names = column_names(found.columns, where=where)
    made = []
    for name, given, kind in zip(names, found.columns, found.types, strict=True):
        wanted, value = _normal(kind, quoted(given), f"{where}: column {given!r}", 0)
        if str(kind).lower() == "timestamp_ns":
            mark = f"{where}: column {given!r} has times finer than a microsecond"
            value = (
                f"CASE WHEN epoch_ns({value}) % 1000 = 0 OR {value} IS NULL THEN {value} ELSE error({text(mark)}) END"
            )
        made.append(
            Field(name=name, given=given, value=value, type=wanted, why=f"{str(kind).lower()[:40]} in the file")
        )
    return made


def _require_usable(schema: Any, where: str) -> None:
    """Refuse what DuckDB would round or rename without a word: it is the Arrow schema that says what the file holds.

    Raises:
        InputError: There is no column, a name is there twice, or a decimal is too wide.
    """
    if not len(schema):
        raise InputError(f"{where}: there is no column, so there is nothing to ingest; get the file with its columns.")
    column_names(schema.names, where=where)
    for field in schema:
        _require_usable_type(field.type, f"{where}: column {field.name!r}")


def _require_usable_type(kind: Any, where: str) -> None:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    if pa.types.is_decimal(kind) and kind.precision > _MAX_DIGITS:
        raise InputError(
            f"{where} is {kind}, more than the {_MAX_DIGITS} digits that a decimal of the lake has; write it as text "
            "or with fewer digits."
        )
    inner = [kind.field(number) for number in range(kind.num_fields)]
    if pa.types.is_struct(kind):
        column_names([field.name for field in inner], where=where)
    for field in inner:
        _require_usable_type(field.type, where)


def _normal(kind: Any, value: str, where: str, depth: int) -> tuple[str, str]:
    """Return the type that a value gets, and the SQL of the value with usable names inside."""
    plain = _PLAIN.get(kind.id) or _PLAIN.get(str(kind).lower())
    if plain:
        return plain, value
    if kind.id == "decimal":
        return str(kind), value
    if kind.id in ("list", "array"):
        each = f"e{depth}"
        inner, made = _normal(kind.children[0][1], each, where, depth + 1)
        return f"{inner}[]", value if made == each else f"list_transform({value}, lambda {each}: {made})"
    if kind.id == "struct":
        return _struct(kind, value, where, depth)
    if kind.id == "map":
        key, _ = _normal(kind.children[0][1], "k", where, depth + 1)
        inner, made = _normal(kind.children[1][1], "v", where, depth + 1)
        if made == "v":
            return f"MAP({key}, {inner})", value
    raise InputError(
        f"{where} is of type {kind}, which no table of the lake holds; leave it out or write it otherwise."
    )


def _struct(kind: Any, value: str, where: str, depth: int) -> tuple[str, str]:
    given = [name for name, _ in kind.children]
    names = column_names(given, where=where)
    parts = [
        (name, original, *_normal(inner, f"struct_extract({value}, {text(original)})", where, depth))
        for name, (original, inner) in zip(names, kind.children, strict=True)
    ]
    made = f"STRUCT({', '.join(f'{quoted(name)} {inner}' for name, _, inner, _ in parts)})"
    if all(
        name == original and sql == f"struct_extract({value}, {text(original)})" for name, original, _, sql in parts
    ):
        return made, value
    packed = ", ".join(f"{quoted(name)} := {sql}" for name, _, _, sql in parts)
    return made, f"CASE WHEN {value} IS NULL THEN NULL ELSE struct_pack({packed}) END"


class ParquetFiles(Relation):
    """Rows of Parquet files with the same columns.

    Args:
        files: The files.
        count: Rows that their footers promise.
        connection: DuckDB.
    """

    def __init__(self, files: Sequence[Source], count: int, connection: Any) -> None:
        self._count = count
        self._files = files
        paths = ", ".join(text(str(one.path)) for one in files)
        self._scan = f"read_parquet([{paths}], hive_partitioning=false)"
        self.fields = typed_fields(connection, self._scan, where=files[0].shown)

    def rows(self, *, number: bool = False) -> str:
        """Return the scan."""
        del number
        return self._scan

    def expected(self, written: int, rejected: int) -> int:
        """Return what the footers promise."""
        del written, rejected
        return self._count

    def said(self, error: Exception) -> str:
        """Return which file's pages are damaged, if one's are; DuckDB names the copy in the scratch folder at best."""
        damaged = next((one for one in self._files if not _is_whole(one.path)), None)
        if damaged is None:
            return ""
        why = str(error).splitlines()[0].rpartition(": ")[2]
        return f"{damaged.shown} is damaged: its footer is whole, but its rows are not ({why}). Get it anew."


def _is_whole(path: Path) -> bool:
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        with pq.ParquetFile(path) as file:
            return all(batch.num_rows for batch in file.iter_batches())
    except (pa.ArrowException, OSError):
        return False


class Batches(Relation):
    """Rows that come as Arrow batches, once.

    Args:
        schema: Their Arrow schema.
        batches: Called once.
        where: For sentences.
        connection: DuckDB.
    """

    def __init__(self, schema: Any, batches: Callable[[], Iterator[Any]], where: str, connection: Any) -> None:
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        _require_usable(schema, where)
        self._passed = 0
        self._make = batches
        connection.register("arrived_shape", schema.empty_table())
        self.fields = typed_fields(connection, "arrived_shape", where=where)
        connection.register("arrived", pa.RecordBatchReader.from_batches(schema, self._counted()))

    def _counted(self) -> Iterator[Any]:
        for batch in self._make():
            self._passed += batch.num_rows
            yield batch

    def rows(self, *, number: bool = False) -> str:
        """Return the one scan there can be."""
        del number
        return "arrived"

    def expected(self, written: int, rejected: int) -> int:
        """Return the rows that came by."""
        del written, rejected
        return self._passed


def schema_of(source: Source, kind: str) -> tuple[Any, Any]:
    """Return the Arrow schema of a Parquet, ORC or Avro file, and Avro's own one where it is Avro.

    Raises:
        InputError: The file is damaged, or holds what no table does.
    """
    with _readable(source, {"parquet": "Parquet", "orc": "ORC", "avro": "Avro"}[kind]):
        found: tuple[Any, Any] = _SCHEMAS[kind](source.path)
        return found


def _parquet_schema(path: Path) -> tuple[Any, Any]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    return pq.read_metadata(path).schema.to_arrow_schema(), None


def _orc_schema(path: Path) -> tuple[Any, Any]:
    from pyarrow import orc  # noqa: PLC0415

    return orc.ORCFile(path).schema, None


def _avro_schema(path: Path) -> tuple[Any, Any]:
    import fastavro  # noqa: PLC0415

    from headwater.files._avro import arrow_schema  # noqa: PLC0415

    with path.open("rb") as file:
        own = fastavro.reader(file).writer_schema
    return arrow_schema(own), own


_SCHEMAS: dict[str, Any] = {
    "parquet": _parquet_schema,
    "orc": _orc_schema,
    "avro": _avro_schema,
}


def read_parquet(files: Sequence[Source], connection: Any) -> Relation:
    """Return the rows of Parquet files.

    Raises:
        InputError: One is damaged, or their columns differ.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    count, first = 0, None
    for one in files:
        with _readable(one, "Parquet"):
            footer = pq.read_metadata(one.path)
            schema = footer.schema.to_arrow_schema()
        _require_usable(schema, one.shown)
        first = _same_columns(first, (one.shown, schema))
        count += footer.num_rows
    return ParquetFiles(files, count, connection)


def read_orc(files: Sequence[Source], connection: Any) -> Relation:
    """Return the rows of ORC files, stripe by stripe."""
    from pyarrow import orc  # noqa: PLC0415

    def batches() -> Iterator[Any]:
        for one in files:
            with _readable(one, "ORC"):
                opened = orc.ORCFile(one.path)
                for stripe in range(opened.nstripes):
                    yield opened.read_stripe(stripe)

    schema = _first_schema(files, "ORC", lambda path: _orc_schema(path)[0])
    return Batches(schema, batches, files[0].shown, connection)


def read_arrow(files: Sequence[Source], connection: Any) -> Relation:
    """Return the rows of Arrow files and streams, batch by batch."""
    from pyarrow import feather  # noqa: F401, PLC0415 - registers the compressions that Feather files use

    def batches() -> Iterator[Any]:
        for one in files:
            with _readable(one, "Arrow"):
                yield from _arrow_batches(one.path)

    schema = _first_schema(files, "Arrow", lambda path: _arrow_reader(path).schema)
    return Batches(schema, batches, files[0].shown, connection)


def _arrow_reader(path: Any) -> Any:
    from pyarrow import ipc, memory_map  # noqa: PLC0415

    source = memory_map(str(path))
    return ipc.open_file(source) if source.read(6) == b"ARROW1" else ipc.open_stream(memory_map(str(path)))


def _arrow_batches(path: Any) -> Iterator[Any]:
    reader = _arrow_reader(path)
    if hasattr(reader, "num_record_batches"):
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
    else:
        yield from reader


def read_avro(files: Sequence[Source], connection: Any) -> Relation:
    """Return the rows of Avro files, some thousand at a time."""
    import fastavro  # noqa: PLC0415
    import pyarrow as pa  # noqa: PLC0415

    def batches() -> Iterator[Any]:
        for one in files:
            with _readable(one, "Avro"), one.path.open("rb") as file:
                rows: list[Any] = []
                for row in fastavro.reader(file):
                    rows.append(row)
                    if len(rows) == _BATCH:
                        yield pa.RecordBatch.from_pylist(rows, schema)
                        rows = []
                if rows:
                    yield pa.RecordBatch.from_pylist(rows, schema)

    schema = _first_schema(files, "Avro", lambda path: _avro_schema(path)[0])
    return Batches(schema, batches, files[0].shown, connection)


def _first_schema(files: Sequence[Source], kind: str, read: Callable[[Any], Any]) -> Any:
    first = None
    for one in files:
        with _readable(one, kind):
            schema = read(one.path)
        first = _same_columns(first, (one.shown, schema))
    return first[1] if first else None


def _same_columns(first: tuple[str, Any] | None, other: tuple[str, Any]) -> tuple[str, Any]:
    if first is not None and not other[1].equals(first[1], check_metadata=False):
        raise InputError(
            f"{other[0]}: its columns or their types differ from those of {first[0]}; ingest them into different "
            "tables.",
        )
    return first or other


@contextmanager
def _readable(source: Source, kind: str) -> Iterator[None]:
    import pyarrow as pa  # noqa: PLC0415

    try:
        yield
    except InputError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, TypeError, KeyError, IndexError) as error:
        said = str(error).splitlines()[0][:100] if str(error) else "it breaks off"
        raise InputError(
            f"{source.shown} is damaged or cut off: it is no whole {kind} file ({said}). Get it anew."
        ) from error
