"""Glue as a metastore that takes tables as another one describes them."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from headwater._aws import aws_client, aws_errors
from headwater.errors import MetastoreError
from headwater.metastores.base import Taking
from headwater.metastores.shapes import LONGEST_COMMENT, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from headwater.table import TableName

__all__ = ["GlueTaking"]

# The most that one request of Glue makes, and deletes.
_MADE_AT_ONCE, _DELETED_AT_ONCE = 100, 25


class GlueTaking(Taking):
    """The part of the adapter that registers tables of other metastores."""

    region: str
    files: Mapping[str, str]

    def shape(self, name: TableName) -> Shape | None:
        """Return a table and its partitions as they would be given."""
        with self._glue(f"{name} cannot be looked at in Glue") as glue:
            try:
                found = glue.get_table(DatabaseName=name.zone, Name=name.name)["Table"]
            except glue.exceptions.EntityNotFoundException:
                return None
            partitions: list[Mapping[str, Any]] = []
            if found.get("PartitionKeys"):
                for page in glue.get_paginator("get_partitions").paginate(DatabaseName=name.zone, TableName=name.name):
                    partitions += [_given(glue, "PartitionInput", one) for one in page["Partitions"]]
            table = _given(glue, "TableInput", found)
        return Shape(table=table, partitions=tuple(partitions), version=found.get("VersionId", "0"))

    def over_iceberg(self, name: TableName, metadata_location: str) -> Shape:
        """Return what PyIceberg registers a metadata file as, with the table's properties as parameters."""
        from headwater.metastores._glue_catalog import iceberg_input  # noqa: PLC0415 - slow to import

        try:
            return Shape(table=iceberg_input(name.name, metadata_location, self.files))
        except OSError as error:
            raise MetastoreError(f"{metadata_location} cannot be read: {error}. Run it again.") from error

    def take(self, shape: Shape, zone: str, before: Shape | None = None) -> None:
        """Create the table with its partitions, or update it at the version that was seen."""
        table = _bounded(shape.table)
        with self._glue(f"{zone}.{table['Name']} was not registered in Glue") as glue:
            if before is None:
                with suppress(glue.exceptions.AlreadyExistsException):
                    glue.create_database(DatabaseInput={"Name": zone, "LocationUri": shape.location.rpartition("/")[0]})
                glue.create_table(DatabaseName=zone, TableInput=table)
            else:
                glue.update_table(DatabaseName=zone, TableInput=table, VersionId=before.version)
            place = {"DatabaseName": zone, "TableName": table["Name"]}
            _take_partitions(glue, place, shape.partitions, before.partitions if before else ())

    def forget(self, name: TableName) -> None:
        """Delete the table of Glue's; it is external, so its files stay."""
        with (
            self._glue(f"{name} was not removed from Glue") as glue,
            suppress(glue.exceptions.EntityNotFoundException),
        ):
            glue.delete_table(DatabaseName=name.zone, Name=name.name)

    @contextmanager
    def _glue(self, failure: str) -> Iterator[Any]:
        with aws_errors(failure, MetastoreError):
            yield aws_client("glue", self.region)


def _given(glue: Any, shape: str, answered: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be sent of what Glue answered with."""
    members = glue.meta.service_model.shape_for(shape).members
    return {key: part for key, part in answered.items() if key in members}


def _bounded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table or partition with comments as long as Glue takes them."""
    storage = entry["StorageDescriptor"]
    found = {**entry, "StorageDescriptor": {**storage, "Columns": _columns(storage.get("Columns", ()))}}
    return {**found, "PartitionKeys": _columns(entry["PartitionKeys"])} if "PartitionKeys" in entry else found


def _columns(columns: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "Comment": one.get("Comment", "")[:LONGEST_COMMENT]} for one in columns]


def _take_partitions(
    glue: Any, place: Mapping[str, str], some: Sequence[Mapping[str, Any]], there: Sequence[Mapping[str, Any]]
) -> None:
    wanted = {tuple(one["Values"]): one for one in some}
    known = {tuple(one["Values"]): one for one in there}
    _delete(glue, place, [values for values in known if values not in wanted])
    _create(glue, place, [_bounded(one) for values, one in wanted.items() if values not in known])
    for values, one in wanted.items():
        if values in known and one != known[values]:
            glue.update_partition(**place, PartitionValueList=list(values), PartitionInput=_bounded(one))


def _create(glue: Any, place: Mapping[str, str], some: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(some), _MADE_AT_ONCE):
        batch = some[start : start + _MADE_AT_ONCE]
        _require(glue.batch_create_partition(**place, PartitionInputList=batch), place)


def _delete(glue: Any, place: Mapping[str, str], some: Sequence[tuple[str, ...]]) -> None:
    for start in range(0, len(some), _DELETED_AT_ONCE):
        batch = [{"Values": list(values)} for values in some[start : start + _DELETED_AT_ONCE]]
        _require(glue.batch_delete_partition(**place, PartitionsToDelete=batch), place)


def _require(answer: Mapping[str, Any], place: Mapping[str, str]) -> None:
    for problem in answer.get("Errors", ()):
        said = problem["ErrorDetail"].get("ErrorMessage", "no reason given").rstrip(".")
        which = ", ".join(problem["PartitionValues"])
        raise MetastoreError(
            f"The partition {which} of {place['DatabaseName']}.{place['TableName']} was not registered in Glue: "
            f"{said}. Run it again."
        )
