"""The load as a DuckDB script by hand: hive-partitioned Parquet on the local disk, no checks and no rejects.

``python plain_duckdb.py FILES FOLDER``: a malformed line is dropped without a word.
"""

from __future__ import annotations

import sys

import duckdb
from headwater_assets.loans.layout import ORIGINATION_FIELDS, LayoutField

_TYPES = {"date_yyyymm": "date", "long": "bigint", "string": "varchar"}


def main(files: str, folder: str) -> None:
    """Write the files' loans to a folder that is cut by year."""
    columns = {field.name: _TYPES.get(field.type, field.type) for field in ORIGINATION_FIELDS}
    duckdb.execute(
        f"""
        COPY (
            SELECT {", ".join(map(_known, ORIGINATION_FIELDS))},
                regexp_extract(filename, 'historical_data_([0-9]{{4}})', 1)::int AS year
            FROM read_csv('{files}', delim = '|', header = false, quote = '', columns = {columns},
                dateformat = '%Y%m', nullstr = ['', ' '], ignore_errors = true, filename = true)
        ) TO '{folder}' (FORMAT parquet, PARTITION_BY (year), OVERWRITE)
        """  # noqa: S608 - paths of the bench's own
    )


def _known(field: LayoutField) -> str:
    codes = ", ".join(f"'{code}'" if field.type == "string" else code for code in field.missing)
    return f"CASE WHEN {field.name} NOT IN ({codes}) THEN {field.name} END AS {field.name}" if codes else field.name


if __name__ == "__main__":
    main(*sys.argv[1:])
