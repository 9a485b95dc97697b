"""The warm runner: a small process that has Dagster loaded and forks one child for every run.

A stock run starts two interpreters that each import Dagster again; here a run starts in the time of a fork. The runner
never imports the project's definitions, so every run sees the files as they are, and it has one thread, so forking is
safe. Whoever may open its socket (the box's owner, by the folder's mode) asks in one line of JSON::

    {"run": "<run id>"}  ->  {"pid": 4242}
    {"end": "<run id>"}  ->  {"pid": 4200}
    {}                   ->  {"pid": 4200, "runs": ["<run id>", ...]}
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ONE_THREAD_ENV", "Runner", "ask", "main"]

# What a run needs and no project owns. None of them starts a thread at import; Runner.serve makes sure.
WARM = (
    "dagster",
    "dagster._core.execution.api",
    "dagster._core.execution.plan.execute_plan",
    "dagster._core.executor.in_process",
    "dagster._core.storage.legacy_storage",
    "dagster._core.storage.local_compute_log_manager",
    "dagster._grpc.impl",
    "dagster_postgres",
    "psycopg2",
    "sqlalchemy.dialects.postgresql.psycopg2",
    "headwater_assets.lib.launcher",
    "headwater_assets.lib.run_process",
    "headwater_assets.lib.adapter",
    "headwater_assets.lib.sensors",
    "headwater.stack",
    "headwater.write",
    "pyarrow",
    "pyiceberg.catalog.hive",
    "pyspark.sql.connect.session",
    "boto3",
    "trino",
)

# Without these, numpy's linear algebra and Arrow's allocator start a thread when they are imported.
ONE_THREAD_ENV = {
    "OPENBLAS_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "GRPC_ENABLE_FORK_SUPPORT": "0",
}

_CHUNK = 65536
_REAP_SECONDS = 0.5


def ask(path: Path, request: dict[str, str], *, timeout: float = 5) -> dict[str, Any]:
    """Ask the runner one thing.

    Args:
        path: Its socket.
        request: One of the requests above.
        timeout: Seconds to wait for its answer.

    Raises:
        ComponentError: It does not answer or refuses.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, Any] = json.loads(_line(connection) or b"{}")
    except (OSError, ValueError) as error:
        raise ComponentError(
            f"Dagster's runner at {path} does not answer: {error}. See `headwater logs dagster`."
        ) from error
    if "pid" not in answer:
        raise ComponentError(f"Dagster's runner refused {request}: {answer.get('error', 'no answer')}.")
    return answer


def _line(connection: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(_CHUNK)
        if not part:
            break
        received += part
    return received


class Runner:
    """Forks one process per run, each in a session of its own, and outlives none of them on purpose.

    Args:
        path: Where to listen.
        logs: Folder for each run's output.
        work: What a child does with its run id.
        grace: Seconds that runs get to record their end when the runner is stopped.
    """

    def __init__(self, path: Path, logs: Path, work: Callable[[str], int], *, grace: float = 8) -> None:
        self._path, self._logs, self._work, self._grace = path, logs, work, grace
        self._children: dict[int, str] = {}
        self._ending: dict[int, float] = {}  # until when each may clean up
        self._stopping = False

    def serve(self, warm: Iterable[str] = WARM) -> None:
        """Import what runs need, then answer until a TERM or INT signal."""
        _import_all(warm)
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - no Path needed
        if threads > 1:
            raise ComponentError(
                f"Dagster's runner has {threads} threads after its imports; forking needs exactly one."
            )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        gc.collect()
        gc.freeze()  # the children share these pages as long as nobody writes to them
        with _listen(self._path) as server, selectors.DefaultSelector() as selector:
            selector.register(server, selectors.EVENT_READ)
            while not self._stopping:
                for _ in selector.select(_REAP_SECONDS):
                    self._answer(server)
                self._reap()
            self._end_children()
        self._path.unlink(missing_ok=True)

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _answer(self, server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):  # whoever asked may have gone away
            connection.settimeout(2)
            try:
                request = json.loads(_line(connection))
                answer = self._answer_to(request, (server, connection))
            except (OSError, ValueError, TypeError, KeyError) as error:
                answer = {"error": str(error)}
            connection.sendall(json.dumps(answer).encode() + b"\n")

    def _answer_to(self, request: dict[str, Any], inherited: tuple[socket.socket, ...]) -> dict[str, Any]:
        if "run" in request:
            return self._start(str(request["run"]), inherited)
        if "end" in request:
            return self._end(str(request["end"]))
        return self._status()

    def _end(self, run: str) -> dict[str, Any]:
        """Interrupt a run, so that it can clean up; what is left of it after the grace is killed."""
        for pid in (pid for pid, one in self._children.items() if one == run and pid not in self._ending):
            self._ending[pid] = time.monotonic() + self._grace
            os.kill(pid, signal.SIGTERM)
        return {"pid": os.getpid()}

    def _status(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "runs": sorted(self._children.values())}

    def _start(self, run: str, inherited: tuple[socket.socket, ...]) -> dict[str, Any]:
        if not run.replace("-", "").isalnum():
            raise ValueError(f"{run!r} is no run id")
        pid = os.fork()
        if pid == 0:
            self._become(run, inherited)
        self._children[pid] = run
        return {"pid": pid}

    def _become(self, run: str, inherited: tuple[socket.socket, ...]) -> NoReturn:
        code = 1
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.default_int_handler)
            for one in inherited:
                one.close()
            _redirect(self._logs / f"{run}.log")
            code = self._work(run)
        except BaseException:  # noqa: BLE001 - the last frame of the child; it must not return into the parent's loop
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _reap(self) -> None:
        for pid in list(self._children):
            if time.monotonic() > self._ending.get(pid, float("inf")):
                _kill_all(pid)
            if os.waitpid(pid, os.WNOHANG) != (0, 0):
                del self._children[pid]
                if self._ending.pop(pid, None) is not None:
                    _kill_all(pid)  # what it has started

    def _end_children(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._children:
                with suppress(ProcessLookupError):
                    os.killpg(pid, number)
            until = time.monotonic() + self._grace
            while self._children and time.monotonic() < until:
                time.sleep(0.05)
                self._reap()


def _kill_all(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _import_all(names: Iterable[str]) -> None:
    for name in names:
        with suppress(ImportError):  # an optional library, or one that this profile does not use
            importlib.import_module(name)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # a killed runner leaves its socket; the box's lock keeps a second runner away
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        server.bind(str(path))
    finally:
        os.umask(before)
    server.listen(16)
    return server


def _redirect(log: Path) -> None:
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(output)


@click.command()
@click.option("--socket", "path", type=click.Path(path_type=Path), required=True, help="Where to listen.")
@click.option("--logs", type=click.Path(path_type=Path), required=True, help="Folder for the runs' output.")
def main(path: Path, logs: Path) -> None:
    """Run the warm runner; DAGSTER_HOME names the instance."""
    from headwater_assets.lib.run_process import execute  # noqa: PLC0415 - with the other warm imports

    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    Runner(path, logs, execute).serve()


if __name__ == "__main__":
    main()
