"""`headwater aws`: planned, deployed and destroyed in an account that moto plays."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from importlib.resources import files

import boto3
import pytest
from aws_account import ACCOUNT, REGION
from botocore.stub import Stubber
from click.testing import CliRunner
from headwater import _aws
from headwater.aws import Account
from headwater.aws.template import Template
from headwater.cli.aws import aws, stack_settings
from headwater.errors import ComponentError, ConfigError


@pytest.fixture
def account_stack(account, mark):
    """A stack of a name of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # moto's, of types that it cannot make
        yield Account(region=REGION, stack=f"t{mark}")


def buckets(stack):
    """Return the names of a stack's buckets."""
    return f"{stack.stack}-lake-{ACCOUNT}-{REGION}", f"{stack.stack}-work-{ACCOUNT}-{REGION}"


def there():
    """Return every bucket of the account."""
    return {one["Name"] for one in boto3.client("s3").list_buckets()["Buckets"]}


def test_the_template_is_clean():
    """By AWS's own rules, with every optional part."""
    source = "import sys; from cfnlint.runner import main; sys.exit(main())"
    path = files("headwater.aws") / "template.yaml"
    done = subprocess.run(
        [sys.executable, "-c", source, "--", str(path)], capture_output=True, text=True, timeout=300, check=False
    )

    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_a_plan_changes_nothing_and_says_what_costs(account_stack):
    """Optional parts cost whether they are used or not, so they are made on demand alone."""
    before = there()
    plan = account_stack.plan({})
    more = account_stack.plan({"WithPostgres": "yes", "WithKafka": "yes"})

    assert there() == before
    assert {"Lake", "Work", "WriterQueries", "Spark", "Writer", "Job", "Reader"} <= set(plan.made)
    assert {"Raw", "Partitioned", "Curated"} <= set(account_stack.plan({"MakeDatabases": "yes"}).made)
    assert not plan.changed
    assert {"Postgres", "Kafka"} <= set(more.made) - set(plan.made)
    assert len(more.costs) == len(plan.costs) + 2
    assert {cost.partition(":")[0] for cost in plan.costs} >= {"Storage", "Athena", "EMR Serverless", "Glue"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"Nme": "x"}, "The template has no parameter Nme; it has Name, "),
        ({"WithKafka": "maybe"}, "WithKafka is 'maybe'; give yes or no"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(account_stack, given, sentence):
    """Before anything is asked of CloudFormation."""
    with pytest.raises(ConfigError, match=sentence):
        account_stack.plan(given)


def test_the_buckets_are_versioned_encrypted_and_closed():
    """In the template, of which moto makes a part; TLS alone leads in, and no present object of the lake expires."""
    body = Template.ours().body["Resources"]
    for name in ("Lake", "Work"):
        told = body[name]["Properties"]
        assert told["VersioningConfiguration"] == {"Status": "Enabled"}
        [rule] = told["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        closed = told["PublicAccessBlockConfiguration"]
        assert (len(closed), set(closed.values())) == (4, {True})
        [statement] = body[f"{name}OverTlsAlone"]["Properties"]["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert len(statement["Resource"]) == 2
    rules = body["Lake"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert {"NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"} <= {key for one in rules for key in one}
    assert not [one for one in rules if "ExpirationInDays" in one]


def test_a_stack_is_brought_to_another_state(account_stack):
    """What was given before stays; a plan shows what depends on what changes."""
    outputs = account_stack.deploy({"ResultDays": "3"})
    same = account_stack.plan({})
    other = account_stack.plan({"ResultDays": "9"})
    account_stack.deploy({})

    assert outputs["LakeBucket"] == buckets(account_stack)[0]
    assert stack_settings(account_stack.stack)["HEADWATER_BUCKET"] == outputs["LakeBucket"]
    assert outputs["WriterRole"].endswith(f":role/{account_stack.stack}-writer")
    assert (same.made, same.changed, same.gone) == ({}, {}, {})
    assert (other.made, other.changed, other.gone) == ({}, {"Work": "AWS::S3::Bucket"}, {})
    assert account_stack.plan({}).parameters["ResultDays"] == "3"
    account_stack.destroy([], print)


def test_a_stack_that_was_never_deployed_has_no_settings(account_stack):
    """And what to do is said."""
    with pytest.raises(ConfigError, match="`headwater aws deploy` makes it"):
        stack_settings(account_stack.stack)


def test_data_are_deleted_by_name_alone(account_stack):
    """A bucket with data outlives its stack, also when only former versions are left; a later stack takes it over."""
    lake, work = buckets(account_stack)
    account_stack.deploy({})
    client, told = boto3.client("s3"), []
    client.put_bucket_versioning(Bucket=lake, VersioningConfiguration={"Status": "Enabled"})  # moto left it out
    client.put_object(Bucket=lake, Key="curated/t/a.parquet", Body=b"rows")
    client.delete_object(Bucket=lake, Key="curated/t/a.parquet")
    account_stack.destroy([], told.append)
    assert lake in there()
    assert work not in there()
    assert f"kept the bucket {lake}: it holds data. `--delete-bucket {lake}` deletes it." in told

    assert account_stack.plan({}).parameters["MakeLake"] == "no"
    account_stack.deploy({})
    assert client.list_object_versions(Bucket=lake)["Versions"]
    account_stack.destroy([lake], told.append)
    assert lake not in there()


def test_only_a_bucket_of_the_stack_is_deleted(account_stack):
    """A name with a mistake in it, or of something else, stops everything."""
    account_stack.deploy({})
    boto3.client("s3").create_bucket(
        Bucket=f"{account_stack.stack}-other", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    with pytest.raises(ConfigError, match=rf"-other is no bucket of {account_stack.stack}; its buckets are"):
        account_stack.destroy([f"{account_stack.stack}-other"], print)

    assert account_stack.plan({}).made == {}
    account_stack.destroy([], print)


def test_a_stack_that_is_not_there_cannot_be_destroyed(account_stack):
    """It says where it was looked for."""
    with pytest.raises(ConfigError, match="There is no stack .* in this account and region"):
        account_stack.destroy([], print)


def test_the_commands_show_the_plan_and_the_settings(account_stack):
    """`deploy` asks; what it prints at the end leads the profile there."""
    run, named = CliRunner(), ["--stack", account_stack.stack]
    planned = run.invoke(aws, ["plan", *named, "-o", "json"])
    refused = run.invoke(aws, ["deploy", *named], input="n\n")
    deployed = run.invoke(aws, ["deploy", *named, "--yes"])
    again = run.invoke(aws, ["plan", *named])
    destroyed = run.invoke(aws, ["destroy", *named, "--yes"])

    [found] = json.loads(planned.stdout)
    assert found["stack"] == account_stack.stack
    assert refused.exit_code == 1
    assert f"HEADWATER_BUCKET={buckets(account_stack)[0]}" in deployed.stdout
    assert f"The stack {account_stack.stack} is as this version wants it." in again.stdout
    assert f"deleted the stack {account_stack.stack}" in destroyed.stdout


def test_a_deploy_that_fails_says_what_and_why(account_stack, monkeypatch):
    """In AWS's own words, with the resource."""
    monkeypatch.setattr("headwater.aws._POLL_SECONDS", 0)
    plan = account_stack.plan({})
    client = _aws.aws_client("cloudformation", REGION)
    event = {
        "StackId": "s", "EventId": "e", "StackName": account_stack.stack, "Timestamp": 0, "LogicalResourceId": "Raw",
        "ResourceStatus": "CREATE_FAILED", "ResourceStatusReason": "Database already exists.",
    }  # fmt: skip
    failed = {"StackName": account_stack.stack, "StackStatus": "ROLLBACK_COMPLETE", "CreationTime": 0}
    with Stubber(client) as stub:
        stub.add_client_error("describe_stacks", "ValidationError", "does not exist", 400)
        stub.add_response("create_stack", {"StackId": "s"})
        stub.add_response("describe_stacks", {"Stacks": [failed]})
        stub.add_response("describe_stack_events", {"StackEvents": [event]})
        with pytest.raises(ComponentError, match=r"was not deployed: Raw: Database already exists\. Correct that"):
            account_stack.deploy({"LakeBucket": plan.parameters["LakeBucket"]})


def test_a_bucket_of_somebody_else_is_refused(account_stack):
    """Names are the whole world's."""
    with Stubber(_aws.aws_client("s3", REGION)) as stub:
        stub.add_client_error("head_bucket", "403", "Forbidden", 403)
        with pytest.raises(ConfigError, match="The bucket taken-name belongs to somebody else; choose another name"):
            account_stack.plan({"LakeBucket": "taken-name"})


def test_pods_of_a_cluster_become_writer_and_reader_when_asked(account_stack):
    """Without, nobody but whom the account lets is trusted."""
    without, plan = account_stack.plan({}), account_stack.plan({"WithCluster": "yes", "Cluster": "ours"})

    assert set(plan.made) - set(without.made) == {"ClusterPods", "ClusterDagster", "ClusterSuperset"}
    account_stack.deploy({})
    for name in ("writer", "reader"):
        role = boto3.client("iam").get_role(RoleName=f"{account_stack.stack}-{name}")["Role"]
        # moto keeps what AWS::NoValue stands for as nothing; CloudFormation leaves it out.
        [statement] = filter(None, role["AssumeRolePolicyDocument"]["Statement"])
        assert "AWS" in statement["Principal"]
    account_stack.destroy([], print)


def test_every_role_and_bucket_of_the_template_is_where_it_should_be():
    """What moto cannot make is at least in the template, with its bound."""
    body = Template.ours().body["Resources"]
    for name in ("WriterQueries", "ReaderQueries"):
        group = body[name]["Properties"]["WorkGroupConfiguration"]
        assert group["EnforceWorkGroupConfiguration"] is True
        assert group["BytesScannedCutoffPerQuery"]
    assert body["Spark"]["Properties"]["AutoStopConfiguration"]["Enabled"] is True
    assert body["Postgres"]["DeletionPolicy"] == "Snapshot"
    kept = ("Lake", "LakeOverTlsAlone", "Work", "WorkOverTlsAlone", "Raw", "Partitioned", "Curated")
    assert {body[name]["DeletionPolicy"] for name in kept} == {"Retain"}
