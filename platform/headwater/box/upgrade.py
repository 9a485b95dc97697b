"""Backing a box up, bringing its data to this release, and going back; each may be killed and run again."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from headwater.box.alone import alone
from headwater.box.backups import Backup, check_space, find_backup, kept_by, new_backup, prune, unpack
from headwater.box.component import Box
from headwater.box.components.databases import connect
from headwater.box.components.postgres import cluster
from headwater.box.components.postgres_copy import serving_copy
from headwater.box.inventory import READING, Inventory, differences, inventory
from headwater.box.lifecycle import bring_up, run_migration, take_down
from headwater.box.migration import schemas
from headwater.box.programs import Program, programs, tiers, with_needs
from headwater.box.readiness import why_not_ready
from headwater.box.supervisor import Supervisor
from headwater.box.unfinished import Unfinished, require_finished, take_note, unfinished
from headwater.credentials import ensure_credentials, read_credentials
from headwater.errors import ComponentError, ConfigError, HeadwaterError
from headwater.words import amount

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from psycopg import Connection

    from headwater.box.component import Component, Schema

__all__ = ["Keeper"]

# Where a backup is unpacked to be tried out, and where what it took the place of stays until the next restore.
_TRIAL, _REPLACED = "restoring", "replaced"


@dataclass(frozen=True)
class Keeper:
    """Who makes backups of a box, upgrades it and restores it.

    Args:
        box: The box.
        components: All its components.
        say: Called with a name and what happens to it.
    """

    box: Box
    components: Mapping[str, Component]
    say: Callable[[str, str], None]

    @property
    def home(self) -> Path:
        """The box's home."""
        return self.box.profile.home

    def back_up(self) -> Backup:
        """Make a backup and bring up again what ran, unless that would migrate it.

        Raises:
            HeadwaterError: It could not be made, or did not stand its trial; the box's data are as they were.
        """
        with alone(self.home, self.say, "backup"):
            require_finished(self.home)
            ran = self._running()
            behind = bool(ran) and self._is_behind()
            try:
                made = self._make()
            finally:
                if behind:
                    self.say("box", "stays stopped: its data are older than this release; see `headwater upgrade`")
                elif ran:
                    self._bring_up(ran)
            self._prune()
            return made

    def upgrade(self, names: Iterable[str], prepare: Callable[[], None]) -> None:
        """Make a backup, migrate every component's data in order, and start components with all they need.

        Args:
            names: What to start.
            prepare: Called when it is this command's turn, before anything is stopped.

        Raises:
            HeadwaterError: Before the backup was good: nothing was changed. After it: how to go on and back.
        """
        with alone(self.home, self.say, "upgrade") as waited_for:
            require_finished(self.home, but="upgrade")
            begun = unfinished(self.home)
            if begun is None and waited_for and not self._is_behind():
                self.say("box", f"that {waited_for} has brought all data to this release; nothing is left to do")
                return
            prepare()
            ensure_credentials(self.home)  # those that this release has and the last one had not
            if begun is None:
                begun = Unfinished("upgrade", self._make().name)
                take_note(self.home, begun)
            else:
                take_down(self.box, self.components, self.say)
                self.say("box", f"going on with an upgrade that was cut off; its backup is {begun.backup}")
            self._migrate_all(begun.backup, names)
            take_note(self.home, None)
            self._prune()

    def restore(self, name: str | None) -> Backup:
        """Stop the box and put a backup in the place of what it keeps now, which stays aside until the next restore.

        Raises:
            HeadwaterError: There is no such backup, or it is damaged; the box keeps what it has.
        """
        find_backup(self.home, name)  # or else says so before there is a home to be alone in
        with alone(self.home, self.say, "restore"):
            begun = unfinished(self.home)
            backup = find_backup(self.home, name or (begun.backup if begun else None))
            take_down(self.box, self.components, self.say)
            self.say("backup", f"trying {backup.name} out")
            with self._tried(backup) as trial:
                if begun is None or begun.command != "restore":
                    shutil.rmtree(self.home / _REPLACED, ignore_errors=True)
                take_note(self.home, Unfinished("restore", backup.name))
                for part in kept_by(self.components.values()):
                    self._put(trial / part, part)
                os.sync()
                take_note(self.home, None)
            return backup

    def _running(self) -> list[str]:
        states = Supervisor(self.box).states()
        mine = programs(self.components.values())
        return [one.component.name for one in mine if one.file_name in states and states[one.file_name].kept]

    def _bring_up(self, names: Iterable[str]) -> None:
        every = programs(self.components.values())
        bring_up(self.box, with_needs(self.components, names), every, self.say)

    def _is_behind(self) -> bool:
        self._bring_up(["postgres"])
        return any(one.found not in ("", one.wanted) for one in self._schemas().values())

    def _schemas(self) -> dict[str, Schema]:
        return schemas(self.box, self.components.values())

    def _make(self) -> Backup:
        """Make a backup of the box, which is stopped afterwards."""
        kept = kept_by(self.components.values())
        database = self.components["postgres"]
        if not schemas(self.box, [database])["postgres"].found:
            raise ConfigError(f"The box in {self.home} has no data yet; start it with `headwater up`.")
        if not why_not_ready(self.box, Program(database, "")):
            self._schemas()  # refuses what is newer while everything still runs
        check_space(self.home, kept)
        take_down(self.box, self.components, self.say)
        try:
            self._bring_up(["postgres"])
            found = {name: one.found for name, one in self._schemas().items()}
            self.say("backup", "counting what is in PostgreSQL")
            counted = inventory(partial(_open, self.box))
        finally:
            take_down(self.box, self.components, self.say)
        self.say("backup", "copying")
        with new_backup(self.home, kept, found, counted) as made:
            self.say("backup", "trying it out")
            with self._tried(made):
                pass
        rows = sum(rows for rows, _ in counted.values())
        self.say("backup", f"{made.name} is good: a PostgreSQL on it has the same {amount(rows, 'row')}")
        return made

    @contextmanager
    def _tried(self, backup: Backup) -> Iterator[Path]:
        """Give the folder of a backup that was unpacked and tried out; what is left in it is removed."""
        trial = self.home / _TRIAL
        try:
            unpack(backup, trial)
            self._try_out(trial, backup.inventory)
            yield trial
        finally:
            shutil.rmtree(trial, ignore_errors=True)

    def _try_out(self, trial: Path, counted: Inventory) -> None:
        """Start a PostgreSQL on an unpacked backup and have it give the same answers.

        Raises:
            ComponentError: It does not.
        """
        folder = trial / cluster(self.box).relative_to(self.home)
        # With the logins of the backup: those of the box may be what was lost.
        there = Box(replace(self.box.profile, given=read_credentials(trial)))
        with serving_copy(there, folder) as opened:
            wrong = differences(counted, inventory(opened))
        if wrong:
            raise ComponentError(
                f"The copy is not what the box had: {', '.join(wrong[:3])} differ. Nothing was changed; end what else "
                "writes to the box's PostgreSQL, and run the command again."
            )

    def _migrate_all(self, backup: str, names: Iterable[str]) -> None:
        try:
            self._bring_up(["postgres"])
            # What was never started in this box begins with this release.
            behind = {name: one for name, one in self._schemas().items() if one.found}
            names_in_order = [name for tier in tiers(self.components) for name in tier if name in behind]
            order = [self.components[name] for name in names_in_order if name != "postgres"]
            self._bring_up({"postgres", *(need for one in order for need in one.needs)})
            for component in order:
                self._migrate(component, behind[component.name])
            self._bring_up(names)
        except HeadwaterError as error:
            raise ComponentError(
                f"{error}\nThe upgrade is not finished: `headwater upgrade` goes on with it, "
                f"`headwater restore {backup}` goes back to the backup that was made before it."
            ) from error

    def _migrate(self, component: Component, before: Schema) -> None:
        if before.found == before.wanted:
            self.say(component.name, f"its data are at {before.found}, as this release has them")
        else:
            self.say(component.name, f"migrating its data from {before.found} to {before.wanted}")
        run_migration(self.box, component)

    def _put(self, new: Path, part: str) -> None:
        """Put one part of a backup in its place; what was there goes aside once, however often this is cut off."""
        place, aside = self.home / part, self.home / _REPLACED / part
        if not new.exists():
            return
        if place.exists():
            if aside.exists():
                _remove(place)
            else:
                aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                place.rename(aside)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new.rename(place)

    def _prune(self) -> None:
        gone = prune(self.home)
        if gone:
            self.say("backup", f"deleted {', '.join(gone)}")


def _open(box: Box, database: str) -> Connection[tuple[Any, ...]]:
    return connect(box.profile, "postgres", database=database, options=READING)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
