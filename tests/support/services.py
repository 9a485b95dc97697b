"""A service as an engine sees it, wherever it is written down: in docker-compose.yml, or in a rendered chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compose_file import compose_file, image_of_service

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Mount", "Published", "Service", "services_of_compose"]


@dataclass(frozen=True)
class Mount:
    """A folder in a container.

    Args:
        source: A volume's name, or a path of the machine when it begins with ``/``.
        target: Where it is seen.
        read_only: Nothing can be written there.
    """

    source: str
    target: str
    read_only: bool = False


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
        name: Under which others find it.
        image: The Dockerfile's stage.
        argv: Its command; the image's when empty.
        env: Variables besides the image's.
        mounts: Volumes and folders.
        tmpfs: Folders in memory, each with its options.
        read_only: Its root file system is.
        job: It ends, and that is its success.
        after: What it waits for: ``healthy`` or ``done`` by service.
        probe: The command that tells whether it is healthy.
        stop_signal: What asks it to end.
        grace: Seconds it then has.
        memory: Its limit in MiB.
        pids: How many processes and threads it may have.
        networks: Services that share one know each other by name.
        published: Ports for people.
        parts: It starts only when one of these is asked for; in any case when there are none.
    """

    name: str
    image: str
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    mounts: tuple[Mount, ...] = ()
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    job: bool = False
    after: Mapping[str, str] = field(default_factory=dict)
    probe: tuple[str, ...] = ()
    stop_signal: str = "SIGTERM"
    grace: float = 10
    memory: int = 0
    pids: int = 0
    networks: frozenset[str] = frozenset({"default"})
    published: tuple[Published, ...] = ()
    parts: frozenset[str] = frozenset()


_CONDITIONS = {"service_healthy": "healthy", "service_completed_successfully": "done"}


def services_of_compose(given: Mapping[str, str]) -> dict[str, Service]:
    """Return every service of docker-compose.yml by name.

    Args:
        given: Its variables.
    """
    return {name: _of_compose(name, one) for name, one in compose_file(given)["services"].items()}


def _of_compose(name: str, given: Mapping[str, Any]) -> Service:
    limits, check = given["deploy"]["resources"]["limits"], given["healthcheck"]
    return Service(
        name=name,
        image=image_of_service(given),
        argv=(*given.get("entrypoint", ()), *given["command"]),
        env={variable: str(text) for variable, text in given["environment"].items()},
        mounts=tuple(map(_mount, given["volumes"])),
        tmpfs=dict(one.split(":", 1) for one in given["tmpfs"]),
        read_only=given["read_only"],
        job=check.get("disable", False),
        after={need: _CONDITIONS[how["condition"]] for need, how in given.get("depends_on", {}).items()},
        probe=tuple(check.get("test", ("CMD",))[1:]),
        stop_signal=given.get("stop_signal", "SIGTERM"),
        grace=float(given["stop_grace_period"].removesuffix("s")),
        memory=int(limits["memory"].removesuffix("M")),
        pids=limits["pids"],
        networks=frozenset(given.get("networks", ("default",))),
        published=tuple(map(_published, given.get("ports", ()))),
        parts=frozenset(given.get("profiles", ())),
    )


def _mount(text: str) -> Mount:
    source, target, *options = text.split(":")
    return Mount(source, target, read_only=options == ["ro"])


def _published(text: str) -> Published:
    host, host_port, port = text.split(":")
    return Published(host, int(host_port), int(port))
