"""Every bad input is one clear sentence that names file and line, and nothing is written."""

from __future__ import annotations

import gzip
import io
import os
import signal
import threading
import zipfile
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from headwater.errors import DefinitionError, InputError
from headwater.files._duck import connected
from headwater.files._options import Options, table_name
from pyarrow import feather

BOM = b"\xef\xbb\xbf"

TEXTS = [
    ("empty", "empty.csv", b"", "empty.csv, line 1: the file is empty"),
    ("only line ends", "blank.csv", b"\n\n", "blank.csv, line 1: the file is empty"),
    ("a header alone", "head.csv", b"a,b\n", "head.csv, line 1: there is a header and no row"),
    ("a row too short", "ragged.csv", b"a,b\n1,2\n3\n4,5\n", "ragged.csv, line 3: 1 field where there should be 2"),
    ("a row too long", "ragged.csv", b"a,b\n1,2\n3,4,5\n", "ragged.csv, line 3: 3 fields where there should be 2"),
    ("after a quoted end", "far.csv", b'a,b\n"1\n\n",2\n3\n', "far.csv, line 5: 1 field where there should be 2"),
    ("another encoding", "latin.csv", b"a,b\n1,2\n3,caf\xe9\n", "latin.csv, line 3: this is not UTF-8"),
    ("names alike", "names.csv", b"a,A\n1,2\n", "names.csv, line 1: columns 'a' and 'A' would both be named a"),
    ("no name", "names.csv", b"a,\n1,2\n", "names.csv, line 1: column 2 has no name"),
    ("an unusable name", "names.csv", b"a,$$\n1,2\n", "names.csv, line 1: column 2 has the unusable name '[$][$]'"),
    ("an endless name", "names.csv", b"a," + b"x" * 101 + b"\n1,2\n", "names.csv, line 1: column 2 has the unusable"),
    ("no header", "rows.csv", b"1,2\n3,4\n", "rows.csv, line 1 is no header but looks like a row"),
    ("a byte order mark", "bom.csv", BOM + b"a,b\n1,2\n", "bom.csv, line 1: the file begins with a byte order mark"),
    ("UTF-16", "wide.csv", "a,b\n1,2\n".encode("utf-16"), "wide.csv, line 1: .* byte order mark .*utf-16"),
    (
        "line ends mixed",
        "ends.csv",
        b"a,b\n1,2\n3,4\r\n",
        "ends.csv, line 3: it ends in CR LF where those before .* LF",
    ),
    ("an open quote", "open.csv", b'a,b\n1,2\n3,"x\n4,5\n', "open.csv, line 3: a quote that opens .* never closes"),
    ("text after a quote", "after.csv", b'a,b\n1,"x"y\n', "after.csv, line 2: text follows a closing quote"),
    ("a zero byte", "zero.csv", b"a,b\n1,\0\n", "zero.csv, line 2: there is a zero byte"),
    ("half an object", "cut.ndjson", b'{"a":1}\n{"a":\n', "cut.ndjson, line 2: this is no valid JSON"),
    ("half an array", "cut.json", b'[{"a":1},\n{"a":2}', "cut.json, line 2: this is no valid JSON"),
    ("JSON of no objects", "list.json", b"[1, 2]", "list.json, line 1: 1 is no object"),
    ("JSON of nothing", "none.json", b" [\n]\n", "none.json: the JSON holds no object, so there is no row to ingest"),
    ("a key twice", "keys.ndjson", b'{"b":1}\n{"a":1,"a":2}\n', "keys.ndjson, line 2: an object names one key twice"),
    ("a nested key twice", "keys.ndjson", b'{"o":{"a":1}}\n{"o":{"a":1,"a":2}}\n', "keys.ndjson, line 2: .* key twice"),
    ("one in a list", "keys.ndjson", b'{"o":[{"a":{"b":1,"b":2}}]}\n', "keys.ndjson, line 1: an object .* key twice"),
    ("one in an array", "keys.json", b'[{"o":{"a b":1}},\n{"o":{"a b":1,"a b":2}}]', "keys.json.*: .* one key twice"),
    ("objects of nothing", "void.json", b"[{},{}]", "void.json, line 1: the objects have no key"),
    ("lines of nothing", "void.ndjson", b"{}\n{}\n", "void.ndjson, line 1: the objects have no key"),
    ("deep JSON", "deep.ndjson", b'{"a":1}\n{"a":' + b"[" * 200 + b"]" * 200 + b"}\n", "line 2: .* 201 levels deep"),
    ("a deep array", "deep.json", b'[{"a":1},\n{"a":' + b"[" * 200 + b"]" * 200 + b"}]", "line 2: .* levels deep"),
    ("deeper JSON", "deep.ndjson", b'{"a":1}\n{"a":' + b"[" * 20000 + b"]" * 20000 + b"}", "line 2: .* 20001 levels"),
    ("half a deep array", "deep.ndjson", b'{"a":"\\\\"}\n{"a":' + b"[" * 20000, "line 2: .* 20001 levels deep"),
    (
        "half a character",
        "half.ndjson",
        b'{"a":"\\ud800"}\n{"a":"x"}\n',
        "line 1: .*ud800 is half of a char",
    ),
    ("half a one", "half.ndjson", b'{"a":"x"}\n{"a":"\\udc00 \\ud83d\\ude00"}\n', "line 2: .* surrogate"),
    ("half one in an array", "half.json", b'[{"a":"x"},\n{"a":"\\ud800"}]', "line 2: .* surrogate"),
    ("a zero in a key", "zero.ndjson", b'{"a\\u0000":1}\n', "zero.ndjson: a key holds the character U[+]0000"),
    ("gzip cut off", "cut.csv.gz", gzip.compress(b"a,b\n1,2\n")[:-9], "cut.csv.gz is damaged or cut off"),
    ("gzip that is none", "no.csv.gz", b"a,b\n1,2\n", "no.csv.gz is named like gzip, but line 1"),
    ("Parquet cut off", "cut.parquet", b"PAR1 and no more", "cut.parquet is damaged or cut off"),
    ("text named Parquet", "no.parquet", b"a,b\n1,2\n", "no.parquet is named like parquet, but .*line 1"),
    ("Parquet named text", "no.csv", b"PAR1....PAR1", "no.csv is named like csv, but holds parquet"),
    ("ORC that is none", "no.orc", b"ORC and no more", "no.orc is damaged or cut off"),
    ("Arrow that is none", "no.arrow", b"ARROW1 and no more", "no.arrow is damaged or cut off"),
    ("Avro that is none", "no.avro", b"Obj\x01 and no more", "no.avro is damaged or cut off"),
    ("a workbook that is none", "no.xlsx", b"PK\x03\x04 no more", "no.xlsx is damaged or cut off"),
    ("an unknown ending", "what.xyz", b"a,b\n1,2\n", "what.xyz has an ending that says nothing"),
]


@pytest.mark.parametrize(("name", "data", "said"), [one[1:] for one in TEXTS], ids=[one[0] for one in TEXTS])
def test_bad_files_are_one_sentence(desk, name, data, said):
    """File and line are named, in one line of text; the scratch folder is gone."""
    with pytest.raises(InputError, match=said) as caught:
        desk.read(desk.file(name, data))

    assert "\n" not in str(caught.value)
    assert list((desk.folder / "home" / "scratch").iterdir()) == []


def test_a_missing_file_and_an_empty_folder(desk):
    """What is not there is named."""
    (desk.folder / "nothing").mkdir()
    with pytest.raises(InputError, match="no.csv is not there"):
        desk.read(str(desk.folder / "no.csv"))
    with pytest.raises(InputError, match="nothing has no file"):
        desk.read(str(desk.folder / "nothing"))


def test_a_folder_that_leads_back_into_itself(desk):
    """A loop of links ends with a sentence, not with the stack."""
    desk.file("in/a.csv", "a,b\n1,2\n")
    (desk.folder / "in" / "loop").symlink_to(desk.folder / "in")
    with pytest.raises(InputError, match="in/loop leads back into a folder above it"):
        desk.read(str(desk.folder / "in"))


@pytest.mark.parametrize("before", ["1,", '1,"'], ids=["bare", "in quotes"])
def test_a_cell_without_an_end_does_not_fill_the_memory(desk, before):
    """A cell of many megabytes is refused by its line, before DuckDB meets it."""
    path = desk.folder / "giant.csv"
    with path.open("w") as file:
        file.write(f"a,b\n1,2\n{before}")
        for _ in range(30):
            file.write("x" * 1_000_000)
        file.write("\n3,4\n")
    with pytest.raises(InputError, match="giant.csv, line 3: the row is longer than 2 MB"):
        desk.read(str(path))


def test_a_quote_that_never_closes_is_named_however_long_it_grows(desk):
    """Megabytes behind an open quote do not make a table of one column of what has two."""
    rows = "".join(f"{at},word {at}\n" for at in range(5000))
    after = "".join(f"{at},word {at}\n" for at in range(300_000))
    with pytest.raises(InputError, match=r"open\.csv, line 5002: .*quote .*never closes"):
        desk.read(desk.file("open.csv", f'a,b\n{rows}1,"never\n{after}'))
    with pytest.raises(InputError, match=r"early\.csv, line 2: .*quote .*never closes"):
        desk.read(desk.file("early.csv", f'a,b\n1,"never\n{after}'))


@pytest.mark.parametrize(
    ("name", "header", "typed"),
    [("one.csv", "a;b", "';'"), ("one.tsv", "a,b", "','"), ("one.csv", "a\tb", r"\$'\\t'")],
)
def test_a_header_of_several_names_is_never_one(desk, name, header, typed):
    """Rows that nothing divides do not turn the header's names into one; the caller may say that they are one."""
    path = desk.file(name, f"{header}\n1\n2\n")
    with pytest.raises(InputError, match=rf"{name}, line 1: .* say --delimiter {typed}, or"):
        desk.read(path)

    assert desk.read(path, delimiter="|").types == {"a_b": "long"}
    assert desk.read(desk.file("quoted.csv", '"a;b"\n1\n')).types == {"a_b": "long"}


@pytest.mark.parametrize("folder", [False, True], ids=["named", "in a folder"])
def test_what_is_no_regular_file_is_refused_unopened(desk, folder):
    """A pipe would be waited for without an end."""
    desk.file("in/a.csv", "a,b\n1,2\n")
    os.mkfifo(desk.folder / "in" / "pipe.csv")
    with pytest.raises(InputError, match=r"pipe\.csv is no file but a pipe"):
        desk.read(str(desk.folder / "in" if folder else desk.folder / "in" / "pipe.csv"))


def test_an_interrupt_while_rows_are_worked_on_is_an_interrupt(desk):
    """DuckDB makes another error of Ctrl-C; commands end with it as they end anywhere else."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts tests may have it ignored
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt), connected(desk.folder) as connection:
            connection.execute(f"SELECT {timer.start() or 1}, sum(sqrt(range)) FROM range(3000000000)")
    finally:
        signal.signal(signal.SIGINT, before)


def test_parquet_that_is_damaged_inside_is_named(desk):
    """Its footer is whole, its pages are not."""
    whole = io.BytesIO()
    pq.write_table(pa.table({"a": list(range(100_000))}), whole)
    data = bytearray(whole.getvalue())
    data[5000:5200] = bytes(255 - one for one in data[5000:5200])
    good = desk.file("good.parquet", whole.getvalue())
    with pytest.raises(InputError, match=r"bad\.parquet is damaged: .*Get it anew\."):
        desk.read(good, desk.file("bad.parquet", bytes(data)))


def test_a_damaged_parquet_footer_is_refused(desk):
    """A file whose tail was lost is named."""
    whole = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), whole)
    with pytest.raises(InputError, match="cut.parquet is damaged or cut off"):
        desk.read(desk.file("cut.parquet", whole.getvalue()[:-20]))


def test_files_that_do_not_belong_together(desk):
    """Other columns or another format are refused by name."""
    one = desk.file("one.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match="two.csv, line 1: its columns are not those of .*one.csv"):
        desk.read(one, desk.file("two.csv", "a,c\n1,2\n"))
    with pytest.raises(InputError, match=r"one.csv is csv and .*three.json is json"):
        desk.read(one, desk.file("three.json", "{}"))


def test_an_empty_archive(desk):
    """A zip with nothing in it is named."""
    whole = io.BytesIO()
    zipfile.ZipFile(whole, "w").close()
    with pytest.raises(InputError, match=r"none\.zip"):
        desk.read(desk.file("none.zip", whole.getvalue()))


def test_bad_names_of_tables_and_bad_wishes(desk):
    """Before anything is read."""
    with pytest.raises(InputError, match="name it raw.taxis"):
        table_name("curated.taxis")
    with pytest.raises(DefinitionError, match="not usable"):
        table_name("raw.No-Name")
    with pytest.raises(DefinitionError, match="in no zone"):
        table_name("taxis")
    for wish, said in (
        ({"if_exists": "perhaps"}, "if_exists is 'perhaps'"),
        ({"delimiter": '"'}, "delimiter"),
        ({"encoding": "klingon"}, "no encoding 'klingon'"),
        ({"types": {"a": "number"}}, "cannot become 'number'"),
        ({"types": {"a": "decimal(50,2)"}}, "cannot become decimal"),
        ({"format": "exe"}, "no format 'exe'"),
        ({"header": False}, "need column names"),
    ):
        with pytest.raises(InputError, match=said):
            Options(**wish)
    with pytest.raises(InputError, match="no column 'z' to give a type; there are a, b"):
        desk.read(desk.file("a.csv", "a,b\n1,2\n"), types={"z": "long"})


def test_a_value_that_is_not_of_its_wished_type(desk):
    """File, line and value are named; the line is that of the file, quoted line ends counted."""
    path = desk.file("a.csv", 'a,b\n1,"x\ny"\n2,z\nthree,w\n')
    with pytest.raises(InputError, match=r"a\.csv, line 5: a is not long: three"):
        desk.read(path, types={"a": "long"})


def _wide(where: str) -> pa.Table:
    wide = pa.decimal256(60, 5)
    value = Decimal("12345678901234567890123456789012345678901234567890.12345")
    kinds = {"a": (wide, value), "list": (pa.list_(wide), [value]), "struct": (pa.struct([("x", wide)]), {"x": value})}
    kind, one = kinds[where]
    return pa.table({"n": [1], where: pa.array([one], kind)})


TYPED = [
    ("a wide decimal", _wide("a"), r"column 'a' is decimal256\(60, 5\), more than the 38 digits .* lake"),
    ("one in a list", _wide("list"), r"column 'list' is decimal256\(60, 5\)"),
    ("one in a struct", _wide("struct"), r"column 'struct' is decimal256\(60, 5\)"),
    ("names alike", pa.table({"A": [1], "a": [2]}), "columns 'A' and 'a' would both be named a"),
    ("one name twice", pa.Table.from_arrays([[1], [2]], names=["a", "a"]), "columns 'a' and 'a' would both be named a"),
    ("fields alike", pa.table({"s": [{"x": 1, "X": 2}]}), "column 's': columns 'x' and 'X' would both be named x"),
    ("no column", pa.table({}), "there is no column"),
]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize(("table", "said"), [one[1:] for one in TYPED], ids=[one[0] for one in TYPED])
def test_columns_that_no_table_has_are_refused(desk, table, said, kind):
    """Nothing is rounded or renamed silently, whatever DuckDB would make of it."""
    path = desk.folder / f"t.{kind}"
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        feather.write_feather(table, path)
    with pytest.raises(InputError, match=rf"t\.{kind}: {said}"):
        desk.read(str(path))


def test_an_odd_nested_key_twice_is_found(desk):
    """Quotes, backslashes and line ends in the keys above it hide nothing."""
    for key in (r"a\"b", r"a\\b", r"a\nb", "a'b", "a.b", "a[*]b", "*a", "**a", "a*"):
        path = desk.file("keys.ndjson", f'{{"{key}":{{"x":1,"x":2}}}}\n')
        with pytest.raises(InputError, match="line 1: an object names one key twice"):
            desk.read(path)


def test_a_value_too_long_for_a_partition_is_told_shortly(desk):
    """Whoever reads it sees the column and the limit, not the scratch folder and the value."""
    path = desk.file("long.csv", "k,v\n" + "x" * 5000 + ",1\n")
    with pytest.raises(InputError, match=r"long\.csv: a value of k is too long .* 255 bytes") as caught:
        desk.read(path, partition_by="k")

    assert len(str(caught.value)) < 300
    assert desk.read(path).rows == [{"k": "x" * 5000, "v": 1}]


def test_archives_that_cannot_be_taken_say_why(desk):
    """A password, or a name that leads out of the archive; neither is damage."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    locked = bytearray(whole.getvalue())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[locked.index(mark) + at] |= 1  # the flag of encryption
    with pytest.raises(InputError, match=r"locked\.zip/a\.csv is encrypted; pack it without a password"):
        desk.read(desk.file("locked.zip", bytes(locked)))

    for name in ("../../evil.csv", "/evil.csv", "a/../../evil.csv"):
        whole = io.BytesIO()
        with zipfile.ZipFile(whole, "w") as archive:
            archive.writestr(name, "a,b\n1,2\n")
        with pytest.raises(InputError, match=r"evil\.zip: .*evil\.csv leads out of the archive"):
            desk.read(desk.file("evil.zip", whole.getvalue()))


@pytest.mark.parametrize("folder", [False, True], ids=["named", "in a folder"])
def test_a_file_name_that_is_not_utf8_is_refused(desk, folder):
    """DuckDB takes no such name, nor does the lake."""
    path = desk.folder / "in" / os.fsdecode(b"caf\xe9.csv")
    path.parent.mkdir()
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(InputError, match=r"caf.*\.csv.* is not UTF-8; rename it") as caught:
        desk.read(str(desk.folder / "in") if folder else str(path))

    str(caught.value).encode()  # it can be printed
