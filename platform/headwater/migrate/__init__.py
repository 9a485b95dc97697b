"""Moving up: the box's lake copied to AWS, registered in Glue, and compared through both engines.

Nothing that was not compared is ever read by its name, nothing is copied twice, and what broke off goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.errors import ConfigError, InputError, RowsDiffer, StorageError
from headwater.layout import location
from headwater.metastores.base import Taking
from headwater.migrate._move import Move, Moved
from headwater.migrate._origins import origins, views
from headwater.migrate._plan import Origin, Plan, Step, decide, replaced_bucket
from headwater.table import ZONES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from headwater.stack import Stack

__all__ = ["Migration", "Moved", "Plan", "Step"]


@dataclass(frozen=True, kw_only=True)
class Migration:
    """A lake's way from one profile to another.

    Args:
        source: The box.
        target: Where the lake goes.
    """

    source: Stack
    target: Stack

    def plan(self, names: Sequence[str] = (), *, replace: Collection[str] = ()) -> Plan:
        """Return what ``run`` would do; nothing is changed.

        Args:
            names: Tables as ``zone.name``; empty for all.
            replace: Tables whose like on the other side gives way, whatever it is.

        Raises:
            InputError: There is no table of a name.
            ConfigError: There is no such target.
            StorageError: An object store refused or failed.
            MetastoreError: A metastore refused or failed.
            QueryError: An engine does not answer.
        """
        self._require_target()
        found = tuple(origins(self.source, names))
        known = {str(one.name) for one in found}
        for name in replace:
            if name not in known:
                raise InputError(f"{name} cannot be replaced: it is not among the tables to copy.")
        steps = tuple(self._step(one, replace=str(one.name) in replace) for one in found)
        return Plan(steps=steps, views=() if names else views(self.source))

    def run(self, plan: Plan, log: Callable[[str], None]) -> Sequence[Moved]:
        """Do what a plan says, one table after the other, and return what became of each.

        A table whose copy is not the same does not keep the others from being copied.

        Raises:
            InputError: The plan has tables that somebody has to decide on.
            RowsDiffer: Some copies were not the same; the other tables are there.
            HeadwaterError: What ``Move.run`` raises; another run goes on from there.
        """
        _require_decided(plan)
        move = Move(source=self.source, target=self.target, register=self._register, log=log)
        done: list[Moved] = []
        wrong: list[str] = []
        for step in plan.work:
            try:
                done.append(move.run(step))
            except RowsDiffer as error:
                log(str(error))
                wrong.append(str(error))
        if wrong:
            raise RowsDiffer("\n".join(wrong))
        return done

    @property
    def _register(self) -> Taking:
        if not isinstance(self.target.metastore, Taking):
            raise ConfigError(f"Tables cannot be copied to the profile {self.target.profile.name}; it has no Glue.")
        return self.target.metastore

    def _step(self, one: Origin, *, replace: bool) -> Step:
        there = None if one.obstacle else self.target.metastore.shape(one.name)
        bucket = self.target.profile.bucket
        place = replaced_bucket(one.shape.location, bucket) if not one.obstacle else location(bucket, one.name)
        return decide(one, there, location=place, replace=replace)

    def _require_target(self) -> None:
        """Refuse a target that is not there, or is the source, before anything is read."""
        bucket = self.target.profile.bucket
        mine, theirs = self.source.profile.store, self.target.profile.store
        if (mine.endpoint, mine.bucket) == (theirs.endpoint, theirs.bucket):
            raise ConfigError(f"The lake is in the bucket {bucket} already; give another one with --bucket.")
        try:
            # Below a zone: the writer's role may list nothing else.
            next(self.target.storage.objects(f"s3://{bucket}/{ZONES[0]}/"), None)
        except StorageError as error:
            if "NoSuchBucket" not in str(error):
                raise
            raise ConfigError(
                f"There is no bucket {bucket}; `headwater aws deploy` makes one, or give another with --bucket."
            ) from error
        self.target.engine("trino").rows("SELECT 1 AS one")


def _require_decided(plan: Plan) -> None:
    if plan.refused:
        said = "; ".join(f"{step.origin.name} {step.why}" for step in plan.refused)
        raise InputError(
            f"Nothing was copied: {said}. Name the tables to copy without these, or replace them with --replace."
        )
