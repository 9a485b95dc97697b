"""What a user may set, and what of it cannot be. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from headwater.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["AWS", "PROJECT_FILE", "SETTINGS", "Setting", "check", "public_urls"]

PROJECT_FILE = "headwater.toml"
# In HEADWATER_S3: Amazon's own store.
AWS = "aws"

_MEMORY = re.compile(r"^[1-9][0-9]*[mg]$")
_BUCKET = re.compile(r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")
# Athena's own limit, in minutes: a week.
_LONGEST_REUSE = 10080
_HOST_AND_PORT = re.compile(r"^[\w.-]+:[0-9]{1,5}$")
_SSL_MODES = ("disable", "require", "verify-full")


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
    Setting("HEADWATER_PROFILE", "local", "where everything is: local, compose, kubernetes, aws, or eks"),
    Setting("HEADWATER_PROJECT", ".", f"the folder that holds {PROJECT_FILE}; searched upwards from here"),
    Setting("HEADWATER_HOME", "", "everything the box keeps; .headwater (.headwater-aws) in the project when empty"),
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
    Setting("HEADWATER_ATHENA_WORKGROUP", "headwater", "work group of Athena; queries of readers run in NAME-reader"),
    Setting("HEADWATER_ATHENA_REUSE", "0", "minutes that Athena may answer a repeated query from its last result"),
    Setting("HEADWATER_GLUE_LOOK", "10", "seconds between the catalog's looks at Glue, which tells of no change"),
    Setting("HEADWATER_EMR_APPLICATION", "", "id of the EMR Serverless application that runs Spark under aws"),
    Setting("HEADWATER_EMR_ROLE", "", "ARN of the role that Spark has there"),
    Setting("HEADWATER_EMR_IDLE", "15", "minutes that Spark waits there for more work"),
    Setting("HEADWATER_DAGSTER_RUNS", "2", "runs at once"),
    Setting("HEADWATER_START_TIMEOUT", "180", "seconds a component may take from its start until it is ready"),
    Setting("HEADWATER_LEASE", "60", "seconds without a sign of life after which a write counts as dead"),
    Setting("HEADWATER_MAINTAIN", "30 3 * * *", "when the lake is maintained, as a cron line in UTC; off for never"),
    Setting("HEADWATER_ALERT_WEBHOOK", "", "URL that gets failure and freshness alerts as JSON"),
    Setting("HEADWATER_ALERT_EMAIL", "", "address that gets failure and freshness alerts"),
    Setting("HEADWATER_SMTP_URL", "", "smtp[s]://user:password@host:port that sends those e-mails"),
    Setting("HEADWATER_URLS", "", "where people reach pages behind a proxy: catalog=https://..., dagster=..., ..."),
    Setting(
        "HEADWATER_SUPERSET", "", "URL of a Superset elsewhere that dashboards go to; the profile's own when empty"
    ),
    Setting("HEADWATER_POSTGRES", "", "host:port of a PostgreSQL that is not the box's own"),
    Setting("HEADWATER_POSTGRES_SSLMODE", "disable", "TLS to PostgreSQL: disable, require, or verify-full"),
    Setting("HEADWATER_POSTGRES_CA", "", "file with the authority that verify-full checks PostgreSQL against"),
    Setting("HEADWATER_S3", "", "URL of an object store that is not the box's own, or aws for Amazon's"),
    Setting("HEADWATER_BUCKET", "lake", "the lake's bucket; under aws it has no default"),
    Setting("HEADWATER_REGION", "us-east-1", "the object store's region"),
    Setting("HEADWATER_TLS", "", "folder with tls.crt and tls.key that Trino shows; made by the box when empty"),
    Setting("HEADWATER_TRINO_WORKERS", "0", "workers beside Trino's coordinator, which then takes no part of queries"),
    Setting("HEADWATER_ADDRESS", "", "address of this pod, by which processes of the same kind reach it"),
    Setting("HEADWATER_RELEASE", "headwater", "the chart's release, with which services' names begin on Kubernetes"),
    Setting("HEADWATER_NAMESPACE", "default", "the Kubernetes namespace that runs and executors start in"),
    Setting("HEADWATER_RUN_POD", "", "file with what pods of Dagster's runs are like; without, runs are processes"),
    Setting("HEADWATER_SPARK_POD", "", "file with what pods of Spark's executors are like; without, there are none"),
    Setting("HEADWATER_SPARK_EXECUTORS", "4", "executors at most"),
    Setting("HEADWATER_SPARK_EXECUTOR_HEAP", "1g", "heap of an executor"),
    Setting("HEADWATER_SPARK_EXECUTOR_CORES", "1", "cores of an executor"),
)


def check(settings: Mapping[str, str], profiles: Collection[str], ports: Collection[str]) -> None:
    """Refuse what no component could use.

    Args:
        settings: The text of every setting.
        profiles: Those that there are.
        ports: The names of the block's.

    Raises:
        ConfigError: A setting's text is not usable.
    """
    if settings["HEADWATER_PROFILE"] not in profiles:
        known = ", ".join(map(repr, profiles))
        raise ConfigError(f"HEADWATER_PROFILE is {settings['HEADWATER_PROFILE']!r}, but there is only {known}.")
    for name in (
        "HEADWATER_PORT",
        "HEADWATER_FETCH_JOBS",
        "HEADWATER_DAGSTER_RUNS",
        "HEADWATER_START_TIMEOUT",
        "HEADWATER_LEASE",
        "HEADWATER_GLUE_LOOK",
        "HEADWATER_EMR_IDLE",
        "HEADWATER_SPARK_EXECUTORS",
        "HEADWATER_SPARK_EXECUTOR_CORES",
    ):
        if not settings[name].isdigit() or int(settings[name]) < 1:
            raise ConfigError(f"{name} is {settings[name]!r}; give a whole number above 0.")
    if not 1024 <= int(settings["HEADWATER_PORT"]) <= 65535 - len(ports):  # noqa: PLR2004
        raise ConfigError(f"HEADWATER_PORT is {settings['HEADWATER_PORT']}; give 1024 to {65535 - len(ports)}.")
    for entry in SETTINGS:
        if entry.name.endswith(("_HEAP", "_MEMORY")) and not _MEMORY.match(settings[entry.name]):
            raise ConfigError(f"{entry.name} is {settings[entry.name]!r}; give a size such as 800m or 2g.")
    if not settings["HEADWATER_TRINO_WORKERS"].isdigit():
        raise ConfigError(f"HEADWATER_TRINO_WORKERS is {settings['HEADWATER_TRINO_WORKERS']!r}; give a whole number.")
    _check_elsewhere(settings)
    _check_aws(settings)
    public_urls(settings, ports)


def _check_aws(settings: Mapping[str, str]) -> None:
    bucket, reuse = settings["HEADWATER_BUCKET"], settings["HEADWATER_ATHENA_REUSE"]
    if not _BUCKET.match(bucket):
        raise ConfigError(
            f"HEADWATER_BUCKET is {bucket!r}; give 3 to 63 lower-case letters, digits, dots and dashes, without s3://."
        )
    if not reuse.isdigit() or int(reuse) > _LONGEST_REUSE:
        raise ConfigError(f"HEADWATER_ATHENA_REUSE is {reuse!r}; give 0 to {_LONGEST_REUSE} minutes.")


def _check_elsewhere(settings: Mapping[str, str]) -> None:
    postgres, mode = settings["HEADWATER_POSTGRES"], settings["HEADWATER_POSTGRES_SSLMODE"]
    if postgres and not _HOST_AND_PORT.match(postgres):
        raise ConfigError(f"HEADWATER_POSTGRES is {postgres!r}; give a host and port such as db.example.com:5432.")
    if mode not in _SSL_MODES:
        raise ConfigError(f"HEADWATER_POSTGRES_SSLMODE is {mode!r}; give {', '.join(_SSL_MODES)}.")
    if mode == "verify-full" and not settings["HEADWATER_POSTGRES_CA"]:
        raise ConfigError("HEADWATER_POSTGRES_SSLMODE is verify-full; set HEADWATER_POSTGRES_CA, too.")
    superset = settings["HEADWATER_SUPERSET"]
    if superset and (urlsplit(superset).scheme not in ("http", "https") or not urlsplit(superset).hostname):
        raise ConfigError(f"HEADWATER_SUPERSET is {superset!r}; give a URL such as https://superset.example.com.")
    store = settings["HEADWATER_S3"]
    if store and store != AWS and urlsplit(store).scheme not in ("http", "https"):
        raise ConfigError(f"HEADWATER_S3 is {store!r}; give aws, or a URL such as https://s3.example.com.")


def public_urls(settings: Mapping[str, str], ports: Collection[str]) -> Mapping[str, str]:
    """Return the public addresses that were given, by port.

    Raises:
        ConfigError: One is not ``name=url``.
    """
    found: dict[str, str] = {}
    for text in filter(None, settings["HEADWATER_URLS"].split(",")):
        name, _, url = text.strip().partition("=")
        if name not in ports or urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise ConfigError(f"HEADWATER_URLS has {text.strip()!r}; give it as catalog=https://catalog.example.com.")
        found[name] = url.rstrip("/")
    return found
