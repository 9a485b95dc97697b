"""Where a coordinate's files lie: each ecosystem's own default, its usual settings, or the user's mirror."""

from __future__ import annotations

import re
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit
from xml.etree import ElementTree as ET  # the user's own settings.xml

import requests

from headwater.box.npm import Npm
from headwater.box.transport import failed, new_session, pip_settings
from headwater.errors import ConfigError, FetchError
from headwater.profile import inherited_env

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pypi_simple import DistributionPackage

    from headwater.box.download import Source
    from headwater.box.lockfile import FetchSettings, LockedFile

__all__ = ["Coordinate", "Maven", "Pypi", "Registries"]


class Pypi:
    """The Python package index.

    Args:
        mirror: A simple index; pip's own setting, or else pypi-simple's default, when None.
    """

    setting = "HEADWATER_PYPI_MIRROR"

    def __init__(self, mirror: str | None) -> None:
        from pypi_simple import PYPI_SIMPLE_ENDPOINT  # noqa: PLC0415 - 0.2 s that a second fetch need not pay

        pip = pip_settings()
        more = [] if mirror else pip.get("extra-index-url", "").split()
        self.chosen = mirror or pip.get("index-url")
        self.indexes = [self.chosen or PYPI_SIMPLE_ENDPOINT, *more]
        self.session = new_session(certificates=pip.get("cert"), proxy=pip.get("proxy"))
        self._patient = new_session(certificates=pip.get("cert"), proxy=pip.get("proxy"), retries=3)
        self._pages: dict[str, list[DistributionPackage]] = {}

    def url(self, file: LockedFile) -> str:
        """Return where a file lies, by its name and, where the index tells it, its hash."""
        project = file.coordinate.partition("==")[0]
        for package in self.packages(project):
            if package.filename == file.name and package.digests.get("sha256", file.sha256) == file.sha256:
                return package.url
        raise FetchError(
            f"{file.name} is not in the package index as the lock file describes it; "
            f"check {self.setting} and pip's index-url."
        )

    def packages(self, project: str) -> list[DistributionPackage]:
        """Return all files of a project, asked once."""
        if project not in self._pages:  # two threads may both ask, and get the same
            self._pages[project] = [package for index in self.indexes for package in self._ask(index, project)]
        return self._pages[project]

    def _ask(self, index: str, project: str) -> list[DistributionPackage]:
        from pypi_simple import NoSuchProjectError, PyPISimple  # noqa: PLC0415

        try:
            client = PyPISimple(endpoint=index, session=self._patient)
            packages = client.get_project_page(project, timeout=60).packages
        except NoSuchProjectError:
            return []
        except requests.HTTPError as error:
            raise failed(
                f"The list of {project}'s files", index, error.response.status_code, setting=self.setting
            ) from error
        except requests.RequestException as error:
            raise failed(f"The list of {project}'s files", index, error, setting=self.setting) from error
        for package in packages:
            package.url = _with_login_of(index, package.url)
        return packages


class Coordinate:
    """A Maven coordinate: ``group:artifact:version[:classifier][@extension]``.

    >>> Coordinate("io.trino:trino-server:476@tar.gz").filename
    'trino-server-476.tar.gz'
    """

    def __init__(self, text: str) -> None:
        coordinate, _, extension = text.partition("@")
        self.group, self.artifact, self.version, self.classifier = (*coordinate.split(":"), "")[:4]
        self.extension = extension or "jar"

    @property
    def filename(self) -> str:
        """The file's name in a repository."""
        parts = filter(None, (self.artifact, self.version, self.classifier))
        return f"{'-'.join(parts)}.{self.extension}"

    @property
    def path(self) -> str:
        """The file's path in a repository."""
        folders = (*self.group.split("."), self.artifact, self.version, self.filename)
        return "/".join(quote(folder) for folder in folders)


class Maven:
    """The Maven repository.

    Args:
        mirror: A repository; the mirror in the user's settings.xml, or else jgo's default, when None.
        user_settings: Maven's settings file.
    """

    setting = "HEADWATER_MAVEN_MIRROR"

    def __init__(self, mirror: str | None, user_settings: Path | None = None) -> None:
        found = mirror or _settings_mirror(user_settings or Path.home() / ".m2" / "settings.xml")
        if found is None:
            from jgo.maven import MavenContext  # noqa: PLC0415

            found = next(iter(MavenContext().remote_repos.values()))
        self.base = found.rstrip("/")
        self.session = new_session()

    def url(self, file: LockedFile) -> str:
        """Return where a file lies."""
        return f"{self.base}/{Coordinate(file.coordinate).path}"


class Registries:
    """All registries, each set up when it is first asked.

    Args:
        settings: The mirrors.
    """

    def __init__(self, settings: FetchSettings) -> None:
        self._settings = settings
        self._lock = threading.RLock()

    def named(self, name: str) -> Source:
        """Return a registry by the name that the lock file uses."""
        if name == "npm":
            return self.npm
        return self.pypi if name == "pypi" else self.maven

    @property
    def pypi(self) -> Pypi:
        """The Python package index."""
        with self._lock:
            return self._pypi

    @property
    def maven(self) -> Maven:
        """The Maven repository."""
        with self._lock:
            return self._maven

    @property
    def npm(self) -> Npm:
        """The npm registry."""
        with self._lock:
            return self._npm

    @cached_property
    def _pypi(self) -> Pypi:
        return Pypi(self._settings.pypi_mirror)

    @cached_property
    def _maven(self) -> Maven:
        return Maven(self._settings.maven_mirror)

    @cached_property
    def _npm(self) -> Npm:
        return Npm(self._settings.npm_mirror)


def _with_login_of(index: str, url: str) -> str:
    # As pip does: the login in an index's URL is for the files on the same host too.
    login, at, _ = urlsplit(index).netloc.rpartition("@")
    parts = urlsplit(url)
    if not at or "@" in parts.netloc or parts.hostname != urlsplit(index).hostname:
        return url
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))


def _settings_mirror(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        root = ET.parse(path).getroot()  # noqa: S314
    except ET.ParseError as error:
        raise ConfigError(f"{path} is not valid XML ({error}); correct it or set {Maven.setting}.") from error
    logins = {one.get("id"): one for one in _blocks(root, "server")}
    for mirror in _blocks(root, "mirror"):
        if mirror.get("url") and _covers_central(mirror.get("mirrorOf", "")):
            return _with_login(mirror["url"], logins.get(mirror.get("id"), {}))
    return None


def _blocks(root: ET.Element, name: str) -> Iterator[dict[str, str]]:
    for element in root.iter():
        if _plain(element.tag) == name:
            yield {_plain(child.tag): _filled_in((child.text or "").strip()) for child in element}


def _plain(tag: str) -> str:
    return tag.rpartition("}")[2]


def _filled_in(text: str) -> str:
    return re.sub(r"\$\{env\.([^}]+)\}", lambda found: inherited_env().get(found[1], found[0]), text)


def _covers_central(mirror_of: str) -> bool:
    patterns = {pattern.strip() for pattern in mirror_of.split(",")}
    return "!central" not in patterns and bool(patterns & {"*", "central", "external:*"})


def _with_login(url: str, login: Mapping[str, str]) -> str:
    if not login.get("username"):
        return url
    parts = urlsplit(url)
    name = f"{quote(login['username'], safe='')}:{quote(login.get('password', ''), safe='')}"
    return urlunsplit(parts._replace(netloc=f"{name}@{parts.netloc}"))
