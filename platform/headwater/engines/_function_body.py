"""Bodies that are functions: upstream DataFrames in, one DataFrame out, its rows appended to the stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.dialects import SPARK
from headwater.engines._raw_text import SOURCE_COLUMNS, raw_frame, split_offsets
from headwater.engines.base import same_cut
from headwater.errors import QueryError, WriteError

if TYPE_CHECKING:
    from headwater.engines.base import RawFile, StageJob
    from headwater.table import Table

__all__ = ["append"]

_REASON = "reject_reason"
_ROW = "__row"


def append(session: Any, job: StageJob) -> None:
    """Call the body and append what it returns to the stage, rejected rows to theirs.

    Raises:
        WriteError: The body returned something that cannot become the table.
    """
    frame = _call(session, job)
    _require(frame, job)
    if job.rejects is None:
        _append(_typed(frame, job.table), job.stage.zone, job.stage.name)
        return
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - PySpark's own convention

    reason = F.coalesce(F.col("source_position")["problem"], F.col(_REASON))
    # Spark would push the filter down to the scan and compute there, once more, all that the reason is made of, down to
    # the split of the line. It never pushes a filter below a row number that the filter looks at.
    judged = frame.withColumns({_REASON: reason, _ROW: F.monotonically_increasing_id()})
    good, bad = (judged.where((F.col(_ROW) >= 0) & found) for found in (F.isnull(_REASON), F.isnotnull(_REASON)))
    _append(_typed(good, job.table), job.stage.zone, job.stage.name)
    lines = sum(file.lines for files in job.raw.values() for file in files)
    if _count(session, job) != lines:
        _append_rejects(session, job, bad)


def _call(session: Any, job: StageJob) -> Any:
    if not callable(job.table.body):
        raise QueryError(f"{job.table} has no function body.")
    return job.table.body(*(_frame(session, job, upstream) for upstream in job.table.upstreams))


def _frame(session: Any, job: StageJob, upstream: Table) -> Any:
    if upstream.zone == "raw":
        return raw_frame(session, upstream, job.raw[upstream.name])
    frame = session.table(upstream.name)
    if job.values and upstream.partitioning is not None and same_cut(upstream, job.table):
        return frame.where(frame[upstream.partitioning.column].isin(list(job.values)))
    return frame


def _require(frame: Any, job: StageJob) -> None:
    columns = getattr(frame, "columns", None)
    if columns is None:
        raise WriteError(f"The body of {job.table} returned {type(frame).__name__}; return a Spark DataFrame.")
    missing = [name for name in job.table.column_names if name not in columns]
    if missing:
        raise WriteError(f"The body of {job.table} returned no column {', '.join(missing)}; add what is declared.")
    if job.rejects is not None:
        lost = [name for name in (_REASON, *SOURCE_COLUMNS) if name not in columns]
        if lost:
            raise WriteError(
                f"The body of {job.table} returned no column {', '.join(lost)}, without which no row can be rejected; "
                "keep the source columns of its input and add reject_reason.",
            )


def _typed(frame: Any, table: Table) -> Any:
    return frame.select(*(frame[column.name].cast(SPARK.type_name(column.type)) for column in table.columns))


def _append(frame: Any, zone: str, name: str) -> None:
    # A stage is read once, by its checks: no shuffle to have fewer files, and a null is found by a check that names it.
    writer = frame.writeTo(f"{zone}.{name}").option("fanout-enabled", "true").option("distribution-mode", "none")
    writer.option("check-nullability", "false").append()


def _count(session: Any, job: StageJob) -> int:
    counted = session.sql(f"SELECT count(*) FROM {job.stage.zone}.{job.stage.name}").collect()  # noqa: S608 - our name
    return int(counted[0][0])


def _append_rejects(session: Any, job: StageJob, rejected: Any) -> None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    files = tuple(file for group in job.raw.values() for file in group)
    position = F.col("source_position")
    schema = "file string, start bigint, offset bigint"
    offsets = [split for group in job.raw.values() for split in split_offsets(session, group)]
    known = session.createDataFrame([(one.file, one.start, one.offset) for one in offsets], schema)
    placed = rejected.withColumns({"__file": position["file"], "__start": position["start"]}).join(
        F.broadcast(known),
        (F.col("__file") == known["file"]) & (F.col("__start") == known["start"]),
        "left",
    )
    columns = {
        "source_file": F.col("source_file"),
        "source_line": position["place"] + F.col("offset"),
        _REASON: F.col(_REASON),
        "source_text": F.col("source_text"),
    }
    if job.table.partitioning is not None:
        columns[job.table.partitioning.column] = _partition(F, job, files)
    _append(placed.select(*(value.alias(name) for name, value in columns.items())), *_names(job))


def _names(job: StageJob) -> tuple[str, str]:
    assert job.rejects is not None  # noqa: S101 - the caller looked
    return job.rejects.zone, job.rejects.name


def _partition(F: Any, job: StageJob, files: tuple[RawFile, ...]) -> Any:  # noqa: N803 - PySpark's name
    """Return the partition of rejected rows: their file's, because their own fields cannot be trusted."""
    cut = job.table.partitioning
    assert cut is not None  # noqa: S101 - the caller looked
    shared = any(up.zone == "raw" and same_cut(up, job.table) for up in job.table.upstreams)
    if len(job.values) == 1:
        return F.lit(job.values[0])
    if not shared:
        raise WriteError(f"{job.table} rejects rows of files that are cut otherwise; write one partition at a time.")
    chosen = F.lit(None)
    for file in files:
        chosen = F.when(F.col("source_file") == file.name, F.lit(file.value)).otherwise(chosen)
    return chosen.cast(SPARK.type_name(cut.type))
