"""From a listing to tables: which folder is a table, which folders are its partitions, which files stand alone. Pure.

A table is a folder whose files are all its own, or a list of files in a folder that holds others too. Folders below one
folder whose files are compatible are partitions of one table there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import unquote

from headwater_aws_api.glue.crawlers._shape import Shape, group

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Crawled", "Seen", "find_tables", "level_of"]

# Of the folders below one, so many must be compatible to be partitions of one table.
_MAJORITY = 0.7
# Years, months, days and numbers: what a folder is named that is a part of something.
_PART = re.compile(r"[\d.,_-]+")
_ODD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Seen:
    """One object of a listing.

    Args:
        uri: Where it lies.
        shape: What it holds; None for what is of no table.
    """

    uri: str
    shape: Shape | None


@dataclass(frozen=True, kw_only=True)
class Crawled:
    """One table that was found.

    Args:
        name: What it would be called.
        root: Its folder, with a closing slash.
        shape: Of all of its files.
        files: Where they lie.
        listed: The folder holds other files too, so that the table is a list of files.
        keys: Names of its partition columns.
        partitions: Folders by the partition columns' values.
    """

    name: str
    root: str
    shape: Shape
    files: tuple[str, ...]
    listed: bool = False
    keys: tuple[str, ...] = ()
    partitions: Mapping[tuple[str, ...], str] = field(default_factory=dict)


@dataclass
class _Folder:
    uri: str
    seen: list[Seen] = field(default_factory=list)
    below: dict[str, _Folder] = field(default_factory=dict)


def level_of(folder: str) -> int:
    """Return how deep a folder is; a bucket is at level 1.

    >>> level_of("s3://lake/"), level_of("s3://lake/in/taxis/")
    (1, 3)
    """
    return folder.rstrip("/").count("/") - 1


def find_tables(root: str, seen: Iterable[Seen], *, level: int | None = None) -> list[Crawled]:
    """Return the tables below a folder.

    Args:
        root: The folder, with a closing slash.
        seen: Every object below it that is not empty or hidden.
        level: Where tables are; None to find out.
    """
    top = _Folder(root)
    for one in seen:
        folder = top
        for name in one.uri.removeprefix(root).split("/")[:-1]:
            folder = folder.below.setdefault(name, _Folder(f"{folder.uri}{name}/"))
        folder.seen.append(one)
    return [_named(one) for one in _tables(top, level)]


def _tables(folder: _Folder, level: int | None) -> list[Crawled]:
    own = _own(folder)
    below = {name: _tables(folder.below[name], level) for name in sorted(folder.below)}
    if not folder.seen and (level is None or level_of(folder.uri) >= level):
        whole = _partitioned(folder, below, sure=level is not None)
        if whole is not None:
            parts = set(whole.files)
            rest = [one for found in below.values() for one in found if not parts.issuperset(one.files)]
            return [whole, *rest]
    return [*own, *(one for found in below.values() for one in found)]


def _own(folder: _Folder) -> list[Crawled]:
    """Return the tables of the files that lie in a folder itself."""
    groups = group([(one.uri, one.shape) for one in folder.seen if one.shape is not None])
    whole = len(groups) == 1 and not folder.below and len(groups[0][1]) == len(folder.seen)
    return [
        Crawled(
            name=_folder_name(folder.uri) if len(groups) == 1 else _files_name(uris),
            root=folder.uri,
            shape=shape,
            files=tuple(uris),
            listed=not whole,
        )
        for shape, uris in groups
    ]


def _partitioned(folder: _Folder, below: Mapping[str, list[Crawled]], *, sure: bool) -> Crawled | None:
    """Return the table whose partitions are the folders below one, if most of them are of one table."""
    whole = {name: found[0] for name, found in below.items() if len(found) == 1 and _fills(found[0], folder, name)}
    best: tuple[Shape, list[str]] | None = None
    for kind in sorted({(_key_of(name), found.keys) for name, found in whole.items()}):
        alike = [(name, one.shape) for name, one in whole.items() if (_key_of(name), one.keys) == kind]
        for found in group(alike):
            if best is None or len(found[1]) > len(best[1]):
                best = found
    if best is None or len(best[1]) < _MAJORITY * len(below):
        return None
    names = best[1]
    if len(names) == 1 and not (sure or "=" in names[0] or _PART.fullmatch(names[0])):
        return None
    return _over(folder, {name: whole[name] for name in names}, best[0])


def _fills(table: Crawled, folder: _Folder, name: str) -> bool:
    return table.root == f"{folder.uri}{name}/" and not table.listed


def _over(folder: _Folder, parts: Mapping[str, Crawled], shape: Shape) -> Crawled:
    found: dict[tuple[str, ...], str] = {}
    for name, part in parts.items():
        value = unquote(name.partition("=")[2]) if "=" in name else name
        found |= {(value, *values): place for values, place in (part.partitions or {(): part.root}).items()}
    first = next(iter(parts))
    return Crawled(
        name=_folder_name(folder.uri),
        root=folder.uri,
        shape=shape,
        files=tuple(uri for part in parts.values() for uri in part.files),
        keys=(_key_of(first), *parts[first].keys),
        partitions=found,
    )


def _key_of(name: str) -> str:
    """Return the partition column that a folder's name tells; empty where it tells none."""
    return _plain(name.partition("=")[0]) if "=" in name else ""


def _named(table: Crawled) -> Crawled:
    """Give a name to the partition columns that have none, as Glue does, and make none the name of a column."""
    keys: list[str] = []
    for number, key in enumerate(table.keys):
        wanted = key or f"partition_{number}"
        while wanted in (*table.shape.names, *keys):
            wanted += "_p"
        keys.append(wanted)
    return replace(table, keys=tuple(keys))


def _folder_name(uri: str) -> str:
    return _plain(unquote(uri.rstrip("/").rpartition("/")[2].rpartition("=")[2]))


def _files_name(uris: list[str]) -> str:
    """Return what files have in common, or the name of the first.

    >>> _files_name(["s3://b/sales-2023.csv", "s3://b/sales-2024.csv"]), _files_name(["s3://b/airports.csv"])
    ('sales', 'airports_csv')
    """
    names = [uri.rpartition("/")[2] for uri in uris]
    common = _plain(re.sub(r"[\d\W_]+$", "", _common_start(names))) if len(names) > 1 else ""
    return common or _plain(names[0])


def _common_start(names: list[str]) -> str:
    low, high = min(names), max(names)
    same = next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))
    return low[:same]


def _plain(text: str) -> str:
    return _ODD.sub("_", text.lower()).strip("_") or "table"
