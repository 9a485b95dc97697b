"""Databases on the box's PostgreSQL: one role and one database of the same name per component."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from psycopg import Connection

    from headwater.profile import Profile

__all__ = ["connect", "database_url", "ensure_database"]

# Any fixed number: two migrations that make roles at once wait for each other.
_LOCK = 7_700_001


def database_url(profile: Profile, login: str, driver: str = "postgresql") -> str:
    """Return a login's database as a URL with its password; keep it out of arguments and logs.

    Args:
        profile: Where PostgreSQL is.
        login: Its login; the database has the user's name.
        driver: What stands before ``://``, such as ``postgresql+psycopg2``.
    """
    user, password = profile.credentials.user(login), profile.credentials.password(login)
    return f"{driver}://{user}:{password}@{profile.address('postgres')}/{user}"


def connect(
    profile: Profile, login: str, *, database: str | None = None, timeout: int = 10
) -> Connection[tuple[Any, ...]]:
    """Return an autocommit connection.

    Args:
        profile: Where PostgreSQL is.
        login: Whose.
        database: Its name; the user's own when None.
        timeout: Seconds to wait for the connection.

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
            sslmode="disable",
            autocommit=True,
        )
    except psycopg.Error as error:
        said = str(error).strip().splitlines()[0]
        raise ComponentError(
            f"PostgreSQL at {profile.address('postgres')} refused {user}: {said}; see `headwater logs postgres`."
        ) from error


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
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {0} OWNER {0}").format(role))
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))
    except Error as error:
        raise ComponentError(f"Database {name} could not be made: {error}. See `headwater logs postgres`.") from error
