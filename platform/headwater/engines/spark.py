"""Spark, through Spark Connect: the engine of heavy work and of bodies that are functions."""

from __future__ import annotations

import atexit
import logging
import re
import socket
import threading
from abc import abstractmethod
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.dialects import SPARK, Dialect
from headwater.engines.base import Engine, StageJob, insert_statement, pointed, unreachable
from headwater.errors import EngineAway, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

__all__ = ["ConnectEngine", "SparkEngine", "connect"]

_ROWS_AT_ONCE = 100_000
_SETTINGS = {
    # A cast that fails must fail.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    # Two scans of the same files must cut them alike, also when executors came or went between them.
    "spark.sql.files.minPartitionNum": "8",
    # The client asks for these before it makes a DataFrame of local rows, and Spark 4.0 does not know them; the values
    # are those of Spark 4.1.
    "spark.sql.session.localRelationChunkSizeRows": "10000",
    "spark.sql.session.localRelationChunkSizeBytes": str(16 << 20),
    "spark.sql.session.localRelationBatchOfChunksSizeBytes": str(1 << 30),
}
# What the server says when it no longer knows the session, e.g. after its restart.
_SESSION_LOST = (
    "SESSION_CLOSED",
    "SESSION_CHANGED",
    "SESSION_NOT_FOUND",
    "NO_ACTIVE_SESSION",
    "UNAVAILABLE",
    "failed to connect",
    "stopped SparkContext",
    "RESPONSE_ALREADY_RECEIVED",
)

# What an error of the connection itself says among other things.
_RPC_DETAILS = re.compile(r'^\s*details = "(.+)"$', re.MULTILINE)
# Of a Python worker's trace, the line after those that are indented.
_TRACE = re.compile(r"^\s*Traceback \(most recent call last\):\n(?:[ \t]+.*\n)*(\S.*)", re.MULTILINE)
_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
_CONNECT_SECONDS = 5
# About a minute in all: a server that was restarted has forgotten the session by then anyway.
_RETRIES, _LONGEST_PAUSE_MS = 15, 5000

_sessions: dict[str, Any] = {}
_sessions_lock = threading.Lock()


class ConnectEngine(Engine):
    """Spark behind a Spark Connect server, wherever that is; every process keeps one session on it."""

    # In an error, says that the session is no more.
    lost: ClassVar[tuple[str, ...]] = _SESSION_LOST

    @abstractmethod
    def _connected(self) -> Any:
        """Return this process's session."""

    @property
    @abstractmethod
    def _key(self) -> str:
        """Tells this server from others."""

    @abstractmethod
    def _away(self, said: str) -> EngineAway:
        """Return the error of a server that went away."""

    @property
    def dialect(self) -> Dialect:
        """Spark's own."""
        return SPARK

    def arrow(self, sql: str) -> pa.Table:
        """Run one statement."""
        statement = sql.strip().removesuffix(";")
        with self._session(statement) as session:
            frame = session.sql(statement)
            return frame.toArrow()

    def batches(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run one statement; Spark Connect's client collects its rows."""
        rows = self.arrow(sql)
        return rows.schema, iter(rows.to_batches(max_chunksize=_ROWS_AT_ONCE))

    def stage(self, job: StageJob) -> None:
        """Insert the SQL body's rows, or call the function and append what it returns."""
        if isinstance(job.table.body, str):
            self.arrow(insert_statement(job, self.dialect.name))
            return
        from headwater.engines._function_body import append  # noqa: PLC0415 - only where pyspark is needed

        with self._session("") as session:
            # What `SparkSession.active()` gives to a body, whichever thread made the session and others have ended.
            type(session)._active_session.session = session  # noqa: SLF001 - there is no public way
            append(session, job)

    @contextmanager
    def _session(self, sql: str) -> Iterator[Any]:
        from grpc import RpcError  # type: ignore[import-untyped]  # noqa: PLC0415 - slow to import
        from pyspark.errors import PySparkException  # noqa: PLC0415

        session = None
        try:
            session = self._connected()
            yield session
        except (PySparkException, RpcError) as error:
            if any(mark in str(error) for mark in self.lost):
                self._forget()
                raise self._away(_first_line(str(error))) from error
            raise QueryError(_sentence(error, sql)) from error
        except BaseException as error:
            # A run that is cancelled leaves nothing that goes on computing for nobody.
            if session is not None and not isinstance(error, Exception):
                _stop_work(session)
            raise

    def _kept(self, made: Callable[[], Any]) -> Any:
        """Return this process's session on the server, making it when there is none."""
        with _sessions_lock:
            session = _sessions.get(self._key)
            if session is None or session.is_stopped:
                session = _sessions[self._key] = made()
        return session

    def _forget(self) -> None:
        with _sessions_lock:
            _sessions.pop(self._key, None)


@dataclass(frozen=True, kw_only=True)
class SparkEngine(ConnectEngine):
    """A Spark Connect server of the box's kind.

    Args:
        host: Where it listens.
        port: Where it listens.
        token: What it lets clients in with; empty for none.
    """

    host: str
    port: int
    token: str

    def _connected(self) -> Any:
        session = self._kept(self._made)
        if not _is_known(session):  # nothing was asked of it yet, so another is as good
            self._forget()
            session = self._kept(self._made)
        return session

    def _made(self) -> Any:
        self._require_listener()
        return connect(_channel(self._key))

    def _away(self, said: str) -> EngineAway:
        return EngineAway(
            f"Spark at {self.host}:{self.port} does not answer or was restarted: {said} "
            "Run it again; where that fails, too, `headwater logs spark` says why.",
        )

    def _require_listener(self) -> None:
        """Refuse at once where nothing listens: the client would try for ten minutes."""
        try:
            socket.create_connection((self.host, self.port), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            raise unreachable("Spark", f"{self.host}:{self.port}", error) from error

    @property
    def _key(self) -> str:
        # Only to this very name does the client send a token without TLS.
        host = "localhost" if self.host == "127.0.0.1" else self.host
        token = f";token={self.token}" if self.token else ""
        return f"sc://{host}:{self.port}/{token}"


def _channel(url: str) -> Any:
    """Return what opens the client's connections; beyond ``localhost`` its own would send a token over TLS alone."""
    from pyspark.sql.connect.client.core import DefaultChannelBuilder  # noqa: PLC0415 - slow to import

    class Plain(DefaultChannelBuilder):
        def metadata(self) -> list[tuple[str, str]]:
            return [*super().metadata(), *([("authorization", f"Bearer {self.token}")] if self.token else [])]

        def toChannel(self) -> Any:  # noqa: N802 - the client's name for it
            return self._insecure_channel(self.endpoint)

    stock = DefaultChannelBuilder(url)
    # No proxy leads to a component.
    return stock if stock.host == "localhost" else Plain(url, [("grpc.enable_http_proxy", 0)])


def connect(channel: Any) -> Any:
    """Return a session on the server that a channel builder leads to."""
    from pyspark.logger import PySparkLogger  # noqa: PLC0415
    from pyspark.sql.connect.client.retries import DefaultPolicy  # noqa: PLC0415
    from pyspark.sql.connect.session import SparkSession  # noqa: PLC0415

    for name in _LOGGERS:
        # They write the whole error as JSON, stack trace included, to standard error before it is raised here.
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    session = SparkSession.builder.channelBuilder(channel).create()
    # At exit it would ask the server once more, and print a trace, or try for minutes, where that is gone by then.
    atexit.unregister(session.client._cleanup_ml_cache)  # noqa: SLF001 - there is no other way
    session.client.set_retry_policies([DefaultPolicy(max_retries=_RETRIES, max_backoff=_LONGEST_PAUSE_MS)])
    for name, value in _SETTINGS.items():
        session.conf.set(name, value)
    return session


def _is_known(session: Any) -> bool:
    """Return whether the server still knows a session; one that was restarted does not."""
    from grpc import RpcError  # noqa: PLC0415 - slow to import
    from pyspark.errors import PySparkException  # noqa: PLC0415

    try:
        session.conf.get("spark.sql.session.timeZone")
    except (PySparkException, RpcError):
        return False
    return True


def _stop_work(session: Any) -> None:
    """Have the server stop what a session computes; where it does not answer soon, it is left to itself."""

    def stop() -> None:
        with suppress(Exception):
            session.interruptAll()

    thread = threading.Thread(target=stop, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)


def _sentence(error: Any, sql: str) -> str:
    text = str(error.getMessage() if hasattr(error, "getMessage") else error)
    said = _raised(text) or _first_line(text)
    for context in error.getQueryContext() if hasattr(error, "getQueryContext") else ():
        if context.contextType().name == "SQL" and sql:
            before = sql[: context.startIndex()]
            line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
            return f"Spark refused line {line}, column {column}: {said}\n{pointed(sql, line, column)}".rstrip()
        if context.contextType().name == "DataFrame":
            return f"Spark failed at {context.fragment()} ({context.callSite()}): {said}"
    return f"Spark failed the statement: {said}"


def _raised(text: str) -> str:
    r"""Return what a Python function raised where Spark ran it; empty where none did.

    >>> _raised('Look below.\nTraceback (most recent call last):\n  File "a.py", line 1, in f\nKeyError: 1\n')
    'a Python function raised KeyError: 1'
    """
    found = _TRACE.findall(text)  # an error within another's handling comes last
    return f"a Python function raised {found[-1]}" if found else ""


def _first_line(text: str) -> str:
    if details := _RPC_DETAILS.search(text):
        return details[1]
    return next((line for line in text.splitlines() if line.strip()), text)
