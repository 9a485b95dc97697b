"""The load as a PySpark script by hand: a session of its own, the same types, no checks and no rejects.

``spark-submit plain_spark.py FILES TABLE``: a malformed line is dropped without a word.
"""

from __future__ import annotations

import sys

from headwater_assets.loans.layout import ORIGINATION_FIELDS, LayoutField
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention


def main(files: str, table: str) -> None:
    """Write the files' loans to a table that is cut by year."""
    spark = SparkSession.builder.appName("plain load").getOrCreate()
    schema = ", ".join(f"{field.name} {_type(field)}" for field in ORIGINATION_FIELDS)
    options = {"sep": "|", "mode": "DROPMALFORMED", "dateFormat": "yyyyMM", "quote": ""}
    reader = spark.read.options(**options, ignoreLeadingWhiteSpace=True, ignoreTrailingWhiteSpace=True)
    loans = reader.csv(files, schema=schema)
    year = F.regexp_extract(F.input_file_name(), r"historical_data_(\d{4})", 1).cast("int")
    typed = loans.select(*map(_known, ORIGINATION_FIELDS), year.alias("year"))
    typed.writeTo(table).using("iceberg").partitionedBy("year").createOrReplace()
    spark.stop()


def _type(field: LayoutField) -> str:
    return {"date_yyyymm": "date", "long": "bigint"}.get(field.type, field.type)


def _known(field: LayoutField) -> Column:
    codes = [code if field.type == "string" else int(code) for code in field.missing]
    value = F.col(field.name)
    return (F.when(~value.isin(codes), value) if codes else value).alias(field.name)


if __name__ == "__main__":
    main(*sys.argv[1:])
