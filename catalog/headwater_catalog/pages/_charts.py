"""Small pictures and figures of what columns hold. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from headwater_catalog.profiles import ColumnProfile

__all__ = ["amount", "bars", "distinct", "share", "values"]

_WIDTH, _HEIGHT = 120, 26
_SMALL = 10_000
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def amount(count: float | None) -> str:
    """Return a count: whole up to ten thousand, shortened beyond."""
    if count is None:
        return ""
    if abs(count) < _SMALL:
        return f"{count:,.0f}"
    return next(f"{count / size:.3g} {unit}" for size, unit in _UNITS if abs(count) >= size)


def share(part: int | None, whole: int | None) -> str:
    """Return a part of a whole in percent; what is not nothing is never shown as 0 %, nor what lacks some as 100 %."""
    if part is None or not whole:
        return ""
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "<1 %"
    return ">99 %" if 99 < percent < 100 else f"{percent:.0f} %"  # noqa: PLR2004 - percent


def distinct(one: ColumnProfile) -> str:
    """Return how many different values there are, and how sure that is."""
    if one.distinct is None:
        return ""
    if one.distinct_at_most is not None:
        return f"{amount(one.distinct)} to {amount(one.distinct_at_most)}"
    if one.exact:
        return amount(one.distinct)
    return f"about {amount(one.distinct)}"


def values(one: ColumnProfile) -> str:
    """Return the range."""
    if one.low is None or one.high is None:
        return ""
    low, high = (_value(one.low), _value(one.high))
    return low if low == high else f"{low} to {high}"


def bars(one: ColumnProfile) -> Markup:
    """Return a histogram, or the most frequent values, as a picture; empty where there is nothing to draw."""
    if one.histogram is not None and one.histogram.bins:
        return _picture(_bins(one))
    return _picture(list(one.top)) if one.top else Markup()


def _bins(one: ColumnProfile) -> list[tuple[str, int]]:
    histogram = one.histogram
    if histogram is None:
        return []
    numbers = range(min(histogram.bins), max(histogram.bins) + 1)
    return [
        (f"{_edge(one.kind, n * histogram.width)} to {_edge(one.kind, (n + 1) * histogram.width)}",
         histogram.bins.get(n, 0))
        for n in numbers
    ]  # fmt: skip


def _edge(kind: str, value: float) -> str:
    try:
        if kind == "date":
            return str(date(1970, 1, 1) + timedelta(days=value))
        if kind == "timestamp":
            return (_EPOCH + timedelta(seconds=value)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:
        return f"{value:g}"
    return _value(value)


def _value(value: float | str) -> str:
    """Return a value as it is: unlike a count, a year or a number of an account has no thousands to separate."""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _picture(pairs: list[tuple[str, int]]) -> Markup:
    tallest, wide = max(count for _, count in pairs) or 1, _WIDTH / len(pairs)
    drawn = Markup().join(
        Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {:,}</title></rect>').format(
            at * wide, _HEIGHT - high, max(wide - 1, 0.5), high, label, count
        )
        for at, (label, count) in enumerate(pairs)
        if (high := max(_HEIGHT * count / tallest, 1 if count else 0))
    )
    return Markup('<svg class="bars" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img">{}</svg>').format(
        drawn, w=_WIDTH, h=_HEIGHT
    )
