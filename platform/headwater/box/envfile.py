"""The passwords that containers start with, in one file that the container engine reads and only its owner can."""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

from headwater.credentials import LOGINS, new_password, password_variable
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PARTS", "ensure_env"]

# What a user may leave out: profiles of docker-compose.yml.
PARTS = ("catalog", "dagster", "spark", "superset")

_HEAD = """\
# Read by `docker compose`; made by `headwater init-env`. Keep it with the volumes: their data opens with it alone.
# Take a part out of COMPOSE_PROFILES and it does not start.
"""
_NAME = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", re.MULTILINE)


def ensure_env(path: Path) -> tuple[str, ...]:
    """Write the variables that a file lacks, each password random, and return their names; what it has stays.

    Raises:
        ConfigError: The file cannot be written, or others can read it.
    """
    wanted = {"COMPOSE_PROFILES": ",".join(PARTS), **{password_variable(one): new_password() for one in LOGINS}}
    try:
        if not path.exists() and _publish(path, _HEAD + _lines(wanted)):
            return tuple(wanted)
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} holds passwords, and others may read it; say `chmod 600 {path}` first.")
        text = path.read_text(encoding="utf-8")
        missing = {name: value for name, value in wanted.items() if name not in _NAME.findall(text)}
        with path.open("a", encoding="utf-8") as file:
            file.write(("" if not missing or not text or text.endswith("\n") else "\n") + _lines(missing))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The passwords cannot be kept in {path}: {error}. Give another file.") from error
    return tuple(missing)


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _publish(path: Path, text: str) -> bool:
    """Write a new file whole; tell whether nobody else did so first."""
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    try:
        os.link(partial, path)
    except FileExistsError:
        return False
    finally:
        partial.unlink()
    return True
