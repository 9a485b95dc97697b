"""Python values in SQL: whatever the value, every engine reads it back as it was."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from headwater._literals import literal, literal_problem
from headwater.dialects import DIALECTS, dialect_named, identifier, quoted
from headwater.sqlbody import to_dialect
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp, parse_one

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))


@given(TEXTS, st.sampled_from(sorted(DIALECTS)))
def test_a_text_is_the_same_text_in_every_dialect(text: str, dialect: str) -> None:
    """Quotes, backslashes, line breaks and any letters survive writing and reading."""
    sql = to_dialect(f"SELECT {literal(text, 'string')} AS x", dialect)
    found = parse_one(sql, dialect=dialect).find(exp.Literal)

    assert found is not None
    assert found.this == text


@given(TEXTS.filter(bool), st.sampled_from(sorted(DIALECTS)))
def test_an_identifier_is_the_same_name_in_every_dialect(name: str, dialect: str) -> None:
    """A quoted name reads back as it was, whatever it is made of."""
    found = parse_one(f"SELECT {quoted(name, dialect)}", dialect=dialect).find(exp.Identifier)

    assert found is not None
    assert found.this == name


@pytest.mark.parametrize(
    ("value", "column_type", "sql"),
    [
        (True, "boolean", "TRUE"),
        (5, "int", "5"),
        (-5, "long", "-5"),
        (2**62, "long", f"CAST('{2**62}' AS BIGINT)"),
        (5, "double", "CAST('5' AS DOUBLE)"),
        (1e300, "double", "CAST('1e+300' AS DOUBLE)"),
        (0.1, "float", "CAST('0.1' AS REAL)"),
        (Decimal("1E+2"), "decimal(10,2)", "CAST('100' AS DECIMAL(10,2))"),
        ("it's", "string", "'it''s'"),
        (date(2020, 2, 29), "date", "CAST('2020-02-29' AS DATE)"),
        (datetime(2020, 1, 2, 3, 4, 5), "timestamp", "CAST('2020-01-02 03:04:05' AS TIMESTAMP(6))"),
        (
            datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC),
            "timestamptz",
            "CAST('2020-01-02 03:04:05+00:00' AS TIMESTAMP(6) WITH TIME ZONE)",
        ),
    ],
)
def test_a_literal_has_its_columns_type(value: Any, column_type: str, sql: str) -> None:
    """A literal is written so that comparing it with its column converts nothing."""
    assert literal(value, column_type) == sql


@pytest.mark.parametrize(
    ("value", "column_type"),
    [
        (2**31, "int"),
        (2**63, "long"),
        (1.5, "int"),
        (True, "int"),
        (1, "boolean"),
        (float("nan"), "double"),
        (float("inf"), "double"),
        (Decimal("0.001"), "decimal(10,2)"),
        (Decimal(123456789), "decimal(10,2)"),
        (1.5, "decimal(10,2)"),
        (Decimal("NaN"), "decimal(10,2)"),
        (5, "string"),
        ("a\0b", "string"),
        ("2020-01-01", "date"),
        (datetime(2020, 1, 1), "date"),
        (datetime(2020, 1, 1), "timestamptz"),
        (datetime(2020, 1, 1, tzinfo=UTC), "timestamp"),
        (b"x", "binary"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_refused(value: Any, column_type: str) -> None:
    """Nothing is rounded, cut or converted on the way into SQL."""
    assert literal_problem(value, column_type) == f"{value!r} is no {column_type}"
    with pytest.raises(ValueError, match="is no"):
        literal(value, column_type)


def test_there_are_three_dialects() -> None:
    """An unknown dialect is refused with those that exist."""
    assert identifier('a"b') == '"a""b"'
    with pytest.raises(ValueError, match="there are trino, spark, athena"):
        dialect_named("duckdb")
