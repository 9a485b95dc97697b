"""An Iceberg table's files for another place: Iceberg itself writes its metadata anew, with the other paths."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from headwater import layout
from headwater.errors import QueryError, StorageError
from headwater.migrate._copy import Copy
from headwater.migrate._origins import as_s3
from headwater.migrate._plan import replaced_bucket

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.migrate._plan import Origin
    from headwater.stack import Stack
    from headwater.storage import Listed

__all__ = ["iceberg_copies", "staging"]


def staging(origin: Origin, bucket: str) -> str:
    """Return where metadata of a table wait to be copied, with a closing slash; beside the zones, so no table's."""
    return f"s3://{bucket}/_migrate/{origin.name}/"


def iceberg_copies(stack: Stack, origin: Origin, bucket: str) -> Sequence[Copy]:
    """Return every file of a table, its former snapshots' too, with where it goes in another bucket.

    Paths within metadata and delete files lead there already: those are copied from the staging place. The originals
    of ingested files come along.

    Raises:
        StorageError: A file is gone; the table changed meanwhile.
        QueryError: Spark could not rewrite the table's metadata.
    """
    waiting = staging(origin, stack.profile.bucket)
    stack.storage.delete([one.uri for one in stack.storage.objects(waiting)])
    pairs = list(_rewritten(stack, origin, bucket, waiting))
    known = {one.uri: one for one in (*origin.objects, *stack.storage.objects(waiting))}
    found = [_copy(stack, origin, pair, known, waiting) for pair in pairs]
    return [*found, *_originals(origin, found, bucket)]


def _rewritten(stack: Stack, origin: Origin, bucket: str, waiting: str) -> Iterator[tuple[str, str]]:
    """Have Iceberg write the metadata, and yield every file with where it goes."""
    scheme = origin.shape.metadata_location.partition("://")[0]
    text = stack.engine("spark").dialect.ddl_text
    asked = {
        "table": f"{origin.name.zone}.`{origin.name.name}`",
        "source_prefix": f"{scheme}://{stack.profile.bucket}",
        "target_prefix": f"s3://{bucket}",
        "end_version": origin.shape.metadata_location.rpartition("/")[2],
        "staging_location": waiting,
    }
    told = ", ".join(f"{name} => {text(value)}" for name, value in asked.items())
    try:
        [row] = stack.engine("spark").rows(f"CALL spark_catalog.system.rewrite_table_path({told})")
    except QueryError as error:
        raise type(error)(f"The metadata of {origin.name} were not rewritten: {error}") from error
    listed = stack.storage.read(as_s3(row["file_list_location"])).decode()
    for source, target in csv.reader(listed.splitlines()):
        yield as_s3(source), as_s3(target)


def _copy(stack: Stack, origin: Origin, pair: tuple[str, str], known: dict[str, Listed], waiting: str) -> Copy:
    source, target = pair
    found = known.get(source) or next((one for one in stack.storage.objects(source) if one.uri == source), None)
    if found is None:
        raise StorageError(f"{source} of {origin.name} is gone; the table changed meanwhile. Run it again.")
    if not source.startswith(waiting):
        return Copy(found, target, found.tag)
    # Rewriting gives other bytes each time (a file of Avro has a random mark within) that mean the same.
    before = known.get(replaced_bucket(target, stack.profile.bucket))
    return Copy(found, target, f"rewritten {before.tag if before else found.tag}")


def _originals(origin: Origin, copies: Sequence[Copy], bucket: str) -> Iterator[Copy]:
    """Yield what lies beside the files of an ingest: the originals, and what it notes of them."""
    listed = {copy.origin.uri for copy in copies}
    loads = {load.id for load in map(layout.parse_load, listed) if load}
    for one in origin.objects:
        load = layout.parse_load(one.uri)
        if load and load.id in loads and one.uri not in listed:
            yield Copy(one, replaced_bucket(one.uri, bucket), one.tag)
