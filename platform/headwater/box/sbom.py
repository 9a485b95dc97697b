"""What a component's image is made of, from the lock file: CycloneDX."""

from __future__ import annotations

import uuid
from importlib.metadata import version
from typing import TYPE_CHECKING

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component as Part
from cyclonedx.model.component import ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL

from headwater.box.images import LICENCES
from headwater.box.lockfile import HERE, read_lock, this_platform
from headwater.box.wheelhouse import read_pins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from headwater.box.component import Component
    from headwater.box.lockfile import LockedFile, LockedRuntime

__all__ = ["bill_of_materials", "purl"]


def bill_of_materials(components: Iterable[Component], requirements: Path) -> str:
    """Return the bill of materials of some components' images as CycloneDX 1.6 in JSON.

    It names Headwater, its Python packages, each runtime and each file of the lock that goes into one. What the base
    image brings is not in the lock and so not here.

    Args:
        components: Whose.
        requirements: The pinned requirements of Headwater itself.

    Raises:
        FetchError: The lock file cannot be read.
    """
    chosen = tuple(components)
    names = ", ".join(one.name for one in chosen)
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"headwater {version('headwater')}: {names}"))
    whole = _part(ComponentType.CONTAINER, f"headwater: {names}", version("headwater"), licence="Apache-2.0")
    bom.metadata.component = whole
    runtimes = read_lock().with_needs({name for one in chosen for name in one.runtimes})
    parts = (*_pinned(requirements), *(part for runtime in runtimes for part in _parts(runtime)))
    bom.components.update(parts)
    bom.register_dependency(whole, bom.components)
    text: str = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    return text


def purl(file: LockedFile) -> PackageURL:
    """Return a locked file's package URL."""
    if file.registry == "maven":
        coordinate, _, extension = file.coordinate.partition("@")
        group, artifact, number, *classifier = coordinate.split(":")
        more = {"classifier": classifier[0]} if classifier else {}
        return PackageURL("maven", group, artifact, number, {**more, "type": extension} if extension else more)
    if file.registry == "npm":
        name, _, number = file.coordinate.rpartition("@")
        scope, _, base = name.rpartition("/")
        return PackageURL("npm", scope or None, base, number)
    name, _, number = file.coordinate.partition("==")
    return PackageURL("pypi", None, name, number)


def _parts(runtime: LockedRuntime) -> Iterator[Part]:
    licence = LICENCES[runtime.name]
    yield _part(ComponentType.APPLICATION, runtime.name, runtime.version, licence=licence)
    if runtime.module is not None:
        space, _, name = runtime.module.path.rpartition("/")
        where = PackageURL("golang", space, name, runtime.module.version)
        yield _part(ComponentType.LIBRARY, runtime.module.path, runtime.module.version, where, licence=licence)
    for file in runtime.files_for(this_platform()):
        where = purl(file)
        yield _part(ComponentType.LIBRARY, file.name, where.version or "", where, sha256=file.sha256)
    for source in runtime.sources:
        if source.endswith("requirements.txt"):
            yield from _pinned(HERE / source)


def _pinned(requirements: Path) -> Iterator[Part]:
    for pin in read_pins(requirements):
        where = PackageURL("pypi", None, pin.project, pin.version)
        yield _part(ComponentType.LIBRARY, pin.project, pin.version, where)


def _part(
    kind: ComponentType, name: str, number: str, where: PackageURL | None = None, *, sha256: str = "", licence: str = ""
) -> Part:
    return Part(
        type=kind,
        name=name,
        version=number,
        purl=where,
        bom_ref=f"{where or name}#{sha256 or number}",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else [],
        licenses=[LicenseFactory().make_from_string(licence)] if licence else [],
    )
