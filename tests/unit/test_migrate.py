"""What a migration to AWS would do with each table, and what two engines' answers say of a copy."""

from __future__ import annotations

import pytest
from headwater.metastores.shapes import Shape
from headwater.migrate._plan import FROM, TO, Origin, Plan, decide, replaced_bucket, state_of
from headwater.migrate._verify import Statistics, compare
from headwater.storage import Listed
from headwater.table import TableName

NAME = TableName("curated", "t")
PLACE = "s3://lake/curated/t"
THERE = "s3://cloud/curated/t"


def iceberg(metadata=f"{PLACE}/metadata/2.json", **parameters):
    """Return what a metastore says of an Iceberg table."""
    parameters = {"table_type": "ICEBERG", "metadata_location": metadata, **parameters}
    return Shape(table={"Name": "t", "StorageDescriptor": {"Location": PLACE}, "Parameters": parameters}, version="3")


def files(*values, kind="string", **parameters):
    """Return what a metastore says of a table over files, by year."""
    storage = {"Columns": [{"Name": "id", "Type": kind}], "Location": PLACE}
    parts = tuple({"Values": [one], "StorageDescriptor": {**storage, "Location": f"{PLACE}/{one}"}} for one in values)
    keys = [{"Name": "year", "Type": "int"}]
    table = {"Name": "t", "StorageDescriptor": storage, "PartitionKeys": keys, "Parameters": parameters}
    return Shape(table=table, partitions=parts)


def origin(shape=None, *objects, obstacle=""):
    """Return a table of the box."""
    shape = shape or iceberg()
    return Origin(
        name=NAME, shape=shape, iceberg=bool(shape.metadata_location), objects=objects, obstacle=obstacle
    )  # fmt: skip


def listed(name="a", size=10, tag="x"):
    """Return an object of the table."""
    return Listed(f"{PLACE}/{name}", size, 0.0, tag)


def decided(one, there, *, replace=False):
    """Return the action and its reason."""
    step = decide(one, there, location=THERE, replace=replace)
    return step.action, step.why


def test_a_table_that_is_not_there_is_copied():
    """Nothing of that name is in Glue."""
    assert decided(origin(), None) == ("copy", "")


def test_a_copy_of_this_very_state_is_left_alone():
    """Glue says which metadata file it is a copy of, and still shows what the copy left."""
    there = iceberg(f"{THERE}/metadata/2.json", **{FROM: f"{PLACE}/metadata/2.json", TO: f"{THERE}/metadata/2.json"})

    assert decided(origin(), there) == ("same", "")
    assert decided(origin(iceberg(f"{PLACE}/metadata/3.json")), there) == ("update", "")


@pytest.mark.parametrize(
    ("there", "why"),
    [
        (iceberg(f"{THERE}/metadata/9.json"), "no copy of a migration"),
        (
            iceberg(f"{THERE}/metadata/9.json", **{FROM: f"{PLACE}/metadata/2.json", TO: f"{THERE}/metadata/2.json"}),
            "changed on AWS",
        ),
    ],
)
def test_what_is_no_copy_any_more_is_not_overwritten_unasked(there, why):
    """Somebody else's table, or one that was written since, gives way only when it is named."""
    assert decided(origin(), there)[0] == "refuse"
    assert why in decided(origin(), there)[1]
    assert decided(origin(), there, replace=True) == ("replace", "")


def test_what_cannot_be_copied_is_left_out_whatever_is_there():
    """A table outside of the lake's bucket."""
    assert decided(origin(obstacle="lies elsewhere"), iceberg(), replace=True) == ("skip", "lies elsewhere")


def test_files_are_another_state_when_anything_is_read_differently():
    """Partitions, columns, and objects with other bytes count; what a metastore notes of itself does not."""
    one = origin(files("2019", "2020"), listed()).state

    assert origin(files("2020", "2019"), listed()).state == one
    assert origin(files("2019", "2020", transient_lastDdlTime="9"), listed()).state == one
    for other in (
        origin(files("2019"), listed()),
        origin(files("2019", "2020", kind="int"), listed()),
        origin(files("2019", "2020"), listed(tag="y")),
        origin(files("2019", "2020"), listed(), listed("b")),
    ):
        assert other.state != one


def test_a_copied_table_over_files_is_recognised():
    """Its state in Glue is that of its columns and partitions."""
    one = origin(files("2019"), listed())
    copy = one.shape.placed(lambda uri: replaced_bucket(uri, "cloud"))
    marked = copy.named("t", **{FROM: one.state, TO: state_of(copy)})

    assert decided(one, marked) == ("same", "")
    assert decided(one, files("2019", "2020", **{FROM: one.state, TO: state_of(copy)}))[0] == "refuse"


def test_costs_count_what_is_copied():
    """Parts of 16 MiB are requests of their own, and each table is at least 10 MB to Athena."""
    gib = 1024**3
    steps = (
        decide(origin(None, listed(), listed("b", 20 * gib)), None, location=THERE),
        decide(origin(None, listed("c", 99 * gib), obstacle="lies elsewhere"), None, location=THERE),
    )
    costs = Plan(steps=steps).costs

    assert "at most 1283 requests" in costs[0]
    assert "20.00 GB more to keep, 0.46 dollars" in costs[1]
    assert "0.10 dollars" in costs[2]


TYPES = {"id": "bigint", "Name": "varchar(10)", "share": "double", "tags": "array(varchar)", "deep": "row(a integer)"}


def test_statistics_ask_of_a_column_what_its_type_has():
    """Doubles by their bits, lists by their entries, and what has parts by how many there are."""
    sql = Statistics(TYPES).sql('"curated"."t"', "trino")

    assert 'CAST(min("id") AS VARCHAR) AS low_0' in sql
    assert 'min("Name") AS low_1' in sql
    assert 'crc32(to_ieee754_64("share"))' in sql
    assert 'sum(cardinality("tags")) AS size_3' in sql
    assert 'count("deep") AS count_4' in sql
    assert "low_4" not in sql
    assert sql.endswith('FROM "curated"."t"')


def test_a_difference_names_its_column():
    """Not-a-number is the same as itself, and nothing is not zero."""
    statistics = Statistics({"id": "bigint", "share": "double"})
    one = {"rows_in_all": 3, "count_0": 3, "low_0": "1", "high_0": "9", "sum_0": 7, "count_1": 3, "low_1": float("nan")}

    assert compare(statistics, one, {**one}).differences == ()
    assert compare(statistics, one, {**one, "rows_in_all": 2, "low_0": None}).differences == (
        "3 rows here, 2 there",
        "column id: the least value",
    )
