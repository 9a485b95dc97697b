"""Asking a program whether it works: its probe, and what it says when it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from headwater.box.component import Box
    from headwater.box.programs import Program

__all__ = ["why_not_ready"]


def why_not_ready(box: Box, program: Program) -> str:
    """Use a program once; return why that failed, empty when it worked."""
    try:
        program.component.probe(box, program.role)
    except HeadwaterError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a half-started service may answer anything at all
        return f"{type(error).__name__}: {error}"
    return ""
