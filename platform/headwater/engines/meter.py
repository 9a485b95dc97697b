"""What work costs at services that bill it: engines tell, whoever asked for the work listens."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["metered", "spend"]

_meter: ContextVar[dict[str, float] | None] = ContextVar("headwater_meter", default=None)


@contextmanager
def metered() -> Iterator[dict[str, float]]:
    """Sum up what engines spend inside the ``with``, by what was spent.

    >>> with metered() as bill:
    ...     spend({"athena/bytes_scanned": 10_000_000.0})
    ...     spend({"athena/bytes_scanned": 5_000_000.0})
    >>> bill
    {'athena/bytes_scanned': 15000000.0}
    """
    bill: dict[str, float] = {}
    before = _meter.set(bill)
    try:
        yield bill
    finally:
        _meter.reset(before)


def spend(amounts: dict[str, float]) -> None:
    """Tell what was spent, by what it is; nobody may be listening."""
    bill = _meter.get()
    if bill is not None:
        for what, amount in amounts.items():
            bill[what] = bill.get(what, 0.0) + amount
