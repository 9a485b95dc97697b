"""``headwater fetch`` and ``headwater lock``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from headwater.box.lockfile import FetchSettings
from headwater.profile import Profile
from headwater.words import amount

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["fetch", "fetch_settings", "lock"]


def fetch_settings(profile: Profile, *, keep_downloads: bool = False) -> FetchSettings:
    """Return what a profile says about fetching."""
    return FetchSettings(
        cache=profile.cache,
        pypi_mirror=profile.setting("HEADWATER_PYPI_MIRROR") or None,
        maven_mirror=profile.setting("HEADWATER_MAVEN_MIRROR") or None,
        go_mirror=profile.setting("HEADWATER_GO_MIRROR") or None,
        npm_mirror=profile.setting("HEADWATER_NPM_MIRROR") or None,
        jobs=int(profile.setting("HEADWATER_FETCH_JOBS")),
        keep_downloads=keep_downloads,
    )


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT|RUNTIME]...")
@click.option("--keep-downloads", is_flag=True, help="Keep archives after unpacking them.")
@click.option("--prune", "pruning", is_flag=True, help="Then remove what only other releases need and nothing runs.")
def fetch(names: tuple[str, ...], *, keep_downloads: bool, pruning: bool) -> None:
    """Bring the runtimes of every component, or only some, into the cache; a component stands for all it runs on."""
    from headwater.box.components import all_components  # noqa: PLC0415
    from headwater.box.fetch import fetch as run  # noqa: PLC0415

    components = all_components() if names else {}
    wanted = {one for name in names for one in (components[name].runtimes if name in components else (name,))}
    settings = fetch_settings(Profile.load(), keep_downloads=keep_downloads)
    run(settings, wanted if names else None)
    if pruning:
        _prune(settings)


@click.command()
@click.option("--rehash", is_flag=True, help="Download again even what the lock file knows.")
def lock(*, rehash: bool) -> None:
    """Make the lock file and Superset's requirements anew from the list of coordinates."""
    from headwater.box.progress import progress_on  # noqa: PLC0415
    from headwater.box.relock import relock  # noqa: PLC0415

    with progress_on(_console()) as progress:
        made = relock(fetch_settings(Profile.load()), progress, rehash=rehash)
    files = {file.sha256 for runtime in made.runtimes.values() for file in runtime.files}
    click.echo(f"Locked {amount(len(made.runtimes), 'runtime')} of {amount(len(files), 'file')}.")


def _prune(settings: FetchSettings) -> None:
    from headwater.box.prune import prune_cache  # noqa: PLC0415

    done = prune_cache(settings, _console())
    for name in done.removed:
        click.echo(f"removed {name}")
    for name in done.kept:
        click.echo(f"kept {name}: it is in use")
    what = amount(len(done.removed), "thing")
    click.echo(f"Removed {what} of other releases, {done.freed / 10**6:.0f} MB, from {settings.cache}.")


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    return Console()
