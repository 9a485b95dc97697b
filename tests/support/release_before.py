"""An earlier release of Headwater, installed beside the tree that is tested: what people upgrade from."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.profile import inherited_env

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["ReleaseBefore"]

REPOSITORY = Path(__file__).resolve().parents[2]
# A commit, branch or tag; by itself the commit before this one.
_FROM = os.environ.get("UPGRADE_FROM", "HEAD~1")


@dataclass(frozen=True)
class ReleaseBefore:
    """A release that was installed as its own README says.

    Args:
        folder: Its tree.
    """

    folder: Path

    @classmethod
    def installed_in(cls, folder: Path) -> ReleaseBefore:
        """Take the tree of the commit that UPGRADE_FROM names, and make its environment."""
        folder.mkdir(parents=True)
        packed = _done(["git", "archive", "--format=tar", _FROM], REPOSITORY)
        _done(["tar", "-x"], folder, packed)
        _done(["make", ".venv/bin/.installed", f"PYTHON={sys.executable}"], folder)
        return cls(folder)

    def headwater(self, profile: Profile, *arguments: str) -> str:
        """Run its command line and return what it said."""
        command = [str(self.folder / ".venv" / "bin" / "headwater"), *arguments]
        return _done(command, self.folder, environment=inherited_env(**profile.environment())).decode()


def _done(
    command: list[str], folder: Path, given: bytes | None = None, environment: dict[str, str] | None = None
) -> bytes:
    done = subprocess.run(
        command, cwd=folder, input=given, env=environment, capture_output=True, timeout=1800, check=False
    )
    assert done.returncode == 0, (command, done.stdout[-2000:].decode(), done.stderr[-2000:].decode())
    return done.stdout
