"""An AWS account on loopback: moto's server, with a check of Glue's that it lacks; it tells what it was asked."""

from __future__ import annotations

import io
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import boto3
import pytest
from headwater import _aws
from headwater.profile import Profile
from headwater.stack import Stack
from moto.core.exceptions import JsonRESTError
from moto.glue.responses import GlueResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["ACCOUNT", "BUCKET", "REGION", "Request", "aws_stack", "moto_account"]

ACCOUNT, BUCKET, REGION = "123456789012", "lake-of-tests", "eu-central-1"


class _ConcurrentError(JsonRESTError):
    code = 400

    def __init__(self) -> None:
        super().__init__("ConcurrentModificationException", "Update table failed due to concurrent modifications.")


def _update_table(self: GlueResponse) -> str:
    """Refuse an update of another version than the present one, as Glue documents it."""
    wanted = self.parameters
    table = self.glue_backend.get_table(wanted["DatabaseName"], wanted["TableInput"]["Name"])
    if "VersionId" in wanted and str(len(table.versions)) != wanted["VersionId"]:
        raise _ConcurrentError
    return _stock(self)


_stock = GlueResponse.update_table


@dataclass(frozen=True)
class Request:
    """What one request asks for, as policies name it.

    Args:
        action: For example ``glue:GetTable``.
        resources: Every resource that the action must be allowed on.
        prefix: Of a listing.
    """

    action: str
    resources: tuple[str, ...]
    prefix: str = ""


class _Recorder:
    """Passes requests on to moto and notes them, whichever client sends them."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.requests: set[Request] = set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)) if _is_small(environ) else None
        if body is not None:
            environ["wsgi.input"] = io.BytesIO(body)
        self.requests |= set(_asked(environ, body or b""))
        return self._app(environ, start_response)


def _is_small(environ: dict[str, Any]) -> bool:
    return environ["REQUEST_METHOD"] == "POST" and bool(environ.get("CONTENT_LENGTH"))


def _asked(environ: dict[str, Any], body: bytes) -> Iterator[Request]:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    service, _, operation = target.rpartition(".")
    if service == "AWSGlue":
        yield Request(f"glue:{operation}", tuple(_glue_resources(json.loads(body))))
    elif service == "AmazonAthena":
        group = json.loads(body).get("WorkGroup", "headwater")
        yield Request(f"athena:{operation}", (f"arn:aws:athena:{REGION}:{ACCOUNT}:workgroup/{group}",))
    elif "/s3/" in environ.get("HTTP_AUTHORIZATION", ""):
        yield from _s3_requests(environ, body)


def _glue_resources(body: dict[str, Any]) -> Iterator[str]:
    start = f"arn:aws:glue:{REGION}:{ACCOUNT}:"
    database = body.get("DatabaseName") or body.get("DatabaseInput", body).get("Name")
    yield from (f"{start}catalog", f"{start}database/{database}")
    if "DatabaseName" in body:
        table = body.get("TableName") or body.get("TableInput", body).get("Name") or "*"
        yield f"{start}table/{database}/{table}"


def _s3_requests(environ: dict[str, Any], body: bytes) -> Iterator[Request]:
    bucket, _, key = environ["PATH_INFO"].removeprefix("/").partition("/")
    asked = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    place, method = f"arn:aws:s3:::{bucket}", environ["REQUEST_METHOD"]
    if method == "POST" and "delete" in asked:
        for name in re.findall(r"<Key>(.*?)</Key>", body.decode()):
            yield Request("s3:DeleteObject", (f"{place}/{unescape(name)}",))
    elif not key:
        yield Request("s3:ListBucket", (place,), asked.get("prefix", [""])[0])
    else:
        yield Request(_s3_action(method, asked), (f"{place}/{key}",))


def _s3_action(method: str, asked: dict[str, list[str]]) -> str:
    if method == "DELETE":
        return "s3:AbortMultipartUpload" if "uploadId" in asked else "s3:DeleteObject"
    return "s3:GetObject" if method in ("GET", "HEAD") else "s3:PutObject"


@contextmanager
def moto_account() -> Iterator[_Recorder]:
    """Run an account with the lake's bucket; the AWS clients' variables lead to it meanwhile."""
    recorder = _Recorder(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, recorder, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        for name in ("AWS_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setattr(GlueResponse, "update_table", _update_table)
        _aws._client.cache_clear()
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
            _aws._client.cache_clear()


class _Silent(WSGIRequestHandler):
    def log_request(self, *arguments: object) -> None:
        """Say nothing of each request."""


def aws_stack(project: Path) -> Stack:
    """Return what the profile aws makes of the account, for a project."""
    return Stack.build(
        Profile.load(
            HEADWATER_PROFILE="aws", HEADWATER_BUCKET=BUCKET, HEADWATER_PROJECT=str(project), HEADWATER_LEASE="10"
        )
    )
