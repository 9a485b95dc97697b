"""Alembic's revisions, read from its files: importing those takes their owner's libraries and seconds."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from headwater.box.component import Schema
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["alembic_schema"]

_ASSIGNED = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(\([^)]*\)|[^#\n]*)", re.MULTILINE)


def alembic_schema(folder: Path, found: Iterable[str], *, whose: str) -> Schema:
    """Return how far a database is that Alembic migrates.

    Args:
        folder: The files of its revisions.
        found: The revisions that the database says it has.
        whose: The component, for people.

    Raises:
        ComponentError: The folder holds no revisions.
    """
    steps = [step for path in sorted(folder.glob("*.py")) if (step := _step(path.read_text(encoding="utf-8")))]
    known, replaced = {name for name, _ in steps}, {before for _, befores in steps for before in befores}
    if not known:
        raise ComponentError(f"{folder} holds no revisions of {whose}'s tables; run `headwater fetch`.")
    has = sorted(found)
    strange = sorted(set(has) - known)
    obstacle = (
        f"{whose}'s database was made by a newer Headwater: it has revision {', '.join(strange)}, which this release "
        "does not know. Nothing was changed; start that one."
        if strange
        else ""
    )
    return Schema(",".join(has), ",".join(sorted(known - replaced)), obstacle)


def _step(text: str) -> tuple[str, tuple[str, ...]] | None:
    said = {match[1]: ast.literal_eval(match[2].strip()) for match in _ASSIGNED.finditer(text)}
    if "revision" not in said:
        return None
    before = said.get("down_revision")
    return said["revision"], tuple(before) if isinstance(before, (tuple, list)) else (before,) if before else ()
