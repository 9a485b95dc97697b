"""``headwater lock``: from short coordinates to every file's hash."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import sys
import tempfile
import threading
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headwater.box.download import Downloader
from headwater.box.golang import Go
from headwater.box.lockfile import (
    ANY,
    HERE,
    LOCK,
    Lock,
    LockedFile,
    LockedModule,
    LockedRuntime,
    read_lock,
    this_platform,
    write_lock,
)
from headwater.box.npm import Npm, package_of
from headwater.box.registries import Coordinate, Maven, Pypi
from headwater.errors import FetchError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headwater.box.lockfile import FetchSettings
    from headwater.box.progress import Progress

__all__ = ["relock"]

# platform in the lock -> (end of a wheel's platform tag, zonky's name for it)
_PLATFORMS = {"linux-x86_64": ("x86_64", "amd64"), "linux-aarch64": ("aarch64", "arm64v8")}
_SET_ASIDE = {
    "version",
    "recipe",
    "main",
    "disk",
    "needs",
    "sources",
    "pypi",
    "maven",
    "npm",
    "closure",
    "bundles",
    "leave-out",
    "go",
}


def relock(settings: FetchSettings, progress: Progress, *, rehash: bool = False) -> Lock:
    """Write the lock file and Superset's requirements anew.

    Args:
        settings: Where to resolve and download.
        progress: Where it is shown.
        rehash: Download again even what the present lock file has a hash for.

    Raises:
        FetchError: Something cannot be resolved.
    """
    known = {} if rehash or not LOCK.is_file() else _known(read_lock())
    wanted = tomllib.loads((HERE / "runtimes.toml").read_text(encoding="utf-8"))
    resolver = _Resolver(settings, progress, known)
    with progress.step("superset-requirements.txt"):
        _pin_superset(resolver.pypi)
    lock = Lock({name: resolver.runtime(name, given, wanted["bundle"]) for name, given in wanted["runtime"].items()})
    write_lock(lock)
    return lock


class _Resolver:
    def __init__(
        self, settings: FetchSettings, progress: Progress, known: Mapping[tuple[str, str], LockedFile]
    ) -> None:
        self.settings, self.progress, self.known = settings, progress, known
        self.pypi, self.maven = Pypi(settings.pypi_mirror), Maven(settings.maven_mirror)
        self.npm = Npm(settings.npm_mirror)
        self.downloader = Downloader(settings.cache / "downloads", progress, threading.Event())

    def runtime(self, name: str, given: Mapping[str, Any], bundles: Mapping[str, Any]) -> LockedRuntime:
        """Resolve one table of the list."""
        version = given["version"]
        taken = [given, *(bundles[bundle] for bundle in given.get("bundles", ()))]
        exact = [text for table in taken for text in table.get("maven", ())]
        closed = [text for table in taken for text in table.get("closure", ())]
        files = [file for text in given.get("pypi", ()) for file in self._wheels(text.format(version=version))]
        files += [self._package(text.format(version=version)) for text in given.get("npm", ())]
        if closed:
            with self.progress.step(f"{name}: what its jars need"):
                exact += self._closure(closed, given.get("leave-out", ()))
        with ThreadPoolExecutor(self.settings.jobs) as pool:
            files += pool.map(self._artifact, *zip(*_per_platform(exact, version), strict=True)) if exact else []
        return LockedRuntime(
            name=name,
            version=version,
            recipe=given["recipe"],
            main=given["main"].format(version=version),
            disk=given["disk"],
            files=tuple(sorted(files, key=lambda file: (file.registry, file.name))),
            module=self._module(given["go"].format(version=version), files) if "go" in given else None,
            needs=tuple(given.get("needs", ())),
            sources=tuple(given.get("sources", ())),
            options={key: value for key, value in given.items() if key not in _SET_ASIDE},
        )

    def _wheels(self, text: str) -> Iterable[LockedFile]:
        project, _, version = text.partition("==")
        packages = [package for package in self.pypi.packages(project) if package.version == version]
        for here, (tag, _) in _PLATFORMS.items():
            for package in packages:
                if (
                    package.package_type == "wheel"
                    and "manylinux" in package.filename
                    and package.filename.endswith(f"_{tag}.whl")
                ):
                    yield self._listed(text, package, here)
        if not any(package.package_type == "wheel" for package in packages):
            yield from (self._listed(text, package, ANY) for package in packages if package.package_type == "sdist")

    def _listed(self, text: str, package: Any, here: str) -> LockedFile:
        known = self.known.get((text, here))
        if known and known.sha256 == package.digests.get("sha256"):
            return known
        sha256, size = self.downloader.fetch_unknown(package.filename, package.url, self.pypi)
        if sha256 != package.digests.get("sha256", sha256):
            raise FetchError(f"{package.filename} differs from what its index says; try again or from another index.")
        return self._hashed(LockedFile("pypi", text, package.filename, sha256, size, here))

    def _artifact(self, text: str, here: str) -> LockedFile:
        if (text, here) in self.known:
            return self.known[text, here]
        name = Coordinate(text).filename
        url = f"{self.maven.base}/{Coordinate(text).path}"
        sha256, size = self.downloader.fetch_unknown(name, url, self.maven)
        file = LockedFile("maven", text, name, sha256, size, here)
        published = self.maven.session.get(f"{url}.sha1", timeout=60)
        with self.downloader.path(file).open("rb") as content:
            sha1 = hashlib.file_digest(content, "sha1").hexdigest()  # all that every repository publishes
        if published.ok and published.text.split()[0] != sha1:
            raise FetchError(f"{name} differs from the checksum published beside it; try again or from another mirror.")
        return self._hashed(file)

    def _package(self, text: str) -> LockedFile:
        if (text, ANY) in self.known:
            return self.known[text, ANY]
        package, version = package_of(text)
        file = LockedFile("npm", text, f"{package.rpartition('/')[2]}-{version}.tgz", "", None)
        published = self.npm.integrity(text)
        sha256, size = self.downloader.fetch_unknown(file.name, self.npm.url(file), self.npm)
        file = replace(file, sha256=sha256, size=size)
        kind, _, wanted = published.partition("-")
        if wanted and kind in hashlib.algorithms_available:
            found = hashlib.new(kind, self.downloader.path(file).read_bytes()).digest()
            if base64.b64encode(found).decode() != wanted:
                raise FetchError(f"{file.name} differs from what its registry says; try again or from another mirror.")
        return self._hashed(file)

    def _hashed(self, file: LockedFile) -> LockedFile:
        # Only files for this machine are of use to a fetch that follows.
        if file.platform not in (ANY, this_platform()):
            self.downloader.path(file).unlink()
        return file

    def _closure(self, texts: list[str], leave_out: Iterable[str]) -> list[str]:
        from jgo.maven import MavenContext  # noqa: PLC0415

        with tempfile.TemporaryDirectory() as folder:
            context = MavenContext(repo_cache=Path(folder), remote_repos={"mirror": self.maven.base}, timeout=60)
            # "!" keeps jgo from importing each as a bill of materials, whose nesting it cannot follow.
            nodes = context.resolver.get_dependency_list([context.create_dependency(f"{text}!") for text in texts])[1]
        found = [
            f"{one.dep.groupId}:{one.dep.artifactId}:{one.dep.version}"
            for one in nodes
            if one.dep.scope in ("compile", "runtime")
        ]
        return [
            text
            for text in (*texts, *found)
            if not any(fnmatch(text.rpartition(":")[0], pattern) for pattern in leave_out)
        ]

    def _module(self, text: str, files: list[LockedFile]) -> LockedModule:
        path, _, version = text.partition("@")
        toolchain = next(file for file in files if file.platform == this_platform())
        with tempfile.TemporaryDirectory() as folder:
            go = Go(self.downloader.fetch(toolchain, self.pypi), Path(folder), self.settings.go_mirror)
            with self.progress.step(text) as step:
                return LockedModule(path, version, go.sum_of(path, version, step, threading.Event())[0])


def _known(lock: Lock) -> dict[tuple[str, str], LockedFile]:
    files = (file for runtime in lock.runtimes.values() for file in runtime.files)
    return {(file.coordinate, file.platform): file for file in files}


def _per_platform(texts: Iterable[str], version: str) -> list[tuple[str, str]]:
    found = set()
    for text in texts:
        if "{arch}" in text:
            found |= {(text.format(version=version, arch=arch), here) for here, (_, arch) in _PLATFORMS.items()}
        else:
            found.add((text.format(version=version), ANY))
    return sorted(found)


def _pin_superset(pypi: Pypi) -> None:
    source, target = HERE / "superset-requirements.in", HERE / "superset-requirements.txt"
    asked = "pip compile --quiet --universal --no-strip-extras --python-version 3.11 --generate-hashes --no-header"
    # Only the user's own choice of index is passed on; uv has the same default as pip.
    env = inherited_env(**({"UV_DEFAULT_INDEX": pypi.indexes[0]} if pypi.chosen else {}))
    command = [sys.executable, "-m", "uv", *asked.split(), source.name, "--output-file", target.name]
    done = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FetchError(
            f"{source.name} could not be pinned: {done.stderr.strip()[-500:]}; "
            "correct the file, or install the development requirements if uv is missing."
        )
