"""REST under ``/api/v1``, and the pages: reading is open on the box's own address, writing needs the token."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError, QueryError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from headwater_catalog.model import FRESHNESS
from headwater_catalog.pages import error_page, page_routes
from headwater_catalog.service.access import Access
from headwater_catalog.service.answers import as_error, as_json
from headwater_catalog.service.edits import edit_routes
from headwater_catalog.service.headers import SafeHeaders
from headwater_catalog.service.marks import explained_marked, history_marked, lineage_marked, run_marked
from headwater_catalog.service.parameters import Parameters, Wrong
from headwater_catalog.service.taking import Lineage, Queries
from headwater_catalog.store import WANTS, NotFound, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from headwater_catalog.pages import Site
    from headwater_catalog.service.lake import Lake
    from headwater_catalog.service.samples import Samples
    from headwater_catalog.store import Reader

__all__ = ["make_app"]

_LOG = logging.getLogger("headwater.catalog")
_LARGEST_ANSWER = 10_000
_DEEPEST = 100


def make_app(store: Store, token: str, *, hosts: Sequence[str], site: Site, lake: Lake, samples: Samples) -> ASGIApp:
    """Return the application.

    Args:
        store: What it answers from.
        token: What a writer must show.
        hosts: The names it is called by; a page elsewhere cannot make a browser call it by another.
        site: What the pages are made with and lead to.
        lake: Knows what of the past can still be read.
        samples: Looks into tables.
    """
    access = Access(store, token)
    asked = _asking(store, _lineage, partial(lineage_marked, lake))
    routes = [
        Route("/api/v1/lineage", Lineage(store, access, asked), methods=["GET", "POST"]),
        Route("/api/v1/queries", Queries(store, access), methods=["POST"]),
        Route("/api/v1/search", _asking(store, _search)),
        Route("/api/v1/table", _asking(store, _table)),
        Route("/api/v1/impact", _asking(store, _impact)),
        Route("/api/v1/history", _asking(store, _history, partial(history_marked, lake))),
        Route("/api/v1/run", _asking(store, _run, partial(run_marked, lake))),
        Route("/api/v1/explain", _asking(store, _explain, partial(explained_marked, lake))),
        Route("/api/v1/health", _asking(store, _health)),
        Route("/api/v1/sample", _answering(lambda given: samples.rows(Parameters(given, ("name",)).required("name")))),
        Route("/api/v1/glossary", _asking(store, _glossary)),
        Route("/api/v1/term", _asking(store, _term)),
        Route("/api/v1/audit", _asking(store, _audit)),
        Route("/api/v1/user", _asking(store, _users)),
        *edit_routes(store, access),
        *page_routes(store, site, access, lake, samples.rows),
    ]
    failures: dict[Any, Any] = {404: _missing, 405: _missing, Exception: _failed}
    app = Starlette(
        routes=routes,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers=failures,
    )
    return SafeHeaders(app)


def _search(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("q", "zone", "owner", "tag", "domain", "freshness", "limit"))
    return reader.search(
        asked.required("q")[:200],
        zone=asked.text("zone"),
        owner=asked.text("owner"),
        tag=asked.text("tag"),
        domain=asked.text("domain"),
        freshness=asked.choice("freshness", "", *FRESHNESS),
        limit=asked.number("limit", 20, 200),
    )


def _table(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    return reader.table(Parameters(given, ("name",)).required("name"))


def _history(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("name", "limit"))
    return reader.history(asked.required("name"), limit=asked.number("limit", 50, 1000))


def _run(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    return reader.run(Parameters(given, ("run",)).required("run"))


def _explain(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("name", "partition", "column", "depth", "limit"))
    return reader.explain(
        asked.required("name"),
        partition=asked.text("partition"),
        column=asked.text("column").lower(),
        depth=asked.number("depth", _DEEPEST, _DEEPEST),
        limit=asked.number("limit", 200, _LARGEST_ANSWER),
    )


def _health(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("want", "limit"))
    return reader.health(asked.choice("want", "", *WANTS), limit=asked.number("limit", 500, _LARGEST_ANSWER))


def _lineage(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("name", "column", "columns", "direction", "depth", "as_of", "limit", "neighbours"))
    return reader.lineage(
        asked.required("name"),
        column=asked.text("column").lower(),
        columns=asked.choice("columns", "false", "true") == "true",
        direction=asked.choice("direction", "both", "up", "down"),
        depth=asked.number("depth", 3, _DEEPEST),
        as_of=asked.text("as_of"),
        limit=asked.number("limit", 1000, _LARGEST_ANSWER),
        neighbours=asked.choice("neighbours", "false", "true") == "true",
    )


def _impact(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("name", "column", "depth", "limit"))
    return reader.impact(
        asked.required("name"),
        column=asked.text("column").lower(),
        depth=asked.number("depth", _DEEPEST, _DEEPEST),
        limit=asked.number("limit", 1000, _LARGEST_ANSWER),
    )


def _glossary(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    return reader.glossary(Parameters(given, ("limit",)).number("limit", 1000, _LARGEST_ANSWER))


def _term(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    asked = Parameters(given, ("name", "limit"))
    return reader.term(asked.required("name"), asked.number("limit", 500, _LARGEST_ANSWER))


def _audit(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    return {"edits": reader.audit(Parameters(given, ("limit",)).number("limit", 100, _LARGEST_ANSWER))}


def _users(reader: Reader, given: Mapping[str, str]) -> dict[str, Any]:
    Parameters(given, ())
    return {"users": reader.logins()}


def _asking(
    store: Store,
    ask: Callable[[Reader, Mapping[str, str]], dict[str, Any]],
    finish: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Callable[..., Any]:
    """Answer from the store; what ``finish`` adds is asked of others, when the store's connection is free again."""

    def asked(given: Mapping[str, str]) -> dict[str, Any]:
        with store.reading() as reader:
            found = ask(reader, given)
        return finish(found)

    return _answering(asked)


def _answering(ask: Callable[[Mapping[str, str]], dict[str, Any]]) -> Callable[..., Any]:
    def answer(given: Mapping[str, str]) -> Response:
        try:
            return as_json(ask(given))
        except Wrong as error:
            return as_error(400, str(error))
        except NotFound as error:
            return as_error(404, str(error))
        except (ComponentError, QueryError) as error:
            return as_error(503, str(error))

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(answer, dict(request.query_params))

    return endpoint


async def _missing(request: Request, error: Exception) -> Response:
    return _problem(
        request, getattr(error, "status_code", 404), f"The catalog has no {request.method} {request.url.path}."
    )


async def _failed(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _problem(request, 500, "The catalog failed; see `headwater logs catalog`.")


def _problem(request: Request, status: int, sentence: str) -> Response:
    """Tell programs in JSON and people on a page."""
    if request.url.path.startswith("/api/"):
        return as_error(status, sentence)
    return error_page(status, sentence)
