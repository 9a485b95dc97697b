"""docker-compose.yml and the Dockerfile as a container engine reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from headwater.box.component import MIGRATE
from headwater.profile import Profile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.box.arrows import Arrow

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILE = ROOT / "docker" / "Dockerfile"

# Where a program's service has another name.
_SERVICES = {"dagster:webserver": "dagster"}
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


class MissingError(Exception):
    """A variable that the file insists on is not set; the message is the file's own."""


def compose_file(given: Mapping[str, str]) -> dict[str, Any]:
    """Return the compose file with its variables filled in.

    Raises:
        MissingError: One that it insists on is not given.
    """
    filled: dict[str, Any] = _filled(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), given)
    return filled


def image_environment() -> dict[str, str]:
    """Return the variables that every image sets."""
    stage = stages()["base"]
    return {
        name: text
        for instruction, rest in stage
        if instruction == "ENV"
        for name, _, text in (one.partition("=") for one in rest.split())
    }


def environment_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that a service's process has."""
    return {**image_environment(), **{name: str(text) for name, text in service["environment"].items()}}


def image_of_service(service: Mapping[str, Any]) -> str:
    """Return the Dockerfile's stage that a service's image is made from."""
    name: str = service["image"].rpartition("/")[2].partition(":")[0]
    return name


def service_name(caller: str) -> str:
    """Return the compose file's service that is one of the callers of ``headwater.box.arrows``.

    >>> service_name("dagster:daemon"), service_name("trino:migrate")
    ('dagster-daemon', 'migrate-trino')
    """
    component, _, role = caller.partition(":")
    return f"{MIGRATE}-{component}" if role == MIGRATE else _SERVICES.get(caller, caller.replace(":", "-"))


def arrow_ends(arrow: Arrow) -> tuple[str, str]:
    """Return the services of the compose file that an arrow goes from and to."""
    return service_name(arrow.caller), Profile.load({"HEADWATER_PROFILE": "compose"}).host_of(arrow.port)


def stages() -> dict[str, list[tuple[str, str]]]:
    """Return the Dockerfile's stages: each instruction with what follows it, the FROM line first."""
    text = re.sub(r"\\\n\s*", " ", re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text(encoding="utf-8")))
    found: dict[str, list[tuple[str, str]]] = {"": []}
    for line in filter(None, text.splitlines()):
        instruction, _, rest = line.partition(" ")
        if instruction == "FROM":
            found[rest.rpartition(" AS ")[2]] = []
        found[list(found)[-1]].append((instruction, rest))
    return found


def _filled(value: Any, given: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one, given) for name, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, given) for one in value]
    return _VARIABLE.sub(lambda found: _value(given, *found.groups()), value) if isinstance(value, str) else value


def _value(given: Mapping[str, str], name: str, operator: str | None, rest: str | None) -> str:
    if given.get(name):
        return given[name]
    if operator == ":?":
        raise MissingError(f"{name}: {rest}")
    return rest or ""
