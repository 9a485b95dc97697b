"""PyIceberg's Hive catalog, whose commits are refused when their lock was lost.

A lock of Hive Metastore expires. A writer that was stopped for longer than that (a suspended laptop, a starved
container) would wake up and overwrite what others committed meanwhile, because Hive Metastore 3 knows no conditional
change of a table. So the lock is renewed directly before the change; the metastore refuses to renew one that expired.
"""

from __future__ import annotations

from typing import Any

from hive_metastore.ThriftHiveMetastore import Client
from hive_metastore.ttypes import (
    HeartbeatRequest,
    LockResponse,
    LockState,
    NoSuchLockException,
    NoSuchTxnException,
    TxnAbortedException,
)
from pyiceberg.catalog.hive import HiveCatalog, _HiveClient
from pyiceberg.exceptions import CommitFailedException
from thrift.protocol import TBinaryProtocol

__all__ = ["GuardedHiveCatalog"]


class _GuardedClient(Client):  # type: ignore[misc]  # generated code without types
    _lock: int | None = None

    def lock(self, rqst: Any) -> LockResponse:
        answer = super().lock(rqst)
        if answer.state in (LockState.ACQUIRED, LockState.WAITING):
            self._lock = answer.lockid
        return answer

    def alter_table_with_environment_context(
        self, dbname: str, tbl_name: str, new_tbl: Any, environment_context: Any
    ) -> None:
        if self._lock is not None:
            try:
                self.heartbeat(HeartbeatRequest(lockid=self._lock))
            except (NoSuchLockException, NoSuchTxnException, TxnAbortedException) as error:
                raise CommitFailedException(f"The lock on {dbname}.{tbl_name} expired before the commit") from error
        super().alter_table_with_environment_context(dbname, tbl_name, new_tbl, environment_context)


class _GuardedConnection(_HiveClient):
    def _client(self) -> Client:
        return _GuardedClient(TBinaryProtocol.TBinaryProtocol(self._transport))


class GuardedHiveCatalog(HiveCatalog):
    """A HiveCatalog that renews its lock directly before each change of a table."""

    @staticmethod
    def _create_hive_client(properties: dict[str, str]) -> _HiveClient:
        return _GuardedConnection(properties["uri"])
