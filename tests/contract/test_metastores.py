"""What every metastore does alike: Hive Metastore of the box, and Glue as moto plays it."""

from __future__ import annotations

import json
import threading
from dataclasses import replace

import boto3
import pytest
from aws_account import aws_stack
from duck_engine import DuckEngine
from headwater import _aws
from headwater.checks import Unique
from headwater.errors import CheckFailed, MetastoreError, WriteError
from headwater.layout import location
from headwater.metastores.base import RawLoad
from headwater.stack import Stack
from headwater.table import Column, DelimitedFiles, Partitioning, Table, TableName
from headwater.write import load_raw, write
from headwater.write._fence import NotFenced, commit_fence
from headwater.write._stage import Stage

YEARS = Partitioning("year", "year", "2019")
ID, NUMBER = Column("id", "string", "Which."), Column("number", "string", "How many.")
YEAR = Column("year", "int", "Year.")


@pytest.fixture(params=[pytest.param("hive", marks=pytest.mark.box), "glue"])
def stack(request, tmp_path):
    """Storage and a metastore of each kind; DuckDB computes, so that the metastore is all that differs."""
    if request.param == "hive":
        box = request.getfixturevalue("box")
        found = Stack.build(replace(box, project=tmp_path))
    else:
        request.getfixturevalue("account")
        found = aws_stack(tmp_path)
    return replace(found, engines={"trino": DuckEngine(found.metastore)})


def raw(mark, *columns, **more):
    """Return a raw table over rows_<year>.txt."""
    files = DelimitedFiles(folder="in", pattern=r"rows_(?P<key>\d{4})\.txt")
    given = {"owner": "team:tests", "partitioning": YEARS, **more}
    return Table(name=f"raw.t_{mark}", doc="A table of a test.", columns=columns or (ID, NUMBER), files=files, **given)


def numbers(mark, **more):
    """Return a table of three years' rows."""
    body = "SELECT CAST(n AS varchar) AS id, CAST(2018 + n AS integer) AS year FROM UNNEST(ARRAY[1, 2, 3]) AS s (n)"
    given = {"doc": "Numbers.", "owner": "team:tests", "columns": (ID, YEAR), "partitioning": YEARS, "body": body}
    return Table(name=f"curated.t_{mark}", **{**given, **more})


def rows(stack, table):
    """Return a table's rows, sorted."""
    found = stack.metastore.iceberg().load_table((table.zone, table.id.name)).scan().to_arrow().to_pylist()
    return sorted(tuple(row.values()) for row in found)


def test_a_load_is_shown_and_replaced_by_one_change(stack, mark):
    """Each partition shows the load that came last, with what its loader remembers; the others stay."""
    table = raw(mark)
    place = location(stack.profile.bucket, table.id)
    assert stack.metastore.raw_loads(table) == {}
    stack.metastore.ensure_raw(table, place)
    stack.metastore.ensure_raw(table, place)
    for value, load in (("2019", "a"), ("2020", "b"), ("2019", "c")):
        stack.metastore.show_load(table, value, RawLoad(f"{place}/year={value}/load={load}/", {"files": load}))

    assert stack.metastore.raw_loads(table) == {
        "2019": RawLoad(f"{place}/year=2019/load=c/", {"files": "c"}),
        "2020": RawLoad(f"{place}/year=2020/load=b/", {"files": "b"}),
    }


def test_a_table_without_partitions_shows_one_load(stack, mark):
    """Before the first load it shows none, whatever else the metastore keeps of it."""
    table = raw(mark, partitioning=None, tags=("pii",))
    place = location(stack.profile.bucket, table.id)
    stack.metastore.ensure_raw(table, place)
    assert stack.metastore.raw_loads(table) == {}
    stack.metastore.show_load(table, "", RawLoad(f"{place}/load=a/", {"files": "a", "run": "1"}))
    stack.metastore.show_load(table, "", RawLoad(f"{place}/load=b/", {"files": "b", "run": "2"}))

    assert stack.metastore.raw_loads(table) == {"": RawLoad(f"{place}/load=b/", {"files": "b", "run": "2"})}


def test_a_changed_definition_keeps_what_is_shown(stack, mark):
    """Columns, doc, owner and tags follow the definition; the loads stay."""
    table = raw(mark)
    place = location(stack.profile.bucket, table.id)
    stack.metastore.ensure_raw(table, place)
    stack.metastore.show_load(table, "2019", RawLoad(f"{place}/year=2019/load=a/", {"files": "a"}))
    wider = raw(mark, ID, NUMBER, Column("more", "string", "More."), owner="team:others", tags=("b", "a"))
    stack.metastore.ensure_raw(wider, place)

    assert set(stack.metastore.raw_loads(wider)) == {"2019"}
    [found] = [one for one in stack.metastore.registered() if one.name == table.id]
    assert (found.location, found.iceberg) == (place, False)


def test_files_arrive_whole(stack, mark, tmp_path):
    """The whole way of a raw load: stored, verified, shown; the same files again change nothing."""
    table = raw(mark)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "rows_2019.txt").write_bytes(b"a|1\nb|2\n")
    first = load_raw(table, stack, run="first", partitions=("2019",))
    again = load_raw(table, stack, run="again", partitions=("2019",))

    assert (first.rows, first.changed, again.changed) == (2, True, False)
    [state] = first.loads
    assert stack.storage.read(state.location + "rows_2019.txt") == b"a|1\nb|2\n"
    assert stack.metastore.raw_loads(table)["2019"].location == state.location


def test_a_rerun_replaces_its_partitions_alone(stack, mark):
    """Stage, check, publish: one commit for each write, and the other partitions keep their files."""
    table = numbers(mark)
    write(table, stack, run="one", partitions=("2019", "2020"))
    changed = table.body.replace("CAST(n AS varchar)", "'new'")
    published = write(numbers(mark, body=changed), stack, run="two", partitions=("2020",))

    assert rows(stack, table) == [("1", 2019), ("new", 2020)]
    loaded = stack.metastore.iceberg().load_table((table.zone, table.id.name))
    assert len(loaded.metadata.snapshots) == 2
    assert loaded.current_snapshot().snapshot_id == published.snapshot_id
    assert loaded.current_snapshot().summary.additional_properties["headwater.run"] == "two"
    assert [one for one in stack.metastore.registered() if one.name.name.startswith(f"t_{mark}__")] == []


def test_what_a_check_refuses_is_never_read(stack, mark):
    """A blocking check that fails leaves the old rows and no stage."""
    table = numbers(mark)
    write(table, stack, run="one", partitions=("2019",))
    twice = "SELECT 'same' AS id, CAST(2019 AS integer) AS year FROM UNNEST(ARRAY[1, 2]) AS s (n)"
    with pytest.raises(CheckFailed, match="unique"):
        write(numbers(mark, body=twice, checks=(Unique("id"),)), stack, run="two", partitions=("2019",))

    assert rows(stack, table) == [("1", 2019)]
    assert [one for one in stack.metastore.registered() if one.name.name.startswith(f"t_{mark}__")] == []


def test_two_writers_of_one_table_both_land(stack, mark):
    """Whoever comes second looks again and commits on top; no row is lost."""
    table = numbers(mark)
    write(table, stack, run="zero", partitions=("2019",))
    failures = []

    def publish(key):
        try:
            write(table, stack, run=key, partitions=(key,))
        except Exception as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=publish, args=(key,)) for key in ("2020", "2021")]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert failures == []
    assert rows(stack, table) == [("1", 2019), ("2", 2020), ("3", 2021)]


def test_a_fence_keeps_a_stage_out(stack, mark):
    """A write that was taken for dead cannot publish after all, though it loaded the table before."""
    table = numbers(mark)
    write(table, stack, run="zero", partitions=("2019",))
    catalog = stack.metastore.iceberg()
    old = catalog.load_table((table.zone, table.id.name))
    commit_fence(catalog, Stage(target=table.id, token="dead", bucket=stack.profile.bucket), print)
    with pytest.raises(WriteError, match="was taken for dead"):
        _delete_unless_fenced(old, table)

    assert rows(stack, table) == [("1", 2019)]


def _delete_unless_fenced(loaded, table):
    with loaded.transaction() as transaction:
        transaction._stage((), (NotFenced(target=table.name, token="dead"),))
        transaction.delete("year = 2019")


def test_owner_doc_and_tags_follow_the_definition(stack, mark):
    """The metastore remembers them, also when they change and nothing else does."""
    table = numbers(mark)
    write(table, stack, run="zero", partitions=("2019",))
    write(numbers(mark, owner="team:b", tags=("x", "y")), stack, run="one", partitions=("2019",))

    told = stack.metastore.iceberg().load_table((table.zone, table.id.name)).properties
    assert (told["owner"], told["tags"], told["comment"]) == ("team:b", "x,y", "Numbers.")


def test_every_table_is_registered_and_a_view_is_none(stack, mark):
    """Iceberg and raw tables are told apart."""
    table = numbers(mark)
    write(table, stack, run="zero", partitions=("2019",))
    stack.metastore.ensure_raw(raw(mark), location(stack.profile.bucket, raw(mark).id))

    found = {one.name: one for one in stack.metastore.registered()}
    assert found[table.id].iceberg
    assert found[table.id].location == location(stack.profile.bucket, table.id)
    assert not found[TableName("raw", f"t_{mark}")].iceberg


# What Glue alone does.


@pytest.fixture
def glue(account, tmp_path):
    """The profile aws on the account."""
    found = aws_stack(tmp_path)
    return replace(found, engines={"trino": DuckEngine(found.metastore)})


def test_a_race_at_the_last_moment_loses_nothing(glue, mark):
    """Another publish between Glue's answer and the change of it: the change is refused, and made on top."""
    table = numbers(mark)
    write(table, glue, run="zero", partitions=("2019",))
    events = _aws.aws_client("glue", glue.profile.region).meta.events
    refused = []

    def second(params, **_):
        if json.loads(params["body"])["TableInput"]["Name"] == table.id.name:  # not a stage
            events.unregister("before-call.glue.UpdateTable", second)
            write(table, glue, run="second", partitions=("2020",))

    def seen(parsed, **_):
        if "Error" in parsed:
            refused.append(parsed["Error"]["Code"])

    events.register("before-call.glue.UpdateTable", second)
    events.register("after-call.glue.UpdateTable", seen)
    try:
        write(table, glue, run="first", partitions=("2021",))
    finally:
        events.unregister("after-call.glue.UpdateTable", seen)

    assert refused == ["ConcurrentModificationException"]
    assert rows(glue, table) == [("1", 2019), ("2", 2020), ("3", 2021)]


def test_glue_keeps_former_versions(glue, mark):
    """Every publish leaves the version before it in Glue."""
    table = numbers(mark)
    for run in ("one", "two", "three"):
        write(table, glue, run=run, partitions=("2019",))

    kept = boto3.client("glue").get_table_versions(DatabaseName="curated", TableName=table.id.name)["TableVersions"]
    places = {one["Table"]["Parameters"]["metadata_location"] for one in kept}
    assert len(places) == 4  # made, and published three times


def test_glue_has_comments_within_its_limit(glue, mark):
    """A long comment is cut for Glue, and whole in the Iceberg metadata."""
    long = "x" * 400
    table = numbers(mark, columns=(Column("id", "string", long), YEAR))
    write(table, glue, run="one", partitions=("2019",))
    glue.metastore.ensure_raw(raw(mark, Column("id", "string", long)), location(glue.profile.bucket, raw(mark).id))

    client = boto3.client("glue")
    for zone in ("curated", "raw"):
        told = client.get_table(DatabaseName=zone, Name=f"t_{mark}")["Table"]
        assert told["StorageDescriptor"]["Columns"][0]["Comment"] == long[:255]
        assert told["Parameters"]["owner"] == "team:tests"
    whole = glue.metastore.iceberg().load_table(("curated", f"t_{mark}"))
    assert whole.schema().find_field("id").doc == long


def test_glue_forgets_fences(glue, mark):
    """A fence is read from the Iceberg metadata; in Glue, where parameters only grow, it would stay for ever."""
    table = numbers(mark)
    write(table, glue, run="one", partitions=("2019",))
    commit_fence(glue.metastore.iceberg(), Stage(target=table.id, token="t", bucket=glue.profile.bucket), print)

    told = boto3.client("glue").get_table(DatabaseName="curated", Name=table.id.name)["Table"]["Parameters"]
    assert [key for key in told if key.startswith("headwater.fenced")] == []


def test_glue_gives_partitions_the_tables_columns(glue, mark):
    """Each partition keeps a copy of the columns, which Athena reads it with."""
    table = raw(mark)
    place = location(glue.profile.bucket, table.id)
    glue.metastore.ensure_raw(table, place)
    for year in range(1900, 2020):  # more than one request changes
        glue.metastore.show_load(table, str(year), RawLoad(f"{place}/year={year}/load=a/", {"files": "a"}))
    glue.metastore.ensure_raw(raw(mark, ID, NUMBER, Column("more", "string", "More.")), place)

    pages = boto3.client("glue").get_paginator("get_partitions").paginate(DatabaseName="raw", TableName=table.id.name)
    found = [one for page in pages for one in page["Partitions"]]
    assert len(found) == 120
    assert {len(one["StorageDescriptor"]["Columns"]) for one in found} == {3}
    assert {one["StorageDescriptor"]["Location"] for one in found} == {
        f"{place}/year={year}/load=a" for year in range(1900, 2020)
    }
    assert len(glue.metastore.raw_loads(table)) == 120


def test_glue_that_is_away_is_one_sentence(glue, mark, monkeypatch):
    """It says what was not done, why, and what to look at."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_GLUE", "http://127.0.0.1:9")
    monkeypatch.setattr(_aws, "_ATTEMPTS", 1)
    _aws._client.cache_clear()
    try:
        with pytest.raises(
            MetastoreError, match=r"The tables of the lake cannot be listed: Could not connect.*aws sts"
        ):
            glue.metastore.registered()
    finally:
        monkeypatch.undo()
        _aws._client.cache_clear()


def test_a_table_over_files_is_described_alike(stack, mark):
    """Columns, keys, format and every partition with its place, in the same words."""
    table = raw(mark)
    place = location(stack.profile.bucket, table.id)
    stack.metastore.ensure_raw(table, place)
    for value in ("2019", "2020"):
        stack.metastore.show_load(table, value, RawLoad(f"{place}/year={value}/load=a/", {"files": value}))
    found = stack.metastore.shape(table.id)

    assert (found.location, found.metadata_location) == (place, "")
    assert sorted(found.locations) == [f"{place}/year={value}/load=a" for value in ("2019", "2020")]
    assert [one["Name"] for one in found.table["StorageDescriptor"]["Columns"]] == ["id", "number"]
    assert [(one["Name"], one["Type"]) for one in found.table["PartitionKeys"]] == [("year", "int")]
    assert sorted(one["Parameters"]["headwater.files"] for one in found.partitions) == ["2019", "2020"]
    assert stack.metastore.shape(TableName("raw", f"none_{mark}")) is None


def test_glue_takes_a_table_over_files(account, mark, tmp_path):
    """With its partitions; changed, new and former ones follow; what others changed meanwhile stays."""
    metastore = aws_stack(tmp_path).metastore
    table = raw(mark)
    place = f"s3://lake/raw/t_{mark}"
    metastore.ensure_raw(table, place)
    for number in range(120):  # more than one request makes
        metastore.show_load(table, f"{1900 + number}", RawLoad(f"{place}/{number}/", {"files": f"{number}"}))
    name = TableName("raw", f"u_{mark}")
    one = metastore.shape(table.id).named(name.name, migrated="one")
    metastore.take(one, "raw")
    taken = metastore.shape(name)
    fewer = replace(one, partitions=(one.partitions[0], *(replace_location(part) for part in one.partitions[60:])))
    metastore.take(fewer, "raw", taken)

    assert (taken.digest, taken.parameters["migrated"]) == (one.digest, "one")
    assert metastore.shape(name).digest == fewer.digest
    with pytest.raises(MetastoreError, match="concurrent"):
        metastore.take(one, "raw", taken)
    metastore.forget(name)
    metastore.forget(name)
    assert metastore.shape(name) is None


def replace_location(partition):
    """Return a partition that lies elsewhere."""
    storage = {**partition["StorageDescriptor"], "Location": "s3://lake/raw/elsewhere"}
    return {**partition, "StorageDescriptor": storage}


def test_glue_takes_an_iceberg_table_by_its_metadata(account, mark, tmp_path):
    """Under another name first, where it is read alike; what its definition told is told by it, too."""
    found = aws_stack(tmp_path)
    stack = replace(found, engines={"trino": DuckEngine(found.metastore)})
    table = numbers(mark, tags=("x",))
    write(table, stack, run="one", partitions=("2019",))
    before = stack.metastore.shape(table.id)
    stage = TableName("curated", f"t_{mark}__stage_migrate")
    stack.metastore.take(
        stack.metastore.over_iceberg(stage, before.metadata_location).named(stage.name), "curated"
    )  # fmt: skip

    assert stack.engine("trino").rows(f"SELECT id FROM {stage}") == [{"id": "1"}]
    assert stack.metastore.shape(stage).parameters["tags"] == "x"
    write(table, stack, run="two", partitions=("2020",))
    with pytest.raises(MetastoreError, match="concurrent"):
        stack.metastore.take(before, "curated", before)
    assert rows(stack, table) == [("1", 2019), ("2", 2020)]
    stack.metastore.forget(stage)
    assert [one for one in stack.metastore.registered() if one.name == stage] == []
