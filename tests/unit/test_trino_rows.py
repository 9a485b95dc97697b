"""What Trino's client gives, as Arrow: nested values keep their parts, whatever Arrow has no type for is text."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from headwater.engines._trino_rows import trino_column

INSTANT = dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "named", "kind", "rows"),
    [
        (
            [(1, "x"), None],
            "row(a bigint, b varchar)",
            pa.struct({"a": pa.int64(), "b": pa.string()}),
            [{"a": 1, "b": "x"}, None],
        ),
        (
            [(1, None)],
            "row(bigint, varchar(3))",
            pa.struct({"field0": pa.int64(), "field1": pa.string()}),
            [{"field0": 1, "field1": None}],
        ),
        (
            [([(1,), None],)],
            'row("A b" array(row("X" integer)))',
            pa.struct({"A b": pa.list_(pa.struct({"X": pa.int32()}))}),
            [{"A b": [{"X": 1}, None]}],
        ),
        (
            [{"k": (Decimal("1.500"), INSTANT)}],
            "map(varchar, row(d decimal(12,3), t timestamp(6) with time zone))",
            pa.map_(pa.string(), pa.struct({"d": pa.decimal128(12, 3), "t": pa.timestamp("us", "UTC")})),
            [[("k", {"d": Decimal("1.500"), "t": INSTANT})]],
        ),
        ([[[1], None], None], "array(array(bigint))", pa.list_(pa.list_(pa.int64())), [[[1], None], None]),
        ([[dt.time(1)]], "array(time(6))", pa.list_(pa.string()), [["01:00:00"]]),
        (
            [("::1", b"a")],
            "row(i ipaddress, b varbinary)",
            pa.struct({"i": pa.string(), "b": pa.binary()}),
            [{"i": "::1", "b": b"a"}],
        ),
        (
            [(dt.timedelta(1),)],
            "row(i interval day to second)",
            pa.struct({"i": pa.string()}),
            [{"i": "1 day, 0:00:00"}],
        ),
        ([dt.time(1), None], "time(3)", pa.string(), ["01:00:00", None]),
        ([], "row(a bigint)", pa.struct({"a": pa.int64()}), []),
    ],
)
def test_a_column_has_the_type_and_the_values_that_trino_says(values, named, kind, rows):
    """Also below rows, arrays and maps; NULL stays NULL."""
    made = trino_column(values, named)

    assert made.type == kind
    assert made.to_pylist() == rows
