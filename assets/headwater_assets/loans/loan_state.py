"""curated.loan_state: the loans by state and year; SQL that Trino runs."""

from headwater.checks import InRange, Matches, Unique
from headwater.table import Column, Partitioning, Table

from headwater_assets.loans._reading import FIRST_YEAR, YEAR
from headwater_assets.loans.loan_origination import loan_origination
from headwater_assets.loans.loan_performance import loan_performance

loan_state = Table(
    name="curated.loan_state",
    doc="One row per state and origination year: how many loans were made, of which quality, and how many went bad.",
    owner="team:loans",
    profiled=True,
    columns=(
        Column("state", "string", "Two-letter state or territory of the property.", required=True),
        YEAR,
        Column("loans", "long", "Loans made.", required=True),
        Column("original_upb", "long", "Their balance when they were made, in dollars.", required=True),
        Column("average_credit_score", "double", "Mean credit score of their borrowers, where known."),
        Column("average_ltv", "double", "Mean loan-to-value at origination in percent, where known."),
        Column("average_interest_rate", "double", "Mean rate at origination in percent, each loan counting the same."),
        Column(
            "loans_ever_90_days", "long", "Loans that were ever 90 days or more behind, or foreclosed.", required=True
        ),
        Column("share_ever_90_days", "double", "Share of the loans that were, 0 to 1.", required=True),
    ),
    upstreams=(loan_origination, loan_performance),
    body="""
        WITH worst AS (
            SELECT
                year,
                loan_sequence_number,
                max(CASE
                    WHEN current_loan_delinquency_status = 'RA' THEN 999
                    ELSE try_cast(current_loan_delinquency_status AS integer)
                END) AS months_behind
            FROM partitioned.loan_performance
            GROUP BY year, loan_sequence_number
        )
        SELECT
            o.property_state AS state,
            o.year,
            count(*) AS loans,
            sum(o.original_upb) AS original_upb,
            avg(CAST(o.credit_score AS double)) AS average_credit_score,
            avg(CAST(o.original_ltv AS double)) AS average_ltv,
            avg(CAST(o.original_interest_rate AS double)) AS average_interest_rate,
            count(CASE WHEN w.months_behind >= 3 THEN 1 END) AS loans_ever_90_days,
            CAST(count(CASE WHEN w.months_behind >= 3 THEN 1 END) AS double) / count(*) AS share_ever_90_days
        FROM partitioned.loan_origination AS o
        LEFT JOIN worst AS w ON w.year = o.year AND w.loan_sequence_number = o.loan_sequence_number
        GROUP BY o.property_state, o.year
    """,
    partitioning=Partitioning("year", by="year", start=FIRST_YEAR),
    checks=(
        Unique("state", "year"),
        Matches("state", "[A-Z]{2}"),
        InRange("share_ever_90_days", 0.0, 1.0),
    ),
    fresh_within_hours=24 * 100,
)
