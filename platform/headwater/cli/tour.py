"""The ``tour`` command: where everything is, and three things to try."""

from __future__ import annotations

from importlib.metadata import entry_points

import click

from headwater.box.component import Box
from headwater.box.components import box_components
from headwater.box.programs import programs
from headwater.box.serving import require_running
from headwater.profile import Profile

_TRIES = (
    (
        'headwater sql "select * from curated.loan_vintage order by year, loan_age limit 12"',
        "how each year's loans age",
    ),
    ('headwater sql --engine spark "select count(*) from curated.loan_vintage"', "the same name in Spark"),
    ("headwater status", "what runs, and what it takes"),
)


@click.command()
def tour() -> None:
    """Show each address, where the credentials are, and three things to try."""
    profile = Profile.load()
    require_running(profile)
    box = Box(profile)
    shown = [one for one in box_components(profile).values() if not one.on_demand]
    rows = [(one.name, url) for one in programs(shown) if (url := one.component.url(box, one.role))]
    lines = ["", "Headwater is ready.", ""]
    lines += [f"  {name:<18} {url}" for name, url in rows]
    links = [link for point in entry_points(group="headwater.links") for link in point.load()(profile)]
    if links:
        lines += ["", "Dashboards (log in as Superset's user, see the credentials):", ""]
        lines += [f"  {title:<28} {url}" for title, url in links]
    kept = profile.credentials_path if profile.supervised else "in the environment"
    lines += ["", f"  credentials        {kept} (shown by `headwater credentials`)", ""]
    lines += ["Three things to try (with .venv/bin on your PATH):", ""]
    lines += [line for command, what in _TRIES for line in (f"  # {what}", f"  {command}", "")]
    click.echo("\n".join(lines).rstrip())
