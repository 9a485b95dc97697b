"""What a measurement is: ours against something else, in turns, in one run."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import zip_longest
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Pair", "duckdb_rows", "same"]


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


def same(
    theirs: str,
    our_rows: Sequence[Mapping[str, Any]],
    their_rows: Sequence[Mapping[str, Any]],
    *,
    within: float = 0.0,
) -> None:
    """Require that both sides gave the same answer, row by row and column by column; names do not matter.

    Args:
        theirs: Who the other side is.
        our_rows: Ours.
        their_rows: Theirs.
        within: By which part of itself a number may differ.

    Raises:
        AssertionError: They differ; the first row that does is named.
    """
    ours, others = ([tuple(row.values()) for row in rows] for rows in (our_rows, their_rows))
    for mine, other in zip_longest(ours, others, fillvalue=()):
        if len(mine) != len(other) or not all(_equal(*both, within) for both in zip(mine, other, strict=True)):
            raise AssertionError(f"Headwater and {theirs} must give the same answer: {mine} and {other}.")


def _equal(mine: Any, other: Any, within: float) -> bool:
    numbers = isinstance(mine, int | float | Decimal) and isinstance(other, int | float | Decimal)
    return bool(mine == other or (within and numbers and math.isclose(mine, other, rel_tol=within)))


def duckdb_rows(sql: str, **views: Any) -> list[dict[str, Any]]:
    """Return what DuckDB answers, with Arrow data as views by name."""
    import duckdb  # noqa: PLC0415 - slow to import

    with duckdb.connect() as connection:
        for name, view in views.items():
            connection.register(name, view)
        found: Any = connection.sql(sql)
        rows: list[dict[str, Any]] = found.to_arrow_table().to_pylist()
        return rows
