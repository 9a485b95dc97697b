"""Addresses of the pages, and what each asks the store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError, QueryError
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from headwater_catalog.pages._forms import answered, form_routes, shown_name
from headwater_catalog.pages._render import HERE, VISITOR, render
from headwater_catalog.pages._shown import PAGES, PATH_DEPTH, SHOWN
from headwater_catalog.service.marks import explained_marked, run_marked
from headwater_catalog.service.parameters import Parameters, Wrong
from headwater_catalog.store import NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from headwater_catalog.pages._shown import Page
    from headwater_catalog.pages._site import Site
    from headwater_catalog.service.access import Access
    from headwater_catalog.service.lake import Lake
    from headwater_catalog.store import Store

__all__ = ["page_routes"]


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
    return [
        *(Route(f"/{name}", _showing(store, site, access, page), methods=["GET"]) for name, page in PAGES.items()),
        Route("/run", _showing_past(store, access, partial(_run, lake, site)), methods=["GET"]),
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


def _run(lake: Lake, site: Site, store: Store, given: Mapping[str, str]) -> str:
    run = Parameters(given, ("run",)).required("run")
    with store.reading() as reader:
        found = reader.run(run)
    return render("run.html", here="", run=run_marked(lake, found), dagster=site.dagster_run(found))


def _explain(lake: Lake, store: Store, given: Mapping[str, str]) -> str:
    asked = Parameters(given, ("name", "partition", "column"))
    partition, column = asked.text("partition"), asked.text("column").lower()
    with store.reading() as reader:
        found = reader.explain(
            asked.required("name"), partition=partition, column=column, depth=PATH_DEPTH, limit=SHOWN
        )
        table = reader.table(str(found["table"]))
    return render("explain.html", here="explain", table=table, found=explained_marked(lake, found))
