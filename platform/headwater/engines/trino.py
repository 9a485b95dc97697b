"""Trino: the engine of queries and SQL bodies."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from headwater.dialects import TRINO, Dialect
from headwater.engines._trino_rows import trino_column
from headwater.engines.base import Engine, StageJob, as_text, insert_statement, pointed, unreachable
from headwater.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

__all__ = ["TrinoEngine"]

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True, kw_only=True)
class TrinoEngine(Engine):
    """Trino behind TLS and a password.

    Args:
        host: Where it listens.
        port: Its HTTPS port.
        user: Login.
        password: Of the login.
        ca: File with the authority that signed its certificate.
        bounds: Properties of every session, such as ``query_max_run_time``.
    """

    host: str
    port: int
    user: str
    password: str
    ca: Path
    bounds: Mapping[str, str] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """Trino's own."""
        return TRINO

    def arrow(self, sql: str) -> pa.Table:
        """Run one statement; columns keep the types that Trino reports."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        statement = sql.strip().removesuffix(";")
        with self._cursor(statement) as cursor:
            cursor.execute(statement)
            rows = cursor.fetchall()
            described = cursor.description or []
        # By position: two columns may bear one name.
        columns = [trino_column([row[at] for row in rows], entry[1]) for at, entry in enumerate(described)]
        return pa.Table.from_arrays(columns, names=[entry[0] for entry in described])

    def batches(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run one statement; rows are fetched as they are asked for."""
        rows = self._rows(sql.strip().removesuffix(";"))
        schema: pa.Schema = next(rows)
        return schema, rows

    def _rows(self, statement: str) -> Iterator[Any]:
        """Yield the schema, then batches; the connection lives as long as they are asked for."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        with self._cursor(statement) as cursor:
            cursor.execute(statement)
            rows = cursor.fetchmany(_ROWS_AT_ONCE)
            described = cursor.description or []
            empty = [trino_column([], entry[1]) for entry in described]
            schema = pa.schema([(entry[0], one.type) for entry, one in zip(described, empty, strict=True)])
            yield schema
            while rows:
                columns = [trino_column([row[at] for row in rows], entry[1]) for at, entry in enumerate(described)]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
                rows = cursor.fetchmany(_ROWS_AT_ONCE)

    def texts(self, sql: str) -> tuple[list[str], list[list[str | None]]]:
        """Run one statement; without Arrow, which a small process had better not load."""
        statement = sql.strip().removesuffix(";")
        with self._cursor(statement) as cursor:
            cursor.execute(statement)
            rows = [[as_text(value) for value in row] for row in cursor.fetchall()]
            return [entry[0] for entry in cursor.description or []], rows

    def stage(self, job: StageJob) -> None:
        """Insert the body's rows into the stage."""
        self.arrow(insert_statement(job, self.dialect.name))

    @contextmanager
    def _cursor(self, sql: str) -> Iterator[Any]:
        import requests  # noqa: PLC0415 - slow to import
        import trino.dbapi  # noqa: PLC0415
        from trino.auth import BasicAuthentication  # noqa: PLC0415
        from trino.exceptions import Error, HttpError, TrinoQueryError  # noqa: PLC0415

        session = requests.Session()
        # The box is never behind the machine's web proxy, and no netrc entry is meant for it.
        session.trust_env = False
        session.verify = str(self.ca)
        session.mount("https://", _connections(os.getpid()))
        connect: Any = trino.dbapi.connect
        connection = connect(
            host=self.host,
            port=self.port,
            http_scheme="https",
            user=self.user,
            auth=BasicAuthentication(self.user, self.password),
            http_session=session,
            catalog="iceberg",
            source="headwater",
            session_properties=dict(self.bounds),
        )
        try:
            yield connection.cursor()
        except TrinoQueryError as error:
            raise QueryError(_sentence(error, sql)) from error
        except (Error, HttpError, OSError) as error:
            raise unreachable("Trino", f"{self.host}:{self.port}", error) from error
        finally:
            session.close()


@cache
def _connections(process: int) -> Any:  # noqa: ARG001 - a forked process must not speak on its parent's connections
    """Return what keeps connections open from one statement to the next; a new one costs both sides a handshake."""
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - slow to import

    class Kept(HTTPAdapter):
        def close(self) -> None:
            """Stay open when a statement's session ends."""

    return Kept()


def _sentence(error: Any, sql: str) -> str:
    said = re.sub(r"^line \d+:\d+: ", "", str(error.message))
    try:
        line, column = error.error_location
    except (KeyError, TypeError):
        return f"Trino failed the statement: {said} ({error.error_name}, query {error.query_id})."
    return f"Trino refused line {line}, column {column}: {said}\n{pointed(sql, line, column)}".rstrip()
