"""AWS's protocols, by the service models that botocore carries: what came is checked against them, and what goes, too.

JSON 1.1 (Glue, Athena) names the operation in a header; REST-JSON (EMR Serverless) by method and path.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater_aws_api.signature import Request

    # What is served of a service, by the operation's name.
    Operations = Mapping[str, Callable[[Mapping[str, Any]], Mapping[str, Any]]]

__all__ = ["Answer", "Call", "Operations", "answered", "read_call", "refused"]

# Service by what stands before the point in X-Amz-Target.
_TARGETS = {"AWSGlue": "glue", "AmazonAthena": "athena"}
_REST = "emr-serverless"
# What each service calls a request that does not fit its shape.
_INVALID = {"glue": "InvalidInputException", "athena": "InvalidRequestException", _REST: "ValidationException"}


@dataclass(frozen=True)
class Call:
    """One call of an API.

    Args:
        service: ``glue``, ``athena`` or ``emr-serverless``.
        operation: Its name.
        given: Its parameters, which fit the model.
    """

    service: str
    operation: str
    given: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What goes back.

    Args:
        status: Of HTTP.
        headers: Besides the length.
        body: JSON.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Model:
    """One service's operations and shapes, read from botocore's data at the first call."""

    def __init__(self, service: str) -> None:
        from botocore.loaders import Loader  # noqa: PLC0415 - slow to import
        from botocore.model import ServiceModel  # noqa: PLC0415

        # One service's data is megabytes, of which a few shapes are used; the model keeps what it was asked for.
        self._model = ServiceModel(Loader().load_service_model(service, "service-2"), service)
        self.service = service

    def knows(self, operation: str) -> bool:
        return operation in self._model.operation_names

    def operation(self, name: str) -> Any:
        return self._model.operation_model(name)

    @cached_property
    def paths(self) -> tuple[tuple[str, re.Pattern[str], str], ...]:
        found = []
        for name in self._model.operation_names:
            http = self.operation(name).http
            path = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(http["requestUri"]))
            found.append((http["method"], re.compile(path), name))
        return tuple(found)


@cache
def _model(service: str) -> _Model:
    return _Model(service)


def read_call(request: Request) -> Call:
    """Return what a request asks for.

    Raises:
        AwsError: There is no such operation, or what is given does not fit it.
    """
    target = request.headers.get("x-amz-target")
    return _read_rest(request) if target is None else _read_json(request, target)


def answered(call: Call, result: Mapping[str, Any]) -> Answer:
    """Return the answer to a call; a result that does not fit the model is a fault of this program.

    Raises:
        TypeError: It does not fit.
    """
    shape = _model(call.service).operation(call.operation).output_shape
    body = {} if shape is None else _outgoing(shape, result, call.operation)
    return Answer(200, {"content-type": _content_type(call.service)}, json.dumps(body).encode())


def refused(service: str, error: AwsError) -> Answer:
    """Return an error in the form of a service's protocol."""
    # The services differ in how they spell the member, and clients look for either.
    said = {**error.more, "message": error.sentence, "Message": error.sentence}
    headers = {"content-type": _content_type(service), "x-amzn-errortype": error.code}
    return Answer(error.status, headers, json.dumps({"__type": error.code, **said}).encode())


def _content_type(service: str) -> str:
    return "application/json" if service == _REST else "application/x-amz-json-1.1"


def _read_json(request: Request, target: str) -> Call:
    prefix, _, operation = target.partition(".")
    service = _TARGETS.get(prefix)
    if service is None or not _model(service).knows(operation):
        raise AwsError("UnknownOperationException", f"There is no operation {target!r}.")
    given = _json(request.body, service)
    return Call(service, operation, _checked(service, operation, given))


def _read_rest(request: Request) -> Call:
    model = _model(_REST)
    for method, path, name in model.paths:
        found = path.fullmatch(request.path)
        if found and method == request.method:
            given = _rest_parameters(model.operation(name).input_shape, request, found)
            return Call(_REST, name, _checked(_REST, name, given))
    raise AwsError("UnknownOperationException", f"There is no operation {request.method} {request.path}.", 404)


def _rest_parameters(shape: Any, request: Request, path: re.Match[str]) -> dict[str, Any]:
    given, query = _json(request.body, _REST), parse_qs(request.query, keep_blank_values=True)
    for name, member in (shape.members if shape else {}).items():
        key = member.serialization.get("name", name)
        if member.serialization.get("location") == "uri":
            given[name] = unquote(path[key])
        elif member.serialization.get("location") == "querystring" and key in query:
            given[name] = _from_query(member, query[key])
        elif key in given and key != name:
            given[name] = given.pop(key)
    return given


def _from_query(shape: Any, texts: list[str]) -> Any:
    if shape.type_name == "list":
        return texts
    if shape.type_name == "integer":
        return int(texts[0]) if texts[0].lstrip("-").isdigit() else texts[0]
    if shape.type_name == "boolean":
        return texts[0] == "true"
    return texts[0]


def _json(body: bytes, service: str) -> dict[str, Any]:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"The request is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise AwsError(_INVALID[service], "The request is no JSON object.")
    return given


def _checked(service: str, operation: str, given: dict[str, Any]) -> dict[str, Any]:
    from botocore.validate import ParamValidator  # noqa: PLC0415 - slow to import

    shape = _model(service).operation(operation).input_shape
    if shape is None:
        return {}
    said = {name: value for name, value in given.items() if value is not None}
    report = ParamValidator().validate(said, shape)
    if report.has_errors():
        raise AwsError(_INVALID[service], f"{operation} was not understood: {report.generate_report()}")
    return said


def _outgoing(shape: Any, value: Any, path: str) -> Any:
    """Return a value as JSON takes it, by its shape; absent members are left out."""
    kind = shape.type_name
    if kind == "structure":
        return _outgoing_structure(shape, value, path)
    if kind == "list":
        return [_outgoing(shape.member, one, f"{path}[]") for one in value]
    if kind == "map":
        return {str(key): _outgoing(shape.value, one, f"{path}.{key}") for key, one in value.items() if one is not None}
    if kind == "timestamp":
        return value.timestamp() if isinstance(value, datetime) else float(value)
    if kind == "blob":
        return base64.b64encode(value).decode()
    if not isinstance(value, _PYTHON[kind]) or (kind != "boolean" and isinstance(value, bool)):
        raise TypeError(f"{path} is {type(value).__name__}, and the model wants {kind}")
    return value


_PYTHON: dict[str, Any] = {
    "string": str,
    "integer": int,
    "long": int,
    "boolean": bool,
    "double": (int, float),
    "float": (int, float),
}


def _outgoing_structure(shape: Any, value: Mapping[str, Any], path: str) -> dict[str, Any]:
    if unknown := set(value) - set(shape.members):
        raise TypeError(f"{path} has no member {', '.join(sorted(unknown))}")
    said = {name: one for name, one in value.items() if one is not None}
    if missing := set(shape.metadata.get("required", ())) - set(said):
        raise TypeError(f"{path} lacks {', '.join(sorted(missing))}")
    members = shape.members
    return {
        members[name].serialization.get("name", name): _outgoing(members[name], one, f"{path}.{name}")
        for name, one in said.items()
    }
