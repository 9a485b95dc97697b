"""The release before this one, installed beside it: its code from git, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["Release", "release_before"]

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Release:
    """Another release's command line.

    Args:
        name: What git calls it.
        python: Its interpreter.
    """

    name: str
    python: Path

    def headwater(self, profile: Profile, *arguments: str, timeout: float = 900) -> str:
        """Run a command of that release and return what it said."""
        done = subprocess.run(
            [self.python, "-m", "headwater", *arguments],
            env=inherited_env(**profile.environment()),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{self.name}: {arguments}:\n{done.stdout}\n{done.stderr}"
        return done.stdout


def release_before(folder: Path) -> Release:
    """Install what UPGRADE_FROM names, else the last tag, else the commit before this one.

    Without it in this clone the test is skipped, with what to do; with HEADWATER_CI set it fails.
    """
    name = os.environ.get("UPGRADE_FROM") or _git("describe", "--tags", "--abbrev=0", "HEAD~1") or "HEAD~1"
    commit = _git("rev-parse", "--short", "--verify", "--quiet", f"{name}^{{commit}}")
    if not commit:
        why = f"this clone has no {name}: `git fetch --unshallow`, or name a release with UPGRADE_FROM"
        pytest.fail(why) if "HEADWATER_CI" in os.environ else pytest.skip(why)
    tree = folder / "tree"
    tree.mkdir()
    with subprocess.Popen(["git", "archive", commit], cwd=REPOSITORY, stdout=subprocess.PIPE) as archive:
        subprocess.run(["tar", "-x", "-C", tree], stdin=archive.stdout, check=True)
    return Release(f"{name} ({commit})", _install(tree, folder / "venv"))


def _install(tree: Path, place: Path) -> Path:
    """Make an environment with that tree's code, and its own libraries where it pins others than this one."""
    venv.EnvBuilder(symlinks=True).create(place)
    python = place / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check"]
    pinned = "requirements.txt"
    if (tree / pinned).read_bytes() == (REPOSITORY / pinned).read_bytes():
        libraries = sysconfig.get_path("purelib")
        (next(place.glob("lib/python3*/site-packages")) / "libraries.pth").write_text(f"{libraries}\n")
    else:
        subprocess.run([*pip, "--require-hashes", "-r", str(tree / pinned)], check=True)
    subprocess.run([*pip, "--no-deps", "-e", str(tree)], check=True)
    where = subprocess.run(
        [python, "-c", "import headwater; print(headwater.__file__)"], capture_output=True, text=True, check=True
    )
    assert where.stdout.startswith(str(tree))
    return python


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()
