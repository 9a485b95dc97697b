"""The box's EMR Serverless: sessions as Spark Connect's clients use them, and as the profile `aws` does."""

from __future__ import annotations

import subprocess
import sys
import uuid

import pytest
from aws_site import AwsSite, account_on, stack_on
from glue_cases import code_of
from headwater.errors import EngineAway
from spark_jobs import ENDLESS, running_jobs, soon

pytestmark = pytest.mark.box

ROLE = "arn:aws:iam::000000000000:role/spark"
GLUE = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"
SPARK_OF_ITS_OWN = {"spark.sql.extensions": "com.example.Mine"}
# A stock client, as in AWS's own examples; the address has no TLS.
CLIENT = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
print(spark.conf.get("spark.sql.shuffle.partitions"), spark.sql(sys.argv[2]).collect()[0][0], flush=True)
"""


@pytest.fixture(scope="module")
def emr(box):
    """A client of EMR Serverless."""
    return AwsSite(box).client("emr-serverless")


@pytest.fixture(scope="module")
def application(emr):
    """Makes applications; they are deleted with their sessions."""
    made = []

    def make(label="emr-spark-8.0.0", *, sessions=True):
        given = {"name": uuid.uuid4().hex, "releaseLabel": label, "type": "SPARK"}
        key = emr.create_application(**given, interactiveConfiguration={"sessionEnabled": sessions})["applicationId"]
        made.append(key)
        return key

    yield make
    for key in made:
        for one in emr.list_sessions(applicationId=key)["sessions"]:
            emr.terminate_session(applicationId=key, sessionId=one["sessionId"])
        emr.stop_application(applicationId=key)
        emr.delete_application(applicationId=key)


@pytest.fixture
def session(emr, application):
    """Starts a session and returns how to ask for it."""

    def start(settings=None, **more):
        key = application()
        classified = [{"classification": "spark-defaults", "properties": settings or {}}]
        overrides = {"configurationOverrides": {"runtimeConfiguration": classified}}
        given = {"applicationId": key, "executionRoleArn": ROLE, **overrides, **more}
        asked = {"applicationId": key, "sessionId": emr.start_session(**given)["sessionId"]}
        soon(lambda: state_of(emr, asked) not in ("SUBMITTED", "STARTING"))
        return asked

    return start


def state_of(emr, asked):
    """Return a session's state."""
    return emr.get_session(**asked)["session"]["state"]


def asks(emr, asked, sql):
    """Start a stock client that asks for something in a session."""
    told = emr.get_session_endpoint(**asked)
    remote = told["endpoint"].replace("http://", "sc://") + f"/;x-aws-proxy-auth={told['authToken']}"
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, remote, sql], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_stock_client_computes_in_a_session(emr, session):
    """With the session's properties; what EMR alone has is said in the box's words, and sizes are the machine's."""
    catalog = "spark.sql.catalog.spark_catalog"
    asked = session(
        {
            "spark.sql.shuffle.partitions": "3",
            "spark.executor.memory": "64g",
            "spark.hadoop.hive.metastore.client.factory.class": GLUE,
            f"{catalog}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
        },
        name="mine",
        idleTimeoutMinutes=5,
    )
    assert state_of(emr, asked) == "STARTED"
    said, complaint = asks(emr, asked, "SELECT count(*) FROM range(42)").communicate(timeout=120)

    assert said == "3 42\n", complaint
    told = emr.get_session(**asked)["session"]
    assert (told["name"], told["state"], told["idleTimeoutMinutes"]) == ("mine", "IDLE", 5)
    assert told["idleSince"] >= told["startedAt"]
    [listed] = emr.list_sessions(applicationId=asked["applicationId"], states=["IDLE"])["sessions"]
    assert listed["sessionId"] == asked["sessionId"]
    running = {"applicationId": asked["applicationId"]}
    assert code_of(emr.stop_application, **running) == "ValidationException"


def test_a_terminated_session_stops_what_runs_in_it(box, emr, session):
    """At Spark, too; it has no endpoint any more."""
    asked = session()
    client = asks(emr, asked, ENDLESS)
    soon(lambda: state_of(emr, asked) == "BUSY")
    soon(lambda: running_jobs(box))
    emr.terminate_session(**asked)

    soon(lambda: not running_jobs(box))
    client.communicate(timeout=120)
    assert client.returncode != 0
    assert state_of(emr, asked) == "TERMINATED"
    assert code_of(emr.get_session_endpoint, **asked) == "ValidationException"
    emr.terminate_session(**asked)  # one that has ended stays as it is


def test_what_only_a_spark_of_its_own_could_have_fails_a_session(emr, session):
    """It says which property, and nobody computes with something else than was asked for."""
    asked = session(SPARK_OF_ITS_OWN)
    told = emr.get_session(**asked)["session"]

    assert told["state"] == "FAILED"
    assert "spark.sql.extensions" in told["stateDetails"]


def test_an_application_must_take_sessions(emr, application):
    """By its release and by its own word."""
    for key in (application("emr-7.12.0"), application(sessions=False)):
        assert code_of(emr.start_session, applicationId=key, executionRoleArn=ROLE) == "ValidationException"
    absent = {"applicationId": application(), "sessionId": "00none"}
    assert code_of(emr.get_session, **absent) == "ResourceNotFoundException"


def test_the_same_request_again_gives_the_same_session(emr, application):
    """A client that did not hear the answer asks once more."""
    given = {"applicationId": application(), "executionRoleArn": ROLE, "clientToken": uuid.uuid4().hex}

    assert len({emr.start_session(**given)["sessionId"] for _ in range(2)}) == 1


def test_the_profile_shares_one_session_and_starts_another_when_it_ended(box, emr, tmp_path):
    """Whoever was in it begins again, which a step of Dagster does by itself."""
    with account_on(box, tmp_path) as account, stack_on(account) as stack:
        engine, key = stack.engine("spark"), account["HEADWATER_EMR_APPLICATION"]
        assert engine.rows("SELECT 1 AS n") == [{"n": 1}]
        [first] = emr.list_sessions(applicationId=key)["sessions"]
        engine._forget()  # as another process, which finds the session by its name
        engine.rows("SELECT 1 AS n")
        assert len(emr.list_sessions(applicationId=key)["sessions"]) == 1
        emr.terminate_session(applicationId=key, sessionId=first["sessionId"])
        with pytest.raises(EngineAway, match="ended or does not answer"):
            engine.rows("SELECT 1 AS n")

        assert engine.rows("SELECT 1 AS n") == [{"n": 1}]
        ids = [one["sessionId"] for one in emr.list_sessions(applicationId=key)["sessions"]]
        assert len(ids) == 2
        engine._forget()
