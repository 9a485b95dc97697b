"""The git commit of a definition's file, from real repositories."""

from __future__ import annotations

import subprocess

import pytest
from headwater_catalog.revisions import repository_state, revisions


@pytest.fixture
def git(tmp_path):
    """A repository with one commit of two files; runs git in it."""
    folder = tmp_path / "project"
    folder.mkdir()

    def run(*words: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    run("init", "-q")
    for name in ("a.py", "b ü.py"):
        (folder / name).write_text("1\n")
    run("add", ".")
    run("commit", "-q", "-m", "first")
    run.folder = folder
    return run


def test_a_file_is_of_the_commit_that_last_changed_it(git):
    """Whatever else was committed since; a change that is not committed is told."""
    first, (a, b) = git("rev-parse", "HEAD"), (git.folder / "a.py", git.folder / "b ü.py")
    a.write_text("2\n")
    git("commit", "-q", "-am", "second")
    b.write_text("3\n")
    found = revisions([a, b])

    assert (found[a].commit, found[a].uncommitted) == (git("rev-parse", "HEAD"), False)
    assert (found[b].commit, found[b].uncommitted) == (first, True)
    assert found[a].at is not None


def test_files_outside_git_have_none(git, tmp_path):
    """Neither has a file that git ignores; one that nobody added yet is not committed."""
    outside, ignored, new = tmp_path / "x.py", git.folder / "gone.py", git.folder / "new.py"
    for path in (outside, ignored, new):
        path.write_text("1\n")
    (git.folder / ".gitignore").write_text("gone.py\n")
    found = revisions([outside, ignored, new])

    assert set(found) == {new}
    assert (found[new].commit, found[new].at, found[new].uncommitted) == ("", None, True)


def test_a_commit_changes_the_state_of_its_repository(git, tmp_path):
    """So it is looked at anew although no file changed."""
    before = repository_state(git.folder / "deeper")
    (git.folder / "a.py").write_text("2\n")
    assert repository_state(git.folder) == before
    git("commit", "-q", "-am", "second")

    assert repository_state(git.folder) != before
    assert repository_state(tmp_path) == 0


def test_a_repository_runs_nothing_here(git):
    """Its settings name programs; looking at it starts none of them."""
    mark = git.folder / "ran"
    script = git.folder / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    script.chmod(0o755)
    for setting in ("core.fsmonitor", "core.pager", "gpg.program", "diff.external"):
        git("config", setting, str(script))
    git("config", "log.showSignature", "true")
    revisions([git.folder / "a.py"])

    assert not mark.exists()
