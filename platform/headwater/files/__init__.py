"""One line in, one line out: files and DataFrames become tables of the raw zone, and queries become files.

The files are kept byte for byte. A table lies over Parquet files whose columns every engine reads alike; all else gets
a typed Parquet copy that names its source. Types lose nothing, every row is accounted for, and each load is its own
prefix, shown by one change of the metastore: a load that is killed leaves the rows that were there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.files._options import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headwater.files._load import Inferred, Ingested
    from headwater.files._look import Look, look
    from headwater.stack import Stack

__all__ = ["Inferred", "Ingested", "Look", "Options", "export", "ingest", "ingest_into", "look"]


def _silent(message: str) -> None:
    del message


def ingest(
    source: Any,
    *,
    table: str,
    if_exists: str = "fail",
    partition_by: str = "",
    types: Mapping[str, str] | None = None,
    dry_run: bool = False,
    **more: Any,
) -> Ingested:
    """Make a table of files or a DataFrame, at once readable in Spark and Trino.

    ::

        import headwater

        headwater.ingest("taxis.csv", table="raw.taxis")
        headwater.ingest(frame, table="raw.rides", if_exists="append")

    Args:
        source: A path, folder or ``s3://`` location, several of them, or a DataFrame of pandas, Arrow, Polars or Spark.
        table: ``raw.name``; no definition may declare it.
        if_exists: ``fail``, ``append`` or ``replace``.
        partition_by: Column that cuts a new table.
        types: Types by column, instead of what is inferred.
        dry_run: Only look; write nothing.
        **more: See ``headwater.files.Options``.

    Raises:
        InputError: Files, rows or wishes are not usable; the sentence names file and line. Nothing was written.
        WriteError: The rows were not published and the table is as it was, or those that were rejected are not shown
            yet; the sentence says which.
        ConfigError: No box has been started here.
    """
    from headwater.profile import Profile  # noqa: PLC0415 - importing headwater must stay fast
    from headwater.stack import Stack  # noqa: PLC0415

    options = Options(if_exists=if_exists, partition_by=partition_by, types=types or {}, **more)
    return ingest_into(Stack.build(Profile.load()), source, table=table, options=options, dry_run=dry_run)


def ingest_into(
    stack: Stack,
    source: Any,
    *,
    table: str,
    options: Options,
    dry_run: bool = False,
    log: Callable[[str], None] = _silent,
) -> Ingested:
    """Do what ``ingest`` does, on a stack.

    Raises:
        InputError: Files, rows or wishes are not usable. Nothing was written.
        WriteError: The rows were not published, or those that were rejected are not shown yet.
    """
    from headwater.files._frames import as_reader  # noqa: PLC0415
    from headwater.files._load import Loader  # noqa: PLC0415

    loader = Loader.begin(table, options, stack, log, dry_run=dry_run)
    paths = _paths(source)
    if paths is not None:
        done = loader.files(paths, dry_run=dry_run)
    else:
        done = loader.frame(*as_reader(source), dry_run=dry_run)
    if not dry_run:
        _tell(stack, done, log)
    return done


def _tell(stack: Stack, done: Ingested, log: Callable[[str], None]) -> None:
    """Tell packages above of an ingest; what they do with it changes nothing about it."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - only an ingest pays

    from headwater.errors import HeadwaterError  # noqa: PLC0415

    for point in entry_points(group="headwater.ingested"):
        try:
            point.load()(stack.profile, done)
        except HeadwaterError as error:
            log(f"{done.table}: {point.name} was not told of this ingest. {error}")


def export(sql: str, target: str | Path, *, engine: str = "trino") -> int:
    """Write a query's rows to a file or into the lake, whole or not at all; return how many there were.

    ::

        headwater.export("select * from raw.taxis where tip > 10", "tips.xlsx")

    Args:
        sql: A statement in the engine's dialect.
        target: A path or an ``s3://`` location that ends in csv, json, ndjson, parquet or xlsx.
        engine: ``trino`` or ``spark``.

    Raises:
        InputError: The ending names no format, or the format cannot hold the rows.
        QueryError: The engine refused or failed the query.
        StorageError: The object store refused the file.
    """
    from headwater.files._export import export_rows  # noqa: PLC0415
    from headwater.profile import Profile  # noqa: PLC0415
    from headwater.stack import Stack  # noqa: PLC0415

    return export_rows(Stack.build(Profile.load()), sql, str(target), engine=engine)


def _paths(source: Any) -> Sequence[str] | None:
    several = source if isinstance(source, list | tuple) else [source]
    return [str(one) for one in several] if all(isinstance(one, str | Path) for one in several) else None


def __getattr__(name: str) -> Any:
    """Load what is slow to import when it is first asked for."""
    if name in ("Inferred", "Ingested"):
        from headwater.files import _load  # noqa: PLC0415

        return getattr(_load, name)
    if name in ("Look", "look"):
        from headwater.files import _look  # noqa: PLC0415

        return getattr(_look, name)
    raise AttributeError(f"module 'headwater.files' has no attribute {name!r}")
