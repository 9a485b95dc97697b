"""All pages of one moment as files in a folder, that a disk or any web server can show without the catalog."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.table import ZONES

from headwater_catalog.pages._addresses import ADDRESSES
from headwater_catalog.pages._bundle import bundled
from headwater_catalog.pages._kept_addresses import FolderAddresses, file_name
from headwater_catalog.pages._render import HERE, render
from headwater_catalog.pages._shown import PAGES
from headwater_catalog.pages._whole import whole_folder
from headwater_catalog.store import SEARCH_WEIGHTS, WANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from headwater_catalog.pages._site import Site
    from headwater_catalog.store import Entry, Reader, Store

__all__ = ["Kept", "keep_pages"]

_MARK = ".headwater-catalog"
# Tables beside a table, and column edges from and to it, that the graph can draw.
_MOST = 10_000
_LIBRARIES = ("d3/dist/d3.min.js", "d3/LICENSE", "elkjs/lib/elk-api.js", "elkjs/LICENSE.md")
_WORKER = "elkjs/lib/elk-worker.min.js"


@dataclass(frozen=True)
class Kept:
    """What was written.

    Args:
        tables: Tables, charts, dashboards, folders of files and terms.
        pages: Pages.
    """

    tables: int
    pages: int


def keep_pages(store: Store, site: Site, target: Path, told: Callable[[int, int], None] = lambda *_: None) -> Kept:
    """Write every page into a folder, whole or not at all.

    Args:
        store: What they show.
        site: What they are made with and lead to.
        target: The folder; a former export gives way.
        told: Called with how many of how many tables are done.

    Raises:
        InputError: The folder is another's or cannot be written.
        ComponentError: PostgreSQL does not answer.
    """
    with whole_folder(target, _MARK) as folder, store.reading() as reader:
        entries = {one.name: one for one in reader.inventory()}
        known = {name: frozenset(one.columns) for name, one in entries.items()}
        addresses = FolderAddresses(known, frozenset(WANTS), datetime.now(UTC))
        _keep_files(site, folder)
        writer = _Writer(reader, site, folder, addresses, entries)
        writer.overview()
        for at, one in enumerate(entries.values(), 1):
            writer.entry(one)
            told(at, len(entries))
    return Kept(len(entries), writer.pages)


def _keep_files(site: Site, folder: Path) -> None:
    """Copy what pages load; of the scripts those that need no server."""
    modules = {one.stem: one.read_text(encoding="utf-8") for one in (HERE / "static/graph").glob("*.js")}
    modules["asked"] = (HERE / "kept/asked.js").read_text(encoding="utf-8")
    _write(folder / "static/graph/page.js", bundled(modules, "page"))
    modules["search"] = (HERE / "kept/search.js").read_text(encoding="utf-8")
    _write(folder / "static/search.js", bundled(modules, "search"))
    for name in ("icon.svg", "style.css", "shell.js"):
        shutil.copyfile(HERE / "static" / name, folder / "static" / name)
    for name in _LIBRARIES:
        (folder / "libraries" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(site.libraries / name, folder / "libraries" / name)
    worker = (site.libraries / _WORKER).read_text(encoding="utf-8")
    _write(folder / "libraries/elkjs/lib/elk-worker.js", f"window.headwaterElk = {json.dumps(worker)};\n")


class _Writer:
    """Writes pages.

    Args:
        reader: What they show, all of one moment.
        site: What they lead to.
        folder: Where to.
        addresses: Where each page is.
        entries: All that have pages, by name.
    """

    def __init__(
        self, reader: Reader, site: Site, folder: Path, addresses: FolderAddresses, entries: Mapping[str, Entry]
    ) -> None:
        self._reader, self._site, self._folder = reader, site, folder
        self._addresses, self._entries = addresses, entries
        self.pages = 0

    def overview(self) -> None:
        """Write search, glossary and health."""
        self._keep("index.html", lambda: _found(self._reader, list(self._entries.values())))
        self._page("glossary")
        for want in ("", *WANTS):
            self._page("health", **({"want": want} if want else {}))

    def entry(self, one: Entry) -> None:
        """Write the pages of a table, or of whatever else has some."""
        if one.kind == "term":
            self._page("term", name=one.title)
            return
        self._page("table", name=one.name)
        self._page("impact", name=one.name)
        self._page("lineage", name=one.name)
        place = self._folder / "table" / file_name(one.name) / "graph.js"
        _write(place, f"(window.headwaterKept ??= new Map()).set({_js(one.name)}, {_js(self._graph(one.name))});\n")
        for column in one.columns:
            self._page("column", name=one.name, column=column)
            self._page("impact", name=one.name, column=column)

    def _page(self, page: str, **given: str) -> None:
        self._keep(self._addresses.place(page, given), lambda: PAGES[page](self._reader, self._site, given))

    def _keep(self, place: str, made: Callable[[], str]) -> None:
        """Write one page; what leads nowhere in a folder is text there and no link."""
        with _seen_from(self._addresses.seen_from(place)):
            _write(self._folder / place, made().replace(' href=""', ""))
        self.pages += 1

    def _graph(self, name: str) -> dict[str, Any]:
        """Return what the graph asks of a table: its columns, and what is beside it."""
        ask = partial(self._reader.lineage, name, direction="both", depth=1, as_of="", limit=_MOST)
        around = ask(columns=False, neighbours=True)
        keys = ("name", "kind", "title", "owner", "dropped", "upstreams", "downstreams")
        nodes = [
            {key: one[key] for key in keys} | {"at": f"table/{file_name(one['name'])}"}
            for one in around["nodes"]
            if one["name"] in self._entries
        ]
        edges = [
            {**one, "origins": dict.fromkeys(one["origins"], 1)}
            for one in around["edges"]
            if {one["source"], one["target"]} <= self._entries.keys()
        ]
        columns = [{"name": one["name"], "type": one["type"]} for one in self._reader.table(name)["columns"]]
        flows = ask(columns=True)["columns"]
        return {"nodes": nodes, "edges": edges, "columns": columns, "columnEdges": flows}


def _found(reader: Reader, entries: Sequence[Entry]) -> str:
    """Return the page of the search with every table in it; a script shows those that fit."""
    freshness = {
        one["name"]: which
        for which in ("fresh", "stale")
        for one in reader.search("", freshness=which, limit=len(entries))["results"]
    }
    results = [
        {
            **vars(one),
            "tags": one.tags,
            "in": "",
            "matched": "",
            "found_by": {
                "said": one.said,
                "name": one.name,
                "kind": one.kind,
                "owner": one.owner,
                "domain": one.domain,
                "tags": one.all_tags,
                "freshness": freshness.get(one.name, ""),
            },
        }
        for one in entries
    ]
    narrowed = dict.fromkeys(("zone", "owner", "tag", "domain", "freshness"), "")
    context = {"query": "", "narrowed": narrowed, "results": results, "more": False, "weights": SEARCH_WEIGHTS}
    return render("search.html", here="search", choices=reader.choices(), zones=ZONES, **context)


@contextmanager
def _seen_from(addresses: FolderAddresses) -> Iterator[None]:
    before = ADDRESSES.set(addresses)
    try:
        yield
    finally:
        ADDRESSES.reset(before)


def _js(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, default=str)


def _write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8", errors="replace")
