"""Hive Metastore."""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater import ddl
from headwater.errors import MetastoreError
from headwater.metastores.base import Metastore, RawLoad, Registered
from headwater.metastores.shapes import Shape, partition_input, table_input
from headwater.table import ZONES, TableName

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pyiceberg.catalog import Catalog

    from headwater.table import Table, Zone

__all__ = ["HiveMetastore"]

_FACT = "headwater."
_TIMEOUT_SECONDS = 60
_VIEW = "VIRTUAL_VIEW"
_PARTITIONS_AT_ONCE = -1  # all of them


@dataclass(frozen=True, kw_only=True)
class HiveMetastore(Metastore):
    """A Hive Metastore behind its Thrift port.

    Args:
        host: Where it listens.
        port: Where it listens.
        files: PyIceberg's properties for reading and writing the object store.
    """

    host: str
    port: int
    files: Mapping[str, str]

    def iceberg(self) -> Catalog:
        """Return PyIceberg's Hive catalog, whose lock is known to be held at the moment of the change."""
        from headwater.metastores._guarded import GuardedHiveCatalog  # noqa: PLC0415 - slow to import

        # While it waits for a lock it says so for every poll; the write path's log says it once.
        for name in ("pyiceberg.catalog.hive", "pyiceberg.table"):
            logging.getLogger(name).setLevel(logging.ERROR)
        waiting = {
            "lock-check-min-wait-time": "0.05",
            "lock-check-max-wait-time": "0.2",
            "lock-check-retries": "25",
        }
        return GuardedHiveCatalog("headwater", uri=f"thrift://{self.host}:{self.port}", **waiting, **self.files)

    def registered(self) -> Sequence[Registered]:
        """Return every table of the zones' databases; those that are not there yet have none."""
        from thrift_files.libraries.thrift_hive_metastore_client import ttypes  # noqa: PLC0415

        found: list[Registered] = []
        with self._client("The tables of the lake cannot be listed") as client:
            for zone in ZONES:
                with suppress(ttypes.NoSuchObjectException, ttypes.UnknownDBException):
                    names = client.get_all_tables(zone)
                    tables = client.get_table_objects_by_name(zone, names) if names else ()
                    found += [_registered(zone, table) for table in tables if table.tableType != _VIEW]
        return found

    def metadata_files(self, names: Iterable[TableName]) -> Mapping[TableName, str | None]:
        """Ask once for each zone."""
        from thrift_files.libraries.thrift_hive_metastore_client import ttypes  # noqa: PLC0415

        wanted: dict[Zone, list[str]] = {}
        for name in names:
            wanted.setdefault(name.zone, []).append(name.name)
        found: dict[TableName, str | None] = {}
        with self._client("Where tables' metadata lies is not known") as client:
            for zone, tables in wanted.items():
                with suppress(ttypes.NoSuchObjectException, ttypes.UnknownDBException):
                    for one in client.get_table_objects_by_name(zone, tables):
                        found[TableName(zone, one.tableName)] = (one.parameters or {}).get("metadata_location")
        return found

    def shape(self, name: TableName) -> Shape | None:
        """Return a table in Glue's words."""
        from thrift_files.libraries.thrift_hive_metastore_client import ttypes  # noqa: PLC0415

        with self._client(f"{name} cannot be looked at") as client:
            try:
                table = client.get_table(name.zone, name.name)
            except ttypes.NoSuchObjectException:
                return None
            some = client.get_partitions(name.zone, name.name, _PARTITIONS_AT_ONCE) if table.partitionKeys else ()
        return Shape(table=table_input(table), partitions=tuple(map(partition_input, some)))

    def ensure_raw(self, table: Table, location: str) -> None:
        """Create an external text table that splits lines at the delimiter, every column a string."""
        from thrift_files.libraries.thrift_hive_metastore_client import ttypes  # noqa: PLC0415

        wanted = _table(ttypes, table, location)
        with self._client(f"The table {table} was not made") as client:
            try:
                known = client.get_table(table.zone, table.id.name)
            except ttypes.NoSuchObjectException:
                _create(ttypes, client, wanted)
                return
            if _shape(known) != _shape(wanted):
                wanted.sd.location = known.sd.location
                wanted.parameters = {**known.parameters, **wanted.parameters}
                client.alter_table_with_cascade(table.zone, table.id.name, wanted, True)  # noqa: FBT003 - Thrift's own

    def raw_loads(self, table: Table) -> Mapping[str, RawLoad]:
        """Return the partitions' locations and parameters."""
        from thrift_files.libraries.thrift_hive_metastore_client import ttypes  # noqa: PLC0415

        zone, name = table.zone, table.id.name
        with self._client(f"The loads of {table} cannot be listed") as client:
            try:
                if table.partitioning is None:
                    shown = {"": client.get_table(zone, name)}
                else:
                    found = client.get_partitions(zone, name, _PARTITIONS_AT_ONCE)
                    shown = {entry.values[0]: entry for entry in found}
            except ttypes.NoSuchObjectException:
                return {}
        loads = {value: RawLoad(_folder(entry.sd.location), _facts(entry.parameters)) for value, entry in shown.items()}
        return {value: load for value, load in loads.items() if load.facts}

    def show_load(self, table: Table, value: str, load: RawLoad) -> None:
        """Alter the partition (or the table) to the load's folder; add the partition when it is new."""
        from thrift_files.libraries.thrift_hive_metastore_client import ttypes  # noqa: PLC0415

        zone, name = table.zone, table.id.name
        facts = {_FACT + key: text for key, text in load.facts.items()}
        with self._client(f"{table} does not show the load {load.location}") as client:
            whole = client.get_table(zone, name)
            if table.partitioning is None:
                whole.sd.location = load.location.rstrip("/")
                whole.parameters = {**whole.parameters, **facts}
                client.alter_table(zone, name, whole)
                return
            whole.sd.location = load.location.rstrip("/")
            partition = ttypes.Partition(
                values=[value], dbName=zone, tableName=name, sd=whole.sd, parameters=facts,
            )  # fmt: skip
            try:
                client.add_partition(partition)
            except ttypes.AlreadyExistsException:
                client.alter_partition(zone, name, partition)

    @contextmanager
    def _client(self, failure: str) -> Iterator[Any]:
        from hive_metastore_client import HiveMetastoreClient  # noqa: PLC0415
        from thrift.Thrift import TException  # noqa: PLC0415

        client = HiveMetastoreClient(self.host, self.port)
        transport = client._oprot.trans  # noqa: SLF001 - it offers no time-out
        transport._TBufferedTransport__trans.setTimeout(_TIMEOUT_SECONDS * 1000)  # noqa: SLF001
        try:
            with client:
                yield client
        except (TException, OSError) as error:
            said = getattr(error, "message", None) or str(error) or type(error).__name__
            place = f"{self.host}:{self.port}"
            raise MetastoreError(f"{failure}: {said}. See that the metastore at {place} runs.") from error


def _registered(zone: Zone, table: Any) -> Registered:
    is_iceberg = (table.parameters or {}).get("table_type", "").upper() == "ICEBERG"
    return Registered(TableName(zone, table.tableName), (table.sd.location or "").rstrip("/"), is_iceberg)


def _create(ttypes: Any, client: Any, wanted: Any) -> None:
    zone = ttypes.Database(name=wanted.dbName, locationUri=wanted.sd.location.rpartition("/")[0], parameters={})
    # Another load of the same table may be first, with the same definition.
    with suppress(ttypes.AlreadyExistsException):
        client.create_database(zone)
    with suppress(ttypes.AlreadyExistsException):
        client.create_table(wanted)


def _table(ttypes: Any, table: Table, location: str) -> Any:
    how = ddl.delimited_storage(table)
    storage = ttypes.StorageDescriptor(
        cols=_columns(ttypes, ddl.hive_columns(table)),
        location=location,
        inputFormat=how.input_format,
        outputFormat=how.output_format,
        serdeInfo=ttypes.SerDeInfo(serializationLib=how.serde, parameters=dict(how.serde_parameters)),
    )
    return ttypes.Table(
        dbName=table.zone,
        tableName=table.id.name,
        owner="headwater",
        sd=storage,
        partitionKeys=_columns(ttypes, ddl.hive_partition_keys(table)),
        # The type alone does not make a table external for this version of the metastore.
        tableType="EXTERNAL_TABLE",
        parameters={"EXTERNAL": "TRUE", **ddl.declared_properties(table)},
    )


def _columns(ttypes: Any, columns: Iterable[ddl.HiveColumn]) -> list[Any]:
    return [ttypes.FieldSchema(name=column.name, type=column.type, comment=column.comment) for column in columns]


def _shape(table: Any) -> tuple[object, ...]:
    columns = [(column.name, column.type, column.comment) for column in table.sd.cols]
    keys = [(column.name, column.type) for column in table.partitionKeys]
    told = [table.parameters.get(key, "") for key in ("comment", "owner", "tags")]
    return columns, keys, table.sd.serdeInfo.parameters.get("field.delim"), told


def _folder(location: str) -> str:
    return location.rstrip("/") + "/"


def _facts(parameters: Mapping[str, str] | None) -> dict[str, str]:
    return {key.removeprefix(_FACT): text for key, text in (parameters or {}).items() if key.startswith(_FACT)}
