"""Looking at the objects of a target: which there are, and what they hold."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from headwater.errors import InputError

from headwater_aws_api.glue.crawlers._layout import Seen
from headwater_aws_api.glue.crawlers._shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from headwater.storage import Listed, Storage

    from headwater_aws_api.glue.crawlers._settings import Target

__all__ = ["folder_of", "listed", "read_target"]

# Of a large file that brings its types, its two ends say what its columns are.
_WHOLE = 32 * 1024 * 1024
_HEAD, _TAIL = 1024 * 1024, 16 * 1024 * 1024
_BRINGS_TYPES = (b"PAR1", b"ORC", b"Obj\x01")


def folder_of(target: Target, uris: list[str]) -> str:
    """Return the folder that a target means, with a closing slash; that of the file if it is one."""
    place = target.path
    return place.rpartition("/")[0] + "/" if uris == [place] else place.rstrip("/") + "/"


def listed(storage: Storage, target: Target) -> list[Listed]:
    """Return a target's objects, without empty ones and those that engines pass over.

    Raises:
        StorageError: The store does not answer, or there is no such bucket.
    """
    place = target.path
    found = [one for one in storage.objects(place) if one.size and (one.uri == place or _is_below(one.uri, place))]
    return [one for one in found if not _is_hidden(one.uri.removeprefix(place.rstrip("/")))]


def _is_below(uri: str, place: str) -> bool:
    return uri.startswith(place.rstrip("/") + "/") and not uri.endswith("/")


def _is_hidden(path: str) -> bool:
    return any(part.startswith((".", "_")) for part in path.split("/"))


def read_target(
    storage: Storage, target: Target, objects: list[Listed], *, scratch: Path, say: Callable[[str], None]
) -> Iterator[Seen]:
    """Yield what each object holds, one after the other.

    Args:
        storage: Where they lie.
        target: What they belong to.
        objects: They.
        scratch: For one file at a time.
        say: Told why an object is of no table.
    """
    root, known = folder_of(target, [one.uri for one in objects]), dict[tuple[str, str], list[Seen]]()
    for one in objects:
        path = one.uri.removeprefix(root)
        if any(pattern.fullmatch(path) for pattern in target.exclusions):
            yield Seen(one.uri, None)
            continue
        # Those of a folder that are not looked at are like those that were.
        alike = known.setdefault((one.uri.rpartition("/")[0], one.uri.rpartition(".")[2]), [])
        if target.sample is not None and len(alike) >= target.sample:
            yield Seen(one.uri, alike[0].shape)
            continue
        alike.append(_looked(storage, one, scratch, say))
        yield alike[-1]


def _looked(storage: Storage, one: Listed, scratch: Path, say: Callable[[str], None]) -> Seen:
    from headwater.files import look  # noqa: PLC0415 - slow to import

    name = one.uri.rpartition("/")[2]
    folder = scratch / "one"
    folder.mkdir()
    try:
        path = folder / "file"
        _fetch(storage, one, path)
        found = look(path, name, one.uri, folder)
    except InputError as error:
        say(f"WARN: Classification of {one.uri} is UNKNOWN, and it is in no table: {error}")
        return Seen(one.uri, None)
    finally:
        shutil.rmtree(folder)
    if found.remark:
        say(f"WARN: {one.uri}: {found.remark}")
    return Seen(one.uri, shape_of(found))


def _fetch(storage: Storage, one: Listed, path: Path) -> None:
    with path.open("wb") as file:
        if one.size > _WHOLE and storage.read(one.uri, size=4).startswith(_BRINGS_TYPES):
            file.write(storage.read(one.uri, size=_HEAD))
            file.seek(one.size - _TAIL)
            file.write(storage.read(one.uri, start=one.size - _TAIL))
            return
        for block in storage.blocks(one.uri):
            file.write(block)
