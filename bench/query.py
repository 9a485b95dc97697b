"""Queries on the lake through Trino, against DuckDB on the very same Parquet files on the local disk."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from headwater.box.components.s3 import s3_client
from headwater.stack import Stack

from bench.demo import fill
from bench.pairs import Pair, same
from bench.tpch import QUERIES, TABLES, UNORDERED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import duckdb
    import pyarrow as pa
    from headwater.engines.base import Engine

    from bench.box import BenchBox

__all__ = ["geometric_mean", "query"]

_CURATED = {
    "curve": """
        select year, loan_age, loans, cumulative_default_rate
        from curated.loan_vintage
        where loan_age % 12 = 0
        order by year, loan_age
    """,
    "vintages": """
        select year, max(loans) as made, max(cumulative_default_rate) as defaulted, max(share_90_days) as worst
        from curated.loan_vintage
        group by year
        order by year
    """,
    "states": """
        select state, sum(original_upb) as balance, sum(average_credit_score * loans) / sum(loans) as score
        from curated.loan_state
        group by state
        order by balance desc, state
        limit 10
    """,
    "worst state of each year": """
        select year, state, share_ever_90_days
        from (
            select year, state, share_ever_90_days,
                row_number() over (partition by year order by share_ever_90_days desc, state) as place
            from curated.loan_state
            where loans > 100
        ) as ranked
        where place <= 3
        order by year, place
    """,
    "sellers": """
        select seller_name, loans, share_ever_90_days, actual_loss
        from curated.loan_seller_risk
        order by share_ever_90_days desc, seller_name
    """,
    "states by how the year went": """
        select s.year, count(*) as states, sum(s.loans) as loans, max(v.rate) as rate
        from curated.loan_state as s
        join (select year, max(cumulative_default_rate) as rate from curated.loan_vintage group by year) as v
            on v.year = s.year
        group by s.year
        order by s.year
    """,
}
_CURATED_TABLES = ("loan_vintage", "loan_state", "loan_seller_risk")
# Both add up doubles in whatever order their threads come by.
_WITHIN = 1e-9
# Before the first round that counts: Java compiles what runs often, which takes minutes, and both fill their caches.
_UNTIMED = 4
_TPCH_LIMIT = (
    "Trino's way of working on one small machine: every query is planned, cut into stages and passed on between them"
    " through HTTP, by Java that decodes Parquet without vector instructions"
)
_CURATED_LIMIT = (
    "what any query costs Trino before it reads a row: its answer asked for in several requests, plan, stages and"
    " tasks; DuckDB answers within the process, in milliseconds"
)


def query(box: BenchBox, rounds: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask both sides every query, in turns, so many times: pairs, and the seconds of each query."""
    with box.up():
        trino = Stack.build(box.profile).engine("trino")
        fill(box)
        _generate(box, trino)
        with _copied(box, trino) as duck:
            tpch, tpch_each = _measured(trino, duck, QUERIES, rounds, say)
            curated, curated_each = _measured(trino, duck, _CURATED, rounds, say)
    pairs = [
        _pair("TPC-H at scale factor 1, geometric mean of the 22 queries, warm", tpch, _TPCH_LIMIT),
        _pair(f"{len(_CURATED)} queries on the curated loans, geometric mean, warm", curated, _CURATED_LIMIT),
    ]
    return {"pairs": pairs, "queries": {**tpch_each, **curated_each}}


def _pair(name: str, seconds: Sequence[Sequence[float]], limit: str) -> Pair:
    return Pair(
        name=name,
        ours="Trino, Iceberg tables on the box's object store",
        theirs="DuckDB in the same process, the same Parquet files on the local disk",
        goal=4.0,
        our_seconds=seconds[0],
        their_seconds=seconds[1],
        limit=limit,
    )


def geometric_mean(values: list[float]) -> float:
    """Return the mean in which twice as slow and twice as fast cancel out.

    >>> geometric_mean([1.0, 4.0])
    2.0
    """
    return math.exp(math.fsum(math.log(value) for value in values) / len(values))


def _generate(box: BenchBox, trino: Engine) -> None:
    """Write TPC-H's tables with Trino's own generator, as anybody's CREATE TABLE AS would."""
    trino.arrow(f"CREATE SCHEMA iceberg.tpch WITH (location = 's3://{box.profile.bucket}/tpch')")
    for table, (prefix, columns) in TABLES.items():
        named = ", ".join(f"{column} AS {prefix}{column}" for column in columns)
        trino.arrow(f"CREATE TABLE iceberg.tpch.{table} AS SELECT {named} FROM tpch.sf1.{table}")  # noqa: S608 - names from here


@contextmanager
def _copied(box: BenchBox, trino: Engine) -> Iterator[duckdb.DuckDBPyConnection]:
    """Download every data file of the tables and yield a DuckDB that has them under the same names."""
    import duckdb  # noqa: PLC0415 - slow to import

    every = [("tpch", table) for table in TABLES] + [("curated", table) for table in _CURATED_TABLES]
    with duckdb.connect() as connection:
        for schema, table in every:
            files = [str(file) for file in _files(box, trino, schema, table)]
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            connection.execute(f"CREATE VIEW {schema}.{table} AS SELECT * FROM read_parquet({files!r})")  # noqa: S608 - the same
        yield connection


def _files(box: BenchBox, trino: Engine, schema: str, table: str) -> Iterator[Path]:
    client, folder = s3_client(box.profile), box.profile.home / "bench-files"
    for row in trino.arrow(f'SELECT file_path FROM {schema}."{table}$files"').to_pylist():  # noqa: S608 - the same
        place = urlsplit(row["file_path"])
        file = folder / place.path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        client.download_file(place.netloc, place.path.lstrip("/"), str(file))
        yield file


def _measured(
    trino: Engine,
    duck: duckdb.DuckDBPyConnection,
    queries: Mapping[str, str],
    rounds: int,
    say: Callable[[str], None],
) -> tuple[tuple[list[float], list[float]], dict[str, dict[str, float]]]:
    """Return each side's geometric mean per round, and per query both medians and their ratio."""
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in queries}
    for number in range(-_UNTIMED, rounds):
        for name, sql in queries.items():
            ours, our_rows = _timed(trino.arrow, sql)
            theirs, their_rows = _timed(lambda sql: duck.sql(sql).to_arrow_table(), sql)
            _same(name, our_rows, their_rows)
            if number >= 0:
                took[name][0].append(ours)
                took[name][1].append(theirs)
        say(f"query: round {number + 1} of {rounds} done" if number >= 0 else "query: a round that warms both sides up")
    each = {name: _seconds(*both) for name, both in took.items()}
    for name, one in each.items():
        say(f"query {name}: {one['seconds']:.3f} s, DuckDB {one['duckdb_seconds']:.3f} s, {one['ratio']:.1f} times")
    means = [[geometric_mean([both[side][at] for both in took.values()]) for at in range(rounds)] for side in (0, 1)]
    return (means[0], means[1]), each


def _seconds(ours: list[float], theirs: list[float]) -> dict[str, float]:
    mine, other = median(ours), median(theirs)
    return {"seconds": round(mine, 3), "duckdb_seconds": round(other, 3), "ratio": round(mine / other, 1)}


def _timed(ask: Callable[[str], pa.Table], sql: str) -> tuple[float, list[dict[str, Any]]]:
    began = time.perf_counter()
    answer = ask(sql)
    return time.perf_counter() - began, answer.to_pylist()


def _same(name: str, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    if name in UNORDERED:
        ours, theirs = (sorted(rows, key=lambda row: list(row.values())) for rows in (ours, theirs))
    same(f"DuckDB, asked {name},", ours, theirs, within=_WITHIN)
