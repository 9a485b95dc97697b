"""Trino's words in Spark: spelled out where Spark means something else, refused where that cannot be said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlglot
from headwater.dialects import DIALECTS
from headwater.errors import DefinitionError
from sql_cases import CASES, SqlCase, insert_sql, made

if TYPE_CHECKING:
    from typing import Any


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_every_case_can_be_written_and_read(case: SqlCase, dialect: str) -> None:
    """What must be the same on every engine is accepted at import and parses in each dialect."""
    assert sqlglot.parse_one(insert_sql(case, dialect), dialect=dialect).named_selects == ["v"]


@pytest.mark.parametrize(
    ("sql", "column_type", "written"),
    [
        ("i / 2 / 2", "long", "`sql_source`.`i` DIV 2 DIV 2"),
        ("i / d", "double", "`sql_source`.`i` / `sql_source`.`d`"),
        ("cast(d AS integer)", "int", "CAST(ROUND(`sql_source`.`d`) AS INT)"),
        ("cast(s AS integer)", "int", "CAST(`sql_source`.`s` AS INT)"),
        ("day_of_week(dt)", "int", "(WEEKDAY(`sql_source`.`dt`) + 1)"),
        ("year(dt)", "int", "YEAR(`sql_source`.`dt`)"),
        ("extract(year FROM dt)", "int", "EXTRACT(YEAR FROM `sql_source`.`dt`)"),
        ("date_trunc('month', dt)", "date", "CAST(DATE_TRUNC('MONTH', `sql_source`.`dt`) AS DATE)"),
        ("date_trunc('month', ts)", "timestamp", "CAST(DATE_TRUNC('MONTH', `sql_source`.`ts`) AS TIMESTAMP_NTZ)"),
        (
            "least(i, none)",
            "int",
            (
                "CASE WHEN `sql_source`.`i` IS NULL OR `sql_source`.`none` IS NULL THEN NULL "
                "ELSE LEAST(`sql_source`.`i`, `sql_source`.`none`) END"
            ),
        ),
        ("'${x}'", "string", "'\\u0024{x}'"),
    ],
)
def test_what_spark_means_otherwise_is_spelled_out(sql: str, column_type: str, written: str) -> None:
    """The SELECT for Spark says in Spark's words what the body says in Trino's."""
    assert f"SELECT {written} AS `v` FROM" in insert_sql(SqlCase(sql, column_type, None), "spark")


@pytest.mark.parametrize(
    ("sql", "column_type", "sentence"),
    [
        ("date_diff('month', dt, dt)", "long", "date_diff by months counts the ends of months differently"),
        ("date_diff('year', dt, dt)", "long", "date_diff by months counts the ends of months differently"),
        ("cast(d AS varchar)", "string", "a double is written differently as text"),
        ("cast(ts AS varchar)", "string", "a timestamp is written differently as text; use date_format"),
        ("dec / 3", "double", "decimals are divided to another scale; cast one side to double"),
        ("i / 2.0", "double", "decimals are divided to another scale"),
        ("avg(dec)", "double", "the average of decimals has another scale"),
        ("to_unixtime(ts)", "double", "spark has no function to_unixtime like Trino's"),
        ("format_datetime(ts, 'yyyy')", "string", "spark has no function format_datetime like Trino's"),
        ("ts AT TIME ZONE 'Asia/Tokyo'", "timestamptz", "spark has no AT TIME ZONE of the same meaning"),
    ],
)
def test_what_cannot_be_said_in_spark_is_refused_at_import(sql: str, column_type: str, sentence: str) -> None:
    """A body for Spark fails where it is declared; the same body for Trino is fine."""
    case: Any = SqlCase(sql, column_type, None)

    assert made(case, "trino")
    with pytest.raises(DefinitionError) as refused:
        made(case, "spark")
    assert sentence in str(refused.value)
