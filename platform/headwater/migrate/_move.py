"""One table's way up: copy its files, look at them through a stage, compare, and only then register it by its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater import layout
from headwater.errors import MetastoreError, RowsDiffer
from headwater.migrate._copy import Copied, Copy, copy_all
from headwater.migrate._iceberg import iceberg_copies, staging
from headwater.migrate._origins import origin
from headwater.migrate._plan import FROM, TO, replaced_bucket, state_of
from headwater.migrate._verify import Compared, Statistics, compare
from headwater.words import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headwater.metastores.base import Taking
    from headwater.metastores.shapes import Shape
    from headwater.migrate._plan import Origin, Step
    from headwater.stack import Stack
    from headwater.table import TableName

__all__ = ["Move", "Moved"]

_RUN = "migrate"


@dataclass(frozen=True)
class Moved:
    """What became of one table.

    Args:
        name: Its name.
        copied: What was copied.
        compared: What the two engines see.
    """

    name: TableName
    copied: Copied
    compared: Compared


@dataclass(frozen=True, kw_only=True)
class Move:
    """One table's way up.

    Args:
        source: The box.
        target: AWS.
        register: Its metastore.
        log: Told what happens.
    """

    source: Stack
    target: Stack
    register: Taking
    log: Callable[[str], None]

    def run(self, step: Step) -> Moved:
        """Do what a plan says of a table.

        Raises:
            RowsDiffer: The copy has other rows; the table is not registered by its name.
            StorageError: A file was not copied.
            QueryError: An engine failed.
            MetastoreError: A metastore failed, or the table changed there meanwhile.
        """
        now = self._now(step)
        try:
            copied = copy_all(self._copies(now), self.source.storage, self.target.storage, step.location)
        finally:
            waiting = staging(now, self.source.profile.bucket)
            self.source.storage.delete([one.uri for one in self.source.storage.objects(waiting)])
        told = f" ({amount(copied.there, 'file')} were there)" if copied.there else ""
        self.log(f"{now.name}: copied {amount(copied.files, 'file')}, {copied.bytes} bytes{told}")
        compared = self._registered(now, step.before)
        self.log(f"{now.name}: registered, {amount(compared.rows, 'row')} compared")
        return Moved(now.name, copied, compared)

    def _now(self, step: Step) -> Origin:
        """Return the table as it is by now: others may have been copied for hours."""
        known = {one.name: one for one in self.source.metastore.registered()}
        one = known.get(step.origin.name)
        found = origin(self.source, one) if one else None
        if found is None:
            raise MetastoreError(f"{step.origin.name} is no longer in the lake; it was dropped meanwhile.")
        return found

    def _place(self, uri: str) -> str:
        return replaced_bucket(uri, self.target.profile.bucket)

    def _copies(self, now: Origin) -> Sequence[Copy]:
        if now.iceberg:
            return iceberg_copies(self.source, now, self.target.profile.bucket)
        return [Copy(one, self._place(one.uri), one.tag) for one in now.objects]

    def _registered(self, now: Origin, before: Shape | None) -> Compared:
        """Register a stage over the files, compare, and register the table."""
        shape = self._shape(now)
        stage = layout.stage_name(now.name, _RUN)
        self.register.forget(stage)
        self.register.take(shape.named(stage.name), now.name.zone)
        try:
            compared = self._compared(now, stage)
            told = {FROM: now.state, TO: state_of(shape)}
            self.register.take(shape.named(now.name.name, **told), now.name.zone, before)
        finally:
            self.register.forget(stage)
        return compared

    def _shape(self, now: Origin) -> Shape:
        if now.iceberg:
            return self.register.over_iceberg(now.name, self._place(now.shape.metadata_location))
        shape = now.shape.settled.placed(self._place)
        outer = {**shape.named(now.name.name, EXTERNAL="TRUE").table, "TableType": "EXTERNAL_TABLE"}
        return type(shape)(table=outer, partitions=shape.partitions)

    def _compared(self, now: Origin, stage: TableName) -> Compared:
        here, there = self.source.engine("trino"), self.target.engine("trino")
        mine = layout.relation_name(now.name, here.dialect.name)
        columns = {str(name): str(kind) for name, kind, *_ in here.texts(f"DESCRIBE {mine}")[1]}
        statistics = Statistics(columns)
        [left] = here.rows(statistics.sql(mine, here.dialect.name))
        theirs = layout.relation_name(stage, there.dialect.name)
        [right] = there.rows(statistics.sql(theirs, there.dialect.name))
        compared = compare(statistics, left, right)
        if compared.differences:
            raise RowsDiffer(self._sentence(now, compared))
        return compared

    def _sentence(self, now: Origin, compared: Compared) -> str:
        said = "; ".join(compared.differences)
        shape = self.source.metastore.shape(now.name)
        if shape is None or shape.metadata_location != now.shape.metadata_location or shape.digest != now.shape.digest:
            return f"{now.name} was not registered: it changed while it was copied ({said}). Run it again."
        return (
            f"{now.name} was not registered: its copy is not the same ({said}). Its files are in "
            f"{self._place(now.shape.location)}; look at them, and run it again."
        )
