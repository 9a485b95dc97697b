"""A set of services, started as `docker compose up` starts them: each when what it waits for is there."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from wiring import NotReadyError

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping

    from services import Service
    from wiring import Container, World

__all__ = ["Composed"]

_PROBE_SECONDS, _PAUSE = 20, 3  # as the health checks of docker-compose.yml have it


class Composed:
    """Services in a world.

    Args:
        world: Where.
        services: All of them by name.
    """

    def __init__(self, world: World, services: Mapping[str, Service]) -> None:
        self._world, self.services = world, services
        self.running: dict[str, Container] = {}
        self.took: dict[str, float] = {}
        self._lock = Lock()

    def up(self, names: Iterable[str], seconds: float) -> None:
        """Start services and all that they wait for.

        Raises:
            NotReadyError: One did not come up in time; its log is part of the message.
        """
        deadline, waiting = time.monotonic() + seconds, set(self._with_needs(names))
        done: set[str] = set()
        with ThreadPoolExecutor(len(waiting) or 1) as starters:
            coming = {}
            while waiting or coming:
                for name in [one for one in waiting if set(self.services[one].after) <= done]:
                    waiting.remove(name)
                    coming[name] = starters.submit(self._bring, self.services[name], deadline)
                for name in [one for one, future in coming.items() if future.done()]:
                    coming.pop(name).result()
                    done.add(name)
                time.sleep(0.1)

    def run(self, name: str, *argv: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a service once as `docker compose run` does, with another command when one is given."""
        service = self.services[name]
        whole = (*service.argv[:1], *argv) if argv else service.argv
        return self._world.once(replace(service, argv=whole), self.services.values(), timeout)

    def healthy(self, name: str, seconds: float) -> None:
        """Wait until a service's own health check passes; start it anew when it has ended, as its engine does.

        Raises:
            NotReadyError: It does not within that time.
        """
        self._await_health(self.services[name], time.monotonic() + seconds)

    def revive(self) -> None:
        """Start anew what has ended, as its engine does; return when all of that is healthy again."""
        for name, one in list(self.running.items()):
            if one.process.poll() is not None:
                self.healthy(name, 120)

    def killed_for_memory(self) -> list[str]:
        """Return the services of which the kernel has killed a process that took more than the limit."""
        return [name for name, one in self.running.items() if one.killed_for_memory]

    def _with_needs(self, names: Iterable[str]) -> list[str]:
        found: list[str] = []
        queue = list(names)
        while queue:
            if (name := queue.pop()) not in found:
                found.append(name)
                queue.extend(self.services[name].after)
        return found

    def _bring(self, service: Service, deadline: float) -> None:
        began = time.monotonic()
        if service.job:
            for left in reversed(range(service.tries)):
                done = self._world.once(service, self.services.values(), deadline - time.monotonic())
                if done.returncode == 0:
                    break
                if not left or time.monotonic() > deadline:
                    raise NotReadyError(f"{service.name} ended with {done.returncode}: {done.stdout[-3000:]}")
                time.sleep(_PAUSE)
        else:
            self._await_health(service, deadline)
        self.took[service.name] = time.monotonic() - began

    def _await_health(self, service: Service, deadline: float) -> None:
        said = "it was not asked"
        while time.monotonic() < deadline:
            container = self._alive(service)
            try:
                probed = container.run(*service.probe, timeout=_PROBE_SECONDS)
            except NotReadyError as error:
                said = str(error)
                time.sleep(_PAUSE)
                continue
            if probed.returncode == 0:
                return
            said = probed.stderr.strip()
            time.sleep(_PAUSE)
        log = self.running[service.name].log[-3000:] if service.name in self.running else ""
        raise NotReadyError(f"{service.name} did not become healthy: {said}\n{log}")

    def _alive(self, service: Service) -> Container:
        with self._lock:
            there = self.running.get(service.name)
        if there is None or there.process.poll() is not None:
            there = self._world.start(service, self.services.values())
            with self._lock:
                self.running[service.name] = there
        return there
