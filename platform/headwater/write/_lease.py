"""Signs of life: how a write says that it still runs, and how others see that it does not."""

from __future__ import annotations

import json
import os
import socket
import threading
from typing import TYPE_CHECKING, Self

from headwater.errors import StorageError, WriteError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from headwater.storage import Storage

__all__ = ["Lease", "expired_leases", "leases"]

_FOLDER = "_leases"
_BEATS_PER_LEASE = 4


class Lease:
    """One write's lease: an object that a thread keeps young while the write runs.

    It is made before anything else of the write and released after everything else, so that a lease older than
    ``seconds`` is all that it takes to find what a dead write left.

    Args:
        storage: Where it lies.
        location: The target table's.
        token: The stage's.
        run: For people who find it.
        seconds: Age after which the write counts as dead.
        log: Told when the store refuses a sign of life.
    """

    def __init__(
        self, storage: Storage, location: str, token: str, *, run: str, seconds: float, log: Callable[[str], None]
    ) -> None:
        self._storage = storage
        self._uri = f"{location}/{_FOLDER}/{token}"
        self._text = json.dumps({"run": run, "host": socket.gethostname(), "pid": os.getpid()}).encode()
        self._every = seconds / _BEATS_PER_LEASE
        self._log = log
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease-{token}", daemon=True)

    def __enter__(self) -> Self:
        """Take the lease and keep it young from now on."""
        self._storage.put(self._uri, self._text)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let it grow old; ``release`` is for a write that left nothing."""
        self._ended.set()
        self._thread.join()

    def release(self) -> None:
        """Give the lease back: nothing is left that somebody would have to clean up."""
        self._ended.set()
        self._thread.join()
        self._storage.delete([self._uri])

    def confirm(self) -> None:
        """Make sure that nobody has taken this write for dead and cleaned up after it.

        Raises:
            WriteError: Somebody has.
        """
        if not any(found.uri == self._uri for found in self._storage.objects(self._uri)):
            raise WriteError(f"The lease {self._uri} is gone: the write was taken for dead. Run it again.")

    def _beat(self) -> None:
        while not self._ended.wait(self._every):
            try:
                # A lease that a sweeper removed must not come back: it would protect nothing.
                self.confirm()
                self._storage.put(self._uri, self._text)
            except StorageError as error:
                self._log(f"no sign of life was left: {error}")
            except WriteError:
                return


def leases(storage: Storage, location: str) -> Iterator[str]:
    """Yield the token of every lease on a table."""
    prefix = f"{location}/{_FOLDER}/"
    for found in storage.objects(prefix):
        yield found.uri.removeprefix(prefix)


def expired_leases(storage: Storage, location: str, seconds: float) -> Iterator[tuple[str, str]]:
    """Yield token and location of every lease on a table that is older than it may be."""
    prefix = f"{location}/{_FOLDER}/"
    for found in storage.objects(prefix):
        if found.age > seconds:
            yield found.uri.removeprefix(prefix), found.uri
