"""The write path under `aws`, on the box's Glue, Athena and EMR Serverless: it promises what it does everywhere."""

from __future__ import annotations

import pytest
from aws_site import account_on, stack_on
from write_cases import WriteCases

pytestmark = pytest.mark.box


@pytest.fixture(scope="module")
def account(box, tmp_path_factory):
    """The variables of the profile `aws` against the box."""
    with account_on(box, tmp_path_factory.mktemp("project")) as variables:
        yield variables


@pytest.fixture(scope="module")
def stack(account):
    """The adapters of that profile, in place of the box's own."""
    with stack_on(account) as made:
        yield made


class TestWrite(WriteCases):
    """By Athena where the box has Trino, and by a session of EMR Serverless where it has Spark."""
