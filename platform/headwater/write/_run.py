"""One write, from the request to the published snapshot."""

from __future__ import annotations

import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headwater import layout
from headwater.checks import run_checks
from headwater.engines.base import StageJob
from headwater.engines.meter import metered
from headwater.errors import CheckFailed, HeadwaterError, RowsLost, WriteError
from headwater.sqlbody import relation_name
from headwater.words import amount
from headwater.write import Published
from headwater.write._fence import discard, fence_and_discard
from headwater.write._iceberg import RUN_MARK
from headwater.write._lease import Lease, expired_leases
from headwater.write._publish import Publication
from headwater.write._reads import reads, unchanged
from headwater.write._report import table_state, written_partitions
from headwater.write._requests import partition_values, raw_files
from headwater.write._stage import Stage, Staged
from headwater.write._target import ensure_rejects, ensure_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from headwater.checks import CheckResult
    from headwater.engines.base import Engine, RawFile
    from headwater.stack import Stack
    from headwater.table import Table, TableName
    from headwater.write._publish import Landed

    Raw = Mapping[str, tuple[RawFile, ...]]

__all__ = ["Attempt"]


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One call of ``write``.

    Args:
        table: What is written.
        stack: What with.
        run: Who writes.
        token: Names this attempt's stages; a retry of the same run has another.
        partitions: The partition keys to replace.
        values: Their values.
        log: Told what happens.
        seconds: Filled with the time of each phase.
        published: Filled with the files that each table took over.
    """

    table: Table
    stack: Stack
    run: str
    token: str
    partitions: tuple[str, ...]
    values: tuple[int | date | str, ...]
    log: Callable[[str], None]
    seconds: dict[str, float] = field(default_factory=dict)
    published: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls, table: Table, stack: Stack, *, run: str, partitions: Sequence[str], log: Callable[[str], None]
    ) -> Attempt:
        """Check the request.

        Raises:
            WriteError: It is not one that this table can fulfil.
        """
        if table.zone == "raw":
            raise WriteError(f"{table} is in the raw zone; its files are loaded, not written.")
        return cls(
            table=table,
            stack=stack,
            run=run,
            token=layout.stage_token(f"{run}/{secrets.token_hex(8)}"),
            partitions=tuple(partitions),
            values=partition_values(table, partitions),
            log=log,
        )

    def finish(self) -> Published:
        """Stage, check, publish, and leave nothing behind."""
        with metered() as bill:
            published = self._finish()
        return replace(published, spent=bill)

    def _finish(self) -> Published:
        with self._phase("prepare"):
            raw = {up.name: raw_files(self.table, up, self.values, self.stack) for up in self._raw_upstreams()}
            self._ensure()
            self._sweep()
        with self._lease() as lease:
            try:
                published = self._through_stages(raw, lease)
            except BaseException:
                # The answer to a commit may have been lost, and the commit still be on its way.
                self._remove_own(lease, self._remove_fenced if "publish" in self.seconds else self._remove_all)
                raise
            self._remove_own(lease, self._remove_all)
        return published

    def _raw_upstreams(self) -> Iterator[Table]:
        """Yield the upstreams that the body gets as files; SQL reads their table instead."""
        if callable(self.table.body):
            yield from (upstream for upstream in self.table.upstreams if upstream.zone == "raw")

    def _through_stages(self, raw: Raw, lease: Lease) -> Published:
        good, rejects = self._stages()
        before = reads(self.table, self.stack, self.partitions, self.values)
        with self._phase("stage"):
            for stage in filter(None, (good, rejects)):
                stage.register(self.stack.metastore.iceberg())
            self._engine.stage(self._job(raw, good, rejects))
            staged = good.staged(self.stack.metastore.iceberg())
            rejected = rejects.staged(self.stack.metastore.iceberg()) if rejects else None
            self._account(raw, staged, rejected)
        read = unchanged(before, reads(self.table, self.stack, self.partitions, self.values))
        self.log(f"{self.table}: staged {amount(staged.rows, 'row')} in {amount(len(staged.files), 'file')}")
        with self._phase("check"):
            checks = self._check(good)
        self.log(f"{self.table}: checked, {amount(len(checks), 'check')}")
        with self._phase("profile"):
            keys = dict(zip(self.values, self.partitions, strict=True))
            written = written_partitions(self.table, self._engine, good, staged, keys=keys, log=self.log)
        with self._phase("publish"):
            if rejects and rejected:
                self._publish(rejects, rejected, lease)
                self.log(f"{rejects.target}: published {rejected.rows} rejected rows")
            landed = self._publish(good, staged, lease)
        self.log(f"{self.table}: published snapshot {landed.snapshot}")
        return Published(
            table=self.table.name,
            snapshot_id=landed.snapshot,
            rows=staged.rows,
            rejected=rejected.rows if rejected else 0,
            files=len(staged.files),
            bytes=staged.bytes,
            partitions=self.partitions,
            checks=checks,
            seconds=self.seconds,
            written=written,
            state=table_state(landed),
            reads=read,
        )

    @property
    def _engine(self) -> Engine:
        return self.stack.engine(self.table.engine)

    def _ensure(self) -> None:
        catalog, bucket = self.stack.metastore.iceberg(), self.stack.profile.bucket
        ensure_target(catalog, self.table, bucket, self.log)
        if self.table.rejects:
            ensure_rejects(catalog, self.table, bucket, self.log)

    def _sweep(self) -> None:
        """Remove what dead writes of this table left."""
        for token, lease in expired_leases(self.stack.storage, self._location, self._lease_seconds):
            self.log(f"{self.table}: removing what the dead write {token} left")
            for target in self._targets():
                self._remove_fenced(Stage(target=target, token=token, bucket=self.stack.profile.bucket))
            self.stack.storage.delete([lease])

    def _remove_own(self, lease: Lease, remove: Callable[[Stage], None]) -> None:
        """Remove this attempt's own stages; what cannot be removed now is found by its lease later."""
        try:
            for stage in filter(None, self._stages()):
                remove(stage)
            lease.release()
        except HeadwaterError as error:
            self.log(f"{self.table}: its stage is left for the next write to remove ({error})")

    def _remove_fenced(self, stage: Stage) -> None:
        fence_and_discard(self.stack.metastore.iceberg(), self.stack.storage, stage, log=self.log)

    def _remove_all(self, stage: Stage) -> None:
        kept = self.published.get(str(stage.target), frozenset())
        discard(self.stack.metastore.iceberg(), self.stack.storage, stage, kept=kept)

    def _targets(self) -> tuple[TableName, ...]:
        return (self.table.id, self.table.id.rejected) if self.table.rejects else (self.table.id,)

    def _stages(self) -> tuple[Stage, Stage | None]:
        stages = [
            Stage(target=target, token=self.token, bucket=self.stack.profile.bucket) for target in self._targets()
        ]
        return stages[0], stages[1] if len(stages) > 1 else None

    def _job(self, raw: Raw, good: Stage, rejects: Stage | None) -> StageJob:
        return StageJob(
            table=self.table,
            stage=good.name,
            rejects=rejects.name if rejects else None,
            values=self.values,
            raw=raw,
        )

    def _account(self, raw: Raw, staged: Staged, rejected: Staged | None) -> None:
        """Compare the lines that came in with the rows that came out, where every line must come out."""
        if rejected is None:
            return
        lines = sum(file.lines for files in raw.values() for file in files)
        if lines != staged.rows + rejected.rows:
            raise RowsLost(
                f"{self.table} was not published: its files have {lines} lines, but {staged.rows} good and "
                f"{rejected.rows} rejected rows came out. See that the body returns every row once, good or rejected.",
            )

    def _check(self, stage: Stage) -> tuple[CheckResult, ...]:
        engine = self._engine
        relation = relation_name(stage.name, engine.dialect.name)
        results = run_checks(self.table, relation, engine.dialect.name, run=engine.rows, partition_values=self.values)
        broken = tuple(result for result in results if not result.passed)
        for result in broken:
            self.log(f"{self.table}: {result}")
        stopping = tuple(result for result in broken if result.blocking)
        if stopping:
            raise CheckFailed(self.table.name, stopping, results)
        return results

    def _publish(self, stage: Stage, staged: Staged, lease: Lease) -> Landed:
        summary = {RUN_MARK: self.run, "headwater.rows": str(staged.rows)}
        if self.partitions:
            summary["headwater.partitions"] = ",".join(self.partitions)
        publication = Publication(
            stage=stage,
            staged=staged,
            column=self.table.partitioning.column if self.table.partitioning else "",
            values=self.values,
            summary=summary,
            before_commit=lease.confirm,
            log=self.log,
        )
        landed = publication.commit(self.stack.metastore.iceberg())
        self.published[str(stage.target)] = frozenset(file.file_path for file in staged.files)
        return landed

    @property
    def _location(self) -> str:
        return layout.location(self.stack.profile.bucket, self.table.id)

    @property
    def _lease_seconds(self) -> float:
        return float(self.stack.profile.setting("HEADWATER_LEASE"))

    def _lease(self) -> Lease:
        return Lease(
            self.stack.storage, self._location, self.token, run=self.run, seconds=self._lease_seconds, log=self.log
        )

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - began, 3)
