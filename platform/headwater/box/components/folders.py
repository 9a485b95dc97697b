"""Folders that a start begins with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headwater.box.component import Box

__all__ = ["scratch"]


def scratch(box: Box, component: str) -> Path:
    """Return an empty folder for the temporary files of the process that this one becomes.

    What processes left that are gone is removed; a process that replaces this one keeps its number.
    """
    base = box.data(component) / "tmp"
    base.mkdir(mode=0o700, exist_ok=True)
    mine = base / str(os.getpid())
    for folder in base.iterdir():
        if folder == mine or not Path("/proc", folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
    mine.mkdir(mode=0o700)
    return mine
