"""The box's processes as one ordered list: a component's role is one program. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from headwater.box.component import Component

__all__ = ["Program", "by_default", "find", "programs", "tiers", "to_start", "with_needs"]


@dataclass(frozen=True)
class Program:
    """One process of the box.

    Args:
        component: The component it belongs to.
        role: The component's role, empty for the only one.
    """

    component: Component
    role: str

    @property
    def name(self) -> str:
        """``component`` or ``component:role``, as on the command line."""
        return f"{self.component.name}:{self.role}" if self.role else self.component.name

    @property
    def file_name(self) -> str:
        """The name in file names and in the supervisor, where a colon means something else."""
        return self.name.replace(":", "-")


def programs(components: Iterable[Component]) -> tuple[Program, ...]:
    """Return every program of some components."""
    return tuple(Program(component, role) for component in components for role in component.roles)


def by_default(components: Mapping[str, Component]) -> tuple[str, ...]:
    """Return the names of the components that the box starts when none is named."""
    return tuple(name for name, one in components.items() if not one.on_demand)


def find(components: Mapping[str, Component], name: str) -> Program:
    """Return the program of ``component[:role]``.

    Raises:
        ConfigError: There is none.
    """
    wanted, _, role = name.partition(":")
    component = components.get(wanted)
    if component is None:
        raise ConfigError(f"There is no component {wanted!r}; there are {', '.join(components)}.")
    roles = (*component.roles, *component.cluster_roles)
    if role not in roles:
        known = ", ".join(f"{wanted}:{known}" if known else wanted for known in roles)
        raise ConfigError(f"{wanted} has no role {role!r}; say {known}.")
    return Program(component, role)


def tiers(components: Mapping[str, Component]) -> tuple[tuple[str, ...], ...]:
    """Return the components' names in tiers: each needs only those of earlier tiers.

    Raises:
        ConfigError: Components need each other in a circle.
    """
    sorter = TopologicalSorter({name: set(one.needs) & set(components) for name, one in components.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        raise ConfigError(f"Components need each other in a circle: {' -> '.join(error.args[1])}.") from error
    found = []
    while sorter.is_active():
        ready = tuple(sorted(sorter.get_ready()))
        found.append(ready)
        sorter.done(*ready)
    return tuple(found)


def to_start(components: Mapping[str, Component], names: Iterable[str]) -> dict[str, Component]:
    """Return the named components, or those that start unnamed when none is named, and all they need.

    Raises:
        ConfigError: A name is unknown.
    """
    return with_needs(components, tuple(names) or by_default(components))


def with_needs(components: Mapping[str, Component], names: Iterable[str]) -> dict[str, Component]:
    """Return the named components and all they need.

    Raises:
        ConfigError: A name is unknown.
    """
    wanted: dict[str, Component] = {}
    queue = [name.partition(":")[0] for name in names]
    while queue:
        name = queue.pop()
        if name not in components:
            raise ConfigError(f"There is no component {name!r}; there are {', '.join(components)}.")
        if name not in wanted:
            wanted[name] = components[name]
            queue.extend(components[name].needs)
    return wanted
