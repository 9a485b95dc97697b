"""An ingest as a DuckDB script by hand: ``python plain_parquet.py FILE PARQUET``."""

import sys

import duckdb

if __name__ == "__main__":
    source, target = sys.argv[1:]
    duckdb.execute(f"COPY (FROM read_csv('{source}')) TO '{target}' (FORMAT parquet)")
