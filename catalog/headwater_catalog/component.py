"""The catalog as a component of the box: one process on the box's PostgreSQL."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint, Schema
from headwater.box.components.databases import connect, ensure_database, stored
from headwater.errors import ComponentError

from headwater_catalog.client import Client

if TYPE_CHECKING:
    from headwater.box.component import Box, ByRole

__all__ = ["CatalogComponent"]

_LOOPBACK_TIMEOUT = 4


class CatalogComponent(Component):
    """The metadata catalog: pages, REST and the OpenLineage endpoint."""

    name = "catalog"
    needs = ("postgres",)
    runtimes = ("pages",)
    # It reads Superset's database for what was drawn there, and the lake for what of the past is left and for rows.
    logins: ClassVar[ByRole] = {
        "": ("catalog", "catalog-db", "superset-db", "minio", "trino-reader"),
        MIGRATE: ("postgres", "catalog-db"),
    }
    calls: ClassVar[ByRole] = {"": ("postgres", "metastore", "minio", "trino-tls"), MIGRATE: ("postgres",)}
    listens: ClassVar[ByRole] = {"": ("catalog",)}
    database = "catalog-db"
    reads_project = True
    hints = (
        Hint(
            r"[Aa]ddress already in use", "another program listens on the catalog's port; `headwater doctor` names it."
        ),
        Hint(r"[Cc]onnection refused|does not answer", "PostgreSQL does not answer; see `headwater logs postgres`."),
        Hint(r"DefinitionError|ConfigError", "a definition is wrong; the line above names its file."),
        Hint(r"MemoryError|Cannot allocate memory", "the machine has too little free memory."),
    )

    def migrate(self, box: Box) -> None:
        """Make the database and bring its tables to this version."""
        from headwater_catalog.store import migrate  # noqa: PLC0415 - only the bootstrap needs it

        ensure_database(box.profile, "catalog-db")
        with connect(box.profile, "catalog-db") as connection:
            migrate(connection)

    def schema(self, box: Box) -> Schema:
        """Return the last migration that the database has."""
        from headwater_catalog.store import migrations_ahead  # noqa: PLC0415

        rows = stored(box.profile, "catalog-db", "migration", "SELECT name FROM migration")
        return migrations_ahead({str(row[0]) for row in rows})

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Return the service's process; it reads everything from the profile."""
        environment = {
            **box.profile.environment(),
            "MALLOC_ARENA_MAX": "2",  # memory that one thread frees serves the others
        }
        return Command([sys.executable, "-m", "headwater_catalog.service"], environment, cwd=box.data("catalog"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """Search as a person would."""
        answer = Client(box.profile, timeout=_LOOPBACK_TIMEOUT).get("search", q="ready", limit=1)
        if "results" not in answer:
            raise ComponentError("The catalog did not answer a search. See `headwater logs catalog`.")

    def version(self, box: Box) -> str:  # noqa: ARG002 - it is a library of this environment
        """Return Headwater's own version."""
        return version("headwater")
