"""What a load of a raw table consists of, kept beside its files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.metastores.base import RawLoad
    from headwater.storage import Storage

__all__ = ["Loaded", "read_manifest", "write_manifest"]

# Engines skip names that begin with an underscore.
_NAME = "_files.json"


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """One file of a load.

    Args:
        name: Its name when it arrived.
        size: Its bytes.
        sha256: Their digest.
        lines: Its lines, empty ones too.
        fields: How many fields its lines have.
    """

    name: str
    size: int
    sha256: str
    lines: int
    fields: int


def write_manifest(storage: Storage, prefix: str, files: Sequence[Loaded]) -> None:
    """Keep what a load consists of."""
    storage.put(prefix + _NAME, json.dumps([asdict(file) for file in files]).encode())


def read_manifest(storage: Storage, load: RawLoad) -> list[Loaded]:
    """Return the files of a load."""
    return [Loaded(**entry) for entry in json.loads(storage.read(load.location + _NAME))]
