"""Types that lose nothing, found by every value."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

COLUMNS = [
    (["1", "-20"], "long", [1, -20]),
    (["00501", "10001"], "string", ["00501", "10001"]),
    (["9223372036854775808", "1"], "decimal(38,0)", [Decimal(9223372036854775808), Decimal(1)]),
    (["1" * 39, "1"], "string", ["1" * 39, "1"]),
    (["1.5", "2", ".097"], "double", [1.5, 2.0, 0.097]),
    (["0.30000000000000004"], "double", [0.30000000000000004]),
    (["1.12345678901234567890"], "decimal(38,20)", [Decimal("1.12345678901234567890")]),
    (["1e-05"], "double", [1e-05]),
    (["1E5"], "string", ["1E5"]),
    (["1e-400"], "string", ["1e-400"]),
    (["1.2345678e-320", "1"], "string", ["1.2345678e-320", "1"]),
    (["1e+400"], "string", ["1e+400"]),
    (["0.5", "9007199254740993"], "decimal(38,1)", [Decimal("0.5"), Decimal(9007199254740993)]),
    (["0.0", "-0.00", "0"], "double", [0.0, 0.0, 0.0]),
    (["3.3333333333333334e-8"], "double", [3.3333333333333334e-8]),
    (["1_000"], "string", ["1_000"]),
    (["1,000"], "string", ["1,000"]),
    (["+5"], "string", ["+5"]),
    (["nan", "1"], "string", ["nan", "1"]),
    (["true", "FALSE"], "boolean", [True, False]),
    (["2020-01-02 03:04:05", ""], "timestamp", [datetime(2020, 1, 2, 3, 4, 5), None]),
    (["2020-01-02", ""], "date", [date(2020, 1, 2), None]),
    (["2020-01-02T03:04:05Z", ""], "timestamptz", [datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), None]),
    (["1.5", ""], "double", [1.5, None]),
    (["yes", "no"], "string", ["yes", "no"]),
    (["2020-02-29"], "date", [date(2020, 2, 29)]),
    (["2021-02-29"], "string", ["2021-02-29"]),
    (["01/02/2020"], "string", ["01/02/2020"]),
    (["20200102"], "long", [20200102]),
    (
        ["2020-01-02 03:04:05", "2020-01-02T03:04"],
        "timestamp",
        [datetime(2020, 1, 2, 3, 4, 5), datetime(2020, 1, 2, 3, 4)],
    ),
    (["2020-01-02T03:04:05.1234567"], "string", ["2020-01-02T03:04:05.1234567"]),
    (["2020-01-02T03:04:05+02:00"], "timestamptz", [datetime(2020, 1, 2, 1, 4, 5, tzinfo=UTC)]),
    (["2020-01-02", "2020-01-02 03:04:05"], "string", ["2020-01-02", "2020-01-02 03:04:05"]),
    (["1", "x"], "string", ["1", "x"]),
    (["", ""], "string", [None, None]),
]


@pytest.mark.parametrize(("values", "kind", "made"), COLUMNS, ids=[one[0][0][:24] or "nothing" for one in COLUMNS])
def test_a_column_of_text(desk, values, kind, made):
    """The type and each value; a second column keeps empty values from being empty lines."""
    path = desk.file("t.csv", "v,w\n" + "".join(f'"{value}",x\n' for value in values))
    found = desk.read(path)

    assert found.types == {"v": kind, "w": "string"}
    assert sorted((row["v"] for row in found.rows), key=str) == sorted(made, key=str)


@pytest.mark.parametrize("odd", ["x", "007", "99999999999999999999", "1.5", "2020-01-01"])
def test_the_whole_file_counts_not_its_beginning(desk, odd):
    """A value in the last line changes the type; no value is lost, with and without looking at all rows first."""
    path = desk.file("t.csv", "v,w\n" + "1,x\n" * 60_000 + f"{odd},x\n")
    soon, late = desk.read(path), desk.read(path, whole=True)

    assert soon.types == late.types != {"v": "long", "w": "string"}
    assert len(soon.rows) == 60_001
    assert odd in {str(row["v"]) for row in soon.rows}


def test_a_column_that_is_empty_at_first(desk):
    """Its type comes from where it has values."""
    path = desk.file("t.csv", "v,w\n" + ",x\n" * 60_000 + "00501,x\n")

    assert desk.read(path).types["v"] == "string"


def test_wishes_win(desk):
    """A wished type is taken, and a null text of the caller's."""
    path = desk.file("t.csv", "Total Amount ($),b\n1.5,NA\n2,3\n")
    found = desk.read(path, types={"Total Amount ($)": "decimal(10,2)"}, null="NA")

    assert found.types == {"total_amount": "decimal(10,2)", "b": "long"}
    assert sorted(map(str, (row["total_amount"] for row in found.rows))) == ["1.50", "2.00"]
    assert [row["b"] for row in found.rows] == [None, 3]


def test_json_keeps_what_it_says(desk):
    """Numbers in strings stay text, big numbers stay exact, nested values become structs and arrays."""
    lines = (
        '{"id": 1, "big": 123456789012345678901234567890, "zip": "00501", "digits": "12", "on": "2020-01-02",'
        ' "deep": {"A b": 1, "list": [1, 2]}, "mixed": 1, "flag": true, "none": null, "rows": [{"k": "v"}]}\n'
        '{"id": 2, "mixed": "x", "deep": {"A b": 2.5, "list": []}, "rows": []}\n'
    )
    found = desk.read(desk.file("t.ndjson", lines))
    first = next(row for row in found.rows if row["id"] == 1)

    assert first == {
        "id": 1, "big": Decimal(123456789012345678901234567890), "zip": "00501", "digits": "12", "on": date(2020, 1, 2),
        "deep": {"a_b": 1.0, "list": [1, 2]}, "mixed": "1", "flag": True, "none": None, "rows": [{"k": "v"}],
    }  # fmt: skip
    assert found.types["mixed"] == "string"


def test_nested_numbers_that_a_field_cannot_hold_stay_text(desk):
    """Nothing is rounded on its way into a struct."""
    found = desk.read(desk.file("t.ndjson", '{"a": {"n": 12345678901234567890123}}\n'))

    assert found.types == {"a": "string"}
    assert "12345678901234567890123" in found.rows[0]["a"]


@pytest.mark.parametrize(
    ("number", "kind", "made"),
    [
        ("1.234567890123456789012", "decimal(38,21)", Decimal("1.234567890123456789012")),
        ("100000000000000000000.5", "decimal(38,1)", Decimal("100000000000000000000.5")),
        ("1e400", "string", "1e400"),
        ("1e-400", "string", "1e-400"),
        ("1.234567890123456789e-7", "string", "1.234567890123456789e-7"),
        ("1E5", "double", 1e5),
        ("1.2345678901234568E10", "double", 1.2345678901234568e10),
        ("1.2345678901234568E-5", "double", 1.2345678901234568e-5),
        ("0.30000000000000004", "double", 0.30000000000000004),
        ("-0.0", "double", -0.0),
    ],
)
def test_a_number_of_json_keeps_its_digits(desk, number, kind, made):
    """It is a double only where the double gives back what was written."""
    found = desk.read(desk.file("t.ndjson", f'{{"a": "1e400, 12345678901234567890", "n": {number}}}\n'))

    assert found.types["n"] == kind
    assert found.rows == [{"a": "1e400, 12345678901234567890", "n": made}]


@pytest.mark.parametrize("number", ["1e400", "1e-400", "1.234567890123456789012", "9007199254740993.5"])
def test_a_nested_number_keeps_its_digits_as_text(desk, number):
    """The whole value stays the JSON that it is; strings in it are left alone."""
    whole = '{"x":' + number + ',"s":"1e400 \\" 1e400","y":[1,-2.5]}'
    found = desk.read(desk.file("t.ndjson", f'{{"o":{whole}}}\n'))

    assert found.types == {"o": "string"}
    assert found.rows == [{"o": whole}]


def test_nested_numbers_that_a_double_gives_back_are_fields(desk):
    """Exponents and many digits alone are no reason for text."""
    found = desk.read(desk.file("t.ndjson", '{"o":{"x":1.5E3,"y":0.30000000000000004}}\n'))

    assert found.rows == [{"o": {"x": 1500.0, "y": 0.30000000000000004}}]


def test_numbers_mixed_with_other_things_keep_their_digits(desk):
    """In a column of several kinds a number is written as it was."""
    lines = '{"m":1.234567890123456789012}\n{"m":"x"}\n{"m":{"n":1e400}}\n'
    found = desk.read(desk.file("t.ndjson", lines))

    assert sorted(row["m"] for row in found.rows) == ["1.234567890123456789012", "x", '{"n":1e400}']


def test_one_key_in_several_objects_is_no_double(desk):
    """Only within one object a key may not be there twice."""
    found = desk.read(desk.file("t.ndjson", '{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":{"a":"a"}}\n'))

    assert found.rows == [{"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}], "c": {"a": "a"}}]


def test_a_zero_in_a_nested_key_stays_text(desk):
    """DuckDB finds no value by such a key."""
    whole = '{"x\\u0000y":1}'
    found = desk.read(desk.file("t.ndjson", f'{{"o":{whole}}}\n'))

    assert found.rows == [{"o": whole}]
