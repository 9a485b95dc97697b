"""Copying objects from store to store, several at a time; what is there already is not copied again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.storage import Listed, Storage

__all__ = ["Copied", "Copy", "copy_all"]

_AT_ONCE = 4


@dataclass(frozen=True)
class Copy:
    """One object to copy.

    Args:
        origin: The object.
        target: Where to.
        mark: What it is a copy of; an object of the same size with the same mark is not copied again.
    """

    origin: Listed
    target: str
    mark: str


@dataclass(frozen=True)
class Copied:
    """What was copied.

    Args:
        files: Objects that were copied now.
        bytes: Their size.
        there: Objects that were there already.
    """

    files: int
    bytes: int
    there: int


def copy_all(copies: Sequence[Copy], source: Storage, target: Storage, place: str) -> Copied:
    """Copy objects.

    Args:
        copies: What to copy.
        source: Where from.
        target: Where to.
        place: The location below which nearly all of them go.

    Raises:
        StorageError: One was not copied; those that were stay, so that another call goes on from there.
    """
    sizes = {one.uri: one.size for one in target.objects(f"{place}/")}

    def needed(copy: Copy) -> bool:
        # Only of what is listed may the writer's role ask more.
        return sizes.get(copy.target) != copy.origin.size or target.mark_of(copy.target) != copy.mark

    def copied(copy: Copy) -> int | None:
        if not needed(copy):
            return None
        target.take(copy.target, source, copy.origin, copy.mark)
        return copy.origin.size

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        began = [threads.submit(copied, copy) for copy in copies]
        try:
            done = [one.result() for one in began]
        finally:
            threads.shutdown(cancel_futures=True)
    sent = [size for size in done if size is not None]
    return Copied(len(sent), sum(sent), len(done) - len(sent))
