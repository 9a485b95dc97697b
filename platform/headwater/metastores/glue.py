"""AWS Glue Data Catalog."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater import ddl
from headwater._aws import aws_client, aws_errors
from headwater.errors import MetastoreError
from headwater.metastores._glue_taking import GlueTaking
from headwater.metastores.base import Metastore, RawLoad, Registered
from headwater.metastores.shapes import LONGEST_COMMENT
from headwater.table import ZONES, TableName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pyiceberg.catalog import Catalog

    from headwater.table import Table, Zone

__all__ = ["GlueMetastore"]

_FACT = "headwater."
_VIEW = "VIRTUAL_VIEW"
_LONGEST_DESCRIPTION = 2048
# The most partitions that one request of Glue changes.
_PARTITIONS_AT_ONCE = 100
_TRIES = 8


@dataclass(frozen=True, kw_only=True)
class GlueMetastore(GlueTaking, Metastore):
    """The Glue Data Catalog of the account and region that the AWS clients' own configuration leads to.

    Args:
        region: Where; empty where that configuration says.
        files: PyIceberg's properties for reading and writing the object store.
    """

    region: str
    files: Mapping[str, str]

    def iceberg(self) -> Catalog:
        """Return PyIceberg's Glue catalog: a commit names the version that it changes, and former versions are kept."""
        from headwater.metastores._glue_catalog import BoundedGlueCatalog  # noqa: PLC0415 - slow to import

        return BoundedGlueCatalog("headwater", client=self._client, **{"glue.skip-archive": "false"}, **self.files)

    def registered(self) -> Sequence[Registered]:
        """Return every table of the zones' databases; those that are not there yet have none."""
        return [_registered(zone, entry) for zone, entry in self.entries() if entry.get("TableType") != _VIEW]

    def entries(self) -> Iterator[tuple[Zone, Mapping[str, Any]]]:
        """Yield what Glue says of every table and view of the zones, whoever made it, a page at a time.

        Raises:
            MetastoreError: Glue refused or failed.
        """
        with aws_errors("The tables of the lake cannot be listed", MetastoreError):
            for zone in ZONES:
                with suppress(self._errors.EntityNotFoundException):
                    for page in self._client.get_paginator("get_tables").paginate(DatabaseName=zone):
                        yield from ((zone, entry) for entry in page["TableList"])

    def entry(self, name: TableName) -> Mapping[str, Any] | None:
        """Return what Glue says of a table or view; None where it has none.

        Raises:
            MetastoreError: Glue refused or failed.
        """
        with aws_errors(f"{name} cannot be looked at in Glue", MetastoreError):
            return self._found(name)

    def metadata_files(self, names: Iterable[TableName]) -> Mapping[TableName, str | None]:
        """Ask for each table: a zone may have thousands of others."""
        entries = {name: self.entry(name) for name in names}
        return {
            name: entry.get("Parameters", {}).get("metadata_location")
            for name, entry in entries.items()
            if entry is not None
        }

    def ensure_raw(self, table: Table, location: str) -> None:
        """Create an external text table that splits lines at the delimiter, every column a string."""
        wanted = _table(table, location)
        with aws_errors(f"The table {table} was not made", MetastoreError):
            if self._found(table.id) is None:
                self._create(table, wanted, location.rpartition("/")[0])

            def brought_up(known: dict[str, Any]) -> dict[str, Any]:
                storage = {**wanted["StorageDescriptor"], "Location": known["StorageDescriptor"]["Location"]}
                parameters = {**known["Parameters"], **wanted["Parameters"]}
                return {**wanted, "StorageDescriptor": storage, "Parameters": parameters}

            if self._change(table, brought_up, unless=lambda known: _shape(known) == _shape(wanted)):
                self._cascade(table, wanted["StorageDescriptor"])

    def raw_loads(self, table: Table) -> Mapping[str, RawLoad]:
        """Return the partitions' locations and parameters."""
        with aws_errors(f"The loads of {table} cannot be listed", MetastoreError):
            if table.partitioning is None:
                whole = self._found(table.id)
                shown = {} if whole is None else {"": whole}
            else:
                shown = {entry["Values"][0]: entry for entry in self._partitions(table)}
        loads = {
            value: RawLoad(entry["StorageDescriptor"]["Location"].rstrip("/") + "/", _facts(entry.get("Parameters")))
            for value, entry in shown.items()
        }
        return {value: load for value, load in loads.items() if load.facts}

    def show_load(self, table: Table, value: str, load: RawLoad) -> None:
        """Alter the partition (or the table) to the load's folder; add the partition when it is new."""
        facts = {_FACT + key: text for key, text in load.facts.items()}
        location = load.location.rstrip("/")

        def shown(known: dict[str, Any]) -> dict[str, Any]:
            storage = {**known["StorageDescriptor"], "Location": location}
            return {**known, "StorageDescriptor": storage, "Parameters": {**known["Parameters"], **facts}}

        with aws_errors(f"{table} does not show the load {load.location}", MetastoreError):
            if table.partitioning is None:
                self._change(table, shown)
                return
            storage = {**self._known(table)["StorageDescriptor"], "Location": location}
            partition = {"Values": [value], "StorageDescriptor": storage, "Parameters": facts}
            place = {"DatabaseName": table.zone, "TableName": table.id.name}
            try:
                self._client.create_partition(**place, PartitionInput=partition)
            except self._errors.AlreadyExistsException:
                self._client.update_partition(**place, PartitionValueList=[value], PartitionInput=partition)

    @property
    def _client(self) -> Any:
        return aws_client("glue", self.region)

    @property
    def _errors(self) -> Any:
        return self._client.exceptions

    def _found(self, name: TableName) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.get_table(DatabaseName=name.zone, Name=name.name)["Table"]
        except self._errors.EntityNotFoundException:
            return None
        return found

    def _known(self, table: Table) -> dict[str, Any]:
        found = self._found(table.id)
        if found is None:
            raise MetastoreError(f"{table} is not in Glue; it was dropped meanwhile. Load it again to make it anew.")
        return found

    def _partitions(self, table: Table) -> Iterable[dict[str, Any]]:
        pages = self._client.get_paginator("get_partitions")
        with suppress(self._errors.EntityNotFoundException):
            for page in pages.paginate(DatabaseName=table.zone, TableName=table.id.name):
                yield from page["Partitions"]

    def _create(self, table: Table, wanted: dict[str, Any], zone_location: str) -> None:
        # Another load of the same table may be first, with the same definition.
        with suppress(self._errors.AlreadyExistsException):
            self._client.create_database(DatabaseInput={"Name": table.zone, "LocationUri": zone_location})
        with suppress(self._errors.AlreadyExistsException):
            self._client.create_table(DatabaseName=table.zone, TableInput=wanted)

    def _change(
        self,
        table: Table,
        changed: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        unless: Callable[[dict[str, Any]], bool] = lambda _: False,
    ) -> bool:
        """Change a table as it is now, beside others who do the same; return whether it had to be changed."""
        for attempt in range(_TRIES):
            known = self._known(table)
            if unless(known):
                return False
            try:
                self._client.update_table(
                    DatabaseName=table.zone,
                    TableInput=self._input(changed(known)),
                    VersionId=known.get("VersionId", "0"),
                )
            except self._errors.ConcurrentModificationException:
                if attempt == _TRIES - 1:
                    raise
            else:
                return True
        return True

    def _input(self, table: dict[str, Any]) -> dict[str, Any]:
        """Return what may be sent of a table that Glue answered with."""
        members = self._client.meta.service_model.shape_for("TableInput").members
        return {key: part for key, part in table.items() if key in members}

    def _cascade(self, table: Table, storage: dict[str, Any]) -> None:
        """Give every partition the table's columns, which it keeps a copy of."""
        if table.partitioning is None:
            return
        known = list(self._partitions(table))
        for start in range(0, len(known), _PARTITIONS_AT_ONCE):
            entries = [_cascaded(entry, storage) for entry in known[start : start + _PARTITIONS_AT_ONCE]]
            answer = self._client.batch_update_partition(
                DatabaseName=table.zone, TableName=table.id.name, Entries=entries
            )
            for problem in answer.get("Errors", ()):
                said = problem["ErrorDetail"].get("ErrorMessage", "no reason given")
                raise MetastoreError(
                    f"The partition {problem['PartitionValueList'][0]} of {table} has old columns: {said}."
                )


def _registered(zone: Zone, table: Mapping[str, Any]) -> Registered:
    is_iceberg = table.get("Parameters", {}).get("table_type", "").upper() == "ICEBERG"
    location = table.get("StorageDescriptor", {}).get("Location", "")
    return Registered(TableName(zone, table["Name"]), location.rstrip("/"), is_iceberg)


def _table(table: Table, location: str) -> dict[str, Any]:
    how = ddl.delimited_storage(table)
    return {
        "Name": table.id.name,
        "Description": table.doc[:_LONGEST_DESCRIPTION],
        "Owner": table.owner,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": _columns(ddl.hive_partition_keys(table)),
        "StorageDescriptor": {
            "Columns": _columns(ddl.hive_columns(table)),
            "Location": location,
            "InputFormat": how.input_format,
            "OutputFormat": how.output_format,
            "SerdeInfo": {"SerializationLibrary": how.serde, "Parameters": dict(how.serde_parameters)},
        },
        "Parameters": {"EXTERNAL": "TRUE", "classification": "csv", **ddl.declared_properties(table)},
    }


def _columns(columns: Iterable[ddl.HiveColumn]) -> list[dict[str, str]]:
    return [{"Name": one.name, "Type": one.type, "Comment": one.comment[:LONGEST_COMMENT]} for one in columns]


def _cascaded(partition: Mapping[str, Any], storage: dict[str, Any]) -> dict[str, Any]:
    kept = {**storage, "Location": partition["StorageDescriptor"]["Location"]}
    values = partition["Values"]
    changed = {"Values": values, "StorageDescriptor": kept, "Parameters": partition.get("Parameters", {})}
    return {"PartitionValueList": values, "PartitionInput": changed}


def _shape(table: Mapping[str, Any]) -> tuple[object, ...]:
    storage, parameters = table["StorageDescriptor"], table["Parameters"]
    columns = [(one["Name"], one["Type"], one.get("Comment")) for one in storage["Columns"]]
    keys = [(one["Name"], one["Type"]) for one in table.get("PartitionKeys", ())]
    told = {key: parameters.get(key, "") for key in ("comment", "owner", "tags")}
    return columns, keys, storage["SerdeInfo"]["Parameters"].get("field.delim"), told


def _facts(parameters: Mapping[str, str] | None) -> dict[str, str]:
    return {key.removeprefix(_FACT): text for key, text in (parameters or {}).items() if key.startswith(_FACT)}
