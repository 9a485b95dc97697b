"""What every command does that starts the box: look at the machine, fetch what is missing, tell what goes on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from headwater.box.component import Box
from headwater.cli.fetch import fetch_settings
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from headwater.box.component import Component
    from headwater.profile import Profile

__all__ = ["prepare", "teller"]


def prepare(profile: Profile, wanted: Mapping[str, Component]) -> None:
    """See that components can be started: end what was left behind, examine the machine, and fetch.

    Raises:
        ConfigError: The machine is not fit.
        FetchError: A runtime cannot be fetched.
    """
    from headwater.box.doctor import examine  # noqa: PLC0415 - slow to import
    from headwater.box.fetch import fetch  # noqa: PLC0415
    from headwater.box.lifecycle import end_leftovers  # noqa: PLC0415

    if profile.home.exists():
        end_leftovers(Box(profile), teller(time.monotonic()))
    bad = [finding for finding in examine(profile) if finding.level != "ok"]
    for finding in bad:
        click.echo(f"{finding.level}: {finding.subject}: {finding.sentence}", err=True)
    if any(finding.level == "fail" for finding in bad):
        raise ConfigError("This machine is not ready for the box; see above, or run `headwater doctor`.")
    fetch(fetch_settings(profile), {name for one in wanted.values() for name in one.runtimes})


def teller(began: float) -> Callable[[str, str], None]:
    """Return what tells people what happens to a component, with the seconds since ``began``."""

    def tell(name: str, what: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f} s] {name:<11} {what}")

    return tell
