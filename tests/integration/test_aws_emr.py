"""The box's EMR Serverless: jobs as people submit them on AWS."""

from __future__ import annotations

import gzip
import json
import time
import uuid

import pytest
from aws_programs import PIPES
from aws_site import AwsSite
from glue_cases import code_of
from spark_jobs import soon

pytestmark = pytest.mark.box

ROLE = "arn:aws:iam::000000000000:role/job"
ENDED = ("SUCCESS", "FAILED", "CANCELLED")
JOB = """
import os, sys
from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
database, word = sys.argv[1:]
spark.sql(f"CREATE TABLE glue.{database}.made (id BIGINT, word STRING) USING iceberg")
spark.range(5).selectExpr("id", f"'{word}' AS word").writeTo(f"glue.{database}.made").append()
spark.table(f"{database}.made").groupBy("word").count().write.mode("overwrite").saveAsTable(f"{database}.counted")
import boto3

assert database in [one["Name"] for one in boto3.client("glue").get_databases()["DatabaseList"]]
print("counted", spark.table(f"{database}.counted").first()["count"], os.environ["GIVEN"], spark.conf.get("spark.mine"))
"""


@pytest.fixture(scope="module")
def aws(box):
    """The running APIs."""
    return AwsSite(box)


@pytest.fixture(scope="module")
def emr(aws):
    """A client of EMR Serverless."""
    return aws.client("emr-serverless")


@pytest.fixture(scope="module")
def application(emr):
    """An application."""
    made = emr.create_application(name="tests", releaseLabel="emr-spark-8.0.0", type="SPARK")
    yield made["applicationId"]
    emr.stop_application(applicationId=made["applicationId"])
    emr.delete_application(applicationId=made["applicationId"])


@pytest.fixture
def database(aws, box):
    """An empty database of this test's own."""
    name = f"emr_{uuid.uuid4().hex[:8]}"
    place = f"s3://{box.bucket}/{name}"
    aws.client("glue").create_database(DatabaseInput={"Name": name, "LocationUri": place})
    yield name
    aws.client("glue").delete_database(Name=name)


@pytest.fixture
def submit(aws, box, emr, application):
    """Uploads a program and starts it."""

    def start(program, *arguments, **more):
        key = f"emr-code/{uuid.uuid4().hex}.py"
        aws.client("s3").put_object(Bucket=box.bucket, Key=key, Body=program.encode())
        driver = {"entryPoint": f"s3://{box.bucket}/{key}", "entryPointArguments": list(arguments)}
        driver |= {"sparkSubmitParameters": more.pop("parameters", "--conf spark.executor.memory=4g")}
        logs = {"s3MonitoringConfiguration": {"logUri": f"s3://{box.bucket}/emr-logs/"}}
        return emr.start_job_run(
            applicationId=application,
            executionRoleArn=ROLE,
            jobDriver={"sparkSubmit": driver},
            configurationOverrides={"monitoringConfiguration": logs},
            **more,
        )["jobRunId"]

    return start


def ended(emr, application, job):
    """Wait for the end of a job and return it."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        found = emr.get_job_run(applicationId=application, jobRunId=job)["jobRun"]
        if found["state"] in ENDED:
            return found
        time.sleep(0.5)
    raise AssertionError(f"{job} did not end")


def log_of(aws, box, application, job, name):
    """Return what a job wrote."""
    key = f"emr-logs/applications/{application}/jobs/{job}/SPARK_DRIVER/{name}.gz"
    return gzip.decompress(aws.client("s3").get_object(Bucket=box.bucket, Key=key)["Body"].read()).decode()


@pytest.mark.full
def test_a_job_writes_tables_and_logs(aws, box, emr, application, database, submit):  # noqa: PLR0917 - fixtures
    """With the catalog, jars and sizes of AWS in its parameters, which are said in the box's words here."""
    glue = "spark.sql.catalog.glue"
    parameters = (
        f"--conf {glue}=org.apache.iceberg.spark.SparkCatalog --conf {glue}.warehouse=s3://{box.bucket}/ "
        f"--conf {glue}.catalog-impl=org.apache.iceberg.aws.glue.GlueCatalog --conf spark.executor.memory=16g "
        f"--conf {glue}.io-impl=org.apache.iceberg.aws.s3.S3FileIO --conf spark.mine='x y' "
        "--conf spark.emr-serverless.driverEnv.GIVEN=here --conf spark.jars=/usr/share/aws/iceberg/lib/iceberg.jar"
    )
    job = submit(JOB, database, "it's"[:2], parameters=parameters, name="made")
    found = ended(emr, application, job)
    assert found["state"] == "SUCCESS", found["stateDetails"]
    assert "counted 5 here x y" in log_of(aws, box, application, job, "stdout")
    assert aws.rows("SELECT word, count FROM counted", database) == [["it", "5"]]
    assert aws.client("glue").get_table(DatabaseName=database, Name="made")["Table"]["Parameters"]["metadata_location"]
    listed = emr.list_job_runs(applicationId=application, states=["SUCCESS"])["jobRuns"]
    assert job in [one["id"] for one in listed]


def test_a_job_that_fails_says_why(aws, box, emr, application, submit):
    """In its state, and in its log."""
    job = submit("raise SystemExit('the reason')")
    found = ended(emr, application, job)
    assert found["state"] == "FAILED"
    assert "the reason" in found["stateDetails"]
    assert "the reason" in log_of(aws, box, application, job, "stdout")


def test_a_job_can_be_cancelled(emr, application, submit):
    """It ends, and nothing of it is left."""
    job = submit("import time\ntime.sleep(600)")
    while emr.get_job_run(applicationId=application, jobRunId=job)["jobRun"]["state"] == "SUBMITTED":
        time.sleep(0.2)
    emr.cancel_job_run(applicationId=application, jobRunId=job)
    assert ended(emr, application, job)["state"] == "CANCELLED"


def test_requests_are_checked(emr, application):
    """What is not there, what the box does not run, and the same request twice."""
    absent = {"applicationId": application, "jobRunId": "00none"}
    assert code_of(emr.get_job_run, **absent) == "ResourceNotFoundException"
    assert code_of(emr.get_application, applicationId="00none") == "ResourceNotFoundException"
    hive = {"applicationId": application, "executionRoleArn": ROLE, "jobDriver": {"hive": {"query": "s3://b/q"}}}
    assert code_of(emr.start_job_run, **hive) == "ValidationException"
    token = uuid.uuid4().hex
    given = {"name": "twice", "releaseLabel": "emr-7.0.0", "type": "SPARK", "clientToken": token}
    keys = {emr.create_application(**given)["applicationId"] for _ in "ab"}
    assert len(keys) == 1
    emr.delete_application(applicationId=keys.pop())


@pytest.mark.full
def test_the_aws_cli_starts_a_job(aws, box, emr, application):
    """As in AWS's own examples."""
    aws.client("s3").put_object(Bucket=box.bucket, Key="emr-code/cli.py", Body=b"print('from the shell')")
    driver = json.dumps({"sparkSubmit": {"entryPoint": f"s3://{box.bucket}/emr-code/cli.py"}})
    said = aws.program("aws", "emr-serverless", "start-job-run", "--application-id", application,
                       "--execution-role-arn", ROLE, "--job-driver", driver)  # fmt: skip
    assert ended(emr, application, json.loads(said)["jobRunId"])["state"] == "SUCCESS"


PIPED = """
import boto3
from dagster_pipes import PipesS3MessageWriter, open_dagster_pipes
from pyspark.sql import SparkSession

with open_dagster_pipes(message_writer=PipesS3MessageWriter(client=boto3.client("s3"))) as pipes:
    spark = SparkSession.builder.getOrCreate()
    rows = spark.range(pipes.get_extra("rows")).count()
    pipes.log.info("counted")
    print("said by the job", flush=True)
    pipes.report_asset_materialization(metadata={"rows": rows, "spark": spark.version})
"""


def test_dagster_pipes_runs_a_job(aws, box, emr, application):
    """The stock client starts it, waits for it, and has through S3 what the job reports, writes and logs."""
    aws.client("s3").put_object(Bucket=box.bucket, Key="emr-code/piped.py", Body=PIPED.encode())
    entry = f"s3://{box.bucket}/emr-code/piped.py"
    said = aws.program("python", "-c", PIPES, application, ROLE, box.bucket, entry)
    assert "said by the job" in said.splitlines()
    rows, version, job = said.split()[-3:]
    assert (rows, version[:2]) == ("7", "4.")
    assert emr.get_job_run(applicationId=application, jobRunId=job)["jobRun"]["state"] == "SUCCESS"


def test_dagster_pipes_cancels_a_job_with_its_run(aws, box, emr, application):
    """What ends Dagster's process ends the job."""
    aws.client("s3").put_object(Bucket=box.bucket, Key="emr-code/endless.py", Body=b"import time\ntime.sleep(600)")
    entry = f"s3://{box.bucket}/emr-code/endless.py"
    before = _running(emr, application)
    with aws.started("python", "-c", PIPES, application, ROLE, box.bucket, entry) as run:
        soon(lambda: _running(emr, application) - before)
        [job] = _running(emr, application) - before
        run.terminate()
        run.communicate(timeout=60)

    assert run.returncode != 0
    assert ended(emr, application, job)["state"] == "CANCELLED"


def _running(emr, application):
    return {one["id"] for one in emr.list_job_runs(applicationId=application, states=["RUNNING"])["jobRuns"]}


def test_a_job_has_no_dashboard(emr, application):
    """Who asks for one that is not there is told so, as with any call."""
    absent = {"applicationId": application, "jobRunId": "00none"}
    assert code_of(emr.get_dashboard_for_job_run, **absent) == "ResourceNotFoundException"
