"""Reads facets as they come: anything may be missing, of another type, or hold what no database keeps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

__all__ = ["facet", "listed", "moment", "number", "text"]


def facet(facets: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a facet's fields, empty when it is not there."""
    found = facets.get(name)
    return (found.model_extra or {}) if found is not None else {}


def listed(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of a list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list | tuple) else []


def text(value: object) -> str:
    """Return what a database can keep of a text or number."""
    if not isinstance(value, str | int | float):
        return ""
    return str(value).replace("\x00", "").encode(errors="replace").decode()


def number(value: object) -> int | None:
    """Return a count."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def moment(value: object) -> datetime | None:
    """Return a time with a zone."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo else None
