"""curated.loan_seller_risk: which sellers' loans went bad; SQL that Trino runs, replaced whole."""

from headwater.checks import InRange, Unique
from headwater.table import Column, Table

from headwater_assets.loans.loan_origination import loan_origination
from headwater_assets.loans.loan_performance import loan_performance

loan_seller_risk = Table(
    name="curated.loan_seller_risk",
    doc="One row per seller over all years: how much it sold and what share of it went bad.",
    owner="team:risk",
    profiled=True,
    columns=(
        Column("seller_name", "string", "Who sold the loans; 'unknown' where the file does not say.", required=True),
        Column("loans", "long", "Loans sold.", required=True),
        Column("original_upb", "long", "Their balance when they were made, in dollars.", required=True),
        Column("average_credit_score", "double", "Mean credit score of their borrowers, where known."),
        Column(
            "loans_ever_90_days", "long", "Loans that were ever 90 days or more behind, or foreclosed.", required=True
        ),
        Column(
            "loans_liquidated", "long", "Loans that ended at a loss: sale, short sale or foreclosure.", required=True
        ),
        Column(
            "share_ever_90_days", "double", "Share of the loans that were ever 90 days behind, 0 to 1.", required=True
        ),
        Column("actual_loss", "decimal(22,2)", "Sum of the losses booked so far, in dollars, as the files sign them."),
    ),
    upstreams=(loan_origination, loan_performance),
    body="""
        WITH life AS (
            SELECT
                year,
                loan_sequence_number,
                max(CASE
                    WHEN current_loan_delinquency_status = 'RA' THEN 999
                    ELSE try_cast(current_loan_delinquency_status AS integer)
                END) AS months_behind,
                max(CASE WHEN zero_balance_code IN ('02', '03', '09', '15') THEN 1 ELSE 0 END) AS liquidated,
                sum(actual_loss_calculation) AS loss
            FROM partitioned.loan_performance
            GROUP BY year, loan_sequence_number
        )
        SELECT
            coalesce(o.seller_name, 'unknown') AS seller_name,
            count(*) AS loans,
            sum(o.original_upb) AS original_upb,
            avg(CAST(o.credit_score AS double)) AS average_credit_score,
            count(CASE WHEN l.months_behind >= 3 THEN 1 END) AS loans_ever_90_days,
            count(CASE WHEN l.liquidated = 1 THEN 1 END) AS loans_liquidated,
            CAST(count(CASE WHEN l.months_behind >= 3 THEN 1 END) AS double) / count(*) AS share_ever_90_days,
            CAST(sum(l.loss) AS decimal(22,2)) AS actual_loss
        FROM partitioned.loan_origination AS o
        LEFT JOIN life AS l ON l.year = o.year AND l.loan_sequence_number = o.loan_sequence_number
        GROUP BY coalesce(o.seller_name, 'unknown')
    """,
    checks=(
        Unique("seller_name"),
        InRange("share_ever_90_days", 0.0, 1.0),
    ),
    fresh_within_hours=24 * 100,
)
