"""Fences: what keeps a write that was taken for dead from publishing after all.

A sweeper first commits a fence on the target, then looks at what the target references, then deletes the rest. A
publish carries the requirement that its stage is not fenced, which the catalog judges on the table as it is under its
lock. So either the fence was first, and the publish is refused; or the publish was first, and the sweeper sees its
files in use.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pyiceberg.exceptions import CommitFailedException, ValidationException
from pyiceberg.table.update import ValidatableTableRequirement

from headwater.errors import PublishConflict, WriteError
from headwater.write._iceberg import iceberg_errors, load, loaded, turned_away

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.metadata import TableMetadata

    from headwater.storage import Storage
    from headwater.write._stage import Stage

__all__ = ["NotFenced", "Unchanged", "commit_fence", "discard", "fence_and_discard"]

_FENCE = "headwater.fenced."
_KEPT = timedelta(days=1)
_TRIES = 40


class NotFenced(ValidatableTableRequirement):
    """The requirement of a commit that nobody fenced its stage."""

    type: Literal["assert-not-fenced"] = "assert-not-fenced"
    target: str
    token: str

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]  # PyIceberg's own name
        """Judge the table as it is under the catalog's lock.

        Raises:
            WriteError: The stage is fenced.
        """
        if base_metadata is not None and _FENCE + self.token in base_metadata.properties:
            raise WriteError(
                f"{self.target} was not published: this run gave no sign of life and was taken for dead. Run it again.",
            )


class Unchanged(ValidatableTableRequirement):
    """The requirement of a commit that the table still is what was judged before.

    PyIceberg would settle a lost race by itself, on a table that nobody judged; it gives up at a ValidationException.
    """

    type: Literal["assert-unchanged"] = "assert-unchanged"
    state: tuple[int | None, int, int]

    @staticmethod
    def state_of(metadata: TableMetadata) -> tuple[int | None, int, int]:
        """Return what a judgement is about: the rows, the columns and the partitions."""
        return metadata.current_snapshot_id, metadata.current_schema_id, metadata.default_spec_id

    def validate(self, base_metadata: TableMetadata | None) -> None:  # type: ignore[override]  # PyIceberg's own name
        """Judge the table as it is under the catalog's lock.

        Raises:
            ValidationException: It is another one.
        """
        if base_metadata is None or self.state_of(base_metadata) != self.state:
            raise ValidationException("the table changed meanwhile")


def discard(catalog: Catalog, storage: Storage, stage: Stage, *, kept: frozenset[str]) -> None:
    """Remove a stage whose fate its own writer knows: its name, and all of its files but some.

    Args:
        catalog: Where it is registered.
        storage: Where its files lie.
        stage: What to remove.
        kept: The files that were published.

    Raises:
        MetastoreError: The metastore does not answer; what is left can be removed later.
    """
    stage.unregister(catalog)
    storage.delete(found.uri for found in storage.objects(stage.location + "/") if found.uri not in kept)


def fence_and_discard(catalog: Catalog, storage: Storage, stage: Stage, *, log: Callable[[str], None]) -> None:
    """Remove a stage whose writer may still be about to publish it: keep it from that, then see what it published.

    Args:
        catalog: Where it is registered.
        storage: Where its files lie.
        stage: What to remove.
        log: Told about waits.

    Raises:
        MetastoreError: The metastore does not answer; what is left can be removed later.
    """
    if loaded(catalog, stage.target) is not None:
        commit_fence(catalog, stage, log)
    target = loaded(catalog, stage.target)
    used = _used_below(target, stage.location + "/") if target is not None else frozenset()
    discard(catalog, storage, stage, kept=used)


def commit_fence(catalog: Catalog, stage: Stage, log: Callable[[str], None]) -> None:
    """Keep a stage from being published from now on.

    Raises:
        PublishConflict: The target is locked by others for too long.
        MetastoreError: The metastore does not answer.
    """
    now = datetime.now(UTC)
    for attempt in range(_TRIES):
        table = load(catalog, stage.target)
        try:
            with iceberg_errors(f"{stage.name} was not fenced"), table.transaction() as transaction:
                old = _old_fences(table.metadata.properties, now)
                if old:
                    transaction.remove_properties(*old)
                transaction.set_properties({_FENCE + stage.token: now.isoformat(timespec="seconds")})
        except CommitFailedException as error:
            if attempt == 0:
                log(turned_away(stage.target, error))
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - no secret
        else:
            return
    raise PublishConflict(f"{stage.target} is locked by another writer for too long. Run it again.")


def _old_fences(properties: Mapping[str, str], now: datetime) -> list[str]:
    fences = {key: value for key, value in properties.items() if key.startswith(_FENCE)}
    return [key for key, value in fences.items() if now - datetime.fromisoformat(value) > _KEPT]


def _used_below(table: IcebergTable, prefix: str) -> frozenset[str]:
    """Return the files below a prefix that any snapshot of a table still reads."""
    used = set()
    seen = set()
    with iceberg_errors(f"The files of {'.'.join(table.name())} cannot be listed"):
        for snapshot in table.metadata.snapshots:
            for manifest in snapshot.manifests(table.io):
                if manifest.manifest_path in seen:
                    continue
                seen.add(manifest.manifest_path)
                entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                used |= {entry.data_file.file_path for entry in entries if entry.data_file.file_path.startswith(prefix)}
    return frozenset(used)
