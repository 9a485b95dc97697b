"""The field lists of Freddie Mac's single-family loan-level files: pipe-delimited, no header. Pure.

The demo data is written in this layout and the table definitions read it. A value of nothing but spaces is missing in
every field; ``LayoutField.missing`` holds the codes that mean the same.

Release 47 (July 2026) moved two fields from the origination to the performance file and added one to each, so a file's
field count says how to read it: 32 and 32 fields before, 31 and 35 since. It also turned the signs of the loss
fields: before, expenses and losses are negative and recoveries positive; since, the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from headwater.errors import DefinitionError

__all__ = ["ORIGINATION_FIELDS", "PERFORMANCE_FIELDS", "FileKind", "LayoutField", "fields_for"]

FileKind = Literal["origination", "performance"]


@dataclass(frozen=True)
class LayoutField:
    """One field of a file.

    Args:
        name: The column's name.
        type: string, int, long, double, decimal(p,s), or date_yyyymm for a month such as 201903.
        doc: One line for people.
        missing: The codes that mean "not available", next to empty and spaces.
    """

    name: str
    type: str
    doc: str
    missing: tuple[str, ...] = ()


_MONEY = "decimal(12,2)"
_RATE = "decimal(6,3)"
_NINE = ("9",)
_NINES = ("99",)
_PERCENT = ("999",)

ORIGINATION_FIELDS: tuple[LayoutField, ...] = (
    LayoutField("credit_score", "int", "Borrower's credit score at origination, 300 to 850.", ("9999",)),
    LayoutField("first_payment_date", "date_yyyymm", "Month of the first scheduled payment."),
    LayoutField("first_time_homebuyer_flag", "string", "Y when a borrower buys a first home, else N.", _NINE),
    LayoutField("maturity_date", "date_yyyymm", "Month of the last scheduled payment."),
    LayoutField("metropolitan_statistical_area", "string", "Census code of the metropolitan area; empty outside one."),
    LayoutField("mortgage_insurance_percentage", "int", "Share of a loss that is insured; 0 is none.", _PERCENT),
    LayoutField("number_of_units", "int", "Dwellings in the property, 1 to 4.", _NINES),
    LayoutField("occupancy_status", "string", "P primary home, S second home, I investment.", _NINE),
    LayoutField("original_combined_ltv", "int", "All loans on the property as a percentage of its value.", _PERCENT),
    LayoutField("original_dti", "int", "Monthly debt as a percentage of the borrowers' income.", _PERCENT),
    LayoutField("original_upb", "long", "Unpaid principal balance at origination, in whole thousands of dollars."),
    LayoutField("original_ltv", "int", "This loan as a percentage of the property's value.", _PERCENT),
    LayoutField("original_interest_rate", _RATE, "Yearly note rate at origination in percent."),
    LayoutField("channel", "string", "R retail, B broker, C correspondent, T third party.", _NINE),
    LayoutField("prepayment_penalty_flag", "string", "Y when an early payoff costs a fee."),
    LayoutField("amortization_type", "string", "FRM fixed rate or ARM adjustable rate."),
    LayoutField("property_state", "string", "Two-letter state or territory."),
    LayoutField("property_type", "string", "SF, CO condominium, PU planned unit, MH manufactured, CP co-op.", _NINES),
    LayoutField("postal_code", "string", "First three digits of the postal code, followed by 00.", ("00",)),
    LayoutField("loan_sequence_number", "string", "The loan's identifier, the key of both files."),
    LayoutField("loan_purpose", "string", "P purchase, C cash-out, N no cash-out, R unspecified refinance.", _NINE),
    LayoutField("original_loan_term", "int", "Number of scheduled monthly payments."),
    LayoutField("number_of_borrowers", "int", "People who owe the loan.", _NINES),
    LayoutField("seller_name", "string", "Who sold the loan to Freddie Mac."),
    LayoutField("servicer_name", "string", "Who collects the payments."),
    LayoutField("super_conforming_flag", "string", "Y above the national loan limit."),
    LayoutField("pre_relief_refinance_loan_sequence_number", "string", "The loan that a relief refinance replaced."),
    LayoutField("program_indicator", "string", "H Home Possible, F HFA Advantage, R Refi Possible.", _NINE),
    LayoutField("relief_refinance_indicator", "string", "Y for a relief refinance."),
    LayoutField(
        "property_valuation_method", "int", "1 waived, 2 appraisal, 3 other, 4 waived with report.", ("7", "9")
    ),
    LayoutField("interest_only_indicator", "string", "Y when only interest is due at first."),
    LayoutField("mi_cancellation_indicator", "string", "Y insurance cancelled, N not, 7 does not apply.", _NINE),
)

PERFORMANCE_FIELDS: tuple[LayoutField, ...] = (
    LayoutField("loan_sequence_number", "string", "The loan's identifier, the key of both files."),
    LayoutField("monthly_reporting_period", "date_yyyymm", "The month this line reports."),
    LayoutField("current_actual_upb", _MONEY, "Unpaid principal balance at the end of the month."),
    LayoutField("current_loan_delinquency_status", "string", "Months behind: 0, 1, 2, ..., or RA foreclosed.", ("XX",)),
    LayoutField("loan_age", "int", "Scheduled payments since origination."),
    LayoutField("remaining_months_to_legal_maturity", "int", "Scheduled payments still to come."),
    LayoutField("defect_settlement_date", "date_yyyymm", "Month in which a defect of the loan was settled."),
    LayoutField("modification_flag", "string", "Y modified in this month, P in an earlier one."),
    LayoutField(
        "zero_balance_code", "string", "Why the loan ended: 01 paid, 02 third-party sale, 03 short sale, 09 REO."
    ),
    LayoutField("zero_balance_effective_date", "date_yyyymm", "Month in which the loan ended."),
    LayoutField("current_interest_rate", _RATE, "Yearly rate in force, in percent."),
    LayoutField("current_non_interest_bearing_upb", _MONEY, "Deferred part of the balance."),
    LayoutField("due_date_of_last_paid_installment", "date_yyyymm", "Month of the last payment made."),
    LayoutField("mi_recoveries", _MONEY, "Paid by the mortgage insurer."),
    LayoutField("net_sales_proceeds", "string", "Amount from the property's sale, or C covered, or U unknown.", ("U",)),
    LayoutField("non_mi_recoveries", _MONEY, "Recovered from others than the insurer."),
    LayoutField("expenses", _MONEY, "Sum of the four costs that follow."),
    LayoutField("legal_costs", _MONEY, "Costs of the foreclosure."),
    LayoutField("maintenance_and_preservation_costs", _MONEY, "Costs of keeping the property."),
    LayoutField("taxes_and_insurance", _MONEY, "Taxes and insurance paid on the property."),
    LayoutField("miscellaneous_expenses", _MONEY, "Other costs."),
    LayoutField("actual_loss_calculation", _MONEY, "Result of the liquidation; a loss is negative before release 47."),
    LayoutField("modification_cost", _MONEY, "Cost of modifications so far."),
    LayoutField("step_modification_flag", "string", "Y when the modified rate rises in steps, else N."),
    LayoutField("payment_deferral", "string", "Y or C payments deferred in this month, P in an earlier one."),
    LayoutField("estimated_ltv", "int", "The balance as a percentage of the property's value today.", _PERCENT),
    LayoutField("zero_balance_removal_upb", _MONEY, "Balance just before the loan ended."),
    LayoutField("delinquent_accrued_interest", _MONEY, "Interest owed when the loan ended."),
    LayoutField("delinquency_due_to_disaster", "string", "Y when a disaster is the reason for the delinquency."),
    LayoutField("borrower_assistance_status_code", "string", "F forbearance, R repayment plan, T trial period."),
    LayoutField("current_month_modification_cost", _MONEY, "Cost of modifications in this month."),
    LayoutField("interest_bearing_upb", _MONEY, "Part of the balance that bears interest."),
)

_BY_NAME = {field.name: field for field in ORIGINATION_FIELDS}
_MOVED = ("servicer_name", "mi_cancellation_indicator")

_LAYOUTS: dict[FileKind, tuple[tuple[LayoutField, ...], ...]] = {
    "origination": (
        ORIGINATION_FIELDS,
        (
            *(field for field in ORIGINATION_FIELDS if field.name not in _MOVED),
            LayoutField("vantage_score", "int", "Borrower's VantageScore 4.0 at origination.", ("9999",)),
        ),
    ),
    "performance": (
        PERFORMANCE_FIELDS,
        (
            *PERFORMANCE_FIELDS,
            _BY_NAME["mi_cancellation_indicator"],
            _BY_NAME["servicer_name"],
            LayoutField("bankruptcy_cramdown_costs", _MONEY, "Balance that a bankruptcy court took off."),
        ),
    ),
}


def fields_for(kind: FileKind, count: int) -> tuple[LayoutField, ...]:
    """Return the fields, in order, of a file whose lines have ``count`` fields.

    Fields are found by name: one that the other layout has and this one lacks is missing in every line.

    Args:
        kind: ``origination`` or ``performance``.
        count: The number of fields in the file's first line.

    Raises:
        DefinitionError: No known layout of that kind has so many fields.

    Examples:
        >>> fields_for("origination", 31)[24].name
        'super_conforming_flag'
    """
    for layout in _LAYOUTS[kind]:
        if len(layout) == count:
            return layout
    known = " or ".join(str(len(layout)) for layout in _LAYOUTS[kind])
    raise DefinitionError(
        f"A Freddie Mac {kind} file has {known} fields, and this one has {count}; check that the file is of that kind.",
    )
