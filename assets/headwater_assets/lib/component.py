"""Dagster as a component of the box: its pages, its daemon, its code server and the warm runner."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint, Schema
from headwater.box.components.databases import connect, database_url, ensure_database, stored
from headwater.box.components.revisions import alembic_schema
from headwater.errors import ComponentError

from headwater_assets.lib.run_pods import pod_launcher
from headwater_assets.lib.runner import ONE_THREAD_ENV, ask
from headwater_assets.lib.webserver import LOCATION, Webserver

if TYPE_CHECKING:
    from headwater.box.component import Box, ByRole

__all__ = ["DagsterComponent"]

_DATABASE_ENV = "HEADWATER_DAGSTER_DATABASE"
_LOOPBACK_TIMEOUT = 4
# A daemon that is well has reported within this time; it reports every 30 seconds.
_HEARTBEAT_SECONDS = 75
_DAEMONS = ("ASSET", "BACKFILL", "MONITORING", "QUEUED_RUN_COORDINATOR", "SCHEDULER", "SENSOR")


class DagsterComponent(Component):
    """Dagster with its storage in PostgreSQL and every run forked from a warm process."""

    name = "dagster"
    roles = ("webserver", "daemon", "code", "runner")
    # It starts without the engines; only its runs need them.
    needs = ("postgres",)
    keeps = (".",)
    logins: ClassVar[ByRole] = {
        **dict.fromkeys(("webserver", "daemon", "code"), ("dagster-db",)),
        "runner": ("dagster-db", "minio", "spark", "trino", "catalog"),
        MIGRATE: ("postgres", "dagster-db"),
    }
    calls: ClassVar[ByRole] = {
        **dict.fromkeys(("webserver", "daemon"), ("postgres", "dagster-code")),
        "code": ("postgres",),
        "runner": ("postgres", "minio", "metastore", "spark", "trino-tls", "catalog"),
        MIGRATE: ("postgres",),
    }
    listens: ClassVar[ByRole] = {"webserver": ("dagster",), "code": ("dagster-code",)}
    database = "dagster-db"
    definitions = "headwater_assets.definitions"
    reads_project = True
    hints = (
        Hint(
            r"[Aa]ddress already in use|Failed to bind",
            "another program listens on its port; `headwater doctor` names it.",
        ),
        Hint(r"DefinitionError|ConfigError", "a definition is wrong; the line above names its file."),
        Hint(r"[Cc]onnection refused", "PostgreSQL does not answer; see `headwater logs postgres`."),
        Hint(r"MemoryError|Cannot allocate memory", "the machine has too little free memory."),
    )

    def port(self, role: str) -> str | None:
        """Return the port of the pages and of the code server; the others listen on none."""
        return {"webserver": "dagster", "code": "dagster-code"}.get(role)

    def url(self, box: Box, role: str) -> str | None:
        """Return the address of the pages."""
        return box.profile.url("dagster") if role == "webserver" else None

    def version(self, box: Box) -> str:  # noqa: ARG002 - it is a library of this environment
        """Return Dagster's version."""
        return version("dagster")

    def command(self, box: Box, role: str) -> Command:
        """Render dagster.yaml and workspace.yaml and return the role's process."""
        workspace = _render(box)
        host, port, code = box.profile.listen, box.profile.port("dagster"), box.profile.port("dagster-code")
        runs = box.data("dagster") / "runs"
        module: dict[str, list[str]] = {
            "webserver": [
                "dagster_webserver",
                "-h",
                host,
                "-p",
                str(port),
                "-w",
                str(workspace),
                "--suppress-warnings",
            ],
            "daemon": ["dagster._daemon", "run", "-w", str(workspace)],
            "code": [
                *("headwater_assets.lib.code_server", "-m", self.definitions, "-h", host, "-p", str(code)),
                *("--lazy-load-user-code", "--location-name", LOCATION),
            ],
            "runner": ["headwater_assets.lib.runner", "--socket", str(_socket(box)), "--logs", str(runs)],
        }
        return Command([sys.executable, "-m", *module[role]], env=_environment(box), cwd=box.data("dagster"))

    def migrate(self, box: Box) -> None:
        """Make the database and bring its tables to this version; nothing to do takes no time."""
        ensure_database(box.profile, "dagster-db")
        marker = box.data("dagster") / "migrated.json"
        mark = {"version": version("dagster"), "revision": self.schema(box).found}
        if mark["revision"] and marker.exists() and json.loads(marker.read_text(encoding="utf-8")) == mark:
            return
        marker.unlink(missing_ok=True)
        _upgrade(box)
        marker.write_text(json.dumps({**mark, "revision": self.schema(box).found}), encoding="utf-8")

    def schema(self, box: Box) -> Schema:
        """Return the revision that Alembic notes in the database."""
        rows = stored(box.profile, "dagster-db", "alembic_version", "SELECT version_num FROM alembic_version")
        return alembic_schema(_revisions(), (str(row[0]) for row in rows), whose="Dagster")

    def probe(self, box: Box, role: str) -> None:
        """Use the role once: list the assets, read the heartbeats, ask the code server, greet the runner."""
        {"webserver": _probe_webserver, "daemon": _probe_daemon, "code": _probe_code, "runner": _probe_runner}[role](
            box
        )


def _socket(box: Box) -> Path:
    return box.socket("dagster-runner")


def _database(box: Box) -> str:
    # Dagster closes psycopg 3's connections after their first statement, and SQLAlchemy takes that one by default.
    return database_url(box.profile, "dagster-db", "postgresql+psycopg2")


def _environment(box: Box) -> dict[str, str]:
    return {
        **box.profile.environment(),
        **ONE_THREAD_ENV,
        "DAGSTER_HOME": str(box.conf("dagster")),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "MALLOC_ARENA_MAX": "2",  # memory that one thread frees serves the others
        _DATABASE_ENV: _database(box),
    }


def _render(box: Box) -> Path:
    """Write the configuration (JSON is YAML) and return the workspace's path."""
    server = {
        "host": box.profile.host_of("dagster-code"),
        "port": box.profile.port("dagster-code"),
        "location_name": LOCATION,
    }
    box.write_conf("dagster", "dagster.yaml", json.dumps(_instance(box), indent=1))
    return box.write_conf("dagster", "workspace.yaml", json.dumps({"load_from": [{"grpc_server": server}]}, indent=1))


def _instance(box: Box) -> dict[str, Any]:
    data, launcher = box.data("dagster"), "headwater_assets.lib.launcher"
    keep = {"purge_after_days": {"skipped": 1, "success": 30, "failure": 90, "started": 30}}
    return {
        "storage": {"postgres": {"postgres_url": {"env": _DATABASE_ENV}, "should_autocreate_tables": False}},
        "local_artifact_storage": _class("dagster.core.storage.root", "LocalArtifactStorage", base_dir=str(data)),
        "compute_logs": _class(
            "headwater_assets.lib.compute_logs", "QuietComputeLogManager", base_dir=str(data / "compute_logs")
        ),
        "run_launcher": _launcher(box),
        "run_coordinator": _class(
            launcher,
            "PromptRunCoordinator",
            max_concurrent_runs=int(box.profile.setting("HEADWATER_DAGSTER_RUNS")),
            # A run that finds the runner or the code server away waits for it, here up to five minutes.
            max_user_code_failure_retries=60,
            user_code_failure_retry_delay=5,
        ),
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 5,
            # A pod may have to wait for a machine, and that for an image.
            "start_timeout_seconds": 900 if box.profile.setting("HEADWATER_RUN_POD") else 45,
            "cancel_timeout_seconds": 30,
        },
        "run_retries": {"enabled": True, "max_retries": 0},
        "retention": {"sensor": keep, "schedule": keep, "auto_materialize": keep},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def _launcher(box: Box) -> dict[str, Any]:
    pod = box.profile.setting("HEADWATER_RUN_POD")
    if pod:
        return _class("dagster_k8s", "K8sRunLauncher", **pod_launcher(box, pod))
    return _class("headwater_assets.lib.launcher", "WarmRunLauncher", socket=str(_socket(box)), grace_seconds=10)


def _class(module: str, name: str, **config: object) -> dict[str, Any]:
    return {"module": module, "class": name, "config": config}


def _revisions() -> Path:
    found = find_spec("dagster")  # without importing it, which takes seconds
    return Path(found.origin if found and found.origin else "").parent / "_core" / "storage" / "alembic" / "versions"


def _upgrade(box: Box) -> None:
    from dagster import DagsterInstance  # noqa: PLC0415 - slow to import
    from dagster._core.instance.ref import InstanceRef  # noqa: PLC0415

    _render(box)
    storage = {"postgres": {"postgres_url": _database(box), "should_autocreate_tables": True}}
    reference = InstanceRef.from_dir(str(box.conf("dagster")), overrides={"storage": storage})
    with DagsterInstance.from_ref(reference) as instance:
        instance.upgrade()


def _probe_webserver(box: Box) -> None:
    Webserver(f"http://{box.profile.address('dagster')}", timeout=_LOOPBACK_TIMEOUT).tables()


def _probe_daemon(box: Box) -> None:
    with connect(box.profile, "dagster-db", timeout=_LOOPBACK_TIMEOUT) as connection:
        rows = connection.execute(
            "SELECT daemon_type, extract(epoch FROM now()) - extract(epoch FROM timestamp) FROM daemon_heartbeats"
        )
        ages = {str(row[0]): float(row[1]) for row in rows}
    silent = [name for name in _DAEMONS if ages.get(name, _HEARTBEAT_SECONDS) >= _HEARTBEAT_SECONDS]
    if silent:
        raise ComponentError(
            f"Dagster's daemon gives no heartbeat of {', '.join(silent)}. See `headwater logs dagster`."
        )


def _probe_code(box: Box) -> None:
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415 - only this probe needs it
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]  # noqa: PLC0415

    address = box.profile.address("dagster-code")
    try:
        with grpc.insecure_channel(address) as channel:
            request = health_pb2.HealthCheckRequest(service="DagsterApi")
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_LOOPBACK_TIMEOUT)
    except grpc.RpcError as error:
        raise ComponentError(f"Dagster's code server at {address} does not answer: {error.code().name}.") from error
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise ComponentError(f"Dagster's code server at {address} is not serving yet.")


def _probe_runner(box: Box) -> None:
    ask(_socket(box), {}, timeout=_LOOPBACK_TIMEOUT)
