"""PyIceberg's errors as ours, and the few questions that several steps ask of a table."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pyiceberg import exceptions
from thrift.Thrift import TException

from headwater import ddl
from headwater.errors import MetastoreError
from headwater.full_disk import full_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyiceberg.catalog import Catalog
    from pyiceberg.manifest import DataFile, ManifestEntry
    from pyiceberg.table import Table as IcebergTable

    from headwater.table import TableName

__all__ = [
    "RUN_MARK",
    "STAGE_MARK",
    "TABLE_PROPERTIES",
    "TRIES",
    "iceberg_errors",
    "live_entries",
    "live_files",
    "load",
    "loaded",
    "turned_away",
    "wait_turn",
]

# In a snapshot's summary: who published it; no snapshot of anybody else has it.
RUN_MARK = "headwater.run"
# In a snapshot's summary: the token of the stage whose files it took.
STAGE_MARK = "headwater.stage"
# Of every table that is read.
TABLE_PROPERTIES = {
    "format-version": str(ddl.FORMAT_VERSION),
    # Every publish writes a metadata file; readers need the last few.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}
# Attempts at a commit that others keep winning.
TRIES = 20
_LONGEST_WAIT = 4.0
# They have no common base.
_KNOWN = tuple(kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception))


@contextmanager
def iceberg_errors(failure: str) -> Iterator[None]:
    """Raise what PyIceberg, Thrift, AWS or the network raise as a MetastoreError that begins with a sentence.

    ``CommitFailedException`` and ``ValidationException`` pass: they say that somebody else was first.
    """
    try:
        yield
    except (exceptions.CommitFailedException, exceptions.ValidationException):
        raise
    except (*_KNOWN, TException, BotoCoreError, ClientError, OSError) as error:
        said = getattr(error, "message", None) or str(error) or type(error).__name__
        why = full_disk(said) or f"{said}. See that the metastore and the object store run."
        raise MetastoreError(f"{failure}: {why}") from error


def turned_away(target: object, error: Exception) -> str:
    """Return in a sentence why a commit is tried again."""
    if "acquire lock" in str(error):
        return f"{target}: waiting for its lock; a write that was killed in its commit holds it for about a minute"
    return f"{target}: another writer was first, trying again"


def wait_turn(attempt: int, target: object, error: Exception, log: Callable[[str], None]) -> None:
    """Wait before a commit is tried again, longer each time and never as long as the others; the first time say why."""
    if attempt == 0:
        log(turned_away(target, error))
    time.sleep(random.uniform(0.5, 1) * min(0.1 * 2**attempt, _LONGEST_WAIT))  # noqa: S311 - no secret


def loaded(catalog: Catalog, name: TableName) -> IcebergTable | None:
    """Return a table as it is now, or None when there is none."""
    with iceberg_errors(f"{name} cannot be loaded"):
        try:
            return catalog.load_table((name.zone, name.name))
        except exceptions.NoSuchTableError:
            return None


def load(catalog: Catalog, name: TableName) -> IcebergTable:
    """Return a table as it is now.

    Raises:
        MetastoreError: There is none.
    """
    table = loaded(catalog, name)
    if table is None:
        raise MetastoreError(f"{name} is not in the metastore; it was dropped meanwhile. Run it again to make it anew.")
    return table


def live_entries(table: IcebergTable) -> Iterator[ManifestEntry]:
    """Yield what the current snapshot reads, delete files too, straight from its manifests."""
    snapshot = table.current_snapshot()
    for manifest in snapshot.manifests(table.io) if snapshot else ():
        yield from manifest.fetch_manifest_entry(table.io, discard_deleted=True)


def live_files(table: IcebergTable) -> Iterator[DataFile]:
    """Yield the files that the current snapshot reads, delete files too."""
    return (entry.data_file for entry in live_entries(table))
