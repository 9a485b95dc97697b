"""partitioned.loan_origination: the loans, typed."""

from typing import Any

from headwater.checks import InRange, InSet, Unique
from headwater.table import Partitioning, Table

from headwater_assets.loans._reading import FIRST_YEAR, typed, typed_columns
from headwater_assets.loans.raw_loan_origination import raw_loan_origination


def body(raw: Any) -> Any:
    """Type every field; refuse lines with letters in a number, a bad date or a loan of another year."""
    return typed(raw, "origination")


loan_origination = Table(
    name="partitioned.loan_origination",
    doc="One row per loan, as it was when it was made.",
    owner="team:loans",
    columns=typed_columns(
        "origination",
        required=["loan_sequence_number", "original_upb", "property_state"],
        pii=["postal_code"],
    ),
    upstreams=(raw_loan_origination,),
    engine="spark",
    body=body,
    partitioning=Partitioning("year", by="year", start=FIRST_YEAR),
    rejects=True,
    checks=(
        Unique("loan_sequence_number"),
        InRange("original_upb", 1, 10_000_000),
        InRange("credit_score", 300, 850, blocking=False),
        InRange("original_interest_rate", 0, 20, blocking=False),
        InRange("original_ltv", 1, 998, blocking=False),
        InSet("occupancy_status", ("P", "S", "I"), blocking=False),
        InSet("channel", ("R", "B", "C", "T"), blocking=False),
    ),
)
