"""Lists in pages, whose tokens say where the next page begins and are of no use for another list. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, TypeVar

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["page_of", "read_token", "write_token"]

Item = TypeVar("Item")


def page_of(
    items: Sequence[Item], key: Callable[[Item], str], token: str | None, limit: int, *, code: str
) -> tuple[list[Item], str | None]:
    """Return a page of items that are in the order of their key, and the token of the next one.

    Args:
        items: All of them.
        key: Names an item; what was added or removed between two pages does no harm.
        token: Of the page, None for the first.
        limit: The most items of a page.
        code: AWS's name of the error for a token that is none.
    """
    after = None if token is None else read_token(token, str, code)
    rest = [item for item in items if after is None or key(item) > after]
    page = rest[:limit]
    return page, write_token(key(page[-1])) if len(rest) > limit else None


def write_token(place: Any) -> str:
    """Return a place, such as a name or a number, as a token."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def read_token(token: str, kind: type, code: str) -> Any:
    """Return the place that a token stands for.

    Raises:
        AwsError: It is no token of such a list.
    """
    try:
        place = json.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError) as error:
        raise AwsError(code, "NextToken is none that was given out.") from error
    if not isinstance(place, kind):
        raise AwsError(code, "NextToken is none that was given out for this list.")
    return place
