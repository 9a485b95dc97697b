"""The one reader of the environment: a frozen description of where everything is.

Nothing else in Headwater looks at environment variables or asks which profile it runs under.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.credentials import CREDENTIALS_FILE, Credentials, ensure_credentials, given_credentials, read_credentials
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PORTS", "SETTINGS", "Profile", "Setting", "inherited_env"]

PROJECT_FILE = "headwater.toml"

# One block of consecutive ports per box; two boxes on one machine take two blocks.
PORTS = (
    "dagster",
    "superset",
    "trino",  # HTTP: Trino's own use; clients are refused
    "trino-tls",  # HTTPS: clients and the web page
    "minio",
    "minio-console",
    "postgres",
    "metastore",
    "spark",
    "spark-ui",
    "spark-driver",
    "spark-blocks",
    "dagster-code",
    "catalog",
    "aws-api",
)


# The services behind those ports that do not have a port's own name.
_SERVICES = {
    "trino-tls": "trino",
    "minio-console": "minio",
    "spark-ui": "spark",
    "spark-driver": "spark",
    "spark-blocks": "spark",
}


@dataclass(frozen=True, kw_only=True)
class _Place:
    """Where one profile has its components; all that profiles differ in.

    Args:
        listen: Address that each component listens on.
        host: Where other components reach a service; ``{service}`` stands for its name.
        supervised: One supervisor on this machine keeps the components; else a container engine or a cluster does.
        given_credentials: The environment holds the logins; else a file of the box, made at its first start.
        trust: Folder in the home with the certificate that clients verify Trino with.
    """

    listen: str
    host: str
    supervised: bool
    given_credentials: bool
    trust: str


_PLACES = {
    "local": _Place(listen="127.0.0.1", host="127.0.0.1", supervised=True, given_credentials=False, trust="tls"),
    # Every service has a network of its own, whose other members know it by its name.
    "compose": _Place(
        listen="0.0.0.0",  # noqa: S104 - of its container, which publishes what is meant for people
        host="{service}",
        supervised=False,
        given_credentials=True,
        trust="trust",
    ),
}


@dataclass(frozen=True)
class Setting:
    """One setting a user may give as an environment variable.

    Args:
        name: The variable.
        default: Its text when absent.
        help: One line on what it does.
    """

    name: str
    default: str
    help: str


SETTINGS = (
    Setting("HEADWATER_PROFILE", "local", "where everything is: local, or compose in containers"),
    Setting("HEADWATER_PROJECT", ".", f"the folder that holds {PROJECT_FILE}; searched upwards from here"),
    Setting("HEADWATER_HOME", "", "everything the box keeps; .headwater in the project when empty"),
    Setting("HEADWATER_CACHE", "", "fetched runtimes; the user's cache folder when empty"),
    Setting("HEADWATER_PORT", "7700", "first port of the box's block"),
    Setting("HEADWATER_PYPI_MIRROR", "", "simple index to fetch wheels from; pip's own setting when empty"),
    Setting("HEADWATER_MAVEN_MIRROR", "", "repository to fetch Maven artifacts from; ~/.m2/settings.xml when empty"),
    Setting("HEADWATER_GO_MIRROR", "", "module proxy to fetch Go modules from; Go's own setting when empty"),
    Setting("HEADWATER_NPM_MIRROR", "", "registry to fetch npm packages from; npm's own setting when empty"),
    Setting("HEADWATER_FETCH_JOBS", "6", "downloads at once"),
    Setting("HEADWATER_SPARK_HEAP", "1200m", "heap of the Spark Connect server"),
    Setting("HEADWATER_TRINO_HEAP", "2g", "heap of Trino"),
    Setting("HEADWATER_METASTORE_HEAP", "192m", "heap of the Hive Metastore"),
    Setting("HEADWATER_MINIO_MEMORY", "256m", "soft memory limit of MinIO"),
    Setting("HEADWATER_DAGSTER_RUNS", "2", "runs at once"),
    Setting("HEADWATER_START_TIMEOUT", "180", "seconds a component may take until it is ready"),
    Setting("HEADWATER_LEASE", "60", "seconds without a sign of life after which a write counts as dead"),
    Setting("HEADWATER_MAINTAIN", "30 3 * * *", "when the lake is maintained, as a cron line in UTC; off for never"),
    Setting("HEADWATER_ALERT_WEBHOOK", "", "URL that gets failure and freshness alerts as JSON"),
    Setting("HEADWATER_ALERT_EMAIL", "", "address that gets failure and freshness alerts"),
    Setting("HEADWATER_SMTP_URL", "", "smtp[s]://user:password@host:port that sends those e-mails"),
)

_MEMORY = re.compile(r"^[1-9][0-9]*[mg]$")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Where everything is.

    Args:
        name: The profile's name.
        project: Folder with ``headwater.toml``.
        home: Everything that components keep: data, configuration, logs, credentials.
        cache: Fetched runtimes, shared between boxes.
        host: Address at which people reach the components.
        listen: Address that every component listens on.
        supervised: One supervisor on this machine keeps the components; else a container engine or a cluster does.
        trust: Folder with the certificate that clients verify Trino with.
        first_port: First port of the block that ``PORTS`` names.
        settings: Text of every ``SETTINGS`` entry.
        given: The logins, where the environment holds them.
    """

    name: str
    project: Path
    home: Path
    cache: Path
    host: str
    listen: str
    supervised: bool
    trust: Path
    first_port: int
    settings: Mapping[str, str] = field(repr=False)
    given: Credentials | None = field(default=None, repr=False)
    bucket: str = "lake"
    region: str = "us-east-1"

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, **overrides: str) -> Profile:
        """Read the environment once.

        Args:
            environment: Variables to read instead of the process's own.
            overrides: Settings that win over the environment, by variable name.

        Raises:
            ConfigError: A variable's text is not usable.
        """
        given = {**(os.environ if environment is None else environment), **overrides}  # noqa: TID251 - the only reader
        settings = {entry.name: given.get(entry.name) or entry.default for entry in SETTINGS}
        _check(settings)
        place = _PLACES[settings["HEADWATER_PROFILE"]]
        project = _find_project(Path(settings["HEADWATER_PROJECT"]))
        home = Path(settings["HEADWATER_HOME"] or project / ".headwater").expanduser().absolute()
        cache = Path(settings["HEADWATER_CACHE"] or _user_cache(given)).expanduser().absolute()
        _check_folder("HEADWATER_HOME", home)
        _check_folder("HEADWATER_CACHE", cache)
        return cls(
            name=settings["HEADWATER_PROFILE"],
            project=project,
            home=home,
            cache=cache,
            host="127.0.0.1",
            listen=place.listen,
            supervised=place.supervised,
            trust=home / place.trust,
            first_port=int(settings["HEADWATER_PORT"]),
            settings=settings,
            given=given_credentials(given) if place.given_credentials else None,
        )

    def port(self, name: str) -> int:
        """Return the port of one of ``PORTS``."""
        return self.first_port + PORTS.index(name)

    def host_of(self, name: str) -> str:
        """Return the host at which other components reach one of ``PORTS``."""
        return _PLACES[self.name].host.format(service=_SERVICES.get(name, name))

    def address(self, name: str) -> str:
        """Return ``host:port`` at which other components reach one of ``PORTS``."""
        return f"{self.host_of(name)}:{self.port(name)}"

    def public_address(self, name: str) -> str:
        """Return ``host:port`` at which people reach one of ``PORTS``, from a browser on this machine."""
        return f"{self.host}:{self.port(name)}"

    def listening(self, name: str) -> str:
        """Return ``address:port`` that the component of one of ``PORTS`` listens on."""
        return f"{self.listen}:{self.port(name)}"

    def names(self, name: str) -> tuple[str, ...]:
        """Return every host by which people and components call one of ``PORTS``."""
        return tuple(dict.fromkeys((self.host, "localhost", self.host_of(name))))

    def setting(self, name: str) -> str:
        """Return the text of a setting."""
        return self.settings[name]

    @cached_property
    def credentials(self) -> Credentials:
        """The logins: of the environment, or of the box, made at its first start.

        Raises:
            ConfigError: The box has never been started.
        """
        return read_credentials(self.home) if self.given is None else self.given

    def ensure_home(self) -> None:
        """Make the home, and the logins that are missing where the box keeps them.

        Raises:
            ConfigError: The folder cannot be written.
        """
        if self.given is None:
            ensure_credentials(self.home)
            return
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(f"{self.home} cannot be made: {error.strerror}. Set HEADWATER_HOME.") from error

    @property
    def credentials_path(self) -> Path:
        """The file with the logins; it is there from the box's first start on."""
        return self.home / CREDENTIALS_FILE

    def environment(self) -> dict[str, str]:
        """Return the variables under which a child process loads this same profile; it inherits given logins."""
        return {
            **self.settings,
            "HEADWATER_PROJECT": str(self.project),
            "HEADWATER_HOME": str(self.home),
            "HEADWATER_CACHE": str(self.cache),
        }


def inherited_env(**extra: str) -> dict[str, str]:
    """Return this process's environment with additions, for a child process."""
    return {**os.environ, **extra}  # noqa: TID251


def _check(settings: Mapping[str, str]) -> None:
    if settings["HEADWATER_PROFILE"] not in _PLACES:
        known = " and ".join(map(repr, _PLACES))
        raise ConfigError(f"HEADWATER_PROFILE is {settings['HEADWATER_PROFILE']!r}, but there is only {known}.")
    for name in (
        "HEADWATER_PORT",
        "HEADWATER_FETCH_JOBS",
        "HEADWATER_DAGSTER_RUNS",
        "HEADWATER_START_TIMEOUT",
        "HEADWATER_LEASE",
    ):
        if not settings[name].isdigit() or int(settings[name]) < 1:
            raise ConfigError(f"{name} is {settings[name]!r}; give a whole number above 0.")
    if not 1024 <= int(settings["HEADWATER_PORT"]) <= 65535 - len(PORTS):  # noqa: PLR2004
        raise ConfigError(f"HEADWATER_PORT is {settings['HEADWATER_PORT']}; give 1024 to {65535 - len(PORTS)}.")
    for entry in SETTINGS:
        if entry.name.endswith(("_HEAP", "_MEMORY")) and not _MEMORY.match(settings[entry.name]):
            raise ConfigError(f"{entry.name} is {settings[entry.name]!r}; give a size such as 800m or 2g.")


def _check_folder(name: str, folder: Path) -> None:
    """Refuse what is no folder and cannot become one."""
    there = next(one for one in (folder, *folder.parents) if os.path.lexists(one))
    if not there.is_dir():
        kind = "a link to nothing" if there.is_symlink() and not there.exists() else "a file"
        raise ConfigError(f"{name} is {folder}, but {there} is {kind}; give a folder.")


def _find_project(start: Path) -> Path:
    here = start.expanduser().absolute().resolve()
    if not here.is_dir():
        raise ConfigError(f"HEADWATER_PROJECT is {start}, which is not a folder; give the folder with {PROJECT_FILE}.")
    return next((folder for folder in (here, *here.parents) if (folder / PROJECT_FILE).is_file()), here)


def _user_cache(given: Mapping[str, str]) -> Path:
    base = given.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "headwater"


def read_project(project: Path) -> Mapping[str, object]:
    """Return what ``headwater.toml`` says, empty when there is none.

    Raises:
        ConfigError: The file is not valid TOML.
    """
    path = project / PROJECT_FILE
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Correct that line.") from error
