"""Which days a summary is about, what makes one purchase, and how time is measured."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime, time, timedelta

import numpy as np
import pandas as pd

from retention_models.logs.transactions import PERIODS, Granularity, Transactions, check_choice

UNITS = {"W": "7D", "D": "1D", "h": "1h", "min": "1min", "s": "1s"}
DAY = timedelta(days=1)
MONDAY, SUNDAY = 0, 6


@dataclass(frozen=True, slots=True)
class Calendar:
    """The days of a summary, each included; the period that makes one purchase; the unit of time.

    ``start`` is the day from which a customer must be first seen to take part.
    """

    start: Date
    calibration_end: Date
    observation_end: Date
    granularity: Granularity
    time_unit: str

    @property
    def has_holdout(self) -> bool:
        """Whether days are left after the calibration."""
        return self.calibration_end < self.observation_end

    @property
    def last_period(self) -> Date:
        """Beginning of the period in which the calibration ends, as ``purchases`` gives it: a date, or a time."""
        if self.granularity == "W":
            return self.calibration_end - self.calibration_end.weekday() * DAY
        if self.granularity == "D":
            return self.calibration_end
        return datetime.combine(self.calibration_end + DAY, time()) - _length(self.granularity)

    def measure(self, durations: pd.Series) -> pd.Series:
        """Durations as floats, in the unit of time."""
        return durations / _length(self.time_unit)


def calendar(
    log: Transactions,
    *,
    calibration_end: str | Date | None,
    observation_end: str | Date | None,
    acquired_after: str | Date | None,
    time_unit: str | timedelta,
    granularity: Granularity,
) -> Calendar:
    """The calendar that the keywords of ``summarize`` describe; ValueError where they contradict it or each other."""
    check_choice("granularity", granularity, PERIODS)
    end = log.last_date if observation_end is None else _day("observation_end", observation_end)
    cut = end if calibration_end is None else _day("calibration_end", calibration_end)
    start = log.first_date if acquired_after is None else _day("acquired_after", acquired_after)
    if end < log.first_date:
        raise ValueError(f"observation_end {end} lies before the first purchase, {log.first_date}")
    if cut < log.first_date:
        raise ValueError(f"calibration_end {cut} lies before the first purchase, {log.first_date}")
    if cut > end and observation_end is None:
        raise ValueError(
            f"calibration_end {cut} lies after the last purchase, {end}; "
            "pass observation_end as well if the log runs on without purchases"
        )
    if cut > end:
        raise ValueError(f"observation_end {end} lies before calibration_end, {cut}")
    if start > cut:
        raise ValueError(f"acquired_after {start} lies after the calibration, {cut}: no customer would be left")
    if granularity == "W" and cut < end and cut.weekday() != SUNDAY:
        raise ValueError(f"calibration_end {cut} cuts a week in two; with granularity 'W' it must be a Sunday")
    if granularity == "W" and acquired_after is not None and start.weekday() != MONDAY:
        raise ValueError(f"acquired_after {start} cuts a week in two; with granularity 'W' it must be a Monday")
    length = _length(time_unit)
    return Calendar(start, cut, end, granularity, time_unit if isinstance(time_unit, str) else str(length))


def _day(name: str, value: str | Date) -> Date:
    try:
        moment = pd.Timestamp(value) if isinstance(value, str | Date) else None
    except ValueError:
        moment = None
    if moment is None or moment is pd.NaT or moment.tzinfo is not None or moment != moment.normalize():
        raise ValueError(f"{name} must be a day such as '1997-09-30', not {value!r}")
    return moment.date()


def _length(time_unit: str | timedelta) -> pd.Timedelta:
    """How long a unit of time is. Months and years have no length: some are longer than others."""
    try:
        length = pd.Timedelta(UNITS.get(str(time_unit), time_unit)) if isinstance(time_unit, str | timedelta) else None
    except ValueError:
        length = None
    if length is None or not length > pd.Timedelta(0):
        raise ValueError(
            f"time_unit must be one of {', '.join(map(repr, UNITS))} or a fixed length such as '30D', not {time_unit!r}"
        )
    return length
