"""The ``aws`` commands: what of an account Headwater needs, made and removed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from headwater.aws import Account, Plan
from headwater.cli.output import as_json, as_table
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["aws", "stack_settings"]

# What the profile reads of what a stack gives.
_SETTINGS = {
    "LakeBucket": "HEADWATER_BUCKET",
    "WorkGroup": "HEADWATER_ATHENA_WORKGROUP",
    "SparkApplication": "HEADWATER_EMR_APPLICATION",
    "SparkRole": "HEADWATER_EMR_ROLE",
}


def _account(command: Callable[..., None]) -> Callable[..., None]:
    named = click.option("--stack", default="headwater", show_default=True, help="The stack's name.")
    where = click.option(
        "--region", default="", help="The region; what the AWS clients' configuration says when empty."
    )
    return named(where(command))


_set = click.option(
    "--set", "pairs", multiple=True, metavar="PARAMETER=VALUE", help="A parameter of the template; may be repeated."
)


@click.group()
def aws() -> None:
    """Plan, deploy and destroy what Headwater needs of an AWS account.

    Logins, regions and endpoints are those of the AWS clients' own configuration; nothing is kept here.
    """


@aws.command()
@_account
@_set
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def plan(stack: str, region: str, pairs: Sequence[str], output: str) -> None:
    """Show what `deploy` would make, change and remove, and what costs; nothing is changed."""
    found = Account(region=region, stack=stack).plan(_parameters(pairs))
    if output == "json":
        click.echo(as_json([asdict(found)]))
        return
    _show(found)


@aws.command()
@_account
@_set
@click.option("--yes", is_flag=True, help="Do not ask.")
def deploy(stack: str, region: str, pairs: Sequence[str], *, yes: bool) -> None:
    """Make the stack, or bring it to this version, and print the settings that lead to it."""
    account, parameters = Account(region=region, stack=stack), _parameters(pairs)
    _show(account.plan(parameters))
    if not yes:
        click.confirm("Deploy this?", abort=True)
    outputs = account.deploy(parameters)
    click.echo("HEADWATER_PROFILE=aws")
    for name, value in outputs.items():
        click.echo(f"{_SETTINGS[name]}={value}" if name in _SETTINGS else f"# {name}: {value}")


def stack_settings(stack: str) -> dict[str, str]:
    """Return the settings that lead to a stack, by name.

    Raises:
        ConfigError: There is no such stack.
        ComponentError: AWS refused or failed.
    """
    return {
        _SETTINGS[name]: value for name, value in Account(region="", stack=stack).outputs().items() if name in _SETTINGS
    }


@aws.command()
@_account
@click.option("--delete-bucket", "buckets", multiple=True, metavar="NAME", help="Delete this bucket with its data.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(stack: str, region: str, buckets: Sequence[str], *, yes: bool) -> None:
    """Delete the stack; buckets with data and databases with tables stay, unless their bucket is named."""
    if not yes:
        data = f" and all data in {', '.join(buckets)}" if buckets else ""
        click.confirm(f"Delete the stack {stack}{data}?", abort=True)
    Account(region=region, stack=stack).destroy(buckets, click.echo)


def _parameters(pairs: Sequence[str]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ConfigError(f"--set {pair} has no value; say --set {pair}=VALUE.")
    return dict(pair.split("=", 1) for pair in pairs)


def _show(found: Plan) -> None:
    steps = {"make": found.made, "change": found.changed, "remove": found.gone}
    lines = [(step, name, kind) for step, some in steps.items() for name, kind in some.items()]
    if lines:
        click.echo(as_table(("step", "name", "type"), lines))
    else:
        click.echo(f"The stack {found.stack} is as this version wants it.")
    click.echo("\nWhat costs (prices of us-east-1 when this was written; yours may differ):")
    for cost in found.costs:
        click.echo(f"- {cost}")
