"""HTTP: one place for every service; a request is checked, read, done and answered in a thread of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from headwater.errors import HeadwaterError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from headwater_aws_api.errors import AwsError, not_served
from headwater_aws_api.protocol import Answer, answered, read_call, refused
from headwater_aws_api.signature import Keys, Request, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request as Received

    from headwater_aws_api.protocol import Call, Operations

__all__ = ["make_app"]

_LOG = logging.getLogger("headwater.aws-api")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# As large as the largest request that the real services take, and more.
_LARGEST = 16 * 1024 * 1024

# How each service calls a fault that is not the caller's.
_INTERNAL = {"glue": "InternalServiceException"}


def make_app(keys: Keys, services: Mapping[str, Operations]) -> Starlette:
    """Return the application.

    Args:
        keys: Whoever signs with these may do everything.
        services: Operations by service and name.
    """

    async def endpoint(received: Received) -> Response:
        if int(received.headers.get("content-length", 0)) > _LARGEST:
            return Response(f"A request has at most {_LARGEST} bytes.", 413)
        body = await received.body()
        request = Request(
            method=received.method,
            path=received.scope["raw_path"].decode("latin-1"),
            query=received.scope["query_string"].decode("latin-1"),
            headers={name.lower(): value for name, value in received.headers.items()},
            body=body,
        )
        answer = await run_in_threadpool(_answer, request, keys, services)
        return Response(answer.body, answer.status, dict(answer.headers))

    return Starlette(routes=[Route("/{rest:path}", endpoint, methods=_METHODS)])


def _answer(request: Request, keys: Keys, services: Mapping[str, Operations]) -> Answer:
    service = ""
    try:
        service = verify(request, keys)
        call = read_call(request)
        return answered(call, _operation(call, services)(call.given))
    except AwsError as error:
        return refused(service, error)
    except HeadwaterError as error:
        return refused(service, AwsError(_INTERNAL.get(service, "InternalServerException"), str(error), 500))
    except Exception:  # noqa: BLE001 - a fault of one call must not end the service
        _LOG.exception("A call of %s failed", service or "a service")
        said = "The box's AWS API failed; see `headwater logs aws-api`."
        return refused(service, AwsError(_INTERNAL.get(service, "InternalServerException"), said, 500))


def _operation(call: Call, services: Mapping[str, Operations]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    found = services.get(call.service, {}).get(call.operation)
    if found is None:
        raise not_served(call.service, call.operation)
    return found
