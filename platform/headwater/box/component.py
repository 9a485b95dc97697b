"""What a component of the box is: how to bootstrap it, become it, and know that it works."""

from __future__ import annotations

import hashlib
import os
import secrets
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from headwater.box.runtimes import Runtimes
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from headwater.profile import Profile

    ByRole = Mapping[str, tuple[str, ...]]

__all__ = ["COMMON_HINTS", "MIGRATE", "Box", "Command", "Component", "Hint", "Schema"]

# The kernel's limit for a Unix socket's path is 107 bytes.
_SOCKET_PATH_LIMIT = 107


@dataclass(frozen=True)
class Command:
    """A process to become.

    Args:
        argv: Program (absolute path) and arguments; never a secret.
        env: The process's additional environment; secrets only where the program takes them no other way.
        cwd: Its working folder.
        become: Called right before the process is replaced, in its only thread; changes the user where that is needed.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    cwd: Path | None = None
    become: Callable[[], None] | None = None


@dataclass(frozen=True)
class Hint:
    """A likely cause, shown when a failed component's log matches.

    Args:
        pattern: Regular expression searched in the last log lines.
        cause: One sentence: the likely cause and what to do.
    """

    pattern: str
    cause: str


@dataclass(frozen=True)
class Schema:
    """How far a component's stored data are, beside what this release makes of them.

    Args:
        found: The version of the data; empty when there are none yet.
        wanted: The version that ``migrate`` brings them to.
        obstacle: Why this release must not touch them, as a sentence; empty when it may.
    """

    found: str
    wanted: str
    obstacle: str = ""


# Where a component says what its roles need and call, this is its bootstrap.
MIGRATE = "migrate"

# Looked for after a component's own.
COMMON_HINTS = (
    Hint(
        r"was made by a newer Headwater",
        "this release is older than the data; start the newer one, or go back with `headwater restore` of that one.",
    ),
    Hint(r"(?i)no space left on device", "the disk is full; free some space below HEADWATER_HOME."),
    Hint(
        r"password authentication failed",
        "credentials.json is not the one this data was made with; restore both together.",
    ),
)


@dataclass(frozen=True)
class Box:
    """What every component gets: the profile, the fetched runtimes and its folders.

    Args:
        profile: Where everything is.
    """

    profile: Profile

    @property
    def runtimes(self) -> Runtimes:
        """The fetched runtimes."""
        return Runtimes(self.profile.cache)

    def conf(self, component: str) -> Path:
        """Return the component's configuration folder (mode 0700), made when absent."""
        return _private(self.profile.home / "conf" / component)

    def data(self, component: str) -> Path:
        """Return the component's data folder (mode 0700), made when absent."""
        return _private(self.profile.home / "data" / component)

    def socket(self, name: str) -> Path:
        """Return the path of a Unix socket of this box, short enough for the kernel, in a private folder."""
        path = _private(self.profile.home / "run") / f"{name}.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT:
            return path
        mark = hashlib.sha256(os.fsencode(self.profile.home)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"headwater-{os.getuid()}-{mark}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
            raise ComponentError(f"{folder} belongs to somebody else; remove it or choose a shorter HEADWATER_HOME.")
        return folder / f"{name}.sock"

    def write_conf(self, component: str, name: str, text: str) -> Path:
        """Write one configuration file (mode 0600, replaced whole) and return its path."""
        path = self.conf(component) / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A component's roles start at once and share this folder, even from containers, where each is process 1.
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        partial.touch(mode=0o600)
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
        return path


class Component(ABC):
    """One service of the box.

    ``run`` (the command line) calls ``command`` and becomes it; ``migrate`` is the only bootstrap, idempotent, and runs
    when everything in ``needs`` is ready; ``probe`` is a real use of the service.
    """

    name: ClassVar[str]
    roles: ClassVar[tuple[str, ...]] = ("",)
    # Roles that only a cluster runs, in any number; a box has no place for them.
    cluster_roles: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[str, ...]] = ()
    runtimes: ClassVar[tuple[str, ...]] = ()
    hints: ClassVar[tuple[Hint, ...]] = ()
    stop_signal: ClassVar[str] = "TERM"
    # What of its data folder a backup holds; "." for all of it.
    keeps: ClassVar[tuple[str, ...]] = ()
    # By role, and under MIGRATE for the bootstrap: the logins whose passwords it needs, and the ports that it calls.
    # Where components are containers, that is all that each gets and may.
    logins: ClassVar[ByRole] = {}
    calls: ClassVar[ByRole] = {}
    # By role: the ports that others call it at.
    listens: ClassVar[ByRole] = {}
    # The login of the database that the bootstrap makes and the process cannot begin without.
    database: ClassVar[str] = ""
    # Started anew when the box is to serve another project.
    reads_project: ClassVar[bool] = False
    # Part of the lake: under a profile whose lake, metastore and engines are services of an account there is none.
    of_lake: ClassVar[bool] = False
    # Started only when it is named: it would cost everybody memory that few use.
    on_demand: ClassVar[bool] = False

    @abstractmethod
    def command(self, box: Box, role: str) -> Command:
        """Render the role's configuration from the profile and return the process to become."""

    @abstractmethod
    def probe(self, box: Box, role: str) -> None:
        """Use the service once, within about 5 seconds.

        Raises:
            ComponentError: It does not work; the sentence names what was tried and what came back.
        """

    def drain(self, box: Box, role: str) -> None:  # noqa: B027 - few components hold work of others
        """Finish the work that others have given to the role, before it is told to stop.

        Raises:
            ComponentError: It does not answer.
        """

    def migrate(self, box: Box) -> None:  # noqa: B027 - many components have nothing to bootstrap
        """Bring the component's state to this version: data folders, database, schema, admin user.

        Called through ``headwater.box.migration``, one at a time, and never on data with an obstacle.
        """

    def schema(self, box: Box) -> Schema | None:  # noqa: ARG002 - many components keep nothing with a version
        """Return how far the component's data are; None where nothing that it keeps has a version."""
        return None

    @abstractmethod
    def version(self, box: Box) -> str:
        """Return the version of the software that runs."""

    def port(self, role: str) -> str | None:
        """Return the role's main port, as a name of ``headwater.profile.PORTS``."""
        return self.name if role == self.roles[0] else None

    def url(self, box: Box, role: str) -> str | None:
        """Return the address a person or client uses, or None where there is none."""
        name = self.port(role)
        return None if name is None else box.profile.url(name)


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
