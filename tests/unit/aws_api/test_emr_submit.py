"""What a job's parameters become on the box."""

from __future__ import annotations

import pytest
from headwater_aws_api.emr._submit import Submission, read_submission
from headwater_aws_api.errors import AwsError


def read(parameters: str = "", properties: dict[str, str] | None = None, **submit) -> Submission:
    """Return what a job of these parameters becomes."""
    driver = {"sparkSubmit": {"entryPoint": "s3://b/job.py", "sparkSubmitParameters": parameters, **submit}}
    configuration = [{"classification": "spark-defaults", "properties": properties or {}}]
    return read_submission(driver, {"applicationConfiguration": configuration}, "127.0.0.1:7707")


def test_parameters_are_read_as_a_shell_would():
    """Quotes, both ways of values, and the program's own arguments."""
    found = read("--conf spark.a='x y' --py-files=s3://b/lib.zip --class Main", entryPointArguments=["--year", "2019"])
    assert found.options == ("--py-files", "s3://b/lib.zip", "--class", "Main")
    assert found.settings == {"spark.a": "x y"}
    assert (found.entry, found.arguments) == ("s3://b/job.py", ("--year", "2019"))


def test_a_parameter_wins_over_the_configuration():
    """As on AWS."""
    found = read("--conf spark.a=1", {"spark.a": "2", "spark.b": "3"})
    assert found.settings == {"spark.a": "1", "spark.b": "3"}


def test_the_machine_decides_how_large_a_job_is():
    """Sizes and masters that were meant for AWS are left out."""
    found = read("--conf spark.executor.memory=16g --driver-memory 8g --conf spark.driver.memory=8g --num-executors 9")
    assert (found.options, dict(found.settings)) == ((), {})


def test_variables_of_the_driver_are_its_environment():
    """As a caller of Pipes gives them."""
    assert read("--conf spark.emr-serverless.driverEnv.DAGSTER_PIPES_CONTEXT=abc=").environment == {
        "DAGSTER_PIPES_CONTEXT": "abc="
    }


def test_what_only_emr_has_is_said_in_the_boxs_words():
    """Its Glue client and its jars are left out; an Iceberg catalog of Glue's is the box's metastore."""
    client = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"
    found = read(
        f"--conf spark.hadoop.hive.metastore.client.factory.class={client} "
        "--conf spark.jars=/usr/share/aws/iceberg/lib/iceberg-spark3-runtime.jar --jars /usr/share/aws/x.jar "
        "--conf spark.sql.catalog.g=org.apache.iceberg.spark.SparkCatalog "
        "--conf spark.sql.catalog.g.catalog-impl=org.apache.iceberg.aws.glue.GlueCatalog "
        "--conf spark.sql.catalog.g.io-impl=org.apache.iceberg.aws.s3.S3FileIO "
        "--conf spark.sql.catalog.g.warehouse=s3://b/w"
    )
    assert found.options == ()
    assert found.settings == {
        "spark.sql.catalog.g": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.g.type": "hive",
        "spark.sql.catalog.g.uri": "thrift://127.0.0.1:7707",
        "spark.sql.catalog.g.warehouse": "s3://b/w",
    }


@pytest.mark.parametrize("parameters", ["--conf 'open", "job.py", "--class"])
def test_parameters_that_cannot_be_read_are_refused(parameters):
    """With AWS's code."""
    with pytest.raises(AwsError) as caught:
        read(parameters)
    assert caught.value.code == "ValidationException"


def test_hive_jobs_are_refused():
    """The box has no Hive."""
    with pytest.raises(AwsError, match="sparkSubmit"):
        read_submission({"hive": {"query": "s3://b/q.sql"}}, {}, "127.0.0.1:7707")
