"""MSCK REPAIR TABLE: which partitions the folders below a table's location are. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["partition_folders"]


def partition_folders(location: str, keys: Sequence[str], uris: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Return the folders that are named as partitions, by the partitions' values.

    >>> partition_folders("s3://b/t", ["y"], ["s3://b/t/y=2019/a.parquet", "s3://b/t/other/b", "s3://b/t/c"])
    {('2019',): 's3://b/t/y=2019'}
    """
    found: dict[tuple[str, ...], str] = {}
    for uri in uris:
        folders = uri.removeprefix(f"{location}/").split("/")[:-1][: len(keys)]
        pairs = [folder.partition("=") for folder in folders]
        if [name.lower() for name, equals, _ in pairs if equals] == list(keys):
            found[tuple(unquote(value) for _, _, value in pairs)] = "/".join([location, *folders])
    return found
