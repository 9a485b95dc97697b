"""Raw loading: files stored byte for byte beside the old ones, then shown by one change of the metastore."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headwater import layout
from headwater.arrivals import arrivals
from headwater.errors import StorageError, WriteError
from headwater.metastores.base import RawLoad
from headwater.words import amount
from headwater.write import LoadedFile, Published, RawState, WrittenPartition
from headwater.write._lease import Lease, expired_leases
from headwater.write._lines import LineCount, usual_fields
from headwater.write._manifest import Loaded, read_manifest, write_manifest
from headwater.write._requests import partition_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from headwater.stack import Stack
    from headwater.table import DelimitedFiles, Table

__all__ = ["Arrival"]

_DIGEST = "files"
# Files read at once: one alone leaves the store waiting for its reader, and more would hold their parts in memory.
_AT_ONCE = 2


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One call of ``load_raw``.

    Args:
        table: What is loaded.
        files: Where it comes from.
        stack: Where it goes to.
        run: Who loads.
        partitions: Key and value's text of every partition; one pair of empty texts for a table without.
        log: Told what happens.
        warnings: Filled with what somebody should look at.
    """

    table: Table
    files: DelimitedFiles
    stack: Stack
    run: str
    partitions: Sequence[tuple[str, str]]
    log: Callable[[str], None]
    warnings: list[str] = field(default_factory=list)

    @classmethod
    def begin(
        cls, table: Table, stack: Stack, *, run: str, partitions: Sequence[str], log: Callable[[str], None]
    ) -> Arrival:
        """Check the request.

        Raises:
            WriteError: It is not one that this table can fulfil.
        """
        if table.files is None:
            raise WriteError(f"{table} is not in the raw zone; its rows are written, not loaded.")
        values = [str(value) for value in partition_values(table, partitions)]
        wanted = list(zip(partitions, values, strict=True)) or [("", "")]
        return cls(table=table, files=table.files, stack=stack, run=run, partitions=wanted, log=log)

    def finish(self) -> Published:
        """Load the partitions, one after the other."""
        began = time.monotonic()
        found = arrivals(self.table, self.stack.profile.project)
        for key, _ in self.partitions:
            if key not in found:
                self._refuse_nothing(key)
        loads = [self._load(value, found[key]) for key, value in self.partitions]
        files = [file for files, *_ in loads for file in files]
        return Published(
            table=self.table.name,
            snapshot_id=None,
            rows=sum(file.lines for file in files),
            files=len(files),
            bytes=sum(file.size for file in files),
            partitions=tuple(key for key, _ in self.partitions if key),
            seconds={"load": time.monotonic() - began},
            changed=any(changed for *_, changed in loads),
            warnings=tuple(self.warnings),
            written=tuple(
                WrittenPartition(
                    key=key,
                    rows=sum(file.lines for file in shown),
                    files=len(shown),
                    bytes=sum(file.size for file in shown),
                )
                for (key, _), (shown, *_) in zip(self.partitions, loads, strict=True)
            ),
            loads=tuple(
                RawState(partition=key, location=place, files=tuple(map(_told, files)))
                for (key, _), (files, place, _) in zip(self.partitions, loads, strict=True)
            ),
        )

    def _refuse_nothing(self, key: str) -> None:
        folder = self.stack.profile.project / self.files.folder
        which = f" with key {key}" if key else ""
        raise WriteError(
            f"{self.table} was not loaded: no file in {folder} matches {self.files.pattern}{which}. Put it there.",
        )

    def _load(self, value: str, paths: Sequence[Path]) -> tuple[list[Loaded], str, bool]:
        fields = {path.name: self._fields(path) for path in paths}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            sums = dict(zip((path.name for path in paths), threads.map(_sha256, paths), strict=True))
        digest = _digest((path.name, path.stat().st_size, sums[path.name]) for path in paths)
        before = self.stack.metastore.raw_loads(self.table).get(value)
        if before is not None and before.facts.get(_DIGEST) == digest:
            self.log(f"{self.table} {value}: unchanged".replace(" :", ":"))
            return read_manifest(self.stack.storage, before), before.location, False
        self._compare(value, paths, before)
        load_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        with self._lease(load_id) as lease:
            prefix = self._prefix(load_id, value)
            files = self._store_all(paths, prefix, fields, sums)
            write_manifest(self.stack.storage, prefix, files)
            lease.confirm()
            self._show(value, RawLoad(prefix, {_DIGEST: digest, "run": self.run}))
            self._clean(value, keep={prefix, before.location if before else prefix})
            lease.release()
        return files, prefix, True

    def _compare(self, value: str, paths: Sequence[Path], before: RawLoad | None) -> None:
        """Compare the files with those of the load that is shown.

        Raises:
            WriteError: One had lines and is empty now, as a copy that broke off leaves it.
        """
        shown = {file.name: file.lines for file in self._shown(before)}
        for path in paths:
            if path.stat().st_size:
                continue
            if shown.get(path.name):
                raise WriteError(
                    f"{self.table} was not loaded: {path} is empty, but had {shown[path.name]} lines at its last load. "
                    "Give it its lines back, or remove it to do without them."
                )
            self.log(f"{self.table}: {path.name} is empty")
        gone = sorted(shown.keys() - {path.name for path in paths})
        if gone:
            which = f"{self.table} {value}".strip()
            lines = sum(shown[name] for name in gone)
            folder = self.stack.profile.project / self.files.folder
            self.warnings.append(
                f"{which} lost {lines} lines, for these files are gone from {folder}: {', '.join(gone)}. "
                "Put them back and load it again if that was not meant."
            )
            self.log(self.warnings[-1])

    def _shown(self, before: RawLoad | None) -> list[Loaded]:
        try:
            return read_manifest(self.stack.storage, before) if before else []
        except StorageError as error:
            self.log(f"{self.table}: what it shows so far is not known ({error})")
            return []

    def _fields(self, path: Path) -> int:
        """Return the number of fields of a file.

        Raises:
            WriteError: No such number is declared.
        """
        declared = {len(self.table.columns), *map(len, self.files.variants)}
        found = usual_fields(path, self.files.delimiter) or len(self.table.columns)
        if found not in declared:
            raise WriteError(
                f"{self.table} was not loaded: {path.name} has {amount(found, 'field')} divided by "
                f"{self.files.delimiter!r}, but {' or '.join(map(str, sorted(declared)))} are declared. "
                "Correct the file or the definition.",
            )
        return found

    def _store_all(
        self, paths: Sequence[Path], prefix: str, fields: Mapping[str, int], sums: Mapping[str, str]
    ) -> list[Loaded]:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            stored = [threads.submit(self._store, one, prefix, fields[one.name], sums[one.name]) for one in paths]
            try:
                files = [one.result() for one in stored]
            finally:
                threads.shutdown(cancel_futures=True)
        for file in files:
            self.log(f"{self.table}: stored {file.name}, {file.size} bytes, {file.lines} lines")
        return files

    def _store(self, path: Path, prefix: str, fields: int, sha256: str) -> Loaded:
        with path.open("rb") as file:
            counted = LineCount(file, path.name)
            stored = self.stack.storage.put(prefix + path.name, counted)
        if stored.sha256 != sha256:
            raise WriteError(f"{self.table} was not loaded: {path.name} changed while it was read. Load it again.")
        return Loaded(name=path.name, size=stored.size, sha256=sha256, lines=counted.lines, fields=fields)

    def _show(self, value: str, load: RawLoad) -> None:
        self.stack.metastore.ensure_raw(self.table, layout.location(self.stack.profile.bucket, self.table.id))
        self.stack.metastore.show_load(self.table, value, load)
        self.log(f"{self.table}: shows {load.location}")

    def _clean(self, value: str, *, keep: set[str]) -> None:
        """Remove loads that nobody shows, makes or may still be reading.

        The order of the questions matters: a load that is listed was leased before, so it is either still leased, or
        it was shown before its lease ended.
        """
        storage = self.stack.storage
        below = self._prefix("x", value).removesuffix("load=x/")
        listed = list(storage.objects(below + "load="))
        location = layout.location(self.stack.profile.bucket, self.table.id)
        leases = {found.uri.rpartition("/")[2] for found in storage.objects(f"{location}/_leases/")}
        dead = dict(expired_leases(storage, location, float(self.stack.profile.setting("HEADWATER_LEASE"))))
        shown = self.stack.metastore.raw_loads(self.table).get(value)
        kept = {*keep, shown.location if shown else ""}
        alive = {self._prefix(token, value) for token in leases - dead.keys()}
        gone = [found.uri for found in listed if _folder(found.uri) not in kept | alive]
        storage.delete([*gone, *dead.values()])

    def _prefix(self, load_id: str, value: str) -> str:
        column = self.table.partitioning.column if self.table.partitioning else ""
        return layout.load_prefix(self.stack.profile.bucket, self.table.id, layout.Load(load_id, column, value))

    def _lease(self, load_id: str) -> Lease:
        location = layout.location(self.stack.profile.bucket, self.table.id)
        seconds = float(self.stack.profile.setting("HEADWATER_LEASE"))
        return Lease(self.stack.storage, location, load_id, run=self.run, seconds=seconds, log=self.log)


def _told(file: Loaded) -> LoadedFile:
    return LoadedFile(name=file.name, size=file.size, sha256=file.sha256, lines=file.lines)


def _folder(uri: str) -> str:
    return uri.rpartition("/")[0] + "/"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(files: Iterable[tuple[str, int, str]]) -> str:
    return hashlib.sha256(json.dumps(sorted(files)).encode()).hexdigest()
