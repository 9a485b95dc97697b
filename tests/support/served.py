"""Whose project a box serves, as tests change it for a while."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.profile import Profile

__all__ = ["served"]


@contextmanager
def served(profile: Profile) -> Iterator[None]:
    """Have the box serve a project for a while; `headwater up` would start Dagster anew, which no dashboard needs."""
    file = profile.home / "run" / "project"
    before = file.read_text()
    file.write_text(str(profile.project))
    try:
        yield
    finally:
        file.write_text(before)
