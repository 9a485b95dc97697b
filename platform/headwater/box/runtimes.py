"""Where a fetched runtime lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.box.lockfile import read_lock, this_platform
from headwater.errors import FetchError

if TYPE_CHECKING:
    from pathlib import Path

    from headwater.box.lockfile import Lock, LockedRuntime

__all__ = ["MARK", "Runtimes"]

# Written last into a runtime's folder: a folder without it is half-made and counts for nothing.
MARK = ".headwater-runtime"


class Runtimes:
    """The runtimes of a cache, as the lock file of this version wants them.

    Args:
        cache: The folder that ``headwater fetch`` filled.
        lock: What there is; the lock file's content when None.
    """

    def __init__(self, cache: Path, lock: Lock | None = None) -> None:
        self._cache, self._given = cache, lock

    @property
    def _lock(self) -> Lock:
        return self._given or read_lock()

    def path(self, name: str) -> Path:
        """Return a runtime's folder.

        Raises:
            FetchError: It has not been fetched, or there is none of that name.
        """
        runtime = self._lock.find(name)
        folder = self.folder(runtime)
        if not self.complete(runtime):
            raise FetchError(f"The runtime {name} {runtime.version} is not in {self._cache}; run `headwater fetch`.")
        return folder

    def version(self, name: str) -> str:
        """Return a runtime's version, fetched or not."""
        return self._lock.find(name).version

    def folder(self, runtime: LockedRuntime) -> Path:
        """Return the folder a runtime has or will have."""
        return self._cache / "runtimes" / runtime.folder(this_platform())

    def complete(self, runtime: LockedRuntime) -> bool:
        """Return whether a runtime's folder is there and whole."""
        folder = self.folder(runtime)
        return (folder / MARK).is_file() and (folder / runtime.main).exists()
