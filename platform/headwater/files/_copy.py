"""Rows written as typed Parquet into the scratch folder, in bounded pieces, every value held against its type."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError, RowsLost
from headwater.files._plan import MARK
from headwater.files._types import quoted, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from headwater.files._plan import Planned
    from headwater.files._relation import BadRow, Relation

__all__ = ["Copied", "Mistyped", "copy_rows"]

_FILE_SIZE = "256MB"
_GROUP_BYTES = "64MB"
_MOST_PARTITIONS = 1000
_MOST_REJECTS = 100_000
_SOURCES_NAMED = 100
# What file systems take for one folder.
_LONGEST_NAME = 255


class Mistyped(Exception):  # noqa: N818 - not an error of the user's: the first rows misled
    """A column is not what its first rows were.

    Args:
        column: Its name.
    """

    def __init__(self, column: str) -> None:
        self.column = column
        super().__init__(column)


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What was written.

    Args:
        files: Parquet files below the scratch folder.
        rows: Their rows.
        rejected: Rows that were left out.
        schema: The files' Arrow schema.
    """

    files: tuple[Path, ...]
    rows: int
    rejected: tuple[BadRow, ...]
    schema: Any


def copy_rows(
    connection: Any,
    relation: Relation,
    columns: Sequence[Planned],
    target: Path,
    *,
    partition_by: str,
    reject: bool,
    sources: Sequence[str],
) -> Copied:
    """Write the rows, and account for every one of them.

    Raises:
        Mistyped: A judgement by the first rows does not hold.
        InputError: A row is bad and is not to be rejected, or no row is good.
        RowsLost: Rows in are not rows out plus rejected.
    """
    relation.forget(connection)
    wished = [column for column in columns if column.wished and not column.field.type and column.kind != "string"]
    where = f" WHERE {' AND '.join(column.fits for column in wished)}" if wished and reject else ""
    select = f"SELECT {', '.join(column.sql for column in columns)} FROM {relation.rows()}{where}"
    _copy(connection, relation, select, target, partition_by=partition_by, sources=sources, wished=wished)
    bad = relation.bad_rows(connection)
    if where:
        bad += _unfit(connection, relation, wished)
    _refuse_bad(bad, reject=reject)
    files, rows, schema = _written(target)
    expected = relation.expected(rows, len(bad))
    if expected != rows + len(bad):
        raise RowsLost(
            f"The files hold {expected} rows, but {rows} were read and {len(bad)} rejected; nothing was written. "
            "A quote inside of a field may have swallowed lines.",
        )
    if not rows:
        first = f"; the first, {bad[0].place}: {bad[0].reason}" if bad else ""
        raise InputError(f"There is no good row in {sources[0]}{first}.")
    return Copied(files=files, rows=rows, rejected=tuple(bad), schema=schema)


def _copy(
    connection: Any,
    relation: Relation,
    select: str,
    target: Path,
    *,
    partition_by: str,
    sources: Sequence[str],
    wished: Sequence[Planned],
) -> None:
    import duckdb  # noqa: PLC0415 - slow to import

    cut = f", PARTITION_BY ({quoted(partition_by)}), WRITE_PARTITION_COLUMNS true" if partition_by else ""
    size = "" if partition_by else f", FILE_SIZE_BYTES '{_FILE_SIZE}'"
    target.parent.mkdir(exist_ok=True)
    named = text(", ".join(sources[:_SOURCES_NAMED]))
    try:
        connection.execute(
            f"COPY ({select}) TO {text(str(target))} (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE_BYTES "
            f"'{_GROUP_BYTES}', KV_METADATA {{'headwater.source': {named}}}{size}{cut})",
        )
    except (duckdb.OutOfMemoryException, duckdb.IOException, duckdb.InterruptException) as error:
        if partition_by and os.strerror(errno.ENAMETOOLONG) in str(error):
            raise InputError(_too_long(sources, partition_by)) from error
        raise
    except duckdb.Error as error:
        _explain(connection, relation, error, wished)


def _too_long(sources: Sequence[str], column: str) -> str:
    where = sources[0] if len(sources) == 1 else f"One of {sources[0]} and {len(sources) - 1} more"
    return (
        f"{where}: a value of {column} is too long to be a partition's name: {column}= and the value have at most "
        f"{_LONGEST_NAME} bytes; choose another column for --partition-by."
    )


def _explain(connection: Any, relation: Relation, error: Exception, wished: Sequence[Planned]) -> None:
    """Raise what an error of the scan means."""
    message = str(error)
    match = re.search(rf"{MARK}([a-z0-9_]+)", message)
    column = match[1] if match else ""
    if any(one.field.name == column for one in wished):
        bad = _unfit(connection, relation, wished)[0]
        raise InputError(f"{bad.place}: {bad.reason}.") from error
    if column or "onversion" in type(error).__name__:
        raise Mistyped(column) from error
    cause: BaseException = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, InputError | KeyboardInterrupt):
        raise cause
    said = relation.said(error) or f"The rows cannot be read: {message.splitlines()[0]}; mend the file or get it anew."
    raise InputError(said) from error


def _unfit(connection: Any, relation: Relation, wished: Sequence[Planned]) -> list[BadRow]:
    """Return rows with a value that is not of the wished type."""
    reason = " ".join(
        f"WHEN NOT {one.fits} THEN {text(f'{one.field.name} is not {one.shown_kind}: ')} || left({one.field.value}, 40)"
        for one in wished
    )
    values = ", ".join(f"coalesce({one.value}, '')" for one in relation.fields if not one.type)
    found = connection.execute(
        f"SELECT filename, [{values}], CASE {reason} END FROM {relation.rows(number=True)} "
        f"WHERE NOT ({' AND '.join(one.fits for one in wished)}) LIMIT {_MOST_REJECTS + 1}",
    ).fetchall()
    bad = relation.located({(path, tuple(row)): why for path, row, why in found})
    return sorted(bad, key=lambda one: (one.file, one.line))


def _refuse_bad(bad: Sequence[BadRow], *, reject: bool) -> None:
    if not bad:
        return
    first = bad[0]
    if not reject:
        more = f" ({len(bad)} such rows)" if len(bad) > 1 else ""
        raise InputError(
            f"{first.place}: {first.reason}{more}; correct it, or use --on-bad-rows reject to set such rows aside.",
        )
    if len(bad) > _MOST_REJECTS:
        raise InputError(
            f"{first.place}: {first.reason}; more than {_MOST_REJECTS} rows are bad, so the delimiter "
            "or a type is likely to be wrong.",
        )


def _written(target: Path) -> tuple[tuple[Path, ...], int, Any]:
    import pyarrow as pa  # noqa: PLC0415 - slow to import
    import pyarrow.parquet as pq  # noqa: PLC0415

    found = [target] if target.is_file() else sorted(target.rglob("*.parquet"))
    folders = {one.parent for one in found}
    if len(folders) > _MOST_PARTITIONS:
        raise InputError(
            f"--partition-by makes {len(folders)} partitions, more than {_MOST_PARTITIONS}; choose a column with fewer "
            "values.",
        )
    footers = [(one, pq.read_metadata(one)) for one in found]
    schema = footers[0][1].schema.to_arrow_schema() if footers else pa.schema([])
    files = tuple(one for one, footer in footers if footer.num_rows)
    return files, sum(footer.num_rows for _, footer in footers), schema.remove_metadata()


def safe_stem(name: str) -> str:
    """Return a file's name as part of an object's name.

    >>> safe_stem("2024/my taxis.csv.gz")
    'my_taxis'
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "_", PurePosixPath(name).name.partition(".")[0]) or "rows"
