"""The catalog's memory on PostgreSQL: facts are added and closed, so that every question can be asked of any moment."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from headwater.box.components.databases import pool_of
from headwater.errors import ComponentError

from headwater_catalog.store._choices import Choices
from headwater_catalog.store._found import NotFound
from headwater_catalog.store._hand import Change, Editor, digest
from headwater_catalog.store._health import WANTS
from headwater_catalog.store._inventory import Entry
from headwater_catalog.store._migrate import migrate, migrations_ahead
from headwater_catalog.store._reads import Reader
from headwater_catalog.store._search import SEARCH_WEIGHTS
from headwater_catalog.store._subject import Invalid, SaidByCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from psycopg import Connection

    from headwater_catalog.model import Alias, TableFacts
    from headwater_catalog.notices import Notice, TableState
    from headwater_catalog.queries import Query

__all__ = [
    "SEARCH_WEIGHTS",
    "WANTS",
    "Change",
    "Editor",
    "Entry",
    "Invalid",
    "NotFound",
    "Reader",
    "SaidByCode",
    "Store",
    "digest",
    "migrate",
    "migrations_ahead",
]

Result = TypeVar("Result")

_TRIES = 5
_CONNECTIONS = 8


class Store:
    """The catalog's database.

    Args:
        url: Where it is, with its password.
        bucket: The lake's.
    """

    def __init__(self, url: str, bucket: str) -> None:
        self._pool = pool_of(url, _CONNECTIONS)
        self._bucket, self._choices = bucket, Choices(self._pool.connection)

    def __enter__(self) -> Self:
        """Open the connections."""
        self._pool.open(wait=False)
        return self

    def __exit__(self, *_: object) -> None:
        """Close them."""
        self._pool.close()

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Give a reader whose answers are all of one moment.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from psycopg import Error, IsolationLevel  # noqa: PLC0415
        from psycopg_pool import PoolTimeout  # noqa: PLC0415

        try:
            with self._pool.connection() as connection:
                connection.isolation_level = IsolationLevel.REPEATABLE_READ
                connection.read_only = True
                try:
                    with connection.transaction():
                        yield Reader(connection, self._bucket, self._choices)
                finally:
                    if not connection.broken:
                        connection.isolation_level = connection.read_only = None
        except (PoolTimeout, Error) as error:
            raise ComponentError(f"The catalog's database does not answer: {_first_line(error)}.") from error

    def publish(
        self,
        facts: Sequence[TableFacts],
        project: str = "",
        inherited: Sequence[str] = (),
        aliases: Sequence[Alias] = (),
    ) -> bool:
        """Bring the catalog to what a project's definitions say and return whether anything had changed.

        Args:
            facts: Of all its tables, charts and dashboards.
            project: Whose; what others say stays.
            inherited: Tags that columns made of tagged ones have, too, besides ``pii``.
            aliases: Other names of tables; of tables that nobody knows there are none.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._definitions import keep_aliases, publish  # noqa: PLC0415 - one process reads, another writes
        from headwater_catalog.store._inherited import name_inherited  # noqa: PLC0415

        self._written(lambda connection: name_inherited(connection, project, inherited))
        changed = self._written(lambda connection: publish(connection, self._bucket, project, facts, datetime.now(UTC)))
        self._written(lambda connection: keep_aliases(connection, self._bucket, aliases, datetime.now(UTC)))
        return changed

    def edit(self, who: str, work: Callable[[Editor], Result]) -> Result:
        """Let a person change what code does not say, in one transaction, and return what the work returns.

        Args:
            who: As the audit shall name them.
            work: Makes the changes; it may be called again when the database was away meanwhile.

        Raises:
            NotFound: There is no such table, column, term or login.
            Invalid: A change makes no sense.
            SaidByCode: A definition says it already.
            ComponentError: PostgreSQL does not answer.
        """
        return self._written(lambda connection: work(Editor(connection, self._bucket, who)))

    def inherit(self) -> None:
        """Bring inherited tags to what tags and lineage are now.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._inherited import inherit  # noqa: PLC0415

        while self._written(inherit):
            pass

    def record(self, body: bytes, sender: str) -> bool:
        """Take in one OpenLineage event and return whether it was new.

        Raises:
            InvalidEvent: It breaks the specification.
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._events import record  # noqa: PLC0415

        return self._written(lambda connection: record(connection, self._bucket, body, sender))

    def read_by(self, query: Query) -> bool:
        """Take in who read which tables and return whether it was new.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._readings import keep_reading  # noqa: PLC0415

        return self._written(lambda connection: keep_reading(connection, self._bucket, query))

    def followed(self) -> int | None:
        """Return the number of the metastore's last notice that was taken in; None before the first.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._follow import followed  # noqa: PLC0415

        return self._written(followed)

    def follow(self, told: Sequence[Notice], states: Mapping[str, TableState], last: int) -> None:
        """Take in what happened in the metastore.

        Args:
            told: In order; what was taken in before is passed over.
            states: The tables that it happened to, as they are now; those that are gone are missing.
            last: The number of the last notice, of a table or not.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._follow import follow  # noqa: PLC0415

        self._written(lambda connection: follow(connection, self._bucket, told, states, last))

    def resync(self, states: Sequence[TableState], last: int) -> None:
        """Bring the catalog to the tables that there are in the metastore, and forget none that is gone.

        Args:
            states: Every table.
            last: The number of the last notice before they were listed.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._follow import resync  # noqa: PLC0415

        self._written(lambda connection: resync(connection, self._bucket, states, last))

    def refuse(self, body: bytes, sender: str, reason: str) -> None:
        """Keep an event aside that breaks the specification.

        Raises:
            ComponentError: PostgreSQL does not answer.
        """
        from headwater_catalog.store._events import refuse  # noqa: PLC0415

        self._written(lambda connection: refuse(connection, body, sender, reason))

    def _written(self, work: Callable[[Connection[Any]], Result]) -> Result:
        """Do something in one transaction, again when another one or a restart of PostgreSQL came in between."""
        from psycopg import Error, OperationalError  # noqa: PLC0415
        from psycopg_pool import PoolTimeout  # noqa: PLC0415

        for attempt in range(1, _TRIES + 1):
            try:
                with self._pool.connection() as connection, connection.transaction():
                    return work(connection)
            except (OperationalError, PoolTimeout) as error:
                if attempt == _TRIES or isinstance(error, PoolTimeout):
                    raise ComponentError(
                        f"The catalog's database does not answer: {_first_line(error)}; nothing was written."
                    ) from error
            except Error as error:
                raise ComponentError(f"The catalog's database refused: {_first_line(error)}.") from error
        raise AssertionError  # every attempt returns or raises


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
