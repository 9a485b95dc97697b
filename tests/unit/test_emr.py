"""EMR Serverless: a session found or started, and Spark Connect's client let in; held against AWS's own model."""

from __future__ import annotations

import datetime as dt
from concurrent import futures

import grpc
import pytest
from botocore.stub import Stubber
from headwater import _aws
from headwater.engines import emr, spark
from headwater.engines.emr import EmrSparkEngine
from headwater.errors import ConfigError, EngineAway, QueryError

ROLE = "arn:aws:iam::123456789012:role/headwater-spark"
ENGINE = EmrSparkEngine(region="eu-central-1", application="00abc", role=ROLE, bucket="lake-of-tests", idle_minutes=7)
ARN = "arn:aws:emr-serverless:eu-central-1:123456789012:/applications/00abc/sessions/00def"
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def service(monkeypatch):
    """EMR's answers, in the order in which they are asked for; every one of them must be."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(emr, "_POLL_SECONDS", 0.0)
    _aws._client.cache_clear()
    with Stubber(_aws.aws_client("emr-serverless", "eu-central-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()
    ENGINE._forget()
    _aws._client.cache_clear()


@pytest.fixture
def server(request):
    """A Spark Connect server that tells what it was sent and knows nobody; its port."""
    seen = []
    code = getattr(request, "param", grpc.StatusCode.PERMISSION_DENIED)

    class Refusing(grpc.GenericRpcHandler):
        def service(self, details):
            seen.append(dict(details.invocation_metadata))

            def refuse(request, context):
                context.abort(code, "not today")

            return grpc.unary_unary_rpc_method_handler(refuse)

    made = grpc.server(futures.ThreadPoolExecutor(2), handlers=(Refusing(),))
    port = made.add_insecure_port("127.0.0.1:0")
    made.start()
    yield port, seen
    made.stop(None).wait()


def session(state="IDLE", name="headwater", role=ROLE, details="as it should", **more):
    """Return what EMR says of a session."""
    return {
        "applicationId": "00abc", "sessionId": "00def", "arn": ARN, "name": name, "state": state,
        "stateDetails": details, "releaseLabel": "emr-spark-8.0.0", "executionRoleArn": role, "createdBy": ROLE,
        "createdAt": NOW, "updatedAt": NOW, **more,
    }  # fmt: skip


def lists(service, *sessions):
    """Expect the question for sessions that run or come."""
    states = ["STARTED", "IDLE", "BUSY", "SUBMITTED", "STARTING"]
    service.add_response("list_sessions", {"sessions": list(sessions)}, {"applicationId": "00abc", "states": states})


def shows(service, **told):
    """Expect the question how a session is."""
    asked = {"applicationId": "00abc", "sessionId": "00def"}
    service.add_response("get_session", {"session": session(**told)}, asked)


def leads(service, port, word="word", minutes=60):
    """Expect the question where it is."""
    until = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
    answer = {"endpoint": f"http://127.0.0.1:{port}", "authToken": word, "authTokenExpiresAt": until}
    service.add_response("get_session_endpoint", {"applicationId": "00abc", "sessionId": "00def", **answer})


def test_a_session_that_waits_is_used(service, server):
    """All processes share one; the client shows EMR's word at every call."""
    lists(service, session(name="somebody's"), session(role="arn:aws:iam::1:role/other"), session())
    shows(service)
    leads(service, server[0])
    with pytest.raises(QueryError, match="not today"):
        ENGINE.arrow("SELECT 1")

    assert {one["x-aws-proxy-auth"] for one in server[1]} == {"word"}


def test_a_session_is_started_where_there_is_none(service, server):
    """With Glue's tables under their names, and an end when nobody comes any more."""
    asked = []
    events = _aws.aws_client("emr-serverless", "eu-central-1").meta.events
    events.register("provide-client-params.emr-serverless.StartSession", lambda params, **_: asked.append(params))
    lists(service)
    service.add_response("start_session", {"applicationId": "00abc", "sessionId": "00def", "arn": ARN})
    for state in ("SUBMITTED", "STARTING", "STARTED"):
        shows(service, state=state)
    leads(service, server[0])
    with pytest.raises(QueryError, match="not today"):
        ENGINE.arrow("SELECT 1")

    [params] = asked
    assert (params["executionRoleArn"], params["idleTimeoutMinutes"], params["name"]) == (ROLE, 7, "headwater")
    [spark_defaults] = params["configurationOverrides"]["runtimeConfiguration"]
    assert spark_defaults["properties"]["spark.sql.catalog.spark_catalog.warehouse"] == "s3://lake-of-tests/"


def test_a_word_is_renewed_before_it_ends(service, server):
    """A long run outlives it."""
    lists(service, session())
    shows(service)
    leads(service, server[0], word="old", minutes=4)
    for _ in range(20):  # once for every call that the client makes
        leads(service, server[0], word="new", minutes=4)
    with pytest.raises(QueryError, match="not today"):
        ENGINE.arrow("SELECT 1")

    assert {one["x-aws-proxy-auth"] for one in server[1]} == {"new"}
    service._queue.clear()


def test_a_session_that_fails_says_why(service):
    """In EMR's words."""
    lists(service)
    service.add_response("start_session", {"applicationId": "00abc", "sessionId": "00def", "arn": ARN})
    shows(service, state="FAILED", details="The role cannot be assumed")

    with pytest.raises(QueryError, match="The Spark session 00def is FAILED: The role cannot be assumed. See it"):
        ENGINE.arrow("SELECT 1")


@pytest.mark.parametrize("server", [grpc.StatusCode.UNAUTHENTICATED], indirect=True)
def test_a_session_that_lets_nobody_in_any_more_is_made_anew(service, server):
    """It was terminated while this process used it."""
    lists(service, session())
    shows(service)
    leads(service, server[0])
    with pytest.raises(EngineAway, match=r"00abc ended or does not answer: not today\. Run it again"):
        ENGINE.arrow("SELECT 1")

    assert ENGINE._key not in spark._sessions


@pytest.mark.filterwarnings("ignore:.*RETRIES_EXCEEDED")  # the client's own word for it
def test_a_session_that_ended_meanwhile_is_made_anew(service, monkeypatch):
    """The step begins again; the next attempt asks for a session."""
    monkeypatch.setattr(spark, "_RETRIES", 0)
    lists(service, session())
    shows(service)
    leads(service, 9)  # where nothing listens
    with pytest.raises(EngineAway, match="The Spark session of EMR application 00abc ended or does not answer"):
        ENGINE.arrow("SELECT 1")

    assert ENGINE._key not in spark._sessions


@pytest.mark.parametrize("missing", ["application", "role"])
def test_what_is_not_set_is_named(missing):
    """Only where Spark is wanted: SQL needs none."""
    values = {"region": "", "application": "a", "role": "r", "bucket": "b", "idle_minutes": 1, missing: ""}

    with pytest.raises(ConfigError, match=f"HEADWATER_EMR_{missing.upper()} is not set, so there is no Spark"):
        EmrSparkEngine(**values).arrow("SELECT 1")


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("https://a.example:443", "sc://a.example:443/;use_ssl=true"),
        ("a.example", "sc://a.example:443/;use_ssl=true"),
        ("http://127.0.0.1:15002", "sc://127.0.0.1:15002/"),
    ],
)
def test_an_endpoint_is_reached_over_tls_unless_it_says_otherwise(endpoint, url):
    """EMR's word never goes over the network in the clear by mistake."""
    assert emr._url(endpoint) == url
