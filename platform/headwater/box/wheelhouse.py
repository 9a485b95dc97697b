"""From pinned and hashed requirements to the very files that this Python installs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from headwater.box.lockfile import LockedFile
from headwater.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pypi_simple import DistributionPackage

    from headwater.box.registries import Pypi

__all__ = ["Pin", "best_file", "read_pins"]

_SDIST_RANK = 1_000_000


@dataclass(frozen=True)
class Pin:
    """One pinned requirement.

    Args:
        project: Its name.
        version: Its one version.
        sha256s: Hashes of all the files that may be taken for it.
    """

    project: str
    version: str
    sha256s: frozenset[str]


def read_pins(path: Path) -> list[Pin]:
    """Return the requirements of a hashed requirements file that apply to this Python."""
    joined = path.read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        text, *hashes = re.split(r"\s--hash=sha256:", line)
        if not hashes:
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            version = str(requirement.specifier).removeprefix("==")
            found.append(Pin(requirement.name, version, frozenset(each.strip() for each in hashes)))
    return found


def best_file(pin: Pin, pypi: Pypi) -> LockedFile:
    """Return the file that suits this Python best: the most particular wheel, else the source.

    Raises:
        FetchError: The index has none of the files.
    """
    suited = [
        (rank, package)
        for package in pypi.packages(pin.project)
        if package.digests.get("sha256") in pin.sha256s and (rank := _rank(package)) is not None
    ]
    if not suited:
        raise FetchError(
            f"No file of {pin.project} {pin.version} suits this Python and has a hash that the requirements name; "
            f"check {pypi.setting} and pip's index-url."
        )
    package = min(suited, key=lambda one: one[0])[1]
    coordinate = f"{pin.project}=={pin.version}"
    return LockedFile("pypi", coordinate, package.filename, package.digests["sha256"], package.size)


def _rank(package: DistributionPackage) -> int | None:
    if package.package_type == "sdist":
        return _SDIST_RANK
    try:
        tags = parse_wheel_filename(package.filename)[3]
    except InvalidWheelFilename:
        return None
    return min((_tags()[tag] for tag in tags if tag in _tags()), default=None)


@cache
def _tags() -> Mapping[Tag, int]:
    return {tag: rank for rank, tag in enumerate(sys_tags())}
