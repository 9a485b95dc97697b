"""The box's Spark as the session API knows it: a server that is asked, and that clients' calls go on to."""

from __future__ import annotations

import uuid
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headwater.profile import Profile

__all__ = ["LARGEST_MESSAGE", "BoxSpark", "Client"]

# As much as the server itself takes.
LARGEST_MESSAGE = 256 * 1024 * 1024
_SERVICE = "SparkConnectService"
_SECONDS = 120


@dataclass(frozen=True)
class Client:
    """A session of Spark's own, which one client has within a session of EMR's.

    Args:
        session: Its id.
        user: Whose it says it is.
    """

    session: str
    user: str


class BoxSpark:
    """The box's Spark Connect server; nothing is connected before it is asked.

    Args:
        profile: Of the box.
    """

    def __init__(self, profile: Profile) -> None:
        self._address = profile.address("spark")
        self.login = ("authorization", f"Bearer {profile.credentials.password('spark')}")

    @cached_property
    def channel(self) -> Any:
        """The connection."""
        grpc: Any = import_module("grpc")  # slow to import, and without types
        sizes = [(f"grpc.max_{way}_message_length", LARGEST_MESSAGE) for way in ("receive", "send")]
        # No proxy leads to a component.
        return grpc.insecure_channel(self._address, options=[*sizes, ("grpc.enable_http_proxy", 0)])

    def client_of(self, method: str, request: bytes) -> Client:
        """Return who sends a request of a method; those of every method say it."""
        kind = self._messages.DESCRIPTOR.services_by_name[_SERVICE].methods_by_name[method].input_type
        said = kind._concrete_class.FromString(request)  # noqa: SLF001 - protobuf has no other way to it
        return Client(said.session_id, said.user_context.user_id)

    def check(self, settings: Mapping[str, str]) -> None:
        """Make sure that the server answers, and that a session there can have some settings.

        Raises:
            ComponentError: It does not answer, or cannot.
        """
        client = Client(str(uuid.uuid4()), "headwater-aws-api")
        self.set(client, settings)
        self.forget([client])

    def set(self, client: Client, settings: Mapping[str, str]) -> None:
        """Give a client's session settings, where they are not the server's already.

        Raises:
            ComponentError: The server does not answer, or one of them is not to be changed there.
        """
        pb = self._messages
        asked = pb.ConfigRequest.Operation(get_option=pb.ConfigRequest.GetOption(keys=list(settings)))
        present = {pair.key: pair.value for pair in self._config(client, asked).pairs}
        for name, value in settings.items():
            if present.get(name) != value:
                pair = pb.KeyValue(key=name, value=value)
                self._config(client, pb.ConfigRequest.Operation(set=pb.ConfigRequest.Set(pairs=[pair])))

    def forget(self, clients: Iterable[Client]) -> None:
        """Stop what clients compute, and end their sessions; those that the server does not know have ended."""
        pb = self._messages
        every = pb.InterruptRequest.INTERRUPT_TYPE_ALL
        for client in clients:
            with suppress(ComponentError):
                self._ask("Interrupt", pb.InterruptRequest(**self._from(client), interrupt_type=every))
                self._ask("ReleaseSession", pb.ReleaseSessionRequest(**self._from(client)))

    def close(self) -> None:
        """Close the connection, where there is one."""
        if "channel" in self.__dict__:
            self.channel.close()

    @cached_property
    def _messages(self) -> Any:
        return import_module("pyspark.sql.connect.proto.base_pb2")

    def _config(self, client: Client, operation: Any) -> Any:
        return self._ask("Config", self._messages.ConfigRequest(**self._from(client), operation=operation))

    def _from(self, client: Client) -> dict[str, Any]:
        return {"session_id": client.session, "user_context": self._messages.UserContext(user_id=client.user)}

    def _ask(self, method: str, request: Any) -> Any:
        grpc: Any = import_module("grpc")
        stub = import_module("pyspark.sql.connect.proto.base_pb2_grpc").SparkConnectServiceStub(self.channel)
        try:
            return getattr(stub, method)(request, timeout=_SECONDS, metadata=(self.login,))
        except grpc.RpcError as error:
            said = str(error.details()).strip().splitlines()[0].rstrip(".")
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                raise ComponentError(
                    f"The box's Spark at {self._address} does not answer: {said}; `headwater up spark` starts it."
                ) from error
            raise ComponentError(f"The box's Spark refused {method}: {said}.") from error
