"""Rejected rows of ingests: kept with the load that rejected them, shown in ``<table>__rejected`` once its rows are.

One commit decides: the one that shows the load's rows. Before it the rejected rows lie in the load's own folder, and go
with it when the load dies; the commit's snapshot says that they are there. After it they are shown, by the load itself
or, where it was killed, by whoever begins the next one or looks after the table, before the dead load's lease goes.

Each showing is a load of its own in the table of rejected rows, named by the load's token and a suffix. So several at
once, and what dead ones leave, get into each other's way no more than any two loads do, and the token tells what has
been shown.
"""

from __future__ import annotations

import io
import secrets
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater import layout
from headwater.ddl import REJECTS
from headwater.errors import HeadwaterError, WriteError
from headwater.write._iceberg import RUN_MARK, STAGE_MARK, iceberg_errors, live_files, loaded
from headwater.write._ingested import FileLoad, ingested_table
from headwater.write._lease import leases
from headwater.write._leftovers import load_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table as IcebergTable
    from pyiceberg.table.snapshots import Snapshot

    from headwater.stack import Stack
    from headwater.table import TableName

__all__ = ["Due", "Rejects", "due"]

# In a snapshot's summary: how many rows its load rejected, and that all rows before it gave way.
_COUNT = "headwater.rejected"
_REPLACES = "headwater.replaces"


class _Settled(Exception):  # noqa: N818 - no failure: ends a load that has become needless
    """There is nothing to show, or nothing any more."""


@dataclass(frozen=True, kw_only=True)
class Due:
    """What a published load's snapshot says of its rejected rows, and those after it.

    Args:
        rows: How many there are.
        replaces: Those of earlier loads give way.
        later: Tokens of the loads that were published after it.
        heir: The last of them whose rows took the place of all before; empty when none did.
    """

    rows: int
    replaces: bool
    later: frozenset[str]
    heir: str


def due(snapshots: Iterable[Snapshot], token: str) -> Due | None:
    """Return what there is to show of a load; None when it was not published, or says nothing of rejected rows.

    Loads of releases before this one say nothing: they showed their rejected rows first.
    """
    line = sorted(snapshots, key=lambda one: one.sequence_number or 0)
    said = [one.summary.additional_properties if one.summary else {} for one in line]
    at = next((number for number, one in enumerate(said) if one.get(STAGE_MARK) == token), None)
    if at is None or _COUNT not in said[at]:
        return None
    later = said[at + 1 :]
    heirs = [one[STAGE_MARK] for one in later if _REPLACES in one]
    return Due(
        rows=int(said[at][_COUNT]),
        replaces=_REPLACES in said[at],
        later=frozenset(one.get(STAGE_MARK, "") for one in later),
        heir=heirs[-1] if heirs else "",
    )


@dataclass(frozen=True, kw_only=True)
class Rejects:
    """The rejected rows of one ingested table.

    Args:
        name: The table whose loads reject them.
        stack: Where it lies.
        log: Told what happens.
    """

    name: TableName
    stack: Stack
    log: Callable[[str], None]

    def refuse_unfit(self) -> None:
        """Refuse a table of rejected rows that cannot take any.

        Raises:
            WriteError: Something else has its name.
        """
        table = ingested_table(self.stack, self.name.rejected)
        if table is None:
            return
        types = {one.name: str(one.field_type) for one in table.schema().fields}
        if table.spec().fields or any(types.get(one.name) != one.type for one in REJECTS):
            raise WriteError(
                f"{self.name.rejected} is there, but not as a table of rejected rows; drop or rename it, or choose "
                f"another name than {self.name}."
            )

    def keep(self, token: str, rows: Sequence[tuple[str, int, str, str]], *, replace: bool) -> Mapping[str, str]:
        """Store a load's rejected rows in its folder; return what its snapshot has to say of them, if anything.

        Args:
            token: The load's.
            rows: File, line, reason and text of each.
            replace: The load takes the place of all before it.
        """
        if rows:
            self.stack.storage.put(self._kept(token), _parquet(rows))
        said = {_REPLACES: "true"} if replace else {}
        return {_COUNT: str(len(rows)), **said} if rows or replace else {}

    def show(self, token: str) -> None:
        """Show what a published load rejected, unless that was done or the load's rows gave way to another's.

        Any number of processes may do so, at once or again.

        Raises:
            WriteError: They cannot be shown; they are kept.
        """
        try:
            self._show(token)
            now = self._due(token)
            if now and now.heir:
                # It may have found no table to empty just before these rows made one.
                self._show(now.heir)
        except HeadwaterError as error:
            raise WriteError(
                f"The rows of load {token} are in {self.name}, and those that it rejected are kept but not shown; the "
                f"next ingest into it or `headwater maintain` shows them, once this is settled: {error}"
            ) from error

    def finish(self) -> None:
        """Show what loads rejected that were killed before they could, or that are about to: those with a lease.

        Raises:
            WriteError: They cannot be shown; they are kept.
        """
        for token in sorted(leases(self.stack.storage, layout.location(self.stack.profile.bucket, self.name))):
            self.show(token)

    def _show(self, token: str) -> None:
        def judge(table: IcebergTable | None) -> None:
            self._pending(token, table)

        def gone(table: IcebergTable) -> Iterable[DataFile]:
            later = self._pending(token, table).later
            return [file for file in live_files(table) if _shown_token(load_id(file.file_path)) not in later]

        with suppress(_Settled):
            pending = self._pending(token, ingested_table(self.stack, self.name.rejected))
            with self._load(token) as load:
                if pending.rows:
                    self.log(f"{self.name.rejected}: adding {pending.rows} rejected of load {token}")
                files = [self._copied(token, load)] if pending.rows else []
                summary = {RUN_MARK: "ingest"}
                load.publish(
                    _schema(), files, replace=pending.replaces, partition_by="", summary=summary, judge=judge, gone=gone
                )

    def _load(self, token: str) -> FileLoad:
        own = f"{token}-{secrets.token_hex(3)}"
        return FileLoad.begin(self.name.rejected, self.stack, run="ingest", log=self.log, token=own)

    def _copied(self, token: str, load: FileLoad) -> str:
        """Copy the kept rows: either table's files can then go without the other's."""
        uri = f"{load.prefix}data/rejected.parquet"
        self.stack.storage.put(uri, self.stack.storage.read(self._kept(token)))
        return uri

    def _kept(self, token: str) -> str:
        return layout.load_prefix(self.stack.profile.bucket, self.name, layout.Load(token)) + "rejected.parquet"

    def _due(self, token: str) -> Due | None:
        table = loaded(self.stack.metastore.iceberg(), self.name)
        return due(table.metadata.snapshots, token) if table else None

    def _pending(self, token: str, table: IcebergTable | None) -> Due:
        """Return what is to be shown, on a state of the table of rejected rows.

        The loads are looked at after that state was: one that replaces them later changes it, which refuses the commit.
        """
        now = self._due(token)
        if now is None or now.heir or (table is None and not now.rows):
            raise _Settled
        if table is not None and _is_shown(table, token):
            raise _Settled
        return now


def _is_shown(table: IcebergTable, token: str) -> bool:
    """Return whether a load's rejected rows are, or were, in a table: snapshots may be forgotten, files by hand."""
    marks = (one.summary.additional_properties.get(STAGE_MARK, "") for one in table.metadata.snapshots if one.summary)
    if token in map(_shown_token, marks):
        return True
    with iceberg_errors(f"The files of {'.'.join(table.name())} cannot be listed"):
        return any(_shown_token(load_id(file.file_path)) == token for file in live_files(table))


def _shown_token(token: str) -> str:
    """Return the token of the load whose rejected rows a load shows."""
    return token.partition("-")[0]


def _schema() -> Any:
    import pyarrow as pa  # noqa: PLC0415 - slow to import

    types = {"string": pa.string(), "long": pa.int64()}
    return pa.schema([pa.field(column.name, types[column.type]) for column in REJECTS])


def _parquet(rows: Sequence[tuple[str, int, str, str]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    schema = _schema()
    columns = zip(*rows, strict=True)
    arrays = [pa.array(list(values), field.type) for values, field in zip(columns, schema, strict=True)]
    whole = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), whole)
    return whole.getvalue()
