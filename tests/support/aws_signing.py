"""Requests as AWS clients send them, made without sending any."""

from __future__ import annotations

import json
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from headwater_aws_api.signature import Keys, Request

KEYS = Keys("headwater", "secret")


def request_for(
    target: str | None, given: dict[str, Any], method: str = "POST", path: str = "/", query: str = ""
) -> Request:
    """Return a request that need not be signed."""
    headers = {} if target is None else {"x-amz-target": target}
    return Request(method, path, query, headers, json.dumps(given).encode())


def signed_headers(target: str, body: bytes, host: str = "testserver") -> dict[str, str]:
    """Return the headers of a call to a host, signed with ``KEYS``."""
    service = "glue" if target.startswith("AWSGlue") else "athena"
    sent = AWSRequest("POST", f"http://{host}/", headers={"Host": host, "X-Amz-Target": target}, data=body)
    SigV4Auth(Credentials(KEYS.access, KEYS.secret), service, "us-east-1").add_auth(sent)
    return dict(sent.headers.items())
