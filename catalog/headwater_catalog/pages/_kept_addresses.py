"""Addresses in a folder of pages: files beside each other, so that a disk serves them as web servers do. Pure."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from headwater_catalog.pages._addresses import Addresses

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["FolderAddresses", "file_name"]

# What every file system takes as it is, and tells apart; all else gets a digest of the whole behind a tilde.
_PLAIN = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,98}[a-z0-9_-])?")
# Names that some file systems keep for devices.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_FILTERS = ("q", "zone", "owner", "tag", "domain", "freshness")


def file_name(text: str) -> str:
    """Return a name that is a file's, whatever a text holds: the same for the same, another for any other.

    >>> file_name("curated.loan_vintage"), file_name("../a b")
    ('curated.loan_vintage', 'a_b~bbcd0a46a0')
    """
    if _PLAIN.fullmatch(text) and not _DEVICES.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:10]
    return f"{re.sub(r'[^a-z0-9]+', '_', text.lower()).strip('_')[:40]}~{digest}"


class FolderAddresses(Addresses):
    """Where pages of a folder are, as seen from one of them.

    Args:
        known: The columns of every table that has pages, by its name; terms are there under ``term:`` and their name.
        wants: What the health page can be narrowed to.
        of: The moment that the pages are of.
        here: The page that leads to others.
    """

    script = "defer"
    # A disk's pages have no origin, so its scheme stands beside it; the graph is laid out by a worker made of a text.
    policy = (
        "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file:; worker-src blob:; "
        "form-action 'self' file:; base-uri 'none'"
    )

    def __init__(
        self, known: Mapping[str, frozenset[str]], wants: frozenset[str], of: datetime, here: str = "index.html"
    ) -> None:
        self._known, self._wants, self._here = known, wants, here
        self.of = self._moment = of

    def seen_from(self, here: str) -> FolderAddresses:
        """Return the same as seen from another page."""
        return FolderAddresses(self._known, self._wants, self._moment, here)

    def page(self, name: str, given: Mapping[str, str]) -> str:
        """Return the address of a page; empty where the folder has none."""
        place = self.place(name, given)
        if not place:
            return ""
        if name == "":
            asked = {one: text for one, text in given.items() if one in _FILTERS}
            return self.file(place) + (f"?{urlencode(asked, errors='replace')}" if asked else "")
        column = given.get("column", "") if name == "lineage" else ""
        return self.file(place) + (f"#{quote(column, safe='', errors='replace')}" if column else "")

    def place(self, name: str, given: Mapping[str, str]) -> str:
        """Return where in the folder a page is; empty where there is none."""
        called, want = given.get("name", ""), given.get("want", "")
        single = {
            "": "index.html",
            "glossary": "glossary.html",
            "health": f"health-{file_name(want)}.html" if want in self._wants else "health.html",
            "term": f"term/{file_name(called)}.html" if f"term:{called}" in self._known else "",
        }
        if name in single or called not in self._known or given.get("as_of"):
            return single.get(name, "")
        return self._of_table(name, called, given.get("column", ""))

    def _of_table(self, name: str, called: str, column: str) -> str:
        table = f"table/{file_name(called)}"
        whole = {"table": "index", "lineage": "lineage", "impact": "impact"}
        if name in whole and (name == "lineage" or not column):
            return f"{table}/{whole[name]}.html"
        if name in ("column", "impact") and column in self._known[called]:
            return f"{table}/{name}/{file_name(column)}.html"
        return ""

    def file(self, path: str) -> str:
        """Return the address of a file of the folder."""
        return "../" * self._here.count("/") + path

    def time(self, at: datetime) -> str:
        """Return a time as it is: pages that are kept do not grow older by themselves."""
        return f"{at:%Y-%m-%d %H:%M} UTC"
