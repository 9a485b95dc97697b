"""A service as what runs it sees it, wherever it is written down: in docker-compose.yml, or in a rendered chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Mount", "Published", "Service"]


@dataclass(frozen=True)
class Mount:
    """A folder in a container.

    Args:
        source: A volume's name, or a path of the machine when it begins with ``/``.
        target: Where it is seen.
        read_only: Nothing can be written there.
        mode: What may be done in a volume that is new, empty and its group's; 0 for one that has what the image has
            there, with its owners.
    """

    source: str
    target: str
    read_only: bool = False
    mode: int = 0


@dataclass(frozen=True)
class Published:
    """A port that people reach on their own machine.

    Args:
        host: Address of the machine.
        host_port: Its port.
        port: The container's.
    """

    host: str
    host_port: int
    port: int


@dataclass(frozen=True, kw_only=True)
class Service:
    """What is started, and what it can see, use and reach.

    Args:
        name: Under which it is started, and found where it shares a network.
        image: The Dockerfile's stage.
        argv: Its command; the image's when empty.
        env: Variables besides the image's.
        own_address: Variables that hold the address of its host.
        mounts: Volumes and folders.
        tmpfs: Folders in memory, each with its options.
        read_only: Its root file system is.
        user: ``uid:gid``; the image's when empty.
        job: It ends, and that is its success.
        tries: How often a job may be begun.
        after: What it waits for: ``healthy`` or ``done`` by service.
        probe: The command that tells whether it is healthy.
        stop_signal: What asks it to end.
        grace: Seconds it then has.
        memory: Its limit in MiB.
        pids: How many processes and threads it may have; as many as there may be at all when 0.
        host: Whose network it is in; its own when empty.
        hostname: What its host calls itself; made up when empty.
        networks: Services that share one know each other by name.
        published: Ports for people.
        parts: It starts only when one of these is asked for; in any case when there are none.
    """

    name: str
    image: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    own_address: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    user: str = ""
    job: bool = False
    tries: int = 1
    after: Mapping[str, str] = field(default_factory=dict)
    probe: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    grace: float = 10
    memory: int = 0
    pids: int = 0
    host: str = ""
    hostname: str = ""
    networks: frozenset[str] = frozenset({"default"})
    published: tuple[Published, ...] = ()
    parts: frozenset[str] = frozenset()

    @property
    def at(self) -> str:
        """The host that it is on."""
        return self.host or self.name
