"""Who opens connections to whom: what packet filters let through, and nothing else. Pure.

docker-compose.yml's networks, network policies on Kubernetes and the table in docs/compose.md are held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.box.component import MIGRATE
from headwater.box.programs import programs
from headwater.profile import service_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.box.component import Component

__all__ = ["CLI", "PEOPLE", "Arrow", "arrows"]

# Headwater's command line inside, and those who look from outside: browsers and SQL clients.
CLI, PEOPLE = "cli", "people"
_CLI_CALLS = ("catalog", "dagster", "metastore", "minio", "spark", "superset", "trino-tls")
_PEOPLE_CALL = ("aws-api", "catalog", "dagster", "minio-console", "superset", "trino-tls")


@dataclass(frozen=True, order=True)
class Arrow:
    """One caller and one port of what it calls.

    Args:
        caller: A program such as ``dagster:daemon``, a bootstrap such as ``migrate trino``, ``cli`` or ``people``.
        port: One of ``headwater.profile.PORTS``.
    """

    caller: str
    port: str

    def __str__(self) -> str:
        """Say it in a few words.

        >>> str(Arrow("metastore", "postgres"))
        'metastore -> postgres'
        """
        return f"{self.caller} -> {self.port}"


def arrows(components: Iterable[Component]) -> tuple[Arrow, ...]:
    """Return every arrow between some components, the command line and people."""
    every = tuple(components)
    # What only a cluster has more than one of calls its like at its own port.
    found = [
        Arrow(one.name, port)
        for one in programs(every)
        for port in one.component.calls.get(one.role, ())
        if port not in one.component.listens.get(one.role, ())
    ]
    found += [Arrow(f"{MIGRATE} {one.name}", port) for one in every for port in one.calls.get(MIGRATE, ())]
    there = {one.name for one in every}
    found += [Arrow(CLI, port) for port in _CLI_CALLS if service_of(port) in there]
    found += [Arrow(PEOPLE, port) for port in _PEOPLE_CALL if service_of(port) in there]
    return tuple(found)
