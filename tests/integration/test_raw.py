"""Raw files and the tables made of them: kept byte for byte, read alike, no line lost."""

from __future__ import annotations

import hashlib

import pytest
from headwater.engines._rejects import Refused
from headwater.errors import RowsLost, WriteError
from headwater.layout import location
from headwater.table import Partitioning

pytestmark = pytest.mark.box

YEARS = Partitioning("year", "year", "2019")
ODD = (
    b"plain|1|a\r\n"
    b"|2|\n"
    b"\\N|3|b c\n"
    b'"quoted|4|x"\n'
    b"\n"
    b"short|5\n"
    b"long|6|c|d\n"
    b"\xc3\xa9t\xc3\xa9|7|\xe2\x82\xac\n"
    b"lone\rreturn|8|e\n"
    b"no end|9|f"
)
ODD_LINES = 11


def judged(rows):
    """Reject every row whose number is not one."""
    from pyspark.sql import functions as F  # noqa: N812

    number = F.expr("try_cast(n AS int)")
    return rows.withColumn("reject_reason", F.when(number.isNull(), "n is no number")).withColumn("n", number)


def clean_table(lake, raw, **more):
    """Return the typed table over a raw table of columns word, n and more."""
    columns = {"word": "string", "n": "int", "more": "string", "year": "int"}
    given = {"body": judged, "rejects": True, "partitioning": YEARS, "engine": "spark", **more}
    return lake.table(columns, zone="partitioned", upstreams=(raw,), **given)


@pytest.fixture
def small_splits(lake):
    """Spark cuts text into splits of a few hundred bytes."""
    spark = lake.stack.engine("spark")
    spark.rows("SET spark.sql.files.maxPartitionBytes = 300")
    spark.rows("SET spark.sql.files.openCostInBytes = 0")
    yield
    spark.rows("RESET spark.sql.files.maxPartitionBytes")
    spark.rows("RESET spark.sql.files.openCostInBytes")


def test_files_are_kept_byte_for_byte_and_read_alike(lake):
    """Odd lines (CR LF, empty, null marks, missing and surplus fields, no last end) are equal in Spark and Trino."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", ODD)
    published = lake.load(raw, "2019")

    assert (published.rows, published.files, published.bytes) == (ODD_LINES, 1, len(ODD))
    [stored] = [uri for uri in lake.objects(raw) if uri.endswith("/rows_2019.txt")]
    kept = lake.stack.storage.read(location(lake.stack.profile.bucket, raw.id) + stored)
    assert hashlib.sha256(kept).digest() == hashlib.sha256(ODD).digest()
    assert lake.rows(raw) == lake.rows(raw, "spark")
    assert len(lake.rows(raw)) == ODD_LINES


def test_a_second_load_of_the_same_files_does_nothing(lake):
    """Unchanged files are recognized by name, size and digest; changed ones replace the partition."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    assert lake.load(raw, "2019").changed
    before = lake.objects(raw)
    again = lake.load(raw, "2019")
    assert not again.changed
    assert again.rows == 1
    assert lake.objects(raw) == before
    lake.drop_file("rows_2019.txt", "b|2|x\n")
    assert lake.load(raw, "2019").changed
    assert lake.rows(raw) == [("b", "2", "x", 2019)]


def test_the_load_before_is_kept_for_running_readers_and_older_ones_go(lake):
    """After three loads of a partition two are left; no lease is left."""
    raw = lake.raw(("word", "n", "more"))
    for text in "abc":
        lake.drop_file("rows_2019.txt", f"{text}|1|x\n")
        lake.load(raw, "2019")

    assert len([uri for uri in lake.objects(raw) if uri.endswith(".txt")]) == 2
    assert lake.objects(raw, "/_leases") == []
    assert lake.rows(raw, "spark") == [("c", "1", "x", 2019)]


def test_a_partition_holds_the_files_that_are_there_now(lake):
    """Several files make one partition; one that disappears is gone after the next load, which says so."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    lake.drop_file("rows-more_2019.txt", "b|2|x\n")
    lake.drop_file("rows_2020.txt", "c|3|x\n")
    lake.load(raw, "2019", "2020")
    (lake.stack.profile.project / raw.files.folder / "rows-more_2019.txt").unlink()
    (warning,) = lake.load(raw, "2019").warnings
    assert f"{raw} 2019 lost 1 lines" in warning
    assert "rows-more_2019.txt" in warning
    assert lake.load(raw, "2019", "2020").warnings == ()

    assert lake.rows(raw) == [("a", "1", "x", 2019), ("c", "3", "x", 2020)]


def test_a_file_that_became_empty_is_refused(lake):
    """A copy that broke off leaves it so; one that always was empty is loaded, and a removed one is a warning."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\nb|2|x\n")
    lake.drop_file("rows-none_2019.txt", "")
    lake.load(raw, "2019")
    lake.drop_file("rows_2019.txt", "")
    with pytest.raises(WriteError, match=r"rows_2019\.txt is empty, but had 2 lines"):
        lake.load(raw, "2019")
    assert lake.rows(raw) == [("a", "1", "x", 2019), ("b", "2", "x", 2019)]

    (lake.stack.profile.project / raw.files.folder / "rows_2019.txt").unlink()

    assert "rows_2019.txt" in lake.load(raw, "2019").warnings[0]
    assert lake.rows(raw) == []


def test_a_load_without_files_or_with_other_fields_writes_nothing(lake):
    """A missing file and another number of fields are refused by name; the table shows what it showed."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    lake.load(raw, "2019")
    before = lake.objects(raw)
    with pytest.raises(WriteError, match="2020"):
        lake.load(raw, "2020")
    lake.drop_file("rows_2019.txt", "a|1\nb|2\n")
    with pytest.raises(WriteError, match=r"rows_2019\.txt has 2 fields"):
        lake.load(raw, "2019")

    assert lake.objects(raw) == before
    assert lake.rows(raw) == [("a", "1", "x", 2019)]


def test_a_table_without_partitions_shows_its_last_load(lake):
    """A raw table of no partitions is one load, replaced whole."""
    raw = lake.raw(("word", "n", "more"), partitioning=None)
    for text in ("a|1|x\n", "b|2|x\n"):
        lake.drop_file("rows_2019.txt", text)
        lake.load(raw)
        for engine in ("trino", "spark"):
            assert lake.rows(raw, engine) == [tuple(text.strip().split("|"))]


def test_a_changed_raw_definition_reaches_the_metastore(lake):
    """A new trailing column is null in files that were there before, in both engines."""
    lake.drop_file("rows_2019.txt", "a|1\n")
    old = lake.raw(("word", "n"))
    lake.load(old, "2019")
    new = lake.raw(("word", "n", "more"), variants=(("word", "n"),))
    lake.drop_file("rows_2020.txt", "b|2|x\n")
    lake.load(new, "2020")

    for engine in ("trino", "spark"):
        assert lake.rows(new, engine) == [("a", "1", None, 2019), ("b", "2", "x", 2020)]


def test_malformed_lines_are_rejected_with_file_line_and_text(lake, small_splits):
    """Line numbers are exact although Spark reads many splits; good and rejected rows add up to the lines."""
    raw = lake.raw(("word", "n", "more"))
    lines = [f"word {number}|{number}|{'x' * (number % 40)}" for number in range(1, 201)]
    lines[6], lines[99], lines[150], lines[199] = "seven|VII|x", "", "one|2", "last|x|y"
    lake.drop_file("rows_2019.txt", "\n".join(lines))
    lake.drop_file(
        "rows-crlf_2019.txt", "\ufeff" + "".join(f"w{n}|{n if n % 50 else 'no'}|y\r\n" for n in range(1, 151))
    )
    lake.load(raw, "2019")
    published = lake.write(clean_table(lake, raw), "2019")

    assert (published.rows, published.rejected) == (196 + 147, 7)
    table = clean_table(lake, raw)
    columns = "source_file, source_line, reject_reason, source_text, year"
    expected = [
        ("rows-crlf_2019.txt", 50, "n is no number", "w50|no|y", 2019),
        ("rows-crlf_2019.txt", 100, "n is no number", "w100|no|y", 2019),
        ("rows-crlf_2019.txt", 150, "n is no number", "w150|no|y", 2019),
        ("rows_2019.txt", 7, "n is no number", "seven|VII|x", 2019),
        ("rows_2019.txt", 100, "the line is empty", "", 2019),
        ("rows_2019.txt", 151, "2 fields where its file has 3", "one|2", 2019),
        ("rows_2019.txt", 200, "n is no number", "last|x|y", 2019),
    ]
    for engine in ("trino", "spark"):
        assert lake.rows(f"{table}__rejected", engine, select=columns) == sorted(expected, key=repr)
    # The mark at the beginning of the file is not part of the first word.
    assert lake.rows(f"{table} WHERE word = 'w1'", select="n") == [(1,)]


def test_a_body_may_refuse_rows_because_of_others(lake):
    """Refused rows are read again without most of the good ones; a body that needs those gets all of them after all."""

    def first_of_each(rows):
        from pyspark.sql import Window
        from pyspark.sql import functions as F  # noqa: N812

        order = Window.partitionBy("word").orderBy("source_position.place")
        repeated = F.when(F.row_number().over(order) > 1, "word came before")
        return rows.withColumn("reject_reason", repeated).withColumn("n", F.expr("try_cast(n AS int)"))

    raw = lake.raw(("word", "n", "more"))
    words = [f"word {number}" for number in range(1, 20_001)]
    words[14_999] = words[9]  # far from the first, in another chunk of the scan
    lake.drop_file("rows_2019.txt", "".join(f"{word}|{at}|x\n" for at, word in enumerate(words, 1)))
    lake.load(raw, "2019")
    table = clean_table(lake, raw, body=first_of_each)
    published = lake.write(table, "2019")

    assert (published.rows, published.rejected) == (19_999, 1)
    columns = "source_line, reject_reason, source_text"
    assert lake.rows(f"{table}__rejected", select=columns) == [(15_000, "word came before", "word 10|15000|x")]


def test_rejects_are_found_when_spark_does_not_tell_what_it_observed(lake, monkeypatch):
    """What a pass observed comes only if Spark's listeners are quick; without it everything is parsed again."""
    monkeypatch.setattr(Refused, "rows", None)
    monkeypatch.setattr(Refused, "chunks", None)
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\nb|no|x\nc|3|x\n")
    lake.drop_file("rows_2020.txt", "d|4|x\n")
    lake.load(raw, "2019", "2020")
    table = clean_table(lake, raw)

    assert lake.write(table, "2019").rejected == 1
    assert lake.write(table, "2020").rejected == 0
    assert lake.rows(f"{table}__rejected", select="source_line, source_text") == [(2, "b|no|x")]


def test_rows_are_equal_in_both_engines_in_every_zone(lake):
    """Raw, partitioned and curated tables read alike in Spark and Trino."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\nb|2|\n")
    lake.drop_file("rows_2020.txt", "c|3|\u20ac\n")
    lake.load(raw, "2019", "2020")
    typed = clean_table(lake, raw)
    lake.write(typed, "2019", "2020")
    body = f"SELECT year, count(*) AS rows, sum(n) AS total FROM {typed} GROUP BY year"
    curated = lake.table({"year": "int", "rows": "long", "total": "long"}, base="sums", body=body, upstreams=(typed,))
    lake.write(curated)

    assert lake.rows(curated) == [(2019, 2, 3), (2020, 1, 3)]
    for table in (raw, typed, curated):
        assert lake.rows(table) == lake.rows(table, "spark")


def test_a_body_may_read_the_file_name_and_field_count(lake):
    """Without rejects the source columns are there to use and need not be kept."""

    def body(rows):
        return rows.select("source_file", "source_fields", "year")

    raw = lake.raw(("word", "n", "more"), variants=(("word", "more"),))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    lake.drop_file("rows-old_2019.txt", "b|y\n")
    lake.load(raw, "2019")
    columns = {"source_file": "string", "source_fields": "int", "year": "int"}
    table = lake.table(columns, zone="partitioned", upstreams=(raw,), body=body, engine="spark", partitioning=YEARS)
    lake.write(table, "2019")

    assert lake.rows(table) == [("rows-old_2019.txt", 2, 2019), ("rows_2019.txt", 3, 2019)]


def test_files_of_another_layout_fill_their_own_columns(lake):
    """A variant says which columns its fields are; a line of the other layout in the same file is malformed."""
    raw = lake.raw(("word", "n", "more"), variants=(("n", "word"),))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    lake.drop_file("rows-old_2019.txt", "2|b\n3|c\nd|4|x\n")
    lake.load(raw, "2019")
    table = clean_table(lake, raw)
    published = lake.write(table, "2019")

    assert published.rejected == 1
    assert lake.rows(table) == [("a", 1, "x", 2019), ("b", 2, None, 2019), ("c", 3, None, 2019)]


def test_a_body_that_loses_lines_is_not_published(lake):
    """Neither good nor rejected rows are published when lines are missing."""

    def body(rows):
        return judged(rows).where("word <> 'b'")

    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\nb|2|x\n")
    lake.load(raw, "2019")
    table = clean_table(lake, raw, body=body)
    with pytest.raises(RowsLost, match="2 lines"):
        lake.write(table, "2019")

    assert lake.snapshots(table) == []
    assert lake.stages(table) == []


def test_a_body_that_drops_what_rejects_need_is_told_so(lake):
    """The sentence names the columns to keep, and those that the definition declares."""

    def narrow(rows):
        return rows.select("word", "n", "more", "year")

    def wrong(rows):
        return judged(rows).drop("more")

    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    lake.load(raw, "2019")
    with pytest.raises(WriteError, match=r"reject_reason.*source_file"):
        lake.write(clean_table(lake, raw, body=narrow), "2019")
    with pytest.raises(WriteError, match="more"):
        lake.write(clean_table(lake, raw, body=wrong), "2019")


def test_an_upstream_that_was_never_loaded_is_named(lake):
    """The write says which table and partition to load first."""
    raw = lake.raw(("word", "n", "more"))
    lake.drop_file("rows_2019.txt", "a|1|x\n")
    lake.load(raw, "2019")
    with pytest.raises(WriteError, match=f"{raw.name} 2020"):
        lake.write(clean_table(lake, raw), "2020")


def test_odd_file_names_are_kept(lake):
    """Blanks, percent signs and umlauts in a file's name reach the rejects table unchanged."""
    raw = lake.raw(("word", "n", "more"))
    name = "rows 100% gr\u00fcn+x_2019.txt"
    lake.drop_file(name, "a|1|x\nb|no|x\n")
    lake.drop_file("rows_2019.txt", "c|no|x\n")
    lake.load(raw, "2019")
    table = clean_table(lake, raw)
    lake.write(table, "2019")

    rejected = lake.rows(f"{table}__rejected", select="source_file, source_line")
    assert rejected == sorted([(name, 2), ("rows_2019.txt", 1)], key=repr)
    assert lake.rows(raw) == lake.rows(raw, "spark")
