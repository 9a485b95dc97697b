"""The logins: made once, at a box's first start, into a file for its owner alone; or given by variables."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = [
    "CREDENTIALS_FILE",
    "LOGINS",
    "Credentials",
    "ensure_credentials",
    "given_credentials",
    "logins_of",
    "new_password",
    "password_variable",
    "read_credentials",
    "user_variable",
]

CREDENTIALS_FILE = "credentials.json"

# login -> (user name, what it opens). Passwords are random; a login without a person is a shared secret.
LOGINS: dict[str, tuple[str, str]] = {
    "superset": ("admin", "Superset's pages"),
    "trino": ("headwater", "Trino: SQL clients and its page"),
    "minio": ("headwater", "MinIO: S3 access key and secret key, and its console"),
    "spark": ("headwater", "Spark Connect: the token"),
    "catalog": ("headwater", "the catalog: the token of everything that writes to it"),
    "postgres": ("headwater", "PostgreSQL: superuser"),
    "metastore-db": ("metastore", "the metastore's database"),
    "superset-db": ("superset", "Superset's database"),
    "dagster-db": ("dagster", "Dagster's database"),
    "catalog-db": ("catalog", "the catalog's database"),
    "aws-api-db": ("aws_api", "the AWS API's database"),
    "trino-superset": ("superset", "Trino, as Superset"),
    "trino-reader": ("reader", "Trino, for reading only: what an assistant's SQL runs as"),
    "superset-secret": ("superset", "signs Superset's sessions"),
    "trino-secret": ("trino", "Trino's internal communication"),
}


@dataclass(frozen=True)
class Credentials:
    """User name and password of every login of the box, by login name.

    Args:
        logins: ``{"postgres": ("headwater", "..."), ...}``; see ``LOGINS``.
    """

    logins: Mapping[str, tuple[str, str]] = field(repr=False)

    def user(self, login: str) -> str:
        """Return the user name of a login."""
        return self.logins[login][0] if login in self.logins else LOGINS[login][0]

    def password(self, login: str) -> str:
        """Return the password of a login.

        Raises:
            ConfigError: It was not given to this process.
        """
        if login not in self.logins:
            raise ConfigError(
                f"The password of {login} is not here: set {password_variable(login)}; `headwater init-env` makes them."
            )
        return self.logins[login][1]


def password_variable(login: str) -> str:
    """Return the variable that gives a login's password where no file does.

    >>> password_variable("metastore-db")
    'HEADWATER_PASSWORD_METASTORE_DB'
    """
    return f"HEADWATER_PASSWORD_{login.upper().replace('-', '_')}"


def user_variable(login: str) -> str:
    """Return the variable that gives a login's user name where another one than Headwater's own was chosen.

    >>> user_variable("postgres")
    'HEADWATER_USER_POSTGRES'
    """
    return f"HEADWATER_USER_{login.upper().replace('-', '_')}"


def logins_of(components: Iterable[str]) -> tuple[str, ...]:
    """Return the logins of some components, which are named after them.

    >>> logins_of(["trino"])
    ('trino', 'trino-superset', 'trino-reader', 'trino-secret')
    """
    names = tuple(components)
    return tuple(login for login in LOGINS if any(login == name or login.startswith(f"{name}-") for name in names))


def given_credentials(given: Mapping[str, str]) -> Credentials:
    """Return the logins whose variables are set; every process gets those that it needs and no others."""
    return Credentials(
        {
            login: (given.get(user_variable(login)) or user, given[password_variable(login)])
            for login, (user, _) in LOGINS.items()
            if given.get(password_variable(login))
        }
    )


def new_password() -> str:
    """Return a random password of letters, digits, ``-`` and ``_``."""
    return secrets.token_urlsafe(24)


def ensure_credentials(home: Path) -> Credentials:
    """Return the box's logins, making those that are missing.

    Two processes at once end up with the same logins.

    Raises:
        ConfigError: The folder cannot be written.
    """
    path = home / CREDENTIALS_FILE
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = _read(path) if path.exists() else {}
        missing = {login: [user, new_password()] for login, (user, _) in LOGINS.items() if login not in known}
        if missing:
            _publish(path, {**known, **missing}, fresh=not known)
    except OSError as error:
        raise ConfigError(
            f"The box's credentials cannot be kept in {path}: {error.strerror}. Free or own that folder."
        ) from error
    return read_credentials(home)


def read_credentials(home: Path) -> Credentials:
    """Return the box's logins.

    Raises:
        ConfigError: The box has never been started here, or the file is damaged.
    """
    path = home / CREDENTIALS_FILE
    if not path.exists():
        raise ConfigError(
            f"There is no box in {home} yet; go to your project's folder or set HEADWATER_PROJECT, or start one with "
            "`headwater up`."
        )
    return Credentials({login: (user, password) for login, (user, password) in _read(path).items()})


def _read(path: Path) -> dict[str, list[str]]:
    try:
        found: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}. Restore it from a backup, or `headwater destroy` the box."
        ) from error
    return found


def _publish(path: Path, logins: dict[str, list[str]], *, fresh: bool) -> None:
    partial = path.with_name(f".{CREDENTIALS_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(logins, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    if not fresh:
        partial.replace(path)
        return
    try:
        # A hard link fails when another process was first; its file then counts for both.
        os.link(partial, path)
    except FileExistsError:
        pass
    finally:
        partial.unlink()
