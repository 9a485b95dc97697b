"""Ports that nobody uses and that no client is given by chance while a test goes on."""

from __future__ import annotations

import random
import socket

__all__ = ["free_ports"]

# Above those of boxes, below those that Linux gives to clients.
_FIRST, _LAST = 22000, 32000


def free_ports(count: int = 1) -> int:
    """Return the first of some ports in a row on loopback."""
    for _ in range(100):
        first = random.randrange(_FIRST, _LAST - count)  # noqa: S311 - no secret
        if all(map(_is_free, range(first, first + count))):
            return first
    raise AssertionError(f"no {count} free ports in a row between {_FIRST} and {_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
