"""What a file holds, for tables that lie over it as it is."""

from __future__ import annotations

import bz2
import gzip
import json

import fastavro
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headwater.errors import InputError
from headwater.files import look
from pyarrow import orc


@pytest.fixture
def looked(tmp_path):
    """Looks at bytes under a name."""

    def at(name, content):
        path = tmp_path / "file"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return look(path, name, f"s3://b/{name}", tmp_path)

    return at


def kinds(found):
    """Return the columns as pyarrow writes them."""
    return {field.name: str(field.type) for field in found.columns}


def test_text_is_judged_by_every_row(looked):
    """The last row alone makes one column text; leading zeros and mixed values stay text; what is empty has no type."""
    rows = (
        "zip,n,x,day,at,none,what\n"
        + "00501,1,1.5,2020-02-29,2020-02-29 01:02:03,,5\n" * 300
        + "1,2,2,2020-01-01,,,a\n"
    )
    found = looked("a.csv", rows)
    assert kinds(found) == {
        "zip": "string",
        "n": "int64",
        "x": "double",
        "day": "date32[day]",
        "at": "timestamp[us]",
        "none": "null",
        "what": "string",
    }
    assert (found.format, found.delimiter, found.header, found.quoted) == ("csv", ",", True, False)


@pytest.mark.parametrize(
    ("name", "content", "delimiter"),
    [
        ("a.tsv", "a\tb\n1\t2\n", "\t"),
        ("a.csv", "a;b\n1;2\n3;4\n", ";"),
        ("a.txt", "a|b\n1|2\n", "|"),
        ("part-00000", "a,b\n1,2\n", ","),
    ],
)
def test_the_delimiter_is_found(looked, name, content, delimiter):
    """Whatever the file is called."""
    found = looked(name, content)
    assert (found.delimiter, kinds(found)) == (delimiter, {"a": "int64", "b": "int64"})


def test_a_first_line_with_values_is_no_header(looked):
    """As Glue has it: a number or a date among the names tells that it is a row."""
    found = looked("a.csv", "00501,Holtsville,40.9\n00544,Other,41\n")
    assert not found.header
    assert kinds(found) == {"col0": "string", "col1": "string", "col2": "double"}


def test_every_column_of_a_header_gets_a_name(looked):
    """Also the index that pandas writes without one, and two of the same."""
    assert list(kinds(looked("a.csv", ",Total (EUR),total_eur\n0,1,2\n"))) == ["col0", "total_eur", "total_eur_2"]


def test_quotes_and_times_that_hives_readers_do_not_take_are_told(looked):
    """A quote inside a field is a letter; a time with a T stays text."""
    assert looked("a.csv", 'a,b\n1,"x, y"\n').quoted
    assert not looked("a.csv", 'a,b\n1,5" pipe\n').quoted
    assert kinds(looked("a.csv", "t,b\n2020-01-01T01:02:03,1\n"))["t"] == "string"
    assert kinds(looked("a.csv", "t,b\n2020-01-01 01:02:03.123456,1\n"))["t"] == "string"


def test_rows_with_other_fields_than_the_header_are_told(looked):
    """They are no reason to leave the file out."""
    assert looked("a.csv", "a,b\n1,2\n3\n4,5,6\n").remark == (
        "2 rows have too few or too many fields, the first in line 3."
    )


def test_json_keeps_its_keys(looked):
    """As they are written, inside of objects too; whole numbers and fractions in one column are fractions."""
    rows = [{"Id": 1, "odd key": [1, 2], "in": {"pickupZone": "a", "n": 1.5}}, {"Id": 2.5, "day": "2020-01-01"}]
    found = looked("a.json", "\n".join(map(json.dumps, rows)))
    assert found.format == "json"
    assert kinds(found) == {
        "Id": "double",
        "odd key": "list<item: int64>",
        "in": "struct<pickupZone: string, n: double>",
        "day": "string",
    }


def test_what_brings_its_types_keeps_them(looked):
    """Parquet, ORC and Avro, the latter with its own schema."""
    table = pa.table({"id": pa.array([1], pa.int32()), "what": ["a"]})
    sinks = {"parquet": pa.BufferOutputStream(), "orc": pa.BufferOutputStream()}
    pq.write_table(table, sinks["parquet"])
    orc.write_table(table, sinks["orc"])
    for kind, sink in sinks.items():
        found = looked(f"x.{kind}", sink.getvalue().to_pybytes())
        assert (found.format, kinds(found)) == (kind, {"id": "int32", "what": "string"})


def test_avro_brings_its_schema(looked, tmp_path):
    """Which readers are given."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}
    with (tmp_path / "w").open("wb") as file:
        fastavro.writer(file, schema, [{"id": 1}])
    found = looked("a.avro", (tmp_path / "w").read_bytes())
    assert (found.format, kinds(found), json.loads(found.avro)["name"]) == ("avro", {"id": "int64"}, "r")


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_packed_text_is_opened(looked, ending, pack):
    """By what engines open, too."""
    found = looked(f"a.csv.{ending}", pack(b"a,b\n1,2\n"))
    assert (found.compression, kinds(found)) == ({"gz": "gzip"}.get(ending, ending), {"a": "int64", "b": "int64"})


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.arrow", b"ARROW1\0\0", "of the format arrow, which engines do not read in place"),
        ("a.csv.zst", b"\x28\xb5\x2f\xfd", "packed as zstd"),
        ("README.md", "# Text\n\nOf no use, as a table.\n", "no delimiter divides evenly"),
        ("a.json", '[{"a": 1},\n {"a": 2}]\n', "one object per line"),
        ("a.csv", 'a,b\n1,"x\ny"\n', "line breaks inside of quotes"),
        ("a.csv", "a,b\n", "no row below"),
        ("a.csv", b"a,b\n\xff,1\n", "not UTF-8"),
        ("a.parquet", b"PAR1....", "damaged"),
    ],
)
def test_what_no_table_can_lie_over_is_refused(looked, name, content, sentence):
    """With the reason."""
    with pytest.raises(InputError, match=sentence):
        looked(name, content)
