"""The calendar of a summary: its days, the period that makes one purchase, and the unit of time."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import get_args

import pandas as pd

from retention_models.core.arguments import check_choice
from retention_models.core.dates import DAY, read_day, unit_length
from retention_models.core.formatting import Presentation
from retention_models.logs.transactions.log import Granularity, Transactions

MONDAY, SUNDAY = 0, 6  # as date.weekday counts them


@dataclass(frozen=True, slots=True, repr=False)
class Calendar(Presentation):
    """The days of a summary, each included; the period that makes one purchase; the unit of time.

    ``start`` is the day from which a customer must be first seen to take part, at the beginning of a period.
    ``end_is_stated`` tells whether somebody named the day at which ages end, or it is that of the last purchase, and
    ``last_day_is_stated`` the same of the last day observed.
    """

    start: dt.date
    calibration_end: dt.date
    observation_end: dt.date
    granularity: Granularity
    time_unit: str
    end_is_stated: bool
    last_day_is_stated: bool

    @property
    def has_holdout(self) -> bool:
        """Whether days are left after the calibration."""
        return self.calibration_end < self.observation_end

    @property
    def last_period(self) -> dt.date:
        """Beginning of the period in which the calibration ends, as ``purchases`` gives it: a date, or a time."""
        if self.granularity == "W":
            return _monday(self.calibration_end)
        if self.granularity == "D":
            return self.calibration_end
        return dt.datetime.combine(self.calibration_end, dt.time()) + (DAY - unit_length(self.granularity))

    @property
    def unit(self) -> pd.Timedelta:
        """Length of the unit of time."""
        return unit_length(self.time_unit)


def calendar(
    log: Transactions,
    *,
    calibration_end: str | dt.date | None,
    observation_end: str | dt.date | None,
    acquired_after: str | dt.date | None,
    time_unit: str | dt.timedelta,
    granularity: Granularity,
) -> Calendar:
    """The calendar that the keywords of ``summarize`` describe; ValueError where they contradict it or each other."""
    check_choice("granularity", granularity, get_args(Granularity))
    if granularity not in ("D", "W"):
        _require_even_clock(log)
    log = log.window(acquired_after=acquired_after, observation_end=observation_end)
    end, acquired_after = log.last_observed, log.acquired_after
    given = log.calibration_end if calibration_end is None else read_day("calibration_end", calibration_end)
    cut = end if given is None else given
    start = log.acquired_after or log.first_date
    if cut < log.first_date:
        raise ValueError(f"calibration_end {cut} lies before the first purchase, {log.first_date}")
    if cut > end and log.observation_end is None:
        raise ValueError(
            f"calibration_end {cut} lies after the last purchase, {end}; "
            "pass observation_end as well if the log runs on without purchases"
        )
    if cut > end:
        raise ValueError(f"observation_end {end} lies before calibration_end, {cut}")
    if start > cut:
        raise ValueError(f"acquired_after {start} lies after the calibration, {cut}: no customer would be left")
    if granularity == "W" and cut < end and cut.weekday() != SUNDAY:
        raise ValueError(f"calibration_end {cut} is within a week; with granularity 'W' it must be a Sunday")
    if granularity == "W" and acquired_after is not None and start.weekday() != MONDAY:
        raise ValueError(f"acquired_after {start} is within a week; with granularity 'W' it must be a Monday")
    start = max(start, log.first_date)
    length = unit_length(time_unit)
    return Calendar(
        start=_monday(start) if granularity == "W" else start,
        calibration_end=cut,
        observation_end=end,
        granularity=granularity,
        time_unit=time_unit if isinstance(time_unit, str) else str(length),
        end_is_stated=given is not None or log.observation_end is not None,
        last_day_is_stated=log.observation_end is not None,
    )


def _monday(day: dt.date) -> dt.date:
    """First day of the week that a day lies in."""
    return day - day.weekday() * DAY


def _require_even_clock(log: Transactions) -> None:
    """An error where hours are counted on a clock that is put forward or back while the log is observed."""
    if log.clock is None:
        return
    days = pd.date_range(log.first_date, log.last_date + 2 * DAY, freq="D", tz=log.clock)
    if len({day.utcoffset() for day in days}) > 1:
        raise ValueError(
            f"the clock of {log.clock} changes between {log.first_date} and {log.last_date}, so its hours do not "
            "measure elapsed time; read_transactions(..., time_zone='UTC') counts elapsed hours"
        )
