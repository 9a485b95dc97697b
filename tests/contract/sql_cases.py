"""What an expression of Trino's dialect must give on every engine, as data.

SELECT of ``insert_sql(case, dialect)`` returns one row, whose column ``v`` is ``case.value``
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from headwater import sqlbody
from headwater.table import Column, Table

__all__ = ["CASES", "SOURCE", "SOURCE_ROW", "SqlCase", "insert_sql", "made"]

TYPES = {
    "i": "int",
    "none": "int",
    "l": "long",
    "d": "double",
    "s": "string",
    "dt": "date",
    "ts": "timestamp",
    "dec": "decimal(10,2)",
}
# The one row of the table that every case reads.
SOURCE_ROW: tuple[Any, ...] = (
    7,
    None,
    -3,
    2.5,
    " aBc-12 ",
    date(2020, 2, 29),
    datetime(2020, 12, 31, 23, 59, 59, 500_000),
    Decimal("1.25"),
)
SOURCE = Table(
    name="curated.sql_source",
    doc="One row.",
    owner="team:tests",
    columns=tuple(Column(name, kind, f"The {name}.") for name, kind in TYPES.items()),
    body=lambda *_: None,
    engine="spark",
)


@dataclass(frozen=True)
class SqlCase:
    """One expression.

    Args:
        sql: Over the columns of ``SOURCE``, in Trino's dialect.
        type: The declared type of the result.
        value: What every engine gives.
    """

    sql: str
    type: str
    value: Any


def made(case: SqlCase, engine: str) -> Table:
    """Return a table whose one column ``v`` is the expression; ``sqlbody.insert_select`` writes its SELECT."""
    sql = f"SELECT {case.sql} AS v FROM curated.sql_source"
    column = Column("v", case.type, "The value.")
    given = {"name": "curated.sql_made", "doc": "Made.", "owner": "team:tests", "upstreams": (SOURCE,)}
    return Table(**given, columns=(column,), body=sql, engine=engine)


def insert_sql(case: SqlCase, dialect: str) -> str:
    """Return the case's SELECT in an engine's dialect."""
    return sqlbody.insert_select(made(case, "trino"), dialect)


CASES = (
    SqlCase("greatest(i, none)", "int", None),
    SqlCase("greatest(i, l)", "long", 7),
    SqlCase("least(s, cast(NULL AS varchar))", "string", None),
    SqlCase("i / 2", "long", 3),
    SqlCase("i / 2 / 2", "long", 1),
    SqlCase("l / 2", "long", -1),
    SqlCase("(i / 2) / (l / 2)", "long", -3),
    SqlCase("i / cast(2 AS double)", "double", 3.5),
    SqlCase("i % 4", "int", 3),
    SqlCase("cast(d AS integer)", "int", 3),
    SqlCase("cast(-2.5 AS integer)", "int", -3),
    SqlCase("try_cast(dec AS bigint)", "long", 1),
    SqlCase("cast(greatest(i, 2.5) AS integer)", "int", 7),
    SqlCase("dec * 2", "decimal(12,2)", Decimal("2.50")),
    SqlCase("round(d)", "double", 3.0),
    SqlCase("cast(sum(if(i > 5, 1, 0)) AS double) / count(*)", "double", 1.0),
    SqlCase("day_of_week(dt)", "int", 6),
    SqlCase("extract(day_of_week FROM dt)", "int", 6),
    SqlCase("day_of_week(date '2020-03-01')", "int", 7),
    SqlCase("date_trunc('month', dt)", "date", date(2020, 2, 1)),
    SqlCase("date_trunc('month', ts)", "timestamp", datetime(2020, 12, 1)),
    SqlCase("date_parse('202003', '%Y%m')", "date", date(2020, 3, 1)),
    SqlCase("date_add('month', 1, date '2020-01-31')", "date", date(2020, 2, 29)),
    SqlCase("date_diff('day', date '2020-01-31', dt)", "long", 29),
    SqlCase("dt + interval '1' day", "date", date(2020, 3, 1)),
    SqlCase("date_format(ts, '%Y-%m-%d %H:%i')", "string", "2020-12-31 23:59"),
    SqlCase("cast(dec AS varchar)", "string", "1.25"),
    SqlCase("concat(s, cast(NULL AS varchar))", "string", None),
    SqlCase("substr(trim(s), 2, 2)", "string", "Bc"),
    SqlCase("strpos(s, 'B')", "long", 3),
    SqlCase("split_part('a,b,c', ',', 2)", "string", "b"),
    SqlCase("regexp_replace(s, '([a-z])([A-Z])', '$2$1')", "string", " Bac-12 "),
    SqlCase(r"regexp_extract(s, '(\d+)', 1)", "string", "12"),
    SqlCase(r"'it''s \n ${spark.app.name}'", "string", r"it's \n ${spark.app.name}"),
    SqlCase("try_cast(s AS integer)", "int", None),
    SqlCase("coalesce(none, i)", "int", 7),
    SqlCase("i IS DISTINCT FROM none", "boolean", True),  # noqa: FBT003
    SqlCase("element_at(ARRAY[1, 2], 5)", "int", None),
    SqlCase("json_extract_scalar('{\"a\":1}', '$.a')", "string", "1"),
)
