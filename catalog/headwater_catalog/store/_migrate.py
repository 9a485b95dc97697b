"""Brings the catalog's database to this version: plain SQL files, each applied once and whole."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from headwater.box.component import Schema
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Collection

    from psycopg import Connection

__all__ = ["migrate", "migrations_ahead"]

# Any fixed number: two migrations at once wait for each other.
_LOCK = 7_700_002


def migrate(connection: Connection[Any]) -> tuple[str, ...]:
    """Apply what has not been applied yet, and return its names.

    Raises:
        ComponentError: The database was made by a newer Headwater, or a file fails.
    """
    import psycopg  # noqa: PLC0415 - slow to import

    ours = {one.name: one.read_text(encoding="utf-8") for one in _files()}
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute("CREATE TABLE IF NOT EXISTS migration (name text PRIMARY KEY, at timestamptz NOT NULL)")
            done = {str(row[0]) for row in connection.execute("SELECT name FROM migration")}
            if (schema := migrations_ahead(done)).obstacle:
                raise ComponentError(schema.obstacle)
            for name in sorted(set(ours) - done):
                connection.execute(ours[name].encode())
                connection.execute("INSERT INTO migration VALUES (%s, now())", (name,))
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[0]
        raise ComponentError(f"The catalog's database could not be brought to this version: {said}.") from error
    return tuple(sorted(set(ours) - done))


def migrations_ahead(done: Collection[str]) -> Schema:
    """Return how far a database is that has had some migrations."""
    ours = [one.name for one in _files()]
    strange = ", ".join(sorted(set(done) - set(ours)))
    obstacle = f"The catalog's database was made by a newer Headwater ({strange}). Nothing was changed; start that one."
    missing = ", ".join(sorted(set(ours) - set(done)))
    found = f"{max(done)} without {missing}" if done and missing else max(done, default="")
    return Schema(found, ours[-1], obstacle if strange else "")


def _files() -> list[Any]:
    folder = files("headwater_catalog.store") / "migrations"
    return sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
