"""Is this machine fit for the box? Every finding is one sentence with what to do."""

from __future__ import annotations

import platform
import resource
import shutil
import sys
import tempfile
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from headwater.box.processes import box_of, listeners, members
from headwater.box.supervisor import MARK
from headwater.box.unprivileged import chosen_user
from headwater.credentials import LOGINS, password_variable
from headwater.errors import ConfigError
from headwater.profile import PORTS, SETTINGS, inherited_env

if TYPE_CHECKING:
    from collections.abc import Callable

    from headwater.profile import Profile

__all__ = ["Finding", "examine"]

GIB = 1024**3
# Needed and comfortable; without engines there is much less to hold.
_MEMORY, _MEMORY_WITHOUT_LAKE = (4 * GIB, 7 * GIB), (2 * GIB, 3 * GIB)
_DISK_NEEDED, _DISK_WANTED = 2 * GIB, 10 * GIB
_FILES_NEEDED = 4096
_PYTHONS = ((3, 11), (3, 12))


@dataclass(frozen=True)
class Finding:
    """What one examination found.

    Args:
        subject: What was looked at.
        level: ``fail`` keeps the box from starting.
        sentence: What was found, and what to do when it is not ok.
    """

    subject: str
    level: Literal["ok", "warn", "fail"]
    sentence: str


def examine(profile: Profile) -> list[Finding]:
    """Look at Python, memory, home, disk, ports, user limits, and the user that PostgreSQL runs as."""
    looks: tuple[Callable[[Profile], Finding], ...] = (
        _python,
        _system,
        _memory,
        _home,
        _disk,
        _ports,
        _limits,
        _settings,
        _postgres_user,
    )
    return [look(profile) for look in looks]


def _python(_: Profile) -> Finding:
    found = platform.python_version()
    if sys.version_info[:2] in _PYTHONS:
        return Finding("python", "ok", found)
    return Finding(
        "python", "fail", f"Python {found} is not supported; install Python 3.11 or 3.12 and make .venv anew."
    )


def _system(_: Profile) -> Finding:
    found = f"{platform.system()} {platform.machine()}"
    if found in {"Linux x86_64", "Linux aarch64"}:
        return Finding("system", "ok", found)
    return Finding("system", "fail", f"{found} is not supported; the box runs on Linux x86_64 (aarch64 untried).")


def _memory(profile: Profile) -> Finding:
    free = min(psutil.virtual_memory().available, _cgroup_memory())
    mine = _box_memory(profile)
    needed, wanted = _MEMORY_WITHOUT_LAKE if profile.lake_elsewhere else _MEMORY
    said = f"{free / GIB:.1f} GiB available" + (f", {mine / GIB:.1f} GiB in use by this box" if mine else "")
    if free + mine < needed:
        return Finding("memory", "fail", f"{said}; the box needs {needed // GIB} GiB. Stop other programs.")
    if free + mine < wanted:
        return Finding(
            "memory",
            "warn",
            f"{said}; {wanted // GIB} GiB are comfortable. Lower the HEADWATER_*_HEAP settings.",
        )
    return Finding("memory", "ok", said)


def _cgroup_memory() -> int:
    for limit, used in (
        ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
        ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ):
        try:
            return int(Path(limit).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return sys.maxsize


def _box_memory(profile: Profile) -> int:
    total = 0
    for process in members(profile.home):
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total


def _home(profile: Profile) -> Finding:
    there = next(one for one in (profile.home, *profile.home.parents) if one.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()  # rights alone say nothing of a read-only disk
    except OSError as error:
        return Finding(
            "home",
            "fail",
            f"{there} cannot be written: {error.strerror}. Give this user the right to, or set HEADWATER_HOME.",
        )
    return Finding("home", "ok", str(profile.home))


def _disk(profile: Profile) -> Finding:
    worst = min((profile.home, profile.cache), key=_free)
    said = f"{_free(worst) / GIB:.1f} GiB free at {worst}"
    if _free(worst) < _DISK_NEEDED:
        return Finding(
            "disk",
            "fail",
            f"{said}; {_DISK_NEEDED // GIB} GiB are needed. Free some, or set HEADWATER_HOME and HEADWATER_CACHE.",
        )
    if _free(worst) < _DISK_WANTED:
        return Finding("disk", "warn", f"{said}; {_DISK_WANTED // GIB} GiB are comfortable.")
    return Finding("disk", "ok", said)


def _free(folder: Path) -> int:
    there = next(one for one in (folder, *folder.parents) if one.exists())
    return shutil.disk_usage(there).free


def _ports(profile: Profile) -> Finding:
    block = {profile.port(name): name for name in PORTS}
    taken: dict[str, list[str]] = {}
    for port, owner in sorted(listeners(block).items()):
        if owner is None or box_of(owner) != str(profile.home):
            taken.setdefault(_describe(owner), []).append(f"{port} ({block[port]})")
    said = f"{min(block)} to {max(block)}"
    if taken:
        who = "; ".join(f"{', '.join(ports)} by {owner}" for owner, ports in taken.items())
        return Finding(
            "ports",
            "fail",
            f"Of {said}, taken: {who}. Stop that, or set HEADWATER_PORT to another block, for example "
            f"{profile.first_port + 100}.",
        )
    return Finding("ports", "ok", f"{said} free or used by this box")


def _describe(process: psutil.Process | None) -> str:
    if process is None:
        return "a process of another user"
    try:
        home = box_of(process)
        return f"the box in {home}" if home else f"{process.name()} (pid {process.pid})"
    except (psutil.Error, OSError):
        return f"pid {process.pid}"


def _settings(profile: Profile) -> Finding:
    unknown = [name for name in inherited_env() if name.startswith("HEADWATER_") and name not in _known()]
    if not unknown:
        return Finding("settings", "ok", f"{len(profile.settings)} known, none misspelt")
    near = get_close_matches(unknown[0], _known(), 1)
    hint = f"did you mean {near[0]}?" if near else "see `headwater settings`."
    return Finding("settings", "warn", f"{', '.join(sorted(unknown))} is no setting of Headwater; {hint}")


def _known() -> list[str]:
    return [MARK, *(one.name for one in SETTINGS), *map(password_variable, LOGINS)]


def _limits(_: Profile) -> Finding:
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files < _FILES_NEEDED:
        return Finding("limits", "fail", f"This user may open {files} files; raise it: `ulimit -n {_FILES_NEEDED}`.")
    return Finding("limits", "ok", f"{files} open files")


def _postgres_user(profile: Profile) -> Finding:
    try:
        return Finding("postgres user", "ok", str(chosen_user(profile)))
    except ConfigError as error:
        return Finding("postgres user", "fail", str(error))
