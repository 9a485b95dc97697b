"""What is in PostgreSQL, in few words: rows and a digest of every table, by which two copies are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from psycopg import Connection

__all__ = ["READING", "Inventory", "differences", "inventory"]

# name of what was counted -> rows and digest
Inventory = dict[str, tuple[int, str]]

# A value must look the same in both copies, and looking must change nothing.
READING = " ".join(
    f"-c {setting}"
    for setting in (
        "default_transaction_read_only=on",
        "TimeZone=UTC",
        "DateStyle=ISO",
        "IntervalStyle=postgres",
        "bytea_output=hex",
        "extra_float_digits=1",
    )
)
_DATABASES = "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
_RELATIONS = """
    SELECT relkind::text, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE relkind IN ('r', 'm', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 2, 3
"""
# Rows in any order give the same sum; each counts as often as it is there.
_ROWS = "SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM ONLY {} t"
_SEQUENCE = "SELECT 1, last_value || ' ' || is_called FROM {}"


def inventory(connect: Callable[[str], Connection[tuple[Any, ...]]]) -> Inventory:
    """Count and digest all that a PostgreSQL has: tables, materialized views, sequences and roles.

    Args:
        connect: Opens a database by name, best with ``READING`` as its options.
    """
    found: Inventory = {}
    with connect("postgres") as connection:
        names = [str(row[0]) for row in connection.execute(_DATABASES)]
        found["roles"] = _counted(connection, _ROWS.format("pg_authid"))
    for name in names:
        with connect(name) as connection:
            found.update(_of_database(connection, name))
    return found


def differences(before: Mapping[str, tuple[int, str]], after: Mapping[str, tuple[int, str]]) -> list[str]:
    """Return the names of what is not the same in both, each with its rows."""
    none = (0, "")
    return [
        f"{name} ({before.get(name, none)[0]} rows, and {after.get(name, none)[0]})"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _of_database(connection: Connection[tuple[Any, ...]], database: str) -> Iterator[tuple[str, tuple[int, str]]]:
    from psycopg import sql  # noqa: PLC0415 - slow to import

    for kind, schema, name in connection.execute(_RELATIONS).fetchall():
        place = sql.Identifier(schema, name).as_string(connection)
        yield f"{database}.{schema}.{name}", _counted(connection, (_SEQUENCE if kind == "S" else _ROWS).format(place))


def _counted(connection: Connection[tuple[Any, ...]], statement: str) -> tuple[int, str]:
    (row,) = connection.execute(statement.encode()).fetchall()
    return int(row[0]), str(row[1])
