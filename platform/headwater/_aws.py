"""AWS clients: one for each service and process, and their errors as ours.

Credentials, endpoints and proxies are what the AWS clients' own variables and files say, so that nothing of ours holds
a key, and whatever speaks like a service can stand in for it (``AWS_ENDPOINT_URL_GLUE`` and its kind).
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headwater.errors import HeadwaterError

__all__ = ["aws_client", "aws_errors", "error_code"]

# With the pauses of the clients' standard mode (doubling, at most 20 seconds, never two alike) about two minutes.
_ATTEMPTS = 10
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedException"})
_LOGIN = frozenset({"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException"})


def aws_client(service: str, region: str) -> Any:
    """Return this process's client of a service.

    Args:
        service: Its name, e.g. ``glue``.
        region: Where; empty where the clients' own configuration says.
    """
    return _client(service, region, os.getpid())


@cache
def _client(service: str, region: str, process: int) -> Any:  # noqa: ARG001 - a fork must not share its parent's sockets
    from boto3.session import Session  # noqa: PLC0415 - slow to import
    from botocore.config import Config  # noqa: PLC0415

    retries = {"total_max_attempts": _ATTEMPTS, "mode": "standard"}
    config = Config(retries=retries, connect_timeout=10, read_timeout=60, user_agent_extra="headwater")
    return Session().client(service, region_name=region or None, config=config)


@contextmanager
def aws_errors(
    failure: str, kind: type[HeadwaterError], *, busy: Callable[[str], HeadwaterError] | None = None
) -> Iterator[None]:
    """Raise what a client raises as one of our errors, with what to do.

    Args:
        failure: Begins the sentence: what was not done.
        kind: The error to raise.
        busy: Makes the error of a service that kept asking for fewer requests; ``kind`` when absent.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - slow to import

    try:
        yield
    except ClientError as error:
        code, said = error_code(error), error.response["Error"].get("Message") or "no reason given"
        if _is_throttled(code):
            sentence = f"{failure}: AWS asked for fewer requests ({code}) {_ATTEMPTS} times. Run fewer things at once."
            raise (busy or kind)(sentence) from error
        raise kind(f"{failure}: {said.rstrip('.')} ({code}). {_advice(code, error.operation_name)}") from error
    except BotoCoreError as error:
        said = str(error).rstrip(".")
        raise kind(f"{failure}: {said}. See your AWS configuration: `aws sts get-caller-identity`.") from error


def error_code(error: Any) -> str:
    """Return AWS's name of a client's error."""
    return str(error.response["Error"].get("Code", "Unknown"))


def _is_throttled(code: str) -> bool:
    from botocore.retries.standard import ThrottledRetryableChecker  # noqa: PLC0415

    return code in ThrottledRetryableChecker._THROTTLED_ERROR_CODES  # noqa: SLF001 - the list that its retries go by


def _advice(code: str, operation: str) -> str:
    if code in _DENIED:
        return f"This role may not do {operation}; `headwater aws plan` lists what the roles of the template may."
    if code in _LOGIN:
        return "Log in to AWS again."
    return "Correct that and run it again."
