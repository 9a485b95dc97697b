"""What people and machines do on a running platform, each a step with a name; one that fails raises StepError."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from headwater.box.arrows import CLI, PEOPLE, bootstrap
from headwater.box.components import all_components
from wiring import NotReadyError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deployed import Deployed
    from headwater.box.arrows import Arrow

__all__ = ["TEST", "StepError", "Steps", "step_of"]

# The pod of `helm test`.
TEST = "test"
_PEOPLE = Path(__file__).with_name("people.py")
# Trino gives a worker up that has not announced itself for 30 seconds.
_FORGET_SECONDS = 45
_BOOTSTRAPS = {bootstrap(name) for name in all_components()}
_TICKS = """{ sensorOrError(sensorSelector: {repositoryLocationName: "headwater", repositoryName: "__repository__",
  sensorName: "new_raw_files"}) { __typename ... on Sensor { sensorState { ticks(limit: 1) {
  timestamp status error { message } } } } } }"""
_STEPS = {
    ("metastore", "postgres"): "query",
    ("metastore", "minio"): "make_schema",
    ("spark", "metastore"): "spark_query",
    ("spark", "minio"): "spark_query",
    ("spark", "catalog"): "spark_lineage",
    ("trino", "metastore"): "query",
    ("trino", "minio"): "make_table",
    ("trino", "catalog"): "trino_lineage",
    ("superset", "postgres"): "chart",
    ("superset", "trino-tls"): "chart",
    ("dagster:webserver", "postgres"): "list_runs",
    ("dagster:webserver", "dagster-code"): "materialize",
    ("dagster:daemon", "postgres"): "daemon_health",
    ("dagster:daemon", "dagster-code"): "sensor_tick",
    ("dagster:code", "postgres"): "sensor_tick",
    ("dagster:runner", "postgres"): "materialize",
    ("dagster:runner", "minio"): "materialize",
    ("dagster:runner", "metastore"): "materialize",
    ("dagster:runner", "trino-tls"): "materialize",
    ("dagster:runner", "spark"): "materialize_by_spark",
    ("dagster:runner", "catalog"): "tell_run",
    ("catalog", "postgres"): "catalog_search",
    ("catalog", "metastore"): "still_readable",
    ("catalog", "minio"): "still_readable",
    ("catalog", "trino-tls"): "sample_rows",
    ("aws-api", "metastore"): "aws_tables",
    ("aws-api", "minio"): "aws_query",
    ("aws-api", "postgres"): "aws_query",
    ("aws-api", "spark"): "aws_session",
    ("aws-api", "trino-tls"): "aws_query",
    (CLI, "catalog"): "cli_search",
    (CLI, "dagster"): "materialize",
    (CLI, "metastore"): "find_stale",
    (CLI, "minio"): "find_stale",
    (CLI, "spark"): "spark_query",
    (CLI, "superset"): "push_dashboards",
    (CLI, "trino-tls"): "cli_query",
    (PEOPLE, "aws-api"): "aws_tables",
    (PEOPLE, "aws-api-spark"): "aws_session",
    (PEOPLE, "catalog"): "catalog_search",
    (PEOPLE, "dagster"): "list_runs",
    (PEOPLE, "minio-console"): "minio_page",
    (PEOPLE, "superset"): "chart",
    (PEOPLE, "trino-tls"): "query",
    # What only a cluster has.
    ("trino", "trino"): "spread_query",
    ("trino:worker", "trino"): "spread_query",
    ("trino:worker", "minio"): "make_table",
    ("spark", "spark-blocks"): "spark_broadcast",
    ("spark:executor", "spark-driver"): "spark_query",
    ("spark:executor", "spark-blocks"): "spark_broadcast",
    ("spark:executor", "minio"): "spark_read",
    (TEST, "catalog"): "release_test",
    (TEST, "trino-tls"): "release_test",
}
# Where the same port is another program's, too.
_STEPS_TO = {
    ("trino:worker", "trino", "trino"): "keep_workers",
    ("spark:executor", "spark-blocks", "spark:executor"): "spark_shuffle",
}


class StepError(Exception):
    """A step did not work; the message says why."""


def step_of(arrow: Arrow) -> str:
    """Return the step that takes an arrow.

    Raises:
        KeyError: Nobody has said which.
    """
    if arrow.caller in _BOOTSTRAPS:
        return arrow.caller
    return _STEPS_TO.get((arrow.caller, arrow.port, arrow.callee)) or _STEPS[arrow.caller, arrow.port]


@dataclass(frozen=True)
class Steps:
    """Does steps.

    Args:
        deployed: The platform.
        passwords: Of every login.
        authority: The certificate that people verify Trino with.
        within: Seconds that a command, or what is waited for after it, may take.
    """

    deployed: Deployed
    passwords: Mapping[str, str]
    authority: Path
    within: float = 240

    def do(self, name: str) -> Any:
        """Do a step and return what came of it.

        Raises:
            StepError: It did not work.
        """
        if name in _BOOTSTRAPS:
            return _good(self.deployed.bootstrap(name.partition(":")[0], self.within))
        step: Callable[[], Any] = getattr(self, name)
        return step()

    def materialize(self) -> str:
        """Write a table that Trino makes."""
        return self.headwater("materialize", "curated.loan_state", "--partition", "2019")

    def materialize_by_spark(self) -> str:
        """Write a table that Spark makes."""
        return self.headwater("materialize", "curated.loan_vintage", "--partition", "2019")

    def tell_run(self) -> Any:
        """Write a table, and find its run in the catalog."""
        began = time.time()
        self.materialize()
        return self._soon("the run is in the catalog", lambda: self._runs_since(began))

    def find_stale(self) -> str:
        """Compare tables with what Dagster says was written."""
        said = self.headwater("materialize", "--all", "--stale", "--no-wait")
        if "up to date" not in said:
            raise StepError(said)
        return said

    def push_dashboards(self) -> str:
        """Make Superset show the project's dashboards."""
        return self.headwater("dashboards", "push")

    def cli_query(self) -> str:
        """Ask Trino from inside."""
        return self.headwater("sql", "select count(*) from curated.loan_state")

    def cli_search(self) -> str:
        """Ask the catalog from inside."""
        return self.headwater("search", "vintage")

    def spark_query(self) -> str:
        """Ask Spark from inside."""
        return self.spark("select count(*) from curated.loan_state")

    def spark_broadcast(self) -> str:
        """Have Spark's driver fetch from an executor what is too large to be sent with its answer, and hand it out."""
        side = "(select id, uuid() as mark from range(200000))"
        return self.spark(
            f"select /*+ BROADCAST(b) */ max(a.mark), max(b.mark) from {side} a join {side} b on a.id = b.id"
        )

    def spark_read(self) -> str:
        """Ask Spark for what stands in no file's metadata, so that executors read files."""
        return self.spark("select state, sum(loans) from curated.loan_state group by 1")

    def spark_shuffle(self) -> str:
        """Have Spark share out a sum over numbers among more than one executor."""
        return self.spark(
            "select count(*) from (select id % 1000 k, sum(id) from range(0, 3000000000, 1, 300) group by 1)"
        )

    def spark(self, statement: str) -> str:
        """Ask Spark."""
        return self.headwater("sql", "--engine", "spark", statement)

    def spread_query(self) -> Any:
        """Ask Trino for what its workers share out and pass to each other."""
        return self.query(
            "SELECT count(*), sum(q) FROM (SELECT orderkey, sum(quantity) q FROM tpch.tiny.lineitem GROUP BY 1)"
        )

    def keep_workers(self) -> Any:
        """Ask Trino again after a time in which a worker that says nothing is given up."""
        until = time.monotonic() + _FORGET_SECONDS
        while time.monotonic() < until:
            self.spread_query()
            time.sleep(5)
        return self.spread_query()

    def release_test(self) -> str:
        """Do what `helm test` does."""
        return _good(self.deployed.release_test(self.within))

    def query(self, statement: str = "SELECT count(*), sum(loans) FROM curated.loan_state") -> Any:
        """Ask Trino from outside, over TLS at the published port."""
        return self._people(
            "query", str(self.deployed.port("trino-tls")), str(self.authority), self.passwords["trino"], statement
        )

    def make_schema(self) -> None:
        """Make a schema, whose folder the metastore makes, and drop it."""
        name = f"wired_{token_hex(4)}"  # another attempt may have been cut off
        self.query(f"CREATE SCHEMA {name} WITH (location = 's3://lake/{name}')")
        self.query(f"DROP SCHEMA {name}")

    def make_table(self) -> None:
        """Make a table by SQL and drop it; what was read before may be answered from memory, what is new is not."""
        name = f"curated.wired_{token_hex(4)}"
        self.query(f"CREATE TABLE {name} AS SELECT 1 AS one")
        self.query(f"DROP TABLE {name}")

    def trino_lineage(self) -> Any:
        """Make a table by SQL, and find in the catalog what it is made of."""
        return self._lineage(self.query, "wired_by_trino")

    def spark_lineage(self) -> Any:
        """Make a table by Spark, and find in the catalog what it is made of."""
        return self._lineage(self.spark, "wired_by_spark")

    def chart(self) -> Any:
        """Draw a chart's data as somebody who logged in."""
        url = self._published("superset")
        return self._people("chart", url, self.passwords["superset"], "loan_state", "state")

    def list_runs(self) -> Any:
        """Look at Dagster's runs."""
        url = f"{self._published('dagster')}/graphql"
        return self._people("graphql", url, "{ runsOrError(limit: 1) { __typename ... on Runs { results { id } } } }")

    def sensor_tick(self) -> Any:
        """Wait for a sensor to have looked, without a failure."""
        began, url = time.time(), f"{self._published('dagster')}/graphql"

        def ticked() -> Any:
            tick = self._people("graphql", url, _TICKS)["sensorOrError"]["sensorState"]["ticks"][0]
            if tick["timestamp"] < began or tick["status"] == "STARTED":
                return None
            return tick if tick["status"] != "FAILURE" else None

        return self._soon("a sensor has looked", ticked)

    def daemon_health(self) -> str:
        """Ask the daemon's own health check."""
        try:
            probed = self.deployed.probe("dagster:daemon")
        except NotReadyError as error:
            raise StepError(str(error)) from error
        return _good(probed)

    def catalog_search(self) -> Any:
        """Search in the catalog from outside."""
        found = self._catalog("search?q=vintage")["results"]
        if not found:
            raise StepError("nothing was found")
        return found

    def still_readable(self) -> Any:
        """Write a table, and have the catalog say that its newest snapshot can be read."""
        began = time.time()
        self.materialize()

        def readable() -> Any:
            return [one for one in self._runs_since(began) or () if one.get("readable")]

        return self._soon("the snapshot is known to be readable", readable)

    def sample_rows(self) -> Any:
        """Look at some rows of a table in the catalog."""
        return self._catalog("sample?name=curated.loan_state")["rows"]

    def minio_page(self) -> Any:
        """Open MinIO's console."""
        return self._people("page", self._published("minio-console"))

    def aws_tables(self) -> Any:
        """List tables as a client of AWS Glue does."""
        found = self._aws("glue", "curated")
        if "loan_state" not in found:
            raise StepError(f"there is no loan_state among {found}")
        return found

    def aws_query(self) -> Any:
        """Run a statement as a client of Amazon Athena does; its result goes to the lake."""
        return self._aws("athena", "SELECT count(*) FROM curated.loan_state")

    def aws_session(self) -> Any:
        """Ask Spark in a session of EMR Serverless."""
        return self._aws("session", "SELECT count(*) FROM curated.loan_state")

    def headwater(self, *arguments: str) -> str:
        """Run the command line inside."""
        return _good(self.deployed.headwater(*arguments, timeout=self.within))

    def _people(self, *arguments: str) -> Any:
        argv = (sys.executable, str(_PEOPLE), *arguments)
        return json.loads(_good(self.deployed.world.attempt(*argv, at=PEOPLE, timeout=self.within)))

    def _aws(self, service: str, question: str) -> Any:
        return self._people(service, self._published("aws-api"), "headwater", self.passwords["minio"], question)

    def _published(self, port: str) -> str:
        return f"http://127.0.0.1:{self.deployed.port(port)}"

    def _catalog(self, question: str) -> Any:
        return self._people("page", f"{self._published('catalog')}/api/v1/{question}")

    def _runs_since(self, began: float) -> Any:
        history = self._catalog("history?name=curated.loan_state")
        # Engines tell of their statements, too; the run alone knows its partition.
        told = [one for one in history["runs"] if one["partition"] == "2019" and one["ended_at"]]
        return [one for one in told if _seconds(one["ended_at"]) >= began]

    def _lineage(self, ask: Callable[[str], Any], name: str) -> Any:
        name = f"{name}_{token_hex(4)}"  # what an earlier table of the same name was made of stays known
        ask(f"CREATE TABLE curated.{name} AS SELECT state, loans FROM curated.loan_state")

        def edges() -> Any:
            found = self._catalog(f"lineage?name=curated.{name}&direction=up&depth=1")
            return [one for one in found["edges"] if one["source"] == "curated.loan_state"]

        return self._soon("lineage is in the catalog", edges)

    def _soon(self, what: str, look: Callable[[], Any]) -> Any:
        until, said = time.monotonic() + self.within, ""
        while time.monotonic() < until:
            try:
                if found := look():
                    return found
            except StepError as error:
                said = str(error)
            time.sleep(0.5)
        raise StepError(f"{what}: not within {self.within:.0f} s. {said}")


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def _good(done: Any) -> str:
    if done.returncode:
        raise StepError(f"exit code {done.returncode}: {(done.stdout + done.stderr)[-1500:]}")
    text: str = done.stdout
    return text
