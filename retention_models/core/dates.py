"""Days and units of time: read, named, and measured in days."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

UNITS = {"W": "7D", "D": "1D", "h": "1h", "min": "1min", "s": "1s"}


NAMES = {"W": "week", "D": "day", "h": "hour", "min": "minute", "s": "second"}


PERIODS = {"M": "month", "Q": "quarter", "Y": "year"}  # units of time without a fixed length


MONTHS = {"M": 1, "Q": 3, "Y": 12}


PANDAS_PERIODS = {"D": "D", "W": "W-SUN", "M": "M", "Q": "Q", "Y": "Y"}  # as pandas calls calendar periods


MEAN_DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Q": 365.25 / 4, "Y": 365.25}


DAY = dt.timedelta(days=1)
LONGEST_SILENCE, MOST_LENGTHS = 20 * 366, 10  # days, and lengths of a log, for which nothing may happen at its end
LAST_DAY = dt.date(2261, 12, 31)  # pandas has no nanoseconds after 2262-04-11


def read_day(name: str, value: str | dt.date) -> dt.date:
    """The day that a keyword names, also by a moment in it; a moment with a zone is none."""
    try:
        moment: Any = pd.Timestamp(value) if isinstance(value, np.datetime64) else value
        if getattr(moment, "tzinfo", None) is not None:
            raise ValueError("a moment whose day depends on the zone")
        day = (
            dt.date.fromisoformat(moment) if isinstance(moment, str) else dt.date(moment.year, moment.month, moment.day)
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{name} must be a day such as '1997-09-30', not {value!r}") from error
    if day > LAST_DAY:
        raise ValueError(f"{name} must be a day up to {LAST_DAY}; got {value}")
    return day


def require_end_near(end: dt.date, first: dt.date, last: dt.date, what: str) -> None:
    """An error where a stated end of observation lies decades after the last day of a log, as a mistyped year does."""
    silence = (end - last).days
    if silence > max(LONGEST_SILENCE, MOST_LENGTHS * (last - first).days):
        raise ValueError(
            f"observation_end {end} lies {silence / MEAN_DAYS['Y']:.0f} years after the last {what}, {last}: "
            "correct the date, or leave out rows that do not belong to this business"
        )


def require_time_zone(time_zone: object) -> None:
    """An error unless a time zone is a text, or is not stated."""
    if time_zone is not None and not (isinstance(time_zone, str) and time_zone.strip()):
        raise ValueError(f"time_zone must be the name of a time zone, such as 'Europe/Berlin'; got {time_zone!r}")


def unit_length(time_unit: str | dt.timedelta) -> pd.Timedelta:
    """How long a unit of time is. Months and years have no length: some are longer than others."""
    try:
        length = (
            pd.Timedelta(UNITS.get(str(time_unit), time_unit))
            if isinstance(time_unit, dt.timedelta) or (isinstance(time_unit, str) and not time_unit.strip().isdecimal())
            else None
        )
    except ValueError:
        length = None
    if length is None or not length > pd.Timedelta(0):
        raise ValueError(
            f"time_unit must be one of {', '.join(map(repr, UNITS))} or a fixed length such as '30D', not {time_unit!r}"
        )
    return length


def unit_name(time_unit: str) -> str:
    """A unit of time in a word, ``period`` where it has none."""
    return (NAMES | PERIODS).get(time_unit, "period")


def span_name(length: float, time_unit: str) -> str:
    """A length of time in words, such as "26 weeks"."""
    name = (NAMES | PERIODS).get(time_unit)
    return f"{length:g} times {time_unit}" if name is None else f"{length:g} {name}{'' if length == 1 else 's'}"


def unit_plural(time_unit: str) -> str:
    """A unit of time in words, of which there are several: "months", "units of 30D"."""
    name = (NAMES | PERIODS).get(time_unit)
    return f"units of {time_unit}" if name is None else f"{name}s"


def unit_days(time_unit: str) -> float:
    """The length of a unit of time in days, on average for months, quarters and years."""
    return MEAN_DAYS[time_unit] if time_unit in PERIODS else unit_length(time_unit).total_seconds() / 86_400


def check_time_unit(time_unit: str) -> None:
    """An error unless the unit is a month, a quarter, a year or has a fixed length."""
    if isinstance(time_unit, str) and time_unit in PERIODS:
        return
    try:
        unit_length(time_unit)
    except ValueError:
        units = ", ".join(map(repr, (*UNITS, *PERIODS)))
        raise ValueError(
            f"time_unit must be one of {units} or a fixed length such as '30D', not {time_unit!r}"
        ) from None
