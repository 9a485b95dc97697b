"""Container images: one per component, from the one Dockerfile and the lock. Pure, but for finding the engine."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from headwater.box.lockfile import read_lock
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from headwater.box.component import Component

__all__ = ["DOCKERFILE", "LICENCES", "Image", "build_command", "container_engine", "image_of"]

DOCKERFILE = "docker/Dockerfile"
_ENGINES = ("docker", "podman")

# By runtime; Headwater's own licence and NOTICE say the same for people.
LICENCES: Mapping[str, str] = {
    "helm": "Apache-2.0",
    "java21": "GPL-2.0-only WITH Classpath-exception-2.0",
    "java25": "GPL-2.0-only WITH Classpath-exception-2.0",
    "metastore": "Apache-2.0",
    "minio": "AGPL-3.0-only",
    "pages": "EPL-2.0 AND ISC",
    "postgres": "PostgreSQL",
    "spark": "Apache-2.0",
    "spark-jars": "Apache-2.0",
    "superset": "Apache-2.0",
    "trino": "Apache-2.0",
}


@dataclass(frozen=True)
class Image:
    """One component's image.

    Args:
        target: The stage of the Dockerfile.
        tag: Its name and version.
        labels: What it holds, as OCI's annotations.
    """

    target: str
    tag: str
    labels: Mapping[str, str]


def image_of(component: Component, repository: str = "headwater") -> Image:
    """Return a component's image.

    Args:
        component: Whose.
        repository: What stands before the component's name.
    """
    runtimes = [read_lock().find(name) for name in component.runtimes]
    licences = sorted({"Apache-2.0", *(LICENCES[one.name] for one in runtimes)})
    labels = {
        "org.opencontainers.image.title": f"headwater-{component.name}",
        "org.opencontainers.image.version": version("headwater"),
        "org.opencontainers.image.licenses": " AND ".join(licences),
        **{f"headwater.runtime.{one.name}": one.version for one in runtimes},
    }
    return Image(component.name, f"{repository}/{component.name}:{version('headwater')}", labels)


def build_command(engine: str, image: Image, root: Path, arguments: Mapping[str, str]) -> list[str]:
    """Return the command that builds an image.

    Args:
        engine: ``docker`` or ``podman``.
        image: What to build.
        root: The source tree.
        arguments: Values for the Dockerfile's ``ARG`` lines.
    """
    argv = [engine, "build", "--file", str(root / DOCKERFILE), "--target", image.target, "--tag", image.tag]
    argv += [part for name, text in image.labels.items() for part in ("--label", f"{name}={text}")]
    argv += [part for name, text in arguments.items() for part in ("--build-arg", f"{name}={text}")]
    return [*argv, str(root)]


def container_engine(engines: Sequence[str] = _ENGINES) -> str:
    """Return the first container engine that answers.

    Raises:
        ConfigError: There is none.
    """
    for name in engines:
        found = shutil.which(name)
        if found and not subprocess.run([found, "info"], capture_output=True, check=False).returncode:
            return found
    raise ConfigError(
        f"No container engine answers here: install or start {' or '.join(engines)}, which builds images."
    )
