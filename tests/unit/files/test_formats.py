"""Every format, every compression, and what becomes of rows that do not fit."""

from __future__ import annotations

import bz2
import datetime as dt
import gzip
import io
import zipfile

import cramjam
import fastavro
import openpyxl
import pyarrow as pa
import pytest
import zstandard
from headwater.files._find import Source
from headwater.files._objects import object_rows
from headwater.files._text import _Count
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather, ipc, orc
from pyarrow import parquet as pq

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y\nz"}]
CSV = b'a,b\n1,x\n2,"y\nz"\n'


def zipped(data: bytes) -> bytes:
    """Return an archive with a file in a folder."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("in/t.csv", data)
    return whole.getvalue()


@pytest.mark.parametrize(
    ("ending", "pack"),
    [
        ("csv", bytes),
        ("csv.gz", gzip.compress),
        ("csv.bz2", bz2.compress),
        ("csv.zst", lambda data: zstandard.compress(data[:5]) + zstandard.compress(data[5:])),
        ("csv.snappy", lambda data: bytes(cramjam.snappy.compress(data))),
        ("zip", zipped),
    ],
)
def test_every_compression(desk, ending, pack):
    """Packed text reads as text; what was cut off is refused."""
    assert desk.read(desk.file(f"t.{ending}", pack(CSV))).rows == ROWS


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", b"a;b\n1;x\n2;y\n"),
        ("t.tsv", b"a\tb\n1\tx\n2\ty\n"),
        ("t.psv", b"a|b\n1|x\n2|y\n"),
        ("t.txt", b"a|b\n1|x\n2|y\n"),
        ("t.csv", b"a,b\r\n1,x\r\n2,y\r\n"),
        ("t.csv", b"a,b\r1,x\r2,y\r"),
        ("t.csv", b"a,b\n1,x\n\n\n2,y"),
    ],
)
def test_delimiters_and_line_ends(desk, name, data):
    """They are found out; empty lines are no rows."""
    assert desk.read(desk.file(name, data)).rows == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]


@pytest.mark.parametrize("cell", [140_000, 1_500_000])
def test_a_long_quoted_cell_hides_no_delimiter(desk, cell):
    """A cell beyond the limit of Python's reader is a cell like any other, wherever it stands."""
    long = ("x, y|z\n" * cell)[:cell]
    found = desk.read(desk.file("t.csv", f'a;b;c\n1;"{long}";u\n2;y;v\n'))

    assert list(found.types) == ["a", "b", "c"]
    assert [(row["a"], len(row["b"]), row["c"]) for row in found.rows] == [(1, cell, "u"), (2, 1, "v")]


def test_values_with_another_delimiter_do_not_decide(desk):
    """Decimal commas in a file of semicolons."""
    assert desk.read(desk.file("t.csv", "a;b;c\n1,5;2;3\n")).rows == [{"a": "1,5", "b": 2, "c": 3}]


def test_a_delimiter_of_two_letters_without_a_header(desk):
    """Names come from the caller."""
    path = desk.file("t.csv", "1||x\n2||y\n")

    assert desk.read(path, delimiter="||", header=False, names=("a", "b")).rows[1] == {"a": 2, "b": "y"}


def test_what_is_refused_can_be_allowed(desk):
    """A byte order mark, mixed line ends and other encodings, when the caller says so."""
    mixed = desk.file("m.csv", b"\xef\xbb\xbfa,b\n1,x\r\n2,y\r")
    wide = desk.file("w.csv", "a,b\n1,é\n".encode("utf-16"))

    assert desk.read(mixed, encoding="utf-8-sig", any_line_end=True).rows == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert desk.read(wide, encoding="utf-16").rows == [{"a": 1, "b": "é"}]


def test_plain_text_is_a_row_a_line(desk):
    """Empty lines too."""
    found = desk.read(desk.file("t.txt", "one, two\n\nthree\n"))

    assert [row["text"] for row in found.rows] == ["one, two", "", "three"]


def test_files_of_one_table_may_order_their_columns_differently(desk):
    """By name, not by place."""
    one, two = desk.file("1.csv", "a,b\n1,x\n"), desk.file("2.csv", "b,a\ny,2\n")

    assert sorted(row["a"] for row in desk.read(one, two).rows) == [1, 2]


def typed() -> pa.Table:
    """Return a table with what each format can hold."""
    return pa.table(
        {
            "Id": pa.array([1, 2], pa.int16()),
            "t": pa.array([dt.datetime(2020, 1, 2, 3, 4, 5), None], pa.timestamp("us")),
            "deep": pa.array(
                [{"X y": 1, "l": [1, 2]}, None], pa.struct({"X y": pa.int64(), "l": pa.list_(pa.int32())})
            ),
        }
    )


def written(kind: str) -> bytes:
    """Return the table in a format."""
    whole = io.BytesIO()
    if kind == "parquet":
        pq.write_table(typed(), whole)
    elif kind == "orc":
        orc.write_table(typed(), whole)
    elif kind == "feather":
        feather.write_feather(typed(), whole)
    else:
        with (ipc.new_file if kind == "arrow" else ipc.new_stream)(whole, typed().schema) as writer:
            writer.write_table(typed())
    return whole.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "orc", "arrow", "arrows", "feather"])
def test_formats_with_types(desk, kind):
    """Types are kept, names become usable inside structs too."""
    found = desk.read(desk.file(f"t.{kind}", written(kind)))

    assert found.types["id"] == "integer"
    assert found.rows[0]["deep"] == {"x_y": 1, "l": [1, 2]}
    assert found.rows[0]["t"].replace(tzinfo=None) == dt.datetime(2020, 1, 2, 3, 4, 5)
    assert found.rows[1] == {"id": 2, "t": None, "deep": None}


@pytest.mark.parametrize("codec", ["null", "snappy", "deflate"])
def test_avro(desk, codec):
    """Logical types and unions with null."""
    schema = {
        "type": "record", "name": "r",
        "fields": [
            {"name": "a", "type": ["null", "long"]}, {"name": "on", "type": {"type": "int", "logicalType": "date"}},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
        ],
    }  # fmt: skip
    rows = [{"a": 1, "on": dt.date(2020, 1, 2), "tags": ["x"]}, {"a": None, "on": dt.date(2020, 1, 3), "tags": []}]
    whole = io.BytesIO()
    fastavro.writer(whole, schema, rows, codec=codec)

    assert desk.read(desk.file("t.avro", whole.getvalue())).rows == rows


def test_excel(desk):
    """What Excel keeps as text stays text; dates without a time are dates."""
    book = openpyxl.Workbook()
    for row in (
        ["Zip", "n", "on", "at"],
        ["10001", 1, dt.datetime(2020, 1, 2), dt.datetime(2020, 1, 2, 3, 4)],
        [None, 2.5],
    ):
        book.active.append(row)
    whole = io.BytesIO()
    book.save(whole)
    found = desk.read(desk.file("t.xlsx", whole.getvalue()))

    assert found.types == {"zip": "string", "n": "double", "on": "date", "at": "timestamp"}
    assert found.rows[1] == {"zip": None, "n": 2.5, "on": None, "at": None}


def test_rejected_rows_have_file_line_reason_and_text(desk):
    """Rows in are rows out plus rejected, also where values do not fit a wished type."""
    path = desk.file("t.csv", 'a,b\n1,2\n3\n"4\n4",5\nx,6\n7,8,9\n10,11\n')
    found = desk.read(path, on_bad_rows="reject", types={"a": "long"})

    assert [row["a"] for row in found.rows] == [1, 10]
    assert sorted(found.rejected) == [
        ("t.csv", 3, "1 field where there should be 2", "3"),
        ("t.csv", 4, "a is not long: 4\n4", '"4\n4",5'),
        ("t.csv", 6, "a is not long: x", "x,6"),
        ("t.csv", 7, "3 fields where there should be 2", "7,8,9"),
    ]


def test_quotes_inside_of_fields_lose_no_row(desk):
    """Inches and feet are no quotes; every line is a row."""
    found = desk.read(desk.file("t.csv", 'a,b\n1,5" pipe\n2,6" pipe\n3,7" pipe\n'))

    assert [row["b"] for row in found.rows] == ['5" pipe', '6" pipe', '7" pipe']


@given(st.lists(st.sampled_from([b"a", b",", b"\n", b"\r\n", b"\r", b'"']), max_size=14), st.integers(0, 14))
def test_lines_are_counted_alike_wherever_a_block_ends(pieces, cut):
    """A line end or a quote at the edge of a block is counted once."""
    data = b"".join(pieces)
    whole, parts = _Count(), _Count()
    for count, blocks in ((whole, [data]), (parts, [data[:cut], data[cut:]])):
        for block in blocks:
            if block:
                count.add(block)

    assert (whole.lines, whole.empty, whole.inside) == (parts.lines, parts.empty, parts.inside)


def test_objects_are_measured(tmp_path):
    """An image's size, a sound's length; a file that only claims to be an image is refused."""
    import wave

    from headwater.errors import InputError
    from PIL import Image

    Image.new("RGB", (7, 5)).save(tmp_path / "i.png")
    with wave.open(str(tmp_path / "s.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 4000)
    (tmp_path / "m.onnx").write_bytes(b"model")
    names = ("i.png", "s.wav", "m.onnx")
    rows = object_rows([(Source(tmp_path / name, name, name), "d", f"s3://x/{name}") for name in names]).to_pylist()

    assert [(row["type"], row["width"], row["height"], row["duration"], row["size"] > 0) for row in rows] == [
        ("image/png", 7, 5, None, True),
        ("audio/x-wav", None, None, 0.5, True),
        ("application/onnx", None, None, None, True),
    ]
    (tmp_path / "no.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="no.png is named like an image, but is none"):
        object_rows([(Source(tmp_path / "no.png", "no.png", "no.png"), "d", "s3://x/no.png")])
