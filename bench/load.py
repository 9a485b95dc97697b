"""Loading files into ``partitioned.loan_origination``: against PySpark and DuckDB scripts that check nothing."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from headwater.stack import Stack

from bench.box import YEARS
from bench.memory import resident, written
from bench.pairs import Pair, duckdb_rows, same
from bench.plain import run_script, run_spark_script, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bench.box import BenchBox

__all__ = ["load"]


_PLAIN_TABLE = "curated.plain_loan_origination"
_TABLES = ("raw.loan_origination", "partitioned.loan_origination")
# Rows, and over all of them every way in which a value can go missing or change.
_ANSWER = """
SELECT year, count(*), sum(original_upb), sum(credit_score), count(credit_score), sum(original_interest_rate),
    min(first_payment_date), max(maturity_date), count(DISTINCT seller_name), count(mortgage_insurance_percentage),
    sum(length(loan_sequence_number)), count(postal_code), count(property_valuation_method)
FROM {relation} GROUP BY year ORDER BY year
"""
# By the processor's seconds of each step, 1.5M loans to a warm Spark: 22 in all.
_LIMIT = (
    "the first load after a start spends half a minute on compiling; a fifth of the time the files are stored and their"
    " lines counted before Spark sees them; and of Spark's own time a third goes into Parquet, a sixth into splitting"
    " lines, a third into trimming, codes for what is missing, casts and reasons of refusal, and a sixth into watching"
    " for refused lines, which the scripts leave out (one step for all was tried, and is slower)"
)


def load(box: BenchBox, scales: Mapping[int, int], say: Callable[[str], None]) -> dict[str, Any]:
    """Load each number of loans all three ways, in turns, so many times.

    Returns:
        Pairs, the peak memory of Spark in MiB, and the seconds that ours spent on each table in the last round.
    """
    pairs, peaks, spent = [], {}, {}
    with box.up():
        for loans, rounds in scales.items():
            done = [_round(box, loans, number, say) for number in range(rounds)]
            ours, spark, duckdb, memory, tables = (list(column) for column in zip(*done, strict=True))
            pairs += [
                _pair(loans, "PySpark script on a fresh session, no checks, no rejects", 0.8, ours, spark),
                _pair(loans, "DuckDB script to Parquet on the local disk, no checks, no rejects", 2.0, ours, duckdb),
            ]
            peaks[f"{loans:,}"] = round(max(memory))
            spent[f"{loans:,}"] = tables[-1]
    return {"pairs": pairs, "peak_mib": peaks, "table_seconds": spent}


def _pair(loans: int, theirs: str, goal: float, ours: list[float], others: list[float]) -> Pair:
    return Pair(
        name=f"Load {loans / 1e6:g}M loans, files to checked table",
        ours="`headwater materialize`: raw files stored, typed, checked, rejects kept, published by one commit",
        theirs=theirs,
        goal=goal,
        our_seconds=ours,
        their_seconds=others,
        limit=_LIMIT,
    )


def _round(
    box: BenchBox, loans: int, number: int, say: Callable[[str], None]
) -> tuple[float, float, float, float, dict[str, float]]:
    """Make loans that no earlier round had, load them three ways, and compare what is in the tables."""
    folder = box.profile.project / "data" / "loans"
    _make(box, loans, number, folder)
    files, parquet = str(folder / "historical_data_20*.txt"), box.profile.home / "plain-duckdb"
    said: list[str] = []
    with resident(box, "spark") as memory:
        ours = timed(lambda: said.append(box.headwater("materialize", *_TABLES, "--all-partitions")))
    tables = {one["name"]: one["seconds"] for one in written(said[0])}
    spark = run_spark_script(box.profile, "plain_spark", files, _PLAIN_TABLE)
    duckdb = run_script("plain_duckdb", files, str(parquet))
    say(f"load {loans}: {ours:.1f} s {tables}, PySpark {spark:.1f} s, DuckDB {duckdb:.1f} s, {max(memory):.0f} MiB")
    trino = Stack.build(box.profile).engine("trino")
    answer = [*trino.arrow(_ANSWER.format(relation=_TABLES[1])).to_pylist()]
    same("PySpark", answer, trino.arrow(_ANSWER.format(relation=_PLAIN_TABLE)).to_pylist())
    same("DuckDB", answer, duckdb_rows(_ANSWER.format(relation=_parquet(parquet))))
    shutil.rmtree(parquet)
    return ours, spark, duckdb, max(memory), tables


def _make(box: BenchBox, loans: int, number: int, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    asked = ["--rows", str(loans), "--years", YEARS, "--months", "1", "--seed", str(number + 1)]
    box.headwater("demo-data", "loans", *asked)
    for file in folder.glob("historical_data_time_*"):
        file.unlink()


def _parquet(folder: Path) -> str:
    return f"read_parquet('{folder}/*/*.parquet', hive_partitioning = true)"
