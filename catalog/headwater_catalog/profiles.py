"""Profiles as JSON, in the words of OpenLineage's ``columnMetrics`` and a few more, and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headwater.profiles import MOST_VALUES, ColumnProfile, Histogram, merged_profiles

from headwater_catalog._facets import number, text

__all__ = ["ColumnProfile", "Histogram", "column_metrics", "merged_profiles", "profile_json", "read_profile"]

_LONGEST = 200
_MOST_BINS = 200
_WIDEST = 1000


def column_metrics(profile: Mapping[str, ColumnProfile]) -> dict[str, Any]:
    """Return what the specification's facet has room for: counts, and the range of numbers."""
    found = {}
    for name, one in profile.items():
        said: dict[str, Any] = {"nullCount": one.nulls, "count": one.count, "distinctCount": one.distinct}
        if not isinstance(one.low, str) and not isinstance(one.high, str):
            said |= {"min": one.low, "max": one.high}
        found[name] = {key: value for key, value in said.items() if value is not None}
    return found


def profile_json(profile: Mapping[str, ColumnProfile]) -> dict[str, Any]:
    """Return a whole profile, by column."""
    return {name: _column(one) for name, one in profile.items()}


def _column(one: ColumnProfile) -> dict[str, Any]:
    said = {
        "kind": one.kind or None,
        "nullCount": one.nulls,
        "count": one.count,
        "distinctCount": one.distinct,
        "distinctAtMost": one.distinct_at_most,
        "distinctExact": one.exact,
        "min": one.low,
        "max": one.high,
        "histogram": one.histogram and _histogram(one.histogram),
        "top": [list(pair) for pair in one.top] or None,
        "topComplete": one.complete,
    }
    return {name: value for name, value in said.items() if value is not None}


def _histogram(one: Histogram) -> dict[str, Any]:
    return {"exponent": one.exponent, "bins": [[number, count] for number, count in sorted(one.bins.items())]}


def read_profile(said: object) -> dict[str, ColumnProfile] | None:
    """Return a profile that somebody told, or None when there is none; what makes no sense in it is left out."""
    if not isinstance(said, Mapping) or not said:
        return None
    return {text(name).lower(): _read(one) for name, one in said.items() if isinstance(one, Mapping)}


def _read(one: Mapping[str, Any]) -> ColumnProfile:
    top = tuple(_pairs(one.get("top")))[:MOST_VALUES]
    return ColumnProfile(
        kind=text(one.get("kind")),
        nulls=number(one.get("nullCount")),
        count=_whole(one.get("count")),
        distinct=number(one.get("distinctCount")),
        distinct_at_most=number(one.get("distinctAtMost")),
        exact=one.get("distinctExact") is not False,
        low=_value(one.get("min")),
        high=_value(one.get("max")),
        histogram=_read_histogram(one.get("histogram")),
        top=top,
        complete=one.get("topComplete") is True,
    )


def _whole(value: object) -> int | None:
    """Return a count; the specification has it as a number of any kind."""
    return number(int(value)) if isinstance(value, float) and value.is_integer() else number(value)


def _value(value: object) -> float | str | None:
    if isinstance(value, str):
        return text(value)[:_LONGEST]
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _read_histogram(said: object) -> Histogram | None:
    if not isinstance(said, Mapping) or not isinstance(exponent := said.get("exponent"), int):
        return None
    bins = said.get("bins")
    pairs = [tuple(one) for one in bins if _is_pair(one)] if isinstance(bins, list) else []
    if not pairs or len(pairs) > _MOST_BINS or abs(exponent) > _WIDEST:
        return None
    return Histogram(exponent, dict(pairs))


def _is_pair(one: object) -> bool:
    return (
        isinstance(one, list)
        and len(one) == 2  # noqa: PLR2004 - a bin and its count
        and all(isinstance(value, int) and abs(value) < 2**63 for value in one)
    )


def _pairs(said: object) -> list[tuple[str, int]]:
    pairs = [one for one in said if isinstance(one, list) and len(one) == 2] if isinstance(said, list) else []  # noqa: PLR2004
    return [(text(value)[:_LONGEST], counted) for value, count in pairs if (counted := number(count)) is not None]
