"""One line in, one line out: files and DataFrames as tables that both engines read alike."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import wave

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from command_line import headwater
from headwater.errors import InputError, WriteError
from headwater.files import Options, ingest_into
from headwater.files._load import Loader
from headwater.layout import location
from headwater.profile import inherited_env
from headwater.table import TableName
from headwater.write import ingested_table
from headwater.write._ingested import FileLoad
from openpyxl import load_workbook
from PIL import Image
from pyarrow import orc
from pyarrow import parquet as pq

pytestmark = pytest.mark.box

RIDES = (
    "pickup,zip,passengers,fare,paid,Zone Name\n"
    '2019-03-23 20:21:09,00501,1,7.0,true,"Lenox Hill, West"\n'
    "2019-03-04 16:11:55,10001,2,5.25,false,Alphabet City\n"
    "2019-03-27 17:53:01,00544,,36.95,,\n"
)


class Ingests:
    """Ingests into a table of one test's own."""

    def __init__(self, lake, folder):
        self.lake, self.folder = lake, folder
        self.table = lake.name("raw", "files")

    def file(self, name, data):
        """Write a file; return its path."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    def __call__(self, source, table="", **wishes):
        """Ingest into the table, or another one."""
        return ingest_into(self.lake.stack, source, table=table or self.table, options=Options(**wishes))

    def rows(self, select="*", table=""):
        """Return the rows, which must be equal in both engines."""
        trino = self.lake.rows(table or self.table, "trino", select)
        assert trino == self.lake.rows(table or self.table, "spark", select)
        return trino

    def objects(self, below="/load="):
        """Return what lies below the table's loads."""
        place = location(self.lake.stack.profile.bucket, TableName.parse(self.table))
        return [found.uri for found in self.lake.stack.storage.objects(place + below)]


@pytest.fixture
def ingests(lake, tmp_path):
    """Ingests into a table of this test's own."""
    return Ingests(lake, tmp_path)


def test_a_file_is_a_table_in_both_engines_and_is_kept(ingests):
    """Rows, types and the original's bytes; nothing is left over."""
    done = ingests(ingests.file("rides.csv", RIDES))

    assert (done.rows, done.rejected, done.files, done.bytes) == (3, 0, 1, len(RIDES))
    assert {one.column: one.type for one in done.columns} == {
        "pickup": "timestamp", "zip": "string", "passengers": "long", "fare": "double",
        "paid": "boolean", "zone_name": "string",
    }  # fmt: skip
    rows = ingests.rows("zip, passengers, fare, paid, zone_name, year(pickup)")
    assert rows[0] == ("00501", 1, 7.0, True, "Lenox Hill, West", 2019)
    [original] = [uri for uri in ingests.objects() if uri.endswith("/rides.csv")]
    assert ingests.lake.stack.storage.read(original) == RIDES.encode()
    [copy] = [uri for uri in ingests.objects() if uri.endswith(".parquet")]
    footer = pq.read_metadata(pa.BufferReader(ingests.lake.stack.storage.read(copy)))
    assert footer.metadata[b"headwater.source"] == b"rides.csv"
    assert ingests.objects("/_leases") == []
    scratch = ingests.lake.stack.profile.home / "scratch"
    assert list(scratch.iterdir()) == []


def test_fail_append_replace(ingests):
    """The three ways, the refusal of the same file, and one change of the metastore for each load."""
    first, second = ingests.file("1.csv", "a,b\n1,x\n"), ingests.file("2.csv", "b,a\ny,2\n")
    ingests(first)
    with pytest.raises(InputError, match="exists; say --if-exists append"):
        ingests(second)
    ingests(second, if_exists="append")
    assert ingests.rows("a, b") == [(1, "x"), (2, "y")]
    with pytest.raises(InputError, match=r"1\.csv is in raw\.files_.* already, byte for byte"):
        ingests(first, if_exists="append")
    ingests(first, if_exists="append", again=True)
    assert ingests.rows("a") == [(1,), (1,), (2,)]
    with pytest.raises(InputError, match=r"3\.csv, line 2: a is not long: x"):
        ingests(ingests.file("3.csv", "a,b\nx,y\n"), if_exists="append")
    with pytest.raises(InputError, match="the new rows lack"):
        ingests(ingests.file("4.csv", "a\n1\n"), if_exists="append")
    ingests(ingests.file("5.csv", "a,c\n00501,2020-01-02\n"), if_exists="replace")
    assert [str(value) for value in ingests.rows("a, c")[0]] == ["00501", "2020-01-02"]
    table = ingested_table(ingests.lake.stack, TableName.parse(ingests.table))
    assert len(table.metadata.snapshots) == 4


@pytest.fixture
def comes_between(ingests, monkeypatch):
    """Lets another ingest pass whole, just before one step of the next load is made."""

    def arrange(step, *arguments, **wishes):
        owner = FileLoad if hasattr(FileLoad, step) else Loader
        original = getattr(owner, step)

        def later(load, *given, **more):
            monkeypatch.setattr(owner, step, original)
            ingests(*arguments, **wishes)
            return original(load, *given, **more)

        monkeypatch.setattr(owner, step, later)

    return arrange


# While rows are copied, before the table is looked at, and after it was judged: the commit itself must see it.
@pytest.mark.parametrize("step", ["_note", "publish", "_create"])
def test_of_two_loads_of_a_new_table_one_is_refused(ingests, comes_between, step):
    """Under fail, the first one to publish wins; the other says so and leaves nothing."""
    first, second = ingests.file("1.csv", "a,b\n1,x\n"), ingests.file("2.csv", "a,b\n2,y\n" + "3\n" * (step == "_note"))
    comes_between(step, first)
    with pytest.raises(InputError, match=r"exists; say --if-exists append or --if-exists replace"):
        ingests(second, on_bad_rows="reject")

    assert ingests.rows("a, b") == [(1, "x")]
    assert [uri for uri in ingests.objects() if "/2" in uri] == []
    assert ingests.objects("/_leases") == []
    assert ingested_table(ingests.lake.stack, TableName.parse(ingests.table).rejected) is None


@pytest.mark.parametrize(
    ("step", "there"), [("publish", True), ("_change", True), ("publish", False), ("_create", False)]
)
def test_of_two_appends_of_one_file_one_is_refused(ingests, comes_between, step, there):
    """Whether the table was there before or not; another file's append goes on."""
    same, other = ingests.file("1.csv", "a,b\n1,x\n"), ingests.file("2.csv", "a,b\n2,y\n")
    if there:
        ingests(ingests.file("0.csv", "a,b\n0,w\n"))
    comes_between(step, same, if_exists="append")
    with pytest.raises(InputError, match=r"1\.csv is in raw\.files_.* already, byte for byte"):
        ingests(same, if_exists="append")
    comes_between("_change", ingests.file("3.csv", "a,b\n3,z\n"), if_exists="append")
    ingests(other, if_exists="append")

    assert ingests.rows("a, b") == [(0, "w")] * there + [(1, "x"), (2, "y"), (3, "z")]


def test_an_append_to_a_table_that_became_another_is_refused(ingests, comes_between):
    """Its columns, types and partitions are looked at again where the commit is made."""
    path = ingests.file("1.csv", "a,b\n1,x\n")
    comes_between("_create", ingests.file("2.csv", "a,b,c\n2,y,u\n"), if_exists="append")
    with pytest.raises(InputError, match="the column 'c', which the new rows lack"):
        ingests(path, if_exists="append")
    comes_between("_change", ingests.file("3.csv", "a,b,c\nt,y,u\n"), if_exists="replace")
    with pytest.raises(InputError, match="Column 'a' is varchar in the table, but bigint in the new rows"):
        ingests(ingests.file("4.csv", "a,b,c\n4,y,u\n"), if_exists="append")

    assert ingests.rows("a, b") == [("t", "y")]


def test_a_table_whose_metadata_is_gone_says_how_to_make_it_anew(ingests, box):
    """The sentence's own remedy works."""
    path = ingests.file("1.csv", "a,b\n1,x\n")
    ingests(path)
    storage = ingests.lake.stack.storage
    storage.delete([uri for uri in ingests.objects("/metadata/") if uri.endswith(".json")])
    with pytest.raises(WriteError, match=f'metadata file is gone .*headwater sql "drop table {ingests.table}"'):
        ingests(path, if_exists="replace")
    headwater(box, "sql", f"drop table {ingests.table}")
    ingests(path)

    assert ingests.rows("a, b") == [(1, "x")]


def test_a_failed_load_writes_nothing(ingests):
    """The table, its objects and the scratch folder are as before."""
    ingests(ingests.file("1.csv", "a,b\n1,x\n"))
    before = ingests.objects("/")
    for name, data in (("r.csv", "a,b\n2,y\n3\n"), ("q.csv", 'a,b\n2,"y\n'), ("e.csv", "")):
        with pytest.raises(InputError, match=name):
            ingests(ingests.file(name, data), if_exists="append")

    assert ingests.objects("/") == before
    assert ingests.rows() == [(1, "x")]


def test_rejected_rows_are_a_table(ingests):
    """Good rows go on, bad ones have file, line, reason and text; a replace empties them."""
    done = ingests(ingests.file("r.csv", "a,b\n1,x\n2\n3,y\n"), on_bad_rows="reject")

    assert (done.rows, done.rejected) == (2, 1)
    aside = f"{ingests.table}__rejected"
    columns = "source_file, source_line, reject_reason, source_text"
    assert ingests.rows(columns, aside) == [("r.csv", 3, "1 field where there should be 2", "2")]
    ingests(ingests.file("g.csv", "a,b\n1,x\n"), if_exists="replace")
    assert ingests.rows(columns, aside) == []


def test_every_format(ingests, lake):
    """Each becomes a table; types with structs and arrays are equal in both engines."""
    typed = pa.table({"a": pa.array([1, 2], pa.int64()), "b": ["x", None], "d": pa.array([0.5, None])})
    pq.write_table(typed, ingests.folder / "t.parquet")
    orc.write_table(typed, str(ingests.folder / "t.orc"))
    with pa.ipc.new_file(str(ingests.folder / "t.arrow"), typed.schema) as writer:
        writer.write_table(typed)
    for ending in ("parquet", "orc", "arrow"):
        table = lake.name("raw", ending)
        ingests(str(ingests.folder / f"t.{ending}"), table)
        assert ingests.rows("a, b, d", table) == [(1, "x", 0.5), (2, None, None)]
    lines = '{"id": 1, "deep": {"k": [1, 2], "s": "x"}, "all": [{"v": 1.5}]}\n{"id": 2, "all": []}\n'
    ingests(ingests.file("t.ndjson", lines))
    unnested = "id, deep.s, cardinality(all)"
    assert lake.rows(ingests.table, "trino", unnested) == [(1, "x", 1), (2, None, 0)]
    assert lake.rows(ingests.table, "spark", "id, deep.s, size(all)") == [(1, "x", 1), (2, None, 0)]
    whole = [lake.stack.engine(one).arrow(f"SELECT * FROM {ingests.table} ORDER BY id") for one in ("trino", "spark")]
    assert whole[0].to_pylist() == whole[1].to_pylist()
    assert whole[0].schema.types == whole[1].schema.types
    assert whole[0].to_pylist()[0] == {"id": 1, "deep": {"k": [1, 2], "s": "x"}, "all": [{"v": 1.5}]}
    where = f"{ingests.table} WHERE id = 1"
    # Trino counts an array's elements from 1, Spark from 0.
    assert lake.rows(where, "trino", "deep.k[2]") == lake.rows(where, "spark", "deep.k[1]") == [(2,)]


def test_a_table_lies_over_parquet_as_it_came(ingests):
    """No copy is made where engines read the original; it is where the rows are."""
    pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), ingests.folder / "t.parquet")
    ingests(str(ingests.folder / "t.parquet"))

    [only] = [uri for uri in ingests.objects() if uri.endswith(".parquet")]
    assert "/files/" in only
    assert ingests.rows() == [(1, "x"), (2, "y")]


def test_partitions(ingests, lake):
    """Rows are cut by a column; appends keep to it; engines skip the others' files."""
    ingests(ingests.file("1.csv", "day,n\n2020-01-01,1\n2020-01-02,2\n"), partition_by="day")
    ingests(ingests.file("2.csv", "day,n\n2020-01-02,3\n,4\n"), if_exists="append")

    assert [row[0] for row in ingests.rows("n")] == [1, 2, 3, 4]
    found = lake.rows(f"{ingests.table} WHERE day = date '2020-01-02'", "trino", 'count(DISTINCT "$path"), sum(n)')
    assert found == [(2, 5)]
    table = ingested_table(lake.stack, TableName.parse(ingests.table))
    assert [field.name for field in table.spec().fields] == ["day"]


def test_folders_and_the_lake(ingests, lake):
    """A folder is one table; so is what lies below a location of the lake."""
    for number in range(3):
        ingests.file(f"in/{number}/t.csv", f"a\n{number}\n")
    ingests.file("in/_SUCCESS", "")
    done = ingests(str(ingests.folder / "in"))
    assert (done.rows, done.files) == (3, 3)
    bucket = lake.stack.profile.bucket
    lake.stack.storage.put(f"s3://{bucket}/drop/{lake.mark}/t.csv", b"a\n7\n")
    ingests(f"s3://{bucket}/drop/{lake.mark}/", if_exists="append")
    assert [row[0] for row in ingests.rows("a")] == [0, 1, 2, 7]
    with pytest.raises(InputError, match="is not there"):
        ingests(f"s3://{bucket}/nowhere/{lake.mark}", if_exists="append")


def test_objects_and_their_table(ingests):
    """An image and a sound are kept as they are, with a row about each."""
    folder = ingests.folder / "media"
    folder.mkdir()
    Image.new("RGB", (7, 5)).save(folder / "i.png")
    with wave.open(str(folder / "s.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 4000)
    ingests(str(folder))

    rows = ingests.rows("path, type, width, height, duration, object")
    assert [row[:5] for row in rows] == [("i.png", "image/png", 7, 5, None), ("s.wav", "audio/x-wav", None, None, 0.5)]
    assert ingests.lake.stack.storage.read(rows[0][5]) == (folder / "i.png").read_bytes()


def test_dataframes(ingests, lake):
    """pandas, Arrow, Polars and Spark give the same table."""
    columns = {"a": [1, 2], "b": ["x", None]}
    with lake.stack.engine("spark")._session("") as session:
        spark = session.createDataFrame([(1, "x"), (2, None)], "a long, b string")
    frames = {
        "pandas": pd.DataFrame(columns),
        "arrow": pa.table(columns),
        "polars": pl.DataFrame(columns),
        "spark": spark,
    }
    for name, frame in frames.items():
        table = lake.name("raw", name)
        assert ingests(frame, table).rows == 2
        assert ingests.rows("a, b", table) == [(1, "x"), (2, None)]
    with pytest.raises(InputError, match="the column 'a' twice"):
        ingests(pd.DataFrame([[1, 2]], columns=["a", "a"]))


def test_a_killed_load_leaves_the_old_rows_and_is_cleaned_later(ingests, lake):
    """Kill -9 while files are on their way: the old rows stay, the next load removes what was left."""
    ingests(ingests.file("1.csv", "a,b\n1,x\n"))
    with (ingests.folder / "big.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b"])
        for start in range(0, 3_000_000, 1000):
            writer.writerows((start + at, f"word {start} {at}") for at in range(1000))
    before = set(ingests.objects())
    command = ["ingest", str(ingests.folder / "big.csv"), "--table", ingests.table, "--if-exists", "append"]
    process = subprocess.Popen(
        [sys.executable, "-m", "headwater", *command],
        env=inherited_env(**lake.stack.profile.environment()),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not set(ingests.objects()) - before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert process.returncode == -signal.SIGKILL
    assert set(ingests.objects()) - before
    assert ingests.rows() == [(1, "x")]
    time.sleep(float(lake.stack.profile.setting("HEADWATER_LEASE")) + 1)
    ingests(ingests.file("2.csv", "a,b\n2,y\n"), if_exists="append")
    left = [uri for uri in ingests.objects() if "big" in uri]
    assert (left, ingests.objects("/_leases")) == ([], [])
    assert ingests.rows() == [(1, "x"), (2, "y")]
    assert list((lake.stack.profile.home / "scratch").iterdir()) == []


def test_an_interrupted_load_says_so_and_leaves_nothing(ingests, lake):
    """Ctrl-C while DuckDB works, sent to the whole group as terminals do."""
    with (ingests.folder / "big.csv").open("w") as file:
        file.write("a,b\n")
        for start in range(0, 6_000_000, 1000):
            file.writelines(f"{start + at},word {start} {at}\n" for at in range(1000))
    scratch = lake.stack.profile.home / "scratch"
    # Who starts tests in the background may have the signal ignored.
    heard = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from headwater.cli import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", heard, "ingest", str(ingests.folder / "big.csv"), "--table", ingests.table],
        env=inherited_env(**lake.stack.profile.environment()),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(scratch.glob("ingest-*/copy/*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[1]

    assert (process.returncode, said.strip()) == (1, "Aborted!")
    assert (ingests.objects(), ingests.objects("/_leases"), list(scratch.iterdir())) == ([], [], [])


def test_names_that_are_taken(ingests, lake):
    """A table that a definition declares, and one that was loaded otherwise, belong to others."""
    with pytest.raises(InputError, match="belongs to its definition"):
        ingests(ingests.file("1.csv", "a\n1\n"), "raw.loan_origination")
    other = lake.raw(("a", "b"))
    lake.drop_file("rows_2019.txt", "1|2\n")
    lake.load(other, "2019")
    with pytest.raises(WriteError, match="not an ingested table"):
        ingests(ingests.file("1.csv", "a\n1\n"), other.name, if_exists="replace")


def test_the_command_line(ingests, box):
    """It shows the inference, ingests, and says what is wrong in one sentence with exit code 1."""
    path = ingests.file("rides.csv", RIDES)
    shown = headwater(box, "ingest", path, "--table", ingests.table, "--dry-run").stdout
    assert "leading zeros, as in 00501" in shown or "00501" in shown
    assert "nothing was written" in shown
    assert ingests.objects() == []
    done = headwater(box, "ingest", path, "--table", ingests.table, "--type", "passengers=string")
    assert f"{ingests.table}: 3 rows" in done.stdout
    assert ingests.rows("passengers") == [("1",), ("2",), (None,)]
    failed = headwater(box, "ingest", path, "--table", ingests.table, check=False)
    assert failed.returncode == 1
    assert failed.stderr.startswith(f"error: {ingests.table} exists")


@pytest.mark.parametrize("ending", ["csv", "json", "ndjson", "parquet", "xlsx"])
def test_exports(ingests, lake, ending, monkeypatch):
    """A query's rows as a file; a failed one leaves no file."""
    from headwater.files._export import export_rows

    ingests(ingests.file("rides.csv", RIDES))
    target = ingests.folder / f"out.{ending}"
    sql = f"SELECT zip, fare, paid FROM {ingests.table} ORDER BY zip"
    assert export_rows(lake.stack, sql, str(target), engine="trino") == 3
    assert _read(target, ending)[0][0] == "00501"
    assert len(_read(target, ending)) == 3
    uri = f"s3://{lake.stack.profile.bucket}/exports/{lake.mark}.{ending}"
    export_rows(lake.stack, sql, uri, engine="spark")
    assert lake.stack.storage.read(uri)
    with pytest.raises(InputError, match="names no format"):
        export_rows(lake.stack, sql, str(target) + ".doc", engine="trino")
    assert [path.name for path in ingests.folder.iterdir() if path.name.startswith(".out")] == []


def _read(path, ending):
    if ending == "csv":
        return list(csv.reader(path.read_text().splitlines()))[1:]
    if ending == "json":
        return [list(row.values()) for row in json.loads(path.read_text())]
    if ending == "ndjson":
        return [list(json.loads(line).values()) for line in path.read_text().splitlines()]
    if ending == "parquet":
        return [list(row.values()) for row in pq.read_table(path).to_pylist()]
    return list(load_workbook(path).active.iter_rows(min_row=2, values_only=True))
