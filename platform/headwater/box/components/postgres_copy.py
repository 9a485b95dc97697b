"""A PostgreSQL on a copy of the box's databases, reachable by this process alone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.box.components.postgres import server_argv
from headwater.box.inventory import READING
from headwater.box.supervisor import MARK
from headwater.box.unprivileged import chosen_user, hand_over
from headwater.errors import ComponentError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg import Connection

    from headwater.box.component import Box
    from headwater.box.unprivileged import Identity

__all__ = ["serving_copy"]

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LOG = "postgres-copy.log"
# The port is part of the socket's name; whatever the environment says of ports is about others.
_PORT = 5432
_APART = {"port": str(_PORT), "autovacuum": "off"}


@contextmanager
def serving_copy(box: Box, folder: Path) -> Iterator[Callable[[str], Connection[tuple[Any, ...]]]]:
    """Start a server on a copied cluster and give what opens one of its databases, by name, to be read.

    Raises:
        ComponentError: It does not start on this copy.
    """
    identity = chosen_user(box.profile)
    (folder / "postmaster.pid").unlink(missing_ok=True)  # of the server that was copied, when that was killed
    hand_over(folder, identity, box.profile.home)
    with _sockets(identity) as sockets, _started(box, folder, sockets, identity) as server:

        def connect(database: str) -> Connection[tuple[Any, ...]]:
            return _connect(box, sockets, database)

        _await(box, server, connect)
        yield connect


@contextmanager
def _sockets(identity: Identity) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="headwater-"))
    if identity.way == "account":
        os.chown(folder, identity.uid, identity.gid)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _started(box: Box, folder: Path, sockets: Path, identity: Identity) -> Iterator[subprocess.Popen[bytes]]:
    argv = server_argv(box, folder, listen_addresses="", unix_socket_directories=str(sockets), **_APART)
    with (
        (box.profile.home / "logs" / _LOG).open("wb") as log,
        subprocess.Popen(
            identity.wrap(argv),
            cwd=folder,
            env=inherited_env(**{MARK: str(box.profile.home)}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        ) as server,
    ):
        try:
            yield server
        finally:
            server.send_signal(signal.SIGINT)
            try:
                server.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                server.kill()


def _await(box: Box, server: subprocess.Popen[bytes], connect: Callable[[str], Connection[tuple[Any, ...]]]) -> None:
    from psycopg import Error  # noqa: PLC0415 - slow to import

    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            connect("postgres").close()
        except Error as error:
            if server.poll() is not None or time.monotonic() > deadline:
                log = box.profile.home / "logs" / _LOG
                raise ComponentError(f"PostgreSQL does not start on the copy: {error}. See {log}.") from error
            time.sleep(0.1)
        else:
            return


def _connect(box: Box, sockets: Path, database: str) -> Connection[tuple[Any, ...]]:
    import psycopg  # noqa: PLC0415

    return psycopg.connect(
        host=str(sockets),
        port=_PORT,
        user=box.profile.credentials.user("postgres"),
        password=box.profile.credentials.password("postgres"),
        dbname=database,
        connect_timeout=10,
        options=READING,
        autocommit=True,
    )
