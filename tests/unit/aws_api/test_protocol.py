"""Calls and answers, held against botocore's models; the application as clients see it, without services behind it."""

from __future__ import annotations

import json

import pytest
from aws_signing import KEYS, request_for, signed_headers
from headwater_aws_api.app import make_app
from headwater_aws_api.errors import AwsError
from headwater_aws_api.protocol import Call, answered, read_call
from starlette.testclient import TestClient


def code_of(request) -> tuple[str, str]:
    """Return code and sentence of a refusal."""
    with pytest.raises(AwsError) as caught:
        read_call(request)
    return caught.value.code, str(caught.value)


def test_an_operation_is_named_in_a_header():
    """Glue and Athena."""
    call = read_call(request_for("AWSGlue.GetTable", {"DatabaseName": "a", "Name": "b", "CatalogId": None}))
    assert call == Call("glue", "GetTable", {"DatabaseName": "a", "Name": "b"})
    call = read_call(request_for("AmazonAthena.ListWorkGroups", {}))
    assert (call.service, call.operation) == ("athena", "ListWorkGroups")


def test_an_operation_is_found_by_its_path():
    """EMR Serverless: parameters are in the path, the query and the body."""
    call = read_call(request_for(None, {"clientToken": "t"}, "PATCH", "/applications/00f1"))
    assert call.given["applicationId"] == "00f1"
    call = read_call(
        request_for(None, {}, "GET", "/applications/00f1/jobruns", "maxResults=5&states=RUNNING&states=FAILED")
    )
    assert (call.operation, call.given["maxResults"], call.given["states"]) == ("ListJobRuns", 5, ["RUNNING", "FAILED"])


@pytest.mark.parametrize(
    ("target", "given", "code", "said"),
    [
        ("AWSGlue.GetTable", {"Name": "b"}, "InvalidInputException", "DatabaseName"),
        ("AWSGlue.GetTable", {"DatabaseName": 5, "Name": "b"}, "InvalidInputException", "DatabaseName"),
        ("AmazonAthena.GetQueryExecution", {}, "InvalidRequestException", "QueryExecutionId"),
        ("AWSGlue.Invented", {}, "UnknownOperationException", "AWSGlue.Invented"),
        ("AWSOther.GetTable", {}, "UnknownOperationException", "AWSOther.GetTable"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(target, given, code, said):
    """With the service's own code, and what is wrong."""
    found, sentence = code_of(request_for(target, given))
    assert found == code
    assert said in sentence


def test_what_is_no_json_is_refused():
    """Broken, and not an object."""
    request = request_for("AWSGlue.GetTable", {})
    assert code_of(request.__class__(**{**vars(request), "body": b"{"}))[0] == "SerializationException"
    assert code_of(request.__class__(**{**vars(request), "body": b"[]"}))[0] == "InvalidInputException"
    assert code_of(request_for(None, {}, "GET", "/nowhere"))[0] == "UnknownOperationException"


def test_an_answer_that_does_not_fit_is_a_fault_of_ours():
    """An invented member, a wrong type and a missing member never reach a client."""
    call = Call("glue", "GetDatabase", {})
    good = answered(call, {"Database": {"Name": "a", "Description": None, "CreateTime": 5}})
    assert json.loads(good.body) == {"Database": {"Name": "a", "CreateTime": 5.0}}
    for wrong in ({"Invented": 1}, {"Database": {"Name": 5}}, {"Database": {}}):
        with pytest.raises(TypeError):
            answered(call, wrong)


def answer(client, target, given=None, headers=None):
    """Send a call."""
    body = json.dumps(given or {}).encode()
    return client.post("/", content=body, headers=headers or signed_headers(target, body))


def fails(_given):
    """Break as a program does."""
    raise ZeroDivisionError


@pytest.fixture
def client():
    """The application with two operations."""
    with TestClient(
        make_app(KEYS, {"glue": {"GetDatabases": lambda _: {"DatabaseList": []}, "GetTable": fails}})
    ) as one:
        yield one


def test_the_application_answers_what_it_serves(client):
    """With the protocol's content type."""
    found = answer(client, "AWSGlue.GetDatabases")
    assert (found.status_code, found.json()) == (200, {"DatabaseList": []})
    assert found.headers["content-type"] == "application/x-amz-json-1.1"


def test_what_is_not_served_says_so_by_name(client):
    """A call that AWS knows and the box does not."""
    found = answer(client, "AWSGlue.CreateJob", {"Name": "j", "Role": "r", "Command": {}})
    assert (found.status_code, found.json()["__type"]) == (501, "NotImplemented")
    assert "glue:CreateJob" in found.json()["message"]


def test_nobody_without_a_key_is_answered(client):
    """Not even what is served."""
    found = client.post("/", content=b"{}", headers={"x-amz-target": "AWSGlue.GetDatabases"})
    assert (found.status_code, found.json()["__type"]) == (403, "MissingAuthenticationTokenException")


def test_a_fault_of_ours_tells_nothing_but_where_to_look(client):
    """Code and sentence, no traceback; the service goes on."""
    found = answer(client, "AWSGlue.GetTable", {"DatabaseName": "a", "Name": "b"})
    assert (found.status_code, found.json()["__type"]) == (500, "InternalServiceException")
    assert "headwater logs aws-api" in found.json()["message"]
    assert "ZeroDivisionError" not in found.text
    assert answer(client, "AWSGlue.GetDatabases").status_code == 200
