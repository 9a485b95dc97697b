"""The services of docker-compose.yml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compose_file import compose_file, image_of_service
from services import Mount, Published, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["services_of_compose"]

_CONDITIONS = {"service_healthy": "healthy", "service_completed_successfully": "done"}


def services_of_compose(given: Mapping[str, str]) -> dict[str, Service]:
    """Return every service of docker-compose.yml by name.

    Args:
        given: Its variables.
    """
    return {name: _service(name, one) for name, one in compose_file(given)["services"].items()}


def _service(name: str, given: Mapping[str, Any]) -> Service:
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
