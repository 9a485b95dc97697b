"""Asks an engine for what files do not say of their rows, in one pass, and reads its answer. Pure."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headwater.profiles import MOST_BINS, MOST_VALUES, ColumnProfile, Histogram, bin_exponent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headwater.dialects import Dialect
    from headwater.table import Column, Table

    # Of a partition; None for a table without partitions.
    Value = int | date | str | None

__all__ = ["Bounds", "profile_columns"]

# Partitions asked about at once: an engine keeps its counts for every column of each of them in memory.
_AT_ONCE = 16
# Different texts that an engine keeps count of; lists of columns with more are estimates.
_TRACKED = 1000
# What an engine counts wrong is at most a thousandth of all values: a value that is a hundredth of them is told.
_COMMON = 100
_LONGEST = 60
_EPOCH = date(1970, 1, 1)
_EPOCH_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS = {
    **dict.fromkeys(("int", "long", "float", "double", "decimal"), "number"),
    **dict.fromkeys(("timestamp", "timestamptz"), "timestamp"),
    "date": "date",
    "string": "text",
    "boolean": "boolean",
}
_WHOLE = ("int", "long", "date")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What data files say of one column.

    Args:
        nulls: Rows without a value; None when a file does not say.
        count: Rows with one.
        low: The least value; None when it is not known whole.
        high: The greatest.
    """

    nulls: int | None = None
    count: int | None = None
    low: Any = None
    high: Any = None


def profile_columns(
    table: Table,
    relation: str,
    dialect: Dialect,
    bounds: Mapping[Value, Mapping[str, Bounds]],
    run: Callable[[str], Sequence[Mapping[str, Any]]],
) -> dict[Value, dict[str, ColumnProfile]]:
    """Return what the columns of staged rows hold, by the value of their partition; None without partitions.

    Args:
        table: Whose rows.
        relation: The rows, in the engine's own quoting.
        dialect: The engine's.
        bounds: By partition, what the data files say of each column.
        run: Runs a statement and returns its rows.

    Raises:
        QueryError: The engine failed.
    """
    found: dict[Value, dict[str, ColumnProfile]] = {}
    values = list(bounds)
    for at in range(0, len(values), _AT_ONCE):
        some = {value: bounds[value] for value in values[at : at + _AT_ONCE]}
        plan = _Plan(table, relation, dialect, some)
        answers = {row.get("_part"): row for row in run(plan.statement)} if plan.asked else {}
        found |= {value: plan.read(answers.get(value, {}), said) for value, said in some.items()}
    return found


class _Plan:
    """One statement, and how its answer is read."""

    def __init__(
        self, table: Table, relation: str, dialect: Dialect, bounds: Mapping[Value, Mapping[str, Bounds]]
    ) -> None:
        self._table, self._relation, self._dialect = table, relation, dialect
        self._values = [value for value in bounds if value is not None]
        self._grids = {one.name: grid for one in table.columns if (grid := self._grid(one, bounds)) is not None}
        self.asked = [
            f"{text} AS {dialect.quoted(f'_{kind}{number}')}"
            for number, column in enumerate(table.columns)
            for kind, text in self._measures(column)
        ]

    @property
    def statement(self) -> str:
        """The one pass over the rows."""
        cut = self._table.partitioning
        if cut is None:
            return f"SELECT {', '.join(self.asked)} FROM {self._relation}"  # noqa: S608 - quoted names
        column = self._dialect.quoted(cut.column)
        asked = f"{column} AS {self._dialect.quoted('_part')}, {', '.join(self.asked)}"
        wanted = ", ".join(_text(value, self._dialect) for value in self._values)
        return f"SELECT {asked} FROM {self._relation} WHERE {column} IN ({wanted}) GROUP BY {column}"  # noqa: S608

    def _measures(self, column: Column) -> list[tuple[str, str]]:
        kind, name = _kind(column), self._dialect.quoted(column.name)
        if not kind:
            return []
        estimated = [("distinct", self._write("distinct", name))]
        asked = [] if self._has_unit_bins(column) or kind == "boolean" else estimated
        if "pii" in column.tags:
            return estimated
        if kind in ("text", "boolean"):
            text = self._write("text", name, _LONGEST)
            asked.append(("top", self._write("frequent", text, MOST_VALUES + 1, _TRACKED)))
        elif column.name in self._grids:
            asked.append(("bins", self._write("counts", self._bin(column), 2 * MOST_BINS)))
        return asked

    def _has_unit_bins(self, column: Column) -> bool:
        """Return whether each value has a bin of its own, so that bins count the different values."""
        grid = self._grids.get(column.name)
        return grid is not None and grid[0] == 0 and _head(column) in _WHOLE and "pii" not in column.tags

    def _bin(self, column: Column) -> str:
        """Return the number of the bin that a value lies in; null for what is no number."""
        name, head = self._dialect.quoted(column.name), _head(column)
        exponent, low, high = self._grids[column.name]
        number = self._write(head, name) if head in self._dialect.aggregates else f"CAST({name} AS DOUBLE)"
        index = self._write("whole", f"floor({number} / {_double(2.0**exponent)})")
        if head not in ("float", "double"):
            return index
        return f"CASE WHEN {name} BETWEEN {_double(low)} AND {_double(high)} THEN {index} END"

    def _write(self, what: str, *values: object) -> str:
        return self._dialect.aggregates[what].format(*values)

    def _grid(self, column: Column, bounds: Mapping[Value, Mapping[str, Bounds]]) -> tuple[int, float, float] | None:
        known = [one for said in bounds.values() if (one := said.get(column.name)) is not None and one.count]
        if _kind(column) not in ("number", "date", "timestamp") or not known:
            return None
        if any(one.low is None or one.high is None for one in known):
            return None
        low, high = min(_number(one.low) for one in known), max(_number(one.high) for one in known)
        exponent = bin_exponent(low, high, whole=_head(column) in _WHOLE)
        return None if exponent is None else (exponent, low, high)

    def read(self, answer: Mapping[str, Any], bounds: Mapping[str, Bounds]) -> dict[str, ColumnProfile]:
        """Return the profiles of one partition."""
        return {
            column.name: self._column(column, number, answer, bounds.get(column.name, Bounds()))
            for number, column in enumerate(self._table.columns)
        }

    def _column(self, column: Column, number: int, answer: Mapping[str, Any], said: Bounds) -> ColumnProfile:
        hidden = "pii" in column.tags
        top = _pairs(answer.get(f"_top{number}"))
        whole = 0 < len(top) <= MOST_VALUES and sum(count for _, count in top) == said.count
        complete = whole and not any(len(value) >= _LONGEST for value, _ in top)
        bins = {int(value): count for value, count in _pairs(answer.get(f"_bins{number}"))}
        values = top if complete else bins if bins and self._has_unit_bins(column) else None
        counted = 0 if said.count == 0 else None if values is None else len(values)
        return ColumnProfile(
            kind=_kind(column),
            nulls=said.nulls,
            count=said.count,
            distinct=_capped(answer.get(f"_distinct{number}"), said.count) if counted is None else counted,
            exact=counted is not None,
            low=None if hidden else _shown(column, said.low),
            high=None if hidden else _shown(column, said.high),
            histogram=Histogram(self._grids[column.name][0], bins) if bins else None,
            top=tuple(pair for pair in top if whole or pair[1] * _COMMON >= (said.count or 0))[:MOST_VALUES],
            complete=complete,
        )


def _capped(distinct: Any, count: int | None) -> int | None:
    """Return an estimate that is not above the number of values."""
    if distinct is None:
        return None
    return int(distinct) if count is None else min(int(distinct), count)


def _head(column: Column) -> str:
    return column.type.partition("(")[0]


def _kind(column: Column) -> str:
    return _KINDS.get(_head(column), "")


def _pairs(text: Any) -> list[tuple[str, int]]:
    """Return values with their counts, the most frequent first; engines give an object, or a list of objects."""
    found = json.loads(text) if text else {}
    pairs = found.items() if isinstance(found, dict) else [(one.get("item"), one["count"]) for one in found]
    return sorted(((str(value), int(n)) for value, n in pairs if value is not None), key=lambda one: (-one[1], one[0]))


def _text(value: Value, dialect: Dialect) -> str:
    """Return a partition's value as a literal."""
    from sqlglot import exp  # noqa: PLC0415 - slow to import

    text = exp.convert(value).sql(dialect=dialect.name)
    for before, after in dialect.escapes.items():
        text = text.replace(before, after)
    return text


def _double(value: float) -> str:
    return f"{value:.17E}"


def _number(value: Any) -> float:
    if isinstance(value, datetime):
        return (value.replace(tzinfo=value.tzinfo or UTC) - _EPOCH_TIME) / timedelta(seconds=1)
    return float((value - _EPOCH).days) if isinstance(value, date) else float(value)


def _shown(column: Column, value: Any) -> float | str | None:
    if value is None or _kind(column) in ("", "boolean"):
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, date) else str(value)
