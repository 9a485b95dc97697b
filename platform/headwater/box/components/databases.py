"""Databases on the box's PostgreSQL: one role and one database of the same name per component."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection
    from psycopg_pool import ConnectionPool

    from headwater.box.component import Component
    from headwater.profile import Profile

__all__ = [
    "connect",
    "database_address",
    "database_url",
    "ensure_database",
    "is_migrated",
    "mark_migrated",
    "one_at_a_time",
    "pool_of",
    "stored",
]

# Any fixed number: two migrations that make roles at once wait for each other.
_LOCK = 7_700_001
# The first half of the two numbers by which migrations of one component wait for each other.
_MIGRATIONS = 7_700
# A waiting or working migration whose machine is gone is forgotten within a minute.
_KEEPALIVES = "-c tcp_keepalives_idle=20 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
_MARKS = "public.headwater_migrated"


def database_url(profile: Profile, login: str, driver: str = "postgresql") -> str:
    """Return a login's database as a URL with its password; keep it out of arguments and logs.

    Args:
        profile: Where PostgreSQL is.
        login: Its login; the database has the user's name.
        driver: What stands before ``://``, such as ``postgresql+psycopg2``.
    """
    user, password = profile.credentials.user(login), profile.credentials.password(login)
    return f"{driver}://{user}:{password}@{profile.address('postgres')}/{user}?{urlencode(profile.postgres_tls)}"


def database_address(profile: Profile, login: str) -> str:
    """Return a login's database as Java's driver takes it, without the login."""
    tls = urlencode(profile.postgres_tls)
    return f"jdbc:postgresql://{profile.address('postgres')}/{profile.credentials.user(login)}?{tls}"


def connect(
    profile: Profile, login: str, *, database: str | None = None, timeout: int = 10, options: str = ""
) -> Connection[tuple[Any, ...]]:
    """Return an autocommit connection.

    Args:
        profile: Where PostgreSQL is.
        login: Whose.
        database: Its name; the user's own when None.
        timeout: Seconds to wait for the connection.
        options: Settings of the session, as the server's command line takes them.

    Raises:
        ComponentError: PostgreSQL does not answer or refuses the login.
    """
    import psycopg  # noqa: PLC0415 - slow to import

    user = profile.credentials.user(login)
    try:
        return psycopg.connect(
            host=profile.host_of("postgres"),
            port=profile.port("postgres"),
            user=user,
            password=profile.credentials.password(login),
            dbname=database or user,
            connect_timeout=timeout,
            options=options,
            autocommit=True,
            **_words(profile),
        )
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[0]
        raise ComponentError(
            f"PostgreSQL at {profile.address('postgres')} refused {user}: {said}; see `headwater logs postgres`."
        ) from error


def pool_of(url: str, most: int) -> ConnectionPool[Connection[Any]]:
    """Return connections for a process that serves many at once; opening it is left to the caller.

    Args:
        url: Where the database is, with its password.
        most: How many connections at most.
    """
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - slow to import

    return ConnectionPool(
        url,
        min_size=1,
        max_size=most,
        open=False,
        timeout=10,
        check=ConnectionPool.check_connection,  # PostgreSQL may have been started anew since
        kwargs={"options": "-c TimeZone=UTC"},
    )


def _words(profile: Profile) -> dict[str, Any]:
    return dict(profile.postgres_tls)


def ensure_database(profile: Profile, login: str) -> None:
    """Make a login's role and database when they are absent, and set its password to the box's.

    Raises:
        ComponentError: PostgreSQL does not answer or refuses.
    """
    from psycopg import Error, sql  # noqa: PLC0415

    name, password = profile.credentials.user(login), profile.credentials.password(login)
    role = sql.Identifier(name)
    try:
        with connect(profile, "postgres", database="postgres") as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
            known = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
            verb = sql.SQL("ALTER" if known else "CREATE")
            connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, sql.Literal(password)))
            _let_act_for(connection, name)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
    except Error as error:
        raise ComponentError(f"Database {name} could not be made: {error}. See `headwater logs postgres`.") from error


@contextmanager
def one_at_a_time(profile: Profile, component: str) -> Iterator[None]:
    """Wait until no other migration of a component is at work on this PostgreSQL, from whatever machine or container.

    Raises:
        ComponentError: PostgreSQL does not answer.
    """
    from psycopg import Error  # noqa: PLC0415

    with connect(profile, "postgres", database="postgres", options=_KEEPALIVES) as connection:
        number = zlib.crc32(component.encode()) & 0x7FFFFFFF
        try:
            connection.execute("SELECT pg_advisory_lock(%s, %s)", (_MIGRATIONS, number))
        except Error as error:
            raise ComponentError(f"Waiting for another migration of {component} failed: {error}.") from error
        yield


def stored(profile: Profile, login: str, table: str, statement: str) -> list[tuple[Any, ...]]:
    """Return the rows of a statement; none where the login's database or the table that it reads is not there yet.

    Args:
        profile: Where PostgreSQL is.
        login: Whose database.
        table: The table's name as SQL has it, with its quotes where it needs some.
        statement: What to ask.

    Raises:
        ComponentError: PostgreSQL does not answer or refuses.
    """
    from psycopg import Error  # noqa: PLC0415

    name = profile.credentials.user(login)
    with connect(profile, "postgres", database="postgres") as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            return []
    try:
        with connect(profile, "postgres", database=name) as connection:
            there = connection.execute("SELECT to_regclass(%s)", (f"public.{table}",)).fetchone()
            return connection.execute(statement.encode()).fetchall() if there and there[0] else []
    except Error as error:
        raise ComponentError(f"{table} in database {name} could not be read: {error}.") from error


def mark_migrated(profile: Profile, component: Component) -> None:
    """Leave word in a component's database that it is at this version; its processes elsewhere wait for that.

    Raises:
        ComponentError: PostgreSQL does not answer.
    """
    if component.database:
        with connect(profile, component.database) as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(f"CREATE TABLE IF NOT EXISTS {_MARKS} (version text PRIMARY KEY, at timestamptz)")
            connection.execute(
                f"INSERT INTO {_MARKS} VALUES (%s, now()) ON CONFLICT (version) DO UPDATE SET at = now()",  # noqa: S608
                (version("headwater"),),
            )


def is_migrated(profile: Profile, component: Component) -> bool:
    """Tell whether a component's database is at this version.

    Raises:
        ComponentError: PostgreSQL does not answer, or has no such database yet.
    """
    if not component.database:
        return True
    with connect(profile, component.database, timeout=3) as connection:
        if connection.execute("SELECT to_regclass(%s)", (_MARKS,)).fetchall()[0][0] is None:
            return False
        asked = f"SELECT 1 FROM {_MARKS} WHERE version = %s"  # noqa: S608 - a constant
        return connection.execute(asked, (version("headwater"),)).fetchone() is not None


def _let_act_for(connection: Connection[tuple[Any, ...]], role: str) -> None:
    """Let a master user who is no superuser, as those of hosted databases are, make databases that a role owns."""
    from psycopg import sql  # noqa: PLC0415

    asked = "SELECT pg_has_role(current_user, %s, 'SET') AND pg_has_role(current_user, %s, 'USAGE')"
    may = connection.execute(asked, (role, role)).fetchone()
    if not may or not may[0]:
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER WITH SET TRUE, INHERIT TRUE").format(sql.Identifier(role)))
