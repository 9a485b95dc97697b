"""Where the catalog shows a table, for those that link to it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["table_page"]


def table_page(profile: Profile, name: str) -> str:
    """Return the address of a table's page."""
    return f"{profile.url('catalog')}/table?{urlencode({'name': name})}"
