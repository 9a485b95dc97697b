"""What happens inside a Dagster step: one write of one table, and what it reports."""

from __future__ import annotations

import time
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from dagster import AssetCheckResult, AssetCheckSeverity, Failure, MaterializeResult, MetadataValue
from headwater.arrivals import ARRIVALS, WHOLE, arrivals, fingerprint
from headwater.errors import CheckFailed, EngineAway, HeadwaterError
from headwater.profile import Profile

from headwater_assets.lib.outdated import SNAPSHOT, WARNINGS
from headwater_assets.lib.specs import asset_key, check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dagster import AssetExecutionContext
    from headwater.checks import CheckResult
    from headwater.stack import Stack
    from headwater.table import Table
    from headwater.write import Published

__all__ = ["Write", "materialize", "write_to_lake"]

# In which an engine that starts with the box, or was killed, is there again.
_PATIENCE_SECONDS = 180.0
_PAUSE_SECONDS = 3.0


class Write(Protocol):
    """How a step writes a table; ``write_to_lake`` everywhere but in tests."""

    def __call__(self, table: Table, *, run: str, partitions: Sequence[str], log: Callable[[str], None]) -> Published:
        """Write a table's partitions."""


def materialize(
    table: Table, context: AssetExecutionContext, write: Write
) -> Iterator[AssetCheckResult | MaterializeResult[Any]]:
    """Write the partitions that Dagster asks for and yield what came of it.

    Args:
        table: The table.
        context: Dagster's word on the run and its partitions.
        write: How.

    Raises:
        Failure: The write was not published; the sentence says why. Dagster does not try again: a broken check or
            definition stays broken, and an engine that was away has been waited for.
    """
    asked = table.partitioning is not None and (context.has_partition_key or context.has_partition_key_range)
    keys = list(context.partition_keys) if asked else []
    marks = _marks(table, keys)
    try:
        # A second attempt within the run is a writer of its own.
        run = f"{context.run.run_id}-{context.retry_number}"
        published = _patiently(write, table, run=run, partitions=keys, log=context.log.info)
    except CheckFailed as error:
        for failure in error.failures:
            yield _check_result(table, cast("CheckResult", failure))
        raise Failure(str(error), allow_retries=False) from None
    except HeadwaterError as error:
        raise Failure(str(error), allow_retries=False) from error
    for result in published.checks:
        yield _check_result(table, result)
    yield MaterializeResult(asset_key=asset_key(table.id), metadata=_metadata(published) | marks)
    if table.rejects:
        rejected = {"dagster/row_count": published.rejected}
        yield MaterializeResult(asset_key=asset_key(table.id.rejected), metadata=rejected)


def write_to_lake(table: Table, *, run: str, partitions: Sequence[str], log: Callable[[str], None]) -> Published:
    """Load a raw table's files, or have an engine write the table.

    Raises:
        HeadwaterError: The table was not published.
    """
    from headwater.write import load_raw, write  # noqa: PLC0415 - definitions load without the write path

    way = load_raw if table.zone == "raw" else write
    return way(table, _stack(), run=run, partitions=partitions, log=log)


@cache
def _stack() -> Stack:
    """Build the stack once per run, so that its steps share connections."""
    from headwater.stack import Stack  # noqa: PLC0415 - definitions load without engines

    return Stack.build(Profile.load())


def _patiently(
    write: Write, table: Table, *, run: str, partitions: Sequence[str], log: Callable[[str], None]
) -> Published:
    """Write; where the engine is away, begin again until it is back: what it had staged is of no one's use."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return write(table, run=run, partitions=partitions, log=log)
        except EngineAway as error:
            if time.monotonic() > until:
                raise
            log(f"{table}: waits for its engine. {error}")
            time.sleep(_PAUSE_SECONDS)


def _check_result(table: Table, result: CheckResult) -> AssetCheckResult:
    severity = AssetCheckSeverity.ERROR if result.blocking else AssetCheckSeverity.WARN
    metadata: dict[str, Any] = {"broken_rows": result.broken, "checked_rows": result.total}
    if result.rows:
        metadata["examples"] = MetadataValue.md(_markdown(result.rows))
    return AssetCheckResult(
        asset_key=asset_key(table.id),
        check_name=check_name(result.check),
        passed=result.passed,
        severity=severity,
        metadata=metadata,
    )


def _marks(table: Table, keys: list[str]) -> dict[str, Any]:
    """Return what the files looked like before they were loaded, so that the sensor knows newer ones."""
    if table.zone != "raw":
        return {}
    found = arrivals(table, Profile.load().project)
    return {ARRIVALS: {key: fingerprint(found[key]) for key in keys or [WHOLE] if key in found}}


def _metadata(published: Published) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "dagster/row_count": published.rows,
        "partitions": ", ".join(published.partitions) or "the whole table",
        "rejected": published.rejected,
        "files": published.files,
        "bytes": published.bytes,
        **{name: MetadataValue.url(url) for name, url in Profile.load().pages.items()},
    }
    if published.snapshot_id is not None:
        metadata[SNAPSHOT] = str(published.snapshot_id)  # too large for the page's numbers
    if published.warnings:
        metadata[WARNINGS] = " ".join(published.warnings)
    metadata |= {what: float(amount) for what, amount in published.spent.items()}
    return metadata | {f"seconds/{phase}": float(seconds) for phase, seconds in published.seconds.items()}


def _markdown(rows: tuple[Mapping[str, object], ...]) -> str:
    """Return rows as a Markdown table."""
    names = list(rows[0])
    lines: list[Sequence[object]] = [names, ["---"] * len(names), *([row.get(name) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(_cell(value) for value in line)} |" for line in lines)


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
