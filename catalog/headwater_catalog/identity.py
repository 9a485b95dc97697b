"""One node per physical table: reads every name that an engine, client or person gives a table. Pure.

A name in any form becomes a ``Reference``; ``resolve`` gives the ``Node`` that it meant at a moment.

    curated.loan                                   what people write
    "iceberg"."curated"."loan", hive.curated.loan  connector names: one metastore stands behind them
    spark_catalog.curated.loan.branch_audit        Spark's, with branches and metadata tables
    s3a://lake/curated/loan/year=2019/x.parquet    locations, with partitions, data and metadata paths
    hive://host:7707/curated.loan                  Spark's symlink facets; AWS Glue's likewise
    trino://host:7702/iceberg.curated.loan         Trino's events
    ["curated", "loan"], curated/loan              Dagster asset keys
    superset:12                                    Superset's datasets; they are learned, never guessed

A stage of the write path is its target. A node is named by what its table was called when it came to be, and since
when that name was free: so a table that is renamed stays itself, and one that takes over its old name is another. A
table that is dropped and made again keeps its node, its history and its docs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from headwater_catalog._names import Location, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ALWAYS", "Known", "Memory", "Node", "Reference", "Rename", "called", "reference", "resolve"]

# Since when a name has been free that was never taken over.
ALWAYS = datetime.min.replace(tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, order=True)
class Node:
    """One physical table.

    Args:
        name: What it was first called, e.g. ``curated.loan``; a location where it has no name.
        born: Since when that name meant this table; ``ALWAYS`` for the first of its name.
    """

    name: str
    born: datetime = ALWAYS


@dataclass(frozen=True, order=True)
class Rename:
    """A table's change of name.

    Args:
        at: When.
        old: Its name before.
        new: Its name since.
    """

    at: datetime
    old: str
    new: str


@dataclass(frozen=True)
class Reference:
    """A name as somebody wrote it.

    Args:
        text: As it was written.
        kind: ``name``, ``connector``, ``location``, ``symlink``, ``trino``, ``asset``, ``dataset`` or ``other``.
        name: The table's name in its normal form; for a location, by the lake's layout, or the table's folder.
        paths: For a location, the table's folder and those above it, the nearest first.
    """

    text: str
    kind: str
    name: str
    paths: tuple[str, ...] = ()

    @property
    def learnable(self) -> str:
        """The key under which a node is found again by a name that has no meaning of its own; empty for the others."""
        return (self.paths[0] if self.paths else self.name) if self.kind in _RANK else ""

    @property
    def kept(self) -> str:
        """What is kept of it as an alias: of a location the table's folder; nothing of a stage, as it passes."""
        if "__stage_" in self.text or "/_stage" in self.text:
            return ""
        scheme, _, rest = self.text.strip().partition("://")
        end = self.paths[0].partition("://")[2] if self.paths else rest
        return f"{scheme}://{end}" if self.kind == "location" else self.text.strip()


class Known(ABC):
    """What has been learned so far; the store and ``Memory`` are the two."""

    @abstractmethod
    def renames(self, name: str) -> Sequence[Rename]:
        """Return the renames from and to a name."""

    @abstractmethod
    def learned(self, keys: Sequence[str]) -> Mapping[str, Node]:
        """Return the nodes that were seen under locations and other names without meaning of their own."""


def reference(text: str, bucket: str) -> Reference:
    """Read a name in any of its forms.

    Args:
        text: As somebody wrote it.
        bucket: The lake's; locations elsewhere are nobody's by their look.

    Raises:
        ValueError: It is empty.
    """
    if not text.strip():
        raise ValueError("A table's name is empty; give zone.name, a location or another of its names.")
    kind, found = read(text.strip(), bucket)
    if isinstance(found, Location):
        return Reference(text, kind, found.name, found.paths)
    return Reference(text, kind, found)


def resolve(references: Iterable[Reference], known: Known, at: datetime) -> Node:
    """Return the node that several names of one table meant at a moment.

    A name wins over a location, because a stage or a renamed table may lie elsewhere than its name says; a location
    that was learned wins over one that only looks like a table's.

    Raises:
        ValueError: There is no name at all.
    """
    ordered = sorted(references, key=lambda one: (_RANK.get(one.kind, 0), one.text))
    if not ordered:
        raise ValueError("A table without any name cannot be found; give at least one.")
    if ordered[0].kind in _RANK:
        paths = [path for one in ordered for path in (one.paths or (one.name,))]
        found = known.learned(paths)
        nearest = next((found[path] for path in paths if path in found), None)
        if nearest is not None:
            return nearest
    return _owner(ordered[0].name, known, at)


# The kinds that say less than a name does, the better first; their meaning is looked up before it is guessed.
_RANK = {"location": 1, "dataset": 2, "other": 3}


def _owner(name: str, known: Known, at: datetime) -> Node:
    """Follow a name back through renames to what the table was first called."""
    while True:
        past = [one for one in known.renames(name) if one.at <= at and name in (one.old, one.new)]
        last = max(past, key=lambda one: (one.at, one.new == name, one.old, one.new), default=None)
        if last is None:
            return Node(name)
        if last.new != name:
            return Node(name, last.at)  # it was given up then; this is who took it over
        name, at = last.old, last.at - _INSTANT


def called(node: Node, known: Known, at: datetime) -> str:
    """Return what a table is called at a moment."""
    name, since = node.name, node.born
    while True:
        after = [one for one in known.renames(name) if one.old == name and since < one.at <= at]
        if not after:
            return name
        following = min(after)
        name, since = following.new, following.at


class Memory(Known):
    """What has been learned, in memory: for a statement, a test, or another project.

    Args:
        renames: Renames in any order.
        bucket: The lake's.
    """

    def __init__(self, renames: Iterable[Rename] = (), bucket: str = "lake") -> None:
        self._bucket = bucket
        self._renames = frozenset(renames)
        self._learned: dict[str, Node] = {}
        self.aliases: dict[Node, set[str]] = {}

    def renames(self, name: str) -> Sequence[Rename]:
        """Return the renames from and to a name."""
        return sorted(one for one in self._renames if name in (one.old, one.new))

    def learned(self, keys: Sequence[str]) -> Mapping[str, Node]:
        """Return the nodes that were seen under these names."""
        return {key: self._learned[key] for key in keys if key in self._learned}

    def see(self, *texts: str, at: datetime | None = None) -> Node:
        """Resolve names of one table and remember them all."""
        references = [reference(text, self._bucket) for text in texts]
        node = resolve(references, self, at or datetime.now(UTC))
        for one in references:
            self.aliases.setdefault(node, set()).add(one.text)
            if one.learnable:
                self._learned[one.learnable] = node
        return node
