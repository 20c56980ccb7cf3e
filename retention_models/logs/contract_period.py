"""How long a contract runs, where nobody has said it, and whether it ends at its renewals or on any day."""

from __future__ import annotations

import pandas as pd

from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.retention import durations
from retention_models.tables.days import MONTHS, Period, check_period, period_name

NEAR = 5  # days from its anniversary within which a contract counts as one of a year
MONTHLY, WEEKLY = 120, 21  # days observed from which on months, or weeks, can be counted
MONTH = 28  # the same where contracts of all ages are observed, so that one renewal of each is enough
MONTH_LENGTH = 365.25 / 12


def contract_period(asked: Period | None, spells: Spells, observed: int) -> tuple[Period, str]:
    """The period that was asked for, or one in which the contracts can be counted; and why, with what to beware of."""
    ended = durations(spells).query("churned and tenure > 0")
    if asked is None:
        period, reason = _chosen(ended, spells, observed)
    else:
        check_period(asked)
        period, reason = asked, f"Time is counted in {period_name(asked)}s, as asked."
    return period, reason + _beside_renewals(ended, period, spells)


def _chosen(ended: pd.DataFrame, spells: Spells, observed: int) -> tuple[Period, str]:
    at_year = _share_at_renewals(ended, "Y")
    if at_year >= 0.5:
        return "Y", f"Time is counted in years: {100 * at_year:.0f} % of the contracts ended near an anniversary."
    if observed >= (MONTHLY if spells.observed_from is None else MONTH):
        return "M", "Time is counted in months."
    if observed >= WEEKLY:
        return 7, f"Time is counted in weeks, since only {observed:,} days are observed."
    raise ValueError(
        f"only {observed:,} days are observed, from the first start that counts to the last day known; it takes three "
        "weeks to say anything of when customers leave"
    )


def _beside_renewals(ended: pd.DataFrame, period: Period, spells: Spells) -> str:
    """What it means that contracts end on any day, where most do and the period is long enough to matter."""
    share, name = _share_at_renewals(ended, period), period_name(period)
    if share >= 0.5 or (isinstance(period, int) and period <= 7):
        return ""
    low = (
        f" Only {100 * share:.0f} % of the contracts ended near a renewal: they can end on other days, and count as "
        f"lost at the end of the {name}, so that the value of those there now is too low by half the losses of a {name}"
    )
    early = f", and those seen from a later day than their start seem to leave up to a {name} earlier than they do"
    return f"{low}{'' if spells.observed_from is None else early}; a shorter period makes this smaller."


def _share_at_renewals(ended: pd.DataFrame, period: Period) -> float:
    """The share of the contracts that ended within a few days of a renewal, the first or a later one."""
    length = period if isinstance(period, int) else MONTH_LENGTH * MONTHS[period]
    near = min(NEAR, max(1, length / 12))
    periods = ended["tenure"] / length
    at_renewal = (periods.round() >= 1) & ((periods - periods.round()).abs() * length <= near)
    return float(ended.loc[at_renewal, "weight"].sum() / max(ended["weight"].sum(), 1))
