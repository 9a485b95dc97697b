"""Rows that a body refuses: found while the good ones are written, and read again alone.

Parsing is what loading costs. So the pass that writes the good rows also observes where the bad ones stand, as a bitmap
of chunks of the scan, and only those chunks are parsed a second time. A body that judges a row by other rows may judge
it otherwise there; count and checksum of the refused rows show it, and then everything is parsed again. Spark tells
what it observed only if its listeners are quick; without its word, too, everything is parsed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.dialects import SPARK
from headwater.engines._raw_text import chunk_of, split_offsets
from headwater.engines.base import same_cut
from headwater.errors import WriteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.engines.base import RawFile, StageJob

__all__ = ["REASON", "Refused", "rejected_rows"]

REASON = "reject_reason"
# Above this many chunks, looking each line's up costs as much as parsing it.
_MOST_CHUNKS = 4000


class Refused:
    """Watches a judged frame while it is written.

    Args:
        judged: Rows with, where refused, a reason. Watching copies every row, so it had better be narrow.
        place: The column that holds a row's place in the scan.
    """

    def __init__(self, judged: Any, place: Any) -> None:
        from pyspark.sql import Observation  # noqa: PLC0415 - slow to import
        from pyspark.sql import functions as F  # noqa: N812, PLC0415 - PySpark's own convention

        bad = F.isnotnull(REASON)
        self._seen = Observation()
        self.frame = judged.observe(
            self._seen,
            F.count_if(bad).alias("count"),
            F.bit_xor(F.when(bad, F.xxhash64(place))).alias("checksum"),
            F.bitmap_construct_agg(F.when(bad, chunk_of(F, place))).alias("chunks"),
        )

    @property
    def rows(self) -> tuple[int, int] | None:
        """How many rows were refused, and a number that depends on which; None when Spark did not tell."""
        seen = self._seen.get
        return (int(seen["count"]), int(seen["checksum"] or 0)) if "count" in seen else None

    @property
    def chunks(self) -> tuple[int, ...] | None:
        """The chunks that they stand in; None where these are not known or too many to be of use."""
        bits = self._seen.get.get("chunks")
        if bits is None:
            return None
        found = tuple(8 * at + bit for at, byte in enumerate(bits) for bit in range(8) if byte >> bit & 1)
        return found if len(found) <= _MOST_CHUNKS else None


def rejected_rows(session: Any, job: StageJob, judged: Any) -> Any:
    """Return a judged frame's refused rows as the table of rejects wants them: file, line, reason and text."""
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    files = tuple(file for group in job.raw.values() for file in group)
    position = F.col("source_position")
    schema = "file string, start bigint, offset bigint"
    offsets = [split for group in job.raw.values() for split in split_offsets(session, group)]
    known = session.createDataFrame([(one.file, one.start, one.offset) for one in offsets], schema)
    # Spark would push the filter down to the scan and compute there, once more, all that the reason is made of. It
    # never pushes a filter below a row number that the filter looks at.
    numbered = judged.withColumn("__row", F.monotonically_increasing_id())
    refused = numbered.where((F.col("__row") >= 0) & F.isnotnull(REASON))
    placed = refused.withColumns({"__file": position["file"], "__start": position["start"]}).join(
        F.broadcast(known),
        (F.col("__file") == known["file"]) & (F.col("__start") == known["start"]),
        "left",
    )
    columns = {
        "source_file": F.col("source_file"),
        "source_line": position["place"] + F.col("offset"),
        REASON: F.col(REASON),
        "source_text": F.col("source_text"),
    }
    if job.table.partitioning is not None:
        columns[job.table.partitioning.column] = _partition(F, job, files)
    return placed.select(*(value.alias(name) for name, value in columns.items()))


def _partition(F: Any, job: StageJob, files: Sequence[RawFile]) -> Any:  # noqa: N803 - PySpark's name
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
