"""How the AWS APIs run in the box, without starting them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from headwater.box.clients import client_variables
from headwater.box.components import all_components
from headwater.box.programs import by_default
from headwater.errors import ComponentError
from headwater_aws_api.component import AwsApiComponent
from unstarted import idle_box


@pytest.fixture
def box(tmp_path):
    """A box that has credentials and runs nothing, on a free port."""
    return idle_box(tmp_path)


def test_it_is_a_component_that_starts_when_it_is_named(box):
    """It is there, and a box that nobody tells of it does without."""
    components = all_components()

    assert isinstance(components["aws-api"], AwsApiComponent)
    assert set(components) - set(by_default(components)) == {"aws-api"}
    assert components["aws-api"].url(box, "") == f"http://127.0.0.1:{box.profile.port('aws-api')}"


def test_clients_are_told_where_it_is(box):
    """The variables that AWS clients read name its address, and S3's is MinIO's."""
    shown = client_variables(box.profile)

    for service in ("GLUE", "ATHENA", "EMR_SERVERLESS"):
        assert shown[f"AWS_ENDPOINT_URL_{service}"] == f"http://127.0.0.1:{box.profile.port('aws-api')}"
    assert shown["AWS_ENDPOINT_URL_S3"] == f"http://127.0.0.1:{box.profile.port('minio')}"


def test_no_secret_stands_where_others_look(box):
    """Neither arguments nor environment hold a password; the process reads them itself."""
    command = AwsApiComponent().command(box, "")
    shown = " ".join((*command.argv, *command.env.values()))

    for login in ("minio", "aws-api-db", "trino"):
        assert box.profile.credentials.password(login) not in shown


def test_one_that_is_down_is_one_sentence(box):
    """The probe says where it asked and what to do."""
    with pytest.raises(ComponentError, match=r"127\.0\.0\.1:\d+ did not list databases.*headwater logs aws-api"):
        AwsApiComponent().probe(box, "")


def test_heavy_libraries_stay_out_of_the_process():
    """The service imports neither orchestrator nor engines nor data frames, and AWS models when asked for."""
    program = "import sys, headwater_aws_api.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}

    heavy = {"dagster", "pyspark", "pandas", "pyarrow", "numpy", "pyiceberg", "trino", "sqlglot", "boto3", "botocore"}
    assert loaded & heavy == set()
