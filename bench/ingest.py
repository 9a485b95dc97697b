"""A CSV file into a table: against DuckDB to a Parquet file, and awswrangler to Parquet on the same MinIO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from headwater.stack import Stack

from bench.pairs import Pair, duckdb_rows, same
from bench.plain import own_python, run_script, timed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.box import BenchBox

__all__ = ["ingest"]

_ROWS = 4_000_000
_TABLE = "raw.bench_trips"
# As a log of the phases of one ingest showed: 1.4 s before DuckDB begins, 4.5 s of copy beside 2.3 s of upload.
_LIMIT = (
    "before the first row is written the file is hashed and read byte by byte for its lines, quotes and encoding; while"
    " DuckDB writes, the file itself goes to the object store, which hashes every byte again on the same two cores; and"
    " every value is held against what was written, which costs half as much again as reading and writing it"
)
_ANSWER = """
SELECT count(*), sum(trip_id), min(picked_up), max(dropped_off), sum(passengers), sum(length(zone)), count(note),
    round(sum(distance), 3), round(sum(fare), 2), count(DISTINCT payment)
FROM {relation}
"""


def ingest(box: BenchBox, rounds: int, say: Callable[[str], None]) -> list[Pair]:
    """Ingest one file all three ways, in turns, and compare what is in the tables."""
    file = box.profile.project / "trips.csv"
    with box.up("postgres", "minio", "metastore", "trino"):
        python = own_python(box.profile.project, "awswrangler")
        _make(file)
        done = [_round(box, file, python, say) for _ in range(rounds)]
    ours, duckdb, awswrangler = (list(column) for column in zip(*done, strict=True))
    what = f"Ingest a CSV file of {_ROWS / 1e6:g}M rows, {file.stat().st_size / 1e6:.0f} MB"
    return [
        _pair(what, "DuckDB script to a Parquet file on the local disk", 1.5, ours, duckdb),
        _pair(what, "awswrangler's `s3.to_parquet` on the same MinIO", 0.5, ours, awswrangler),
    ]


def _pair(name: str, theirs: str, goal: float, ours: list[float], others: list[float]) -> Pair:
    return Pair(
        name=name,
        ours="`headwater ingest`: original stored, every value looked at, rows counted twice, a table in both engines",
        theirs=theirs,
        goal=goal,
        our_seconds=ours,
        their_seconds=others,
        limit=_LIMIT,
    )


def _round(box: BenchBox, file: Path, python: Path, say: Callable[[str], None]) -> tuple[float, float, float]:
    parquet = box.profile.home / "trips.parquet"
    prefix = f"s3://{box.profile.bucket}/bench/trips/"
    logins = box.profile.credentials
    keys = {"AWS_ACCESS_KEY_ID": logins.user("minio"), "AWS_SECRET_ACCESS_KEY": logins.password("minio")}
    store = f"http://{box.profile.address('minio')}"
    ours = timed(lambda: box.headwater("ingest", str(file), "--table", _TABLE, "--if-exists", "replace"))
    duckdb = run_script("plain_parquet", str(file), str(parquet))
    env = {"AWS_DEFAULT_REGION": box.profile.region, **keys}
    awswrangler = run_script("plain_awswrangler", str(file), prefix, store, python=python, **env)
    say(f"ingest: {ours:.1f} s, DuckDB {duckdb:.1f} s, awswrangler {awswrangler:.1f} s")
    answer = Stack.build(box.profile).engine("trino").arrow(_ANSWER.format(relation=_TABLE)).to_pylist()
    same("DuckDB", answer, duckdb_rows(_ANSWER.format(relation=f"read_parquet('{parquet}')")))
    same("awswrangler", answer, _in_awswrangler(box, prefix))
    return ours, duckdb, awswrangler


def _in_awswrangler(box: BenchBox, prefix: str) -> list[dict[str, Any]]:
    import pyarrow.dataset as pa_dataset  # noqa: PLC0415 - slow to import
    from pyarrow.fs import S3FileSystem  # noqa: PLC0415

    logins = box.profile.credentials
    store = S3FileSystem(
        access_key=logins.user("minio"),
        secret_key=logins.password("minio"),
        endpoint_override=f"http://{box.profile.address('minio')}",
        region=box.profile.region,
    )
    written = pa_dataset.dataset(prefix.removeprefix("s3://"), filesystem=store, format="parquet")
    return duckdb_rows(_ANSWER.format(relation="written"), written=written)


def _make(file: Path) -> None:
    """Write trips as a data engineer meets them: numbers, times, decimals, short texts, and gaps."""
    import duckdb  # noqa: PLC0415

    duckdb.execute(
        f"""
        COPY (
            SELECT n AS trip_id, timestamp '2024-01-01' + to_seconds(n * 7) AS picked_up,
                timestamp '2024-01-01' + to_seconds(n * 7 + 60 + hash(n) % 3600) AS dropped_off,
                1 + hash(n, 1) % 6 AS passengers, round((hash(n, 2) % 30000) / 1000, 3)::decimal(9, 3) AS distance,
                ((hash(n, 3) % 10000) / 100)::decimal(9, 2) AS fare,
                ['cash', 'card', 'app'][(1 + hash(n, 4) % 3)::int] AS payment,
                'Zone ' || (hash(n, 5) % 260) AS zone, CASE WHEN n % 9 = 0 THEN 'a note of the driver' END AS note
            FROM range({_ROWS}) AS numbers(n)
        ) TO '{file}' (FORMAT csv, HEADER)
        """  # noqa: S608 - a path of the bench's own
    )
