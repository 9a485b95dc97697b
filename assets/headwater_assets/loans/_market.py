"""The demo data's lending market: who lends, at what rates, and which years went wrong."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_YEAR = 1999
LAST_YEAR = 2025

# Average yearly rate of a 30-year fixed-rate loan; the last one also serves the months after the last year.
MARKET_RATES = (
    *(7.44, 8.05, 6.97, 6.54, 5.83, 5.84, 5.87, 6.41, 6.34, 6.03, 5.04),  # 1999 to 2009
    *(4.69, 4.45, 3.66, 3.98, 4.17, 3.85, 3.65, 3.99, 4.54, 3.94),  # 2010 to 2019
    *(3.11, 2.96, 5.34, 6.81, 6.72, 6.60),  # 2020 to 2025
)

# What a year of origination adds to the logarithm of a loan's risk.
VINTAGE_RISK = {2004: 0.2, 2005: 0.5, 2006: 0.8, 2007: 0.9, 2008: 0.6, 2020: -0.2, 2021: -0.2}

# The middle loan and the national loan limit of some years; the years between are interpolated.
ANCHOR_YEARS = (1999, 2006, 2012, 2016, 2021, 2025)
MIDDLE_LOANS = (118_000, 178_000, 192_000, 212_000, 268_000, 312_000)
LOAN_LIMITS = (240_000, 417_000, 417_000, 417_000, 548_250, 806_500)


@dataclass(frozen=True)
class Lender:
    """A made-up seller and servicer of loans.

    Args:
        name: As it stands in the files.
        share: Its part of all loans, relative to the others.
        risk: What it adds to the logarithm of a loan's risk.
    """

    name: str
    share: float
    risk: float


LENDERS = (
    Lender("ALDER CREEK MORTGAGE, LLC", 11.0, 0.00),
    Lender("BLUESTEM BANK, N.A.", 9.0, -0.25),
    Lender("CASCADE VALLEY HOME LOANS, INC.", 8.5, 0.10),
    Lender("CHESTNUT STREET SAVINGS BANK", 4.0, -0.30),
    Lender("COPPERLINE LENDING CORPORATION", 6.5, 0.45),
    Lender("FAIRHAVEN FINANCIAL SERVICES, LLC", 5.0, 0.20),
    Lender("GRANITE HARBOR BANK", 7.5, -0.15),
    Lender("LANTERN HOME MORTGAGE CO.", 6.0, 0.05),
    Lender("MERIDIAN & WELLS FUNDING", 4.5, 0.60),
    Lender("NORTHSTAR PRAIRIE CREDIT UNION", 3.5, -0.40),
    Lender("PALMETTO COAST LENDING, LLC", 3.0, 0.35),
    Lender("QUARRY HILL BANCORP", 3.5, -0.05),
    Lender("REDBUD DIRECT MORTGAGE, INC.", 5.5, 0.80),
    Lender("SUMMIT TRAIL HOME FINANCE", 4.0, 0.15),
    Lender("OTHER SELLERS", 18.5, 0.10),
)
