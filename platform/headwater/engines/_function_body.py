"""Bodies that are functions: upstream DataFrames in, one DataFrame out, its rows appended to the stage."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from headwater.dialects import SPARK
from headwater.engines._raw_text import SOURCE_COLUMNS, raw_frame
from headwater.engines._rejects import REASON, Refused, rejected_rows
from headwater.engines.base import same_cut
from headwater.errors import QueryError, WriteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.engines.base import StageJob
    from headwater.table import Table, TableName

__all__ = ["append"]

_PLACE = "__place"


def append(session: Any, job: StageJob) -> None:
    """Call the body and append what it returns to the stage, rejected rows to theirs.

    Raises:
        WriteError: The body returned something that cannot become the table.
    """
    if job.rejects is None:
        _append(_called(session, job).select(*_columns(job.table)), job.stage)
        return
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - PySpark's own convention

    rows = _judged(session, job).select(*_columns(job.table), REASON, _place(F).alias(_PLACE))
    refused = Refused(rows, F.col(_PLACE))
    _append(refused.frame.where(F.isnull(REASON)).drop(REASON, _PLACE), job.stage)
    if _any_refused(session, job, refused):
        _append_rejects(session, job, job.rejects, refused)


def _any_refused(session: Any, job: StageJob, refused: Refused) -> bool:
    if refused.rows is not None:
        return refused.rows[0] > 0
    good = session.table(str(job.stage)).count()
    return bool(good != sum(file.lines for files in job.raw.values() for file in files))


def _append_rejects(session: Any, job: StageJob, into: TableName, refused: Refused) -> None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415 - PySpark's own convention

    chunks = refused.chunks if len(job.raw) == 1 else None
    again = Refused(_judged(session, job, chunks), _place(F))
    _append(rejected_rows(session, job, again.frame), into)
    if chunks is not None and again.rows != refused.rows:
        _append(rejected_rows(session, job, _judged(session, job)), into, anew=True)


def _judged(session: Any, job: StageJob, chunks: Sequence[int] | None = None) -> Any:
    """Return the body's rows, each with the reason why it is refused: its line's shape, or what the body says."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    reason = F.coalesce(F.col("source_position")["problem"], F.col(REASON))
    return _called(session, job, chunks).withColumn(REASON, reason)


def _called(session: Any, job: StageJob, chunks: Sequence[int] | None = None) -> Any:
    if not callable(job.table.body):
        raise QueryError(f"{job.table} has no function body.")
    _carry(job.table.body)
    frame = job.table.body(*(_frame(session, job, upstream, chunks) for upstream in job.table.upstreams))
    _require(frame, job)
    return frame


def _carry(body: object) -> None:
    """Have functions that a body gives to Spark go there whole: Spark has no file of the project's to import."""
    from pyspark import cloudpickle  # noqa: PLC0415

    package = (getattr(body, "__module__", "") or "").partition(".")[0]
    if package in sys.modules and package not in sys.stdlib_module_names:
        cloudpickle.register_pickle_by_value(sys.modules[package])  # type: ignore[no-untyped-call]


def _frame(session: Any, job: StageJob, upstream: Table, chunks: Sequence[int] | None) -> Any:
    if upstream.zone == "raw":
        return raw_frame(session, upstream, job.raw[upstream.name], chunks)
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
        lost = [name for name in (REASON, *SOURCE_COLUMNS) if name not in columns]
        if lost:
            raise WriteError(
                f"The body of {job.table} returned no column {', '.join(lost)}, without which no row can be rejected; "
                "keep the source columns of its input and add reject_reason.",
            )


def _columns(table: Table) -> list[Any]:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    return [F.col(one.name).cast(SPARK.type_name(one.type)).alias(one.name) for one in table.columns]


def _place(F: Any) -> Any:  # noqa: N803 - PySpark's name
    return F.col("source_position")["place"]


def _append(frame: Any, into: TableName, *, anew: bool = False) -> None:
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    # A stage is read once, by its checks: no shuffle to have fewer files, and a null is found by a check that names it.
    writer = frame.writeTo(str(into)).option("fanout-enabled", "true").option("distribution-mode", "none")
    writer = writer.option("check-nullability", "false")
    if anew:
        writer.overwrite(F.lit(True))  # noqa: FBT003 - every row
    else:
        writer.append()
