"""Which box a command speaks to: whether it was ever started, whether it runs, and whose project it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.box.component import Box
from headwater.box.supervisor import Supervisor, served_profile, served_project
from headwater.errors import ComponentError, ConfigError
from headwater.profile import PROJECT_FILE

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["require_made", "require_running", "require_supervised", "was_stopped"]


def require_supervised(profile: Profile) -> None:
    """Refuse to go on where somebody else than this profile's supervisor starts and stops components.

    Raises:
        ConfigError: Somebody else does, or the box is another profile's.
    """
    if not profile.supervised:
        raise ConfigError(f"Under the profile {profile.name} {profile.keeper}.")
    _require_same(profile)


def require_made(profile: Profile) -> None:
    """Refuse to go on where no box was ever started.

    Raises:
        ConfigError: There is none; the sentence says where it was looked for.
    """
    if profile.credentials_path.exists():
        return
    if not (profile.project / PROJECT_FILE).is_file():
        raise ConfigError(
            f"There is no {PROJECT_FILE} in {profile.project} or above it, and no box in {profile.home}: "
            "go to your project's folder, or set HEADWATER_PROJECT to it."
        )
    raise ConfigError(f"There is no box in {profile.home} yet; start one with `headwater up`.")


def was_stopped(profile: Profile, component: str) -> bool:
    """Tell whether somebody stopped the box, or is about to; a component that failed is brought back instead."""
    if not profile.supervised:
        return False
    supervisor = Supervisor(Box(profile))
    if not supervisor.running():
        return True
    mine = [one.state for name, one in supervisor.states().items() if name.partition("-")[0] == component]
    return bool({"STOPPED", "STOPPING"} & set(mine))


def require_running(profile: Profile, *, lake_alone: bool = False) -> None:
    """Refuse to go on unless this very box runs and serves this very project.

    Another box may listen on the same ports: asking it would write into somebody else's lake.

    Args:
        profile: Whose box.
        lake_alone: Nothing but lake, metastore and engines will be asked, which need not be of a box.

    Raises:
        ConfigError: There is no such box, or it serves another project.
        ComponentError: It is stopped.
    """
    if not profile.supervised:
        return  # its components have names of their own, which lead to no other's
    if lake_alone and profile.lake_elsewhere:
        return
    _require_same(profile)
    require_made(profile)
    if not Supervisor(Box(profile)).running():
        raise ComponentError(f"The box in {profile.home} is stopped; start it with `headwater up`.")
    served = served_project(profile.home)
    if served not in (None, profile.project):
        raise ConfigError(
            f"The box in {profile.home} serves the project in {served}, not the one in {profile.project}; "
            "`headwater up` switches it."
        )


def _require_same(profile: Profile) -> None:
    """Refuse the box of another profile, whose lake is another one."""
    served = served_profile(profile.home)
    if served not in (None, profile.name):
        raise ConfigError(
            f"The box in {profile.home} is of the profile {served}, not of {profile.name}; "
            "set HEADWATER_PROFILE to that, or HEADWATER_HOME to a folder of its own."
        )
