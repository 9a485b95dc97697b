"""Trino: the engine for people's SQL, dashboards and light tables."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint
from headwater.box.components.folders import scratch
from headwater.box.components.java import FRUGAL_ENV, class_path, frugal, megabytes
from headwater.box.components.metastore import ensure_zones
from headwater.box.components.render import properties
from headwater.box.components.tls import ca_path, ensure_certificates
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.box.component import Box
    from headwater.profile import Profile

__all__ = ["TrinoComponent"]

_LOGINS = ("trino", "trino-superset", "trino-reader")
# Passwords of the box are 24 random bytes: a slow hash guards nothing, and every request pays for it.
_BCRYPT_COST = 8
_FEW_CORES = 2
_ROOMY_MEGABYTES = 2048


class TrinoComponent(Component):
    """One coordinator that is its own worker; every client comes over TLS with a password."""

    name = "trino"
    needs = ("metastore", "minio")
    runtimes = ("trino", "java25")
    calls: ClassVar = {MIGRATE: ("metastore",), "": ("metastore", "minio", "catalog")}
    hints = (
        Hint(
            r"Address already in use|Failed to bind",
            "another program listens on one of Trino's ports; `headwater doctor` names it.",
        ),
        Hint(r"OutOfMemoryError|Cannot allocate memory", "its heap is too small; raise HEADWATER_TRINO_HEAP."),
        Hint(
            r"Configuration property .* was not used|Invalid configuration property",
            "a setting does not fit this version of Trino; report it with this log.",
        ),
        Hint(r"file descriptor", "this user may open too few files; raise it with `ulimit -n 65536`."),
    )

    def migrate(self, box: Box) -> None:
        """Make the zones' databases and the certificate."""
        ensure_certificates(box.profile)
        ensure_zones(box.profile)

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Render the configuration and return the server's process."""
        home = box.runtimes.path("trino")
        _write_configuration(box)
        argv = [
            str(box.runtimes.path("java25") / "bin" / "java"),
            *frugal(
                box.profile.setting("HEADWATER_TRINO_HEAP"),
                metaspace="400m",
                code_cache="256m",
                collector=_collector(box.profile),
                scratch=scratch(box, "trino"),
            ),
            "-XX:-OmitStackTraceInFastThrow",
            "-XX:PerMethodRecompilationCutoff=10000",
            "-XX:PerBytecodeRecompilationCutoff=10000",
            "-Djdk.nio.maxCachedBufferSize=2000000",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            f"-Dconfig={box.conf('trino') / 'config.properties'}",
            f"-Dlog.levels-file={box.conf('trino') / 'log.properties'}",
            "-cp",
            class_path(home / "lib" / "*"),
            "io.trino.server.TrinoServer",
        ]
        return Command(argv, FRUGAL_ENV, cwd=box.data("trino"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """Run a query on the metastore's schemas with the box's login."""
        from trino.exceptions import Error, HttpError  # noqa: PLC0415 - slow to import

        try:
            with _connected(box.profile, timeout=10) as connection:
                cursor = connection.cursor()
                cursor.execute("SELECT count(*) FROM iceberg.information_schema.schemata")
                cursor.fetchall()
        except (Error, HttpError, OSError) as error:
            raise ComponentError(
                f"Trino at {box.profile.address('trino-tls')} did not run a query: {str(error)[:300]}; "
                "see `headwater logs trino`.",
            ) from error

    def version(self, box: Box) -> str:
        """Return the version in the lock file."""
        return box.runtimes.version("trino")

    def port(self, role: str) -> str | None:
        """Return the port that clients use."""
        return "trino-tls" if role == "" else None

    def url(self, box: Box, role: str) -> str | None:
        """Return the address of clients and of the page."""
        return f"https://{box.profile.public_address('trino-tls')}" if role == "" else None


@contextmanager
def _connected(profile: Profile, timeout: float) -> Iterator[Any]:
    from requests import Session  # noqa: PLC0415 - slow to import
    from trino.auth import BasicAuthentication  # noqa: PLC0415

    connect: Any = import_module("trino.dbapi").connect
    user = profile.credentials.user("trino")
    with Session() as session:
        # Otherwise a REQUESTS_CA_BUNDLE or a proxy of the user's would win over what is given here.
        session.trust_env = False
        session.verify = str(ca_path(profile))
        yield connect(
            host=profile.host_of("trino-tls"),
            port=profile.port("trino-tls"),
            http_scheme="https",
            http_session=session,
            user=user,
            auth=BasicAuthentication(user, profile.credentials.password("trino")),
            source="headwater-probe",
            request_timeout=timeout,
            max_attempts=1,
        )


def _write_configuration(box: Box) -> None:
    conf = box.conf("trino")
    files: dict[str, dict[str, object]] = {
        "config.properties": _server(box),
        "log.properties": {"io.trino": "INFO", "io.airlift": "WARN", "Bootstrap": "WARN", "org.apache": "WARN"},
        "password-authenticator.properties": {
            "password-authenticator.name": "file",
            "file.password-file": conf / "passwords",
        },
        "access-control.properties": {
            "access-control.name": "file",
            "security.config-file": conf / "rules.json",
        },
        "lineage.properties": _lineage(box.profile),
        "queries.properties": _queries(box.profile),
        "catalog/iceberg.properties": _iceberg(box.profile),
        "catalog/hive.properties": _hive(box.profile),
        "catalog/tpch.properties": {"connector.name": "tpch"},
    }
    for name, values in files.items():
        box.write_conf("trino", name, properties(values))
    box.write_conf("trino", "passwords", _passwords(box.profile))
    box.write_conf("trino", "rules.json", json.dumps(_rules(box.profile), indent=1))


def _server(box: Box) -> dict[str, object]:
    profile, conf = box.profile, box.conf("trino")
    heap = megabytes(profile.setting("HEADWATER_TRINO_HEAP"))
    return {
        "node.id": "headwater",
        "node.environment": "headwater",
        "node.internal-address": profile.host_of("trino"),
        "node.bind-ip": profile.listen,
        "plugin.dir": box.runtimes.path("trino") / "plugin",
        "catalog.config-dir": conf / "catalog",
        "coordinator": "true",
        "node-scheduler.include-coordinator": "true",
        "discovery.uri": f"http://{profile.address('trino')}",
        "internal-communication.shared-secret": profile.credentials.password("trino-secret"),
        # Without TLS only Trino talks to itself: over HTTP it would take any name without a password.
        "http-server.http.port": profile.port("trino"),
        "http-server.https.enabled": "true",
        "http-server.https.port": profile.port("trino-tls"),
        "http-server.https.keystore.path": ensure_certificates(profile),
        "http-server.authentication.type": "PASSWORD",
        "http-server.authentication.allow-insecure-over-http": "false",
        "http-server.log.enabled": "false",
        "password-authenticator.config-files": conf / "password-authenticator.properties",
        "access-control.config-files": conf / "access-control.properties",
        "event-listener.config-files": f"{conf / 'lineage.properties'},{conf / 'queries.properties'}",
        "sql.default-catalog": "iceberg",
        "query.max-memory": f"{heap * 45 // 100}MB",
        "query.max-memory-per-node": f"{heap * 45 // 100}MB",
        "memory.heap-headroom-per-node": f"{heap // 4}MB",
        "query.max-history": "50",
        "query.min-expire-age": "5m",
        "query.client.timeout": "5m",
        "catalog.management": "static",
        **_drivers(),
    }


def _collector(profile: Profile) -> str:
    """G1 costs every query about a fifth more, but writes large tables in a small heap, where the other runs out."""
    roomy = megabytes(profile.setting("HEADWATER_TRINO_HEAP")) >= _ROOMY_MEGABYTES
    return "UseParallelGC" if roomy else "UseG1GC"


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
    return {
        "hive.metastore.uri": f"thrift://{profile.address('metastore')}",
        "fs.native-s3.enabled": "true",
        "s3.endpoint": f"http://{profile.address('minio')}",
        "s3.region": profile.region,
        "s3.path-style-access": "true",
        "s3.aws-access-key": profile.credentials.user("minio"),
        "s3.aws-secret-key": profile.credentials.password("minio"),
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
