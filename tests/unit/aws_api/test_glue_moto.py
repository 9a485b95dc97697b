"""The cases of the Glue contract against moto: our reading of Glue, checked by somebody else's."""

from __future__ import annotations

import os
import uuid

import boto3
import pytest
from crawler_cases import CrawlerCases
from glue_cases import GlueCases
from moto import mock_aws


@pytest.fixture(scope="module")
def client():
    """A client whose calls reach moto in this process, with keys that open nothing."""
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "testing")
    former = {name: os.environ.get(name) for name in keys}
    os.environ.update(keys)
    with mock_aws():
        yield boto3.client("glue", region_name="us-east-1")
    for name, value in former.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


class TestMoto(GlueCases):
    """Glue, as moto reads it."""

    @pytest.fixture
    def glue(self, client):
        """Its client."""
        return client

    @pytest.fixture
    def database(self, client):
        """An empty database."""
        name = f"cases_{uuid.uuid4().hex[:8]}"
        client.create_database(DatabaseInput={"Name": name})
        return name

    @pytest.fixture
    def place(self, database):
        """Where tables lie."""
        return f"s3://lake/{database}"


class TestMotoCrawlers(CrawlerCases):
    """Crawlers, as moto keeps them."""

    @pytest.fixture
    def glue(self, client):
        """Its client."""
        return client

    @pytest.fixture
    def place(self):
        """A folder with nothing in it."""
        return f"s3://lake/{uuid.uuid4().hex[:8]}"
