"""From a profile to the things it describes: the one place that chooses adapters."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headwater.engines.athena import AthenaEngine
from headwater.engines.connection import athena_connection, trino_connection
from headwater.engines.emr import EmrSparkEngine
from headwater.engines.spark import SparkEngine
from headwater.engines.trino import TrinoEngine
from headwater.errors import ConfigError
from headwater.metastores.glue import GlueMetastore
from headwater.metastores.hive import HiveMetastore
from headwater.storage import S3Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from headwater.engines.base import Engine
    from headwater.engines.connection import Connection
    from headwater.metastores.base import Metastore
    from headwater.profile import Profile, Store
    from headwater.storage import Storage

__all__ = ["Stack"]

# What the readers' work group is called, after the writers'.
_READER = "-reader"


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Storage, metastore and engines of one profile. Building one connects to nothing.

    Args:
        profile: Where everything is.
        storage: The object store.
        metastore: The register of tables.
        engines: What computes, by name.
    """

    profile: Profile
    storage: Storage
    metastore: Metastore
    engines: Mapping[str, Engine]

    @classmethod
    def build(cls, profile: Profile) -> Stack:
        """Choose and configure the adapters of a profile.

        Raises:
            ConfigError: The box has never been started.
        """
        return _ADAPTERS[profile.adapters].build(profile)

    @staticmethod
    def connection(profile: Profile) -> Connection:
        """Return how dashboards reach a profile's lake; that takes none of the logins that its adapters have."""
        return _ADAPTERS[profile.adapters].connection(profile)

    def reader(self, *, seconds: int, scanned: str) -> Engine:
        """Return the engine of queries as a login that may only read, within bounds.

        Args:
            seconds: How long a statement may take.
            scanned: How much it may read, e.g. ``4GB``.
        """
        return _ADAPTERS[self.profile.adapters].reader(self.profile, seconds=seconds, scanned=scanned)

    def engine(self, name: str) -> Engine:
        """Return an engine by name.

        Raises:
            ConfigError: This profile has none of that name.
        """
        if name not in self.engines:
            raise ConfigError(f"There is no engine {name!r} here; there are {', '.join(sorted(self.engines))}.")
        return self.engines[name]


class _Adapters(ABC):
    """What a profile's lake, metastore and engines are."""

    @abstractmethod
    def build(self, profile: Profile) -> Stack:
        """Return the adapters of a profile."""

    @abstractmethod
    def reader(self, profile: Profile, *, seconds: int, scanned: str) -> Engine:
        """Return the engine of bounded queries that only read."""

    @abstractmethod
    def connection(self, profile: Profile) -> Connection:
        """Return how dashboards reach the lake."""


class _Box(_Adapters):
    def build(self, profile: Profile) -> Stack:
        return Stack(
            profile=profile,
            storage=_storage(profile.store),
            metastore=HiveMetastore(
                host=profile.host_of("metastore"), port=profile.port("metastore"), files=_files(profile.store)
            ),
            engines=_Engines({"spark": lambda: _spark(profile), "trino": lambda: _trino(profile, "trino")}),
        )

    def reader(self, profile: Profile, *, seconds: int, scanned: str) -> Engine:
        bounds = {"query_max_run_time": f"{seconds}s", "query_max_scan_physical_bytes": scanned}
        return _trino(profile, "trino-reader", bounds)

    def connection(self, profile: Profile) -> Connection:
        def login() -> tuple[str, str]:
            logins = profile.credentials
            return logins.user("trino-superset"), logins.password("trino-superset")

        return trino_connection(profile.address("trino-tls"), login, profile.trust / "ca.pem")


class _Aws(_Adapters):
    """Keys, endpoints and proxies are the AWS clients' own."""

    def build(self, profile: Profile) -> Stack:
        return Stack(
            profile=profile,
            storage=_storage(profile.store),
            metastore=GlueMetastore(region=profile.region, files=_files(profile.store)),
            # By the dialect that a definition names, so that it runs here untouched.
            engines=_Engines({"spark": lambda: _emr(profile), "trino": lambda: _athena(profile)}),
        )

    def reader(self, profile: Profile, *, seconds: int, scanned: str) -> Engine:
        return replace(_athena(profile, _READER), seconds=seconds, most_scanned=scanned)

    def connection(self, profile: Profile) -> Connection:
        return athena_connection(
            profile.bucket,
            region=profile.region,
            work_group=profile.setting("HEADWATER_ATHENA_WORKGROUP") + _READER,
            reuse_minutes=int(profile.setting("HEADWATER_ATHENA_REUSE")),
        )


_ADAPTERS: Mapping[str, _Adapters] = {"box": _Box(), "aws": _Aws()}


def _storage(store: Store) -> Storage:
    return S3Storage(
        endpoint=store.endpoint, region=store.region, access_key=store.access_key, secret_key=store.secret_key
    )


def _files(store: Store) -> dict[str, str]:
    """Return how PyIceberg reaches the store; without an endpoint or keys it looks for them as Amazon's clients do."""
    given = {
        "s3.endpoint": store.endpoint,
        "s3.region": store.region,
        "s3.access-key-id": store.access_key,
        "s3.secret-access-key": store.secret_key,
    }
    return {
        **{name: text for name, text in given.items() if text},
        "s3.connect-timeout": "10",
        "s3.request-timeout": "60",
    }


class _Engines(Mapping[str, "Engine"]):
    """Engines by name, each made when it is first asked for: a process needs the logins of those alone that it uses."""

    def __init__(self, makers: Mapping[str, Callable[[], Engine]]) -> None:
        self._makers = makers
        self._made: dict[str, Engine] = {}

    def __getitem__(self, name: str) -> Engine:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _spark(profile: Profile) -> Engine:
    token = profile.credentials.password("spark")
    return SparkEngine(host=profile.host_of("spark"), port=profile.port("spark"), token=token)


def _emr(profile: Profile) -> Engine:
    return EmrSparkEngine(
        region=profile.region,
        application=profile.setting("HEADWATER_EMR_APPLICATION"),
        role=profile.setting("HEADWATER_EMR_ROLE"),
        bucket=profile.bucket,
        idle_minutes=int(profile.setting("HEADWATER_EMR_IDLE")),
    )


def _athena(profile: Profile, suffix: str = "") -> AthenaEngine:
    return AthenaEngine(
        region=profile.region,
        work_group=profile.setting("HEADWATER_ATHENA_WORKGROUP") + suffix,
        reuse_minutes=int(profile.setting("HEADWATER_ATHENA_REUSE")),
    )


def _trino(profile: Profile, login: str, bounds: Mapping[str, str] | None = None) -> Engine:
    return TrinoEngine(
        host=profile.host_of("trino-tls"),
        port=profile.port("trino-tls"),
        user=profile.credentials.user(login),
        password=profile.credentials.password(login),
        ca=profile.trust / "ca.pem",
        bounds=bounds or {},
    )
