"""What clients outside the box need to reach it: addresses and logins as variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.box.components.spark import connect_url
from headwater.box.components.tls import ca_path

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["client_variables"]


def client_variables(profile: Profile) -> dict[str, str]:
    """Return the variables that stock clients read, and the box's addresses and logins.

    AWS clients find MinIO by them; the Trino CLI reads ``TRINO_PASSWORD``; psql reads ``PGUSER`` and friends.
    """
    logins, store = profile.credentials, profile.store
    lake = {
        "AWS_ACCESS_KEY_ID": store.access_key,
        "AWS_SECRET_ACCESS_KEY": store.secret_key,
        "AWS_DEFAULT_REGION": store.region,
        "AWS_ENDPOINT_URL_S3": store.endpoint,
    }
    return {
        **{name: text for name, text in lake.items() if text},
        "TRINO_SERVER": f"https://{profile.address('trino-tls')}",
        "TRINO_USER": logins.user("trino"),
        "TRINO_PASSWORD": logins.password("trino"),
        "TRINO_CA": str(ca_path(profile)),
        "SPARK_REMOTE": connect_url(profile),
        "SUPERSET_URL": f"http://{profile.address('superset')}",
        "SUPERSET_USER": logins.user("superset"),
        "SUPERSET_PASSWORD": logins.password("superset"),
        "PGHOST": profile.host_of("postgres"),
        "PGPORT": str(profile.port("postgres")),
        "PGUSER": logins.user("postgres"),
        "PGPASSWORD": logins.password("postgres"),
    }
