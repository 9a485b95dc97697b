"""The command line: thin commands, each loaded only when it is called."""

from __future__ import annotations

import ast
import importlib
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

__all__ = ["main"]

# name -> (module:command, help shown in the list); the module is imported only when the command runs.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("headwater.cli.box:up", "Start the box and return when every component is ready."),
    "down": ("headwater.cli.box:down", "Stop the box; no process of it is left."),
    "status": ("headwater.cli.box:status", "Show every process: state, readiness, port, memory, version."),
    "logs": ("headwater.cli.box:logs", "Show the components' logs."),
    "doctor": ("headwater.cli.box:doctor", "Say whether this machine is fit for the box."),
    "credentials": ("headwater.cli.box:credentials", "Show every login of the box."),
    "upgrade": ("headwater.cli.upgrade:upgrade", "Make a backup, and bring the box's data to this release."),
    "backup": ("headwater.cli.upgrade:backup", "Make a backup of the box and try it out, or list those there are."),
    "restore": ("headwater.cli.upgrade:restore", "Set the box back to a backup."),
    "destroy": ("headwater.cli.box:destroy", "Delete the box with all its data."),
    "tour": ("headwater.cli.tour:tour", "Show each address, the credentials and three things to try."),
    "ingest": ("headwater.cli.ingest:ingest", "Make a table of files, folders or objects."),
    "sql": ("headwater.cli.sql:sql", "Run SQL on Trino or Spark."),
    "aws": ("headwater.cli.aws:aws", "Plan, deploy and destroy what Headwater needs of an AWS account."),
    "migrate": (
        "headwater.cli.migrate:migrate",
        "Copy the lake to AWS (--to aws); or bring one component's state to this version, as the box does itself.",
    ),
    "settings": ("headwater.cli.box:settings", "List the settings and what they are now."),
}
# What the box, images and maintainers call.
_PLUMBING: Mapping[str, tuple[str, str]] = {
    "drain": ("headwater.cli.box:drain", "Let one process finish what others gave it, before it is stopped."),
    "exec": ("headwater.cli.box:execute", "Become a program with one component's configuration and variables."),
    "fetch": ("headwater.cli.fetch:fetch", "Bring the runtimes of every component into the cache; `up` does it, too."),
    "images": ("headwater.cli.images:images", "Build the container images from the lock file."),
    "init-env": ("headwater.cli.env:init_env", "Write the passwords that containers start with into .env."),
    "lock": ("headwater.cli.fetch:lock", "Make the lock file anew from the list of coordinates."),
    "migrated": ("headwater.cli.box:migrated", "Return once one component's migration, elsewhere, is done."),
    "probe": ("headwater.cli.box:probe", "Use one component once; the exit code says whether it is ready."),
    "run": ("headwater.cli.box:run", "Become one component's process."),
    "sbom": ("headwater.cli.images:sbom", "Write what a component's image is made of, as CycloneDX."),
}
_GROUP = "headwater.commands"


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*_COMMANDS, *(point.name for point in entry_points(group=_GROUP)), *_PLUMBING]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        known = {**_COMMANDS, **_PLUMBING}
        if cmd_name in known:
            module, _, attribute = known[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        for point in entry_points(group=_GROUP, name=cmd_name):
            loaded: click.Command = point.load()
            return loaded
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            known = self.list_commands(ctx)  # click looks for similar names among the commands that are loaded
            raise click.NoSuchCommand(error.command_name, possibilities=known, ctx=ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        rows = [(name, text) for name, (_, text) in _COMMANDS.items()]
        rows += [(point.name, _first_line(point)) for point in entry_points(group=_GROUP)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        with formatter.section("Called by the box itself, by images and by maintainers"):
            formatter.write_dl([(name, text) for name, (_, text) in _PLUMBING.items()])


def _first_line(point: EntryPoint) -> str:
    """Return what a command of another package says of itself, read from its source: importing it takes long."""
    found = find_spec(point.module)
    if found is None or found.origin is None:
        return ""
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == point.attr)
    return next(((ast.get_docstring(one) or "").partition("\n")[0] for one in functions), "")


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headwater")
def headwater() -> None:
    """A data platform in a box: lake, engines, orchestration, dashboards and catalog on one machine."""


def main() -> None:
    """Run the command line; an error a user can act on is one sentence on stderr and exit code 1."""
    try:
        headwater()
    except HeadwaterError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away; there is nobody to tell
        sys.exit(1)
