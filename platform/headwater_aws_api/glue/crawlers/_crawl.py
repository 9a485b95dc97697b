"""One crawl: look at the targets, find their tables, give them names, and have the metastore know them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from headwater_aws_api.glue.crawlers._layout import find_tables
from headwater_aws_api.glue.crawlers._read import folder_of, listed, read_target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from headwater.storage import Storage

    from headwater_aws_api.glue.crawlers._layout import Crawled
    from headwater_aws_api.glue.crawlers._register import Register
    from headwater_aws_api.glue.crawlers._settings import Settings

__all__ = ["Crawl", "Stopped"]


class Stopped(Exception):  # noqa: N818 - a state, not a mistake
    """The crawl was stopped by whoever asked for it."""


@dataclass(frozen=True)
class Crawl:
    """One crawl.

    Args:
        settings: The crawler's.
        register: Where its tables go.
        storage: Where objects lie.
        scratch: A folder for one file at a time.
        say: Takes the lines of the log.
        stopped: Whether to end early.
    """

    settings: Settings
    register: Register
    storage: Storage
    scratch: Path
    say: Callable[[str], None]
    stopped: Callable[[], bool]

    def run(self, former: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """Do it; return the crawler's tables: by name, their folder and, where it is a list, their files.

        Args:
            former: What the crawl before returned.

        Raises:
            Stopped: It was told to; what was settled by then stays.
            HeadwaterError: The store or the metastore refused.
        """
        self.register.ensure_database()
        found, places = self._found()
        names = _names(found, former, self.register.places(), self.settings.prefix)
        now = dict(former)
        for name, table in names.items():
            self._stop_if_told()
            self.register.settle(name, table)
            now[name] = {"root": table.root, "files": list(table.files) if table.listed else []}
        for name in sorted(now.keys() - names.keys()):
            if any(now[name]["root"].startswith(place) for place in places) and self.register.leave(name):
                del now[name]
        return now

    def _found(self) -> tuple[list[Crawled], list[str]]:
        """Return the tables of all targets, and the targets' folders."""
        found: dict[tuple[str, tuple[str, ...]], Crawled] = {}
        places = []
        for target in self.settings.targets:
            objects = listed(self.storage, target)
            self.say(f"INFO: {target.path}: {len(objects)} objects")
            root = folder_of(target, [one.uri for one in objects])
            places.append(root)
            seen = []
            for one in read_target(self.storage, target, objects, scratch=self.scratch, say=self.say):
                self._stop_if_told()
                seen.append(one)
            for table in find_tables(root, seen, level=self.settings.level):
                found.setdefault((table.root, table.files if table.listed else ()), table)
        return list(found.values()), places

    def _stop_if_told(self) -> None:
        if self.stopped():
            raise Stopped


def _names(
    found: Sequence[Crawled], former: Mapping[str, Mapping[str, Any]], taken: Mapping[str, str], prefix: str
) -> dict[str, Crawled]:
    """Give each table the name that it had, or a new one that no table elsewhere has."""
    made: dict[str, Crawled] = {}
    new = []
    for table in found:
        before = [name for name, told in former.items() if name not in made and _is_same(told, table)]
        if before:
            made[before[0]] = table
        else:
            new.append(table)
    for table in new:
        name = f"{prefix}{table.name}"
        elsewhere = taken.get(name, table.root).rstrip("/") != table.root.rstrip("/")
        if name in made or name in former or elsewhere:
            where = table.files[0] if table.listed else table.root
            name = f"{name}_{hashlib.md5(where.encode(), usedforsecurity=False).hexdigest()}"
        made[name] = table
    return made


def _is_same(told: Mapping[str, Any], table: Crawled) -> bool:
    """Return whether a table of a former crawl is the one that was found now."""
    if told["root"] != table.root:
        return False
    return not (told["files"] and table.listed) or not set(told["files"]).isdisjoint(table.files)
