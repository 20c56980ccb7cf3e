"""The last day of observation and the period of a contract log, chosen from the log.

An end in the future is not a fact: it is a placeholder, a paid term or a notice. Other customers who will churn by then
have not given notice yet. If these days counted as observed, churn would be too low.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from scipy.special import xlogy

from retention_models.core.dates import MONTHS, read_day
from retention_models.logs.contracts.log import Spells
from retention_models.logs.contracts.retention import durations, end_at_renewals
from retention_models.tables.days import Period, check_period, period_name

SILENCE = 180  # days without a start or an end; a shorter silence may be the business
STRAY = 0.01  # so small a share of the starts, beyond a silence, must be misdated
UNUSUAL = 10  # times the mean gap between days with starts, or ends, from which on it is no accident that none is there
RECENT = 100  # last days with starts, or ends, whose gaps are the usual ones
FEW = 0.1  # so small a share of the ends is given up rather than taken for facts
SPANS = 3  # as long as from the last start to the last end, whose ends are the usual ones
UNLIKELY = 6  # log likelihood ratio from which on missing starts and ends are no accident
FEWEST_MONTHS = 6  # with starts, for months without any to be unusual
NEAR = 5  # days from its anniversary within which a contract counts as a yearly one
MONTHLY, WEEKLY = 120, 21  # days observed, from which months, or weeks, can be counted
MONTH = 28  # the same where contracts of all ages are observed, so that one renewal of each is enough
TWO_MONTHS = 62  # the same where they end on any day, so that each needs a whole month of its own
MONTH_LENGTH = 365.25 / 12


def choose_observation_end(
    asked: str | dt.date | None, starts: pd.Series, ends: pd.Series, running: int
) -> tuple[dt.date, str]:
    """The day that was asked for, or the last one that the log seems to know; and why.

    ``starts`` and ``ends`` count contracts by the number of the day, in order; ``running`` have no end.
    """
    if asked is not None:
        until = read_day("observation_end", asked)
        return until, f"Observation ends on {until}, as asked."
    _check_strays(starts)
    last_start = int(starts.index[-1])
    late = ends[ends.index > last_start]
    if not late.empty and running == 0:
        return _end_if_all_have_ended(last_start, late, ends)
    last = _last_day_before_silence(int(starts.index[0]), last_start, late)
    seen, after_starts = ends[ends.index <= last], late[late.index <= last]
    has_stopped, missed = _has_stopped(starts, last), _missed_starts(starts, last)
    after, usual = int(after_starts.sum()), _usual_ends(ends, last_start, last - last_start)
    if has_stopped and after <= FEW * seen.sum():
        return _end_if_starts_stopped(last_start, last, late)
    is_late = has_stopped or (last - last_start >= MONTH and missed + _deficit(after, usual) >= UNLIKELY)
    if after < usual / 2 and is_late:
        return _end_if_ends_fall(last_start, last, late, usual)
    if missed >= UNLIKELY and not has_stopped:
        _ask_if_ends_are_notices(last_start, after_starts, usual)
    until, planned = dt.date.fromordinal(last), late[late.index > last].sum()
    reason = f"Observation ends on {until}, the last day on which a contract started or ended"
    if planned:
        count = "counts" if planned == 1 else "count"
        reason += f"; {_contracts_text(planned)} long after it (up to {_last_day(late)}), and {count} as still running"
    if has_stopped or last - last_start >= MONTH:
        reason += (
            f". No contract started after {dt.date.fromordinal(last_start)}: if later ends are notices given, and no "
            "facts, say observation_end"
        )
    if not seen.empty and _has_stopped(seen, last):
        reason += (
            f". No contract ended after {_last_day(seen)}, though some started: if these are bookings made ahead, say "
            "observation_end"
        )
    return until, f"{reason}."


def _last_day_before_silence(first_start: int, last_start: int, late: pd.Series) -> int:
    """The last start, or of the ends that are later the last before a silence too long for a business."""
    known = np.r_[last_start, late.index.to_numpy(dtype=np.int64)]
    is_quiet = np.diff(known) > np.maximum((known[:-1] - first_start) / 3, SILENCE)
    return int(known[np.argmax(is_quiet)] if is_quiet.any() else known[-1])


def _end_if_starts_stopped(last_start: int, last: int, late: pd.Series) -> tuple[dt.date, str]:
    """The last start, where few ends lie after it, which may all be planned."""
    day = dt.date.fromordinal(last_start)
    return day, (
        f"Observation ends on {day}, the last day on which a contract started. None did in the "
        f"{last - last_start:,} days after it, far longer than was usual, and {_contracts_text(late.sum())} later, up "
        f"to {_last_day(late)}. These may be notices given: they count as still running. If the log knows all about "
        "a later day, say observation_end."
    )


def _end_if_ends_fall(last_start: int, last: int, late: pd.Series, usual: float) -> tuple[dt.date, str]:
    """The last start, where too few ends lie after it for all to be known."""
    day = dt.date.fromordinal(last_start)
    return day, (
        f"Observation ends on {day}, the last day on which a contract started. {_contracts_text(late.sum())} later, up "
        f"to {_last_day(late)}. In as many days as to {dt.date.fromordinal(last)}, {usual:,.0f} ends were usual. The "
        "later ones may be notices given: they count as still running. If the log knows all about a later day, say "
        "observation_end."
    )


def _ask_if_ends_are_notices(last_start: int, after: pd.Series, usual: float) -> None:
    """The question whether ends after the last start are facts, where starts are missing and ends are not."""
    day = dt.date.fromordinal(last_start)
    raise ValueError(
        f"no contract started after {day}, for more months than ever before, and {_contracts_text(after.sum())} "
        f"from then to {_last_day(after)}, where {usual:,.0f} were usual. Did these contracts end, or have customers "
        f"given notice until then? If they ended, say observation_end='{_last_day(after)}'. If these are notices, say "
        f"the day on which the log was drawn, such as observation_end='{day}'"
    )


def _usual_ends(ends: pd.Series, until: int, length: int) -> float:
    """The mean number of ends in as many days before a day, over the last such spans; 0 where the log has none."""
    days = ends.index.to_numpy(dtype=np.int64)
    spans = min(SPANS, (until - int(days[0])) // length) if length and len(days) else 0
    return float(ends[(days > until - spans * length) & (days <= until)].sum() / spans) if spans else 0.0


def _deficit(count: int, expected: float) -> float:
    """How unlikely so small a count is: the log likelihood ratio of a Poisson count, 0 where it is not too small."""
    return float(expected - count + xlogy(count, count / expected)) if count < expected else 0.0


def _missed_starts(starts: pd.Series, last: int) -> float:
    """The starts to be expected in the whole months up to a day that have none; 0 unless these are more than ever."""
    counts = starts.groupby([_month(int(day)) for day in starts.index]).sum()
    known = counts.index.to_numpy()
    missing = _month(last + 1) - 1 - known[-1]
    if len(known) < FEWEST_MONTHS or missing <= np.diff(known).max() - 1:
        return 0.0
    recent = counts[known > known[-1] - 12]
    return float(missing * recent.sum() / (known[-1] - recent.index[0] + 1))


def _month(day: int) -> int:
    date = dt.date.fromordinal(day)
    return 12 * date.year + date.month


def _end_if_all_have_ended(last_start: int, late: pd.Series, ends: pd.Series) -> tuple[dt.date, str]:
    """The last start, where few ends lie after it; else the question whether ends are facts."""
    day = dt.date.fromordinal(last_start)
    if 2 * late.sum() > ends.sum():
        raise ValueError(
            f"every contract has an end, and {late.sum():,} of {ends.sum():,} lie after the last start, {day}: "
            "these contracts may have ended, or may be paid until then. State the day until which the log is "
            "complete: observation_end"
        )
    return day, (
        f"Observation ends on {day}, the last day on which a contract started: every contract has an end, and "
        f"{_contracts_text(late.sum())} later than that, which may be a plan: they count as still running."
    )


def _has_stopped(counts: pd.Series, last: int) -> bool:
    """Whether the days from the last start, or end, to a later day are more than chance or custom leave without one."""
    days = counts.index.to_numpy(dtype=np.int64)[-RECENT:]
    gaps, silence = np.diff(days), last - days[-1]
    return len(gaps) > 0 and bool(silence > gaps.max() and silence > UNUSUAL * gaps.mean())


def _check_strays(starts: pd.Series) -> None:
    """An error where a few starts lie so far from all others that their dates are mistakes."""
    days = starts.index.to_numpy(dtype=np.int64)
    if len(days) < 2:
        return
    gaps = np.diff(days)
    widest = int(gaps.argmax())
    if gaps[widest] <= max((days[-1] - days[0]) / 3, SILENCE):
        return
    before, after = int(starts.iloc[: widest + 1].sum()), int(starts.iloc[widest + 1 :].sum())
    if min(before, after) >= STRAY * (before + after):
        return
    few, where = (before, "before all others") if before < after else (after, "after all others")
    first = dt.date.fromordinal(int(days[0] if before < after else days[widest + 1]))
    raise ValueError(
        f"{few:,} contract{'s' * (few != 1)} start{'s' * (few == 1)} long {where} (first: {first}); correct these "
        "dates or leave the rows out, and state the day until which the log is complete: observation_end"
    )


def _contracts_text(number: float) -> str:
    return f"{number:,.0f} contract{'s end' if number != 1 else ' ends'}"


def _last_day(days: pd.Series) -> dt.date:
    return dt.date.fromordinal(int(days.index[-1]))


def contract_period(asked: Period | None, spells: Spells, observed: int) -> tuple[Period, str]:
    """The period that was asked for, or one in which the contracts can be counted; and why, with what to beware of."""
    ended = durations(spells).query("churned and tenure > 0")
    if asked is None:
        period, reason = _choose_period(ended, spells, observed)
    else:
        check_period(asked)
        period, reason = asked, f"Time is counted in {period_name(asked)}s, as asked."
    return period, reason + _off_renewal_note(ended, period, spells)


def _choose_period(ended: pd.DataFrame, spells: Spells, observed: int) -> tuple[Period, str]:
    at_year = _share_near_renewals(ended, "Y")
    if at_year >= 0.5:
        return "Y", f"Time is counted in years: {100 * at_year:.0f} % of the contracts ended near an anniversary."
    begins_late = spells.observation_start is not None
    any_day = not end_at_renewals(spells, "M")
    if observed >= (MONTH if begins_late and not any_day else TWO_MONTHS if begins_late else MONTHLY):
        return "M", "Time is counted in months."
    if observed >= WEEKLY:
        return 7, f"Time is counted in weeks, since only {observed:,} days are observed."
    raise ValueError(
        f"only {observed:,} days are observed, from the first start that counts to the last day known; an estimate "
        "of churn needs at least three weeks"
    )


def _off_renewal_note(ended: pd.DataFrame, period: Period, spells: Spells) -> str:
    """What it means that contracts end on any day, where most do and the period is long enough to matter."""
    share, name = _share_near_renewals(ended, period), period_name(period)
    if end_at_renewals(spells, period) or (isinstance(period, int) and period <= 7):
        return ""
    low = (
        f" Only {100 * share:.0f} % of the contracts ended near a renewal: they can end on other days, and count as "
        f"lost at the end of the {name}, so that the value of those there now is too low by half the losses of a {name}"
    )
    late = f" Those seen from a later day than their start count from their first whole {name} in view on."
    return f"{low}; a shorter period makes this smaller.{'' if spells.observation_start is None else late}"


def _share_near_renewals(ended: pd.DataFrame, period: Period) -> float:
    """The share of the contracts that ended within a few days of a renewal, the first or a later one."""
    length = period if isinstance(period, int) else MONTH_LENGTH * MONTHS[period]
    near = min(NEAR, max(1, length / 12))
    periods = ended["tenure"] / length
    at_renewal = (periods.round() >= 1) & ((periods - periods.round()).abs() * length <= near)
    return float(ended.loc[at_renewal, "weight"].sum() / max(ended["weight"].sum(), 1))
