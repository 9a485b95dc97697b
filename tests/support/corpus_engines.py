"""Runs the steps of the lineage corpus on the test box: Trino, Spark and Superset, as people use them."""

from __future__ import annotations

import json
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests
from headwater.box.components.spark import connect_url
from headwater.box.components.tls import ca_path
from headwater.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headwater.profile import Profile

# The database in which the corpus makes its tables.
ZONE = "curated"
# A statement over three rows takes longer to be compiled and cut into tasks than to run.
_FRUGAL = {"spark.sql.codegen.wholeStage": "false", "spark.sql.shuffle.partitions": "1"}


class Engines:
    """Runs steps; each thread has a session of its own on each engine."""

    def __init__(self, profile: Profile) -> None:
        self._profile, self._own, self._sessions = profile, threading.local(), []

    def empty(self, name: str, columns: Mapping[str, str]) -> None:
        """Make an empty Iceberg table without waking an engine."""
        from pyiceberg.schema import Schema
        from pyiceberg.types import DoubleType, LongType, NestedField, StringType

        kinds = {"bigint": LongType(), "double": DoubleType(), "varchar": StringType()}
        fields = [NestedField(at, column, kinds[kind]) for at, (column, kind) in enumerate(columns.items(), 1)]
        place = f"s3://{self._profile.bucket}/{ZONE}/{name.lower()}"
        self._iceberg.create_table((ZONE, name.lower()), Schema(*fields), location=place)

    @cached_property
    def _iceberg(self) -> Any:
        return Stack.build(self._profile).metastore.iceberg()

    def close(self) -> None:
        """Give back what Spark keeps for its sessions."""
        for session in self._sessions:
            session.stop()

    def trino(self, sql: str) -> None:
        """Run a statement as people do, with a schema of the session."""
        if not hasattr(self._own, "trino"):
            self._own.trino = _trino(self._profile)
        cursor = self._own.trino.cursor()
        cursor.execute(sql.strip())
        cursor.fetchall()

    def spark(self, sql: str) -> None:
        """Run a statement."""
        self._session().sql(sql.strip()).toArrow()

    def pyspark(self, program: str) -> None:
        """Run a program over DataFrames."""
        from pyspark.sql.connect import functions
        from pyspark.sql.connect.window import Window

        exec(program, {"spark": self._session(), "F": functions, "Window": Window})  # noqa: S102 - it is the case

    def superset(self, told: Any) -> str:
        """Save a query or a chart as somebody does in Superset, and return the catalog's name of it."""
        if not hasattr(self._own, "superset"):
            self._own.superset = Superset(self._profile)
        return str(self._own.superset.save(told))

    def _session(self) -> Any:
        from pyspark.sql.connect.session import SparkSession

        if not hasattr(self._own, "spark"):
            self._own.spark = SparkSession.builder.remote(connect_url(self._profile)).create()
            self._sessions.append(self._own.spark)
            for name, value in _FRUGAL.items():
                self._own.spark.conf.set(name, value)
        return self._own.spark


class Superset:
    """Superset's own API.

    Args:
        profile: Where it is.
    """

    def __init__(self, profile: Profile) -> None:
        self._base = f"http://{profile.address('superset')}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False
        logins = profile.credentials
        login = {"username": logins.user("superset"), "password": logins.password("superset"), "provider": "db"}
        token = self._send("POST", "/security/login", json=login)["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.headers["X-CSRFToken"] = self._send("GET", "/security/csrf_token/")["result"]
        (self._database,) = [
            one["id"] for one in self._send("GET", "/database/")["result"] if one["backend"] == "trino"
        ]

    def save(self, told: Any) -> str:
        """Save a query as a dataset, or a chart on one."""
        if "sql" in told:
            made = {"database": self._database, "schema": ZONE, "table_name": told["name"], "sql": told["sql"]}
            return f"superset:{self._send('POST', '/dataset/', json=made)['id']}"
        made = {
            "slice_name": told["name"],
            "viz_type": told["kind"],
            "datasource_id": int(told["dataset"].partition(":")[2]),
            "datasource_type": "table",
            "params": json.dumps(told["params"]),
        }
        return f"chart:superset-{self._send('POST', '/chart/', json=made)['id']}"

    def _send(self, method: str, path: str, **content: Any) -> Any:
        answer = self._session.request(method, self._base + path, timeout=60, **content)
        if not answer.ok:
            raise RuntimeError(answer.text)
        return answer.json()


def _trino(profile: Profile) -> Any:
    import trino.auth
    import trino.dbapi

    session = requests.Session()
    session.trust_env, session.verify = False, str(ca_path(profile))
    user = profile.credentials.user("trino")
    return trino.dbapi.connect(
        host=profile.host,
        port=profile.port("trino-tls"),
        http_scheme="https",
        user=user,
        auth=trino.auth.BasicAuthentication(user, profile.credentials.password("trino")),
        http_session=session,
        catalog="iceberg",
        schema=ZONE,
    )
