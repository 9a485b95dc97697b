"""``headwater backup``, ``headwater restore`` and ``headwater upgrade``."""

from __future__ import annotations

import time
from functools import partial

import click

from headwater.box.backups import KEPT, KEPT_DAYS, backups
from headwater.box.component import Box
from headwater.box.components import box_components
from headwater.box.programs import to_start
from headwater.box.serving import require_made, require_supervised
from headwater.box.unfinished import require_finished
from headwater.box.upgrade import Keeper
from headwater.cli.output import as_json, objects_as_table, output_option
from headwater.cli.starting import prepare, teller
from headwater.profile import Profile

__all__ = ["backup", "restore", "upgrade"]

_MIB = 1 << 20


@click.command(
    help=f"""Make a backup of the box, try it out, and bring up again what ran.

It holds all but the lake's objects. The newest {KEPT} are kept, and all that are not older than {KEPT_DAYS} days."""
)
@click.option("--list", "listing", is_flag=True, help="Only name those that there are.")
@output_option("table", "json")
def backup(output: str, *, listing: bool) -> None:  # noqa: D103 - its help stands above, with the figures
    if not listing:
        made = _keeper(_made()).back_up()
        click.echo(f"{made.name}: `headwater restore {made.name}` goes back to it.")
        return
    rows = [
        {
            "backup": one.name,
            "release": one.release,
            "MiB": round(one.size / _MIB),
            "rows": sum(rows for rows, _ in one.inventory.values()),
            "data": ", ".join(f"{name} {version}" for name, version in one.schemas.items() if version),
        }
        for one in backups(_profile().home)
    ]
    click.echo(as_json(rows) if output == "json" else objects_as_table(rows) or "There are no backups yet.")


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT]...")
def upgrade(names: tuple[str, ...]) -> None:
    """Make a backup, bring all data to this release, and start the box or some components with all they need.

    Cut off at any moment, it goes on when called again.
    """
    profile = _made()
    components = box_components(profile)
    began = time.monotonic()
    wanted = to_start(components, names)
    _keeper(profile, began).upgrade(wanted, partial(prepare, profile, wanted))
    click.echo(f"The box is upgraded and ready after {time.monotonic() - began:.1f} s.")


@click.command()
@click.argument("name", required=False, metavar="[BACKUP]")
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(name: str | None, *, yes: bool) -> None:
    """Stop the box and put a backup, the newest by default, in the place of what it keeps.

    What was there stays in the folder `replaced` of the box's home until the next restore.
    """
    profile = _profile()
    if not yes:
        which = f"backup {name}" if name else "its newest backup"
        click.confirm(f"Set the box in {profile.home} back to {which}, without what it did since?", abort=True)
    done = _keeper(profile).restore(name)
    click.echo(
        f"The box is as it was at {done.made[:19]} UTC, and stopped. `headwater up` of the release that it had then, "
        f"{done.release}, starts it as it was; `headwater upgrade` of this one brings it forward."
    )


def _profile() -> Profile:
    profile = Profile.load()
    require_supervised(profile)
    return profile


def _made() -> Profile:
    profile = _profile()
    require_finished(profile.home, but="upgrade")  # half restored, its logins may be set aside
    require_made(profile)
    return profile


def _keeper(profile: Profile, began: float | None = None) -> Keeper:
    return Keeper(Box(profile), box_components(profile), teller(time.monotonic() if began is None else began))
