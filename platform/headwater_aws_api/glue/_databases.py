"""Glue's databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue._metastore import ACCOUNT, Metastore, ttypes
from headwater_aws_api.glue._shapes import hive_database
from headwater_aws_api.paging import page_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater_aws_api.protocol import Operations

__all__ = ["check_catalog", "database_operations"]

_PAGE = 100


def database_operations(metastore: Metastore) -> Operations:
    """Return the operations by name."""
    databases = _Databases(metastore)
    return {
        "CreateDatabase": databases.create,
        "DeleteDatabase": databases.delete,
        "GetDatabase": databases.get,
        "GetDatabases": databases.listed,
        "UpdateDatabase": databases.update,
    }


def check_catalog(given: Mapping[str, Any]) -> None:
    """Refuse a catalog that is not the box's own.

    Raises:
        AwsError: It is another.
    """
    catalog = given.get("CatalogId")
    if catalog not in (None, ACCOUNT):
        raise AwsError("EntityNotFoundException", f"Catalog {catalog} not found; the box's is {ACCOUNT}.")


class _Databases:
    def __init__(self, metastore: Metastore) -> None:
        self._metastore = metastore

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        check_catalog(given)
        wanted = given["DatabaseInput"]
        name = wanted["Name"].lower()
        with self._metastore.session(f"Database {name}") as client:
            client.create_database(hive_database(ttypes(), wanted, f"{self._metastore.warehouse}/{name}"))
        return {}

    def get(self, given: Mapping[str, Any]) -> dict[str, Any]:
        check_catalog(given)
        with self._metastore.session(f"Database {given['Name']}") as client:
            return {"Database": _shown(client.get_database(given["Name"].lower()))}

    def listed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        check_catalog(given)
        with self._metastore.session("Databases") as client:
            names, token = page_of(
                sorted(client.get_all_databases()),
                str,
                given.get("NextToken"),
                given.get("MaxResults", _PAGE),
                code="InvalidInputException",
            )
            found = [_shown(client.get_database(name)) for name in names]
        return {"DatabaseList": found, "NextToken": token}

    def update(self, given: Mapping[str, Any]) -> dict[str, Any]:
        check_catalog(given)
        name, wanted = given["Name"].lower(), given["DatabaseInput"]
        if wanted["Name"].lower() != name:
            raise AwsError("InvalidInputException", f"Database {name} cannot be renamed to {wanted['Name']}.")
        with self._metastore.session(f"Database {name}") as client:
            former = client.get_database(name)
            changed = hive_database(ttypes(), wanted, former.locationUri)
            changed.ownerName, changed.ownerType = former.ownerName, former.ownerType
            client.alter_database(name, changed)
        return {}

    def delete(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Forget a database with its tables; their files stay, as on AWS."""
        check_catalog(given)
        name = given["Name"].lower()
        if name == "default":
            raise AwsError("InvalidInputException", "The database default cannot be deleted.")
        with self._metastore.session(f"Database {name}") as client:
            client.get_database(name)  # dropping one that is not there is no error for the metastore
            client.drop_database(name, False, True)  # noqa: FBT003 - Thrift's own: no data, all tables
        self._metastore.store.forget_versions(name)
        return {}


def _shown(database: Any) -> dict[str, Any]:
    return {
        "Name": database.name,
        "Description": database.description or None,
        "LocationUri": database.locationUri,
        "Parameters": dict(database.parameters or {}),
        "CatalogId": ACCOUNT,
        "CreateTableDefaultPermissions": [
            {"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}
        ],
    }
