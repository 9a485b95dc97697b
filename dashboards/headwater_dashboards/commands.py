"""The commands ``headwater dashboards push``, ``pull`` and ``draft``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click
from headwater.box.serving import require_running
from headwater.errors import DashboardError
from headwater.profile import Profile
from headwater.project import load_project
from headwater_catalog.links import table_page

from headwater_dashboards.documents import Documents, folders, load, own_folder
from headwater_dashboards.superset import Superset, dashboard_url
from headwater_dashboards.tables import reader

if TYPE_CHECKING:
    from headwater.engines.base import Engine
    from headwater.project import Project

    from headwater_dashboards.tables import TableReader

__all__ = ["dashboards"]


@click.group()
def dashboards() -> None:
    """Dashboards as code: YAML in the project, charts in Superset."""


@dashboards.command()
@click.option("--move", is_flag=True, help="Have dashboards that read another lake read this one from now on.")
def push(*, move: bool) -> None:
    """Make Superset show what the project's YAML says: all of it, or nothing."""
    # Loaded when a command runs, as everything here that the others do not need.
    from headwater.box.components.superset import database_of  # noqa: PLC0415
    from headwater.stack import Stack  # noqa: PLC0415

    from headwater_dashboards.forms import slug_of, task_of  # noqa: PLC0415
    from headwater_dashboards.validation import validate  # noqa: PLC0415

    profile = _running()
    documents = load(folders(profile))
    project = load_project(profile)
    facts = validate(documents, _tables(profile, project))
    lake = Stack.connection(profile)
    task = task_of(project.name, documents, facts, lake=lake.uuid, page=partial(table_page, profile))
    # A lake that takes no password comes along; the box's own is there since Superset's migration.
    task |= {"move": move, **({"database": database_of(lake)} if lake.open else {})}
    changes = Superset(profile).push(task)
    for change in changes:
        click.echo(f"{change['change']:<8} {change['kind']:<10} {change['title']}")
    if not changes:
        click.echo("Nothing changed.")
    for one in documents.of("dashboards"):
        click.echo(f"{one.data['title']}: {dashboard_url(profile, slug_of(one))}")


@dashboards.command()
@click.argument("dashboard")
def pull(dashboard: str) -> None:
    """Write a dashboard edited in Superset back as YAML; DASHBOARD is its slug, title or number."""
    from headwater.stack import Stack  # noqa: PLC0415

    from headwater_dashboards.pulling import files_of, write_files  # noqa: PLC0415

    profile = _running()
    documents = load(folders(profile))
    found, tables = Superset(profile).dashboard(dashboard), _tables(profile, load_project(profile))
    files = files_of(found, documents, tables, own_folder(profile), lake=Stack.connection(profile).uuid)
    write_files(files)
    for file in files:
        click.echo(f"wrote {file}")
    if not files:
        click.echo("Nothing changed.")


@dashboards.command()
@click.argument("table")
@click.option("--force", is_flag=True, help="Replace files that are there.")
def draft(table: str, *, force: bool) -> None:
    """Write a first dashboard of any table as YAML, which is then yours to edit."""
    from headwater_dashboards.drafting import draft_of  # noqa: PLC0415
    from headwater_dashboards.pulling import write_files  # noqa: PLC0415
    from headwater_dashboards.surveying import survey  # noqa: PLC0415

    profile = _running()
    documents = load(folders(profile))
    facts = _tables(profile, load_project(profile))(table)
    if facts is None:
        raise DashboardError(f"There is no table {table!r}; ingest or materialize it, or correct the name.")
    files = draft_of(survey(facts, _engine(profile)), documents, own_folder(profile))
    there = [str(file) for file in files if file.exists()]
    if there and not force:
        raise DashboardError(f"{there[0]} is there already, and it is yours; nothing was written. --force replaces it.")
    write_files(files)
    for file in files:
        click.echo(f"wrote {file}")
    click.echo("Show it with `headwater dashboards push`.")


def links(profile: Profile) -> list[tuple[str, str]]:
    """Return the title and address of every dashboard of the project; none when its YAML cannot be read."""
    from headwater_dashboards.forms import slug_of  # noqa: PLC0415

    try:
        documents = load(folders(profile))
    except DashboardError:
        documents = Documents(())
    return [(str(one.data["title"]), dashboard_url(profile, slug_of(one))) for one in documents.of("dashboards")]


def _running() -> Profile:
    profile = Profile.load()
    require_running(profile)
    return profile


def _tables(profile: Profile, project: Project) -> TableReader:
    return reader(project, lambda: _engine(profile))


def _engine(profile: Profile) -> Engine:
    from headwater.stack import Stack  # noqa: PLC0415 - slow to import, and not needed for defined tables

    return Stack.build(profile).engine("trino")
