"""Where clients of sessions come in: a gRPC proxy before the box's Spark that asks for a session's token.

It passes every call of Spark Connect on as it is, by bytes: calls with one message are to it streams of one.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError

from headwater_aws_api.emr._spark import LARGEST_MESSAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from headwater_aws_api.emr._spark import BoxSpark, Client

__all__ = ["Door", "Guests"]

_SERVICE = "/spark.connect.SparkConnectService/"
_TOKEN = "x-aws-proxy-auth"  # noqa: S105 - the header's name
# What belongs to one connection, and the login, which is another's behind the door.
_OF_A_CONNECTION = (_TOKEN, "authorization", "user-agent", "grpc-", ":")
_WORK = tuple(_SERVICE + name for name in ("ExecutePlan", "ReattachExecute"))
# Each open call of a client holds one thread; they start when they are needed.
_THREADS = 64
_UNLIMITED = 10.0**9
_NO_TOKEN = f"{_TOKEN} is no token of a session that runs; GetSessionEndpoint gives one."


@dataclass
class Guests:
    """Who is in one session of EMR's, and what they do.

    Args:
        settings: What every session of Spark's gets that is made within it.
        used: When somebody came or left last, on the monotonic clock.
        visited: Whether anybody ever came.
        gone: Whether all had to leave.
    """

    settings: Mapping[str, str]
    used: float = field(default_factory=time.monotonic)
    visited: bool = False
    gone: bool = False
    _clients: set[Client] = field(default_factory=set)
    _calls: dict[Any, bool] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _arrival: threading.Lock = field(default_factory=threading.Lock)

    @property
    def busy(self) -> bool:
        """Whether somebody has Spark work."""
        with self._lock:
            return any(self._calls.values())

    def welcome(self, client: Client, spark: BoxSpark) -> None:
        """Give a session of Spark's that was not seen before its settings.

        Raises:
            ComponentError: Spark refuses one.
        """
        with self._arrival:  # what the same client asks for meanwhile waits
            if client not in self._clients:
                spark.set(client, self.settings)
                self._clients.add(client)

    @contextmanager
    def visit(self, call: Any, method: str) -> Iterator[None]:
        """Count a call while it lasts."""
        with self._lock:
            self._calls[call] = method in _WORK
        self.visited = True
        try:
            yield
        finally:
            with self._lock:
                del self._calls[call]
            self.used = time.monotonic()

    def see_off(self, spark: BoxSpark) -> None:
        """End every call and every session of Spark's."""
        self.gone = True
        with self._lock:
            calls = list(self._calls)
        for call in calls:
            call.cancel()
        with self._arrival:
            spark.forget(self._clients)


class Door:
    """The proxy; it listens from the first session on.

    Args:
        address: Where, as ``host:port``.
        spark: What is behind it.
        admitted: Returns the session that a token lets into; None for no session.
    """

    def __init__(self, address: str, spark: BoxSpark, admitted: Callable[[str], Guests | None]) -> None:
        self._address, self._spark, self._admitted = address, spark, admitted
        self._server: Any = None

    def open(self) -> None:
        """Listen, unless it does already.

        Raises:
            ComponentError: Another program has the port.
        """
        if self._server is not None:
            return
        grpc: Any = import_module("grpc")  # slow to import, and without types
        door = self

        class Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # without types
            def service(self, details: Any) -> Any:
                if not details.method.startswith(_SERVICE):
                    return None
                return grpc.stream_stream_rpc_method_handler(
                    lambda requests, context: door._pass(details.method, requests, context)
                )

        sizes = [(f"grpc.max_{way}_message_length", LARGEST_MESSAGE) for way in ("receive", "send")]
        pool = ThreadPoolExecutor(_THREADS, "emr-session")
        server = grpc.server(pool, handlers=(Handler(),), options=[*sizes, ("grpc.so_reuseport", 0)])
        try:
            server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise ComponentError(
                f"Another program listens on {self._address}, where sessions' clients come in; "
                "`headwater doctor` names it."
            ) from error
        server.start()
        self._server = server

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.stop(None).wait()

    def _pass(self, method: str, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        """Pass a call on, and what comes back."""
        grpc: Any = import_module("grpc")
        given = [(name, value) for name, value in context.invocation_metadata()]
        guests = self._admitted(str(dict(given).get(_TOKEN, "")))
        if guests is None:
            _refuse(context, grpc.StatusCode.UNAUTHENTICATED, _NO_TOKEN)
            return
        first = next(requests)
        try:
            guests.welcome(self._spark.client_of(method.removeprefix(_SERVICE), first), self._spark)
        except ComponentError as error:
            _refuse(context, grpc.StatusCode.UNAVAILABLE, str(error))
            return
        left = context.time_remaining()
        call = self._spark.channel.stream_stream(method)(
            chain([first], requests),
            metadata=[*(pair for pair in given if not pair[0].startswith(_OF_A_CONNECTION)), self._spark.login],
            timeout=left if left is not None and left < _UNLIMITED else None,
        )
        with guests.visit(call, method):
            if not context.add_callback(call.cancel):
                call.cancel()  # the client has left already
            try:
                yield from call
            except grpc.RpcError as error:
                if guests.gone:
                    _refuse(context, grpc.StatusCode.UNAUTHENTICATED, _NO_TOKEN)
                    return
                # What an error is in full stands there.
                context.set_trailing_metadata(error.trailing_metadata() or ())
                _refuse(context, error.code(), error.details())


def _refuse(context: Any, code: Any, said: str) -> None:
    context.set_code(code)
    context.set_details(said)
