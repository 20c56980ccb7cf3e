"""Days and whole periods between them, as whole-number expressions that every engine computes alike.

Engines differ in how they subtract dates and in what they call a month. Here a day is its number, and a month ends on
the day of the month on which it began, or on the last one where there is no such day: 31 January, 28 February.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import narwhals as nw
import pandas as pd

from retention_models.core.dates import MONTHS, PERIODS

Period: TypeAlias = Literal["M", "Y"] | int

NEVER = 10_000_000  # the number of a day after all others


@dataclass(frozen=True, slots=True)
class Day:
    """A day, of each row or the same for all, as whole-number expressions.

    ``number`` counts days, ``month`` counts months; ``of_month`` is 1 to 31; ``is_last`` tells whether the month ends.
    """

    number: nw.Expr
    month: nw.Expr
    of_month: nw.Expr
    is_last: nw.Expr

    @classmethod
    def in_column(cls, name: str) -> Day:
        """The day in a column of dates or times."""
        day = nw.col(name)
        next_month = day.dt.offset_by("1d").dt.month()
        year, month, of_month = (part.cast(nw.Int64) for part in (day.dt.year(), day.dt.month(), day.dt.day()))
        return cls(_number(year, month, of_month), year * 12 + month, of_month, next_month != day.dt.month())

    @classmethod
    def constant(cls, day: dt.date) -> Day:
        """One day for all rows."""
        is_last = (day + dt.timedelta(days=1)).month != day.month
        number, month, of_month = (nw.lit(x, nw.Int64) for x in (day_number(day), day.year * 12 + day.month, day.day))
        return cls(number, month, of_month, nw.lit(is_last))

    def or_later(self, other: Day) -> Day:
        """The later of two days."""
        earlier = self.number < other.number
        pairs = zip(self._parts(), other._parts(), strict=True)
        number, month, of_month, is_last = (nw.when(earlier).then(theirs).otherwise(ours) for ours, theirs in pairs)
        return Day(number, month, of_month, is_last)

    def add_columns(self, rows: nw.LazyFrame[Any], name: str) -> tuple[nw.LazyFrame[Any], Day]:
        """The rows with this day in columns that begin with ``name``, and the day as read from them: computed once."""
        names = [f"{name}_{part}" for part in ("number", "month", "of_month", "is_last")]
        number, month, of_month, is_last = map(nw.col, names)
        return rows.with_columns(**dict(zip(names, self._parts(), strict=True))), Day(number, month, of_month, is_last)

    def _parts(self) -> tuple[nw.Expr, nw.Expr, nw.Expr, nw.Expr]:
        return self.number, self.month, self.of_month, self.is_last


def check_period(period: Period, name: str = "period") -> None:
    """An error unless the period is one that contracts can have."""
    whole = isinstance(period, int) and not isinstance(period, bool) and period > 0
    if not (whole or period in get_args(get_args(Period)[0])):
        raise ValueError(f"{name} must be 'M', 'Y' or a number of days such as 28, not {period!r}")


def period_name(period: Period) -> str:
    """A period in words, of which there may be several: month, year, week, unit of 28 days.

    Examples
    --------
    >>> period_name("M"), period_name(7), period_name(28)
    ('month', 'week', '28-day period')
    """
    if isinstance(period, int):
        return {1: "day", 7: "week"}.get(period, f"{period}-day period")
    return PERIODS[period]


def period_offset(period: Period) -> pd.DateOffset:
    """A period as something to add to a day."""
    return pd.DateOffset(days=period) if isinstance(period, int) else pd.DateOffset(months=MONTHS[period])


def completed_periods(start: Day, end: Day, period: Period) -> nw.Expr:
    """How many whole periods lie between two days."""
    if isinstance(period, int):
        return (end.number - start.number) // period
    unfinished = (end.of_month < start.of_month) & ~end.is_last
    months = end.month - start.month - nw.when(unfinished).then(1).otherwise(0)
    return months // MONTHS[period]


def started_periods(start: Day, end: Day, period: Period) -> nw.Expr:
    """How many periods it takes to reach from one day to another, the last one perhaps in part."""
    whole = completed_periods(start, end, period)
    if isinstance(period, int):
        is_exact = (end.number - start.number) % period == 0
    else:
        same_day = (end.of_month == start.of_month) | ((end.of_month < start.of_month) & end.is_last)
        is_exact = same_day & ((end.month - start.month) % MONTHS[period] == 0)
    return whole + nw.when(is_exact).then(0).otherwise(1)


def day_number(day: dt.date) -> int:
    """The number of a day, as ``Day.number`` counts it."""
    return day.toordinal()


def _number(year: nw.Expr, month: nw.Expr, of_month: nw.Expr) -> nw.Expr:
    """Days since the beginning of the calendar, years beginning in March so that leap days come last."""
    late = nw.when(month > 2).then(1).otherwise(0)
    years = year - 1 + late
    days = (153 * ((month + 9) % 12) + 2) // 5 + of_month
    return 365 * years + years // 4 - years // 100 + years // 400 + days - 306
