"""The cases of the Glue contract against moto: our reading of Glue, checked by somebody else's."""

import boto3
import pytest
from glue_cases import GlueCases
from moto import mock_aws


class TestMoto(GlueCases):
    """Glue, as moto reads it."""

    @pytest.fixture
    def glue(self, monkeypatch):
        """A client whose calls reach moto in this process."""
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        with mock_aws():
            yield boto3.client("glue", region_name="us-east-1")

    @pytest.fixture
    def database(self, glue):
        """An empty database."""
        glue.create_database(DatabaseInput={"Name": "cases"})
        return "cases"

    @pytest.fixture
    def place(self):
        """Where tables lie."""
        return "s3://lake/cases"
