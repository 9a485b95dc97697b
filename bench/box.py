"""The bench's own box: its own home and ports, so it leaves the user's alone, and no process after it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from headwater.profile import Profile, inherited_env

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ROOT", "YEARS", "BenchBox"]

ROOT = Path(__file__).resolve().parents[1]
# Of the loans that are made up; the same that `make demo` makes.
YEARS = "2019-2023"
_FOLDER = ROOT / ".headwater-bench"
_PROJECT = """\
[project]
name = "loans"
definitions = ["headwater_assets.loans"]
dashboards = ["headwater_dashboards.loans"]
"""


class BenchBox:
    """A box that is started and stopped through the command line, as a user would.

    Args:
        name: Of its folders, where one is not enough.
        port: The first of its block.
    """

    def __init__(self, name: str = "", port: int = 27700) -> None:
        self._project = _FOLDER / f"project{name}"
        _make_anew(self._project)
        self.profile = Profile.load(
            HEADWATER_PROJECT=str(self._project),
            HEADWATER_HOME=str(_FOLDER / f"home{name}"),
            HEADWATER_PORT=str(port),
            HEADWATER_START_TIMEOUT="600",
        )

    def headwater(self, *arguments: str) -> str:
        """Run the command line and return what it printed.

        Raises:
            click.ClickException: It failed; the message is its own.
        """
        argv = [sys.executable, "-m", "headwater", *arguments]
        env = inherited_env(**self.profile.environment())
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise click.ClickException(f"headwater {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def remove(self) -> None:
        """Stop the box and delete what it keeps, and the project's files: a box loads what it finds when it starts."""
        self.headwater("down")
        shutil.rmtree(self.profile.home, ignore_errors=True)
        _make_anew(self._project)
        self.profile = replace(self.profile)  # the next box has other passwords than those that this one has read

    @contextmanager
    def up(self, *components: str) -> Iterator[str]:
        """Start from nothing and yield what ``up`` printed; afterwards the box is down."""
        self.remove()
        try:
            yield self.headwater("up", *components)
        finally:
            self.headwater("down")


def _make_anew(project: Path) -> None:
    shutil.rmtree(project, ignore_errors=True)
    project.mkdir(parents=True)
    (project / "headwater.toml").write_text(_PROJECT, encoding="utf-8")
