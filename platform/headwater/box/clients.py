"""What clients outside the box need to reach it: addresses and logins as variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headwater.box.components.spark import connect_url
from headwater.box.components.tls import ca_path

if TYPE_CHECKING:
    from headwater.profile import Profile

__all__ = ["aws_variables", "client_variables"]

# As AWS clients name them in their variables.
_AWS_SERVICES = ("GLUE", "ATHENA", "EMR_SERVERLESS")


def aws_variables(profile: Profile) -> dict[str, str]:
    """Return the variables by which AWS clients find the box's services instead of AWS's, and its keys.

    Those of Glue, Athena and EMR Serverless answer once `headwater up aws-api` has started them.
    """
    store = profile.store
    given = {
        "AWS_ACCESS_KEY_ID": store.access_key,
        "AWS_SECRET_ACCESS_KEY": store.secret_key,
        "AWS_DEFAULT_REGION": store.region,
        "AWS_ENDPOINT_URL_S3": store.endpoint,
        **{f"AWS_ENDPOINT_URL_{service}": f"http://{profile.address('aws-api')}" for service in _AWS_SERVICES},
    }
    return {name: text for name, text in given.items() if text}


def client_variables(profile: Profile) -> dict[str, str]:
    """Return the variables that stock clients read, and the box's addresses and logins.

    AWS clients find MinIO by them; the Trino CLI reads ``TRINO_PASSWORD``; psql reads ``PGUSER`` and friends. Where the
    lake is in an account, the AWS clients' own configuration says what leads there.
    """
    logins = profile.credentials
    lake = {} if profile.lake_elsewhere else {**aws_variables(profile), **_lake_variables(profile)}
    return {
        **lake,
        "SUPERSET_URL": f"http://{profile.address('superset')}",
        "SUPERSET_USER": logins.user("superset"),
        "SUPERSET_PASSWORD": logins.password("superset"),
        "PGHOST": profile.host_of("postgres"),
        "PGPORT": str(profile.port("postgres")),
        "PGUSER": logins.user("postgres"),
        "PGPASSWORD": logins.password("postgres"),
    }


def _lake_variables(profile: Profile) -> dict[str, str]:
    logins = profile.credentials
    return {
        "TRINO_SERVER": f"https://{profile.address('trino-tls')}",
        "TRINO_USER": logins.user("trino"),
        "TRINO_PASSWORD": logins.password("trino"),
        "TRINO_CA": str(ca_path(profile)),
        "SPARK_REMOTE": connect_url(profile),
    }
