"""Addresses of the pages, and what each asks the store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError, QueryError
from headwater.table import ZONES
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from headwater_catalog.model import FRESHNESS
from headwater_catalog.pages._forms import answered, form_routes, shown_name
from headwater_catalog.pages._render import HERE, VISITOR, render
from headwater_catalog.profiles import read_profile
from headwater_catalog.service.marks import explained_marked, run_marked
from headwater_catalog.service.parameters import Parameters, Wrong
from headwater_catalog.store import WANTS, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from headwater_catalog.pages._site import Site
    from headwater_catalog.service.access import Access
    from headwater_catalog.service.lake import Lake
    from headwater_catalog.store import Reader, Store

    Page = Callable[[Reader, Site, Mapping[str, str]], str]

__all__ = ["page_routes"]

_SHOWN = 200
_HITS = 100
_PATH_DEPTH = 100
_PATH_LIMIT = 2000


def page_routes(
    store: Store, site: Site, access: Access, lake: Lake, sample: Callable[[str], dict[str, Any]]
) -> list[BaseRoute]:
    """Return the routes of all pages and of what they load.

    Args:
        store: What they show.
        site: What they are made with and lead to.
        access: Knows who is logged in.
        lake: Knows what of the past can still be read.
        sample: Gives some rows of a table.
    """
    pages: dict[str, Page] = {
        "/": _search,
        "/table": _table,
        "/column": _column,
        "/lineage": _lineage,
        "/impact": _impact,
        "/health": _health,
        "/glossary": _glossary,
        "/term": _term,
    }
    return [
        *(Route(path, _showing(store, site, access, page), methods=["GET"]) for path, page in pages.items()),
        Route("/run", _showing_past(store, access, partial(_run, lake)), methods=["GET"]),
        Route("/explain", _showing_past(store, access, partial(_explain, lake)), methods=["GET"]),
        Route("/sample", _sampling(sample), methods=["GET"]),
        *form_routes(store, access),
        Mount("/static", StaticFiles(directory=HERE / "static")),
        Mount("/libraries", StaticFiles(directory=site.libraries)),
    ]


def _showing(store: Store, site: Site, access: Access, page: Page) -> Callable[[Request], Any]:
    def shown(given: Mapping[str, str]) -> str:
        with store.reading() as reader:
            return page(reader, site, given)

    return _showing_past(store, access, lambda _, given: shown(given))


def _showing_past(
    store: Store, access: Access, page: Callable[[Store, Mapping[str, str]], str]
) -> Callable[[Request], Any]:
    """Show a page that asks others, too; it holds the store's connection no longer than it needs it."""

    def answer(given: Mapping[str, str]) -> Response:
        return answered(lambda: HTMLResponse(page(store, given).encode(errors="replace")))

    async def endpoint(request: Request) -> Response:
        VISITOR.set(shown_name(access, request))
        return await run_in_threadpool(partial(answer, dict(request.query_params)))

    return endpoint


def _sampling(sample: Callable[[str], dict[str, Any]]) -> Callable[[Request], Any]:
    """Show some rows, or one sentence on why there are none: a part of a table's page, asked for when it is opened."""

    def answer(given: Mapping[str, str]) -> Response:
        try:
            found = sample(Parameters(given, ("name",)).required("name"))
        except (Wrong, NotFound, ComponentError, QueryError) as error:
            return HTMLResponse(render("sample.html", sentence=str(error), found=None).encode(errors="replace"))
        return HTMLResponse(render("sample.html", sentence="", found=found).encode(errors="replace"))

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(partial(answer, dict(request.query_params)))

    return endpoint


def _search(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    """Show the search, or, for a script that types along, its results alone."""
    del site
    filters = ("zone", "owner", "tag", "domain")
    asked = Parameters(given, ("q", *filters, "freshness", "part"))
    narrowed = {name: asked.text(name) for name in filters}
    narrowed["freshness"] = asked.choice("freshness", "", *FRESHNESS)
    query, part = asked.text("q")[:200], asked.choice("part", "page", "results")
    found = reader.search(query, **narrowed, limit=_HITS + 1)["results"]
    context = {"query": query, "narrowed": narrowed, "results": found[:_HITS], "more": len(found) > _HITS}
    if part == "results":
        return render("results.html", **context)
    return render("search.html", here="search", choices=reader.choices(), zones=ZONES, **context)


def _table(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    name = Parameters(given, ("name",)).required("name")
    table = reader.table(name)
    if table["kind"] == "term":
        return _term(reader, site, {"name": table["title"]})
    around = reader.lineage(name, columns=False, direction="both", depth=1, as_of="", limit=_SHOWN)
    edges = {
        way: [one for one in around["edges"] if one[end] == table["name"]]
        for way, end in (("up", "target"), ("down", "source"))
    }
    past = reader.history(name, limit=20)
    return render(
        "table.html",
        here="",
        table=table,
        edges=edges,
        changes=past["changes"],
        edits=past["edits"],
        schema=past["schema"],
        held=read_profile((table["profile"] or {}).get("columns")) or {},
        links=site.links(table),
    )


def _column(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    asked = Parameters(given, ("name", "column"))
    name, column = asked.required("name"), asked.required("column").lower()
    table = reader.table(name)
    ways = {way: _path(reader, str(table["name"]), column, way) for way in ("up", "down")}
    facts = next((one for one in table["columns"] if one["name"] == column), None)
    return render("column.html", here="", table=table, column=column, facts=facts, ways=ways)


def _path(reader: Reader, name: str, column: str, way: str) -> dict[str, Any]:
    """Return a column's path one way, each edge with how many steps away it is, the nearest first."""
    found = reader.lineage(
        name, column=column, columns=True, direction=way, depth=_PATH_DEPTH, as_of="", limit=_PATH_LIMIT
    )
    near, far = ("target", "source") if way == "up" else ("source", "target")
    steps, frontier = {(name, column): 0}, {(name, column)}
    while frontier:
        reached = {
            (one[far], one[f"{far}_column"]): steps[one[near], one[f"{near}_column"]] + 1
            for one in found["columns"]
            if (one[near], one[f"{near}_column"]) in frontier
        }
        frontier = reached.keys() - steps.keys()
        steps |= {end: reached[end] for end in frontier}
    rows = [{**one, "step": steps.get((one[near], one[f"{near}_column"]), 0) + 1} for one in found["columns"]]
    return {**found, "columns": sorted(rows, key=lambda one: (one["step"], one["source"], one["source_column"]))}


def _run(lake: Lake, store: Store, given: Mapping[str, str]) -> str:
    run = Parameters(given, ("run",)).required("run")
    with store.reading() as reader:
        found = reader.run(run)
    return render("run.html", here="", run=run_marked(lake, found))


def _explain(lake: Lake, store: Store, given: Mapping[str, str]) -> str:
    asked = Parameters(given, ("name", "partition", "column"))
    partition, column = asked.text("partition"), asked.text("column").lower()
    with store.reading() as reader:
        found = reader.explain(
            asked.required("name"), partition=partition, column=column, depth=_PATH_DEPTH, limit=_SHOWN
        )
        table = reader.table(str(found["table"]))
    return render("explain.html", here="explain", table=table, found=explained_marked(lake, found))


def _lineage(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    """Show the graph's frame with its first step as a list; a script draws it and goes on from there."""
    del site
    asked = Parameters(given, ("name", "column", "as_of"))
    name, column, as_of = asked.required("name"), asked.text("column").lower(), asked.text("as_of")
    around = reader.lineage(name, columns=False, direction="both", depth=1, as_of=as_of, limit=_SHOWN)
    (title,) = (one["title"] for one in around["nodes"] if one["name"] == around["table"])
    about = {"name": around["table"], "title": title, "column": column, "as_of": as_of}
    return render("lineage.html", here="", around=around, **about)


def _impact(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    asked = Parameters(given, ("name", "column"))
    name, column = asked.required("name"), asked.text("column").lower()
    found = reader.impact(name, column=column, depth=_PATH_DEPTH, limit=_PATH_LIMIT)
    table = reader.table(name)
    return render("impact.html", here="", table=table, column=column, found=found)


def _health(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    want = Parameters(given, ("want",)).choice("want", "", *WANTS)
    return render("health.html", here="health", want=want, found=reader.health(want))


def _glossary(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    Parameters(given, ())
    return render("glossary.html", here="glossary", found=reader.glossary())


def _term(reader: Reader, site: Site, given: Mapping[str, str]) -> str:
    del site
    term = reader.term(Parameters(given, ("name",)).required("name"))
    return render("term.html", here="glossary", term=term)
