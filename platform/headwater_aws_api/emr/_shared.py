"""What applications, job runs and sessions have in common. Pure."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CALLER", "INVALID", "PAGE", "absent", "arn", "invalid", "key_of", "when_asked"]

INVALID = "ValidationException"
# The most that one answer lists.
PAGE = 50
_ACCOUNT = "000000000000"
CALLER = f"arn:aws:iam::{_ACCOUNT}:root"


def invalid(sentence: str) -> AwsError:
    """Return the refusal of what cannot be done."""
    return AwsError(INVALID, sentence)


def absent(what: str) -> AwsError:
    """Return the refusal of what asks for something that is not there."""
    return AwsError("ResourceNotFoundException", f"{what} does not exist.", 404)


def key_of(scope: str, token: str) -> str:
    """Return a name as EMR gives it: 16 letters and digits, the same for the same request."""
    return f"00{uuid.uuid5(uuid.NAMESPACE_OID, f'{scope}/{token}').hex[:14]}"


def arn(application: str, kind: str = "", key: str = "") -> str:
    """Return the resource name of an application, or of one of its ``jobruns`` or ``sessions``."""
    place = f"arn:aws:emr-serverless:us-east-1:{_ACCOUNT}:/applications/{application}"
    return f"{place}/{kind}/{key}" if kind else place


def when_asked(given: Mapping[str, Any], made: float) -> bool:
    """Return whether something that was made then is in the time that a listing asks for."""
    after, before = (given.get(name) for name in ("createdAtAfter", "createdAtBefore"))
    return (after is None or made >= _seconds(after)) and (before is None or made <= _seconds(before))


def _seconds(text: Any) -> float:
    from botocore.utils import parse_timestamp  # noqa: PLC0415 - slow to import

    return float(parse_timestamp(text).timestamp())
