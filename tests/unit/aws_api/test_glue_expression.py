"""Expressions over partitions."""

from __future__ import annotations

import pytest
from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue._expression import NULL, parse_expression
from headwater_aws_api.paging import page_of, read_token, write_token

KEYS = [("Year", "int"), ("month", "string"), ("day", "date"), ("rate", "decimal(5,2)")]
ROW = ["2019", "01", "2019-01-31", "1.50"]


@pytest.mark.parametrize(
    ("expression", "meant"),
    [
        ("year = 2019", True),
        ("YEAR = '2019'", True),
        ("2018 < year", True),
        ("year > 9", True),
        ("month = '1'", False),
        ("month = '01' and not (year < 2019)", True),
        ("day between '2019-01-01' and '2019-02-01'", True),
        ("day > date '2019-02-01'", False),
        ("rate >= 1.5", True),
        ("rate in (1.5, 2)", True),
        ("year not in (2018, 2019)", False),
        ("month like '0%' or year = 1", True),
        ("month not like '_1'", False),
        ("month is null", False),
        ("month is not null", True),
        ("year = -2019", False),
    ],
)
def test_values_are_compared_as_their_types(expression, meant):
    """Numbers as numbers, days as days, texts as texts."""
    assert parse_expression(expression, KEYS)(ROW) is meant


@pytest.mark.parametrize("expression", ["month = '01'", "month <> '01'", "not month = '01'", "month in ('01')"])
def test_nothing_is_known_of_null(expression):
    """It is in no answer but to whether it is NULL."""
    row = ["2019", NULL, "2019-01-31", "1.50"]
    assert parse_expression(expression, KEYS)(row) is False
    assert parse_expression("month is null", KEYS)(row) is True
    assert parse_expression(f"{expression} or year = 2019", KEYS)(row) is True


@pytest.mark.parametrize(
    "expression", ["other = 1", "year =", "year = 'x'", "1 = 1", "year + 1 = 2", "upper(month) = 'A'"]
)
def test_what_is_no_comparison_of_keys_is_refused(expression):
    """Before any partition is looked at."""
    with pytest.raises(AwsError) as caught:
        parse_expression(expression, KEYS)
    assert caught.value.code == "InvalidInputException"


def test_pages_go_on_where_the_last_ended():
    """What vanishes between two pages does no harm, and a token that is none is refused."""
    first, token = page_of(["a", "b", "c"], str, None, 2, code="Wrong")
    assert first == ["a", "b"]
    assert page_of(["a", "c", "d"], str, token, 2, code="Wrong") == (["c", "d"], None)
    for wrong in ("no token", write_token(5)):
        with pytest.raises(AwsError):
            page_of(["a"], str, wrong, 2, code="Wrong")
    assert read_token(write_token(5), int, "Wrong") == 5
