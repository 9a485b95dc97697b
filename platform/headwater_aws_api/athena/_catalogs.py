"""Data catalogs as Athena tells of them: the box has one, which is Glue's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_aws_api.athena._groups import invalid
from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater_aws_api.protocol import Operations

__all__ = ["catalog_operations"]

_NAME = "AwsDataCatalog"


def catalog_operations(glue: Operations) -> Operations:
    """Return the operations by name, answered by Glue's."""
    catalogs = _Catalogs(glue)
    return {
        "GetDataCatalog": catalogs.get,
        "GetDatabase": catalogs.database,
        "GetTableMetadata": catalogs.table,
        "ListDataCatalogs": catalogs.listed,
        "ListDatabases": catalogs.databases,
        "ListTableMetadata": catalogs.tables,
    }


class _Catalogs:
    def __init__(self, glue: Operations) -> None:
        self._glue = glue

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - one has no second page
        return {"DataCatalogsSummary": [{"CatalogName": _NAME, "Type": "GLUE"}]}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        _check(given, "Name")
        return {"DataCatalog": {"Name": _NAME, "Type": "GLUE"}}

    def database(self, given: Mapping[str, Any]) -> dict[str, Any]:
        _check(given)
        found = self._asked("GetDatabase", {"Name": given["DatabaseName"]})["Database"]
        return {"Database": _database(found)}

    def databases(self, given: Mapping[str, Any]) -> dict[str, Any]:
        _check(given)
        found = self._asked("GetDatabases", _paged(given))
        return {
            "DatabaseList": [_database(one) for one in found["DatabaseList"]],
            "NextToken": found.get("NextToken"),
        }

    def table(self, given: Mapping[str, Any]) -> dict[str, Any]:
        _check(given)
        where = {"DatabaseName": given["DatabaseName"], "Name": given["TableName"]}
        return {"TableMetadata": _table(self._asked("GetTable", where)["Table"])}

    def tables(self, given: Mapping[str, Any]) -> dict[str, Any]:
        _check(given)
        where = {"DatabaseName": given["DatabaseName"], **_paged(given)}
        found = self._asked(
            "GetTables", where | ({"Expression": given["Expression"]} if given.get("Expression") else {})
        )
        return {"TableMetadataList": [_table(one) for one in found["TableList"]], "NextToken": found.get("NextToken")}

    def _asked(self, operation: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return self._glue[operation](given)
        except AwsError as error:
            raise AwsError("MetadataException", f"{error.code}: {error.sentence}") from error


def _check(given: Mapping[str, Any], member: str = "CatalogName") -> None:
    if given[member].lower() != _NAME.lower():
        raise invalid(f"DataCatalog {given[member]} was not found; the box has {_NAME}.")


def _paged(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: given[name] for name in ("NextToken", "MaxResults") if given.get(name)}


def _database(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name: found.get(name) for name in ("Name", "Description", "Parameters")}


def _table(found: Mapping[str, Any]) -> dict[str, Any]:
    storage = found.get("StorageDescriptor", {})
    serde = storage.get("SerdeInfo", {})
    parameters = {
        **found.get("Parameters", {}),
        "location": storage.get("Location", ""),
        "inputformat": storage.get("InputFormat", ""),
        "outputformat": storage.get("OutputFormat", ""),
        "serde.serialization.lib": serde.get("SerializationLibrary", ""),
        **{f"serde.param.{name}": value for name, value in serde.get("Parameters", {}).items()},
    }
    return {
        "Name": found["Name"],
        "CreateTime": found.get("CreateTime"),
        "TableType": found.get("TableType"),
        "Columns": _columns(storage.get("Columns", ())),
        "PartitionKeys": _columns(found.get("PartitionKeys", ())),
        "Parameters": parameters,
    }


def _columns(columns: Any) -> list[dict[str, Any]]:
    return [{name: one.get(name) for name in ("Name", "Type", "Comment")} for one in columns]
