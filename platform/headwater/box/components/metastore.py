"""The Hive Metastore: which tables the lake has."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from headwater.box.component import MIGRATE, Command, Component, Hint, Schema
from headwater.box.components.databases import connect, database_address, ensure_database, stored
from headwater.box.components.folders import scratch
from headwater.box.components.java import FRUGAL_ENV, class_path, console_log, frugal, opens
from headwater.box.components.render import hadoop_xml, properties
from headwater.box.components.s3 import ensure_bucket, hadoop_settings
from headwater.errors import ComponentError
from headwater.table import ZONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from headwater.box.component import Box, ByRole
    from headwater.profile import Profile

__all__ = ["MetastoreComponent", "ensure_zones", "metastore_client", "metastore_schema"]

_SCRIPTS = "scripts/metastore/upgrade/postgres"
_PACKAGES = (
    "java.io", "java.lang", "java.lang.reflect", "java.math", "java.net", "java.nio", "java.text", "java.time",
    "java.util", "java.util.concurrent", "java.util.concurrent.atomic", "java.util.regex", "sun.nio.ch",
    "sun.security.action",
)  # fmt: skip
_LOGGING = console_log(20, datanucleus=("DataNucleus", "error"))
# Hive's own list, and Avro's.
_SERDES = "org.apache.hadoop.hive.serde2"
_COLUMNS_FROM_METASTORE = (
    "org.apache.hadoop.hive.ql.io.orc.OrcSerde",
    "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    f"{_SERDES}.MetadataTypedColumnsetSerDe",
    f"{_SERDES}.avro.AvroSerDe",
    f"{_SERDES}.columnar.ColumnarSerDe",
    f"{_SERDES}.columnar.LazyBinaryColumnarSerDe",
    f"{_SERDES}.dynamic_type.DynamicSerDe",
    f"{_SERDES}.lazy.LazySimpleSerDe",
    f"{_SERDES}.lazybinary.LazyBinarySerDe",
)


class MetastoreComponent(Component):
    """Hive Metastore 3.1 on the box's PostgreSQL, on the box's address only."""

    name = "metastore"
    of_lake = True
    needs = ("postgres", "minio")
    runtimes = ("metastore", "java21")
    logins: ClassVar[ByRole] = {"": ("metastore-db", "minio"), MIGRATE: ("postgres", "metastore-db", "minio")}
    calls: ClassVar[ByRole] = {"": ("postgres", "minio"), MIGRATE: ("postgres", "minio")}
    listens: ClassVar[ByRole] = {"": ("metastore",)}
    database = "metastore-db"
    hints = (
        Hint(
            r"Address already in use", "another program listens on the metastore's port; `headwater doctor` names it."
        ),
        Hint(r"Connection to \S+ refused", "PostgreSQL does not answer; see `headwater logs postgres`."),
        Hint(r"OutOfMemoryError|Cannot allocate memory", "its heap is too small; raise HEADWATER_METASTORE_HEAP."),
        Hint(r"AmazonS3Exception|S3Exception|AWSBadRequestException", "MinIO refused it; see `headwater logs minio`."),
    )

    def migrate(self, box: Box) -> None:
        """Make the database, its schema and the lake's bucket."""
        ensure_database(box.profile, "metastore-db")
        _ensure_schema(box, self.schema(box))
        ensure_bucket(box.profile)

    def schema(self, box: Box) -> Schema:
        """Return the version that the metastore's own tables give."""
        rows = stored(box.profile, "metastore-db", '"VERSION"', 'SELECT "SCHEMA_VERSION" FROM "VERSION"')
        return metastore_schema(str(rows[0][0]) if rows else "", _steps(box.runtimes.path("metastore")))

    def command(self, box: Box, role: str) -> Command:  # noqa: ARG002 - one role
        """Render the site file and return the server's process."""
        profile, home = box.profile, box.runtimes.path("metastore")
        folder = scratch(box, "metastore")
        box.write_conf("metastore", "metastore-site.xml", hadoop_xml(_site(profile, folder)))
        log_settings = box.write_conf("metastore", "log4j2.properties", properties(_LOGGING))
        argv = [
            str(box.runtimes.path("java21") / "bin" / "java"),
            *frugal(
                profile.setting("HEADWATER_METASTORE_HEAP"),
                metaspace="160m",
                code_cache="64m",
                collector="UseSerialGC",
                scratch=folder,
            ),
            *opens(_PACKAGES),
            f"-Dlog4j2.configurationFile={log_settings}",
            "-cp",
            class_path(box.conf("metastore"), home / "lib" / "*"),
            "headwater.LoopbackMetastore",
            profile.listen,
            str(profile.port("metastore")),
        ]
        return Command(argv, {**FRUGAL_ENV, "METASTORE_HOME": str(home)}, cwd=box.data("metastore"))

    def probe(self, box: Box, role: str) -> None:  # noqa: ARG002
        """List the databases."""
        with metastore_client(box.profile, timeout=4) as client:
            client.get_all_databases()

    def version(self, box: Box) -> str:
        """Return the version in the lock file."""
        return box.runtimes.version("metastore")

    def url(self, box: Box, role: str) -> str | None:
        """Return the address as Hive's clients take it."""
        return f"thrift://{box.profile.address('metastore')}" if role == "" else None


@contextmanager
def metastore_client(profile: Profile, *, timeout: float = 30) -> Iterator[Any]:
    """Open a connection to the box's metastore.

    Args:
        profile: Where it is.
        timeout: Seconds to wait for each answer.

    Raises:
        ComponentError: It does not answer, or refuses what was asked.
    """
    from hive_metastore_client import HiveMetastoreClient  # noqa: PLC0415 - slow to import
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol  # noqa: PLC0415
    from thrift.Thrift import TException  # noqa: PLC0415
    from thrift.transport import TSocket, TTransport  # noqa: PLC0415

    logging.getLogger("thrift.transport.TSocket").setLevel(logging.CRITICAL)  # it repeats what it raises
    client = HiveMetastoreClient(profile.host_of("metastore"), profile.port("metastore"))
    socket = TSocket.TSocket(profile.host_of("metastore"), profile.port("metastore"))
    socket.setTimeout(timeout * 1000)
    client._iprot = client._oprot = TBinaryProtocol(TTransport.TBufferedTransport(socket))  # noqa: SLF001 - it offers no time-out
    try:
        with client:
            yield client
    except (TException, OSError) as error:
        raise ComponentError(
            f"The metastore at {profile.address('metastore')} did not answer: {error or type(error).__name__}. "
            "See `headwater logs metastore`.",
        ) from error
    finally:
        socket.close()


def ensure_zones(profile: Profile) -> None:
    """Make the databases of the zones where they are absent; several processes may do so at once.

    Raises:
        ComponentError: The metastore does not answer.
    """
    from thrift_files.libraries.thrift_hive_metastore_client.ttypes import AlreadyExistsException, Database  # noqa: PLC0415

    with metastore_client(profile) as client:
        known = set(client.get_all_databases())
        for zone in (zone for zone in ZONES if zone not in known):
            try:
                client.create_database(Database(name=zone, locationUri=f"s3://{profile.bucket}/{zone}", parameters={}))
            except AlreadyExistsException:
                continue


def _site(profile: Profile, folder: Path) -> dict[str, str]:
    logins = profile.credentials
    return {
        "metastore.thrift.uris": f"thrift://{profile.address('metastore')}",
        "metastore.warehouse.dir": f"s3a://{profile.bucket}/",
        # Columns of an Iceberg table are found by id or name, so another type in a column's place harms nobody; without
        # this no ingest could replace a table by rows with other columns.
        "metastore.disallow.incompatible.col.type.changes": "false",
        # Readers of an Avro table that names its schema ask the metastore for the columns; it has no reader of schemas.
        "metastore.serdes.using.metastore.for.schema": ",".join(_COLUMNS_FROM_METASTORE),
        "metastore.expression.proxy": "org.apache.hadoop.hive.metastore.DefaultPartitionExpressionProxy",
        "metastore.task.threads.always": "org.apache.hadoop.hive.metastore.events.EventCleanerTask",
        "metastore.event.db.notification.api.auth": "false",
        "metastore.transactional.event.listeners": "org.apache.hive.hcatalog.listener.DbNotificationListener",
        "metastore.event.db.listener.timetolive": "7d",
        # A lock of a killed writer is free after little more than a minute.
        "metastore.txn.timeout": "60s",
        "metastore.timedout.txn.reaper.interval": "10s",
        "metastore.task.threads.remote": "org.apache.hadoop.hive.metastore.txn.AcidHouseKeeperService",
        "metastore.server.min.threads": "4",
        "metastore.server.max.threads": "100",
        "metastore.metrics.enabled": "false",
        "metastore.stats.autogather": "false",
        "javax.jdo.option.ConnectionURL": database_address(profile, "metastore-db"),
        "javax.jdo.option.ConnectionDriverName": "org.postgresql.Driver",
        "javax.jdo.option.ConnectionUserName": logins.user("metastore-db"),
        "javax.jdo.option.ConnectionPassword": logins.password("metastore-db"),
        "datanucleus.connectionPool.maxPoolSize": "6",
        "datanucleus.schema.autoCreateAll": "false",
        "datanucleus.autoStartMechanismMode": "ignored",
        "metastore.schema.verification": "true",
        **hadoop_settings(profile, folder),
    }


def metastore_schema(found: str, steps: Sequence[tuple[str, str]]) -> Schema:
    """Return how far the metastore's tables are.

    Args:
        found: Their version; empty when there are none.
        steps: From which version to which each upgrade of this release leads, oldest first.
    """
    wanted = steps[-1][1]
    if not found or found == wanted or found in (before for before, _ in steps):
        return Schema(found, wanted)
    return Schema(
        found,
        wanted,
        f"The metastore's database was made by a newer Headwater: its tables have version {found}, and this release "
        f"knows those up to {wanted}. Nothing was changed; start that one.",
    )


def _steps(home: Path) -> list[tuple[str, str]]:
    order = (home / _SCRIPTS / "upgrade.order.postgres").read_text(encoding="ascii").split()
    return [(before, after) for before, _, after in (step.partition("-to-") for step in order)]


def _ensure_schema(box: Box, schema: Schema) -> None:
    """Run the schema's own scripts as one transaction: the stock tool leaves half a schema when it is killed."""
    from psycopg import Error  # noqa: PLC0415 - slow to import

    home = box.runtimes.path("metastore")
    with connect(box.profile, "metastore-db") as connection:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                for script in _scripts(schema, _steps(home)):
                    cursor.execute((home / _SCRIPTS / f"{script}.postgres.sql").read_bytes())
        except Error as error:
            raise ComponentError(
                f"The metastore's tables could not be brought to version {schema.wanted}: {error}. "
                "They are as they were; see `headwater logs postgres`."
            ) from error


def _scripts(schema: Schema, steps: Sequence[tuple[str, str]]) -> list[str]:
    if not schema.found:
        return [f"hive-schema-{schema.wanted}"]
    old = [before for before, _ in steps]
    left = steps[old.index(schema.found) :] if schema.found in old else ()
    return [f"upgrade-{before}-to-{after}" for before, after in left]
