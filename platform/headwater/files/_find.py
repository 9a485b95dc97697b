"""From what a caller names to files: folders are walked, objects of the lake are fetched."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.storage import Storage

__all__ = ["Source", "find_sources"]


@dataclass(frozen=True)
class Source:
    """One file as it arrived.

    Args:
        path: Where it lies on this machine.
        name: Its name below what the caller named; kept in the lake.
        shown: What sentences call it.
    """

    path: Path
    name: str
    shown: str


def find_sources(wanted: Sequence[str], storage: Storage, scratch: Path) -> list[Source]:
    """Return the files that a caller named, folders walked, in order.

    Names that begin with a dot or an underscore are passed over in folders: they are marks of other programs.

    Args:
        wanted: Files, folders and ``s3://`` locations, whole or as prefixes.
        storage: The lake's.
        scratch: For objects that are fetched.

    Raises:
        InputError: One is not there, cannot be read, or is a folder that leads back into itself.
    """
    found: list[Source] = []
    for number, text in enumerate(wanted):
        found += _objects(text, storage, scratch / str(number)) if "://" in text else _files(Path(text))
    if not found:
        raise InputError("There is nothing to ingest; name files, folders or s3:// locations.")
    return found


def _files(path: Path) -> list[Source]:
    try:
        if path.is_dir():
            below = list(_walk(path, ()))
            if not below:
                raise InputError(f"The folder {path} has no file to ingest.")
            return [Source(one, one.relative_to(path).as_posix(), str(one)) for one in below]
        _require_file(path)
        _require_utf8(path)
        with path.open("rb"):
            return [Source(path, path.name, str(path))]
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there; check its name.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _walk(folder: Path, above: tuple[tuple[int, int], ...]) -> Iterator[Path]:
    """Yield the files below a folder; links are followed, but never in a circle."""
    here = folder.stat()
    mark = (here.st_dev, here.st_ino)
    if mark in above:
        raise InputError(f"The folder {folder} leads back into a folder above it; remove that link.")
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - sorted by name alone
        path = folder / name
        if name.startswith((".", "_")):
            continue
        if path.is_dir():
            yield from _walk(path, (*above, mark))
        else:
            _require_file(path)
            _require_utf8(path)
            with path.open("rb"):
                yield path


def _require_file(path: Path) -> None:
    # Opening a pipe waits until somebody writes into it.
    if path.exists() and not path.is_file():
        raise InputError(
            f"{path} is no file but a pipe, a socket or a device; write what it holds into a file and ingest that."
        )


def _require_utf8(path: Path) -> None:
    # Python hands over what is no UTF-8 as lone surrogates, which neither DuckDB nor the lake takes, nor can be shown.
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise InputError(f"The name of {shown} is not UTF-8; rename it.") from error


def _objects(uri: str, storage: Storage, scratch: Path) -> list[Source]:
    if not uri.startswith(("s3://", "s3a://")):
        raise InputError(f"{uri} is no file, folder or s3:// location of the lake.")
    listed = [found.uri for found in storage.objects(uri) if found.uri == uri or _is_below(found.uri, uri)]
    if not listed:
        raise InputError(f"{uri} is not there: no object of the lake has that name or lies below it.")
    scratch.mkdir(parents=True)
    made = []
    for number, one in enumerate(listed):
        name = one.removeprefix(uri).lstrip("/") or one.rpartition("/")[2]
        path = scratch / f"{number}-{name.rpartition('/')[2]}"
        with path.open("wb") as file:
            for block in storage.blocks(one):
                file.write(block)
        made.append(Source(path, name, one))
    return made


def _is_below(found: str, uri: str) -> bool:
    rest = found.removeprefix(uri.rstrip("/") + "/")
    return (
        rest != found and not found.endswith("/") and not any(part.startswith((".", "_")) for part in rest.split("/"))
    )
