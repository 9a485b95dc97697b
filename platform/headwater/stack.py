"""From a profile to the things it describes: the one place that chooses adapters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from headwater.engines.spark import SparkEngine
from headwater.engines.trino import TrinoEngine
from headwater.errors import ConfigError
from headwater.metastores.hive import HiveMetastore
from headwater.storage import S3Storage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.engines.base import Engine
    from headwater.metastores.base import Metastore
    from headwater.profile import Profile
    from headwater.storage import Storage

__all__ = ["Stack"]


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
        logins = profile.credentials
        endpoint = f"http://{profile.address('minio')}"
        access_key, secret_key = logins.user("minio"), logins.password("minio")
        return cls(
            profile=profile,
            storage=S3Storage(endpoint=endpoint, region=profile.region, access_key=access_key, secret_key=secret_key),
            metastore=HiveMetastore(
                host=profile.host_of("metastore"),
                port=profile.port("metastore"),
                files={
                    "s3.endpoint": endpoint,
                    "s3.region": profile.region,
                    "s3.access-key-id": access_key,
                    "s3.secret-access-key": secret_key,
                    "s3.connect-timeout": "10",
                    "s3.request-timeout": "60",
                },
            ),
            engines={
                "spark": SparkEngine(
                    host=profile.host_of("spark"), port=profile.port("spark"), token=logins.password("spark")
                ),
                "trino": _trino(profile, "trino"),
            },
        )

    def reader(self, *, seconds: int, scanned: str) -> Engine:
        """Return the engine of queries as a login that may only read, within bounds.

        Args:
            seconds: How long a statement may take.
            scanned: How much it may read, e.g. ``4GB``.
        """
        bounds = {"query_max_run_time": f"{seconds}s", "query_max_scan_physical_bytes": scanned}
        return _trino(self.profile, "trino-reader", bounds)

    def engine(self, name: str) -> Engine:
        """Return an engine by name.

        Raises:
            ConfigError: This profile has none of that name.
        """
        if name not in self.engines:
            raise ConfigError(f"There is no engine {name!r} here; there are {', '.join(sorted(self.engines))}.")
        return self.engines[name]


def _trino(profile: Profile, login: str, bounds: Mapping[str, str] | None = None) -> Engine:
    return TrinoEngine(
        host=profile.host_of("trino-tls"),
        port=profile.port("trino-tls"),
        user=profile.credentials.user(login),
        password=profile.credentials.password(login),
        ca=profile.trust / "ca.pem",
        bounds=bounds or {},
    )
