"""Which git commit a definition's file is of, where the project is kept in git."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from headwater.project import Project

    from headwater_catalog.model import TableFacts

__all__ = ["Revision", "repository_state", "revised", "revisions"]

_SECONDS = 20
_MARK = "commit "


@dataclass(frozen=True)
class Revision:
    """What git knows of a file.

    Args:
        commit: The last commit that changed it; empty for a file that was never committed.
        at: When that was.
        uncommitted: Whether the file is not as it was then.
    """

    commit: str
    at: datetime | None
    uncommitted: bool


def revisions(files: Iterable[Path]) -> Mapping[Path, Revision]:
    """Return the revision of every file that lies in a git repository; without git there is none."""
    found: dict[Path, Revision] = {}
    wanted = {path.resolve(): path for path in files}
    folders = {path.parent for path in wanted}
    for top in {top for folder in folders if (top := _said(folder, "rev-parse", "--show-toplevel").strip())}:
        paths = {str(path)[len(top) + 1 :]: path for path in wanted if str(path).startswith(f"{top}/")}
        ignored = set(_said_of(paths, top, "check-ignore", "--").splitlines())
        kept = {name: path for name, path in paths.items() if name not in ignored}
        if kept:
            found |= {wanted[path]: one for path, one in _in_repository(top, kept)}
    return found


def _in_repository(top: str, paths: Mapping[str, Path]) -> Iterator[tuple[Path, Revision]]:
    changed = {entry[3:] for entry in _said_of(paths, top, "status", "--porcelain", "-z", "--").split("\0")}
    commits = _commits(top, paths)
    for name, path in paths.items():
        commit, at = commits.get(name, ("", None))
        yield path, Revision(commit, at, name in changed or not commit)


def _commits(top: str, paths: Mapping[str, Path]) -> dict[str, tuple[str, datetime]]:
    """Return the last commit of each file, from one look through the log."""
    found: dict[str, tuple[str, datetime]] = {}
    last = None
    log = _said_of(paths, top, "log", f"--format={_MARK}%H %cI", "--name-only", "--no-renames", "-z", "--")
    for line in log.replace("\n", "\0").split("\0"):
        if line.startswith(_MARK):
            commit, _, when = line.removeprefix(_MARK).partition(" ")
            last = (commit, datetime.fromisoformat(when))
        elif line in paths and last:
            found.setdefault(line, last)
    return found


def revised(facts: Iterable[TableFacts], project: Project) -> tuple[TableFacts, ...]:
    """Return a project's facts with the commit that each definition's file is of, where it is in git."""
    known = revisions({source.file for source in project.sources.values()})
    found = {name: known[source.file] for name, source in project.sources.items() if source.file in known}
    found |= {str(one.id.rejected): found[one.name] for one in project.tables if one.name in found}
    return tuple(_with(one, found.get(one.name)) for one in facts)


def _with(facts: TableFacts, git: Revision | None) -> TableFacts:
    if git is None:
        return facts
    return replace(facts, revision=git.commit, revised_at=git.at, uncommitted=git.uncommitted)


def repository_state(folder: Path) -> int:
    """Return a number that changes with every commit of the repository that a folder lies in; 0 without one."""
    for place in (folder, *folder.parents):
        log = place / ".git" / "logs" / "HEAD"
        try:
            if (place / ".git").exists():
                return log.stat().st_mtime_ns
        except OSError:
            return 0
    return 0


def _said_of(paths: Iterable[str], top: str, *words: str) -> str:
    return _said(top, *words, *paths)


def _said(folder: Path | str, *words: str) -> str:
    """Return what git says, nothing when it is not there or does not know the folder."""
    # A repository that somebody else owns, or its hooks, must not run anything here.
    argv = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", *words]
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout if done.returncode == 0 else ""
