"""Trino: the engine for people's SQL, dashboards and light tables."""

from __future__ import annotations

import time
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint
from headwater.box.components.folders import scratch
from headwater.box.components.java import FRUGAL_ENV, class_path, frugal, megabytes
from headwater.box.components.metastore import ensure_zones
from headwater.box.components.tls import ca_path, ensure_certificates
from headwater.box.components.trino_conf import write_configuration
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from headwater.box.component import Box, ByRole
    from headwater.profile import Profile

__all__ = ["TrinoComponent"]

_ROOMY_MEGABYTES = 2048
# What a worker calls its states.
_ACTIVE, _LEAVING = "ACTIVE", "SHUTTING_DOWN"


class TrinoComponent(Component):
    """A coordinator that is its own worker unless a cluster gives it others; clients come over TLS with a password."""

    name = "trino"
    of_lake = True
    cluster_roles = ("worker",)
    needs = ("metastore", "minio")
    runtimes = ("trino", "java25")
    logins: ClassVar[ByRole] = {
        "": ("trino", "trino-reader", "trino-superset", "trino-secret", "minio", "catalog"),
        "worker": ("trino-secret", "minio"),
    }
    calls: ClassVar[ByRole] = {
        "": ("trino", "metastore", "minio", "catalog"),
        "worker": ("trino", "minio"),
        MIGRATE: ("metastore",),
    }
    listens: ClassVar[ByRole] = {"": ("trino", "trino-tls"), "worker": ("trino",)}
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
        """Make the zones' databases, and the certificate unless somebody else gives it."""
        if not box.profile.setting("HEADWATER_TLS"):
            ensure_certificates(box.profile)
        ensure_zones(box.profile)

    def command(self, box: Box, role: str) -> Command:
        """Render the configuration and return the server's process."""
        home = box.runtimes.path("trino")
        write_configuration(box, role)
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

    def probe(self, box: Box, role: str) -> None:
        """Ask for the metastore's schemas and for rows with the box's login; ask a worker whether it takes work."""
        if role == "worker":
            _require_active(box.profile)
        else:
            _query(box.profile)

    def drain(self, box: Box, role: str) -> None:
        """Let a worker take no more work, and return when it has done what it has."""
        if role == "worker":
            _shut_down(box.profile)

    def version(self, box: Box) -> str:
        """Return the version in the lock file."""
        return box.runtimes.version("trino")

    def port(self, role: str) -> str | None:
        """Return the port that clients use; of a worker the one of the coordinator and the other workers."""
        return {"": "trino-tls", "worker": "trino"}.get(role)

    def url(self, box: Box, role: str) -> str | None:
        """Return the address of clients and of the page."""
        return box.profile.url("trino-tls") if role == "" else None


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


def _query(profile: Profile) -> None:
    from trino.exceptions import Error, HttpError  # noqa: PLC0415 - slow to import

    try:
        with _connected(profile, timeout=10) as connection:
            cursor = connection.cursor()
            # Schemas are the coordinator's own; rows take a node, of which there is none for a moment after a start.
            cursor.execute(
                "SELECT (SELECT count(*) FROM iceberg.information_schema.schemata), count(*) FROM tpch.tiny.region"
            )
            cursor.fetchall()
    except (Error, HttpError, OSError) as error:
        raise ComponentError(
            f"Trino at {profile.address('trino-tls')} did not run a query: {str(error)[:300]}; "
            "see `headwater logs trino`.",
        ) from error


def _require_active(profile: Profile) -> None:
    said = _worker_says(profile, "GET", "info")
    if said.get("starting") or _worker_says(profile, "GET", "info/state") != _ACTIVE:
        raise ComponentError(f"Trino's worker at {profile.address('trino')} takes no work yet, or no more.")


def _shut_down(profile: Profile) -> None:
    _worker_says(profile, "PUT", "info/state", json=_LEAVING)
    try:
        while True:
            _worker_says(profile, "GET", "info")
            time.sleep(1)
    except ComponentError:
        return  # it has gone


def _worker_says(profile: Profile, method: str, what: str, **more: Any) -> Any:
    from requests import RequestException, Session  # noqa: PLC0415 - slow to import

    where, user = profile.address("trino"), profile.credentials.user("trino")
    try:
        with Session() as session:
            session.trust_env = False  # no proxy leads to this machine itself
            headers = {"X-Trino-User": user}
            answer = session.request(method, f"http://{where}/v1/{what}", headers=headers, timeout=4, **more)
            answer.raise_for_status()
            return answer.json() if answer.content else None
    except (RequestException, ValueError) as error:
        raise ComponentError(f"Trino's worker at {where} did not answer: {str(error)[:300]}.") from error


def _collector(profile: Profile) -> str:
    """G1 costs every query about a fifth more, but writes large tables in a small heap, where the other runs out."""
    roomy = megabytes(profile.setting("HEADWATER_TRINO_HEAP")) >= _ROOMY_MEGABYTES
    return "UseParallelGC" if roomy else "UseG1GC"
