"""How many there are of each kind. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KINDS", "counted"]

# What one and several of a kind are called, in the order in which they are counted; scripts read it from the page.
KINDS = {
    "table": ("table", "tables"),
    "files": ("folder of files", "folders of files"),
    "dataset": ("dataset", "datasets"),
    "chart": ("chart", "charts"),
    "dashboard": ("dashboard", "dashboards"),
    "term": ("term", "terms"),
}


def counted(kinds: Iterable[str]) -> str:
    """Return how many of each kind there are; what is of no known kind counts as a table.

    >>> counted(["chart", "table", "chart"])
    '1 table, 2 charts'
    """
    found = Counter(one if one in KINDS else "table" for one in kinds)
    return ", ".join(f"{found[kind]} {words[found[kind] != 1]}" for kind, words in KINDS.items() if found[kind])
