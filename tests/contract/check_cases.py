"""What each kind of check must answer, as data: the same cases run on every engine.

relation = make a table from ``case.rows_sql(dialect)`` (CREATE TABLE .. AS, or a temporary view)
results = run_checks(case.table, relation, dialect, run, relation_for=...)
assert case.broken == {result.check: result.broken for result in results}[case.check.name]
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from headwater._literals import literal
from headwater.checks import (
    CustomSql,
    ForeignKey,
    InPartition,
    InRange,
    InSet,
    Matches,
    NotNull,
    RowCount,
    Unique,
)
from headwater.dialects import DIALECTS, identifier
from headwater.sqlbody import to_dialect
from headwater.table import Column, Partitioning, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headwater.table import Check

__all__ = ["CASES", "PARENT", "PARENT_ROWS", "CheckCase", "rows_sql"]

NAN = float("nan")


def _table(name: str, types: Mapping[str, str], **more: Any) -> Table:
    columns = tuple(Column(column, kind, f"The {column}.") for column, kind in types.items())
    return Table(
        name=name, doc="Rows.", owner="team:tests", columns=columns, body=lambda *_: None, engine="spark", **more
    )


# What foreign keys and own SQL look up; an engine's test makes it once from PARENT_ROWS.
PARENT = _table("curated.check_parent", {"code": "string", "year": "int"})
PARENT_ROWS: tuple[tuple[Any, ...], ...] = (("a", 2019), ("b", 2019), ("b", 2020), (None, 2021))


def rows_sql(types: Mapping[str, str], rows: Sequence[Sequence[Any]], dialect: str) -> str:
    """Return a SELECT that gives some rows in an engine's dialect; none of them when there are no rows."""
    shown = rows or [[None] * len(types)]
    selects = (
        "SELECT "
        + ", ".join(f"{_value(v, t)} AS {identifier(n)}" for v, (n, t) in zip(row, types.items(), strict=True))
        for row in shown
    )
    sql = " UNION ALL ".join(selects)
    if not rows:
        sql = f'SELECT * FROM ({sql}) AS "none" WHERE FALSE'
    return to_dialect(sql, dialect)


def _value(value: Any, kind: str) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN differs from itself
        text = "NULL" if value is None else "'NaN'"
        return f"CAST({text} AS {DIALECTS['trino'].type_name(kind)})"
    return f"CAST({literal(value, kind)} AS {DIALECTS['trino'].type_name(kind)})"


@dataclass(frozen=True)
class CheckCase:
    """One check over some rows.

    Args:
        id: Names the case in a test's output.
        types: The columns with their types.
        rows: Python values, one tuple per row.
        check: The check; ``in_partition`` is asked by writing its values.
        broken: How many rows break it.
    """

    id: str
    types: Mapping[str, str]
    rows: tuple[tuple[Any, ...], ...]
    check: Check
    broken: int

    @property
    def table(self) -> Table:
        """A table with that one check."""
        if isinstance(self.check, InPartition):
            by = {"int": "year", "date": "month", "string": "value"}[self.types[self.check.column]]
            given = {"values": ("x", "y'z")} if by == "value" else {"start": "2019" if by == "year" else "2019-01"}
            return _table("curated.checked", self.types, partitioning=Partitioning(self.check.column, by, **given))
        return _table("curated.checked", self.types, checks=(self.check,), upstreams=(PARENT,))

    @property
    def partition_values(self) -> tuple[Any, ...]:
        """The partitions that are being written."""
        return self.check.values if isinstance(self.check, InPartition) else ()

    def rows_sql(self, dialect: str) -> str:
        """Return a SELECT that gives the rows in an engine's dialect."""
        return rows_sql(self.types, self.rows, dialect)


S, I, D = {"c": "string"}, {"c": "int"}, {"c": "double"}  # noqa: E741
KEYS = {"code": "string", "year": "int"}


def _rows(*values: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple((value,) for value in values)


_BOTH = (True, False)
_MORNING = datetime(2020, 1, 1, 6, 30, 0, 250_000)
_MORNING_UTC = datetime(2020, 1, 1, 6, 30, 0, 250_000, tzinfo=UTC)

CASES: tuple[CheckCase, ...] = (
    CheckCase("not_null", S, _rows("a", None, "", None), NotNull("c"), 2),
    CheckCase("not_null_no_rows", S, (), NotNull("c"), 0),
    CheckCase("in_set", S, _rows("a", "b", "A", "", None), InSet("c", ("a", "b")), 2),
    CheckCase("in_set_quotes", S, _rows("it's", "its", 'a"b', "a`b"), InSet("c", ("it's", 'a"b', "a`b")), 1),
    CheckCase("in_set_backslash", S, _rows("a\\nb", "a\nb", "a\\\\nb"), InSet("c", ("a\\nb",)), 2),
    CheckCase("in_set_unicode", S, _rows("Łódź", "日本", "Lodz"), InSet("c", ("Łódź", "日本")), 1),
    CheckCase("in_set_dollar", S, _rows("$5", "5"), InSet("c", ("$5",)), 1),
    CheckCase("in_set_int", I, _rows(1, 2, 3, None), InSet("c", (1, 3)), 1),
    CheckCase("in_set_long", {"c": "long"}, _rows(2**62, -(2**62), 0), InSet("c", (2**62, -(2**62))), 1),
    CheckCase("in_set_boolean", {"c": "boolean"}, _rows(*_BOTH, None), InSet("c", _BOTH[:1]), 1),
    CheckCase("in_set_float", {"c": "float"}, _rows(0.1, 0.2), InSet("c", (0.1,)), 1),
    CheckCase(
        "in_set_date", {"c": "date"}, _rows(date(2020, 2, 29), date(2020, 3, 1)), InSet("c", (date(2020, 2, 29),)), 1
    ),
    CheckCase("in_range", I, _rows(0, 1, 5, 6, None), InRange("c", 1, 5), 2),
    CheckCase("in_range_minimum_only", I, _rows(-1, 0, 7), InRange("c", minimum=0), 1),
    CheckCase("in_range_maximum_only", I, _rows(-1, 0, 7), InRange("c", maximum=0), 1),
    CheckCase("in_range_double", D, _rows(-0.1, 0.0, 1.5, 1.5000001), InRange("c", 0, 1.5), 2),
    CheckCase("in_range_nan", D, _rows(NAN, 0.5, None), InRange("c", 0, 1), 1),
    CheckCase("in_range_nan_minimum_only", D, _rows(NAN, 0.5), InRange("c", minimum=0), 1),
    CheckCase("in_range_nan_maximum_only", D, _rows(NAN, 0.5), InRange("c", maximum=1), 1),
    CheckCase(
        "in_range_decimal",
        {"c": "decimal(10,2)"},
        _rows(Decimal("0.00"), Decimal("99.99"), Decimal("100.00")),
        InRange("c", Decimal("0.01"), Decimal("99.99")),
        2,
    ),
    CheckCase(
        "in_range_date",
        {"c": "date"},
        _rows(date(1998, 12, 31), date(1999, 1, 1), None),
        InRange("c", minimum=date(1999, 1, 1)),
        1,
    ),
    CheckCase(
        "in_range_timestamp",
        {"c": "timestamp"},
        _rows(_MORNING, _MORNING.replace(microsecond=250_001)),
        InRange("c", maximum=_MORNING),
        1,
    ),
    CheckCase(
        "in_range_timestamptz",
        {"c": "timestamptz"},
        _rows(_MORNING_UTC, _MORNING_UTC.replace(microsecond=249_999)),
        InRange("c", minimum=_MORNING_UTC),
        1,
    ),
    CheckCase("matches_whole", S, _rows("123", "x123", "123x", "", None), Matches("c", r"\d+"), 3),
    CheckCase("matches_no_line_break_at_the_end", S, _rows("123", "123\n"), Matches("c", r"\d+"), 1),
    CheckCase("matches_alternatives", S, _rows("a", "b", "ab", "ba"), Matches("c", "a|b"), 2),
    CheckCase("matches_anchored_already", S, _rows("AB", "ABC"), Matches("c", "^[A-Z]{2}$"), 1),
    CheckCase("matches_quote", S, _rows("O'Neil", "ONeil"), Matches("c", "O'Neil"), 1),
    CheckCase("matches_backslash", S, _rows("a\\b", "a/b"), Matches("c", r"a\\b"), 1),
    CheckCase("matches_unicode", S, _rows("Łódź", "Lodz"), Matches("c", "Łó.ź"), 1),
    CheckCase("row_count_enough", I, _rows(1, 2), RowCount(2, 2), 0),
    CheckCase("row_count_missing", I, _rows(1, 2), RowCount(5), 3),
    CheckCase("row_count_too_many", I, _rows(1, 2, 3), RowCount(0, 1), 2),
    CheckCase("row_count_no_rows", I, (), RowCount(), 1),
    CheckCase("unique", S, _rows("a", "b", "a", "a", None, None), Unique("c"), 3),
    CheckCase("unique_no_rows", S, (), Unique("c"), 0),
    CheckCase(
        "unique_pair",
        KEYS,
        (("a", 1), ("a", 2), ("a", 2), ("b", 1), ("b", None), ("b", None)),
        Unique("code", "year"),
        2,
    ),
    CheckCase("foreign_key", S, _rows("a", "b", "z", "z", None), ForeignKey("c", PARENT, "code"), 2),
    CheckCase(
        "foreign_key_pair",
        KEYS,
        (("a", 2019), ("a", 2020), ("b", 2020), ("a", None), (None, 2021)),
        ForeignKey(("code", "year"), PARENT),
        1,
    ),
    CheckCase("custom_sql", I, _rows(1, 2, 3), CustomSql("odd", "SELECT c FROM {table} WHERE c % 2 = 1"), 2),
    CheckCase(
        "custom_sql_whole_division", I, _rows(1, 2, 3), CustomSql("half", "SELECT * FROM {table} WHERE c / 2 = 1"), 2
    ),
    CheckCase(
        "custom_sql_with_cte_and_upstream",
        S,
        _rows("a", "z"),
        CustomSql(
            "known",
            "WITH p AS (SELECT code FROM curated.check_parent) SELECT t.c FROM {table} AS t JOIN p ON p.code = t.c;",
        ),
        1,
    ),
    CheckCase("in_partition_year", I, _rows(2019, 2020, None), InPartition("c", (2019,)), 2),
    CheckCase("in_partition_years", I, _rows(2019, 2020, 2021), InPartition("c", (2019, 2020)), 1),
    CheckCase("in_partition_whole_table", I, _rows(2019, None), InPartition("c"), 1),
    CheckCase(
        "in_partition_month",
        {"c": "date"},
        _rows(date(2020, 1, 1), date(2020, 2, 1)),
        InPartition("c", (date(2020, 1, 1),)),
        1,
    ),
    CheckCase("in_partition_value", S, _rows("x", "y'z", "y"), InPartition("c", ("y'z",)), 2),
)
