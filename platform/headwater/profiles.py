"""What the columns of some rows hold: nulls, distinct values, range, histogram and most frequent values. Pure.

A profile is of the rows of one write. Profiles of several partitions add up: counts, ranges and histograms exactly,
which is why bins are as wide as a power of two and begin at multiples of it; distinct values only within bounds.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["ColumnProfile", "Histogram", "bin_exponent", "merged_profiles"]

# Bins of a histogram, and values of a list of frequent ones, at most.
MOST_BINS = 32
MOST_VALUES = 10
# Beyond this a double cannot tell one bin from the next.
_MOST_STEPS = 2.0**50
_FINEST = -30


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each bin; bin ``n`` holds those from ``n * width`` to below ``(n + 1) * width``.

    Args:
        exponent: The width of a bin is two to the power of it.
        bins: Values in each bin, by its number; empty bins are missing.
    """

    exponent: int
    bins: Mapping[int, int]

    @property
    def width(self) -> float:
        """How much a bin spans."""
        return 2.0**self.exponent

    def coarser(self, exponent: int) -> Histogram:
        """Return the same with wider bins; each goes whole into one of them, so nothing is estimated."""
        counts: Counter[int] = Counter()
        for number, count in self.bins.items():
            counts[number >> max(exponent - self.exponent, 0)] += count
        return Histogram(max(exponent, self.exponent), dict(counts))

    @classmethod
    def sum(cls, parts: Sequence[Histogram]) -> Histogram:
        """Return the histogram of all values together, with as many bins as fit."""
        widest = max(one.exponent for one in parts)
        counts: Counter[int] = Counter()
        for one in parts:
            counts.update(one.coarser(widest).bins)
        found = cls(widest, dict(counts))
        while max(found.bins, default=0) - min(found.bins, default=0) >= MOST_BINS:
            found = found.coarser(found.exponent + 1)
        return found


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """What one column holds.

    Args:
        kind: ``number``, ``date``, ``timestamp``, ``text``, ``boolean``, or empty where only nulls are told.
        nulls: Rows without a value.
        count: Rows with one.
        distinct: How many different values there are; with ``distinct_at_most`` the least that there can be.
        distinct_at_most: The most that there can be, where partitions were added up that may share values.
        exact: Whether ``distinct`` is counted, not estimated.
        low: The least value; of a date or timestamp in ISO form. Hidden for personal data.
        high: The greatest.
        histogram: Of numbers; of dates by day and of timestamps by second since 1970.
        top: The most frequent texts with how often each occurs, the most frequent first.
        complete: Whether ``top`` has every value, each with its exact count.
    """

    kind: str = ""
    nulls: int | None = None
    count: int | None = None
    distinct: int | None = None
    distinct_at_most: int | None = None
    exact: bool = False
    low: float | str | None = None
    high: float | str | None = None
    histogram: Histogram | None = None
    top: tuple[tuple[str, int], ...] = field(default=())
    complete: bool = False


def bin_exponent(low: float, high: float, *, whole: bool) -> int | None:
    """Return the finest width, as a power of two, that covers a range; None where no bins can.

    Args:
        low: The least value.
        high: The greatest.
        whole: Bins narrower than one make no sense.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    span = high - low
    if not math.isfinite(span):
        return None
    # A single value may lie in the finest bin: those of other partitions decide how wide it becomes.
    exponent = math.ceil(math.log2(span / (MOST_BINS - 1))) if span else _FINEST
    exponent = max(exponent, math.ceil(math.log2(max(abs(low), abs(high), 2.0**-1000) / _MOST_STEPS)))
    return max(exponent, 0) if whole else exponent


def merged_profiles(parts: Sequence[Mapping[str, ColumnProfile]]) -> dict[str, ColumnProfile]:
    """Return the profile of all rows of several partitions; a column that one of them does not know is left out."""
    names = [name for name in parts[-1] if all(name in one for one in parts)] if parts else []
    return {name: _merged([one[name] for one in parts]) for name in names}


def _merged(parts: Sequence[ColumnProfile]) -> ColumnProfile:
    if len(parts) == 1:
        return parts[0]
    filled = [one for one in parts if one.count != 0]
    least, most, exact = _distinct(filled)
    histograms = [one.histogram for one in filled]
    histogram = Histogram.sum([one for one in histograms if one]) if filled and all(histograms) else None
    if histogram is not None and all(_has_unit_bins(one, histogram) for one in filled):
        least, most, exact = len(histogram.bins), None, True
    top, complete = _top(filled)
    return ColumnProfile(
        kind=parts[-1].kind if len({one.kind for one in filled}) <= 1 else "",
        nulls=_total(one.nulls for one in parts),
        count=_total(one.count for one in parts),
        distinct=least,
        distinct_at_most=None if most == least else most,
        exact=exact,
        low=_extreme(min, [one.low for one in filled]),
        high=_extreme(max, [one.high for one in filled]),
        histogram=histogram,
        top=top,
        complete=complete,
    )


def _has_unit_bins(one: ColumnProfile, total: Histogram) -> bool:
    """Return whether each bin holds one value, also among the bins of a total."""
    same = one.histogram is not None and one.histogram.exponent == total.exponent == 0
    return same and one.exact and one.distinct == len(one.histogram.bins if one.histogram else ())


def _total(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(filter(None, known))


def _extreme(choose: Any, values: Sequence[float | str | None]) -> float | str | None:
    """Return the least or the greatest; values of two kinds, after a column changed its type, have none."""
    if not values or None in values or len({isinstance(value, str) for value in values}) > 1:
        return None
    found: float | str = choose(values)
    return found


def _distinct(parts: Sequence[ColumnProfile]) -> tuple[int | None, int | None, bool]:
    """Return the least and the most different values that parts have together, and whether that is counted."""
    known = [one.distinct for one in parts if one.distinct is not None]
    if len(known) < len(parts):
        return None, None, False
    if parts and all(one.complete for one in parts):
        count = len({value for one in parts for value, _ in one.top})
        return count, count, True
    exact = all(one.exact for one in parts)
    if _apart(parts):
        return sum(known), sum(known), exact
    return max(known, default=0), sum(one.distinct_at_most or one.distinct or 0 for one in parts), False


def _apart(parts: Sequence[ColumnProfile]) -> bool:
    """Return whether no value can be in two parts: their ranges do not meet."""
    if len(parts) < 2:  # noqa: PLR2004 - one part meets nothing
        return True
    ranges = [(one.low, one.high) for one in parts]
    if any(low is None or high is None for low, high in ranges) or _extreme(min, [low for low, _ in ranges]) is None:
        return False
    ordered: list[Any] = sorted(ranges)
    return all(before[1] < after[0] for before, after in pairwise(ordered))


def _top(parts: Sequence[ColumnProfile]) -> tuple[tuple[tuple[str, int], ...], bool]:
    counts: Counter[str] = Counter()
    for one in parts:
        counts.update(dict(one.top))
    complete = bool(parts) and all(one.complete for one in parts) and len(counts) <= MOST_VALUES
    return tuple(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:MOST_VALUES]), complete
