"""A registry on this machine: a real HTTP server that can be told to misbehave."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import tarfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import requests
from headwater.box.lockfile import FetchSettings, Lock, LockedFile, LockedRuntime
from headwater.box.progress import progress_on
from rich.console import Console


@dataclass
class Registry:
    """A Maven repository (``/maven``), a simple index (``/simple``) and an npm registry (``/npm``).

    Each holds the files that a test puts there.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and Range header
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)  # bytes after which the next answers break off
    statuses: list[int] = field(default_factory=list)  # of the next answers
    pause: float = 0.0  # seconds before every 64 kB

    setting = "HEADWATER_MAVEN_MIRROR"

    def __post_init__(self):
        self.session = requests.Session()

    def put(self, coordinate: str, content: bytes) -> LockedFile:
        """Publish a Maven file and return how a lock file describes it."""
        group, artifact, version = coordinate.partition("@")[0].split(":")
        name = f"{artifact}-{version}.{coordinate.partition('@')[2] or 'jar'}"
        self.files[f"/maven/{group}/{artifact}/{version}/{name}"] = content
        return LockedFile("maven", coordinate, name, hashlib.sha256(content).hexdigest(), len(content))

    def put_python(self, project: str, name: str, content: bytes) -> LockedFile:
        """Publish a file of a Python project and return how a lock file describes it."""
        sha256 = hashlib.sha256(content).hexdigest()
        page = self.files.get(f"/simple/{project}/", b"")
        self.files[f"/simple/{project}/"] = page + f'<a href="/files/{name}#sha256={sha256}">{name}</a>\n'.encode()
        self.files[f"/files/{name}"] = content
        return LockedFile("pypi", f"{project}=={name.split('-')[1]}", name, sha256, len(content))

    def put_npm(self, package: str, version: str, content: bytes) -> LockedFile:
        """Publish an npm package's tarball and return how a lock file describes it."""
        name = f"{package.rpartition('/')[2]}-{version}.tgz"
        integrity = "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
        listed = {"versions": {version: {"dist": {"integrity": integrity}}}}
        self.files[f"/npm/{package.replace('/', '%2F')}"] = json.dumps(listed).encode()
        self.files[f"/npm/{package}/-/{name}"] = content
        return LockedFile("npm", f"{package}@{version}", name, hashlib.sha256(content).hexdigest(), len(content))

    def url_of(self, file: LockedFile) -> str:
        """Return where a published Maven file lies."""
        return next(f"{self.url}{path}" for path in self.files if path.endswith(f"/{file.name}"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self):
        registry = self.server.registry
        wanted = self.headers.get("Range", "")
        registry.asked.append((self.path, wanted))
        content = registry.files.get(self.path)
        status = registry.statuses.pop(0) if registry.statuses else 200
        if content is None or status != 200:
            self._answer(404 if content is None else status, b"", {})
            return
        begin = re.match(r"bytes=(\d+)-", wanted)
        if registry.ranges and begin:
            start = int(begin[1])
            span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            self._answer(206 if start < len(content) else 416, content[start:], span)
        else:
            self._answer(200, content, {})

    def _answer(self, status, body, headers):
        registry = self.server.registry
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(len(body)), "Content-Type": "text/html"}.items():
            self.send_header(name, text)
        self.end_headers()
        end = registry.cut_after.pop(0) if body and registry.cut_after else len(body)
        for at in range(0, end, 65536):
            time.sleep(registry.pause)
            self.wfile.write(body[at : min(at + 65536, end)])
        if end < len(body):
            self.close_connection = True

    def log_message(self, *_):
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    registry: Registry
    daemon_threads = True

    def handle_error(self, *_):
        """A client that was killed is part of the test."""


@pytest.fixture
def registry():
    """Serve an empty registry."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.registry = Registry(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.registry
    server.registry.session.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(tmp_path, registry):
    """Return fetch settings that reach the local registry only."""
    return FetchSettings(
        cache=tmp_path / "cache",
        pypi_mirror=f"{registry.url}/simple/",
        maven_mirror=f"{registry.url}/maven",
        go_mirror=None,
        npm_mirror=f"{registry.url}/npm",
        jobs=4,
    )


@pytest.fixture
def output():
    """Return a console that keeps what is written to it in ``output.file``."""
    return Console(file=io.StringIO(), width=400)


@pytest.fixture
def progress(output):
    """Return a progress that writes plain lines."""
    with progress_on(output) as shown:
        yield shown


def jars(name: str, *files: LockedFile, **more) -> LockedRuntime:
    """Return a runtime that is a flat folder of files."""
    return LockedRuntime(name, "1", "jars", files[0].name, 1, files, **more)


def trino_runtime(file: LockedFile) -> LockedRuntime:
    """Return a runtime made of a tarball in Trino's shape."""
    return LockedRuntime("trino", "1", "trino", "bin/launcher", 1, (file,), options={"keep-plugins": ["iceberg"]})


def trino_tarball(count: int = 3) -> bytes:
    """Return a tarball in Trino's shape: plugins that share a jar by hard link."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        _add(archive, "trino/bin/launcher", b"#!/bin/sh\n", mode=0o755)
        _add(archive, "trino/plugin/a-dropped/shared.jar", b"shared")
        linked = tarfile.TarInfo("trino/plugin/iceberg/shared.jar")
        linked.type, linked.linkname = tarfile.LNKTYPE, "trino/plugin/a-dropped/shared.jar"
        archive.addfile(linked)
        for number in range(count):
            _add(archive, f"trino/lib/{number}.jar", b"x" * 100)
    return out.getvalue()


def _add(archive, name, content, mode=0o644):
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))


def npm_tarball(members: dict[str, bytes], top: str = "package") -> bytes:
    """Return a tarball in the shape of npm's."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            _add(archive, f"{top}/{name}", content)
    return out.getvalue()


def wheel(members: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def lock_of(*runtimes: LockedRuntime) -> Lock:
    """Return a lock of runtimes."""
    return Lock({runtime.name: runtime for runtime in runtimes})


@pytest.fixture
def shapes():
    """Return the builders of locks, runtimes and archives."""
    return SimpleNamespace(
        jars=jars,
        lock_of=lock_of,
        npm_tarball=npm_tarball,
        trino=trino_runtime,
        trino_tarball=trino_tarball,
        wheel=wheel,
    )
