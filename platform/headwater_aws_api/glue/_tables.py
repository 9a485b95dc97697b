"""Glue's tables and their versions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue._databases import check_catalog
from headwater_aws_api.glue._metastore import ACCOUNT, Found, Metastore, ttypes
from headwater_aws_api.glue._shapes import hive_table
from headwater_aws_api.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater_aws_api.protocol import Operations
    from headwater_aws_api.store import Version

__all__ = ["Tables", "table_operations"]

_PAGE = 100
_INVALID = "InvalidInputException"
# A star that is no regular expression's is Hive's: any characters.
_STAR = re.compile(r"(?<![.\])])\*")
# Kept in a TableInput, but no members of a Table.
_ONLY_GIVEN = ("ViewDefinition",)


def table_operations(tables: Tables) -> Operations:
    """Return the operations by name."""
    return {
        "BatchDeleteTable": tables.delete_several,
        "BatchDeleteTableVersion": tables.delete_versions,
        "CreateTable": tables.create,
        "DeleteTable": tables.delete,
        "DeleteTableVersion": tables.delete_version,
        "GetTable": tables.get,
        "GetTableVersion": tables.version,
        "GetTableVersions": tables.versions,
        "GetTables": tables.listed,
        "UpdateTable": tables.update,
    }


class Tables:
    """The operations.

    Args:
        metastore: Where tables are registered.
    """

    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Register a table."""
        check_catalog(given)
        _only_plain(given)
        database, wanted = given["DatabaseName"].lower(), dict(given["TableInput"])
        name = wanted["Name"] = wanted["Name"].lower()
        self._require_database(database)
        with self._metastore.session(f"Table {database}.{name}") as client:
            client.create_table(hive_table(ttypes(), database, wanted))
            self._metastore.seen(client.get_table(database, name), wanted)
        return {}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a table."""
        check_catalog(given)
        database, name = given["DatabaseName"].lower(), given["Name"].lower()
        self._require_database(database)
        with self._metastore.session(f"Entity Not Found: Table {database}.{name}") as client:
            return {"Table": _shown(self._metastore.table(client, database, name))}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tables of a database whose names match, in pages."""
        check_catalog(given)
        database = given["DatabaseName"].lower()
        self._require_database(database)
        wanted = _pattern(given.get("Expression"))
        with self._metastore.session(f"Database {database}") as client:
            names, token = page_of(
                sorted(name for name in client.get_all_tables(database) if wanted(name)),
                str,
                given.get("NextToken"),
                given.get("MaxResults", _PAGE),
                code=_INVALID,
            )
            found = [_shown(one) for one in self._metastore.tables(client, database, names)]
        if given.get("AttributesToGet") == ["NAME"]:
            found = [{"Name": one["Name"]} for one in found]
        return {"TableList": found, "NextToken": token}

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change a table, if it is still at the version that the caller has seen."""
        check_catalog(given)
        _only_plain(given)
        database, wanted = given["DatabaseName"].lower(), dict(given["TableInput"])
        former = (given.get("Name") or wanted["Name"]).lower()
        name = wanted["Name"] = wanted["Name"].lower()
        if former != name:
            raise AwsError(_INVALID, f"Table {database}.{former} cannot be renamed to {name} by UpdateTable.")
        self._require_database(database)
        with self._metastore.locked(database, name) as (client, renew):
            found = self._metastore.table(client, database, name)
            if given.get("VersionId") not in (None, str(found.version.number)):
                raise AwsError(
                    "ConcurrentModificationException",
                    f"Update table failed due to concurrent modifications: {database}.{name} is at version "
                    f"{found.version.number}, not {given['VersionId']}.",
                )
            changed = hive_table(ttypes(), database, wanted)
            # What the metastore keeps of its own accord stays: when the table was made, and whose it is.
            changed.createTime, changed.owner = found.table.createTime, changed.owner or found.table.owner
            changed.sd.location = changed.sd.location or found.table.sd.location
            renew()
            how = ttypes().EnvironmentContext(properties={"DO_NOT_UPDATE_STATS": "true"})
            client.alter_table_with_environment_context(database, name, changed, how)
            now = client.get_table(database, name)
            self._metastore.seen(now, wanted, replace=given.get("SkipArchive", False))
        return {}

    def delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a table; its files stay, as on AWS."""
        check_catalog(given)
        database, name = given["DatabaseName"].lower(), given["Name"].lower()
        self._require_database(database)
        with self._metastore.session(f"Table {database}.{name}") as client:
            client.drop_table(database, name, False)  # noqa: FBT003 - Thrift's own: no data
        self._metastore.store.forget_versions(database, name)
        return {}

    def delete_several(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget tables; those that could not be are told of."""
        errors = []
        for name in given["TablesToDelete"]:
            try:
                self.delete({"DatabaseName": given["DatabaseName"], "Name": name})
            except AwsError as error:
                errors.append({"TableName": name, "ErrorDetail": detail(error)})
        return {"Errors": errors}

    def version(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return one version, the last one when none is named."""
        found, versions = self._versions(given)
        wanted = given.get("VersionId", str(found.version.number))
        for one in versions:
            if str(one.number) == wanted:
                return {"TableVersion": _shown_version(found, one)}
        raise _no_version(given, wanted)

    def versions(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the versions, the last first, in pages."""
        found, versions = self._versions(given)
        page, token = page_of(
            versions,
            lambda one: f"{2**31 - one.number:010}",
            given.get("NextToken"),
            given.get("MaxResults", _PAGE),
            code=_INVALID,
        )
        return {"TableVersions": [_shown_version(found, one) for one in page], "NextToken": token}

    def delete_version(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a version that is not the last."""
        found, versions = self._versions(given)
        wanted = given["VersionId"]
        if wanted not in {str(one.number) for one in versions}:
            raise _no_version(given, wanted)
        if wanted == str(found.version.number):
            raise AwsError(_INVALID, f"Version {wanted} of {given['TableName']} is the current one; it stays.")
        table = found.table
        self._metastore.store.forget_versions(table.dbName, table.tableName, int(wanted))
        return {}

    def delete_versions(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget versions; those that could not be are told of."""
        errors = []
        for version in given["VersionIds"]:
            try:
                self.delete_version({**given, "VersionId": version})
            except AwsError as error:
                errors.append({"TableName": given["TableName"], "VersionId": version, "ErrorDetail": detail(error)})
        return {"Errors": errors}

    def _versions(self, given: Mapping[str, Any]) -> tuple[Found, list[Version]]:
        check_catalog(given)
        database, name = given["DatabaseName"].lower(), given["TableName"].lower()
        with self._metastore.session(f"Table {database}.{name}") as client:
            found = self._metastore.table(client, database, name)
        return found, self._metastore.store.versions(database, name)

    def _require_database(self, database: str) -> None:
        """The metastore's own refusal of a table does not say whether its database is there."""
        with self._metastore.session(f"Database {database}") as client:
            client.get_database(database)


def detail(error: AwsError) -> dict[str, str]:
    """Return an error as it is listed in the answer to a batch."""
    return {"ErrorCode": error.code, "ErrorMessage": error.sentence}


def _only_plain(given: Mapping[str, Any]) -> None:
    """Refuse what would be lost if it were ignored."""
    known = {"CatalogId", "DatabaseName", "Name", "TableInput", "SkipArchive", "VersionId", "Force"}
    for name in sorted(set(given) - known):
        if given[name]:
            raise AwsError("NotImplemented", f"{name} of a table is not served by the box; docs/aws-api.md.", 501)


def _pattern(expression: str | None) -> Callable[[str], bool]:
    if not expression:
        return lambda _: True
    try:
        wanted = re.compile(_STAR.sub(".*", expression))
    except re.error as error:
        raise AwsError(_INVALID, f"Expression {expression!r} is no regular expression: {error}.") from error
    return lambda name: wanted.fullmatch(name) is not None


def _no_version(given: Mapping[str, Any], wanted: str) -> AwsError:
    return AwsError("EntityNotFoundException", f"Version {wanted} of table {given['TableName']} not found.")


def _shown_version(found: Found, version: Version) -> dict[str, Any]:
    return {"Table": _shown(Found(found.table, version)), "VersionId": str(version.number)}


def _shown(found: Found) -> dict[str, Any]:
    given = {name: value for name, value in found.version.input.items() if name not in _ONLY_GIVEN}
    return {
        "Retention": 0,
        **given,
        "DatabaseName": found.table.dbName,
        "CreateTime": found.table.createTime,
        "UpdateTime": found.version.seen,
        "CreatedBy": f"arn:aws:iam::{ACCOUNT}:root",
        "IsRegisteredWithLakeFormation": False,
        "CatalogId": ACCOUNT,
        "VersionId": str(found.version.number),
    }
