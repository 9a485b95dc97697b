"""The ``migrate`` command: one component's state to this version, or the lake to AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headwater.box.component import Box
from headwater.box.components import all_components
from headwater.box.programs import with_needs
from headwater.cli.output import as_table
from headwater.profile import Profile
from headwater.words import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.migrate import Moved, Plan, Step

__all__ = ["migrate"]

_MIB = 1024**2
_ACTIONS = {"same": "nothing: the copy is the same", "refuse": "REFUSED: it", "skip": "left out: it"}


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT | TABLE]...")
@click.option("--to", "profile", type=click.Choice(["aws"]), help="Copy the lake there, or the tables that are named.")
@click.option("--bucket", default="", help="With --to: the lake's bucket there; without, the stack says.")
@click.option("--stack", default="headwater", show_default=True, help="With --to: what `headwater aws deploy` made.")
@click.option("--replace", multiple=True, metavar="TABLE", help="With --to: take the place of what is there.")
@click.option("--dry-run", is_flag=True, help="With --to: say what would be done, and end.")
@click.option("--yes", is_flag=True, help="With --to: do not ask.")
@click.option("--wait", is_flag=True, help="Of a component: wait for what it needs, for HEADWATER_START_TIMEOUT.")
def migrate(
    names: tuple[str, ...],
    *,
    profile: str | None,
    bucket: str,
    stack: str,
    replace: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    wait: bool,
) -> None:
    """Copy the lake to AWS, or bring one component's state to this version.

    `headwater migrate --to aws` shows what it would do and what that costs, asks, copies every table's files, registers
    the tables in Glue and compares them through Trino here and Athena there. A second time copies what changed since.

    `headwater migrate COMPONENT` changes nothing a second time, and refuses the state of a newer version.
    """
    if profile is not None:
        _copy_lake(profile, names, bucket=bucket, stack=stack, replace=replace, ask=None if dry_run else not yes)
        return
    if len(names) != 1 or bucket or replace or dry_run or yes:
        raise click.UsageError("Give one component; or, with --to aws, any number of tables and the options for them.")
    _bring_forward(names[0], wait=wait)


def _bring_forward(name: str, *, wait: bool) -> None:
    from headwater.box.migration import migrate as bring_forward  # noqa: PLC0415
    from headwater.box.readiness import wait_for_needs  # noqa: PLC0415

    profile = Profile.load()
    profile.ensure_home()
    component = with_needs(all_components(), [name])[name]
    if wait:
        wait_for_needs(Box(profile), all_components(), component)
    bring_forward(component, Box(profile))


def _copy_lake(
    profile: str, names: Sequence[str], *, bucket: str, stack: str, replace: Sequence[str], ask: bool | None
) -> None:
    """Plan, show, ask and copy; without ``ask`` being a truth, only plan and show."""
    from headwater.cli.aws import stack_settings  # noqa: PLC0415 - slow to import
    from headwater.migrate import Migration  # noqa: PLC0415
    from headwater.stack import Stack  # noqa: PLC0415

    settings = {"HEADWATER_BUCKET": bucket} if bucket else stack_settings(stack)
    migration = Migration(
        source=Stack.build(Profile.load()),
        target=Stack.build(Profile.load(None, HEADWATER_PROFILE=profile, **settings)),
    )
    plan = migration.plan(names, replace=replace)
    _show_plan(plan)
    if ask is None or (not plan.work and not plan.refused):
        return
    if ask and not plan.refused:
        click.confirm(f"Copy {amount(len(plan.work), 'table')}?", abort=True)
    _show_moved(migration.run(plan, click.echo))


def _show_plan(plan: Plan) -> None:
    rows = [_told(step) for step in plan.steps]
    click.echo(
        as_table(("table", "kind", "files", "MiB", "to", "what is done"), rows) if rows else "The lake is empty."
    )
    if plan.views:
        click.echo(
            f"\nViews are not copied: {', '.join(plan.views)}. Make them anew on AWS, with `headwater sql` there."
        )
    if not plan.work:
        click.echo("\nThere is nothing to copy.")
        return
    size = sum(step.origin.size for step in plan.work) / _MIB
    files = sum(len(step.origin.objects) for step in plan.work)
    click.echo(
        f"\n{amount(len(plan.work), 'table')}, at most {amount(files, 'file')} and {size:,.1f} MiB: files that no "
        "snapshot reads stay here, and what was copied before is not copied again."
    )
    click.echo("What it costs (prices of us-east-1 when this was written; yours may differ):")
    for cost in plan.costs:
        click.echo(f"- {cost}")


def _told(step: Step) -> tuple[str, ...]:
    one = step.origin
    kind = "Iceberg" if one.iceberg else "files"
    action = f"{_ACTIONS[step.action]} {step.why}".strip() if step.action in _ACTIONS else step.action
    return str(one.name), kind, str(len(one.objects)), f"{one.size / _MIB:,.1f}", step.location, action


def _show_moved(moved: Sequence[Moved]) -> None:
    rows = [
        (one.name, one.copied.files, one.copied.there, one.compared.rows, one.compared.columns, "the same")
        for one in moved
    ]
    click.echo("")
    click.echo(as_table(("table", "files copied", "files there", "rows", "columns compared", "result"), rows))
