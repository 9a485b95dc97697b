"""REST under ``/api/v1``, and the pages: reading is open on the box's own address, writing needs the token."""

from __future__ import annotations

import logging
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError, QueryError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from headwater_catalog.pages import error_page, page_routes
from headwater_catalog.service._kinds import values
from headwater_catalog.service.access import Access
from headwater_catalog.service.answers import as_error, as_json
from headwater_catalog.service.edits import edit_routes
from headwater_catalog.service.headers import SafeHeaders
from headwater_catalog.service.marks import explained_marked, history_marked, lineage_marked, run_marked
from headwater_catalog.service.openapi import described
from headwater_catalog.service.parameters import Wrong
from headwater_catalog.service.questions import QUESTIONS, SAMPLE
from headwater_catalog.service.taking import Lineage, Queries
from headwater_catalog.store import NotFound, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from headwater_catalog.pages import Site
    from headwater_catalog.service.lake import Lake
    from headwater_catalog.service.questions import Question
    from headwater_catalog.service.samples import Samples

__all__ = ["make_app"]

_LOG = logging.getLogger("headwater.catalog")
# What of an answer is asked of the lake, when the catalog's memory has given its own.
_FINISHED = {"lineage": lineage_marked, "history": history_marked, "run": run_marked, "explain": explained_marked}


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
    asked = {one.path: _asking(store, one, partial(_FINISHED[one.path], lake) if one.path in _FINISHED else dict)
             for one in QUESTIONS}  # fmt: skip
    lineage = Lineage(store, access, asked.pop("lineage"))
    api = described(version("headwater"))
    routes = [
        Route("/api/v1/lineage", lineage, methods=["GET", "POST"]),
        Route("/api/v1/queries", Queries(store, access), methods=["POST"]),
        *(Route(f"/api/v1/{path}", endpoint) for path, endpoint in asked.items()),
        Route("/api/v1/sample", _answering(lambda given: SAMPLE.ask(samples, **values(SAMPLE.parameters, given)))),
        Route("/api/v1/openapi.json", _answering(lambda _: api)),
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


def _asking(store: Store, question: Question, finish: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """Answer from the store; what ``finish`` adds is asked of others, when the store's connection is free again."""

    def asked(given: Mapping[str, str]) -> dict[str, Any]:
        read = values(question.parameters, given)
        with store.reading() as reader:
            found = question.ask(reader, **read)
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
