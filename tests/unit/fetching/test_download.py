"""The downloader, against a real HTTP server."""

from __future__ import annotations

import dataclasses
import os
import random
import resource
import shutil
import subprocess
import sys
import threading

import pytest
from headwater.box.download import Downloader, Stopped
from headwater.box.registries import Maven
from headwater.errors import FetchError

BODY = random.Random(7).randbytes(600_000)  # noqa: S311 - the same bytes every time


@pytest.fixture
def maven(registry):
    """Return the Maven registry that the local server plays."""
    source = Maven(f"{registry.url}/maven")
    yield source
    source.session.close()


@pytest.fixture
def downloader(tmp_path, progress):
    """Return a downloader that does not wait long between tries."""
    return Downloader(tmp_path / "downloads", progress, threading.Event(), retries=2, pause=0.01)


def part_of(downloader, file):
    """Return where a file's bytes gather."""
    return downloader.path(file).with_name(f"{file.name}.part")


def begun(downloader, file, content):
    """Leave the part that a killed fetch leaves."""
    part_of(downloader, file).parent.mkdir(parents=True)
    part_of(downloader, file).write_bytes(content)


def test_whole_file(registry, maven, downloader):
    """A file arrives under its hash, and is not asked for again."""
    file = registry.put("g:a:1", BODY)

    assert downloader.fetch(file, maven).read_bytes() == BODY
    assert downloader.fetch(file, maven).read_bytes() == BODY
    assert registry.asked == [("/maven/g/a/1/a-1.jar", "")]


def test_resumes_part(registry, maven, downloader):
    """What a killed fetch left is continued from its last byte."""
    file = registry.put("g:a:1", BODY)
    begun(downloader, file, BODY[:400_000])

    assert downloader.missing(file) == 200_000
    assert downloader.fetch(file, maven).read_bytes() == BODY
    assert registry.asked == [("/maven/g/a/1/a-1.jar", "bytes=400000-")]


def test_whole_part_is_only_checked(registry, maven, downloader):
    """A part that has all bytes costs no request."""
    file = registry.put("g:a:1", BODY)
    begun(downloader, file, BODY)

    assert downloader.fetch(file, maven).read_bytes() == BODY
    assert registry.asked == []


@pytest.mark.parametrize("left", [b"wrong" * 100, b"wrong" * 200_000, b"\0" * len(BODY)])
def test_spoilt_part_is_dropped(registry, maven, downloader, left):
    """A part with other bytes, or with too many, does not stand in the way."""
    file = registry.put("g:a:1", BODY)
    begun(downloader, file, left)

    assert downloader.fetch(file, maven).read_bytes() == BODY


def test_server_without_ranges(registry, maven, downloader):
    """A server that ignores ranges gives the whole file, which replaces the part."""
    registry.ranges = False
    file = registry.put("g:a:1", BODY)
    begun(downloader, file, BODY[:1000])

    assert downloader.fetch(file, maven).read_bytes() == BODY


def test_truncated_bodies_are_continued(registry, maven, downloader):
    """An answer that breaks off is continued, as often as it makes headway."""
    file = registry.put("g:a:1", BODY)
    registry.cut_after += [100_000] * 5

    assert downloader.fetch(file, maven).read_bytes() == BODY
    assert [wanted for _, wanted in registry.asked[:3]] == ["", "bytes=100000-", "bytes=200000-"]


def test_truncated_for_good(registry, maven, downloader):
    """A server that never sends the rest is given up, and what came is kept for the next run."""
    file = registry.put("g:a:1", BODY)
    registry.cut_after += [1000, *[0] * 10]

    with pytest.raises(FetchError, match=r"a-1\.jar could not be downloaded from 127.0.0.1: .* goes on where it"):
        downloader.fetch(file, maven)
    assert BODY[:1000] == part_of(downloader, file).read_bytes()
    assert not downloader.path(file).exists()


def test_file_shorter_than_locked(registry, maven, downloader):
    """A file that is whole but shorter than the lock says is refused."""
    file = dataclasses.replace(registry.put("g:a:1", BODY[:1000]), size=2000)

    with pytest.raises(FetchError, match=r"a-1\.jar"):
        downloader.fetch(file, maven)
    assert not downloader.path(file).exists()


@pytest.mark.parametrize("served", [BODY[:-1] + b"?", BODY + b"more"])
def test_wrong_hash(registry, maven, downloader, served):
    """A file that is not the locked one is deleted, and the sentence names both hashes and what to look at."""
    file = registry.put("g:a:1", BODY)
    registry.files["/maven/g/a/1/a-1.jar"] = served

    with pytest.raises(FetchError, match=rf"not {file.sha256}; it was deleted. Check HEADWATER_MAVEN_MIRROR"):
        downloader.fetch(file, maven)
    assert [path for path in downloader.path(file).parent.rglob("*") if path.is_file()] == []


def test_passing_failures_are_tried_again(registry, maven, downloader):
    """A server that is busy for a moment is asked again."""
    file = registry.put("g:a:1", BODY)
    registry.statuses += [503, 429]

    assert downloader.fetch(file, maven).read_bytes() == BODY


@pytest.mark.parametrize(("status", "sentence"), [(404, "HTTP 404.*HEADWATER_MAVEN_MIRROR"), (403, "credentials")])
def test_refusals_are_not(registry, maven, downloader, status, sentence):
    """A refusal is reported at once."""
    file = registry.put("g:a:1", BODY)
    registry.statuses += [status]

    with pytest.raises(FetchError, match=sentence):
        downloader.fetch(file, maven)
    assert len(registry.asked) == 1


def test_no_network(registry, downloader):
    """Without a connection the sentence says so and what to set; no login of the URL is shown."""
    file = registry.put("g:a:1", BODY)
    nowhere = Maven("http://user:secret@127.0.0.1:9/m2")

    with pytest.raises(
        FetchError, match="no connection; check the network and HTTPS_PROXY, or set HEADWATER"
    ) as caught:
        downloader.fetch(file, nowhere)
    nowhere.session.close()

    assert "secret" not in str(caught.value)


def test_stop_ends_a_transfer(registry, maven, downloader):
    """A transfer under way ends when the fetch does, and keeps its bytes."""
    file = registry.put("g:a:1", BODY)
    registry.pause = 0.05
    threading.Timer(0.2, downloader.stop.set).start()

    with pytest.raises(Stopped):
        downloader.fetch(file, maven)
    assert 0 < part_of(downloader, file).stat().st_size < len(BODY)


def test_unknown_hash(registry, maven, downloader):
    """Locking learns a file's hash by downloading it, to where a fetch finds it."""
    file = registry.put("g:a:1", BODY)

    assert (file.sha256, len(BODY)) == downloader.fetch_unknown(file.name, registry.url_of(file), maven)
    assert downloader.path(file).is_file()


LIMITED = """
import resource, sys, threading
from pathlib import Path
from headwater.box.download import Downloader
from headwater.box.lockfile import LockedFile
from headwater.box.progress import progress_on
from headwater.box.registries import Maven
from headwater.errors import FetchError
from rich.console import Console
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
url, folder, sha256 = sys.argv[1:]
with progress_on(Console(file=open("/dev/null", "w"))) as progress:
    try:
        Downloader(Path(folder), progress, threading.Event()).fetch(
            LockedFile("maven", "g:a:1", "a-1.jar", sha256, 600_000), Maven(url))
    except FetchError as error:
        print(error)
"""


def test_disk_full(registry, tmp_path):
    """A full disk is named with the folder and the way out, and what came is kept."""
    file = registry.put("g:a:1", BODY)
    arguments = (f"{registry.url}/maven", str(tmp_path), file.sha256)
    done = subprocess.run([sys.executable, "-c", LIMITED, *arguments], capture_output=True, text=True, check=True)

    assert "The disk is full: a-1.jar does not fit" in done.stdout
    assert "set HEADWATER_CACHE to a folder on a larger disk" in done.stdout
    assert (tmp_path / file.sha256 / "a-1.jar.part").stat().st_size == 100_000
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk takes root")
def test_disk_full_for_real(registry, maven, progress, tmp_path):
    """The same with a disk that has no room."""
    file = registry.put("g:a:1", BODY)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(tmp_path)], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(FetchError, match="The disk is full"):
            Downloader(tmp_path, progress, threading.Event()).fetch(file, maven)
        assert not (tmp_path / file.sha256 / file.name).exists()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
