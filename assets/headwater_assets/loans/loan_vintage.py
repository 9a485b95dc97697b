"""curated.loan_vintage: how the loans of one year turn bad as they age; a Spark function of two tables."""

from typing import Any

from headwater.checks import InRange, Unique
from headwater.table import Column, Partitioning, Table

from headwater_assets.loans._reading import FIRST_YEAR, YEAR
from headwater_assets.loans.loan_origination import loan_origination
from headwater_assets.loans.loan_performance import loan_performance

# Ended by a sale to a third party, a short sale, foreclosure or a note sale; or half a year behind.
DEFAULT_CODES = ("02", "03", "09", "15")
DEFAULT_MONTHS = 6


def body(origination: Any, performance: Any) -> Any:
    """Aggregate the months by age, then add how many loans had defaulted by then."""
    from pyspark.sql import Window  # noqa: PLC0415 - definitions load without Spark
    from pyspark.sql import functions as F  # noqa: N812, PLC0415

    foreclosed = F.col("current_loan_delinquency_status") == "RA"
    behind = F.when(foreclosed, 999).otherwise(F.col("current_loan_delinquency_status").try_cast("int"))
    ended_badly = F.col("zero_balance_code").isin(*DEFAULT_CODES)
    defaulted = F.coalesce(ended_badly, F.lit(False)) | F.coalesce(behind >= DEFAULT_MONTHS, F.lit(False))  # noqa: FBT003
    # Spark's lineage tells of an aggregate where its argument is computed in it; of a column that was computed or
    # renamed before, it tells that alone.
    by_age = performance.groupBy("year", "loan_age").agg(
        F.count("*").alias("loans"),
        F.sum("current_actual_upb").alias("upb"),
        *(F.avg((F.coalesce(behind, F.lit(0)) >= n).cast("int")).alias(f"share_{n * 30}_days") for n in (1, 2, 3)),
    )
    first = (
        performance.where(defaulted).groupBy("year", "loan_sequence_number").agg(F.min("loan_age").alias("loan_age"))
    )
    new = first.groupBy("year", "loan_age").agg(F.count("*").alias("new_defaults"))
    made = origination.groupBy("year").agg(F.count("*").alias("made"))
    so_far = F.sum(F.coalesce("new_defaults", F.lit(0))).over(Window.partitionBy("year").orderBy("loan_age"))
    joined = by_age.join(new, ["year", "loan_age"], "left").join(made, "year")
    return joined.withColumn("cumulative_default_rate", so_far / F.col("made"))


loan_vintage = Table(
    name="curated.loan_vintage",
    doc="One row per origination year and loan age: how many loans there are, are behind and have defaulted.",
    owner="team:loans",
    columns=(
        YEAR,
        Column("loan_age", "int", "Scheduled payments since the loan was made.", required=True),
        Column("loans", "long", "Loans that reported at this age.", required=True),
        Column("upb", "decimal(22,2)", "Their unpaid principal balance in dollars."),
        Column("share_30_days", "double", "Share of them that is 30 days or more behind, 0 to 1."),
        Column("share_60_days", "double", "Share of them that is 60 days or more behind, 0 to 1."),
        Column("share_90_days", "double", "Share of them that is 90 days or more behind, 0 to 1."),
        Column(
            "cumulative_default_rate",
            "double",
            "Share of the year's loans that had defaulted by this age (180 days behind or ended at a loss), 0 to 1.",
        ),
    ),
    upstreams=(loan_origination, loan_performance),
    engine="spark",
    body=body,
    partitioning=Partitioning("year", by="year", start=FIRST_YEAR),
    checks=(
        Unique("year", "loan_age"),
        InRange("share_30_days", 0.0, 1.0),
        InRange("share_90_days", 0.0, 1.0),
        InRange("cumulative_default_rate", 0.0, 1.0),
    ),
    fresh_within_hours=24 * 100,
)
