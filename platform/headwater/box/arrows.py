"""Who opens connections to whom: what packet filters let through, and nothing else. Pure.

docker-compose.yml's networks, the chart's network policies and the tables in docs/compose.md and docs/kubernetes.md
are held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.box.component import MIGRATE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from headwater.box.programs import Program

__all__ = ["CLI", "CLI_CALLS", "PEOPLE", "Arrow", "arrows", "bootstrap"]

# Headwater's command line inside, and those who look from outside: browsers and SQL clients.
CLI, PEOPLE = "cli", "people"
CLI_CALLS = ("catalog", "dagster", "metastore", "minio", "spark", "superset", "trino-tls")
_PEOPLE_CALL = ("aws-api", "aws-api-spark", "catalog", "dagster", "minio-console", "superset", "trino-tls")


@dataclass(frozen=True, order=True)
class Arrow:
    """One connection that is needed.

    Args:
        caller: Who opens it: a program such as ``dagster:daemon``, a ``bootstrap``, ``cli`` or ``people``.
        port: One of ``headwater.profile.PORTS``.
        callee: The program that listens there.
    """

    caller: str
    port: str
    callee: str

    def __str__(self) -> str:
        """Say it in a few words.

        >>> str(Arrow("dagster:runner", "trino-tls", "trino"))
        'dagster:runner -> trino-tls'
        """
        return f"{self.caller} -> {self.port}"


def bootstrap(component: str) -> str:
    """Return the name of a component's bootstrap among callers.

    >>> bootstrap("trino")
    'trino:migrate'
    """
    return f"{component}:{MIGRATE}"


def arrows(programs: Iterable[Program]) -> tuple[Arrow, ...]:
    """Return every arrow to some programs: from each other, their bootstraps, the command line and people."""
    every = tuple(programs)
    listening = dict[str, list[str]]()
    for one in every:
        for port in one.component.listens.get(one.role, ()):
            listening.setdefault(port, []).append(one.name)
    callers = {one.name: one.component.calls.get(one.role, ()) for one in every}
    callers |= {bootstrap(one.component.name): one.component.calls.get(MIGRATE, ()) for one in every}
    found = [(caller, port) for caller, ports in callers.items() for port in ports]
    found += [(CLI, port) for port in CLI_CALLS if port in listening]
    found += [(PEOPLE, port) for port in _PEOPLE_CALL if port in listening]
    # What only a cluster has more than one of calls its like at its own port; where it is alone, it calls nobody.
    return tuple(
        sorted(
            Arrow(caller, port, callee)
            for caller, port in found
            if listening[port] != [caller]
            for callee in listening[port]
        )
    )
