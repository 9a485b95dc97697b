"""What becomes of the demo data's loans month by month, and their lines in a performance file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from headwater_assets.loans._market import FIRST_YEAR, MARKET_RATES
from headwater_assets.loans._origination import Loans, pick, yyyymm

if TYPE_CHECKING:
    from headwater_assets.loans._draws import Floats, Integers

Flags = NDArray[np.bool_]
Small = NDArray[np.int16]

_PAID, _THIRD_PARTY, _SHORT_SALE, _FORECLOSED = 1, 2, 3, 9
_CODES = (None, "01", "02", "03", None, None, None, None, None, "09")
# Chance to catch up at once, by months behind; from the last entry on it stays the same.
_CURE = np.array((0.0, 0.42, 0.26, 0.16, 0.10, 0.07, 0.05))
_PAYS_ONE = 0.12  # chance to pay one instalment and so stay as far behind
_LIQUIDATED_FROM, _FORECLOSED_FROM, _MODIFIED_FROM = 4, 5, 3  # months behind
_DISASTERS_FROM, _VALUES_FROM = 201401, 201704  # periods since which these are disclosed


@dataclass
class _States:
    """Where each loan of a chunk stands in the month being drawn."""

    active: Flags
    behind: Small
    foreclosed: Flags
    modified: Small  # 0 never, 1 in this month, 2 before
    ended: Small  # zero balance code, 0 while it runs

    @classmethod
    def new(cls, *shape: int) -> _States:
        """Return loans that run and are up to date."""
        return cls(
            np.ones(shape, np.bool_),
            np.zeros(shape, np.int16),
            np.zeros(shape, np.bool_),
            np.zeros(shape, np.int16),
            np.zeros(shape, np.int16),
        )

    def record(self, month: int, states: _States, active: Flags) -> None:
        """Keep, as one column, how a month ended for the loans that were active in it."""
        self.active[:, month] = active
        self.behind[:, month] = states.behind
        self.foreclosed[:, month] = states.foreclosed
        self.modified[:, month] = states.modified
        self.ended[:, month] = states.ended


@dataclass(frozen=True)
class Months:
    """The months of a chunk's loans, one entry per line, loan by loan.

    Args:
        loans: The chunk.
        loan: The loan's place in the chunk.
        age: Scheduled payments since origination.
        behind: Months behind.
        foreclosed: Whether the property has been taken over.
        modified: 0 never, 1 in this month, 2 before.
        ended: Zero balance code, 0 while the loan runs.
    """

    loans: Loans
    loan: Integers
    age: Integers
    behind: Small
    foreclosed: Flags
    modified: Small
    ended: Small

    @cached_property
    def period(self) -> Integers:
        """The reporting period of each line."""
        return yyyymm(self.loans.first_month[self.loan] + self.age - 1)

    @cached_property
    def balance(self) -> Floats:
        """The balance of each line before the loan ends, from the payments made and not the months passed."""
        growth = np.log1p(self.loans.rate / 1200)
        whole = np.exp(growth * self.loans.term)
        scale = self.loans.upb / (whole - 1)
        paid = np.exp(growth[self.loan] * (self.age - self.behind))
        balance: Floats = np.round(scale[self.loan] * (whole[self.loan] - paid), 2)
        return balance


def draw_months(loans: Loans, months: int) -> Months:
    """Draw what happens to each loan until it ends, at most ``months`` long."""
    count, risk = loans.draws.count, loans.risk
    luck, fate = loans.draws.uniform("luck", months), loans.draws.uniform("fate", months)
    luck, fate = luck.reshape(count, months), fate.reshape(count, months)
    late = np.minimum(0.005 * np.exp(risk), 0.4)
    states, history = _States.new(count), _States.new(count, months)
    for month in range(months):
        active = states.active.copy()
        _step_current(states, luck[:, month], late, _payoff(loans, month + 1))
        _step_late(states, luck[:, month], fate[:, month], risk)
        states.ended[active & (states.ended == 0) & (loans.term <= month + 1)] = _PAID
        states.active &= states.ended == 0
        history.record(month, states, active)
    lines = history.active
    loan, place = np.nonzero(lines)
    return Months(
        loans,
        loan,
        age=place + 1,
        behind=history.behind[lines],
        foreclosed=history.foreclosed[lines],
        modified=history.modified[lines],
        ended=history.ended[lines],
    )


def _payoff(loans: Loans, age: int) -> Floats:
    """Return each loan's chance to be paid off: older loans and those above today's rates go first."""
    years = np.clip((loans.first_month + age - 1) // 12 - FIRST_YEAR, 0, len(MARKET_RATES) - 1)
    saving = np.clip(loans.rate - np.array(MARKET_RATES)[years], -1.5, 2.0)
    chance: Floats = np.minimum(0.012 * min(1.0, 0.2 + age / 24) * np.exp(1.1 * saving), 0.25)
    return chance


def _step_current(states: _States, luck: Floats, late: Floats, payoff: Floats) -> None:
    """Let loans that are up to date fall behind, or be paid off."""
    current = states.active & (states.behind == 0) & ~states.foreclosed
    states.modified[states.modified == 1] = 2
    states.ended[current & (luck > 1 - payoff)] = _PAID
    # A loan that falls behind here must not take a second step in the same month: it is marked with -1 until then.
    states.behind[current & (luck < late)] = -1


def _step_late(states: _States, luck: Floats, fate: Floats, risk: Floats) -> None:
    """Let loans that are behind catch up, stay, fall further behind, or be liquidated."""
    late = np.flatnonzero(states.active & (states.behind > 0))
    behind, draw, end = states.behind[late], luck[late], fate[late]
    cure = _CURE[np.minimum(behind, _CURE.size - 1)] * np.exp(-0.15 * np.clip(risk[late], -2, 3))
    cured = (draw < cure) & ~states.foreclosed[late]
    stays = (draw < cure + _PAYS_ONE) & ~states.foreclosed[late]
    worse = ~cured & ~stays
    states.modified[late[cured & (behind >= _MODIFIED_FROM)]] = 1
    gone = worse & ~states.foreclosed[late] & (behind >= _LIQUIDATED_FROM)
    states.ended[late[gone & (end < 0.03)]] = _SHORT_SALE  # noqa: PLR2004 - a chance
    states.ended[late[gone & (end > 0.975)]] = _THIRD_PARTY  # noqa: PLR2004 - a chance
    states.ended[late[states.foreclosed[late] & (end < 0.25)]] = _FORECLOSED  # noqa: PLR2004 - a chance
    taken = worse & (behind >= _FORECLOSED_FROM) & (end > 0.4) & (end < 0.52)  # noqa: PLR2004 - a chance
    states.foreclosed[late[taken]] = True
    states.behind[late] = np.where(cured, 0, behind + worse)
    states.behind[states.behind < 0] = 1


def performance_columns(months: Months) -> dict[str, pa.Array]:
    """Return the lines' columns by field name; a field that is not among them is empty."""
    loans, loan, ended = months.loans, months.loan, months.ended != 0
    first = loans.first_month[loan]
    upb = pa.array(np.where(ended, 0.0, months.balance)).cast(pa.string())
    period = pa.array(months.period.astype(np.int32))
    longest = int(months.behind.max(initial=0))
    status = np.where(months.foreclosed, longest + 1, months.behind)
    value = np.rint(loans.ltv[loan] * months.balance / loans.upb[loan] / (1 + 0.003 * months.age))
    unknown = ended | (months.period < _VALUES_FROM)
    return {
        "loan_sequence_number": loans.sequence.take(pa.array(loan)),
        "monthly_reporting_period": period,
        "current_actual_upb": upb,
        "current_loan_delinquency_status": pick([*map(str, range(longest + 1)), "RA"], status),
        "loan_age": pa.array(months.age.astype(np.int16)),
        "remaining_months_to_legal_maturity": pa.array((loans.term[loan] - months.age).astype(np.int16)),
        "modification_flag": pick((None, "Y", "P"), months.modified),
        "zero_balance_code": pick(_CODES, months.ended),
        "current_interest_rate": pa.array(loans.rate).cast(pa.string()).take(pa.array(loan)),
        "current_non_interest_bearing_upb": pa.repeat(pa.scalar("0.00"), len(loan)),
        "due_date_of_last_paid_installment": pa.array(
            yyyymm(first + months.age - months.behind - 1).astype(np.int32),
        ),
        "step_modification_flag": pick((None, "N", "N"), months.modified),
        "estimated_ltv": pa.array(np.where(unknown, 999, value).astype(np.int16)),
        "interest_bearing_upb": upb,
        **_hardship(months),
        **_endings(months),
    }


def _hardship(months: Months) -> dict[str, pa.Array]:
    """Return why a loan is behind and what is done about it."""
    draws = months.loans.draws
    struck = draws.chance("disaster", 0.04)[months.loan] & (months.behind > 0) & (months.period >= _DISASTERS_FROM)
    helped = (months.behind > 1) & ~months.foreclosed
    plan = np.where(helped, draws.choice("plan", (60, 20, 12, 8))[months.loan], 0)
    return {
        "delinquency_due_to_disaster": pick((None, "Y"), struck.astype(np.int8)),
        "borrower_assistance_status_code": pick((None, "F", "R", "T"), plan),
    }


def _endings(months: Months) -> dict[str, pa.Array]:
    """Return the columns that only a loan's last line fills."""
    ended = np.flatnonzero(months.ended)
    place = _places(len(months.loan), ended)
    lost = np.flatnonzero(months.ended > _PAID)
    losses = _losses(months, lost)
    place_lost = _places(len(months.loan), lost)
    return {
        "zero_balance_effective_date": pa.array(months.period[ended]).cast(pa.string()).take(place),
        "zero_balance_removal_upb": pa.array(months.balance[ended]).cast(pa.string()).take(place),
        **{name: column.take(place_lost) for name, column in losses.items()},
    }


def _places(count: int, filled: Integers) -> pa.Array:
    """Return an index that puts the first values at the filled lines and null at all others."""
    place = np.full(count, -1, np.int32)
    place[filled] = np.arange(filled.size, dtype=np.int32)
    return pa.array(place, mask=place < 0)


def _losses(months: Months, lost: Integers) -> dict[str, pa.Array]:
    """Return what each liquidated loan cost: costs and the loss are negative, recoveries positive."""
    loans, loan, balance = months.loans, months.loan[lost], months.balance[lost]
    draws = loans.draws
    parts = {
        "legal_costs": -(1500 + 5000 * draws.uniform("legal")[loan]),
        "maintenance_and_preservation_costs": -(500 + 7000 * draws.uniform("maintenance")[loan]),
        "taxes_and_insurance": -(balance * (0.01 + 0.03 * draws.uniform("taxes")[loan])),
        "miscellaneous_expenses": -(100 + 1500 * draws.uniform("misc")[loan]),
    }
    parts = {name: np.round(part, 2) for name, part in parts.items()}
    expenses = np.round(sum(parts.values(), np.zeros(loan.size)), 2)
    interest = np.round(balance * loans.rate[loan] / 1200 * months.behind[lost], 2)
    recovered = np.round(balance * loans.insured[loan] / 100, 2)
    others = np.round(800 * draws.uniform("others")[loan], 2)
    price = loans.upb[loan] * 100 / loans.ltv[loan] * (0.52 + 0.32 * draws.uniform("price")[loan])
    proceeds = np.round(np.minimum(price, balance + interest - expenses - recovered - others), 2)
    loss = np.round(proceeds + recovered + others + expenses - balance - interest, 2) + 0.0  # no -0.0
    numbers = {
        **parts,
        "expenses": expenses,
        "mi_recoveries": recovered,
        "non_mi_recoveries": others,
        "actual_loss_calculation": loss,
        "delinquent_accrued_interest": interest,
    }
    told = pa.array(~draws.chance("untold", 0.02)[loan])
    texts = {name: pa.array(number).cast(pa.string()) for name, number in numbers.items()}
    return {**texts, "net_sales_proceeds": pc.if_else(told, pa.array(proceeds).cast(pa.string()), "U")}
