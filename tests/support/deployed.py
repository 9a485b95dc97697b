"""A platform that was deployed, however it was: what people can do with it, and who runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from compose_file import service_name
from headwater.box.arrows import CLI

if TYPE_CHECKING:
    import subprocess

    from composed import Composed
    from wiring import World

    Done = subprocess.CompletedProcess[str]

__all__ = ["ComposeDeployed", "Deployed"]


class Deployed(ABC):
    """A platform in a world.

    Args:
        world: Where people are, too.
        composed: What of it lasts.
    """

    def __init__(self, world: World, composed: Composed) -> None:
        self.world, self.composed = world, composed

    @abstractmethod
    def headwater(self, *arguments: str, timeout: float) -> Done:
        """Run the command line inside."""

    @abstractmethod
    def bootstrap(self, component: str, timeout: float) -> Done:
        """Run a component's bootstrap again."""

    @abstractmethod
    def probe(self, program: str) -> Done:
        """Ask a program's own health check."""

    @abstractmethod
    def port(self, name: str) -> int:
        """Return the port of people's loopback address that leads to one of ``headwater.profile.PORTS``."""

    def release_test(self, timeout: float) -> Done:
        """Run a release's own test, where there is one."""
        raise NotImplementedError

    def revive(self) -> None:
        """Start anew what has ended, and return when all of that is healthy again."""
        self.composed.revive()


class ComposeDeployed(Deployed):
    """docker-compose.yml's."""

    def headwater(self, *arguments: str, timeout: float) -> Done:
        """Run the service ``cli`` once."""
        return self.composed.run(CLI, *arguments, timeout=timeout)

    def bootstrap(self, component: str, timeout: float) -> Done:
        """Run its service once."""
        return self.composed.run(service_name(f"{component}:migrate"), timeout=timeout)

    def probe(self, program: str) -> Done:
        """Run the service's health check in it."""
        name = service_name(program)
        return self.composed.running[name].run(*self.composed.services[name].probe)

    def port(self, name: str) -> int:
        """Return the published port."""
        from headwater.profile import Profile

        inside = Profile.load({"HEADWATER_PROFILE": "compose"}).port(name)
        every = [port for one in self.composed.services.values() for port in one.published]
        return next(one.host_port for one in every if one.port == inside)
