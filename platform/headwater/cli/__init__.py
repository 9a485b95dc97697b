"""The command line: thin commands, each loaded only when it is called."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import click

from headwater.errors import HeadwaterError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["main"]

# name -> (module:command, help shown in the list); the module is imported only when the command runs.
_COMMANDS: Mapping[str, tuple[str, str]] = {
    "fetch": ("headwater.cli.fetch:fetch", "Bring the runtimes of every component into the cache."),
    "up": ("headwater.cli.box:up", "Start the box and return when every component is ready."),
    "down": ("headwater.cli.box:down", "Stop the box; no process of it is left."),
    "status": ("headwater.cli.box:status", "Show every process: state, readiness, port, memory, version."),
    "logs": ("headwater.cli.box:logs", "Show the components' logs."),
    "doctor": ("headwater.cli.box:doctor", "Say whether this machine is fit for the box."),
    "credentials": ("headwater.cli.box:credentials", "Show every login of the box."),
    "destroy": ("headwater.cli.box:destroy", "Delete the box with all its data."),
    "tour": ("headwater.cli.tour:tour", "Show each address, the credentials and three things to try."),
    "sql": ("headwater.cli.sql:sql", "Run SQL on Trino or Spark."),
    "run": ("headwater.cli.box:run", "Become one component's process."),
    "migrate": ("headwater.cli.box:migrate", "Bring one component's state to this version."),
    "lock": ("headwater.cli.fetch:lock", "Make the lock file anew from the list of coordinates."),
    "settings": ("headwater.cli.box:settings", "List the settings and what they are now."),
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [*_COMMANDS, *(point.name for point in entry_points(group="headwater.commands"))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _COMMANDS:
            module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        for point in entry_points(group="headwater.commands", name=cmd_name):
            loaded: click.Command = point.load()
            return loaded
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        rows = [(name, text) for name, (_, text) in _COMMANDS.items()]
        rows += [
            (point.name, f"From {point.value.partition(':')[0]}.") for point in entry_points(group="headwater.commands")
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


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
