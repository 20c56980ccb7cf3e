"""Settings for the analysis of a purchase log, chosen from the log, each with its reason.

The inter-purchase times give the unit of time. The last third of the log is the holdout period, in whole weeks so that
no weekday counts twice. It is shorter if a third would leave too little to learn from. The forecast horizon is the
length of the holdout period.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from retention_models.core.arguments import is_number
from retention_models.core.check import Check
from retention_models.core.dates import DAY, NAMES, span_name, unit_length
from retention_models.core.formatting import Part, Presentation, number_of
from retention_models.logs.transactions.calendar import Calendar, calendar
from retention_models.logs.transactions.checks.last_day import check_last_day
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.describe.rhythm import days_until, purchase_gaps
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions
from retention_models.logs.transactions.summary import check_log_start

WEEK = dt.timedelta(days=7)
CENTURY = 36_525 * DAY
FEWEST = 10  # repeat purchases for any forecast
ENOUGH = 100  # repeat purchases to learn from; chance alone moves such a number by a tenth
STRAY = 0.01  # less than this share of the purchases, beyond a silence that is a third of the log, must be misdated
ENDLESS = 5  # times as long as the rest of the log: such a silence is a mistake, for any number of purchases after it
SILENCE = pd.Timedelta(180, "D")  # a shorter one may be the business


@dataclass(frozen=True, slots=True, repr=False)
class AnalysisSettings(Presentation):
    """Settings for the analysis of a purchase log, with the reason for each choice.

    ``choose_settings`` creates it. The fields up to ``time_unit`` are keywords of ``summarize``.

    Attributes
    ----------
    calibration_end
        Last day of the calibration period; None if the log is too short for a holdout period.
    observation_end
        Last day of observation.
    acquired_after
        First day on which a customer can make the first purchase; None for no limit.
    time_unit
        Unit of time, ``"W"`` or ``"D"`` unless given.
    horizon
        Length of the forecast, in time units.
    reasons
        One sentence or more for each setting, by the name of the field.
    checks
        Whether nearly all rows count, and ``check_last_day``.
    repeat_purchases
        Number of repeat purchases in the log.
    """

    calibration_end: dt.date | None
    observation_end: dt.date
    acquired_after: dt.date | None
    time_unit: str
    horizon: float
    reasons: Mapping[str, str]
    checks: tuple[Check, ...]
    repeat_purchases: int

    @property
    def has_forecast(self) -> bool:
        """Whether there are repeat purchases to learn from."""
        return self.repeat_purchases >= FEWEST

    @property
    def has_holdout(self) -> bool:
        """Whether something is kept back to judge a forecast by."""
        return self.calibration_end is not None

    def _parts(self) -> Sequence[Part]:
        return [list(self.reasons.values()), *(str(check) for check in self.checks if check.passed is False)]


def purchase_settings(
    transactions: Any,
    *,
    calibration_end: str | dt.date | None = None,
    observation_end: str | dt.date | None = None,
    acquired_after: str | dt.date | None = None,
    time_unit: str | None = None,
    horizon: float | None = None,
) -> AnalysisSettings:
    """Settings for the analysis of a purchase log: given options stay, others are chosen from the log.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    calibration_end, observation_end, acquired_after, time_unit
        As in ``summarize``.
    horizon
        Length of the forecast, in time units.

    Returns
    -------
    AnalysisSettings
        The settings, and the reason for each.

    Raises
    ------
    ValueError
        When a few purchases are so far from all others that their dates must be mistakes. When the options contradict
        each other or the log.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.logs.transactions.settings import purchase_settings
    >>> print(purchase_settings(rm.datasets.load_cdnow()))
    Time is measured in weeks: half of the gaps between a customer's purchases are 34 days or shorter.
    The models learn from 3,183 repeat purchases up to 1997-12-30. The 182 days after that, a third of the log in whole
    weeks, are kept back to judge them (holdout).
    The forecast looks 26 weeks ahead, as far as the holdout, so that its error can be seen.
    """
    log = as_transactions(transactions).window(acquired_after=acquired_after, observation_end=observation_end)
    given = calendar(
        log,
        calibration_end=calibration_end,
        observation_end=None,
        acquired_after=None,
        time_unit=time_unit or "D",
        granularity="D",
    )
    days = daily_purchases(log)
    _check_strays(days["purchases"])
    repeat = int((days["purchases"] - days["new_customers"]).sum())
    gaps = purchase_gaps(log)["share"]
    unit, unit_reason = _choose_time_unit(time_unit, gaps)
    is_given = calibration_end is not None or log.calibration_end is not None
    cut, cut_reason = _given_calibration_end(given) if is_given else _choose_calibration_end(given, days)
    ahead, horizon_reason = _choose_horizon(horizon, unit, given, cut)
    reasons = {"time_unit": unit_reason, "calibration_end": cut_reason}
    reasons["horizon"] = " ".join([horizon_reason, *_late_purchases_note(ahead * unit_length(unit), gaps)])
    if repeat < FEWEST:
        reasons["horizon"] = f"There is no forecast: it takes {FEWEST} repeat purchases, and the log has {repeat}."
        if repeat == 0 and days["purchases"].sum() > ENOUGH:
            reasons["horizon"] += " Every purchase has a customer_id of its own: is that column the id of an order?"
    if log.acquired_after is None and (suggestion := _suggest_acquired_after(log, given, cut, gaps)):
        reasons["acquired_after"] = suggestion
    return AnalysisSettings(
        calibration_end=cut,
        observation_end=given.observation_end,
        acquired_after=None if log.acquired_after is None else given.start,
        time_unit=unit,
        horizon=ahead,
        reasons=reasons,
        checks=(*log.checks, check_last_day(log)),
        repeat_purchases=repeat,
    )


def _check_strays(purchases: pd.Series) -> None:
    """An error where so few purchases lie so far from all others that their dates are mistakes."""
    silence = purchases.index.to_series().diff()
    span = purchases.index[-1] - purchases.index[0]
    if len(purchases) < 2 or silence.max() < max(span / 3, SILENCE):
        return
    later = int(silence.argmax())
    before, after = int(purchases.iloc[:later].sum()), int(purchases.iloc[later:].sum())
    is_endless = silence.max() > ENDLESS * max(span - silence.max(), SILENCE)
    if min(before, after) >= STRAY * (before + after) and not is_endless:
        return
    last, first = (f"{purchases.index[day]:%Y-%m-%d}" for day in (later - 1, later))
    few, where, cure = (
        (before, f"up to {last}, long before the others, which begin on {first}", f"acquired_after={first!r}")
        if before < after
        else (after, f"from {first} on, long after the others, which end on {last}", f"observation_end={last!r}")
    )
    raise ValueError(
        f"column 'date' has {few:,} purchase{'s' * (few != 1)} {where}; correct these dates, or leave them out: {cure}"
    )


def _choose_time_unit(given: str | None, gaps: pd.Series) -> tuple[str, str]:
    """The unit of time, weeks where most gaps are not shorter than one; and why."""
    asked = ", as asked" if given else ""
    if gaps.empty:
        return given or "W", f"Time is measured in {_unit_name(given or 'W')}{asked}: no customer bought twice."
    median = days_until(gaps, 0.5)
    unit = given or ("W" if median >= 7 else "D")
    rhythm = f"half of the gaps between a customer's purchases are {median} day{'s' * (median > 1)} or shorter"
    return unit, f"Time is measured in {_unit_name(unit)}{asked}: {rhythm}."


def _choose_calibration_end(given: Calendar, days: pd.DataFrame) -> tuple[dt.date | None, str]:
    """Where the log is to be cut, None where it is too short for that; and why."""
    end, observed = given.observation_end, _days_observed(given)
    repeat = (days["purchases"] - days["new_customers"]).cumsum()
    enough = repeat.index[repeat >= ENOUGH]
    learnt = (enough[0].date() - given.start).days + 1 if len(enough) else observed
    weeks = min(observed // 3, observed - learnt) // 7
    if weeks == 0:
        return None, (
            f"Nothing is kept back to judge the forecast by: the log covers {number_of(observed, 'days')} and has "
            f"{number_of(repeat.iloc[-1], 'purchases by customers who came back')}. It takes three weeks, and {ENOUGH} "
            "such purchases before the last of them."
        )
    cut = end - weeks * WEEK
    part = (
        "a third of the log in whole weeks"
        if weeks == observed // 3 // 7
        else "because more would leave too few to learn from"
    )
    return cut, (
        f"The models learn from {repeat.loc[: str(cut)].iloc[-1]:,} repeat purchases up to {cut}. The {7 * weeks:,} "
        f"days after that, {part}, are kept back to judge them (holdout)."
    )


def _given_calibration_end(given: Calendar) -> tuple[dt.date | None, str]:
    if not given.has_holdout:
        return None, "Nothing is kept back to judge the forecast by, as asked."
    length = (given.observation_end - given.calibration_end).days
    return given.calibration_end, (
        f"The models learn from the purchases up to {given.calibration_end}, as asked. The {length:,} days after that "
        "are kept back to judge them (holdout)."
    )


def _choose_horizon(asked: float | None, unit: str, given: Calendar, cut: dt.date | None) -> tuple[float, str]:
    """How far the forecast looks ahead, in time units; and why."""
    if asked is not None:
        if not (is_number(asked) and DAY / unit_length(unit) <= asked <= CENTURY / unit_length(unit)):
            raise ValueError(f"horizon must be a number of {_unit_name(unit)} from a day to a century; got {asked!r}")
        return asked, f"The forecast looks {span_name(asked, unit)} ahead, as asked."
    length = given.observation_end - cut if cut else _days_observed(given) // 3 * DAY
    ahead = max(length // unit_length(unit), 1)
    reason = "as far as the holdout, so that its error can be seen" if cut else "a third of the length of the log"
    return ahead, f"The forecast looks {span_name(ahead, unit)} ahead, {reason}."


def _late_purchases_note(ahead: pd.Timedelta, gaps: pd.Series) -> list[str]:
    """What to know where the horizon is shorter than the rhythm."""
    if gaps.empty or ahead.days >= days_until(gaps, 0.5):
        return []
    return ["Half of the gaps between purchases are longer than that: many who come back do so later."]


def _suggest_acquired_after(log: Transactions, given: Calendar, cut: dt.date | None, gaps: pd.Series) -> str:
    """From when on first purchases can be believed, where the log seems to begin in the middle of customers' lives."""
    check = check_log_start(log, calibration_end=cut)
    if gaps.empty:
        return ""
    nearly_all = days_until(gaps, 0.9)
    if check.passed is not False or 2 * nearly_all > _days_observed(given):
        return ""
    return (
        "The log seems to begin in the middle of customers' lives, and old customers pass for new ones. Nine of ten "
        f"gaps are {nearly_all} days or shorter: acquired_after={str(given.start + nearly_all * DAY)!r} would leave "
        "most old customers out."
    )


def _days_observed(given: Calendar) -> int:
    return (given.observation_end - given.start).days + 1


def _unit_name(unit: str) -> str:
    return f"{NAMES[unit]}s" if unit in NAMES else f"units of {unit}"
