"""Bringing a component's stored data to this release: one at a time, and never backwards."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from filelock import FileLock

from headwater.box.components.databases import mark_migrated, one_at_a_time
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.box.component import Box, Component, Schema

__all__ = ["migrate", "schemas"]


def migrate(component: Component, box: Box) -> None:
    """Bring a component's data to this release; again, or twice at once, changes nothing more.

    Raises:
        ComponentError: The data are a newer release's, or the migration failed.
    """
    # The file serves where there is no PostgreSQL yet; the other lock reaches jobs in containers and on other machines.
    apart = one_at_a_time(box.profile, component.name) if "postgres" in component.needs else nullcontext()
    with FileLock(box.profile.home / f"migrate-{component.name}.lock"), apart:
        schemas(box, [component])
        component.migrate(box)
        if not box.profile.supervised:
            mark_migrated(box.profile, component)


def schemas(box: Box, components: Iterable[Component]) -> dict[str, Schema]:
    """Return how far the data of those components are that keep some with a version, by name.

    Raises:
        ComponentError: One's data are a newer release's, or cannot be read by this one.
    """
    found = {one.name: schema for one in components if (schema := one.schema(box)) is not None}
    for schema in found.values():
        if schema.obstacle:
            raise ComponentError(schema.obstacle)
    return found
