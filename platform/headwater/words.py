"""Words of messages. Pure."""

from __future__ import annotations

__all__ = ["amount"]


def amount(count: int, noun: str) -> str:
    """Return how many of something there are, as people say it.

    >>> amount(1, "query"), amount(2, "query"), amount(0, "day")
    ('1 query', '2 queries', '0 days')
    """
    if count == 1:
        return f"1 {noun}"
    irregular = noun.endswith("y") and noun[-2] not in "aeiou"
    return f"{count} {noun[:-1]}ies" if irregular else f"{count} {noun}s"
