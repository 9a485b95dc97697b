"""The components of the box: the core's own, and those that other packages add through ``headwater.components``."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from headwater.box.component import Component
    from headwater.profile import Profile

__all__ = ["CORE", "all_components", "box_components"]

# name -> module:class; the order is the one that people read in listings.
CORE = {
    "postgres": "headwater.box.components.postgres:PostgresComponent",
    "minio": "headwater.box.components.minio:MinioComponent",
    "metastore": "headwater.box.components.metastore:MetastoreComponent",
    "spark": "headwater.box.components.spark:SparkComponent",
    "trino": "headwater.box.components.trino:TrinoComponent",
    "superset": "headwater.box.components.superset:SupersetComponent",
}


def all_components() -> dict[str, Component]:
    """Return every component by name.

    Raises:
        ConfigError: An installed package declares a component that cannot be loaded, or a name twice.
    """
    found: dict[str, Component] = {}
    for name, place in CORE.items():
        module, _, attribute = place.partition(":")
        found[name] = getattr(import_module(module), attribute)()
    for point in entry_points(group="headwater.components"):
        if point.name in found:
            raise ConfigError(
                f"Component {point.name!r} is declared twice, by {point.value} too. Uninstall one of the packages."
            )
        found[point.name] = _load(point)
    return found


def box_components(profile: Profile) -> dict[str, Component]:
    """Return every component that a profile's box has, by name.

    Raises:
        ConfigError: As of ``all_components``.
    """
    return {name: one for name, one in all_components().items() if not (one.of_lake and profile.lake_elsewhere)}


def _load(point: EntryPoint) -> Component:
    try:
        component: Component = point.load()()
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"Component {point.name!r} ({point.value}) cannot be loaded: {error}. Reinstall its package."
        ) from error
    return component
