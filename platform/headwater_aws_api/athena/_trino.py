"""Asking the box's Trino: rows as it gives them, statistics, and an end to it from another thread."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from headwater.errors import EngineAway

from headwater_aws_api.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from headwater.profile import Profile

__all__ = ["Asked", "Failed", "Stopped", "Trino"]

_ROWS_AT_ONCE = 1000
_SCAN_LIMIT = "EXCEEDED_SCAN_LIMIT"
# Trino's kinds of errors that are the user's own.
_USER = "USER_ERROR"


class Failed(AwsError):  # noqa: N818 - a state of the query
    """A statement failed; the sentence is Trino's.

    Args:
        sentence: What Trino said.
        user: Whether the statement is to blame.
        limit: Whether it was ended for what it read.
    """

    def __init__(self, sentence: str, *, user: bool, limit: bool = False) -> None:
        self.user = user
        self.limit = limit
        super().__init__("InvalidRequestException", sentence)


class Stopped(AwsError):  # noqa: N818 - a state, not a mistake
    """A statement was stopped by whoever asked for it."""

    def __init__(self) -> None:
        super().__init__("InvalidRequestException", "Query cancelled by user")


@dataclass
class Asked:
    """A statement under way; shared by the thread that runs it and the one that may stop it.

    Args:
        stop: Set to end it.
        statistics: Trino's, of all that was asked so far.
    """

    stop: threading.Event = field(default_factory=threading.Event)
    statistics: dict[str, int] = field(default_factory=dict)
    _cursor: Any = None

    def end(self) -> None:
        """End the statement."""
        self.stop.set()
        cursor = self._cursor
        if cursor is not None:
            with suppress(Exception):  # it may have ended by itself; the thread that runs it sees the flag
                cursor.cancel()

    def count(self, found: Mapping[str, Any]) -> None:
        """Add up what a statement took."""
        for name in ("physicalInputBytes", "elapsedTimeMillis", "queuedTimeMillis", "cpuTimeMillis", "processedRows"):
            self.statistics[name] = self.statistics.get(name, 0) + int(found.get(name, 0))


@dataclass(frozen=True)
class Trino:
    """The box's Trino.

    Args:
        profile: Where it is.
    """

    profile: Profile

    @contextmanager
    def rows(
        self, sql: str, asked: Asked, *, database: str, session: Mapping[str, str]
    ) -> Iterator[tuple[list[tuple[str, str]], Iterator[Sequence[Any]], Any]]:
        """Run a statement; gives its columns (name and type), its rows as JSON has them, and the cursor.

        Raises:
            Failed: Trino refused or failed it.
            Stopped: It was told to stop.
        """
        from trino.exceptions import Error, HttpError, TrinoQueryError  # noqa: PLC0415 - slow to import

        with self._connected(database, session) as connection:
            cursor = connection.cursor()
            asked._cursor = cursor  # noqa: SLF001 - its own module's
            try:
                if asked.stop.is_set():
                    raise Stopped
                cursor.execute(sql)
                columns = [(entry[0], entry[1]) for entry in cursor.description or []]
                yield columns, _fetched(cursor, asked), cursor
            except TrinoQueryError as error:
                if asked.stop.is_set():
                    raise Stopped from error
                # The table is named as whoever asked knows it.
                said = f"{error.error_name}: {error.message}".replace("'iceberg.", "'awsdatacatalog.")
                raise Failed(said, user=error.error_type == _USER, limit=error.error_name == _SCAN_LIMIT) from error
            except (Error, HttpError, OSError) as error:
                if asked.stop.is_set():
                    raise Stopped from error
                raise EngineAway(f"Trino did not answer: {error}. See `headwater status`.") from error
            finally:
                asked._cursor = None  # noqa: SLF001
                asked.count(cursor.stats or {})

    def run(self, sql: str, asked: Asked, *, database: str, session: Mapping[str, str]) -> int | None:
        """Run a statement to its end and return how many rows it wrote, where Trino says so."""
        with self.rows(sql, asked, database=database, session=session) as (_, rows, cursor):
            for _ in rows:
                pass
            return int(cursor.rowcount) if cursor.rowcount not in (None, -1) else None

    @contextmanager
    def _connected(self, database: str, session: Mapping[str, str]) -> Iterator[Any]:
        import requests  # noqa: PLC0415 - slow to import
        import trino.dbapi  # noqa: PLC0415
        from trino.auth import BasicAuthentication  # noqa: PLC0415

        logins = self.profile.credentials
        http = requests.Session()
        # The box is never behind the machine's web proxy, and no netrc entry is meant for it.
        http.trust_env = False
        http.verify = str(self.profile.trust / "ca.pem")
        connect: Any = trino.dbapi.connect
        try:
            yield connect(
                host=self.profile.host_of("trino-tls"),
                port=self.profile.port("trino-tls"),
                http_scheme="https",
                user=logins.user("trino"),
                auth=BasicAuthentication(logins.user("trino"), logins.password("trino")),
                http_session=http,
                catalog="iceberg",
                schema=database,
                source="headwater-aws-api",
                session_properties=dict(session),
                # Values as Trino writes them: Athena's text has every digit of a timestamp.
                legacy_primitive_types=True,
            )
        finally:
            http.close()


def _fetched(cursor: Any, asked: Asked) -> Iterator[Sequence[Any]]:
    while rows := cursor.fetchmany(_ROWS_AT_ONCE):
        if asked.stop.is_set():
            raise Stopped
        yield from rows
