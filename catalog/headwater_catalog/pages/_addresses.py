"""Where pages and files are: of the running catalog here; a folder of pages has its own."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ADDRESSES", "Addresses", "ago", "link", "page_of"]

_SPANS = ((86400 * 365, "year"), (86400 * 30, "month"), (86400, "day"), (3600, "hour"), (60, "minute"))


class Addresses:
    """Addresses in the running catalog, where every page is and every script is a module."""

    script = 'type="module"'
    # The moment that pages are of, where that is not now.
    of: datetime | None = None
    # What a page may load and run, where no server's header says it.
    policy = ""

    def page(self, name: str, given: Mapping[str, str]) -> str:
        """Return the address of a page; empty where there is no such page."""
        return f"/{name}?{urlencode(given, errors='replace')}" if given else f"/{name}"

    def file(self, path: str) -> str:
        """Return the address of what a page loads."""
        return f"/{path}"

    def time(self, at: datetime) -> str:
        """Return a time as people read it."""
        return ago(at)


ADDRESSES: ContextVar[Addresses] = ContextVar("addresses", default=Addresses())  # noqa: B039 - it holds nothing


def link(page: str, **parameters: object) -> str:
    """Return the address of a page; whatever a name holds, it stays one parameter."""
    given = {name: str(value) for name, value in parameters.items() if value not in ("", None)}
    return ADDRESSES.get().page(page, given)


def page_of(name: str) -> str:
    """Return the address of the page that shows a table, or a term of the glossary."""
    kind, _, title = name.partition(":")
    return link("term", name=title) if kind == "term" and title else link("table", name=name)


def ago(at: datetime, now: datetime | None = None) -> str:
    """Return how long ago something was, in one unit."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    for length, name in _SPANS:
        count = int(abs(seconds) // length)
        if count:
            span = f"{count} {name}{'s' if count > 1 else ''}"
            return f"{span} ago" if seconds > 0 else f"in {span}"
    return "just now"
