"""What contract tests share."""

from __future__ import annotations

import uuid

import pytest
from aws_account import moto_account


@pytest.fixture(scope="session")
def account():
    """An AWS account on loopback; what it was asked."""
    with moto_account() as recorder:
        yield recorder


@pytest.fixture
def mark():
    """A name that no other test uses."""
    return uuid.uuid4().hex[:8]
