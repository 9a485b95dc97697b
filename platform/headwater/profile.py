"""The one reader of the environment: a frozen description of where everything is.

Nothing else in Headwater looks at environment variables or asks which profile it runs under.
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headwater._places import PLACES
from headwater._settings import AWS, PROJECT_FILE, SETTINGS, Setting, check, public_urls
from headwater.credentials import CREDENTIALS_FILE, Credentials, ensure_credentials, given_credentials, read_credentials
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater._places import Place

__all__ = ["PORTS", "PROJECT_FILE", "SETTINGS", "Profile", "Setting", "Store", "inherited_env", "service_of"]

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
    "aws-api-spark",  # clients of its Spark sessions
)


# The services behind those ports that do not have a port's own name.
_SERVICES = {
    "trino-tls": "trino",
    "minio-console": "minio",
    "spark-ui": "spark",
    "spark-driver": "spark",
    "spark-blocks": "spark",
    "aws-api-spark": "aws-api",
}


@dataclass(frozen=True, kw_only=True)
class Store:
    """The object store, as clients need it described.

    Args:
        endpoint: Its URL; empty for Amazon's own.
        region: The region that signatures name.
        bucket: The lake's.
        access_key: Empty where the process has a role of its own.
        secret_key: Belongs to the access key.
        own: Headwater runs it, and makes the bucket.
    """

    endpoint: str
    region: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    own: bool


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
        within: A service that is called by loopback, as its own probe does.
        adapters: What the lake, the metastore and the engines are; ``stack.py`` knows them.
        followed: The object store that the AWS clients' own variables lead to, where these count.
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
    within: str = ""
    adapters: str = "box"
    followed: Store | None = field(default=None, repr=False)

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
        check(settings, PLACES, PORTS)
        place = PLACES[settings["HEADWATER_PROFILE"]]
        _check_wanted(place, settings["HEADWATER_PROFILE"], given)
        project = _find_project(Path(settings["HEADWATER_PROJECT"]))
        home = Path(settings["HEADWATER_HOME"] or project / place.home).expanduser().absolute()
        cache = Path(settings["HEADWATER_CACHE"] or _user_cache(given)).expanduser().absolute()
        _check_folder("HEADWATER_HOME", home)
        _check_folder("HEADWATER_CACHE", cache)
        logins = given_credentials(given) if place.given_credentials else None
        return cls(
            name=settings["HEADWATER_PROFILE"],
            project=project,
            home=home,
            cache=cache,
            host="127.0.0.1",
            listen=place.listen,
            supervised=place.supervised and not (logins and logins.logins),
            trust=home / place.trust,
            first_port=int(settings["HEADWATER_PORT"]),
            settings=settings,
            given=logins,
            adapters=place.adapters,
            followed=_followed(given, settings["HEADWATER_BUCKET"]) if place.follows_aws else None,
        )

    @property
    def keeper(self) -> str:
        """Who starts, stops and shows components, and how, where no supervisor of Headwater's does."""
        return PLACES[self.name].keeper

    def port(self, name: str) -> int:
        """Return the port of one of ``PORTS``."""
        return int(self._elsewhere(name)[1] or self.first_port + PORTS.index(name))

    def host_of(self, name: str) -> str:
        """Return the host at which other components reach one of ``PORTS``."""
        service = service_of(name)
        if service == self.within:
            return self.host
        there = self._elsewhere(name)[0]
        return there or PLACES[self.name].host.format(service=service, release=self.settings["HEADWATER_RELEASE"])

    def _elsewhere(self, name: str) -> tuple[str, str]:
        """Return host and port of what Headwater does not run itself."""
        host, _, port = self.settings["HEADWATER_POSTGRES"].rpartition(":") if name == "postgres" else ("", "", "")
        return host, port

    def seen_from(self, name: str | None) -> Profile:
        """Return the profile as the process that listens on one of ``PORTS`` sees it: itself on loopback."""
        return self if name is None else replace(self, within=service_of(name))

    def address(self, name: str) -> str:
        """Return ``host:port`` at which other components reach one of ``PORTS``."""
        return f"{self.host_of(name)}:{self.port(name)}"

    def public_address(self, name: str) -> str:
        """Return ``host:port`` at which people reach one of ``PORTS``, from a browser on this machine."""
        return f"{self.host}:{self.port(name)}"

    def listening(self, name: str) -> str:
        """Return ``address:port`` that the component of one of ``PORTS`` listens on."""
        return f"{self.listen}:{self.port(name)}"

    def url(self, name: str) -> str:
        """Return the address at which people open the page of one of ``PORTS``."""
        scheme = "https" if name.endswith("-tls") else "http"
        here = f"{scheme}://{self.public_address(name)}"
        there = self.superset if name == "superset" and self.settings["HEADWATER_SUPERSET"] else here
        return public_urls(self.settings, PORTS).get(name, there)

    @property
    def superset(self) -> str:
        """The URL of the Superset that dashboards go to, as programs reach it."""
        return self.settings["HEADWATER_SUPERSET"].rstrip("/") or f"http://{self.address('superset')}"

    def names(self, name: str) -> tuple[str, ...]:
        """Return every host by which people and components call one of ``PORTS``."""
        public = urlsplit(self.url(name)).hostname or self.host
        return tuple(dict.fromkeys((self.host, "localhost", self.host_of(name), public)))

    @property
    def lake_elsewhere(self) -> bool:
        """Lake, metastore and engines are services of an account, so much works without a box."""
        return self.followed is not None

    @property
    def bucket(self) -> str:
        """The lake's bucket."""
        return self.settings["HEADWATER_BUCKET"]

    @property
    def region(self) -> str:
        """The object store's region; empty where the AWS clients' own configuration says."""
        return self.settings["HEADWATER_REGION"] if self.followed is None else self.followed.region

    @property
    def store(self) -> Store:
        """The object store with the login that this process has for it.

        Raises:
            ConfigError: It needs one, and none was given.
        """
        if self.followed is not None:
            return self.followed
        there = self.settings["HEADWATER_S3"]
        # Amazon's lets a process in by its role; every other store wants keys.
        keys = there != AWS or "minio" in self.credentials.logins
        return Store(
            endpoint="" if there == AWS else there or f"http://{self.address('minio')}",
            region=self.region,
            bucket=self.bucket,
            access_key=self.credentials.user("minio") if keys else "",
            secret_key=self.credentials.password("minio") if keys else "",
            own=not there,
        )

    @property
    def postgres_tls(self) -> Mapping[str, str]:
        """How clients of PostgreSQL protect the connection, in libpq's words, which Java's driver takes as well."""
        mode, authority = (self.settings[f"HEADWATER_POSTGRES_{what}"] for what in ("SSLMODE", "CA"))
        return {"sslmode": mode, **({"sslrootcert": authority} if authority else {})}

    @property
    def pages(self) -> dict[str, str]:
        """Addresses at which people look at what engines do, by name."""
        addresses = {name: self.url(name) for name in PORTS}
        return {name: page.format(**addresses) for name, page in PLACES[self.name].pages.items()}

    def setting(self, name: str) -> str:
        """Return the text of a setting."""
        return self.settings[name]

    @cached_property
    def credentials(self) -> Credentials:
        """The logins: of the environment, or of the box, made at its first start.

        Raises:
            ConfigError: The box has never been started.
        """
        if self.given is not None and (self.given.logins or not self.credentials_path.exists()):
            return self.given
        return read_credentials(self.home)

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


def service_of(port: str) -> str:
    """Return the name of the service behind one of ``PORTS``."""
    return _SERVICES.get(port, port)


def inherited_env(**extra: str) -> dict[str, str]:
    """Return this process's environment with additions, for a child process."""
    return {**os.environ, **extra}  # noqa: TID251


def _check_wanted(place: Place, profile: str, given: Mapping[str, str]) -> None:
    for name, advice in place.wants.items():
        if not given.get(name):
            raise ConfigError(f"{name} is not set, and the profile {profile} has no default for it; {advice}.")


def _followed(given: Mapping[str, str], bucket: str) -> Store:
    """Return the store that the AWS clients' variables lead to; what is empty is what these clients find themselves."""
    return Store(
        endpoint=given.get("AWS_ENDPOINT_URL_S3") or given.get("AWS_ENDPOINT_URL") or "",
        region=given.get("AWS_REGION") or given.get("AWS_DEFAULT_REGION") or "",
        bucket=bucket,
        access_key="",
        secret_key="",
        own=False,
    )


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
