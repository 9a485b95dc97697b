"""Amazon Athena: the engine of SQL where the lake is on S3 and its tables are in Glue."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from headwater._aws import aws_client, aws_errors
from headwater.dialects import ATHENA, Dialect
from headwater.engines._athena_rows import arrow_schema, record_batch
from headwater.engines._athena_sql import for_athena
from headwater.engines.base import Engine, StageJob, insert_statement, pointed
from headwater.engines.meter import spend
from headwater.errors import EngineAway, QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

__all__ = ["AthenaEngine"]

# What an INSERT of Athena may write at once.
_PARTITIONS_AT_ONCE = 100
# The most rows that one answer holds.
_PAGE = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
# Athena's price in most regions; each query counts as 10 MB at least. Statements that fail or make tables are free.
_DOLLARS_A_TERABYTE = 5.0
_LEAST_BILLED, _TERABYTE = 10 * 1024**2, 1024**4
_ENDED = ("SUCCEEDED", "FAILED", "CANCELLED")
_SIZES = {"": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
_PLACE = re.compile(r"line (\d+):(\d+): ")


@dataclass(frozen=True, kw_only=True)
class AthenaEngine(Engine):
    """Athena in the account and region that the AWS clients' own configuration leads to.

    Args:
        region: Where; empty where that configuration says.
        work_group: Says where results go, and how much a query may scan.
        reuse_minutes: How old a result may be that answers the same query again; 0 for never.
        seconds: How long a statement may take; None for as long as Athena lets it.
        most_scanned: How much it may read, e.g. ``4GB``; empty for as much as the work group lets it.
    """

    region: str
    work_group: str
    reuse_minutes: int = 0
    seconds: int | None = None
    most_scanned: str = ""

    @property
    def dialect(self) -> Dialect:
        """Athena's own."""
        return ATHENA

    def arrow(self, sql: str) -> pa.Table:
        """Run one statement; columns keep the types that Athena reports."""
        import pyarrow as pa  # noqa: PLC0415 - slow to import

        schema, batches = self.batches(sql)
        return pa.Table.from_batches(batches, schema)

    def batches(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Run one statement; rows are fetched as they are asked for."""
        done = self._run(for_athena(sql.strip().removesuffix(";")))
        pages = self._pages(done)
        first = next(pages)
        schema = arrow_schema(first["ResultSetMetadata"]["ColumnInfo"])

        def rows() -> Iterator[pa.RecordBatch]:
            # Only what a query answers begins with the columns' names.
            headed = done.get("StatementType") == "DML"
            yield record_batch(first["Rows"][1:] if headed else first["Rows"], schema)
            for page in pages:
                yield record_batch(page["Rows"], schema)

        return schema, rows()

    def stage(self, job: StageJob) -> None:
        """Insert the body's rows into the stage, as many partitions at once as Athena takes."""
        starts = range(0, len(job.values), _PARTITIONS_AT_ONCE) if job.values else (0,)
        for start in starts:
            some = replace(job, values=job.values[start : start + _PARTITIONS_AT_ONCE])
            self._run(insert_statement(some, self.dialect.name))

    @property
    def _client(self) -> Any:
        return aws_client("athena", self.region)

    def _run(self, statement: str) -> Mapping[str, Any]:
        """Run a statement to its end and return what Athena says of it."""
        query = self._start(statement)
        try:
            done = self._wait(query)
        except BaseException:
            # What keeps it from being stopped says less than why nobody waits for it.
            with suppress(QueryError):
                self._stop(query)
            raise
        spend(_cost(done))
        if done["Status"]["State"] != "SUCCEEDED":
            raise _error(done, statement)
        return done

    def _start(self, statement: str) -> str:
        reuse = {"Enabled": True, "MaxAgeInMinutes": self.reuse_minutes}
        more = {"ResultReuseConfiguration": {"ResultReuseByAgeConfiguration": reuse}} if self.reuse_minutes else {}
        with aws_errors("Athena did not take the statement", QueryError, busy=EngineAway):
            answer = self._client.start_query_execution(
                QueryString=statement,
                QueryExecutionContext={"Catalog": "AwsDataCatalog"},
                WorkGroup=self.work_group,
                **more,
            )
        return str(answer["QueryExecutionId"])

    def _wait(self, query: str) -> Mapping[str, Any]:
        began, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            with aws_errors(f"Athena does not say how query {query} goes", QueryError, busy=EngineAway):
                found: Mapping[str, Any] = self._client.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            if found["Status"]["State"] in _ENDED:
                return found
            self._judge(found, time.monotonic() - began)
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _judge(self, found: Mapping[str, Any], taken: float) -> None:
        """Refuse what goes on beyond this engine's bounds."""
        if self.seconds is not None and taken > self.seconds:
            raise QueryError(f"The query was stopped: it takes longer than {self.seconds} seconds. Ask for less.")
        if self.most_scanned and _scanned(found) > _size(self.most_scanned):
            raise QueryError(f"The query was stopped: it reads more than {self.most_scanned}. Ask for less.")

    def _stop(self, query: str) -> None:
        """Stop a query that nobody waits for any more, where it would go on costing."""
        with aws_errors(f"The query {query} was not stopped", QueryError, busy=EngineAway):
            self._client.stop_query_execution(QueryExecutionId=query)

    def _pages(self, done: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        query = done["QueryExecutionId"]
        more: dict[str, str] = {}
        while True:
            with aws_errors(f"The rows of query {query} were not read", QueryError, busy=EngineAway):
                answer = self._client.get_query_results(QueryExecutionId=query, MaxResults=_PAGE, **more)
            yield answer["ResultSet"]
            if not answer.get("NextToken"):
                return
            more = {"NextToken": answer["NextToken"]}


def _error(found: Mapping[str, Any], statement: str) -> QueryError:
    status, query = found["Status"], found["QueryExecutionId"]
    said = str(status.get("StateChangeReason", "no reason given")).rstrip(".")
    if status["State"] == "CANCELLED":
        return QueryError(
            f"Athena's query {query} was cancelled: {said}. Ask for less, or raise the work group's bound."
        )
    if status.get("AthenaError", {}).get("Retryable"):
        return EngineAway(f"Athena could not run the statement now: {said} (query {query}). Run it again.")
    place = _PLACE.search(said)
    if place is None:
        return QueryError(f"Athena failed the statement: {said} (query {query}).")
    line, column = int(place[1]), int(place[2])
    why = said[place.end() :]
    return QueryError(
        f"Athena refused line {line}, column {column}: {why}\n{pointed(statement, line, column)}".rstrip()
    )


def _scanned(found: Mapping[str, Any]) -> int:
    return int(found.get("Statistics", {}).get("DataScannedInBytes", 0))


def _cost(done: Mapping[str, Any]) -> dict[str, float]:
    scanned = _scanned(done)
    # A query that fails costs nothing; one that is cancelled costs what it read.
    counts = done.get("StatementType") == "DML" and done["Status"]["State"] != "FAILED"
    reused = done.get("Statistics", {}).get("ResultReuseInformation", {}).get("ReusedPreviousResult", False)
    billed = max(scanned, _LEAST_BILLED) if counts and not reused else 0
    return {
        "athena/queries": 1.0,
        "athena/bytes_scanned": float(scanned),
        "athena/dollars": billed / _TERABYTE * _DOLLARS_A_TERABYTE,
    }


def _size(text: str) -> int:
    number = text.rstrip("kMGTB")
    return int(number) * _SIZES[text.removeprefix(number)]
