"""What a Glue Data Catalog does, asked with boto3: the box's, and moto's, which somebody else wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"field.delim": ","},
    },
}
COLUMNS = [
    {"Name": "id", "Type": "bigint", "Comment": "The number."},
    {"Name": "what", "Type": "struct<a:int,b:string>"},
]


def table_input(name: str, location: str, **more: Any) -> dict[str, Any]:
    """Return an external text table by year and month."""
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Description": "A table.",
        "Owner": "team:tests",
        "PartitionKeys": [{"Name": "year", "Type": "int"}, {"Name": "month", "Type": "string"}],
        "StorageDescriptor": {"Columns": COLUMNS, "Location": location, **TEXT},
        "Parameters": {"classification": "csv", "owner": "team"},
        **more,
    }


def partition_input(location: str, year: int, month: str) -> dict[str, Any]:
    """Return a partition of such a table."""
    place = f"{location}/year={year}/month={month}"
    return {
        "Values": [str(year), month],
        "StorageDescriptor": {"Columns": COLUMNS, "Location": place, **TEXT},
        "Parameters": {"rows": "7"},
    }


def code_of(call: Callable[..., Any], **given: Any) -> str:
    """Return the code of the error that a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call(**given)
    code: str = caught.value.response["Error"]["Code"]
    return code


def pages(client: Any, operation: str, key: str, **given: Any) -> list[list[Any]]:
    """Return what each page of a listing holds."""
    return [page[key] for page in client.get_paginator(operation).paginate(**given)]


def names(found: Iterator[Any]) -> list[str]:
    """Return names in their order."""
    return sorted(one["Name"] for one in found)


class GlueCases:
    """One test each; a subclass gives ``glue`` (a client), ``database`` (an empty one's name) and ``place`` (in S3)."""

    def test_a_database_is_what_was_said(self, glue, database, place):
        """Description, place and parameters come back."""
        given = {"Name": f"{database}_b", "Description": "Told.", "LocationUri": f"{place}/b", "Parameters": {"a": "b"}}
        glue.create_database(DatabaseInput=given)
        found = glue.get_database(Name=f"{database}_b")["Database"]
        assert {name: found[name] for name in given} == given
        glue.update_database(Name=f"{database}_b", DatabaseInput={**given, "Description": "Anew."})
        assert glue.get_database(Name=f"{database}_b")["Database"]["Description"] == "Anew."
        assert code_of(glue.create_database, DatabaseInput=given) == "AlreadyExistsException"
        glue.delete_database(Name=f"{database}_b")
        assert code_of(glue.get_database, Name=f"{database}_b") == "EntityNotFoundException"
        assert code_of(glue.delete_database, Name=f"{database}_b") == "EntityNotFoundException"

    def test_a_table_is_what_was_said(self, glue, database, place):
        """All of its input comes back, and who looks for what is not there is told so."""
        given = table_input("loans", f"{place}/loans")
        glue.create_table(DatabaseName=database, TableInput=given)
        found = glue.get_table(DatabaseName=database, Name="loans")["Table"]
        assert {name: found[name] for name in given} == given
        assert (found["DatabaseName"], found["VersionId"]) == (database, found["VersionId"])
        assert code_of(glue.create_table, DatabaseName=database, TableInput=given) == "AlreadyExistsException"
        assert code_of(glue.get_table, DatabaseName=database, Name="none") == "EntityNotFoundException"
        assert code_of(glue.get_table, DatabaseName="none", Name="loans") == "EntityNotFoundException"
        nowhere = {"DatabaseName": "none", "TableInput": given}
        assert code_of(glue.create_table, **nowhere) == "EntityNotFoundException"

    def test_tables_are_listed_by_pattern(self, glue, database, place):
        """A pattern means the whole name, and a star stands for anything."""
        every = [f"t{number}" for number in range(5)] + ["other"]
        for name in every:
            glue.create_table(DatabaseName=database, TableInput=table_input(name, f"{place}/{name}"))
        found = pages(glue, "get_tables", "TableList", DatabaseName=database)
        assert names(one for page in found for one in page) == sorted(every)
        for pattern in ("t.*", "t*"):
            assert names(glue.get_tables(DatabaseName=database, Expression=pattern)["TableList"]) == every[:5]

    def test_a_changed_table_has_versions(self, glue, database, place):
        """The last is the table; former ones stay until they are deleted."""
        glue.create_table(DatabaseName=database, TableInput=table_input("v", f"{place}/v", Description="one"))
        first = glue.get_table(DatabaseName=database, Name="v")["Table"]["VersionId"]
        glue.update_table(DatabaseName=database, TableInput=table_input("v", f"{place}/v", Description="two"))
        last = glue.get_table(DatabaseName=database, Name="v")["Table"]
        assert (last["Description"], last["VersionId"] != first) == ("two", True)
        versions = glue.get_table_versions(DatabaseName=database, TableName="v")["TableVersions"]
        assert sorted(one["Table"]["Description"] for one in versions) == ["one", "two"]
        former = glue.get_table_version(DatabaseName=database, TableName="v", VersionId=first)["TableVersion"]
        assert former["Table"]["Description"] == "one"
        glue.delete_table_version(DatabaseName=database, TableName="v", VersionId=first)
        assert len(glue.get_table_versions(DatabaseName=database, TableName="v")["TableVersions"]) == 1
        missing = {"DatabaseName": database, "TableName": "v", "VersionId": first}
        assert code_of(glue.get_table_version, **missing) == "EntityNotFoundException"

    def test_tables_are_deleted_one_by_one_and_at_once(self, glue, database, place):
        """What is not there is told of, and the rest is gone."""
        for name in ("a", "b", "c"):
            glue.create_table(DatabaseName=database, TableInput=table_input(name, f"{place}/{name}"))
        glue.delete_table(DatabaseName=database, Name="a")
        assert code_of(glue.delete_table, DatabaseName=database, Name="a") == "EntityNotFoundException"
        errors = glue.batch_delete_table(DatabaseName=database, TablesToDelete=["b", "none", "c"])["Errors"]
        assert [(one["TableName"], one["ErrorDetail"]["ErrorCode"]) for one in errors] == [
            ("none", "EntityNotFoundException")
        ]
        assert glue.get_tables(DatabaseName=database)["TableList"] == []

    def test_a_partition_is_what_was_said(self, glue, database, place):
        """It can be found by its values, changed and deleted."""
        where = {"DatabaseName": database, "TableName": "p"}
        glue.create_table(DatabaseName=database, TableInput=table_input("p", f"{place}/p"))
        given = partition_input(f"{place}/p", 2019, "01")
        glue.create_partition(**where, PartitionInput=given)
        found = glue.get_partition(**where, PartitionValues=["2019", "01"])["Partition"]
        assert found["Values"] == given["Values"]
        assert found["Parameters"]["rows"] == "7"
        assert {name: found["StorageDescriptor"][name] for name in given["StorageDescriptor"]} == given[
            "StorageDescriptor"
        ]
        assert code_of(glue.create_partition, **where, PartitionInput=given) == "AlreadyExistsException"
        changed = {**given, "Parameters": {"rows": "8"}}
        glue.update_partition(**where, PartitionValueList=["2019", "01"], PartitionInput=changed)
        found = glue.get_partition(**where, PartitionValues=["2019", "01"])["Partition"]
        assert found["Parameters"]["rows"] == "8"
        glue.delete_partition(**where, PartitionValues=["2019", "01"])
        absent = {**where, "PartitionValues": ["2019", "01"]}
        assert code_of(glue.get_partition, **absent) == "EntityNotFoundException"
        assert code_of(glue.delete_partition, **absent) == "EntityNotFoundException"

    def test_partitions_come_in_batches(self, glue, database, place):
        """Of a batch, what cannot be is told of, and the rest is done."""
        where = {"DatabaseName": database, "TableName": "p"}
        glue.create_table(DatabaseName=database, TableInput=table_input("p", f"{place}/p"))
        given = [partition_input(f"{place}/p", year, "01") for year in range(2010, 2015)]
        assert glue.batch_create_partition(**where, PartitionInputList=given).get("Errors", []) == []
        errors = glue.batch_create_partition(
            **where, PartitionInputList=[given[0], partition_input(f"{place}/p", 2020, "01")]
        )["Errors"]
        assert [(one["PartitionValues"], one["ErrorDetail"]["ErrorCode"]) for one in errors] == [
            (["2010", "01"], "AlreadyExistsException")
        ]
        wanted = [{"Values": ["2011", "01"]}, {"Values": ["2099", "01"]}, {"Values": ["2020", "01"]}]
        found = glue.batch_get_partition(**where, PartitionsToGet=wanted)["Partitions"]
        assert sorted(one["Values"][0] for one in found) == ["2011", "2020"]
        errors = glue.batch_delete_partition(
            **where, PartitionsToDelete=[{"Values": ["2011", "01"]}, {"Values": ["2099", "01"]}]
        )["Errors"]
        assert [one["PartitionValues"] for one in errors] == [["2099", "01"]]
        rest = glue.get_partitions(**where)["Partitions"]
        assert sorted(one["Values"][0] for one in rest) == ["2010", "2012", "2013", "2014", "2020"]

    @pytest.mark.parametrize(
        ("expression", "years"),
        [
            ("year = 2011", [2011]),
            ("year > 2011 AND month = '01'", [2012, 2013]),
            ("year IN (2010, 2013)", [2010, 2013]),
            ("year BETWEEN 2011 AND 2012", [2011, 2012]),
            ("year <> 2010 AND (year = 2011 OR year >= 2013)", [2011, 2013]),
            ("month LIKE '0%' AND year <= 2010", [2010]),
        ],
    )
    def test_partitions_are_found_by_expression(self, glue, database, place, expression, years):
        """As types say: years are numbers, months are texts."""
        where = {"DatabaseName": database, "TableName": "p"}
        glue.create_table(DatabaseName=database, TableInput=table_input("p", f"{place}/p"))
        given = [partition_input(f"{place}/p", year, "01") for year in range(2010, 2014)]
        glue.batch_create_partition(**where, PartitionInputList=given)
        found = glue.get_partitions(**where, Expression=expression)["Partitions"]
        assert sorted(int(one["Values"][0]) for one in found) == years

    def test_a_wrong_expression_is_refused(self, glue, database, place):
        """One that names no key, and one that is none at all."""
        where = {"DatabaseName": database, "TableName": "p"}
        glue.create_table(DatabaseName=database, TableInput=table_input("p", f"{place}/p"))
        glue.create_partition(**where, PartitionInput=partition_input(f"{place}/p", 2010, "01"))
        for wrong in ("nothing = 1", "year =", "year = 'x'"):
            assert code_of(glue.get_partitions, **where, Expression=wrong) == "InvalidInputException"
