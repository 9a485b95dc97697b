"""Spark: one long-lived Spark Connect server."""

from __future__ import annotations

import sys
import uuid
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint
from headwater.box.components.folders import scratch
from headwater.box.components.java import FRUGAL_ENV, class_path, console_log, frugal, opens
from headwater.box.components.metastore import ensure_zones
from headwater.box.components.render import properties
from headwater.box.components.s3 import hadoop_settings
from headwater.box.components.spark_pods import executor_arguments, executor_heap, pod_settings
from headwater.errors import ComponentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from headwater.box.component import Box, ByRole
    from headwater.profile import Profile

__all__ = ["SparkComponent", "connect_url", "submit_command"]

_PACKAGES = (
    "java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
    "java.util.concurrent", "java.util.concurrent.atomic", "jdk.internal.ref", "sun.nio.ch", "sun.nio.cs",
    "sun.security.action", "sun.util.calendar",
)  # fmt: skip
_FIXED = {
    "spark.master": "local[*]",
    "spark.app.name": "headwater",
    # One name for Hive and Iceberg tables.
    "spark.sql.catalogImplementation": "hive",
    "spark.sql.catalog.spark_catalog": "org.apache.iceberg.spark.SparkSessionCatalog",
    "spark.sql.catalog.spark_catalog.type": "hive",
    # Others commit too: a cached table would be read as it was.
    "spark.sql.catalog.spark_catalog.cache-enabled": "false",
    "spark.sql.filesourceTableRelationCacheSize": "0",
    "spark.sql.catalog.spark_catalog.table-default.format-version": "2",
    "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
    # Sessions share the code that Spark makes of a query, and what Java has made of it since: see ConnectServer.java.
    "spark.sql.artifact.isolation.enabled": "false",
    "spark.sql.artifact.isolation.alwaysApplyClassloader": "false",
    "spark.sql.ansi.enabled": "true",
    # Above this size the JIT leaves generated code alone; a body that types thirty columns would then crawl.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.hadoop.iceberg.hive.lock-heartbeat-interval-ms": "20000",
    "spark.eventLog.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    # What the pages remember lives in the heap.
    "spark.ui.retainedJobs": "50",
    "spark.ui.retainedStages": "50",
    "spark.ui.retainedTasks": "2000",
    "spark.sql.ui.retainedExecutions": "20",
    "spark.connect.ui.retainedSessions": "20",
    "spark.connect.ui.retainedStatements": "50",
    "spark.cleaner.periodicGC.interval": "5min",
    "spark.connect.session.manager.defaultSessionTimeout": "60m",
    "spark.connect.grpc.maxInboundMessageSize": str(256 * 1024 * 1024),
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|api[.]?key|credential",
}
# Ports and the like that one Spark of the box has, and another may not take.
_OF_THE_SERVER = (
    "spark.connect.",
    "spark.driver.port",
    "spark.driver.blockManager.port",
    "spark.blockManager.port",
    "spark.port.maxRetries",
    "spark.ui.port",
)
_LOGGING = console_log(40)
_SUBMIT = "org.apache.spark.deploy.SparkSubmit"
_SERVER = [_SUBMIT, "--class", "headwater.ConnectServer", "spark-internal"]


class SparkComponent(Component):
    """Spark Connect: clients need its address and token, and no Java."""

    name = "spark"
    of_lake = True
    cluster_roles = ("executor",)
    needs = ("metastore", "minio")
    runtimes = ("spark", "spark-jars", "java21")
    # An executor is told all by the server; only its connections are its own.
    logins: ClassVar[ByRole] = {"": ("spark", "minio", "catalog")}
    calls: ClassVar[ByRole] = {
        "": ("metastore", "minio", "catalog", "spark-blocks"),
        "executor": ("spark-driver", "spark-blocks", "minio"),
        MIGRATE: ("metastore",),
    }
    listens: ClassVar[ByRole] = {"": ("spark", "spark-driver", "spark-blocks"), "executor": ("spark-blocks",)}
    hints = (
        Hint(
            r"Address already in use|BindException",
            "another program listens on one of Spark's ports; `headwater doctor` names it.",
        ),
        Hint(
            r"OutOfMemoryError|Cannot allocate memory",
            "its heap is too small for this data; raise HEADWATER_SPARK_HEAP.",
        ),
        Hint(
            r"MetaException|Could not connect to meta store",
            "the metastore does not answer; see `headwater logs metastore`.",
        ),
        Hint(r"AWSBadRequestException|S3Exception|NoSuchBucket", "MinIO refused it; see `headwater logs minio`."),
    )

    def migrate(self, box: Box) -> None:
        """Make the zones' databases."""
        ensure_zones(box.profile)

    def command(self, box: Box, role: str) -> Command:
        """Render the settings and return the server's process, or that of an executor, which the server tells all.

        Spark's own start scripts are not used: they always add a JDK module that small runtimes leave out.
        """
        folder = scratch(box, "spark")
        box.write_conf("spark", "log4j2.properties", properties(_LOGGING))
        if role == "executor":
            heap, main = executor_heap(), executor_arguments()
        else:
            box.write_conf("spark", "spark-defaults.conf", properties(_settings(box.profile, folder)))
            heap, main = box.profile.setting("HEADWATER_SPARK_HEAP"), _SERVER
        argv = [*_java(box, box.conf("spark"), folder, heap), *main]
        return Command(argv, _environment(box, box.conf("spark"), folder), cwd=box.data("spark"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """Run a statement in a session of its own."""
        _select_one(box.profile, timeout=10)

    def version(self, box: Box) -> str:
        """Return the version in the lock file."""
        return box.runtimes.version("spark")

    def url(self, box: Box, role: str) -> str | None:
        """Return the address as Spark Connect's clients take it, without the token."""
        return f"sc://localhost:{box.profile.port('spark')}" if role == "" else None


def connect_url(profile: Profile) -> str:
    """Return the address with its token, for ``SparkSession.builder.remote``.

    The name ``localhost`` is a must: to any other host the client sends a token only over TLS.
    """
    return f"sc://localhost:{profile.port('spark')}/;token={profile.credentials.password('spark')}"


def submit_command(box: Box, folder: Path, arguments: Sequence[str]) -> Command:
    """Return the process that does what ``spark-submit`` does, on a Spark of its own with the box's heap and lake.

    Args:
        box: The box.
        folder: Private and of this process alone: its configuration, which holds the secret key, and scratch files.
        arguments: Of spark-submit.
    """
    here = box.profile.host
    settings = {
        **{
            name: value for name, value in _settings(box.profile, folder).items() if not name.startswith(_OF_THE_SERVER)
        },
        "spark.ui.enabled": "false",
        "spark.driver.host": here,
        "spark.driver.bindAddress": here,
    }
    for name, values in (("spark-defaults.conf", settings), ("log4j2.properties", _LOGGING)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(properties(values), encoding="utf-8")
    # It serves nobody but itself, wherever the box's own Spark is.
    env = {**_environment(box, folder, folder), "SPARK_LOCAL_IP": here, "SPARK_LOCAL_HOSTNAME": here}
    java = _java(box, folder, folder, box.profile.setting("HEADWATER_SPARK_HEAP"))
    return Command([*java, _SUBMIT, *arguments], env, cwd=folder)


def _java(box: Box, conf: Path, folder: Path, heap: str) -> list[str]:
    home = box.runtimes.path("spark")
    return [
        str(box.runtimes.path("java21") / "bin" / "java"),
        *frugal(heap, metaspace="384m", code_cache="160m", collector="UseParallelGC", scratch=folder),
        *opens(_PACKAGES),
        *opens(["sun.security.krb5"], "java.security.jgss"),
        "-Djdk.reflect.useDirectMethodHandle=false",
        "-Dio.netty.tryReflectionSetAccessible=true",
        "-cp",
        class_path(conf, box.runtimes.path("spark-jars") / "*", home / "jars" / "*"),
    ]


def _select_one(profile: Profile, *, timeout: float) -> None:
    """Run ``SELECT 1`` over plain gRPC: the full client loads pandas and retries for minutes.

    Raises:
        ComponentError: It fails or takes too long.
    """
    grpc: Any = import_module("grpc")  # slow to import, and without types
    address = profile.address("spark")
    # No proxy leads to this machine itself.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            _query(channel, profile.credentials.password("spark"), timeout)
        except grpc.RpcError as error:
            raise ComponentError(
                f"Spark at {address} did not run SELECT 1: {_said(error)}; see `headwater logs spark`."
            ) from error


def _query(channel: Any, token: str, timeout: float) -> None:
    pb: Any = import_module("pyspark.sql.connect.proto.base_pb2")
    stub = import_module("pyspark.sql.connect.proto.base_pb2_grpc").SparkConnectServiceStub(channel)
    options = {"timeout": timeout, "metadata": (("authorization", f"Bearer {token}"),)}
    session = {"session_id": str(uuid.uuid4()), "user_context": pb.UserContext(user_id="headwater-probe")}
    request = pb.ExecutePlanRequest(**session)
    request.plan.root.sql.query = "SELECT 1"
    for _ in stub.ExecutePlan(request, **options):
        pass
    stub.ReleaseSession(pb.ReleaseSessionRequest(**session), **options)


def _said(error: Any) -> str:
    return f"{error.code().name.lower()}, {error.details()}"


def _settings(profile: Profile, folder: Path) -> dict[str, str]:
    return {
        **_FIXED,
        "spark.driver.memory": profile.setting("HEADWATER_SPARK_HEAP"),
        "spark.driver.host": _own_address(profile),
        "spark.driver.bindAddress": profile.listen,
        "spark.driver.port": str(profile.port("spark-driver")),
        "spark.driver.blockManager.port": str(profile.port("spark-blocks")),
        "spark.blockManager.port": str(profile.port("spark-blocks")),
        "spark.port.maxRetries": "0",
        "spark.ui.port": str(profile.port("spark-ui")),
        "spark.connect.grpc.binding.address": profile.listen,
        "spark.connect.grpc.binding.port": str(profile.port("spark")),
        "spark.connect.grpc.port.maxRetries": "0",
        "spark.connect.authenticate.token": profile.credentials.password("spark"),
        **_lineage(profile),
        "spark.sql.warehouse.dir": f"s3://{profile.bucket}/",
        "spark.sql.catalog.spark_catalog.uri": f"thrift://{profile.address('metastore')}",
        "spark.hadoop.hive.exec.scratchdir": f"file://{folder}/hive",
        "spark.hadoop.hive.exec.local.scratchdir": f"{folder}/hive-local",
        "spark.hadoop.hive.metastore.uris": f"thrift://{profile.address('metastore')}",
        **{f"spark.hadoop.{name}": value for name, value in hadoop_settings(profile, folder).items()},
        **pod_settings(profile),
    }


def _own_address(profile: Profile) -> str:
    return profile.setting("HEADWATER_ADDRESS") or profile.host_of("spark")


def _lineage(profile: Profile) -> dict[str, str]:
    """What every session writes is told to the catalog; it goes on without a catalog."""
    return {
        "spark.plugins": "headwater.LineageQueue",
        "spark.openlineage.namespace": "headwater",
        "spark.openlineage.transport.type": "http",
        "spark.openlineage.transport.url": f"http://{profile.address('catalog')}",
        "spark.openlineage.transport.timeoutInMillis": "5000",
        "spark.openlineage.transport.auth.type": "api_key",
        "spark.openlineage.transport.auth.apiKey": profile.credentials.password("catalog"),
        # What decides about rows is told once for the table, not once more for each column.
        "spark.openlineage.columnLineage.datasetLineageEnabled": "true",
    }


def _environment(box: Box, conf: Path, folder: Path) -> dict[str, str]:
    home = box.runtimes.path("spark")
    archives = sorted((home / "python").glob("py4j*.zip")) + sorted((home / "python" / "lib").glob("py4j*.zip"))
    return {
        **FRUGAL_ENV,
        "SPARK_HOME": str(home),
        "SPARK_CONF_DIR": str(conf),
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_LOCAL_IP": _own_address(box.profile),
        "SPARK_LOCAL_HOSTNAME": _own_address(box.profile),
        "SPARK_SCALA_VERSION": "2.13",
        "JAVA_HOME": str(box.runtimes.path("java21")),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "PYTHONPATH": class_path(home / "python", *archives),
    }
