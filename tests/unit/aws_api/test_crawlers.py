"""What crawlers make of a listing, of settings, and of a table that is there."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue.crawlers._changes import changed_table
from headwater_aws_api.glue.crawlers._crawl import _names
from headwater_aws_api.glue.crawlers._filters import crawl_filter
from headwater_aws_api.glue.crawlers._globs import excluded_by
from headwater_aws_api.glue.crawlers._input import partition_input_of, table_input_of
from headwater_aws_api.glue.crawlers._layout import Seen, find_tables
from headwater_aws_api.glue.crawlers._settings import checked, settings_of
from headwater_aws_api.glue.crawlers._shape import Shape, merged
from headwater_aws_api.glue.crawlers._types import hive_type, spark_schema

LONG, DOUBLE, TEXT = pa.int64(), pa.float64(), pa.string()
ROOT = "s3://lake/in/"


def shape(kind="csv", *, header=True, **columns):
    """Return a shape with some columns."""
    delimiter = "," if kind == "csv" else ""
    return Shape(format=kind, columns=tuple(columns.items()), delimiter=delimiter, header=header and kind == "csv")


RIDES, PLACES = shape(id=LONG, fare=DOUBLE), shape(zip=TEXT, lat=DOUBLE, lon=DOUBLE)


def tables(files, **more):
    """Return what is found in files below the root: by name, the root, how many files, keys and partitions."""
    found = find_tables(ROOT, [Seen(ROOT + path, one) for path, one in files.items()], **more)
    return {one.name: (one.root.removeprefix(ROOT), len(one.files), one.listed, one.keys) for one in found}


def test_compatible_files_of_a_folder_are_one_table():
    """Never one table per file."""
    assert tables({"a.csv": RIDES, "b.csv": RIDES}) == {"in": ("", 2, False, ())}


def test_files_that_differ_are_tables_of_their_own():
    """Lists of files: the folder holds others; files of one name but for a number are one table."""
    found = tables({"rides-2023.csv": RIDES, "rides-2024.csv": RIDES, "places.csv": PLACES, "README.md": None})
    assert found == {"rides": ("", 2, True, ()), "places_csv": ("", 1, True, ())}


def test_folders_that_differ_are_tables():
    """Named as they are."""
    assert tables({"rides/a.csv": RIDES, "places/a.csv": PLACES, "places/b.csv": PLACES}) == {
        "rides": ("rides/", 1, False, ()),
        "places": ("places/", 2, False, ()),
    }


@pytest.mark.parametrize(
    ("folders", "keys"),
    [
        (["year=2023", "year=2024"], ("year",)),
        (["year=2023/month=01", "year=2023/month=02", "year=2024/month=01"], ("year", "month")),
        (["eu", "us"], ("partition_0",)),
        (["2024"], ("partition_0",)),
        (["2024/01", "2024/02"], ("partition_0", "partition_1")),
        (["ID=7"], ("id_p",)),
    ],
)
def test_folders_that_are_alike_are_partitions(folders, keys):
    """By their names' keys, or by number; a name that is a column's already is made another."""
    found = find_tables(ROOT, [Seen(f"{ROOT}{one}/a.csv", RIDES) for one in folders])
    values = [tuple(part.rpartition("=")[2] for part in one.split("/")) for one in folders]
    assert [(one.name, one.keys) for one in found] == [("in", keys)]
    assert found[0].partitions == {value: f"{ROOT}{one}/" for value, one in zip(values, folders, strict=True)}


def test_a_folder_that_differs_from_most_is_a_table_of_its_own():
    """One of many does not take the table from the others."""
    files = {f"day={day}/a.csv": RIDES for day in range(1, 5)} | {"day=5/a.csv": PLACES}
    assert tables(files) == {"in": ("", 4, False, ("day",)), "5": ("day=5/", 1, False, ())}


def test_one_folder_is_a_table_unless_its_name_is_a_part_of_something():
    """A single folder says nothing of partitions."""
    assert tables({"rides/a.csv": RIDES}) == {"rides": ("rides/", 1, False, ())}
    assert tables({"rides/a.csv": RIDES}, level=2) == {"in": ("", 1, False, ("partition_0",))}
    alike = {"eu/a.csv": RIDES, "us/a.csv": RIDES}
    assert set(tables(alike, level=3)) == {"eu", "us"}


def test_a_folder_with_other_files_is_no_partition():
    """Engines would read them, too."""
    files = {f"day={day}/a.csv": RIDES for day in range(1, 5)} | {"day=5/a.csv": RIDES, "day=5/notes.txt": None}
    assert tables(files) == {"in": ("", 4, False, ("day",)), "5": ("day=5/", 1, True, ())}


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (shape(a=LONG, b=LONG), shape(a=DOUBLE, b=TEXT), {"a": DOUBLE, "b": TEXT}),
        (shape(a=LONG, b=pa.null()), shape(a=pa.null(), b=DOUBLE), {"a": LONG, "b": DOUBLE}),
        (shape(a=LONG), shape(a=LONG, b=TEXT), {"a": LONG, "b": TEXT}),
        (shape(a=LONG, b=LONG), shape(b=LONG, a=LONG), None),
        (shape(a=LONG), shape(a=LONG, b=LONG, c=LONG), None),
        (shape(a=LONG), shape(a=LONG, header=False), None),
        (shape(a=pa.decimal128(38, 2)), shape(a=DOUBLE), {"a": TEXT}),
        (shape(header=False, col0=LONG, col1=TEXT), shape(header=False, col0=TEXT, col1=LONG), None),
        (shape("json", a=LONG, b=TEXT), shape("json", b=TEXT, c=LONG), {"a": LONG, "b": TEXT, "c": LONG}),
        (shape("json", a=LONG), shape("json", a=TEXT), None),
        (
            shape("json", a=pa.struct([("x", LONG)])),
            shape("json", a=pa.struct([("x", DOUBLE), ("y", TEXT)])),
            {"a": pa.struct([("x", DOUBLE), ("y", TEXT)])},
        ),
        (shape("parquet", a=pa.int32()), shape("parquet", a=LONG), {"a": LONG}),
        (shape("parquet", a=LONG), shape("parquet", a=DOUBLE), None),
        (shape("orc", a=LONG, b=LONG), shape("orc", b=LONG, a=LONG), None),
        (shape("orc", a=LONG), shape("parquet", a=LONG), None),
    ],
)
def test_what_one_table_can_hold(one, other, both):
    """Whichever comes first."""
    for found in (merged(one, other), merged(other, one)):
        assert (found and dict(found.columns)) == both


@pytest.mark.parametrize(
    ("kind", "hive", "spark"),
    [
        (pa.int32(), "int", "integer"),
        (pa.decimal128(10, 2), "decimal(10,2)", "decimal(10,2)"),
        (pa.timestamp("ns", "UTC"), "timestamp", "timestamp"),
        (pa.dictionary(pa.int32(), TEXT), "string", "string"),
        (pa.map_(TEXT, LONG), "map<string,bigint>", None),
        (pa.struct([("A", pa.list_(LONG))]), "struct<a:array<bigint>>", None),
    ],
)
def test_types_are_said_in_both_languages(kind, hive, spark):
    """Hive's and Spark's."""
    assert hive_type(kind) == hive
    [field] = spark_schema([("Name", kind)])["fields"]
    assert (field["name"], field["type"] if spark else None) == ("Name", spark)


@pytest.mark.parametrize("kind", [pa.time64("us"), pa.struct([("odd key", LONG)]), pa.list_(pa.float16())])
def test_types_that_hive_lacks_are_none(kind):
    """Their columns are left out."""
    assert hive_type(kind) is None


def found(files, **more):
    """Return the one table that some files are."""
    [one] = find_tables(ROOT, [Seen(ROOT + path, kind) for path, kind in files.items()], **more)
    return one


def test_a_table_tells_both_engines_how_to_read_it():
    """Trino by Hive's words, Spark by its own; partitions are read as their table is."""
    table = found({"year=2024/a.csv": RIDES})
    given, left_out = table_input_of(table, "rides", "c", list_folder="s3://lists/")
    storage, parameters = given["StorageDescriptor"], given["Parameters"]
    assert (storage["Location"], left_out) == (ROOT, [])
    assert [(one["Name"], one["Type"]) for one in storage["Columns"]] == [("id", "bigint"), ("fare", "double")]
    assert parameters["skip.header.line.count"] == "1"
    assert (parameters["spark.sql.sources.provider"], storage["SerdeInfo"]["Parameters"]["header"]) == ("csv", "true")
    fields = json.loads(parameters["spark.sql.sources.schema"])["fields"]
    assert [one["name"] for one in fields] == ["id", "fare", "year"]
    part = partition_input_of(given, ("2024",), f"{ROOT}year=2024/")
    assert part["StorageDescriptor"]["Location"] == f"{ROOT}year=2024/"
    assert part["StorageDescriptor"]["SerdeInfo"] == storage["SerdeInfo"]


def test_a_list_of_files_lies_elsewhere():
    """Trino reads the list; Spark is told the files, in which no letter is a pattern's."""
    table = find_tables(
        ROOT, [Seen(f"{ROOT}{one}", RIDES) for one in ("a[1].csv", "a2.csv")] + [Seen(ROOT + "x", None)]
    )
    given, _ = table_input_of(table[0], "rides", "c", list_folder="s3://lists/")
    storage = given["StorageDescriptor"]
    assert storage["Location"] == "s3://lists/"
    assert storage["InputFormat"].endswith("SymlinkTextInputFormat")
    assert storage["SerdeInfo"]["Parameters"]["path"] == ROOT + "{a\\[1\\].csv,a2.csv}"


POLICY = {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
SAID = {"Role": "r", "DatabaseName": "D", "Targets": {"S3Targets": [{"Path": ROOT}]}}


def test_a_crawler_has_defaults():
    """Those of Glue."""
    settings = settings_of("c", checked({**SAID, "TablePrefix": "My_"}))
    assert (settings.database, settings.prefix, settings.update) == ("d", "my_", True)
    assert (settings.delete, settings.level, settings.only_new_columns) == ("DEPRECATE_IN_DATABASE", None, False)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Schedule": "cron(0 1 * * ? *)"}, "NotImplemented"),
        ({"Classifiers": ["mine"]}, "NotImplemented"),
        ({"Targets": {"JdbcTargets": [{"Path": "x"}]}}, "NotImplemented"),
        ({"Targets": {"S3Targets": [{"Path": ROOT, "EventQueueArn": "arn"}]}}, "NotImplemented"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_EVENT_MODE"}}, "NotImplemented"),
        ({"RecrawlPolicy": {"RecrawlBehavior": "CRAWL_NEW_FOLDERS_ONLY"}}, "InvalidInputException"),
        ({"Targets": {}}, "InvalidInputException"),
        ({"Targets": {"S3Targets": [{"Path": "in/"}]}}, "InvalidInputException"),
        ({"Targets": {"S3Targets": [{"Path": ROOT, "SampleSize": 250}]}}, "InvalidInputException"),
        ({"DatabaseName": ""}, "InvalidInputException"),
        ({"Configuration": "{"}, "InvalidInputException"),
        ({"Configuration": '{"Version": 1.0, "Grouping": {"Level": 3}}'}, "InvalidInputException"),
        ({"Configuration": '{"Grouping": {"TableLevelConfiguration": "3"}}'}, "InvalidInputException"),
    ],
)
def test_what_would_be_ignored_is_refused(more, code):
    """Before the crawler is kept."""
    with pytest.raises(AwsError) as caught:
        checked({**SAID, **more})
    assert caught.value.code == code


def test_what_is_understood_is_kept():
    """The policies and the configuration."""
    output = {"Tables": {"AddOrUpdateBehavior": "MergeNewColumns"}}
    said = json.dumps({"Version": 1.0, "CrawlerOutput": output, "Grouping": {"TableLevelConfiguration": 3}})
    settings = settings_of("c", checked({**SAID, "SchemaChangePolicy": POLICY, "Configuration": said}))
    assert (settings.update, settings.delete, settings.level, settings.only_new_columns) == (False, "LOG", 3, True)


@pytest.mark.parametrize(
    ("pattern", "path", "out"),
    [
        ("*.tmp", "a.tmp", True),
        ("*.tmp", "b/a.tmp", False),
        ("**.tmp", "b/a.tmp", True),
        ("old/**", "old/b/a", True),
        ("{a,b}?.csv", "b1.csv", True),
        ("[!a-c]*", "d.csv", True),
        ("[!a-c]*", "a.csv", False),
        (r"\*", "a", False),
    ],
)
def test_exclusions_are_globs(pattern, path, out):
    """Glue's."""
    assert (excluded_by(pattern).fullmatch(path) is not None) is out


def test_names_stay_and_never_meet():
    """A table keeps its name; a new one whose name another table elsewhere has gets a longer one."""
    one, two = found({"a.csv": RIDES}), found({"b/a.csv": PLACES, "c/b.csv": PLACES})
    assert set(_names([one], {}, {}, "p_")) == {"p_in"}
    assert set(_names([one], {"old": {"root": ROOT, "files": []}}, {}, "p_")) == {"old"}
    assert set(_names([one], {}, {"in": ROOT.rstrip("/")}, "")) == {"in"}
    [name] = _names([one], {}, {"in": "s3://elsewhere"}, "")
    assert name.startswith("in_")
    assert len(_names([one, two], {}, {}, "")) == 2


def given(columns, **more):
    """Return a table's input with some columns."""
    storage = {"Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()], "Location": ROOT}
    return {"Name": "t", "Owner": "owner", "PartitionKeys": [], "StorageDescriptor": storage, "Parameters": {}, **more}


def test_what_people_added_stays():
    """Comments, an owner and parameters; what a crawler once noted and no longer finds goes."""
    current = given({"a": "bigint"}, Owner="me", Description="Mine.", Parameters={"mine": "1", "delimiter": ";"})
    current["StorageDescriptor"]["Columns"][0]["Comment"] = "A."
    changed = changed_table(current, given({"a": "double"}), only_new_columns=False)
    assert changed["StorageDescriptor"]["Columns"] == [{"Name": "a", "Type": "double", "Comment": "A."}]
    assert (changed["Owner"], changed["Description"], changed["Parameters"]) == ("me", "Mine.", {"mine": "1"})
    assert changed_table(current, given({"a": "bigint"}), only_new_columns=False) is None


def test_new_columns_alone_may_be_added():
    """Types and columns that are there stay."""
    changed = changed_table(
        given({"a": "bigint", "b": "int"}), given({"a": "double", "c": "int"}), only_new_columns=True
    )
    columns = changed["StorageDescriptor"]["Columns"]
    assert [(one["Name"], one["Type"]) for one in columns] == [("a", "bigint"), ("b", "int"), ("c", "int")]


def test_a_table_whose_files_are_back_is_no_longer_deprecated():
    """Although nothing else differs."""
    current = given({"a": "bigint"}, Parameters={"DEPRECATED_BY_CRAWLER": "1"})
    assert changed_table(current, given({"a": "bigint"}), only_new_columns=False)["Parameters"] == {}


def test_crawls_are_filtered():
    """By state and time, which is told in milliseconds."""
    crawl = {"State": "COMPLETED", "StartTime": 100.0, "EndTime": None, "CrawlId": "x", "DPUHour": 0.0}
    started = {"FieldName": "START_TIME", "FilterOperator": "GE", "FieldValue": "100000"}
    ended = {"FieldName": "END_TIME", "FilterOperator": "LT", "FieldValue": "100000"}
    other = {"FieldName": "STATE", "FilterOperator": "NE", "FieldValue": "COMPLETED"}
    assert [crawl_filter([one])(crawl) for one in (started, ended, other)] == [True, False, False]
    with pytest.raises(AwsError):
        crawl_filter([{"FieldName": "START_TIME", "FilterOperator": "GE", "FieldValue": "noon"}])
