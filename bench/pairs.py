"""What a measurement is: ours against something else, in turns, in one run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Pair"]


@dataclass(frozen=True)
class Pair:
    """Both sides of one claim, in seconds, in the order in which they were measured in turns.

    Args:
        name: What was done.
        ours: How Headwater did it.
        theirs: What it is held against.
        goal: The ratio to reach.
        our_seconds: One figure per round.
        their_seconds: One figure per round.
        limit: What keeps the ratio where it is.
    """

    name: str
    ours: str
    theirs: str
    goal: float
    our_seconds: Sequence[float]
    their_seconds: Sequence[float]
    limit: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the pair with its ratio: the median of the rounds' own ratios, so a drifting machine cancels out."""
        ratios = [ours / theirs for ours, theirs in zip(self.our_seconds, self.their_seconds, strict=True)]
        return {
            **asdict(self),
            "our_seconds": [round(one, 3) for one in self.our_seconds],
            "their_seconds": [round(one, 3) for one in self.their_seconds],
            "our_median": round(median(self.our_seconds), 3),
            "their_median": round(median(self.their_seconds), 3),
            "ratio": round(median(ratios), 3),
            "met": median(ratios) <= self.goal,
        }
