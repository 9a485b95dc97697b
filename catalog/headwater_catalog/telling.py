"""What a write of the write path tells the catalog, in OpenLineage: that it began, and what was published.

Engines tell what they read and how columns came to be; only the publisher knows the snapshot that people read, the
partitions, the rejected rows, the checks, and which Dagster run it was.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, UUID, uuid5

from headwater import layout
from headwater.errors import CheckFailed, HeadwaterError
from headwater.table import TableName

from headwater_catalog._told_facets import PRODUCER, check_facets, made_facet, own_facet, profile_facets, shape_facets
from headwater_catalog.client import Client
from headwater_catalog.model import LOADS, READS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headwater.files import Ingested
    from headwater.profile import Profile
    from headwater.table import Table
    from headwater.write import Maintained, Published, Read

__all__ = ["ingested_event", "tell_ingested", "tell_upkeep", "telling", "upkeep_events", "with_outcome", "write_event"]

_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_TIMEOUT_SECONDS = 5.0


def telling(profile: Profile, write: Callable[..., Published]) -> Callable[..., Published]:
    """Return a write that tells the catalog how it goes; without a catalog it goes on, and says so in the log.

    Args:
        profile: Whose catalog.
        write: Writes a table for a run and returns what was published.
    """

    def told(table: Table, *, run: str, partitions: Sequence[str], log: Callable[[str], None]) -> Published:
        def tell(state: str, published: Published | None = None, error: HeadwaterError | None = None) -> None:
            event = write_event(state, table, profile.bucket, run=run, partitions=partitions)
            try:
                Client(profile, _TIMEOUT_SECONDS).tell(with_outcome(event, table, profile.bucket, published, error))
            except HeadwaterError as failure:
                log(f"{table}: the catalog was not told of this write. {failure}")

        tell("START")
        try:
            published = write(table, run=run, partitions=partitions, log=log)
        except HeadwaterError as error:
            tell("FAIL", error=error)
            raise
        tell("COMPLETE", published)
        return published

    return told


def tell_ingested(profile: Profile, done: Ingested) -> None:
    """Tell the catalog what an ingest made of which files.

    Args:
        profile: Whose catalog.
        done: What was done.

    Raises:
        ComponentError: The catalog does not answer.
        QueryError: It refuses the event.
    """
    Client(profile, _TIMEOUT_SECONDS).tell(ingested_event(done, profile.bucket))


def ingested_event(done: Ingested, bucket: str) -> dict[str, Any]:
    """Return the event of one ingest."""
    from headwater.write import RawState  # noqa: PLC0415 - definitions load without the write path

    name = TableName.parse(done.table)
    state = RawState(partition="", location=done.location, files=done.originals)
    written = _dataset(bucket, name, rows=done.rows, size=done.bytes, snapshot=done.snapshot_id)
    written["facets"][LOADS] = own_facet("loads", loads=[asdict(state)], appended=done.appended)
    aside = [_dataset(bucket, name.rejected, rows=done.rejected)] if done.rejected else []
    return _event("COMPLETE", done.table, str(uuid5(NAMESPACE_URL, done.location)), [written, *aside])


def tell_upkeep(profile: Profile, done: Maintained, log: Callable[[str], None]) -> None:
    """Tell the catalog of the snapshots that show a table's rows in other files, so that it knows their time.

    Args:
        profile: Whose catalog.
        done: What was done.
        log: Told when there is no catalog.
    """
    try:
        for event in upkeep_events(done, profile.bucket):
            Client(profile, _TIMEOUT_SECONDS).tell(event)
    except HeadwaterError as failure:
        log(f"{done.table}: the catalog was not told of its upkeep. {failure}")


def upkeep_events(done: Maintained, bucket: str) -> Iterator[dict[str, Any]]:
    """Yield an event for each snapshot of a table's upkeep.

    It is of the type ``OTHER``, for it wrote no row: the table is as fresh, and as well, as it was before.
    """
    for snapshot in done.snapshots:
        run = str(uuid5(NAMESPACE_URL, f"{done.table}/{snapshot}"))
        yield _event("OTHER", layout.UPKEEP, run, [_dataset(bucket, done.table, snapshot=snapshot)])


def write_event(state: str, table: Table, bucket: str, *, run: str, partitions: Sequence[str]) -> dict[str, Any]:
    """Return the OpenLineage event of one attempt to write a table, without what came of it.

    Args:
        state: ``START``, ``COMPLETE`` or ``FAIL``.
        table: The table.
        bucket: The lake's.
        run: Dagster's run id, a dash, and the attempt's number.
        partitions: The partition keys that were asked for; empty for the whole table.
    """
    told = _event(
        state,
        table.name,
        str(uuid5(NAMESPACE_URL, f"{table.name}/{run}/{','.join(partitions)}")),
        [_dataset(bucket, table.id)],
    )
    facets = told["run"]["facets"]
    parent = _run_id(run.rpartition("-")[0])
    if parent:
        job = {"namespace": "dagster", "name": table.name}
        facets["parent"] = made_facet("1-1-0/ParentRunFacet", run={"runId": parent}, job=job)
    if partitions:
        tag = {"key": "partition", "value": ", ".join(partitions)}
        facets["tags"] = made_facet("1-0-0/TagsRunFacet", tags=[tag])
    return told


def _event(state: str, job: str, run: str, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    engine = made_facet("1-1-1/ProcessingEngineRunFacet", name="headwater", version=_version())
    return {
        "eventType": state,
        "eventTime": datetime.now(UTC).isoformat(),
        "producer": PRODUCER,
        "schemaURL": _SCHEMA,
        "run": {"runId": run, "facets": {"processing_engine": engine}},
        "job": {"namespace": "headwater", "name": job, "facets": {}},
        "inputs": [],
        "outputs": outputs,
    }


def with_outcome(
    event: dict[str, Any], table: Table, bucket: str, published: Published | None, error: HeadwaterError | None
) -> dict[str, Any]:
    """Return an event with what was published, or why nothing was.

    Args:
        event: Of ``write_event``.
        table: The table.
        bucket: The lake's.
        published: What was published; None when it has not been.
        error: Why it failed; None when it has not.
    """
    if error is not None:
        said = made_facet("1-0-0/ErrorMessageRunFacet", message=str(error), programmingLanguage="python")
        event["run"]["facets"]["errorMessage"] = said
    if isinstance(error, CheckFailed):
        event["outputs"][0]["facets"] |= check_facets(error.results)
    # A load that found its files in place has published nothing new.
    if published is not None and published.changed:
        event["outputs"] = [*_outputs(table, bucket, published)]
        if published.reads:
            event["run"]["facets"][READS] = own_facet("reads", reads=[_read(one) for one in published.reads])
    return event


def _outputs(table: Table, bucket: str, published: Published) -> Iterator[dict[str, Any]]:
    written = _dataset(bucket, table.id, rows=published.rows, size=published.bytes, snapshot=published.snapshot_id)
    written["facets"] |= check_facets(published.checks) | shape_facets(published)
    written["outputFacets"] |= profile_facets(published)
    if published.loads:
        written["facets"][LOADS] = own_facet("loads", loads=[asdict(one) for one in published.loads])
    yield written
    if table.rejects:
        yield _dataset(bucket, table.id.rejected, rows=published.rejected)


def _dataset(
    bucket: str, name: TableName, *, rows: int | None = None, size: int | None = None, snapshot: int | None = None
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "namespace": f"s3://{bucket}",
        "name": layout.location(bucket, name).removeprefix(f"s3://{bucket}/"),
        "facets": {},
        "outputFacets": {},
    }
    if snapshot is not None:
        found["facets"]["version"] = made_facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=str(snapshot))
    if rows is not None:
        counts = {"rowCount": rows} if size is None else {"rowCount": rows, "size": size}
        found["outputFacets"]["outputStatistics"] = made_facet("1-0-2/OutputStatisticsOutputDatasetFacet", **counts)
    return found


def _read(one: Read) -> dict[str, Any]:
    snapshot = "" if one.snapshot_id is None else str(one.snapshot_id)
    loads = [{"partition": load.partition, "location": load.location} for load in one.loads]
    return {"table": one.table, "snapshot": snapshot, "partitions": list(one.partitions), "loads": loads}


def _run_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return ""


def _version() -> str:
    return version("headwater")
