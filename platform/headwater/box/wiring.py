"""Who needs which password and which ports, where components are containers: what the chart is rendered from. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.box.arrows import CLI, CLI_CALLS
from headwater.box.component import MIGRATE, Component
from headwater.box.programs import Program, by_default, tiers
from headwater.credentials import LOGINS, logins_of, password_variable
from headwater.profile import PORTS, service_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CLI_IMAGE", "CLI_LOGINS", "cluster_programs", "migrating", "wiring"]

# The command line inside: whose image it runs on, and its logins; none of them opens a database.
CLI_IMAGE = "dagster"
CLI_LOGINS = ("minio", "spark", "trino", "trino-reader", "superset", "catalog")


def cluster_programs(components: Mapping[str, Component]) -> tuple[Program, ...]:
    """Return every program that the chart has, also those that only a cluster runs."""
    every = [components[name] for name in by_default(components)]
    return tuple(Program(one, role) for one in every for role in (*one.roles, *one.cluster_roles))


def migrating(components: Mapping[str, Component]) -> tuple[str, ...]:
    """Return the names of the components that have a bootstrap, each after those that it needs."""
    ordered = [name for tier in tiers(components) for name in tier if not components[name].on_demand]
    return tuple(name for name in ordered if type(components[name]).migrate is not Component.migrate)


def wiring(components: Mapping[str, Component], first_port: int) -> dict[str, Any]:
    """Return all that the chart has to know of the core, as plain values.

    Args:
        components: By name.
        first_port: First port of the block.
    """
    ranks = {name: rank for rank, tier in enumerate(tiers(components)) for name in tier}
    return {
        "ports": {name: first_port + number for number, name in enumerate(PORTS)},
        "passwords": {login: password_variable(login) for login in LOGINS},
        "programs": {**{one.name: _program(one) for one in cluster_programs(components)}, CLI: _command_line()},
        "migrations": {
            name: {
                "rank": ranks[name],
                "logins": list(components[name].logins.get(MIGRATE, ())),
                "calls": list(components[name].calls.get(MIGRATE, ())),
            }
            for name in migrating(components)
        },
        "lake": _lake(components),
    }


def _lake(components: Mapping[str, Component]) -> dict[str, Any]:
    """Return what there is none of where lake, metastore and engines are services of an account."""
    every = [one for one in cluster_programs(components) if one.component.of_lake]
    names = list(dict.fromkeys(one.component.name for one in every))
    return {
        "components": names,
        "logins": list(logins_of(names)),
        "ports": sorted({port for one in every for port in one.component.listens.get(one.role, ())}),
    }


def _program(one: Program) -> dict[str, Any]:
    return {
        "component": one.component.name,
        "role": one.role,
        "logins": list(one.component.logins.get(one.role, ())),
        "calls": list(one.component.calls.get(one.role, ())),
        "listens": list(one.component.listens.get(one.role, ())),
        "service": _service(one),
        "database": one.component.database,
        "readsProject": one.component.reads_project,
    }


def _command_line() -> dict[str, Any]:
    """Return what a program is told by, of the command line inside: it calls and is called by nobody."""
    return {
        "component": CLI_IMAGE,
        "role": "",
        "logins": list(CLI_LOGINS),
        "calls": list(CLI_CALLS),
        "listens": [],
        "service": "",
        "database": "",
        "readsProject": True,
    }


def _service(program: Program) -> str:
    """Return the name under which others find a program, empty where nobody looks for it by name."""
    ports = program.component.listens.get(program.role, ())
    return service_of(ports[0]) if ports and program.role in program.component.roles else ""
