"""One call of ingest: look, judge, copy, and show by one change of the metastore."""

from __future__ import annotations

import hashlib
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from headwater.errors import InputError
from headwater.files._copy import Copied, Mistyped, copy_rows, safe_stem
from headwater.files._duck import connected, scratch_folder
from headwater.files._find import Source, find_sources
from headwater.files._objects import object_rows
from headwater.files._options import Options, table_name
from headwater.files._overlay import can_lie_over
from headwater.files._plan import Planned, plan_columns
from headwater.files._readers import common_format, open_files
from headwater.files._target import cut_of, existing_types, refuse_declared, refuse_existing, refuse_misfit
from headwater.files._typed import Batches
from headwater.files._unpack import unpacked
from headwater.write import LoadedFile, begin_file_load, ingested_table, rejects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from pyiceberg.table import Table as IcebergTable

    from headwater.files._relation import Relation
    from headwater.stack import Stack
    from headwater.table import TableName
    from headwater.write._ingested import FileLoad

__all__ = ["Inferred", "Ingested", "Loader"]

_UPLOADS = 2
_RUN = "ingest"


@dataclass(frozen=True)
class Inferred:
    """One column, as people are shown it.

    Args:
        column: Its name.
        type: Its type.
        why: How the type was found.
        examples: Some of its values, as text, where they were looked at.
    """

    column: str
    type: str
    why: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What an ingest did.

    Args:
        table: The table's ``raw.name``.
        columns: Its columns and why they are of their types.
        rows: Rows that were added.
        rejected: Rows that went to ``<table>__rejected``.
        files: Original files, kept byte for byte.
        bytes: Their size.
        snapshot_id: The Iceberg snapshot that shows the rows; None after a dry run.
        seconds: How long it took.
        location: Folder of the load, with a closing slash; empty after a dry run.
        originals: The original files.
        appended: The rows were added to those that were there.
    """

    table: str
    columns: tuple[Inferred, ...]
    rows: int = 0
    rejected: int = 0
    files: int = 0
    bytes: int = 0
    snapshot_id: int | None = None
    seconds: float = 0.0
    location: str = ""
    originals: tuple[LoadedFile, ...] = ()
    appended: bool = False


@dataclass(frozen=True)
class _Original:
    source: Source
    size: int
    sha256: str

    def uri(self, prefix: str) -> str:
        return f"{prefix}files/{self.sha256}/{self.source.name}"


@dataclass(frozen=True, kw_only=True)
class Loader:
    """One call of ``headwater.ingest``.

    Args:
        name: The table.
        options: The caller's wishes.
        stack: Where the table goes.
        log: Told what happens.
        began: When the call began.
    """

    name: TableName
    options: Options
    stack: Stack
    log: Callable[[str], None]
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def begin(
        cls, table: str, options: Options, stack: Stack, log: Callable[[str], None], *, dry_run: bool = False
    ) -> Loader:
        """Check what can be checked before anything is read.

        Raises:
            InputError: The table is not one to ingest into.
            WriteError: What an earlier load of it rejected cannot be shown.
        """
        name = table_name(table)
        refuse_declared(name, stack.profile)
        there = ingested_table(stack, name)
        if there and options.if_exists == "fail" and not dry_run:
            # It will be refused, perhaps as the rerun of a load that was killed before it showed its rejected rows.
            rejects(name, stack, log=log).finish()
        refuse_existing(there, name, options)
        return cls(name=name, options=options, stack=stack, log=log)

    def files(self, wanted: Sequence[str], *, dry_run: bool) -> Ingested:
        """Ingest files."""
        with scratch_folder(self.stack.profile.home) as scratch, connected(scratch) as connection:
            originals = [_original(one) for one in find_sources(wanted, self.stack.storage, scratch / "fetched")]
            _refuse_doubles(originals, self.options)
            opened = [part for one in originals for part in unpacked(one.source, scratch / "unpacked")]
            kind = common_format(opened, self.options)
            if kind == "objects":
                return self._objects(connection, originals, scratch, dry_run=dry_run)
            relation = open_files(connection, opened, kind, self.options, scratch / "text")
            columns = self._plan(connection, relation, whole=dry_run)
            if dry_run:
                return self._told(columns, originals)
            with self._load() as load:
                self._refuse_known(load, ingested_table(self.stack, self.name), originals)
                whole = opened == [one.source for one in originals] and kind == "parquet"
                lies_over = whole and not self.options.partition_by and can_lie_over(opened, columns)
                return self._loaded(
                    load, connection, relation, columns, originals=originals, scratch=scratch, lies_over=lies_over
                )

    def frame(self, schema: Any, batches: Iterator[Any], *, dry_run: bool) -> Ingested:
        """Ingest rows that come as Arrow batches."""
        with scratch_folder(self.stack.profile.home) as scratch, connected(scratch) as connection:
            relation = Batches(schema, lambda: batches, "The DataFrame", connection)
            columns = self._plan(connection, relation, whole=False)
            if dry_run:
                return self._told(columns, ())
            with self._load() as load:
                return self._loaded(load, connection, relation, columns, originals=(), scratch=scratch)

    def _objects(self, connection: Any, originals: Sequence[_Original], scratch: Path, *, dry_run: bool) -> Ingested:
        load = self._load()
        rows = object_rows([(one.source, one.sha256, one.uri(load.prefix)) for one in originals])
        relation = Batches(rows.schema, lambda: iter(rows.to_batches()), "The files", connection)
        columns = self._plan(connection, relation, whole=False)
        if dry_run:
            return self._told(columns, originals)
        with load:
            self._refuse_known(load, ingested_table(self.stack, self.name), originals)
            return self._loaded(load, connection, relation, columns, originals=originals, scratch=scratch)

    def _load(self) -> FileLoad:
        return begin_file_load(self.name, self.stack, run=_RUN, log=self.log)

    def _plan(self, connection: Any, relation: Relation, *, whole: bool) -> list[Planned]:
        table = ingested_table(self.stack, self.name) if self.options.if_exists == "append" else None
        target = existing_types(connection, table) if table else None
        columns = plan_columns(connection, relation, self.options, target, whole=whole)
        cut = self.options.partition_by
        if cut and cut not in {column.field.name for column in columns}:
            known = ", ".join(column.field.name for column in columns)
            raise InputError(f"There is no column {cut!r} to partition by; there are {known}.")
        return columns

    def _loaded(
        self,
        load: FileLoad,
        connection: Any,
        relation: Relation,
        columns: list[Planned],
        *,
        originals: Sequence[_Original],
        scratch: Path,
        lies_over: bool = False,
    ) -> Ingested:
        with ThreadPoolExecutor(_UPLOADS) as uploads:
            sent = [uploads.submit(self._keep, load, one) for one in originals]
            how = self._how(originals)
            columns, copied = self._copied(connection, relation, columns, scratch / "copy", how)
            for one in sent:
                one.result()
        if lies_over:
            shown = [one.uri(load.prefix) for one in originals]
        else:
            shown = self._send(load, copied, scratch / "copy", originals)
        self._note(load, originals, copied)

        def judge(table: IcebergTable | None) -> None:
            self._judge(load, originals, table)
            if table and self.options.if_exists == "append":
                refuse_misfit(connection, table, schema=copied.schema, cut=how["partition_by"])

        snapshot = self._publish(load, copied, shown, judge)
        told = self._told(columns, originals)
        return replace(
            told, rows=copied.rows, rejected=len(copied.rejected), snapshot_id=snapshot, location=load.prefix
        )

    def _publish(
        self, load: FileLoad, copied: Copied, shown: Sequence[str], judge: Callable[[IcebergTable | None], None]
    ) -> int:
        """Show the rows, and then those that were rejected."""
        replaces = self.options.if_exists == "replace"
        aside = rejects(self.name, self.stack, log=self.log)
        bad = [(one.name, one.line, one.reason, one.text) for one in copied.rejected]
        said = aside.keep(load.token, bad, replace=replaces)

        def judge_both(table: IcebergTable | None) -> None:
            judge(table)
            if said:
                aside.refuse_unfit()

        snapshot = load.publish(
            copied.schema,
            shown,
            replace=replaces,
            partition_by=self.options.partition_by,
            summary={"headwater.run": _RUN, "headwater.load": load.prefix, **said},
            judge=judge_both,
        )
        if said:
            aside.show(load.token)
        return snapshot

    def _how(self, originals: Sequence[_Original]) -> dict[str, Any]:
        return {
            "partition_by": self.options.partition_by or cut_of(ingested_table(self.stack, self.name)),
            "reject": self.options.on_bad_rows == "reject",
            "sources": [one.source.name for one in originals] or ["a DataFrame"],
        }

    def _judge(self, load: FileLoad, originals: Sequence[_Original], table: IcebergTable | None) -> None:
        """Refuse a state of the table that the rows may not go to; others may have changed it during the copy."""
        refuse_existing(table, self.name, self.options)
        self._refuse_known(load, table, originals)

    def _copied(
        self, connection: Any, relation: Relation, columns: list[Planned], target: Path, how: dict[str, Any]
    ) -> tuple[list[Planned], Copied]:
        """Write the typed copy; when the first rows misled, judge by all rows and write it again."""
        try:
            return columns, copy_rows(connection, relation, columns, target / "1", **how)
        except Mistyped as error:
            self.log(f"{self.name}: {error.column or 'a column'} is not what its first rows are; looking at every row")
        columns = self._plan(connection, relation, whole=True)
        try:
            return columns, copy_rows(connection, relation, columns, target / "2", **how)
        except Mistyped as error:
            raise InputError(
                f"Column {error.column!r} has a value that fits no type; give it one with --type."
            ) from error

    def _keep(self, load: FileLoad, one: _Original) -> None:
        with one.source.path.open("rb") as file:
            stored = self.stack.storage.put(one.uri(load.prefix), file)
        if stored.sha256 != one.sha256:
            raise InputError(f"{one.source.shown} changed while it was read; ingest it again.")

    def _send(self, load: FileLoad, copied: Copied, base: Path, originals: Sequence[_Original]) -> list[str]:
        stem = safe_stem(originals[0].source.name) if originals else "rows"
        made = []
        for number, path in enumerate(copied.files):
            below = path.parent.relative_to(base).as_posix().partition("/")[2]
            folder = re.sub(r"[^A-Za-z0-9_=.-]+", "_", below.rpartition("/")[2]) if "=" in below else ""
            uri = f"{load.prefix}data/{folder + '/' if folder else ''}{stem}-{number:05}.parquet"
            with path.open("rb") as file:
                self.stack.storage.put(uri, file)
            made.append(uri)
        return made

    def _note(self, load: FileLoad, originals: Sequence[_Original], copied: Copied) -> None:
        """Write down what came, beside it."""
        told = {
            "files": [{"name": one.source.name, "size": one.size, "sha256": one.sha256} for one in originals],
            "rows": copied.rows,
            "rejected": len(copied.rejected),
            "options": asdict(self.options),
        }
        self.stack.storage.put(load.prefix + "manifest.json", json.dumps(told, indent=1).encode())

    def _refuse_known(self, load: FileLoad, table: IcebergTable | None, originals: Sequence[_Original]) -> None:
        if self.options.if_exists != "append" or self.options.again or table is None or not originals:
            return
        known = {uri.partition("/files/")[2].partition("/")[0] for uri in load.shown_files(table) if "/files/" in uri}
        for one in originals:
            if one.sha256 in known:
                raise InputError(
                    f"{one.source.shown} is in {self.name} already, byte for byte and whole; "
                    "--again appends it a second time."
                )

    def _told(self, columns: Sequence[Planned], originals: Sequence[_Original]) -> Ingested:
        return Ingested(
            table=str(self.name),
            columns=tuple(Inferred(one.field.name, one.shown_kind, one.why, one.examples) for one in columns),
            files=len(originals),
            bytes=sum(one.size for one in originals),
            originals=tuple(LoadedFile(name=one.source.name, size=one.size, sha256=one.sha256) for one in originals),
            appended=self.options.if_exists == "append",
            seconds=time.monotonic() - self.began,
        )


def _original(source: Source) -> _Original:
    with source.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return _Original(source, source.path.stat().st_size, digest)


def _refuse_doubles(originals: Sequence[_Original], options: Options) -> None:
    seen: dict[str, str] = {}
    for one in originals:
        if one.sha256 in seen and not options.again:
            raise InputError(
                f"{one.source.shown} is the same as {seen[one.sha256]}, byte for byte; --again takes both."
            )
        seen[one.sha256] = one.source.shown
