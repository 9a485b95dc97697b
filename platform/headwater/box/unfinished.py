"""The note that stands in a box while an upgrade or a restore is half done, so that nobody starts half a box."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Unfinished", "require_finished", "take_note", "unfinished"]

_NOTE = "unfinished.json"


@dataclass(frozen=True)
class Unfinished:
    """What was begun.

    Args:
        command: ``upgrade`` or ``restore``.
        backup: The backup that it made, or goes back to.
    """

    command: str
    backup: str


def unfinished(home: Path) -> Unfinished | None:
    """Return what was begun and not finished; None when all is well."""
    try:
        return Unfinished(**json.loads((home / _NOTE).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def take_note(home: Path, begun: Unfinished | None) -> None:
    """Note what is being done, or None that it is finished; on disk before this returns."""
    if begun is None:
        (home / _NOTE).unlink(missing_ok=True)
        return
    partial = home / f".{_NOTE}"
    with partial.open("w", encoding="utf-8") as file:
        json.dump(asdict(begun), file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(home / _NOTE)


def require_finished(home: Path, *, but: str = "") -> None:
    """Refuse to go on while a box is half upgraded or half restored.

    Args:
        home: The box's.
        but: The command whose own unfinished work is no reason.

    Raises:
        ComponentError: It is; the sentence says how to go on or back.
    """
    begun = unfinished(home)
    if begun is None or begun.command == but:
        return
    on = "" if begun.command == "restore" else "`headwater upgrade` goes on, "
    raise ComponentError(
        f"The {begun.command} of the box in {home} was cut off: {on}`headwater restore {begun.backup}` goes "
        f"{'on' if begun.command == 'restore' else 'back to the backup made before it'}."
    )
