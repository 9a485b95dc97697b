"""The lock file: every file that the box is made of, by coordinate, size and sha256; never by URL."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "ANY",
    "HERE",
    "LOCK",
    "FetchSettings",
    "Lock",
    "LockedFile",
    "LockedModule",
    "LockedRuntime",
    "read_lock",
    "this_platform",
    "write_lock",
]

HERE = Path(__file__).parent
LOCK = HERE / "runtimes.lock"
ANY = "any"
_FORMAT = 1
_MACHINES = {"x86_64": "linux-x86_64", "aarch64": "linux-aarch64"}


@dataclass(frozen=True)
class FetchSettings:
    """Where runtimes go and where they come from.

    Args:
        cache: Folder of downloads and runtimes.
        pypi_mirror: Simple index instead of pip's.
        maven_mirror: Repository instead of Maven's.
        go_mirror: Module proxy instead of Go's.
        npm_mirror: Registry instead of npm's.
        jobs: Downloads at once.
        keep_downloads: Keep archives that have been unpacked.
    """

    cache: Path
    pypi_mirror: str | None
    maven_mirror: str | None
    go_mirror: str | None
    npm_mirror: str | None
    jobs: int
    keep_downloads: bool = False


@dataclass(frozen=True)
class LockedFile:
    """One file of a registry.

    Args:
        registry: ``pypi``, ``maven`` or ``npm``.
        coordinate: ``project==version``, ``group:artifact:version[:classifier][@extension]`` or ``package@version``.
        name: The file's name there.
        sha256: Of its bytes.
        size: In bytes; None, never in the lock file itself, where the index does not tell.
        platform: The platform it is for, or ``any``.
    """

    registry: str
    coordinate: str
    name: str
    sha256: str
    size: int | None
    platform: str = ANY


@dataclass(frozen=True)
class LockedModule:
    """One Go module; its own go.sum vouches for what it needs.

    Args:
        path: The module's path.
        version: Its version.
        sum: The ``h1:`` hash that go.sum would hold.
    """

    path: str
    version: str
    sum: str


@dataclass(frozen=True)
class LockedRuntime:
    """One runtime: what its folder is made of and how.

    Args:
        name: What others call it.
        version: Shown to people and part of the folder's name.
        recipe: Which of ``headwater.box.recipes`` makes the folder.
        main: A file without which the folder is not whole.
        disk: MB that making it takes at its peak.
        files: All its files, for every platform.
        module: The Go module it is built from.
        needs: Runtimes that must be there while it is made.
        sources: Files beside the lock that also decide what it holds.
        options: What else the recipe wants to know.
    """

    name: str
    version: str
    recipe: str
    main: str
    disk: int
    files: tuple[LockedFile, ...] = ()
    module: LockedModule | None = None
    needs: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def files_for(self, here: str) -> tuple[LockedFile, ...]:
        """Return the files that a platform needs."""
        return tuple(file for file in self.files if file.platform in (ANY, here))

    def folder(self, here: str) -> str:
        """Return the name of its folder, which changes with everything that decides what the folder holds."""
        made_of = {
            "recipe": self.recipe,
            "files": [(file.name, file.sha256) for file in self.files_for(here)],
            "module": self.module and asdict(self.module),
            "sources": [hashlib.sha256((HERE / source).read_bytes()).hexdigest() for source in self.sources],
            "options": dict(self.options),
            "python": sys.version_info[:2] if self.recipe == "venv" else None,
        }
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        return f"{self.name}-{self.version}-{digest[:8]}"


@dataclass(frozen=True)
class Lock:
    """Everything that ``headwater fetch`` fetches.

    Args:
        runtimes: By name, in the order in which to begin.
    """

    runtimes: Mapping[str, LockedRuntime]

    def find(self, name: str) -> LockedRuntime:
        """Return one runtime.

        Raises:
            FetchError: There is none of that name.
        """
        if name not in self.runtimes:
            raise FetchError(f"There is no runtime {name!r}; there are {', '.join(sorted(self.runtimes))}.")
        return self.runtimes[name]

    def with_needs(self, names: Iterable[str] | None) -> tuple[LockedRuntime, ...]:
        """Return some runtimes (all when None), each after those that it needs, else in the lock's order."""
        chosen = set(self.runtimes if names is None else names)
        for name in chosen:
            self.find(name)
        found: dict[str, LockedRuntime] = {}
        for name in self.runtimes:
            if name in chosen:
                self._collect(name, found)
        return tuple(found.values())

    def _collect(self, name: str, found: dict[str, LockedRuntime]) -> None:
        for need in self.find(name).needs:
            self._collect(need, found)
        found[name] = self.find(name)


@functools.cache
def this_platform() -> str:
    """Return this machine's platform as the lock names it.

    Raises:
        FetchError: There are no runtimes for it.
    """
    system, machine, (libc, _) = platform.system(), platform.machine(), platform.libc_ver()
    if system != "Linux" or machine not in _MACHINES or libc != "glibc":
        named = " ".join(filter(None, (system, machine, libc)))
        raise FetchError(
            f"There are no runtimes for {named}: they exist for Linux with glibc on {' and '.join(_MACHINES)}. "
            "Run the box on such a machine, or in a container of one."
        )
    return _MACHINES[machine]


@functools.cache
def read_lock(path: Path = LOCK) -> Lock:
    """Return the lock file's content.

    Raises:
        FetchError: It is absent or not readable by this version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise FetchError(f"{path} has format {content['format']}, this version reads {_FORMAT}: update Headwater.")
        return Lock({name: _runtime(name, entry) for name, entry in content["runtimes"].items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FetchError(f"{path} cannot be read ({error!r}); run `headwater lock` to make it anew.") from error


def write_lock(lock: Lock, path: Path = LOCK) -> None:
    """Write a lock file, replaced whole."""
    runtimes = {name: _plain(runtime) for name, runtime in lock.runtimes.items()}
    partial = path.with_name(f".{path.name}.new")
    partial.write_text(json.dumps({"format": _FORMAT, "runtimes": runtimes}, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
    read_lock.cache_clear()


def _runtime(name: str, entry: Mapping[str, Any]) -> LockedRuntime:
    given = dict(entry)
    given["files"] = tuple(LockedFile(**file) for file in given.get("files", ()))
    given["module"] = LockedModule(**given["module"]) if given.get("module") else None
    for key in ("needs", "sources"):
        given[key] = tuple(given.get(key, ()))
    return LockedRuntime(name=name, **given)


def _plain(runtime: LockedRuntime) -> dict[str, Any]:
    entry = {key: value for key, value in asdict(runtime).items() if value and key not in ("name", "files")}
    if runtime.files:
        entry["files"] = [
            {key: value for key, value in asdict(file).items() if (key, value) != ("platform", ANY)}
            for file in runtime.files
        ]
    return entry
