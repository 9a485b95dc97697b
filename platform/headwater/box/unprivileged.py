"""Which user PostgreSQL can run as: it refuses to be root, and a container or a lab machine often is nothing else.

Not root: this user. Root: a user namespace in which this user has another number, so that every file stays root's own
and may lie below a closed home. Root without namespaces: an unprivileged account that can reach the files.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headwater.profile import Profile

__all__ = ["Identity", "chosen_user", "decide", "hand_over", "namespaces_work"]

_CLONE_NEWUSER = 0x10000000
_NAMESPACE_UID = 1000
_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True)
class Identity:
    """Who a process becomes.

    Args:
        way: ``self`` changes nothing, ``namespace`` enters a user namespace, ``account`` changes the user.
        name: The account's name, for people.
        uid: The number that the files belong to.
        gid: Its group.
    """

    way: Literal["self", "namespace", "account"]
    name: str
    uid: int
    gid: int

    def become(self) -> None:
        """Become it; the process must have one thread and should replace itself at once.

        Raises:
            OSError: The system refuses.
        """
        if self.way == "namespace":
            _enter_namespace()
        elif self.way == "account":
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)

    def wrap(self, argv: Sequence[str]) -> list[str]:
        """Return the command that runs ``argv`` as this identity, for a child process."""
        if self.way == "self":
            return list(argv)
        return [
            sys.executable,
            "-m",
            "headwater.box.unprivileged",
            self.way,
            self.name,
            f"{self.uid}:{self.gid}",
            *argv,
        ]

    def __str__(self) -> str:
        """Say it in a few words."""
        how = {"self": "", "namespace": " in a user namespace", "account": " instead of root"}[self.way]
        return f"{self.name}{how}"


def chosen_user(profile: Profile) -> Identity:
    """Return who PostgreSQL runs as in this box.

    An existing data folder keeps the account that it belongs to.

    Raises:
        ConfigError: Root has no namespaces, and no other account can reach the box's files.
    """
    uid, data = os.getuid(), profile.home / "data" / "postgres"
    owner = data.stat().st_uid if uid == 0 and data.exists() else uid
    return decide(profile, uid, owner, namespaces=uid == 0 and owner == 0 and namespaces_work())


def decide(profile: Profile, uid: int, owner: int, *, namespaces: bool) -> Identity:
    """Choose from what is known about this process and machine.

    Args:
        profile: Where home and cache are.
        uid: This process's user.
        owner: The user that the data folder belongs to; ``uid`` when there is none yet.
        namespaces: User namespaces work here.

    Raises:
        ConfigError: No account can reach the box's files.
    """
    if uid != 0:
        return Identity("self", _name(uid), uid, os.getgid())
    if owner == 0 and namespaces:
        return Identity("namespace", "root", 0, 0)
    account = pwd.getpwuid(owner) if owner else _account()
    # The box's own home is opened for passing through by hand_over; what lies above it is not the box's to change.
    for folder in (profile.home.parent, profile.cache / "runtimes" / "postgres" / "bin"):
        closed = _closed(folder, account)
        if closed is not None:
            raise ConfigError(
                f"PostgreSQL refuses to run as root, and {account.pw_name} may not enter {closed}. "
                "Set HEADWATER_HOME and HEADWATER_CACHE to folders that all may enter, "
                "such as /var/lib/headwater and /var/cache/headwater.",
            )
    return Identity("account", account.pw_name, account.pw_uid, account.pw_gid)


def hand_over(folder: Path, identity: Identity, home: Path) -> None:
    """Give a folder below the box's home to an account, which may then pass through, not read, what lies above it."""
    if identity.way != "account":
        return
    for above in (one for one in folder.parents if one == home or home in one.parents):
        above.chmod(0o711)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)


@cache
def namespaces_work() -> bool:
    """Tell, by trying it in a child process, whether root can enter a user namespace."""
    trial = Identity("namespace", "root", 0, 0).wrap([sys.executable, "-I", "-S", "-c", ""])
    return subprocess.run(trial, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0


def _enter_namespace() -> None:
    uid, gid = os.getuid(), os.getgid()
    # os.unshare came with Python 3.12.
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWUSER):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), "user namespace")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{_NAMESPACE_UID} {uid} 1"),
        ("gid_map", f"{_NAMESPACE_UID} {gid} 1"),
    ):
        Path("/proc/self", name).write_text(text, encoding="ascii")


def _account() -> pwd.struct_passwd:
    for name in _ACCOUNTS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise ConfigError(
        f"PostgreSQL refuses to run as root, and there is no account {' or '.join(_ACCOUNTS)}. "
        "Add one, or run as another user.",
    )


def _closed(folder: Path, account: pwd.struct_passwd) -> Path | None:
    """Return the topmost existing folder on the way that the account may not enter."""
    for one in (*reversed(folder.parents), folder):
        if not one.exists():
            return None
        found = one.stat()
        bit = 0o100 if found.st_uid == account.pw_uid else 0o010 if found.st_gid == account.pw_gid else 0o001
        if not found.st_mode & bit:
            return one
    return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _main(arguments: Sequence[str]) -> NoReturn:
    way, name, numbers, *argv = arguments
    uid, _, gid = numbers.partition(":")
    if way not in {"namespace", "account"}:
        raise SystemExit(f"no such way: {way}")
    Identity("namespace" if way == "namespace" else "account", name, int(uid), int(gid)).become()
    os.execv(argv[0], argv)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    _main(sys.argv[1:])
