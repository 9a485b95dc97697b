"""Upkeep of the lake: the command, and the job that Dagster runs every day."""

from __future__ import annotations

import json
import sys
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click
from headwater.box.serving import require_running
from headwater.cli.output import objects_as_table, output_option
from headwater.errors import ConfigError, HeadwaterError
from headwater.profile import Profile
from headwater.project import load_project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from headwater.stack import Stack
    from headwater.table import Table
    from headwater.write import Maintained, Upkeep

__all__ = ["maintain", "maintained"]

_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024


@click.command()
@click.argument("tables", nargs=-1, metavar="[TABLE...]")
@click.option("--dry-run", is_flag=True, help="Say what would be done and change nothing.")
@output_option("table", "json")
def maintain(tables: tuple[str, ...], *, dry_run: bool, output: str) -> None:
    """Compact small files, expire old snapshots, remove orphan files.

    Without TABLE, everything that the project declares and all that was ingested; patterns such as 'curated.*' choose
    among these. A table that somebody made by hand is maintained when it is named.
    """
    from headwater.stack import Stack  # noqa: PLC0415 - only what connects pays

    profile = Profile.load()
    require_running(profile, lake_alone=True)
    failures: list[str] = []
    done = list(
        maintained(
            Stack.build(profile), load_project(profile).tables, tables, dry_run=dry_run, log=_tell, fail=failures.append
        )
    )
    click.echo(_as_json(done) if output == "json" else _as_table(done, dry_run=dry_run))
    for failure in failures:
        click.echo(f"error: {failure}", err=True)
    if failures:
        sys.exit(1)


def maintained(
    stack: Stack,
    tables: Sequence[Table],
    patterns: Sequence[str] = (),
    *,
    dry_run: bool = False,
    log: Callable[[str], None],
    fail: Callable[[str], None],
) -> Iterator[Maintained]:
    """Maintain tables one after the other and yield what was done; one that fails stops none of the others.

    Args:
        stack: Where they lie.
        tables: The project's.
        patterns: Which; empty for all that are maintained by default.
        dry_run: Change nothing.
        log: Told what happens.
        fail: Told why a table failed.

    Raises:
        ConfigError: A pattern means no table.
        MetastoreError: The metastore failed before the first table.
    """
    from headwater.write import maintain as maintain_one  # noqa: PLC0415 - definitions load without the write path
    from headwater.write import upkeeps  # noqa: PLC0415
    from headwater_catalog.telling import tell_upkeep  # noqa: PLC0415

    for upkeep in chosen(upkeeps(stack, tables), patterns):
        try:
            done = maintain_one(upkeep, stack, dry_run=dry_run, log=log)
        except HeadwaterError as error:
            fail(f"{upkeep.name} was not maintained. {error}")
            continue
        tell_upkeep(stack.profile, done, log)
        yield done


def chosen(found: Sequence[Upkeep], patterns: Sequence[str]) -> list[Upkeep]:
    """Return the tables that names or patterns mean; without any, those that are maintained by default.

    Raises:
        ConfigError: One of them means nothing.
    """
    usual = [one for one in found if one.declared or one.name.zone == "raw"]
    names: set[str] = set() if patterns else {str(one.name) for one in usual}
    for pattern in patterns:
        exact = {str(one.name) for one in found if str(one.name) == pattern}
        meant = exact or {str(one.name) for one in usual if fnmatchcase(str(one.name), pattern)}
        if not meant:
            known = ", ".join(str(one.name) for one in usual) or "none"
            raise ConfigError(f"There is no table {pattern!r} to maintain; there are {known}.")
        names |= meant
    return [one for one in found if str(one.name) in names]


def _tell(message: str) -> None:
    click.echo(message, err=True)


def _as_json(done: Sequence[Maintained]) -> str:
    rows = [
        {
            "table": str(one.table),
            "files_before": one.files[0],
            "files_after": one.files[1],
            "bytes_before": one.bytes[0],
            "bytes_after": one.bytes[1],
            "snapshots_expired": one.expired,
            "objects_removed": one.removed,
            "bytes_removed": one.removed_bytes,
            "notes": list(one.notes),
        }
        for one in done
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _as_table(done: Sequence[Maintained], *, dry_run: bool) -> str:
    rows = [
        {
            "table": str(one.table),
            "files": _change(*map(str, one.files)),
            "size": _change(*map(_size, one.bytes)),
            "snapshots expired": one.expired,
            "objects removed": one.removed,
            "freed": _size(one.removed_bytes),
        }
        for one in done
    ]
    notes = [f"{one.table}: {note}" for one in done for note in one.notes]
    end = ["Nothing was changed; this is what would be done."] if dry_run else []
    return "\n".join([objects_as_table(rows) or "There is no table to maintain yet.", *notes, *end])


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _size(amount: int) -> str:
    number, unit = float(amount), 0
    while number >= _STEP and unit < len(_SIZES) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.0f} B" if unit == 0 else f"{number:.1f} {_SIZES[unit]}"
