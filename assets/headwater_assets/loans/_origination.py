"""The loans of the demo data, drawn a chunk at a time, and their lines in an origination file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from headwater_assets.loans._market import (
    ANCHOR_YEARS,
    FIRST_YEAR,
    LENDERS,
    LOAN_LIMITS,
    MARKET_RATES,
    MIDDLE_LOANS,
    VINTAGE_RISK,
)
from headwater_assets.loans._places import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from headwater_assets.loans._draws import Draws, Floats, Integers

_PURPOSES = ("P", "C", "N", "R")
_CHANNELS = ("R", "C", "B", "T", "9")
_PROPERTIES = ("SF", "PU", "CO", "MH", "CP", "99")
_OCCUPANCIES = ("P", "I", "S", "9")
_INSURED_ABOVE = 80  # loan-to-value from which mortgage insurance is usual
_HIGH_PRICE = 1.2  # states with such prices have a loan limit of their own


@dataclass(frozen=True, kw_only=True)
class Loans:
    """A chunk of loans as they really are: values that a file would code as missing are known here.

    Args:
        draws: Where the chunk stands and its random numbers.
        sequence: Loan sequence numbers.
        first_month: Month of the first payment, counted from year 0.
        term: Number of payments.
        purpose: Place in the purposes.
        occupancy: Place in the occupancies.
        state: Place in ``STATES``.
        seller: Place in ``LENDERS``.
        score: Credit score.
        ltv: Loan-to-value.
        dti: Debt-to-income.
        upb: Balance at origination.
        rate: Yearly rate in percent.
        insured: Insured percentage, 0 for none.
    """

    draws: Draws
    sequence: pa.Array
    first_month: Integers
    term: Integers
    purpose: Integers
    occupancy: Integers
    state: Integers
    seller: Integers
    score: Integers
    ltv: Integers
    dti: Integers
    upb: Integers
    rate: Floats
    insured: Integers

    @property
    def risk(self) -> Floats:
        """The logarithm of each loan's risk relative to a middling one."""
        lender = np.array([lender.risk for lender in LENDERS])[self.seller]
        odds = (745 - self.score) / 50 * 0.75 + (self.ltv - 75) / 15 * 0.35 + (self.dti - 35) / 10 * 0.15
        investor = np.where(self.occupancy == _OCCUPANCIES.index("I"), 0.2, 0.0)
        risk: Floats = odds + lender + investor + VINTAGE_RISK.get(self.draws.year, 0.0)
        return risk


def pick(values: Sequence[str | None], places: NDArray[np.integer]) -> pa.Array:
    """Return the text at each place."""
    return pa.array(values, pa.string()).take(pa.array(places))


def yyyymm(month: Integers) -> Integers:
    """Return months counted from year 0 as numbers such as 201903."""
    return month // 12 * 100 + month % 12 + 1


def sequence_prefix(year: int, quarter: int) -> str:
    """Return what all loan sequence numbers of a quarter begin with; seven digits follow."""
    return f"F{year % 100:02d}Q{quarter}"


def draw_loans(draws: Draws) -> Loans:
    """Draw the loans of one chunk."""
    purpose = draws.choice("purpose", (48, 22, 26, 4))
    occupancy = draws.choice("occupancy", (88, 7, 4.6, 0.4))
    state = draws.choice("state", [state.people for state in STATES])
    score = np.clip(np.rint(draws.normal("score", 745, 50)), 300, 850).astype(np.int64)
    term = np.array((360, 180, 240, 300))[draws.choice("term", (82, 12, 5, 1))]
    ltv = _ltv(draws, purpose)
    # A quarter's loans are first paid one or two months after the month they are made in.
    wait = draws.choice("month", (1, 1, 1)) + 1 + draws.choice("wait", (45, 55))
    return Loans(
        draws=draws,
        sequence=_sequence(draws),
        first_month=draws.year * 12 + (draws.quarter - 1) * 3 + wait,
        term=term,
        purpose=purpose,
        occupancy=occupancy,
        state=state,
        seller=draws.choice("seller", [lender.share for lender in LENDERS]),
        score=score,
        ltv=ltv,
        dti=np.clip(np.rint(draws.normal("dti", 35, 9.5)), 1, 60).astype(np.int64),
        upb=_upb(draws, state),
        rate=_rate(draws, score, ltv, term, occupancy),
        insured=_insured(draws, ltv),
    )


def _sequence(draws: Draws) -> pa.Array:
    """Number the chunk's loans, from 1 in each quarter."""
    first = 10_000_000 + draws.start + 1  # the leading 1 keeps seven digits behind it
    digits = np.arange(first, first + draws.count).astype("S8").view("S1").reshape(-1, 8)
    prefix = np.frombuffer(sequence_prefix(draws.year, draws.quarter).encode(), dtype="S1")
    text = np.concatenate((np.broadcast_to(prefix, (draws.count, prefix.size)), digits[:, 1:]), axis=1)
    return pa.array(np.ascontiguousarray(text).view("S12").ravel()).cast(pa.string())


def _ltv(draws: Draws, purpose: Integers) -> Integers:
    """Draw loan-to-value: many loans stand at a round limit, refinances are lower."""
    free = draws.normal("ltv", 72, 15) - np.where(purpose == 0, 0, 7)
    shape = draws.choice("ltv_shape", (58, 26, 10, 6))
    ltv = np.select([shape == 1, shape == 2, shape == 3], [80, 95, 90], free)  # noqa: PLR2004 - the shapes' places
    rounded: Integers = np.clip(np.rint(ltv), 6, 97).astype(np.int64)
    return rounded


def _upb(draws: Draws, state: Integers) -> Integers:
    """Draw balances around the year's middle loan, in whole thousands and below the loan limit."""
    middle = np.interp(draws.year, ANCHOR_YEARS, MIDDLE_LOANS)
    price = np.array([state.price for state in STATES])[state]
    limit = _limit(draws.year) * np.where(price >= _HIGH_PRICE, 1.5, 1.0)
    upb = np.exp(draws.normal("upb", float(np.log(middle)), 0.5)) * price
    rounded: Integers = (np.clip(upb, 10_000, limit) // 1000 * 1000).astype(np.int64)
    return rounded


def _limit(year: int) -> float:
    """Return the national loan limit of a year."""
    return float(np.interp(year, ANCHOR_YEARS, LOAN_LIMITS))


def _rate(draws: Draws, score: Integers, ltv: Integers, term: Integers, occupancy: Integers) -> Floats:
    """Draw rates around the year's market, in eighths of a percent."""
    rate = MARKET_RATES[draws.year - FIRST_YEAR] + draws.normal("rate", 0.0, 0.25) - (score - 745) * 0.0018
    rate = rate + np.where(ltv > _INSURED_ABOVE, 0.1, 0.0) - np.where(term <= 180, 0.6, 0.0)  # noqa: PLR2004 - months
    rate = rate + np.where(occupancy == _OCCUPANCIES.index("I"), 0.5, 0.0)
    eighths: Floats = np.clip(np.rint(rate * 8) / 8, 1.5, 12.0)
    return eighths


def _insured(draws: Draws, ltv: Integers) -> Integers:
    """Draw the insured percentage of loans above the usual limit."""
    usual = np.select([ltv > 95, ltv > 90, ltv > 85], [35, 30, 25], 12)  # noqa: PLR2004 - the insurers' steps
    return np.where((ltv > _INSURED_ABOVE) & ~draws.chance("uninsured", 0.03), usual, 0)


def origination_columns(loans: Loans) -> dict[str, pa.Array]:
    """Return the chunk's columns by field name; a field that is not among them is empty."""
    draws = loans.draws
    columns = {
        "first_payment_date": yyyymm(loans.first_month),
        "maturity_date": yyyymm(loans.first_month + loans.term - 1),
        "original_upb": loans.upb,
        "original_interest_rate": loans.rate,
        "original_loan_term": loans.term,
        "loan_sequence_number": loans.sequence,
        "occupancy_status": pick(_OCCUPANCIES, loans.occupancy),
        "loan_purpose": pick(_PURPOSES, loans.purpose),
        "channel": pick(_CHANNELS, draws.choice("channel", (52, 30, 15, 2.5, 0.5))),
        "amortization_type": pa.repeat(pa.scalar("FRM"), draws.count),
        "interest_only_indicator": pa.repeat(pa.scalar("N"), draws.count),
        "property_type": pick(_PROPERTIES, draws.choice("property", (66, 24, 8, 1.4, 0.5, 0.1))),
        "property_valuation_method": pick(("2", "1", "3", "4", "9"), draws.choice("value", (70, 18, 3, 1, 8))),
        **_percentages(loans),
        **_people(loans),
        **_place(loans),
        **_flags(loans),
    }
    return {name: column if isinstance(column, pa.Array) else pa.array(column) for name, column in columns.items()}


def _percentages(loans: Loans) -> dict[str, Integers]:
    """Return the score and the percentages, some of them coded as missing."""
    draws = loans.draws
    second = np.where(draws.chance("second_loan", 0.08), np.rint(draws.uniform("second_size") * 15), 0)
    combined = loans.ltv + second.astype(np.int64)
    return {
        "credit_score": np.where(draws.chance("no_score", 0.004), 9999, loans.score),
        "mortgage_insurance_percentage": np.where(draws.chance("no_mi", 0.002), 999, loans.insured),
        "original_combined_ltv": np.where(draws.chance("no_cltv", 0.002), 999, combined),
        "original_dti": np.where(draws.chance("no_dti", 0.02), 999, loans.dti),
        "original_ltv": np.where(draws.chance("no_ltv", 0.001), 999, loans.ltv),
    }


def _people(loans: Loans) -> dict[str, pa.Array]:
    """Return the columns about borrowers and lenders."""
    draws = loans.draws
    names = [lender.name for lender in LENDERS]
    kept = draws.chance("servicing_kept", 0.75)
    servicer = np.where(kept, loans.seller, draws.choice("servicer", [lender.share for lender in LENDERS]))
    first_home = np.where(loans.purpose == 0, draws.choice("first_home", (55, 43, 2)), 0)
    return {
        "number_of_units": pick(("1", "2", "3", "4", "99"), draws.choice("units", (970, 20, 5, 4, 1))),
        "number_of_borrowers": pick(("1", "2", "3", "4", "99"), draws.choice("borrowers", (480, 500, 12, 6, 2))),
        "first_time_homebuyer_flag": pick(("N", "Y", "9"), first_home),
        "seller_name": pick(names, loans.seller),
        "servicer_name": pick(names, servicer),
    }


def _place(loans: Loans) -> dict[str, pa.Array]:
    """Return the columns that say where the property is; a postal prefix lies in one metropolitan area or in none."""
    first = np.array([state.first_prefix for state in STATES])[loans.state]
    count = np.array([state.last_prefix - state.first_prefix + 1 for state in STATES])[loans.state]
    # The square puts more loans under the first prefixes, as cities do.
    offset = (loans.draws.uniform("postal") ** 2 * count).astype(np.int64)
    areas = np.array([len(state.areas) for state in STATES])[loans.state]
    most = max(len(state.areas) for state in STATES)
    area = loans.state * (most + 1) + offset % (areas + 1)
    every = [text for state in STATES for text in (*state.areas, *[None] * (most + 1 - len(state.areas)))]
    return {
        "property_state": pick([state.code for state in STATES], loans.state),
        "postal_code": pick([f"{prefix:03d}00" for prefix in range(1000)], first + offset),
        "metropolitan_statistical_area": pick(every, area),
    }


def _flags(loans: Loans) -> dict[str, pa.Array]:
    """Return the flags, whose missing values are spaces in some lines and empty in others."""
    draws = loans.draws
    above = np.where(loans.upb > _limit(draws.year), 0, 1 + draws.chance("super_empty", 0.3))
    relief = (loans.purpose > 0) & draws.chance("relief", 0.03 if 2009 <= draws.year <= 2018 else 0.0)  # noqa: PLR2004
    insurance = np.where(loans.insured > 0, draws.choice("cancelled", (70, 25, 5)), 3)
    return {
        "prepayment_penalty_flag": pick(("N", "Y", " ", ""), draws.choice("penalty", (990, 2, 5, 3))),
        "super_conforming_flag": pick(("Y", " ", ""), above),
        "program_indicator": pick(("9", "H", "F", "R"), draws.choice("program", (90, 8, 1.5, 0.5))),
        "relief_refinance_indicator": pick(("Y", ""), np.where(relief, 0, 1)),
        "mi_cancellation_indicator": pick(("N", "Y", "9", "7"), insurance),
    }
