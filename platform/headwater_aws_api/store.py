"""What must outlast a restart, on the box's PostgreSQL: documents by kind and name, and the versions of tables."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from headwater.box.components.databases import pool_of
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from psycopg import Connection

__all__ = ["Document", "Store", "Version", "migrate"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS document (
    kind text NOT NULL,
    name text NOT NULL,
    body jsonb NOT NULL,
    made timestamptz NOT NULL DEFAULT clock_timestamp(),
    number bigserial,
    PRIMARY KEY (kind, name)
);
CREATE INDEX IF NOT EXISTS document_number ON document (kind, number);
CREATE TABLE IF NOT EXISTS table_version (
    database text NOT NULL,
    name text NOT NULL,
    version int NOT NULL,
    born bigint NOT NULL,
    mark text NOT NULL,
    input jsonb NOT NULL,
    seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (database, name, version)
);
"""
# Any fixed numbers: two that do the same at once wait for each other.
_LOCK, _TABLES = 7_700_003, 7_700_004
_LARGEST = 2**63 - 1
_CONNECTIONS = 6
_DOCUMENT = "SELECT name, body, extract(epoch FROM made)::float8, number FROM document WHERE kind = %s"
_VERSION = (
    "SELECT name, version, born, mark, input, extract(epoch FROM seen)::float8 FROM table_version WHERE database = %s"
)


@dataclass(frozen=True)
class Document:
    """One thing that is remembered.

    Args:
        name: Its key.
        body: What is known of it, as JSON.
        made: When it was made, in seconds since 1970.
        number: Grows with every document.
    """

    name: str
    body: dict[str, Any]
    made: float
    number: int


@dataclass(frozen=True)
class Version:
    """One state of a table.

    Args:
        name: The table's.
        number: Counts from 0.
        born: When the metastore says the table was made; another table of the same name has another.
        mark: Equal for equal states of the metastore's table.
        input: The table as it was given, or as the metastore showed it.
        seen: When, in seconds since 1970.
    """

    name: str
    number: int
    born: int
    mark: str
    input: dict[str, Any]
    seen: float


def migrate(connection: Connection[Any]) -> None:
    """Make the tables where they are absent.

    Raises:
        ComponentError: PostgreSQL refuses.
    """
    import psycopg  # noqa: PLC0415 - slow to import

    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(_SCHEMA.encode())
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[0]
        raise ComponentError(f"The AWS API's database could not be brought to this version: {said}.") from error


class Store:
    """The AWS API's database.

    Args:
        url: Where it is, with its password.
    """

    def __init__(self, url: str) -> None:
        self._pool = pool_of(url, _CONNECTIONS)

    def __enter__(self) -> Self:
        """Open the connections."""
        self._pool.open(wait=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._pool.close()

    def add(self, kind: str, name: str, body: Mapping[str, Any]) -> bool:
        """Remember something new; return whether it was."""
        with self._connected() as connection:
            return _added(connection, kind, name, body)

    def get(self, kind: str, name: str) -> Document | None:
        """Return what is remembered under a name."""
        return next(iter(self.several(kind, [name])), None)

    def several(self, kind: str, names: Sequence[str]) -> list[Document]:
        """Return those of some names that are there."""
        return [Document(*row) for row in self._rows(_DOCUMENT + " AND name = ANY(%s)", (kind, list(names)))]

    def change(self, kind: str, name: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> bool:
        """Replace a document by what a function makes of it, alone; None leaves it. Return whether it is there."""
        with self._connected() as connection:
            query = "SELECT body FROM document WHERE kind = %s AND name = %s FOR UPDATE"
            row = connection.execute(query, (kind, name)).fetchone()
            if row is None:
                return False
            changed = change(row[0])
            if changed is not None:
                query = "UPDATE document SET body = %s WHERE kind = %s AND name = %s"
                connection.execute(query, (_jsonb(changed), kind, name))
            return True

    def remove(self, kind: str, name: str) -> bool:
        """Forget something; return whether it was there."""
        with self._connected() as connection:
            query = "DELETE FROM document WHERE kind = %s AND name = %s"
            return connection.execute(query, (kind, name)).rowcount > 0

    def every(self, kind: str) -> list[Document]:
        """Return all of a kind, by name."""
        return [Document(*row) for row in self._rows(_DOCUMENT + " ORDER BY name", (kind,))]

    def newest(
        self, kind: str, matching: Mapping[str, Any], *, before: int | None = None, limit: int = 1
    ) -> list[Document]:
        """Return the youngest of a kind whose body contains something, going on before a document's number."""
        query = _DOCUMENT + " AND body @> %s AND number < %s ORDER BY number DESC LIMIT %s"
        given = (kind, _jsonb(matching), _LARGEST if before is None else before, limit)
        return [Document(*row) for row in self._rows(query, given)]

    def forget_older(self, kind: str, days: int) -> None:
        """Forget what is older."""
        with self._connected() as connection:
            query = "DELETE FROM document WHERE kind = %s AND made < now() - make_interval(days => %s)"
            connection.execute(query, (kind, days))

    def latest_versions(self, database: str, names: Sequence[str]) -> dict[str, Version]:
        """Return the last version of tables, by name."""
        query = (
            _VERSION.replace("SELECT", "SELECT DISTINCT ON (name)") + " AND name = ANY(%s) ORDER BY name, version DESC"
        )
        return {row[0]: Version(*row) for row in self._rows(query, (database, list(names)))}

    def versions(self, database: str, name: str) -> list[Version]:
        """Return a table's versions, the last first."""
        query = _VERSION + " AND name = %s ORDER BY version DESC"
        return [Version(*row) for row in self._rows(query, (database, name))]

    def see(
        self, database: str, name: str, born: int, mark: str, given: Mapping[str, Any], *, replace: bool = False
    ) -> Version:
        """Remember a table's state as its next version, unless it is the last one already.

        Args:
            database: The table's.
            name: The table's.
            born: When the metastore says it was made.
            mark: Of the state.
            given: The state.
            replace: The former version is not kept.
        """
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_TABLES, f"{database}.{name}"))
            last = _last(connection, database, name)
            if last and (last.born, last.mark) == (born, mark):
                return last
            if last and last.born != born:
                _forget(connection, database, name)
            number = last.number + 1 if last and last.born == born else 0
            if replace and last:
                _forget(connection, database, name, last.number)
            insert = (
                "INSERT INTO table_version (database, name, version, born, mark, input) VALUES (%s, %s, %s, %s, %s, %s)"
            )
            connection.execute(insert, (database, name, number, born, mark, _jsonb(given)))
            made = _last(connection, database, name)
        if made is None:
            raise ComponentError(f"The version {number} of {database}.{name} vanished while it was written.")
        return made

    def forget_versions(self, database: str, name: str | None = None, number: int | None = None) -> int:
        """Forget a table's versions, or one of them, or those of all tables of a database; return how many."""
        with self._connected() as connection:
            return _forget(connection, database, name, number)

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._connected() as connection:
            return connection.execute(query.encode(), values).fetchall()

    @contextmanager
    def _connected(self) -> Iterator[Connection[Any]]:
        from psycopg import Error  # noqa: PLC0415
        from psycopg_pool import PoolTimeout  # noqa: PLC0415

        try:
            with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, Error) as error:
            said = str(error).strip().splitlines()[0]
            raise ComponentError(f"The AWS API's database does not answer: {said}.") from error


def _added(connection: Connection[Any], kind: str, name: str, body: Mapping[str, Any]) -> bool:
    query = "INSERT INTO document (kind, name, body) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
    return connection.execute(query, (kind, name, _jsonb(body))).rowcount > 0


def _last(connection: Connection[Any], database: str, name: str) -> Version | None:
    query = _VERSION + " AND name = %s ORDER BY version DESC LIMIT 1"
    row = connection.execute(query.encode(), (database, name)).fetchone()
    return Version(*row) if row else None


def _forget(connection: Connection[Any], database: str, name: str | None, number: int | None = None) -> int:
    query = """DELETE FROM table_version WHERE database = %s
        AND (%s::text IS NULL OR name = %s) AND (%s::int IS NULL OR version = %s)"""
    return connection.execute(query, (database, name, name, number, number)).rowcount


def _jsonb(value: Mapping[str, Any]) -> Any:
    from psycopg.types.json import Jsonb  # noqa: PLC0415

    return Jsonb(value)
