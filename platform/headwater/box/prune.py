"""``headwater fetch --prune``: what older releases fetched goes, what this one needs or anybody runs stays."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

from headwater.box.fetch import alone_in
from headwater.box.lockfile import read_lock, this_platform
from headwater.box.runtimes import MARK, Runtimes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from headwater.box.lockfile import FetchSettings, Lock

__all__ = ["Pruned", "prune_cache"]

# All that a fetch makes in the cache; nothing else in that folder is ever touched.
_RUNTIMES, _DOWNLOADS, _WORK = "runtimes", "downloads", ("partial", "scratch")


@dataclass(frozen=True)
class Pruned:
    """What pruning did.

    Args:
        removed: Names of the folders and files that are gone.
        kept: Runtimes of other releases that stay, with the process that uses each.
        freed: Bytes that are free now.
    """

    removed: tuple[str, ...]
    kept: tuple[str, ...]
    freed: int


def prune_cache(settings: FetchSettings, console: Console, *, lock: Lock | None = None) -> Pruned:
    """Remove runtimes and downloads that this release's lock file does not name, when no process uses them.

    Args:
        settings: Where the cache is.
        console: Where it is told that another fetch is waited for.
        lock: What this release needs; the lock file's content when None.

    Raises:
        FetchError: The cache cannot be written.
    """
    from headwater.box.download import disk_errors  # noqa: PLC0415 - slow to import

    lock, removed, kept, freed = lock or read_lock(), [], [], 0
    with alone_in(settings, console), disk_errors(settings.cache):
        used = _used(settings.cache / _RUNTIMES)
        for path in _unknown(settings.cache, lock):
            if path in used:
                kept.append(f"{path.name} ({used[path]})")
                continue
            freed += _size(path)
            removed.append(path.name)
            _remove(path)
    return Pruned(tuple(removed), tuple(kept), freed)


def _unknown(cache: Path, lock: Lock) -> Iterator[Path]:
    runtimes, here = Runtimes(cache, lock), this_platform()
    known = {runtimes.folder(one) for one in lock.runtimes.values()}
    files = {file.sha256 for one in lock.runtimes.values() for file in one.files_for(here)}
    yield from (path for path in _children(cache / _RUNTIMES) if path not in known)
    yield from (path for path in _children(cache / _DOWNLOADS) if path.name not in files)
    for area in _WORK:  # of fetches that were killed: none is at work now
        yield from (path for path in _children(cache / area) if cache / _RUNTIMES / path.name not in known)


def _used(folder: Path) -> dict[Path, str]:
    """Return which runtimes a process of any box was started from, or with, and which process that is."""
    found: dict[Path, str] = {}
    top = f"{folder}{os.sep}"
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            said = [process.exe(), process.cwd(), *process.cmdline()]
            for text in said:
                for part in text.split(top)[1:]:
                    name = part.partition(os.sep)[0].partition(os.pathsep)[0]
                    found.setdefault(folder / name, f"{process.name()}, pid {process.pid}")
    return found


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    """Return the bytes that are freed with a folder or file; a file that is linked elsewhere, too, frees none."""
    if path.is_file() or path.is_symlink():
        return path.lstat().st_blocks * 512 if path.lstat().st_nlink == 1 else 0
    return sum(_size(one) for one in path.iterdir())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        (path / MARK).unlink(missing_ok=True)  # without it the rest counts for nothing, should this be cut off
        shutil.rmtree(path)
    else:
        path.unlink()
