"""Values, columns and files of results, as Athena's clients read them."""

from __future__ import annotations

import pytest
from headwater_aws_api.athena._metadata import metadata_file
from headwater_aws_api.athena._rows import csv_line, read_csv, read_text, text_line
from headwater_aws_api.athena._text import ResultColumn, column_of, text_of
from hypothesis import given
from hypothesis import strategies as st

CELLS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "bigint", None),
        (5, "bigint", "5"),
        (True, "boolean", "true"),
        ("2020-01-01 00:00:00.123456", "timestamp(6)", "2020-01-01 00:00:00.123456"),
        ("1.50", "decimal(10,2)", "1.50"),
        ("YWI=", "varbinary", "61 62"),
        ([1, None], "array(bigint)", "[1, null]"),
        ({"a": [1.5]}, "map(varchar, array(double))", "{a=[1.5]}"),
        ([1, [2, "x"]], 'row(a bigint, "b c" row(bigint, varchar))', "{a=1, b c={field0=2, field1=x}}"),
        (["2020-01-01 00:00:00.000 UTC"], "row(timestamp(3) with time zone)", "{field0=2020-01-01 00:00:00.000 UTC}"),
        (["2020-01-01"], "row(date date)", "{date=2020-01-01}"),
        (0.0, "double", "0.0"),
        (0.0001, "double", "1.0E-4"),
        (123456789.0, "double", "1.23456789E8"),
        (1e300, "double", "1.0E300"),
        (-1234.5, "real", "-1234.5"),
        ("NaN", "double", "NaN"),
    ],
)
def test_values_are_written_as_athena_writes_them(value, kind, text):
    """Java's numbers, hexadecimal bytes, and brackets around what is nested."""
    assert text_of(value, kind) == text


@pytest.mark.parametrize(
    ("kind", "type_", "precision", "scale"),
    [
        ("bigint", "bigint", 19, 0),
        ("varchar(20)", "varchar", 20, 0),
        ("real", "float", 17, 0),
        ("decimal(38,10)", "decimal", 38, 10),
        ("timestamp(6)", "timestamp", 3, 0),
        ("timestamp(6) with time zone", "timestamp with time zone", 3, 0),
        ("array(row(a bigint))", "array", 0, 0),
        ("unknown", "unknown", 0, 0),
    ],
)
def test_types_have_athenas_names(kind, type_, precision, scale):
    """With the precision that Athena tells."""
    assert column_of("c", kind) == ResultColumn("c", type_, precision, scale)


@given(st.lists(CELLS, max_size=5), st.integers(1, 7))
def test_rows_are_read_as_they_were_written(rows, size):
    """NULL is not an empty text, and it does not matter where the bytes are cut."""
    written = b"".join(map(csv_line, rows))
    chunks = [written[at : at + size] for at in range(0, len(written), size)]
    found = list(read_csv(chunks))
    assert [values for values, _ in found] == rows
    assert sum(took for _, took in found) == len(written)


def test_lines_are_read_as_they_were_written():
    """What describes something has one text in each line."""
    written = text_line(["a", None, "b"]) + text_line(["c"])
    assert [values for values, _ in read_text([written[:3], written[3:]])] == [["a\t\tb"], ["c"]]


def test_the_metadata_file_is_protocol_buffers():
    """Read by hand, field by field."""
    (column,) = fields(metadata_file([ResultColumn("name", "varchar", 2147483647)]))
    number, inner = column
    assert number == 4
    found = dict(fields(inner))
    assert found == {1: b"hive", 4: b"name", 5: b"name", 6: b"varchar", 7: 2147483647, 8: 0, 9: 3, 10: 1}


def fields(data):
    """Return numbers and values of the fields of a message."""
    found, at = [], 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        found.append((tag >> 3, value))
    return found


def varint(data, at):
    """Return a number and the place after it."""
    number = shift = 0
    while True:
        number |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return number, at
