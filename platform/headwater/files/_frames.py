"""DataFrames of pandas, Polars and Spark, and what else speaks Arrow, as batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["as_reader"]


def as_reader(frame: Any) -> tuple[Any, Iterator[Any]]:
    """Return the Arrow schema of a DataFrame, and its rows in batches.

    Raises:
        InputError: It is nothing that has rows.
    """
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    try:
        made = _arrow(pa, frame)
    except (pa.ArrowException, TypeError) as error:
        raise InputError(
            f"The rows cannot become Arrow's: {str(error).splitlines()[0]}; give the column one type."
        ) from error
    if isinstance(made, pa.RecordBatchReader):
        return made.schema, iter(made)
    return made.schema, iter(made.to_batches(max_chunksize=100_000))


def _arrow(pa: Any, frame: Any) -> Any:
    module = type(frame).__module__.partition(".")[0]
    if isinstance(frame, pa.RecordBatchReader | pa.Table):
        return frame
    if isinstance(frame, pa.RecordBatch):
        return pa.Table.from_batches([frame])
    if module == "pandas":
        return _pandas(pa, frame)
    if module == "pyspark":
        return frame.toArrow()
    if module == "polars":
        whole = frame.collect() if hasattr(frame, "collect") else frame
        return whole.to_arrow()
    if hasattr(frame, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(frame)
    raise InputError(
        f"A {type(frame).__name__} cannot be ingested; give paths, or a DataFrame of pandas, Arrow, Polars or Spark."
    )


def _pandas(pa: Any, frame: Any) -> Any:
    doubled = [str(name) for name in frame.columns[frame.columns.duplicated()]]
    if doubled:
        raise InputError(f"The DataFrame has the column {doubled[0]!r} twice; name its columns differently.")
    named = frame.rename(columns=str)
    return pa.Table.from_pandas(named, preserve_index=False)
