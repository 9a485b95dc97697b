"""The lake as a database of Superset's."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ._models import RefusedError, session

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["database_state", "lake_of", "write_database"]


def lake_of(wanted: Mapping[str, Any]) -> Any:
    """Return the database of a dataset.

    Raises:
        RefusedError: Superset has none of that number.
    """
    found = _find(wanted["database"])
    if found is None:
        raise RefusedError("This Superset does not know your lake; run `headwater migrate superset` where it runs.")
    return found


def database_state(uuid: str) -> dict[str, Any]:
    """Return what Superset knows of a database; nothing when there is none."""
    found = _find(uuid)
    if found is None:
        return {}
    return {"title": found.database_name, "uri": found.sqlalchemy_uri, "extra": found.extra}


def write_database(wanted: Mapping[str, Any]) -> None:
    """Write a database, which nobody may change rows of; the caller commits.

    Raises:
        RefusedError: Another database has its name.
    """
    found = _find(wanted["uuid"])
    named = session().query(_model()).filter_by(database_name=wanted["name"]).one_or_none()
    if named is not None and named is not found:
        raise RefusedError(f"Superset has another database that is called {wanted['name']!r}; rename it there.")
    database = found or _model()(uuid=UUID(wanted["uuid"]), database_name=wanted["name"])
    database.database_name = wanted["name"]
    database.set_sqlalchemy_uri(wanted["uri"])
    database.extra = json.dumps(wanted["extra"])
    database.expose_in_sqllab = True
    database.allow_dml = database.allow_ctas = database.allow_cvas = database.allow_file_upload = False
    if found is None:
        session().add(database)
    session().flush()  # Superset makes its permission


def _find(uuid: str) -> Any:
    return session().query(_model()).filter_by(uuid=UUID(uuid)).one_or_none()


def _model() -> Any:
    return import_module("superset.models.core").Database
