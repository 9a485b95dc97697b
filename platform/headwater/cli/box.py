"""Commands for the box."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from headwater.box.component import Box
from headwater.box.components import all_components, box_components
from headwater.box.programs import find, programs, to_start, with_needs
from headwater.box.serving import require_made, require_supervised
from headwater.box.supervisor import Supervisor, served_project
from headwater.box.unfinished import require_finished
from headwater.cli.output import as_env, as_json, objects_as_table, output_option
from headwater.cli.starting import prepare, teller
from headwater.credentials import LOGINS, ensure_credentials, logins_of
from headwater.errors import ComponentError, ConfigError
from headwater.profile import SETTINGS, Profile, inherited_env

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater.box.programs import Program

_MIB = 1024**2
_PROBLEM_WIDTH = 100


def _supervised() -> Profile:
    profile = Profile.load()
    require_supervised(profile)
    return profile


def _selected(profile: Profile, names: tuple[str, ...]) -> tuple[Program, ...]:
    components = box_components(profile)
    every = programs(components.values())
    chosen = tuple(one for one in every if not names or {one.name, one.component.name} & set(names))
    for name in names:
        if not any(name in {one.name, one.component.name} for one in every):
            find(components, name)  # refuses it, naming what there is
    return chosen


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT]...")
def up(names: tuple[str, ...]) -> None:
    """Start the box, or some components with all they need, and return when they are ready.

    Some components start only when they are named, as in `headwater up aws-api`.
    """
    from headwater.box.lifecycle import bring_up  # noqa: PLC0415

    profile = _supervised()
    components = box_components(profile)
    wanted = to_start(components, names)
    prepare(profile, wanted)
    require_finished(profile.home)
    ensure_credentials(profile.home)
    began = time.monotonic()
    _serve_this_project(profile, teller(began))
    bring_up(Box(profile), wanted, programs(components.values()), teller(began))
    click.echo(f"The box is ready after {time.monotonic() - began:.1f} s.")


@click.command()
def down() -> None:
    """Stop the box; afterwards no process of it is left."""
    from headwater.box.lifecycle import take_down  # noqa: PLC0415

    profile = _supervised()
    if not _is_box(profile):
        click.echo(f"There is no box in {profile.home}; there is nothing to stop.")
        return
    take_down(Box(profile), box_components(profile), teller(time.monotonic()))
    click.echo("The box is down.")


@click.command()
@output_option("table", "json", "env")
def status(output: str) -> None:
    """Show every process of the box, each probed just now."""
    from headwater.box.status import statuses  # noqa: PLC0415

    profile = _supervised()
    require_made(profile)
    rows = [asdict(one) for one in statuses(Box(profile), programs(box_components(profile).values()))]
    if output == "json":
        click.echo(as_json(rows))
    elif output == "env":
        click.echo(
            as_env(
                {f"HEADWATER_{_variable(row['name'])}_READY": str(row["ready"]).lower() for row in rows}
                | {f"HEADWATER_{_variable(row['name'])}_URL": row["url"] for row in rows if row["url"]}
            )
        )
    else:
        click.echo(objects_as_table([_for_people(row) for row in rows]))


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT[:ROLE]]...")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with new lines until interrupted.")
@click.option("-n", "--lines", default=50, show_default=True, help="Last lines of each.")
def logs(names: tuple[str, ...], following: bool, lines: int) -> None:  # noqa: FBT001 - click passes flags by position
    """Show the components' logs."""
    from headwater.box.logs import follow, recent  # noqa: PLC0415

    profile = _supervised()
    home, chosen = profile.home, _selected(profile, names)
    for name, line in recent(home, chosen, lines):
        click.echo(f"{name} | {line}" if len(chosen) > 1 else line)
    if following:
        for name, line in follow(home, chosen):
            click.echo(f"{name} | {line}" if len(chosen) > 1 else line)


@click.command()
@output_option("table", "json")
def doctor(output: str) -> None:
    """Say whether this machine is fit for the box."""
    from headwater.box.doctor import examine  # noqa: PLC0415

    findings = [asdict(one) for one in examine(_supervised())]
    click.echo(as_json(findings) if output == "json" else objects_as_table(findings))
    if any(one["level"] == "fail" for one in findings):
        raise ConfigError("This machine is not ready for the box; see above.")


@click.command()
@output_option("table", "json", "env")
def credentials(output: str) -> None:
    """Show every login of the box; they are kept in credentials.json in the box's home."""
    from headwater.box.clients import client_variables  # noqa: PLC0415

    profile = Profile.load()
    logins = profile.credentials
    if output == "env":
        click.echo(as_env(client_variables(profile)))
        return
    rows = [
        {"login": login, "user": logins.user(login), "password": logins.password(login), "opens": LOGINS[login][1]}
        for login in logins_of(box_components(profile))
        if login in logins.logins
    ]
    click.echo(as_json(rows) if output == "json" else objects_as_table(rows))


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def destroy(yes: bool) -> None:  # noqa: FBT001
    """Stop the box and delete it with all its data; fetched runtimes stay in the cache."""
    from headwater.box.lifecycle import take_down  # noqa: PLC0415

    profile = _supervised()
    if not _is_box(profile):
        raise ConfigError(f"There is no box in {profile.home}; nothing was deleted.")
    if not yes:
        lake = "; its tables stay in the account" if profile.lake_elsewhere else " and all its tables"
        click.confirm(f"Delete the box in {profile.home} with its runs, dashboards and backups{lake}?", abort=True)
    take_down(Box(profile), box_components(profile), teller(time.monotonic()))
    shutil.rmtree(profile.home)
    click.echo(f"{profile.home} is deleted; the files of the project in {profile.project} stay.")


@click.command()
@click.argument("name", metavar="COMPONENT[:ROLE]")
def run(name: str) -> None:
    """Render a component's configuration and become its process."""
    profile = Profile.load()
    if (served := served_project(profile.home)) is not None:
        profile = Profile.load(HEADWATER_PROJECT=str(served))
    profile.ensure_home()
    program = find(all_components(), name)
    command = program.component.command(Box(profile), program.role)
    os.chdir(command.cwd or profile.home)
    if command.become is not None:
        command.become()
    os.execve(command.argv[0], list(command.argv), inherited_env(**command.env))  # noqa: S606 - no shell is wanted


@click.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--wait", is_flag=True, help="First wait for the component's migration, elsewhere, as `migrated` does.")
@click.argument("name", metavar="COMPONENT[:ROLE]")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED, metavar="PROGRAM [ARGUMENT]...")
def execute(name: str, argv: tuple[str, ...], *, wait: bool) -> None:
    """Render a component's configuration and become a program of its own, with its variables and in its folder."""
    from headwater.box.readiness import wait_for_migration  # noqa: PLC0415

    profile = Profile.load()
    profile.ensure_home()
    program = find(all_components(), name)
    if wait:
        wait_for_migration(Box(profile), program.component)
    command = program.component.command(Box(profile), program.role)
    os.chdir(command.cwd or profile.home)
    os.execvpe(argv[0], list(argv), inherited_env(**command.env))  # noqa: S606 - no shell is wanted


@click.command()
@click.argument("name", metavar="COMPONENT")
def migrated(name: str) -> None:
    """Return once a component's migration to this version, elsewhere, is done."""
    from headwater.box.readiness import wait_for_migration  # noqa: PLC0415

    wait_for_migration(Box(Profile.load()), with_needs(all_components(), [name])[name])


@click.command()
@click.argument("name", metavar="COMPONENT[:ROLE]")
def drain(name: str) -> None:
    """Let a process in this container finish what others have given it to do, before it is stopped."""
    program = find(all_components(), name)
    profile = Profile.load().seen_from(program.component.port(program.role))
    program.component.drain(Box(profile), program.role)


@click.command()
@click.argument("name", metavar="COMPONENT[:ROLE]")
@click.option("--here", is_flag=True, help="The one in this very container, not whichever bears its name.")
def probe(name: str, *, here: bool) -> None:
    """Use a component once, as `up` and container engines do to know that it is ready; the exit code is 0 or 1."""
    from headwater.box.readiness import why_not_ready  # noqa: PLC0415

    program, profile = find(all_components(), name), Profile.load()
    port = program.component.port(program.role) if here else None
    why = why_not_ready(Box(profile.seen_from(port)), program)
    if why:
        raise ComponentError(f"{program.name} is not ready: {why.partition(chr(10))[0]}")
    click.echo(f"{program.name} is ready.")


@click.command()
@output_option("table", "json")
def settings(output: str) -> None:
    """List the settings (environment variables) and what they are now."""
    profile = Profile.load()
    shown = {
        "HEADWATER_HOME": str(profile.home),
        "HEADWATER_CACHE": str(profile.cache),
        "HEADWATER_PROJECT": str(profile.project),
    }
    rows = [
        {"setting": one.name, "value": shown.get(one.name, profile.setting(one.name)), "what": one.help}
        for one in SETTINGS
    ]
    click.echo(as_json(rows) if output == "json" else objects_as_table(rows))


def _is_box(profile: Profile) -> bool:
    """Tell whether a box was started here, even when its credentials are gone."""
    return profile.credentials_path.exists() or served_project(profile.home) is not None


def _serve_this_project(profile: Profile, tell: Callable[[str, str], None]) -> None:
    from headwater.box.lifecycle import switch_project  # noqa: PLC0415

    served = served_project(profile.home)
    if served not in (None, profile.project) and Supervisor(Box(profile)).running():
        tell("box", f"serves the project in {served} so far, from now on the one in {profile.project}")
        switch_project(Box(profile), box_components(profile), tell)


def _for_people(row: dict[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in ("rss_bytes", "uptime_seconds", "problem")}
    problem = str(row["problem"] or "").partition("\n")[0]
    return {
        **shown,
        "rss": f"{row['rss_bytes'] / _MIB:.0f} MiB",
        "uptime": f"{row['uptime_seconds']} s",
        "problem": problem if len(problem) <= _PROBLEM_WIDTH else f"{problem[: _PROBLEM_WIDTH - 3]}...",
    }


def _variable(name: str) -> str:
    return name.replace(":", "_").replace("-", "_").upper()
