"""How long a table's former states stay readable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from headwater.errors import DefinitionError

__all__ = ["Keep"]


@dataclass(frozen=True, kw_only=True)
class Keep:
    """What ``headwater maintain`` leaves of a table's past.

    >>> Keep(days=90).span.days
    90

    Args:
        days: A state of the table stays readable for so many days after another took its place; whole, from 1.
        snapshots: So many of the newest snapshots stay however old they are, the current one among them; from 1.

    Raises:
        DefinitionError: One of them is no whole number from 1.
    """

    days: int = 30
    snapshots: int = 3

    def __post_init__(self) -> None:
        for name, value in (("days", self.days), ("snapshots", self.snapshots)):
            if type(value) is not int or value < 1:
                raise DefinitionError(f"Keep has {name}={value!r}; give a whole number from 1, such as Keep(days=30).")

    @property
    def span(self) -> timedelta:
        """The days as a span of time."""
        return timedelta(days=self.days)
