"""Backups of a box: what its components keep beside the lake's objects, copied while nothing runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.credentials import CREDENTIALS_FILE
from headwater.errors import ComponentError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from headwater.box.component import Component
    from headwater.box.inventory import Inventory

__all__ = [
    "KEPT",
    "KEPT_DAYS",
    "Backup",
    "backups",
    "check_space",
    "find_backup",
    "kept_by",
    "new_backup",
    "prune",
    "unpack",
]

# A backup goes when this many newer ones are there and it is older than so many days.
KEPT, KEPT_DAYS = 3, 14

_FOLDER, _MANIFEST, _FILES = "backups", "manifest.json", "files"
_FORMAT = 1
_CHUNK = 1 << 20
_MIB = 1 << 20
# Beside the copies: what a migration may write before the old is gone, and logs.
_RESERVE = 256 * _MIB


@dataclass(frozen=True)
class Backup:
    """One backup; its folder is there only when it has been tried out.

    Args:
        folder: Where it is.
        made: When, in UTC, as ISO 8601 has it.
        release: The Headwater that made it.
        schemas: The version of each component's data.
        inventory: What PostgreSQL had, by name: rows and a digest.
        files: The digest of every file by its path; empty for a folder.
        size: Bytes of all files.
    """

    folder: Path
    made: str
    release: str
    schemas: Mapping[str, str]
    inventory: Inventory
    files: Mapping[str, str]
    size: int

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        return self.folder.name.removeprefix(".")


def kept_by(components: Iterable[Component]) -> list[str]:
    """Return what a backup holds, as paths below the box's home; the lake's objects are not among them."""
    kept = [os.path.normpath(f"data/{one.name}/{part}") for one in components for part in one.keeps]
    return [CREDENTIALS_FILE, "tls", *kept]


def backups(home: Path) -> list[Backup]:
    """Return a box's backups that this release can read, newest first."""
    found = []
    for path in sorted((home / _FOLDER).glob(f"[!.]*/{_MANIFEST}"), reverse=True):
        with suppress(ConfigError):
            found.append(_read(path))
    return found


def find_backup(home: Path, name: str | None) -> Backup:
    """Return a backup by its name, the newest for None.

    Raises:
        ConfigError: There is none.
    """
    known = backups(home)
    for one in known:
        if name in (None, one.name):
            return one
    if name is not None and (unread := home / _FOLDER / Path(name).name / _MANIFEST).exists():
        return _read(unread)  # which says what is wrong with it
    if name is None:
        raise ConfigError(f"The box in {home} has no backups yet; `headwater backup` makes one.")
    names = ", ".join(one.name for one in known) or "none"
    raise ConfigError(f"There is no backup {name!r} in {home / _FOLDER}; there are {names}.")


def check_space(home: Path, kept: Iterable[str]) -> None:
    """Refuse to begin where a backup, its trial and the migrations after it would fill the disk.

    Raises:
        ConfigError: They would.
    """
    size = sum(file.stat().st_size for part in kept for file in _walk(home / part) if _is_file(file))
    needed, free = 3 * size + _RESERVE, shutil.disk_usage(home).free
    if free < needed:
        raise ConfigError(
            f"{home} has {free / _MIB:,.0f} MiB free, but a backup, its trial and what follows take up to "
            f"{needed / _MIB:,.0f} MiB. Nothing was changed; free some space, for example by deleting a folder of "
            f"{home / _FOLDER}."
        )


@contextmanager
def new_backup(home: Path, kept: Iterable[str], schemas: Mapping[str, str], inventory: Inventory) -> Iterator[Backup]:
    """Copy what a stopped box keeps; the copy becomes a backup when the body, which tries it out, succeeds.

    Raises:
        ConfigError: The disk is full or cannot be written; what was copied is removed.
    """
    from importlib.metadata import version  # noqa: PLC0415

    now = datetime.now(UTC)
    area = home / _FOLDER
    area.mkdir(mode=0o700, exist_ok=True)
    for left in area.glob(".*"):  # by one that was killed
        shutil.rmtree(left)
    final = area / now.strftime("%Y%m%dT%H%M%SZ")
    partial = area / f".{final.name}"
    partial.mkdir(mode=0o700)
    try:
        with _disk_errors(home):
            files = {path: digest for part in kept for path, digest in _copy(home, part, partial / _FILES)}
            size = sum(file.stat().st_size for file in _walk(partial / _FILES) if _is_file(file))
            made = Backup(partial, now.isoformat(), version("headwater"), dict(schemas), inventory, files, size)
            _write(made)
        yield made
        os.sync()
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def unpack(backup: Backup, into: Path) -> None:
    """Copy a backup's files into an empty folder, holding each against its digest.

    Raises:
        ComponentError: A file is not as it was when the backup was made.
        ConfigError: The disk is full or cannot be written.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(mode=0o700)
    with _disk_errors(into.parent):
        found = dict(_copy(backup.folder / _FILES, ".", into))
    # Folders on the way to what is kept are not in its list.
    found = {path: digest for path, digest in found.items() if digest or path in backup.files}
    wrong = sorted(path for path in {*found, *backup.files} if found.get(path) != backup.files.get(path))
    if wrong:
        shutil.rmtree(into)
        raise ComponentError(
            f"The backup {backup.name} is damaged: {wrong[0]} is not as it was when it was made. Take an older one; "
            "`headwater backup --list` names them."
        )


def prune(home: Path, *, now: datetime | None = None) -> list[str]:
    """Delete backups that are neither among the newest few nor young, and return their names."""
    limit = (now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)
    old = [one for one in backups(home)[KEPT:] if datetime.fromisoformat(one.made) < limit]
    for one in old:
        (one.folder / _MANIFEST).unlink()  # without it the rest is no backup any more
        shutil.rmtree(one.folder)
    return [one.name for one in old]


def _read(path: Path) -> Backup:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ConfigError(f"{path.parent} was made by another release of Headwater, which alone can read it.")
        content["inventory"] = {name: (rows, digest) for name, (rows, digest) in content["inventory"].items()}
        return Backup(folder=path.parent, **content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is damaged ({error}); that backup is lost. Move {path.parent} away.") from error


def _write(backup: Backup) -> None:
    content = {name: value for name, value in asdict(backup).items() if name != "folder"}
    path = backup.folder / _MANIFEST
    path.write_text(json.dumps({"format": _FORMAT, **content}, indent=1) + "\n", encoding="utf-8")


def _copy(source: Path, part: str, target: Path) -> Iterator[tuple[str, str]]:
    """Copy a file or folder below ``source`` to the same place below ``target``; yield each path with its digest."""
    for path in _walk(source / part):
        relative = path.relative_to(source)
        place = target / relative
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.is_symlink():
            place.symlink_to(path.readlink())
            yield str(relative), f"-> {path.readlink()}"
        elif path.is_dir():
            place.mkdir(exist_ok=True)
            yield str(relative), ""
        elif path.is_file():  # sockets are of processes that are gone
            yield str(relative), _copy_file(path, place)
        else:
            continue
        if not path.is_symlink():
            shutil.copystat(path, place)


def _copy_file(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()


def _walk(top: Path) -> Iterator[Path]:
    """Yield a file, or a folder and all in it, folders first; nothing for what is not there."""
    if not os.path.lexists(top):
        return
    yield top
    if top.is_dir() and not top.is_symlink():
        for path in sorted(top.iterdir()):
            yield from _walk(path)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


@contextmanager
def _disk_errors(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise ConfigError(
                f"The disk below {home} is full; what was copied is removed and nothing else was changed. "
                f"Free some space, for example delete a folder of {home / _FOLDER}, and run the command again."
            ) from error
        raise ConfigError(f"{error.filename or home} could not be copied: {error.strerror or error}.") from error
