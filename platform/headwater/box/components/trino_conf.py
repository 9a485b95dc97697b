"""The files that Trino starts with, coordinator and workers."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from headwater.box.components.java import megabytes
from headwater.box.components.render import properties
from headwater.box.components.tls import ensure_certificates
from headwater.errors import ConfigError

if TYPE_CHECKING:
    from headwater.box.component import Box
    from headwater.profile import Profile

__all__ = ["write_configuration"]

_LOGINS = ("trino", "trino-superset", "trino-reader")
# Passwords of the box are 24 random bytes: a slow hash guards nothing, and every request pays for it.
_BCRYPT_COST = 8
_FEW_CORES = 2


def write_configuration(box: Box, role: str) -> None:
    """Write the files that a role of Trino starts with.

    Raises:
        ConfigError: A worker does not know the address that others reach it by.
    """
    conf = box.conf("trino")
    files: dict[str, dict[str, object]] = {
        "config.properties": _worker(box) if role == "worker" else _coordinator(box),
        "log.properties": {"io.trino": "INFO", "io.airlift": "WARN", "Bootstrap": "WARN", "org.apache": "WARN"},
        "access-control.properties": {
            "access-control.name": "file",
            "security.config-file": conf / "rules.json",
        },
        **({} if role == "worker" else _for_clients(box)),
        "catalog/iceberg.properties": _iceberg(box.profile),
        "catalog/hive.properties": _hive(box.profile),
        "catalog/tpch.properties": {"connector.name": "tpch"},
    }
    for name, values in files.items():
        box.write_conf("trino", name, properties(values))
    if role != "worker":
        box.write_conf("trino", "passwords", _passwords(box.profile))
    box.write_conf("trino", "rules.json", json.dumps(_rules(box.profile), indent=1))


def _for_clients(box: Box) -> dict[str, dict[str, object]]:
    authenticator = {"password-authenticator.name": "file", "file.password-file": box.conf("trino") / "passwords"}
    return {
        "password-authenticator.properties": authenticator,
        "lineage.properties": _lineage(box.profile),
        "queries.properties": _queries(box.profile),
    }


def _node(box: Box, address: str) -> dict[str, object]:
    profile, heap = box.profile, megabytes(box.profile.setting("HEADWATER_TRINO_HEAP"))
    return {
        "node.environment": "headwater",
        "node.internal-address": address,
        "node.bind-ip": profile.listen,
        "plugin.dir": box.runtimes.path("trino") / "plugin",
        "catalog.config-dir": box.conf("trino") / "catalog",
        "internal-communication.shared-secret": profile.credentials.password("trino-secret"),
        # Without TLS only Trino talks to itself: over HTTP it would take any name without a password.
        "http-server.http.port": profile.port("trino"),
        "http-server.log.enabled": "false",
        "access-control.config-files": box.conf("trino") / "access-control.properties",
        "query.max-memory-per-node": f"{heap * 45 // 100}MB",
        "memory.heap-headroom-per-node": f"{heap // 4}MB",
        "catalog.management": "static",
        **_drivers(),
    }


def _coordinator(box: Box) -> dict[str, object]:
    profile, conf = box.profile, box.conf("trino")
    heap, workers = megabytes(profile.setting("HEADWATER_TRINO_HEAP")), int(profile.setting("HEADWATER_TRINO_WORKERS"))
    # Its service leads to it only when it is ready, and it is only when it has found itself.
    address = profile.setting("HEADWATER_ADDRESS") or profile.host_of("trino")
    return {
        "node.id": "headwater",
        **_node(box, address),
        "coordinator": "true",
        "node-scheduler.include-coordinator": str(not workers).lower(),
        "discovery.uri": f"http://{address}:{profile.port('trino')}",
        "http-server.https.enabled": "true",
        "http-server.https.port": profile.port("trino-tls"),
        "http-server.https.keystore.path": _certificate(box),
        "http-server.authentication.type": "PASSWORD",
        "http-server.authentication.allow-insecure-over-http": "false",
        "password-authenticator.config-files": conf / "password-authenticator.properties",
        "event-listener.config-files": f"{conf / 'lineage.properties'},{conf / 'queries.properties'}",
        "sql.default-catalog": "iceberg",
        "query.max-memory": f"{heap * 45 // 100 * max(workers, 1)}MB",
        "query.max-history": "50",
        "query.min-expire-age": "5m",
        "query.client.timeout": "5m",
    }


def _worker(box: Box) -> dict[str, object]:
    address = box.profile.setting("HEADWATER_ADDRESS")
    if not address:
        raise ConfigError("A worker of Trino is called by its own address; set HEADWATER_ADDRESS to that.")
    return {
        "node.id": "worker-" + re.sub(r"[^A-Za-z0-9]", "-", address),
        **_node(box, address),
        "coordinator": "false",
        "discovery.uri": f"http://{box.profile.address('trino')}",
        # How long the coordinator may take to see that it leaves; Trino waits that long twice.
        "shutdown.grace-period": "15s",
    }


def _certificate(box: Box) -> Path:
    """Return the file with Trino's key and certificate: the box's own, or of what somebody else gives."""
    given = box.profile.setting("HEADWATER_TLS")
    if not given:
        return ensure_certificates(box.profile)
    try:
        text = "".join((Path(given) / name).read_text(encoding="ascii") for name in ("tls.key", "tls.crt"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"HEADWATER_TLS is {given}, but it has no tls.key and tls.crt to read: {error}.") from error
    return box.write_conf("trino", "server.pem", text)


def _drivers() -> dict[str, object]:
    """On so few cores a second driver of the same operator only adds an exchange between the two."""
    return {"task.concurrency": 1} if len(os.sched_getaffinity(0)) <= _FEW_CORES else {}


def _lineage(profile: Profile) -> dict[str, object]:
    """Whatever changes tables is told to the catalog, SQL that people type too; it goes on without a catalog."""
    return {
        "event-listener.name": "openlineage",
        "openlineage-event-listener.trino.uri": f"https://{profile.address('trino-tls')}",
        "openlineage-event-listener.transport.type": "HTTP",
        "openlineage-event-listener.transport.url": f"http://{profile.address('catalog')}",
        "openlineage-event-listener.transport.api-key": profile.credentials.password("catalog"),
        "openlineage-event-listener.transport.timeout": "5000ms",
        # The plan of every query is large, and nobody asks for it here.
        "openlineage-event-listener.disabled-facets": "TRINO_METADATA,TRINO_QUERY_STATISTICS",
    }


def _queries(profile: Profile) -> dict[str, object]:
    """Who reads what is told, too: lineage events of this version name nobody."""
    return {
        "event-listener.name": "http",
        "http-event-listener.log-completed": "true",
        "http-event-listener.connect-ingest-uri": f"http://{profile.address('catalog')}/api/v1/queries",
        "http-event-listener.connect-http-headers": f"Authorization: Bearer {profile.credentials.password('catalog')}",
        "http-event-listener.connect-retry-count": "3",
        "http-event-listener.connect-retry-delay": "1s",
        "http-event-listener.http-client.connect-timeout": "1s",
        "http-event-listener.http-client.request-timeout": "5s",
    }


def _store(profile: Profile) -> dict[str, object]:
    store = profile.store
    place = {"s3.endpoint": store.endpoint, "s3.path-style-access": "true"}
    keys = {"s3.aws-access-key": store.access_key, "s3.aws-secret-key": store.secret_key}
    return {
        "hive.metastore.uri": f"thrift://{profile.address('metastore')}",
        "fs.native-s3.enabled": "true",
        "s3.region": store.region,
        **(place if store.endpoint else {}),
        **(keys if store.access_key else {}),
    }


def _iceberg(profile: Profile) -> dict[str, object]:
    return {
        "connector.name": "iceberg",
        "iceberg.catalog.type": "hive_metastore",
        "iceberg.hive-catalog-name": "hive",
        "iceberg.register-table-procedure.enabled": "true",
        # A dropped table's folder may linger; a new table of that name gets its own.
        "iceberg.unique-table-location": "true",
        "iceberg.max-partitions-per-writer": "1000",
        **_store(profile),
    }


def _hive(profile: Profile) -> dict[str, object]:
    return {
        "connector.name": "hive",
        "hive.iceberg-catalog-name": "iceberg",
        "hive.non-managed-table-writes-enabled": "true",
        **_store(profile),
    }


def _rules(profile: Profile) -> dict[str, object]:
    """Dashboards and assistants read and write nothing, so their logins may not, nor see what others ask."""
    owner = profile.credentials.user("trino")
    readers = "|".join(profile.credentials.user(login) for login in ("trino-superset", "trino-reader"))
    return {
        "catalogs": [
            {"user": readers, "catalog": "hive|iceberg|system|tpch", "allow": "read-only"},
            {"user": owner, "allow": "all"},
        ],
        "queries": [{"user": owner, "allow": ["execute", "kill", "view"]}, {"allow": ["execute"]}],
        "system_information": [{"user": owner, "allow": ["read", "write"]}],
    }


def _passwords(profile: Profile) -> str:
    from bcrypt import gensalt, hashpw  # noqa: PLC0415 - only Trino's start needs it

    rows = []
    for login in _LOGINS:
        secret = profile.credentials.password(login).encode()
        hashed = hashpw(secret, gensalt(_BCRYPT_COST)).decode()
        # Trino takes the same hash only under the name that htpasswd gives it.
        rows.append(f"{profile.credentials.user(login)}:{hashed.replace('$2b$', '$2y$', 1)}\n")
    return "".join(rows)
