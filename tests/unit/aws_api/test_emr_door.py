"""Where clients of EMR's sessions come in, before a Spark Connect server that tells what reaches it."""

from __future__ import annotations

import threading
import time
from concurrent import futures

import grpc
import pytest
from headwater.errors import ComponentError
from headwater_aws_api.emr._door import Door, Guests
from headwater_aws_api.emr._spark import BoxSpark
from pyspark.sql.connect.proto import base_pb2 as pb
from pyspark.sql.connect.proto.base_pb2_grpc import SparkConnectServiceServicer, SparkConnectServiceStub
from pyspark.sql.connect.proto.base_pb2_grpc import add_SparkConnectServiceServicer_to_server as serve
from unstarted import idle_box

TOKEN = (("x-aws-proxy-auth", "let me in"),)
ASKER = {"session_id": "00112233-4455-6677-8899-aabbccddeeff", "user_context": pb.UserContext(user_id="ann")}
DETAILS = (("grpc-status-details-bin", b"all of it"),)


class Spark(SparkConnectServiceServicer):
    """Answers what the tests ask; notes what it was asked, by whom."""

    def __init__(self):
        self.seen = []
        self.settings = {"spark.sql.ansi.enabled": "true", "spark.fixed": "here"}
        self.released = threading.Event()

    def _note(self, context, request):
        self.seen.append((type(request).__name__, request.session_id, dict(context.invocation_metadata())))

    def ExecutePlan(self, request, context):  # noqa: N802 - the service's name
        """Answer in pieces, or fail."""
        self._note(context, request)
        if request.operation_id == "wrong":
            context.set_trailing_metadata(DETAILS)
            context.abort(grpc.StatusCode.INTERNAL, "[TABLE_OR_VIEW_NOT_FOUND] no")
        long = request.operation_id == "long"
        if long:
            context.add_callback(self.released.set)
        for number in range(3):
            yield pb.ExecutePlanResponse(session_id=request.session_id, response_id=str(number))
        if long:
            self.released.wait(30)

    def AddArtifacts(self, request_iterator, context):  # noqa: N802
        """Take pieces."""
        names = [one.batch.artifacts[0].name for one in request_iterator]
        return pb.AddArtifactsResponse(session_id=",".join(names))

    def Config(self, request, context):  # noqa: N802
        """Tell and change settings."""
        self._note(context, request)
        pairs = request.operation.set.pairs
        if any(pair.key == "spark.fixed" for pair in pairs):
            context.abort(grpc.StatusCode.INTERNAL, "[CANNOT_MODIFY_CONFIG] spark.fixed\nat line 1")
        self.settings |= {pair.key: pair.value for pair in pairs}
        wanted = request.operation.get_option.keys
        return pb.ConfigResponse(pairs=[pb.KeyValue(key=key, value=self.settings.get(key)) for key in wanted])

    def Interrupt(self, request, context):  # noqa: N802
        """Note it."""
        self._note(context, request)
        return pb.InterruptResponse()

    def ReleaseSession(self, request, context):  # noqa: N802
        """Note it."""
        self._note(context, request)
        return pb.ReleaseSessionResponse()

    def asked(self, kind):
        """Return the sessions that asked for something of a kind."""
        return [session for name, session, _ in self.seen if name == kind]


@pytest.fixture
def profile(tmp_path):
    """Of a box that runs nothing, on free ports."""
    return idle_box(tmp_path).profile


@pytest.fixture
def server(profile):
    """A server where the box's Spark would be."""
    made, spark = grpc.server(futures.ThreadPoolExecutor(4)), Spark()
    serve(spark, made)
    made.add_insecure_port(profile.address("spark"))
    made.start()
    yield spark
    spark.released.set()
    made.stop(None).wait()


@pytest.fixture
def spark(profile):
    """The server as the API knows it."""
    made = BoxSpark(profile)
    yield made
    made.close()


@pytest.fixture
def guests():
    """A session whose clients get a setting of their own and one that Spark has already."""
    return Guests({"spark.sql.shuffle.partitions": "3", "spark.fixed": "here"})


@pytest.fixture
def client(profile, server, spark, guests):
    """A client of that session, who must show its token."""
    door = Door(profile.listening("aws-api-spark"), spark, {TOKEN[0][1]: guests}.get)
    door.open()
    door.open()
    with grpc.insecure_channel(profile.address("aws-api-spark")) as channel:
        yield SparkConnectServiceStub(channel)
    door.close()


def execute(client, operation="", metadata=TOKEN):
    """Start a call that answers in pieces."""
    request = pb.ExecutePlanRequest(**ASKER, operation_id=operation)
    request.plan.root.local_relation.data = bytes(range(256))  # as Arrow is: no text
    return client.ExecutePlan(request, metadata=metadata, timeout=30)


@pytest.mark.parametrize("metadata", [(), (("x-aws-proxy-auth", "wrong"),), (("authorization", "Bearer let me in"),)])
def test_nobody_comes_in_without_a_token(client, server, metadata):
    """Spark is not even asked."""
    with pytest.raises(grpc.RpcError) as refused:
        list(execute(client, metadata=metadata))

    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert "GetSessionEndpoint gives one" in refused.value.details()
    assert server.seen == []


def test_calls_are_passed_on_with_sparks_own_login(client, server, profile):
    """In pieces as they come, and in both directions; EMR's token stays outside."""
    answers = list(execute(client, metadata=(*TOKEN, ("x-mine", "kept"))))
    batches = (
        pb.AddArtifactsRequest(
            **ASKER, batch=pb.AddArtifactsRequest.Batch(artifacts=[pb.AddArtifactsRequest.SingleChunkArtifact(name=n)])
        )
        for n in "abc"
    )
    added = client.AddArtifacts(batches, metadata=TOKEN, timeout=30)

    assert [one.response_id for one in answers] == ["0", "1", "2"]
    assert added.session_id == "a,b,c"
    metadata = next(given for name, _, given in server.seen if name == "ExecutePlanRequest")
    assert metadata["authorization"] == f"Bearer {profile.credentials.password('spark')}"
    assert metadata["x-mine"] == "kept"
    assert "x-aws-proxy-auth" not in metadata


def test_an_error_comes_back_whole(client):
    """Code, sentence and the details from which PySpark makes its exception."""
    with pytest.raises(grpc.RpcError) as failed:
        list(execute(client, "wrong"))

    assert (failed.value.code(), failed.value.details()) == (
        grpc.StatusCode.INTERNAL,
        "[TABLE_OR_VIEW_NOT_FOUND] no",
    )
    assert DETAILS[0] in [tuple(pair) for pair in failed.value.trailing_metadata()]


def test_a_session_of_sparks_has_the_settings_from_its_first_call_on(client, server):
    """They are set once, and only what is another there already."""
    for _ in range(2):
        list(execute(client))

    assert server.settings["spark.sql.shuffle.partitions"] == "3"
    assert server.asked("ConfigRequest") == [ASKER["session_id"]] * 2  # asked what is there, then one set
    assert [name for name, _, _ in server.seen][2:] == ["ExecutePlanRequest"] * 2


def test_a_setting_that_cannot_be_is_told_when_a_session_starts(server, spark):
    """By the server's own words, without its trace."""
    with pytest.raises(
        ComponentError, match=r"The box's Spark refused Config: \[CANNOT_MODIFY_CONFIG\] spark\.fixed\.$"
    ):
        spark.check({"spark.fixed": "elsewhere"})


def test_a_server_that_is_down_is_one_sentence(spark):
    """With what starts it."""
    with pytest.raises(ComponentError, match=r"does not answer: .*; `headwater up spark` starts it"):
        spark.check({"spark.sql.ansi.enabled": "true"})


def test_what_a_client_leaves_ends_at_spark(client, server, guests):
    """A query that nobody waits for any more is stopped there."""
    call = execute(client, "long")
    next(call)
    assert guests.busy
    call.cancel()

    assert server.released.wait(10)
    _soon(lambda: not guests.busy)


def test_an_ended_session_stops_what_runs_in_it(client, server, guests, spark):
    """Calls are cancelled, and Spark's own sessions interrupted and released."""
    call = execute(client, "long")
    next(call)
    guests.see_off(spark)

    with pytest.raises(grpc.RpcError) as ended:
        list(call)
    assert ended.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert server.released.wait(10)
    assert server.asked("InterruptRequest") == server.asked("ReleaseSessionRequest") == [ASKER["session_id"]]


def test_a_taken_port_is_named(profile, spark, guests):
    """`headwater doctor` knows by whom."""
    with futures.ThreadPoolExecutor(1) as pool:
        other = grpc.server(pool, options=[("grpc.so_reuseport", 0)])
        other.add_insecure_port(profile.listening("aws-api-spark"))
        other.start()
        with pytest.raises(ComponentError, match=r"Another program listens on 127\.0\.0\.1:\d+.*headwater doctor"):
            Door(profile.listening("aws-api-spark"), spark, lambda _: guests).open()
        other.stop(None).wait()


def _soon(true):
    until = time.monotonic() + 10
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)
