"""``headwater images`` and ``headwater sbom``: what containers are made of."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headwater.box.components import all_components
from headwater.box.programs import find
from headwater.errors import ComponentError, ConfigError
from headwater.profile import Profile

if TYPE_CHECKING:
    from headwater.box.component import Component

__all__ = ["images", "sbom"]

_REQUIREMENTS = "requirements.txt"
_MIRRORS = ("HEADWATER_PYPI_MIRROR", "HEADWATER_MAVEN_MIRROR", "HEADWATER_GO_MIRROR", "HEADWATER_NPM_MIRROR")


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT]...")
@click.option("--base", help="Base image instead of the Dockerfile's, best with its digest.")
@click.option("--repository", default="headwater", show_default=True, help="What stands before the images' names.")
def images(names: tuple[str, ...], base: str | None, repository: str) -> None:
    """Build the images of all components, or of some; run it in the source tree."""
    from headwater.box.images import DOCKERFILE, build_command, container_engine, image_of  # noqa: PLC0415

    root, profile = _source_tree(DOCKERFILE), Profile.load()
    engine = container_engine()
    arguments = {name: profile.setting(name) for name in _MIRRORS if profile.setting(name)}
    arguments |= {"BASE": base} if base else {}
    for component in _chosen(names):
        image = image_of(component, repository)
        click.echo(f"Building {image.tag}")
        if subprocess.run(build_command(engine, image, root, arguments), check=False).returncode:
            raise ComponentError(f"The image {image.tag} was not built; what the engine said is above.")


@click.command()
@click.argument("names", nargs=-1, metavar="[COMPONENT]...")
def sbom(names: tuple[str, ...]) -> None:
    """Write what the images of all components, or of some, are made of, as CycloneDX in JSON."""
    from headwater.box.sbom import bill_of_materials  # noqa: PLC0415 - slow to import

    click.echo(bill_of_materials(_chosen(names), _source_tree(_REQUIREMENTS) / _REQUIREMENTS))


def _source_tree(file: str) -> Path:
    root = Path.cwd()
    if not (root / file).is_file():
        raise ConfigError(f"There is no {file} in {root}; go to the folder that Headwater's source is in.")
    return root


def _chosen(names: tuple[str, ...]) -> tuple[Component, ...]:
    components = all_components()
    for name in names:
        if name not in components:
            find(components, name)  # refuses it, naming what there is
    return tuple(one for name, one in components.items() if not names or name in names)
