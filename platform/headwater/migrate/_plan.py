"""What a migration would do with each table, and what that costs. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headwater.words import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.metastores.shapes import Shape
    from headwater.storage import Listed
    from headwater.table import TableName

__all__ = ["FROM", "TO", "Origin", "Plan", "Step", "decide", "files_state", "replaced_bucket", "state_of"]

# Parameters of a table that was copied: what of, and what it was right afterwards.
FROM, TO = "migrated_from", "migrated_to"

# Prices of us-east-1.
_DOLLARS_A_REQUEST = 0.005 / 1000
_DOLLARS_A_GB_MONTH = 0.023
_DOLLARS_A_TB_READ = 5.0
_LEAST_READ = 10 * 1024**2
_GB, _TB = 1024**3, 1024**4
# An object of more than this is sent in parts, with a request that begins and one that ends it.
_PART = 16 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A table of the box.

    Args:
        name: Its name.
        shape: What the metastore says of it.
        iceberg: Whether it is an Iceberg table; else it lies over files as they are.
        objects: What lies where it lies; of an Iceberg table some of it may be garbage, which is not copied.
        obstacle: Why it cannot be copied, to follow its name; empty when it can.
    """

    name: TableName
    shape: Shape
    iceberg: bool
    objects: tuple[Listed, ...] = field(repr=False)
    obstacle: str = ""

    @property
    def state(self) -> str:
        """A text that changes when anything of the table does."""
        return self.shape.metadata_location if self.iceberg else files_state(self.shape, self.objects)

    @property
    def size(self) -> int:
        """Bytes of its objects."""
        return sum(one.size for one in self.objects)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to one table.

    Args:
        origin: The table.
        location: Where it will lie.
        action: ``copy``; ``update`` a former copy; ``replace`` what is there. Nothing: ``same``, ``refuse``, ``skip``.
        why: Of what is refused or skipped, why, to follow its name.
        before: What Glue says of the table now.
    """

    origin: Origin
    location: str
    action: str
    why: str = ""
    before: Shape | None = None

    @property
    def copies(self) -> bool:
        """Whether something will be copied."""
        return self.action in ("copy", "update", "replace")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a migration would do.

    Args:
        steps: One for each table.
        views: Names of views, which are not copied.
    """

    steps: tuple[Step, ...]
    views: tuple[str, ...] = ()

    @property
    def work(self) -> tuple[Step, ...]:
        """The steps that copy something."""
        return tuple(step for step in self.steps if step.copies)

    @property
    def refused(self) -> tuple[Step, ...]:
        """The steps that somebody has to decide on first."""
        return tuple(step for step in self.steps if step.action == "refuse")

    @property
    def costs(self) -> tuple[str, ...]:
        """Sentences on what AWS asks money for."""
        sizes = [one.size for step in self.work for one in step.origin.objects]
        requests = sum(_requests(size) for size in sizes)
        read = sum(max(step.origin.size, _LEAST_READ) for step in self.work)
        writing, keeping = requests * _DOLLARS_A_REQUEST, sum(sizes) / _GB * _DOLLARS_A_GB_MONTH
        return (
            f"S3: at most {amount(requests, 'request')} to write, {writing:.2f} dollars.",
            f"S3: at most {sum(sizes) / _GB:.2f} GB more to keep, {keeping:.2f} dollars a month.",
            f"Athena: reads each copy once to compare it, at most {read / _TB * _DOLLARS_A_TB_READ:.2f} dollars.",
            "Glue: tables and partitions cost from the millionth on.",
        )


def decide(origin: Origin, there: Shape | None, *, location: str, replace: bool = False) -> Step:
    """Return what happens to a table.

    Args:
        origin: The table.
        there: What Glue says of a table of that name; None where there is none.
        location: Where the copy will lie.
        replace: Whatever is there gives way.
    """
    action, why = _action(origin, there)
    if action == "refuse" and replace:
        action, why = "replace", ""
    return Step(origin=origin, location=location, action=action, why=why, before=there)


def _action(origin: Origin, there: Shape | None) -> tuple[str, str]:
    if origin.obstacle:
        return "skip", origin.obstacle
    if there is None:
        return "copy", ""
    if FROM not in there.parameters:
        return "refuse", "is in Glue already and no copy of a migration"
    if there.parameters.get(TO) != state_of(there):
        return "refuse", "was changed on AWS since it was copied"
    return ("same", "") if there.parameters[FROM] == origin.state else ("update", "")


def state_of(shape: Shape) -> str:
    """Return a text that is equal for equal states of a table in Glue."""
    return shape.metadata_location or shape.digest


def files_state(shape: Shape, objects: Sequence[Listed]) -> str:
    """Return a text that is equal for tables over files with equal columns, partitions and files."""
    told = sorted((one.uri, one.size, one.tag) for one in objects)
    return hashlib.sha256(json.dumps([shape.digest, told]).encode()).hexdigest()


def replaced_bucket(uri: str, bucket: str) -> str:
    """Return a location in another bucket.

    >>> replaced_bucket("s3a://lake/curated/a/data/0.parquet", "cloud")
    's3://cloud/curated/a/data/0.parquet'
    """
    key = uri.partition("://")[2].partition("/")[2]
    return f"s3://{bucket}/{key}" if key else f"s3://{bucket}"


def _requests(size: int) -> int:
    return 1 if size < _PART else -(-size // _PART) + 2
