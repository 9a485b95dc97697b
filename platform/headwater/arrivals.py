"""Which files lie in a raw table's folder, and whether they are others than before."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from headwater.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headwater.table import Table

__all__ = ["ARRIVALS", "WHOLE", "arrivals", "fingerprint"]

# Metadata of a raw materialization: the fingerprint of the files that were loaded, by partition key.
ARRIVALS = "arrivals"
# Stands for the one partition of a table without partitions.
WHOLE = ""


def arrivals(table: Table, project: Path) -> Mapping[str, tuple[Path, ...]]:
    """Return the files in a raw table's folder by partition key, keys and files in order.

    Args:
        table: A raw table.
        project: Folder with ``headwater.toml``.

    Raises:
        InputError: Something that is no file has the name of one; passing it over would lose it without a word.
    """
    if table.files is None:
        return {}
    pattern, folder = re.compile(table.files.pattern), project / table.files.folder
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = pattern.fullmatch(path.name)
        if match:
            _require_file(path, table)
            found.setdefault(match["key"] if table.partitioning else WHOLE, []).append(path)
    return {key: tuple(found[key]) for key in sorted(found)}


def _require_file(path: Path, table: Table) -> None:
    if path.is_file():
        return
    kind = "a folder" if path.is_dir() else "a link to nothing" if path.is_symlink() else "no file"
    raise InputError(f"{path} has the name of a file of {table}, but it is {kind}; move it away or put the file there.")


def fingerprint(files: Sequence[Path]) -> str:
    """Return a short text that changes when a file comes, goes or is written anew."""
    states = [(path.name, path.stat()) for path in files]
    told = "\n".join(f"{name} {state.st_size} {state.st_mtime_ns}" for name, state in states)
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:16]
