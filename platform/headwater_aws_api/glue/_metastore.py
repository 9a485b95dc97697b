"""Hive Metastore as Glue's memory: its exceptions as AWS's, its locks, and which version of a table it shows."""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater.box.components.metastore import metastore_client
from headwater.errors import ComponentError
from headwater.metastores.shapes import table_input

from headwater_aws_api.errors import AwsError
from headwater_aws_api.glue._shapes import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.profile import Profile

    from headwater_aws_api.store import Store, Version

__all__ = ["ACCOUNT", "Found", "Metastore", "ttypes"]

# The box's account, as in every ARN.
ACCOUNT = "000000000000"
_LOCK_SECONDS = 30
_LOCK_PAUSE = 0.1


def ttypes() -> Any:
    """Return the metastore's generated types; slow to import."""
    from thrift_files.libraries.thrift_hive_metastore_client import ttypes as generated  # noqa: PLC0415

    return generated


@dataclass(frozen=True)
class Found:
    """A table as the metastore has it, and which version that is.

    Args:
        table: The metastore's form.
        version: The version.
    """

    table: Any
    version: Version


class Metastore:
    """Sessions with the box's metastore.

    Args:
        profile: Where it is.
        store: Remembers the versions of tables.
    """

    def __init__(self, profile: Profile, store: Store) -> None:
        self._profile = profile
        self.store = store

    @property
    def warehouse(self) -> str:
        """Where databases lie that name no place."""
        return f"s3://{self._profile.bucket}"

    @contextmanager
    def session(self, what: str) -> Iterator[Any]:
        """Open a connection.

        Args:
            what: The object of the call, for errors.

        Raises:
            AwsError: The metastore refused or does not answer.
        """
        kinds = ttypes()
        try:
            with metastore_client(self._profile) as client, _as_aws(kinds, what):
                yield client
        except ComponentError as error:
            raise AwsError("InternalServiceException", str(error), 500) from error

    @contextmanager
    def locked(self, database: str, name: str) -> Iterator[Any]:
        """Open a connection that alone may change a table; gives the client and what to call before the change.

        Other writers of Iceberg tables take the same lock, whichever way they came.

        Raises:
            AwsError: The lock was not to be had, or the metastore refused.
        """
        with self.session(f"Table {database}.{name}") as client:
            lock = _take(client, database, name)
            try:
                yield client, lambda: _renew(client, lock, database, name)
            finally:
                client.unlock(ttypes().UnlockRequest(lockid=lock))

    def table(self, client: Any, database: str, name: str) -> Found:
        """Return a table; a change that came another way is a version of its own from now on.

        Raises:
            AwsError: There is none.
        """
        return self.seen(client.get_table(database.lower(), name.lower()))

    def seen(self, table: Any, given: dict[str, Any] | None = None, *, replace: bool = False) -> Found:
        """Return a metastore's table with its version.

        Args:
            table: As it is now.
            given: The ``TableInput`` it was just made from, which says more than the metastore keeps.
            replace: The former version is not kept.
        """
        mark, input_ = mark_of(table), table_input(table) if given is None else given
        return Found(
            table,
            self.store.see(table.dbName, table.tableName, table.createTime, mark, input_, replace=replace),
        )

    def tables(self, client: Any, database: str, names: Sequence[str]) -> list[Found]:
        """Return several tables of a database, in the order of their names; what vanished meanwhile is left out."""
        if not names:
            return []
        found = sorted(client.get_table_objects_by_name(database, list(names)), key=lambda one: one.tableName)
        known = self.store.latest_versions(database, list(names))
        return [
            Found(one, last)
            if (last := known.get(one.tableName)) and (last.born, last.mark) == (one.createTime, mark_of(one))
            else self.seen(one)
            for one in found
        ]


@contextmanager
def _as_aws(kinds: Any, what: str) -> Iterator[None]:
    try:
        yield
    except (kinds.NoSuchObjectException, kinds.UnknownDBException, kinds.UnknownTableException) as error:
        raise AwsError("EntityNotFoundException", f"{what} not found.") from error
    except kinds.AlreadyExistsException as error:
        raise AwsError("AlreadyExistsException", f"{what} already exists.") from error
    except (kinds.InvalidObjectException, kinds.InvalidOperationException, kinds.InvalidInputException) as error:
        raise AwsError("InvalidInputException", f"{what}: the metastore refused it: {error.message}.") from error
    except kinds.MetaException as error:
        raise AwsError("InvalidInputException", f"{what}: the metastore refused it: {error.message}.") from error


def _take(client: Any, database: str, name: str) -> int:
    kinds = ttypes()
    wanted = kinds.LockComponent(
        type=kinds.LockType.EXCLUSIVE,
        level=kinds.LockLevel.TABLE,
        dbname=database,
        tablename=name,
        isTransactional=True,
    )
    request = kinds.LockRequest(
        component=[wanted], user="headwater-aws-api", hostname=f"{socket.gethostname()}:{os.getpid()}"
    )
    answer, deadline = client.lock(request), time.monotonic() + _LOCK_SECONDS
    while answer.state == kinds.LockState.WAITING and time.monotonic() < deadline:
        time.sleep(_LOCK_PAUSE)
        answer = client.check_lock(kinds.CheckLockRequest(lockid=answer.lockid))
    if answer.state != kinds.LockState.ACQUIRED:
        client.unlock(kinds.UnlockRequest(lockid=answer.lockid))
        raise AwsError(
            "ConcurrentModificationException", f"Table {database}.{name} is being changed by somebody else; try again."
        )
    lock: int = answer.lockid
    return lock


def _renew(client: Any, lock: int, database: str, name: str) -> None:
    """Make sure that the lock is still held: a process that was stopped for long has lost it to somebody else."""
    kinds = ttypes()
    try:
        client.heartbeat(kinds.HeartbeatRequest(lockid=lock))
    except (kinds.NoSuchLockException, kinds.NoSuchTxnException, kinds.TxnAbortedException) as error:
        raise AwsError(
            "ConcurrentModificationException", f"The lock on {database}.{name} expired before the change; try again."
        ) from error
