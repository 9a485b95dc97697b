"""Whether a request was signed with the box's keys: Signature Version 4, computed by botocore itself. Pure."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Keys", "Request", "verify"]

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request"
    r",\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]{64})"
)
_TIMESTAMP = "%Y%m%dT%H%M%SZ"
# As far as clocks may differ.
_TOLERANCE = timedelta(minutes=5)
# Without these in the signature, somebody who sees a request could send another one under it.
_ALWAYS_SIGNED = {"host"}


@dataclass(frozen=True)
class Keys:
    """The one login that is let in.

    Args:
        access: The access key.
        secret: The secret key.
    """

    access: str
    secret: str


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came.

    Args:
        method: ``POST`` and the like.
        path: As sent, still quoted.
        query: What follows the question mark.
        headers: By lower-case name.
        body: Its bytes.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


def verify(request: Request, keys: Keys, now: datetime | None = None) -> str:
    """Return the service that a request is signed for.

    Raises:
        AwsError: It is not signed, or with other keys, or too long ago, or was changed on its way.
    """
    header = request.headers.get("authorization")
    if not header:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    found = _AUTHORIZATION.fullmatch(header.strip())
    if found is None:
        raise AwsError("IncompleteSignatureException", "Authorization header is no complete Signature Version 4.", 403)
    if found["key"] != keys.access:
        raise AwsError("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    _check_time(_timestamp(request, found["day"]), now or datetime.now(UTC))
    signed = set(found["headers"].split(";"))
    if not signed >= _ALWAYS_SIGNED or not signed <= set(request.headers):
        raise _wrong("the signed headers are not all there")
    wanted = _signature(request, keys, found, signed)
    if not hmac.compare_digest(wanted, found["signature"]):
        raise _wrong("check the secret key: `headwater credentials -o env` gives it")
    return found["service"]


def _timestamp(request: Request, day: str) -> datetime:
    text = request.headers.get("x-amz-date", "")
    try:
        said = datetime.strptime(text, _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError as error:
        raise AwsError(
            "IncompleteSignatureException", f"X-Amz-Date is {text!r}, no time of a signature.", 403
        ) from error
    if not text.startswith(day):
        raise _wrong("its day is not that of X-Amz-Date")
    return said


def _check_time(said: datetime, now: datetime) -> None:
    if abs(said - now) > _TOLERANCE:
        verb = "expired" if said < now else "not yet current"
        raise AwsError(
            "InvalidSignatureException",
            f"Signature {verb}: it is of {said:{_TIMESTAMP}}, and here it is {now:{_TIMESTAMP}}. Set the clock.",
            403,
        )


def _signature(request: Request, keys: Keys, found: re.Match[str], signed: set[str]) -> str:
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - slow to import
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    class OnlySigned(SigV4Auth):  # type: ignore[misc]  # botocore has no types
        def headers_to_sign(self, given: Any) -> Any:
            """Take those that the client names: it signs fewer than it sends."""
            return given.headers

    address = f"http://{request.headers['host']}{request.path}"
    sent = AWSRequest(
        method=request.method,
        url=f"{address}?{request.query}" if request.query else address,
        headers={name: request.headers[name] for name in signed},
        data=request.body,
    )
    sent.context["timestamp"] = request.headers["x-amz-date"]
    auth = OnlySigned(Credentials(keys.access, keys.secret), found["service"], found["region"])
    _check_hash(request, auth.payload(sent))
    signature: str = auth.signature(auth.string_to_sign(sent, auth.canonical_request(sent)), sent)
    return signature


def _check_hash(request: Request, actual: str) -> None:
    """What is signed is what a header says of the body, so that must be true of the body that came."""
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed not in (None, actual):
        raise _wrong("its body is not the one that X-Amz-Content-SHA256 tells of")


def _wrong(why: str) -> AwsError:
    return AwsError(
        "InvalidSignatureException",
        f"The request signature we calculated does not match the signature you provided: {why}.",
        403,
    )
