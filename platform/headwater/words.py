"""Words of messages. Pure."""

from __future__ import annotations

__all__ = ["amount"]


def amount(count: int, noun: str) -> str:
    """Return how many of something there are, as people say it.

    >>> amount(1, "table"), amount(2, "table")
    ('1 table', '2 tables')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
