"""Who is let in: signatures that botocore makes, and everything that is wrong with others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from headwater_aws_api.errors import AwsError
from headwater_aws_api.signature import Keys, Request, verify

KEYS = Keys("headwater", "secret")
HOST = "127.0.0.1:7714"


def signed(service="glue", path="/", query="", body=b"{}", *, keys=KEYS, method="POST", **headers) -> Request:
    """Return a request as botocore signs it."""
    address = f"http://{HOST}{path}" + (f"?{query}" if query else "")
    sent = AWSRequest(method, address, headers={"Host": HOST, **headers}, data=body)
    SigV4Auth(Credentials(keys.access, keys.secret), service, "us-east-1").add_auth(sent)
    return Request(method, path, query, {name.lower(): value for name, value in sent.headers.items()}, body)


def refusal(request: Request, **more) -> AwsError:
    """Return what a request is refused with."""
    with pytest.raises(AwsError) as caught:
        verify(request, KEYS, **more)
    return caught.value


def test_what_botocore_signs_is_let_in():
    """Any of the services, with paths and queries, and headers beside those that were signed."""
    assert verify(signed(), KEYS) == "glue"
    assert verify(signed("athena", body="{'ü'}".encode()), KEYS) == "athena"
    rest = signed("emr-serverless", "/applications/a/jobruns", "states=RUNNING&maxResults=5", b"", method="GET")
    assert verify(rest, KEYS) == "emr-serverless"
    unsigned = {**rest.headers, "user-agent": "something", "x-amzn-trace-id": "added on the way"}
    assert verify(replace(rest, headers=unsigned), KEYS) == "emr-serverless"


def test_a_request_without_a_signature_is_refused():
    """None at all, and half of one."""
    bare = signed()
    without = {name: value for name, value in bare.headers.items() if name != "authorization"}
    assert refusal(replace(bare, headers=without)).code == "MissingAuthenticationTokenException"
    half = {**bare.headers, "authorization": "AWS4-HMAC-SHA256 Credential=headwater/20260101"}
    assert refusal(replace(bare, headers=half)).code == "IncompleteSignatureException"


def test_other_keys_are_refused():
    """A name that is nobody's, and the right name with another secret."""
    assert refusal(signed(keys=Keys("nobody", "secret"))).code == "UnrecognizedClientException"
    wrong = refusal(signed(keys=Keys("headwater", "other")))
    assert (wrong.code, wrong.status) == ("InvalidSignatureException", 403)
    assert "secret" not in str(wrong).replace("secret key", "")


@pytest.mark.parametrize(
    "change",
    [
        lambda one: replace(one, body=b'{"Name": "other"}'),
        lambda one: replace(one, path="/other"),
        lambda one: replace(one, query="a=b"),
        lambda one: replace(one, method="GET"),
        lambda one: replace(one, headers={**one.headers, "host": "elsewhere"}),
        lambda one: replace(one, headers={**one.headers, "x-amz-target": "AWSGlue.DeleteTable"}),
    ],
)
def test_what_was_changed_on_its_way_is_refused(change):
    """Nothing that was signed can be another."""
    request = signed(**{"X-Amz-Target": "AWSGlue.GetTable"})
    assert verify(request, KEYS) == "glue"
    assert refusal(change(request)).code == "InvalidSignatureException"


def test_a_hash_that_is_not_the_bodys_is_refused():
    """The header that says what the body is must be true, even though it is signed."""
    request = signed(**{"X-Amz-Content-SHA256": "0" * 64})
    assert refusal(request).code == "InvalidSignatureException"


def test_an_old_signature_is_refused():
    """Nobody can send again what was sent an hour ago."""
    hour = timedelta(hours=1)
    assert "expired" in str(refusal(signed(), now=datetime.now(UTC) + hour))
    assert "not yet current" in str(refusal(signed(), now=datetime.now(UTC) - hour))


def test_a_signature_without_its_headers_is_refused():
    """One that leaves out the host, and one whose header did not come."""
    request = signed(**{"X-Amz-Target": "AWSGlue.GetTable"})
    missing = {name: value for name, value in request.headers.items() if name != "x-amz-target"}
    assert refusal(replace(request, headers=missing)).code == "InvalidSignatureException"
    hostless = request.headers["authorization"].replace("SignedHeaders=host;", "SignedHeaders=")
    assert refusal(replace(request, headers={**request.headers, "authorization": hostless})).status == 403
