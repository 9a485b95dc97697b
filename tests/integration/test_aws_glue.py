"""The box's Glue: the contract, and what Hive Metastore, Trino and PyIceberg make of the same tables."""

from __future__ import annotations

import uuid

import boto3
import pytest
from botocore.config import Config
from command_line import headwater
from glue_cases import GlueCases

pytestmark = pytest.mark.box


@pytest.fixture(scope="session")
def aws(box):
    """Clients of the box's AWS APIs, by service."""
    headwater(box, "up", "aws-api")
    made = {}

    def client(service):
        if service not in made:
            made[service] = boto3.client(
                service,
                endpoint_url=f"http://{box.address('minio' if service == 's3' else 'aws-api')}",
                aws_access_key_id=box.credentials.user("minio"),
                aws_secret_access_key=box.credentials.password("minio"),
                region_name=box.region,
                config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
            )
        return made[service]

    return client


@pytest.fixture
def glue(aws):
    """A Glue client."""
    return aws("glue")


@pytest.fixture
def database(glue):
    """An empty database of this test's own."""
    name = f"glue_{uuid.uuid4().hex[:8]}"
    glue.create_database(DatabaseInput={"Name": name})
    yield name
    glue.delete_database(Name=name)


@pytest.fixture
def place(box, database):
    """Where its tables lie."""
    return f"s3://{box.bucket}/{database}"


class TestBox(GlueCases):
    """Glue over the box's Hive Metastore."""
