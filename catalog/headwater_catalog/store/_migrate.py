"""Brings the catalog's database to this version: plain SQL files, each applied once and whole."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["migrate"]

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
            if done - set(ours):
                raise ComponentError(
                    f"The catalog's database was made by a newer Headwater ({', '.join(sorted(done - set(ours)))}); "
                    "start that one."
                )
            for name in sorted(set(ours) - done):
                connection.execute(ours[name].encode())
                connection.execute("INSERT INTO migration VALUES (%s, now())", (name,))
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[0]
        raise ComponentError(f"The catalog's database could not be brought to this version: {said}.") from error
    return tuple(sorted(set(ours) - done))


def _files() -> list[Any]:
    folder = files("headwater_catalog.store") / "migrations"
    return sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=lambda one: one.name)
