"""EMR Serverless: Spark for bodies that are functions, through Spark Connect, as on the box.

A session is a Spark of the application's that waits for clients. All processes of a project share one: it is found by
its name, and started where there is none or it ended. EMR ends it after some idle minutes, and the application with it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from headwater._aws import aws_client, aws_errors
from headwater.engines.spark import ConnectEngine, connect
from headwater.errors import ConfigError, EngineAway, QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["EmrSparkEngine"]

_NAME = "headwater"
_READY = ("STARTED", "IDLE", "BUSY")
_COMING = ("SUBMITTED", "STARTING")
_POLL_SECONDS = 3.0
# EMR fetches machines for a first session.
_PATIENCE_SECONDS = 900
# A token is renewed before it ends in the middle of a request.
_EARLY = timedelta(minutes=5)
_GLUE = "com.amazonaws.glue.catalog.metastore.AWSGlueDataCatalogHiveClientFactory"
_CATALOG = "spark.sql.catalog.spark_catalog"


@dataclass(frozen=True, kw_only=True)
class EmrSparkEngine(ConnectEngine):
    """An application of EMR Serverless that takes sessions.

    Args:
        region: Where; empty where the AWS clients' configuration says.
        application: Its id.
        role: ARN of the role that Spark runs as.
        bucket: The lake's.
        idle_minutes: How long a session waits for the next client.
    """

    # A session that ended lets nobody in any more.
    lost: ClassVar[tuple[str, ...]] = (*ConnectEngine.lost, "UNAUTHENTICATED")

    region: str
    application: str
    role: str
    bucket: str
    idle_minutes: int

    def _connected(self) -> Any:
        for name, value in (("HEADWATER_EMR_APPLICATION", self.application), ("HEADWATER_EMR_ROLE", self.role)):
            if not value:
                raise ConfigError(f"{name} is not set, so there is no Spark; `headwater aws deploy` prints it.")
        return self._kept(self._made)

    def _made(self) -> Any:
        with aws_errors("EMR Serverless gave no Spark session", QueryError, busy=EngineAway):
            session = self._warm() or self._start()
            self._await(session)
            return connect(_channel(lambda: self._endpoint(session)))

    def _away(self, said: str) -> EngineAway:
        return EngineAway(
            f"The Spark session of EMR application {self.application} ended or does not answer: "
            f"{said.rstrip('.')}. Run it again."
        )

    @property
    def _key(self) -> str:
        return f"emr-serverless:{self.region}:{self.application}"

    @property
    def _client(self) -> Any:
        return aws_client("emr-serverless", self.region)

    def _warm(self) -> str:
        """Return the session that others use already, or that is coming up; empty for none."""
        pages = self._client.get_paginator("list_sessions")
        found = pages.paginate(applicationId=self.application, states=[*_READY, *_COMING])
        mine = (one for page in found for one in page["sessions"] if one.get("name") == _NAME)
        return next((str(one["sessionId"]) for one in mine if one["executionRoleArn"] == self.role), "")

    def _start(self) -> str:
        answer = self._client.start_session(
            applicationId=self.application,
            executionRoleArn=self.role,
            name=_NAME,
            idleTimeoutMinutes=self.idle_minutes,
            configurationOverrides={
                "runtimeConfiguration": [{"classification": "spark-defaults", "properties": self._properties}]
            },
        )
        return str(answer["sessionId"])

    @property
    def _properties(self) -> dict[str, str]:
        """What makes Glue's tables, Hive's and Iceberg's, readable by their names."""
        return {
            "spark.hadoop.hive.metastore.client.factory.class": _GLUE,
            "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
            _CATALOG: "org.apache.iceberg.spark.SparkSessionCatalog",
            f"{_CATALOG}.catalog-impl": "org.apache.iceberg.aws.glue.GlueCatalog",
            f"{_CATALOG}.io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
            f"{_CATALOG}.warehouse": f"s3://{self.bucket}/",
        }

    def _await(self, session: str) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            found = self._client.get_session(applicationId=self.application, sessionId=session)["session"]
            if found["state"] in _READY:
                return
            if found["state"] not in _COMING:
                raise QueryError(
                    f"The Spark session {session} is {found['state']}: {found['stateDetails'] or 'no reason given'}. "
                    "See it in the EMR console."
                )
            if time.monotonic() > until:
                raise EngineAway(f"The Spark session {session} did not start in {_PATIENCE_SECONDS} seconds.")
            time.sleep(_POLL_SECONDS)

    def _endpoint(self, session: str) -> tuple[str, str, datetime]:
        """Return where a session is, what lets clients in, and until when."""
        with aws_errors(f"The Spark session {session} has no endpoint", QueryError, busy=EngineAway):
            found = self._client.get_session_endpoint(applicationId=self.application, sessionId=session)
        return found["endpoint"], found["authToken"], found["authTokenExpiresAt"]


def _channel(asked: Callable[[], tuple[str, str, datetime]]) -> Any:
    """Return what opens connections to a session, and renews its token as long as they are used."""
    from pyspark.sql.connect.client.core import DefaultChannelBuilder  # noqa: PLC0415 - slow to import

    class Renewing(DefaultChannelBuilder):
        def __init__(self) -> None:
            endpoint, self._pass, self._until = asked()
            super().__init__(_url(endpoint))

        def metadata(self) -> Iterator[tuple[str, str]]:
            if datetime.now(UTC) > self._until - _EARLY:
                _, self._pass, self._until = asked()
            yield from super().metadata()
            yield "x-aws-proxy-auth", self._pass

    return Renewing()


def _url(endpoint: str) -> str:
    """Return Spark Connect's form of an endpoint, over TLS unless it says otherwise.

    >>> _url("https://a.emr-serverless.eu-west-1.amazonaws.com")
    'sc://a.emr-serverless.eu-west-1.amazonaws.com:443/;use_ssl=true'
    """
    parts = urlsplit(endpoint if "://" in endpoint else f"https://{endpoint}")
    plain = parts.scheme == "http"
    return f"sc://{parts.hostname}:{parts.port or (80 if plain else 443)}/{'' if plain else ';use_ssl=true'}"
