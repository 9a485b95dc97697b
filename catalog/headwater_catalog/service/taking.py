"""Takes what programs tell the catalog: OpenLineage's events, and who reads what."""

from __future__ import annotations

import logging
import zlib
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from headwater_catalog.openlineage import InvalidEvent
from headwater_catalog.queries import read_query
from headwater_catalog.service.access import Denied, read_body
from headwater_catalog.service.answers import as_error, as_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response

    from headwater_catalog.service.access import Access
    from headwater_catalog.store import Store

__all__ = ["Lineage", "Queries"]

_LOG = logging.getLogger("headwater.catalog")
# An event's largest facets are plans and schemas of wide tables; beyond this it is not metadata any more.
_LARGEST_EVENT = 32 * 1024**2


class _Taking:
    """Takes what programs tell, from those that show a token."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store, self._access = store, access

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        return await self._take(request)

    async def _take(self, request: Request) -> Response:
        try:
            person = await self._access.program(request)
            body = await read_body(request, "The event", _LARGEST_EVENT)
        except Denied as error:
            return as_error(error.status, str(error))
        except ComponentError as error:
            return as_error(503, str(error))
        encoding = request.headers.get("content-encoding", "")
        return await run_in_threadpool(self._record, body, encoding, person.name or "token")

    def _record(self, body: bytes, encoding: str, sender: str) -> Response:
        raise NotImplementedError


class Queries(_Taking):
    """Takes who reads what, as Trino tells it."""

    def _record(self, body: bytes, encoding: str, sender: str) -> Response:
        del sender  # the message says who read
        try:
            query = read_query(_unpacked(body, encoding))
            return as_json({"recorded": query is not None and self._store.read_by(query)})
        except InvalidEvent as error:
            _LOG.warning("a message on a query was refused: %s", error)
            return as_error(422, str(error))
        except ComponentError as error:
            return as_error(503, str(error))


class Lineage(_Taking):
    """One path, two verbs: OpenLineage's clients send events to where people ask for lineage.

    Args:
        store: Where events are kept.
        access: Knows who may send them.
        ask: Answers who asks.
    """

    def __init__(self, store: Store, access: Access, ask: Callable[[Request], Awaitable[Response]]) -> None:
        super().__init__(store, access)
        self._ask = ask

    async def _answer(self, request: Request) -> Response:
        return await (self._take(request) if request.method == "POST" else self._ask(request))

    def _record(self, body: bytes, encoding: str, sender: str) -> Response:
        try:
            plain = _unpacked(body, encoding)
            new = self._store.record(plain, sender)
        except InvalidEvent as error:
            return self._refused(body, sender, str(error))
        except ComponentError as error:
            _LOG.warning("an event was not recorded: %s", error)
            return as_error(503, str(error))
        return as_json({"recorded": new}, 201 if new else 200)

    def _refused(self, body: bytes, sender: str, reason: str) -> Response:
        _LOG.warning("an event was refused and kept aside: %s", reason)
        try:
            self._store.refuse(body, sender, reason)
        except ComponentError as error:
            return as_error(503, str(error))
        return as_error(422, reason)


def _unpacked(body: bytes, encoding: str) -> bytes:
    if encoding.lower() not in ("gzip", "deflate"):
        return body
    try:
        unpacker = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever it is
        plain = unpacker.decompress(body, _LARGEST_EVENT)
    except zlib.error as error:
        raise InvalidEvent(f"The event is not packed as it says ({encoding}): {error}.") from error
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise InvalidEvent(f"The event is cut off, or has more than {_LARGEST_EVENT} bytes when unpacked.")
    return plain
