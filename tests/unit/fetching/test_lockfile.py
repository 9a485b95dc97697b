"""The lock file: what it holds, how it is read and written."""

from __future__ import annotations

import dataclasses
import re

import pytest
from headwater.box.lockfile import HERE, LOCK, Lock, LockedFile, LockedModule, LockedRuntime, read_lock, write_lock
from headwater.errors import FetchError

FILE = LockedFile("maven", "g:a:1", "a-1.jar", "0" * 64, 5)
RUNTIME = LockedRuntime("one", "1", "jars", "a-1.jar", 1, (FILE,))
HERE_NOW = "linux-x86_64"


def test_every_file_is_pinned():
    """Every file of the lock has a registry, a sha256 and a size; the Go module has its hash."""
    lock = read_lock()
    files = [file for runtime in lock.runtimes.values() for file in runtime.files]

    assert {
        "minio",
        "superset",
        "java21",
        "java25",
        "postgres",
        "trino",
        "spark",
        "spark-jars",
        "metastore",
        "pages",
    } <= set(lock.runtimes)
    assert all(re.fullmatch(r"[0-9a-f]{64}", file.sha256) and file.size for file in files)
    assert {"pypi", "maven", "npm"} == {file.registry for file in files}
    assert lock.runtimes["minio"].module.sum.startswith("h1:")


@pytest.mark.parametrize("name", ["runtimes.lock", "runtimes.toml", "superset-requirements.txt"])
def test_no_addresses(name):
    """What is committed names coordinates only, so that a mirror serves as well as the original."""
    assert "://" not in (HERE / name).read_text(encoding="utf-8")


def test_both_machines_are_locked():
    """What exists for two kinds of machine is locked for both."""
    lock = read_lock()

    for name in ("java21", "java25", "postgres", "minio"):
        assert {file.platform for file in lock.runtimes[name].files} == {"linux-x86_64", "linux-aarch64"}
        assert len(lock.runtimes[name].files_for("linux-aarch64")) == 1


def test_requirements_are_hashed():
    """Every requirement of Superset is pinned to one version with hashes."""
    text = (HERE / "superset-requirements.txt").read_text(encoding="utf-8")
    pinned = [line for line in text.splitlines() if line and line[0] not in " #"]

    assert len(pinned) > 100
    assert all("==" in line and line.endswith("\\") for line in pinned)


def test_list_and_lock_agree():
    """The lock holds the very versions that the list of coordinates asks for."""
    import tomllib

    wanted = tomllib.loads((HERE / "runtimes.toml").read_text(encoding="utf-8"))["runtime"]
    locked = read_lock().runtimes

    assert {name: table["version"] for name, table in wanted.items()} == {
        name: runtime.version for name, runtime in locked.items()
    }
    for name, table in wanted.items():
        exact = {text.format(version=table["version"]) for text in table.get("pypi", ())}
        exact |= {text.format(version=table["version"]) for text in table.get("npm", ())}
        assert exact <= {file.coordinate for file in locked[name].files}


def test_round_trip(tmp_path):
    """What is written is what is read."""
    module = LockedModule("example/m", "v1", "h1:x")
    full = dataclasses.replace(
        RUNTIME, module=module, needs=("two",), sources=("runtimes.toml",), options={"keep": [1]}
    )
    lock = Lock({"one": full, "two": dataclasses.replace(RUNTIME, name="two")})
    write_lock(lock, tmp_path / "x.lock")

    assert read_lock(tmp_path / "x.lock") == lock


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "runtimes": {"a": {}}}', "[1]"])
def test_broken_lock(tmp_path, text):
    """A lock file that cannot be read is named, with the command that makes it anew."""
    (tmp_path / "x.lock").write_text(text)

    with pytest.raises(FetchError, match=r"x\.lock cannot be read .* run `headwater lock`"):
        read_lock(tmp_path / "x.lock")


def test_newer_lock(tmp_path):
    """A lock file of a later format says that Headwater is too old for it."""
    (tmp_path / "x.lock").write_text('{"format": 99}')

    with pytest.raises(FetchError, match="update Headwater"):
        read_lock(tmp_path / "x.lock")


@pytest.mark.parametrize(
    "change",
    [
        {"files": (dataclasses.replace(FILE, sha256="1" * 64),)},
        {"module": LockedModule("m", "v1", "h1:x")},
        {"recipe": "java"},
        {"sources": ("runtimes.toml",)},
        {"options": {"revision": 2}},
    ],
)
def test_folder_follows_content(change):
    """Whatever decides what a folder holds decides its name."""
    assert dataclasses.replace(RUNTIME, **change).folder(HERE_NOW) != RUNTIME.folder(HERE_NOW)


def test_folder_ignores_other_machines():
    """A file for another machine does not change this machine's folder."""
    other = dataclasses.replace(FILE, platform="linux-aarch64")

    assert dataclasses.replace(RUNTIME, files=(FILE, other)).folder(HERE_NOW) == RUNTIME.folder(HERE_NOW)


def test_needs_come_first():
    """A runtime comes after those that it needs, each once."""
    lock = Lock(
        {"a": dataclasses.replace(RUNTIME, name="a", needs=("b",)), "b": dataclasses.replace(RUNTIME, name="b")}
    )

    assert [runtime.name for runtime in lock.with_needs(None)] == ["b", "a"]
    assert [runtime.name for runtime in lock.with_needs(["b"])] == ["b"]


def test_sources_exist():
    """Every source file that the lock names is in the package."""
    assert all((HERE / source).is_file() for one in read_lock().runtimes.values() for source in one.sources)
    assert LOCK.stat().st_size < 1_000_000
