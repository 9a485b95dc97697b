"""Glue's partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from headwater.metastores.shapes import partition_input

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue._databases import check_catalog
from headwater_aws_api.glue._expression import parse_expression
from headwater_aws_api.glue._metastore import ACCOUNT, Metastore, ttypes
from headwater_aws_api.glue._shapes import hive_partition
from headwater_aws_api.glue._tables import detail
from headwater_aws_api.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from headwater_aws_api.protocol import Operations

__all__ = ["Partitions", "partition_operations"]

_INVALID = "InvalidInputException"
_PAGE = 1000
_ALL = -1


def partition_operations(partitions: Partitions) -> Operations:
    """Return the operations by name."""
    return {
        "BatchCreatePartition": partitions.create_several,
        "BatchDeletePartition": partitions.delete_several,
        "BatchGetPartition": partitions.get_several,
        "BatchUpdatePartition": partitions.update_several,
        "CreatePartition": partitions.create,
        "DeletePartition": partitions.delete,
        "GetPartition": partitions.get,
        "GetPartitionIndexes": partitions.indexes,
        "GetPartitions": partitions.listed,
        "UpdatePartition": partitions.update,
    }


class Partitions:
    """The operations.

    Args:
        metastore: Where partitions are registered.
    """

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Register a partition."""
        database, name = _table(given)
        with self._metastore.session(f"Table {database}.{name}") as client:
            whole = client.get_table(database, name)
        wanted = self._wanted(whole, given["PartitionInput"])
        with self._metastore.session(f"Partition {wanted.values} of {database}.{name}") as client:
            client.add_partition(wanted)
        return {}

    def create_several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Register partitions; those that could not be are told of."""
        database, name = _table(given)
        with self._metastore.session(f"Table {database}.{name}") as client:
            whole = client.get_table(database, name)
            wanted = [self._wanted(whole, one) for one in given["PartitionInputList"]]
            known = _known(client, whole)
        new = [one for one in wanted if tuple(one.values) not in known]
        try:
            with self._metastore.session(f"Partitions of {database}.{name}") as client:
                client.add_partitions(new)
        except AwsError:
            return {"Errors": self._each(given, given["PartitionInputList"], self.create)}
        there = AwsError("AlreadyExistsException", "Partition already exists.")
        return {"Errors": [_failure(one.values, there) for one in wanted if tuple(one.values) in known]}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a partition."""
        database, name = _table(given)
        what = f"Partition {given['PartitionValues']} of {database}.{name}"
        with self._metastore.session(what) as client:
            return {"Partition": _shown(client.get_partition(database, name, given["PartitionValues"]))}

    def get_several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return partitions; those that are not there are left out."""
        database, name = _table(given)
        wanted = [one["Values"] for one in given["PartitionsToGet"]]
        with self._metastore.session(f"Table {database}.{name}") as client:
            known = _known(client, client.get_table(database, name))
            names = [known[tuple(values)] for values in wanted if tuple(values) in known]
            found = client.get_partitions_by_names(database, name, names) if names else []
        return {"Partitions": [_shown(one) for one in _sorted(found)], "UnprocessedKeys": []}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the partitions that an expression means, in pages."""
        database, name = _table(given)
        with self._metastore.session(f"Table {database}.{name}") as client:
            whole = client.get_table(database, name)
            wanted = _matching(whole, given.get("Expression"))
            names = [text for values, text in _known(client, whole).items() if wanted(values)]
            page, token = page_of(
                _segment(sorted(names), given.get("Segment")),
                str,
                given.get("NextToken"),
                given.get("MaxResults", _PAGE),
                code=_INVALID,
            )
            found = client.get_partitions_by_names(database, name, page) if page else []
        shown = [_shown(one) for one in _sorted(found)]
        if given.get("ExcludeColumnSchema"):
            for one in shown:
                one["StorageDescriptor"].pop("Columns", None)
        return {"Partitions": shown, "NextToken": token}

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a partition; new values make it another one."""
        database, name = _table(given)
        former = list(given["PartitionValueList"])
        with self._metastore.session(f"Partition {former} of {database}.{name}") as client:
            whole = client.get_table(database, name)
            wanted = self._wanted(whole, {"Values": former, **given["PartitionInput"]})
            known = client.get_partition(database, name, former)
            wanted.createTime = known.createTime
            wanted.sd.location = wanted.sd.location or known.sd.location
            if wanted.values == former:
                client.alter_partition(database, name, wanted)
            else:
                client.rename_partition(database, name, former, wanted)
        return {}

    def update_several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change partitions; those that could not be are told of."""
        errors = []
        for entry in given["Entries"]:
            try:
                self.update({**given, **entry})
            except AwsError as error:
                errors.append({"PartitionValueList": entry["PartitionValueList"], "ErrorDetail": detail(error)})
        return {"Errors": errors}

    def delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a partition; its files stay, as on AWS."""
        database, name = _table(given)
        values = list(given["PartitionValues"])
        with self._metastore.session(f"Partition {values} of {database}.{name}") as client:
            client.drop_partition(database, name, values, False)  # noqa: FBT003 - Thrift's own: no data
        return {}

    def delete_several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget partitions; those that could not be are told of."""
        wanted = [{"PartitionValues": one["Values"], "Values": one["Values"]} for one in given["PartitionsToDelete"]]
        return {"Errors": self._each(given, wanted, self.delete)}

    def indexes(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return none: the metastore finds partitions without."""
        database, name = _table(given)
        with self._metastore.session(f"Table {database}.{name}") as client:
            client.get_table(database, name)
        return {"PartitionIndexDescriptorList": []}

    def _wanted(self, whole: Any, given: Mapping[str, Any]) -> Any:
        keys, values = whole.partitionKeys or (), given.get("Values", ())
        if len(keys) != len(values):
            raise AwsError(
                _INVALID,
                f"The number of partition keys do not match the number of partition values: {whole.dbName}."
                f"{whole.tableName} has {len(keys)}, and {len(values)} values were given.",
            )
        return hive_partition(ttypes(), whole.dbName, whole.tableName, given, whole)

    @staticmethod
    def _each(
        given: Mapping[str, Any],
        wanted: Iterable[Mapping[str, Any]],
        do: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> list[dict[str, Any]]:
        errors = []
        for one in wanted:
            try:
                do({**given, **one, "PartitionInput": one})
            except AwsError as error:
                errors.append(_failure(one["Values"], error))
        return errors


def _table(given: Mapping[str, Any]) -> tuple[str, str]:
    check_catalog(given)
    return given["DatabaseName"].lower(), given["TableName"].lower()


def _known(client: Any, whole: Any) -> dict[tuple[str, ...], str]:
    """Return the names of all partitions by their values; names are little, even of a hundred thousand."""
    names = client.get_partition_names(whole.dbName, whole.tableName, _ALL) if whole.partitionKeys else []
    return {_values(name): name for name in names}


def _values(name: str) -> tuple[str, ...]:
    return tuple(unquote(part.partition("=")[2]) for part in name.split("/"))


def _matching(whole: Any, expression: str | None) -> Callable[[Sequence[str]], bool]:
    if not expression or not expression.strip():
        return lambda _: True
    return parse_expression(expression, [(key.name, key.type) for key in whole.partitionKeys or ()])


def _segment(names: Sequence[str], segment: Mapping[str, int] | None) -> Sequence[str]:
    return names if segment is None else names[segment["SegmentNumber"] :: segment["TotalSegments"]]


def _sorted(found: Iterable[Any]) -> list[Any]:
    return sorted(found, key=lambda one: list(one.values))


def _failure(values: Sequence[str], error: AwsError) -> dict[str, Any]:
    return {"PartitionValues": list(values), "ErrorDetail": detail(error)}


def _shown(partition: Any) -> dict[str, Any]:
    return {
        **partition_input(partition),
        "DatabaseName": partition.dbName,
        "TableName": partition.tableName,
        "CreationTime": partition.createTime,
        "CatalogId": ACCOUNT,
    }
