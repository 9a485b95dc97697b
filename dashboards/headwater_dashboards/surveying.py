"""A first look at a table's rows: how many, how varied each column is and between which values it lies."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from headwater.dialects import TRINO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.engines.base import Engine

    from headwater_dashboards.tables import ColumnFacts, TableFacts

__all__ = ["ColumnSurvey", "Survey", "survey"]

Family = Literal["number", "text", "flag", "time", "other"]
_NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "REAL", "DOUBLE", "DECIMAL")
_WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
# A table may be of any size; what a first dashboard looks like shows in so many rows and columns of it.
_ROWS, _COLUMNS = 2_000_000, 60


@dataclass(frozen=True)
class ColumnSurvey:
    """What was seen of one column.

    Args:
        facts: Its name, type and doc.
        distinct: How many different values, about.
        filled: In how many rows it has one.
        low: Lowest value, leaving out the lowest hundredth; numbers only.
        high: Highest value, leaving out the highest hundredth; numbers only.
        days: Days between the first and the last moment; times only.
    """

    facts: ColumnFacts
    distinct: int = 0
    filled: int = 0
    low: float | None = None
    high: float | None = None
    days: int | None = None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.facts.name

    @property
    def family(self) -> Family:
        """What kind of values it holds."""
        return family_of(self.facts.type)

    @property
    def is_whole(self) -> bool:
        """Whether it holds whole numbers."""
        return self.facts.type.partition("(")[0] in _WHOLE


@dataclass(frozen=True)
class Survey:
    """What was seen of a table.

    Args:
        table: Its name, columns and doc.
        rows: How many rows were looked at.
        columns: In the table's order.
    """

    table: TableFacts
    rows: int
    columns: tuple[ColumnSurvey, ...]


def family_of(sql_type: str) -> Family:
    """Return the family of a type in SQL.

    >>> [family_of(text) for text in ("BIGINT", "VARCHAR(5)", "TIMESTAMP(6)", "ROW(A DATE)")]
    ['number', 'text', 'time', 'other']
    """
    head = re.split(r"[( ]", sql_type, maxsplit=1)[0]
    if head in _NUMBERS:
        return "number"
    if head in ("VARCHAR", "CHAR"):
        return "text"
    if head == "BOOLEAN":
        return "flag"
    return "time" if head in ("DATE", "TIMESTAMP") else "other"


def survey(table: TableFacts, engine: Engine) -> Survey:
    """Look at a table with one query.

    Raises:
        QueryError: The engine refused or failed it.
    """
    looked = [column for column in table.columns if family_of(column.type) != "other"][:_COLUMNS]
    parts = ["count(*) AS c"]
    for index, column in enumerate(looked):
        parts += _measures(index, column)
    zone, _, name = table.name.partition(".")
    source = f"{TRINO.quoted(zone)}.{TRINO.quoted(name)}"
    names = ", ".join(TRINO.quoted(column.name) for column in looked) or "1 AS x"
    sql = f"SELECT {', '.join(parts)} FROM (SELECT {names} FROM {source} LIMIT {_ROWS})"  # noqa: S608 - quoted names
    row = engine.rows(sql)[0]
    seen = {column.name: _seen(index, column, row) for index, column in enumerate(looked)}
    every = tuple(seen.get(column.name, ColumnSurvey(column)) for column in table.columns)
    return Survey(table, int(row["c"]), every)


def _measures(index: int, column: ColumnFacts) -> list[str]:
    name = TRINO.quoted(column.name)
    found = [f"approx_distinct({name}) AS d{index}", f"count({name}) AS n{index}"]
    family = family_of(column.type)
    if family == "number":
        value = f"CAST({name} AS DOUBLE)"
        finite = f"CASE WHEN is_finite({value}) THEN {value} END"
        found += [f"approx_percentile({finite}, {share}) AS {key}{index}" for key, share in (("l", 0.01), ("h", 0.99))]
    elif family == "time":
        found.append(f"date_diff('day', CAST(min({name}) AS TIMESTAMP), CAST(max({name}) AS TIMESTAMP)) AS t{index}")
    return found


def _seen(index: int, column: ColumnFacts, row: Mapping[str, int | float | None]) -> ColumnSurvey:
    low, high, days = row.get(f"l{index}"), row.get(f"h{index}"), row.get(f"t{index}")
    return ColumnSurvey(
        column,
        distinct=int(row[f"d{index}"] or 0),
        filled=int(row[f"n{index}"] or 0),
        low=None if low is None else float(low),
        high=None if high is None else float(high),
        days=None if days is None else int(days),
    )
