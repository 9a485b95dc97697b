"""partitioned.loan_performance: what became of the loans, month by month, typed."""

from typing import Any

from headwater.checks import ForeignKey, InRange, InSet, Matches, Unique
from headwater.table import Partitioning, Table

from headwater_assets.loans._reading import FIRST_YEAR, typed, typed_columns
from headwater_assets.loans.loan_origination import loan_origination
from headwater_assets.loans.raw_loan_performance import raw_loan_performance


def body(raw: Any) -> Any:
    """Type every field; refuse lines with letters in a number, a bad date or a loan of another year."""
    return typed(raw, "performance")


loan_performance = Table(
    name="partitioned.loan_performance",
    doc="One row per loan and month, by the year in which the loan was made.",
    owner="team:loans",
    columns=typed_columns("performance", required=["loan_sequence_number", "monthly_reporting_period", "loan_age"]),
    upstreams=(raw_loan_performance,),
    engine="spark",
    body=body,
    partitioning=Partitioning("year", by="year", start=FIRST_YEAR),
    rejects=True,
    checks=(
        Unique("loan_sequence_number", "monthly_reporting_period"),
        ForeignKey("loan_sequence_number", loan_origination),
        InRange("loan_age", -1, 600),
        InRange("current_actual_upb", 0, 10_000_000, blocking=False),
        InSet("modification_flag", ("Y", "P"), blocking=False),
        Matches("current_loan_delinquency_status", r"RA|\d{1,3}", blocking=False),
    ),
)
