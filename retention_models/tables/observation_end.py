"""How far a table of customers was observed: a fact of the log, not of the rows handed over.

Where nobody stated the last day, a table ends with its last purchase. Of customers who have long been silent that is
too early, and of a log with a mistyped day too late.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from retention_models.core.check import Check
from retention_models.core.dates import PANDAS_PERIODS, unit_length
from retention_models.tables.customer_table import CustomerTable

LAST_DAY = "Last day of the log"  # the name of the check


def require_last_day(about: Mapping[str, Any]) -> None:
    """An error where the last day of a table is far from all others, so that its date must be a mistake."""
    for check in about.get("checks", ()):
        if check["name"] == LAST_DAY and check["passed"] is False:
            raise ValueError(f"the log cannot end there. {Check(**check).text}")


def as_of_fit(fitted: Mapping[str, Any], table: CustomerTable, columns: Sequence[str]) -> CustomerTable:
    """The table measured as the data of a fit were, with ages up to the fit's last day where its own is earlier.

    A last day that was stated stays. One that is only that of the table's last purchase gives way to a later one of
    the fit, up to which these customers bought nothing more. ``about["observed"]`` then says until when they count as
    observed. ``columns`` name those of the table.

    Raises
    ------
    ValueError
        When the last day of the table is far from all others.
    """
    require_last_day(table.about)
    own, of_fit = (_last_day(about) for about in (table.about, fitted))
    is_stated = table.about.get("end_is_stated", True)
    about = {**table.about, "observed": _observed_text(own, of_fit, is_stated=is_stated)}
    if own is None or of_fit is None or is_stated or of_fit <= own or "T" not in columns:
        return replace(table, about=about)
    age = list(columns).index("T")
    ages = table.columns[age] + _elapsed(own, of_fit, table.about)
    about |= {"calibration_end": of_fit.isoformat(), "observation_end": of_fit.isoformat()}
    return replace(table, columns=(*table.columns[:age], ages, *table.columns[age + 1 :]), about=about)


def _observed_text(own: dt.date | None, of_fit: dt.date | None, *, is_stated: bool) -> str:
    """Until when customers count as observed, in a sentence; empty where nobody knows."""
    if own is None:
        return "" if of_fit is None else f"Observed until {of_fit}, the last day of the fit; the table names none."
    if is_stated:
        return f"Observed until {own}, as stated."
    if of_fit is None or of_fit <= own:
        return f"Observed until {own}, the day of the last purchase."
    return f"Observed until {of_fit}, the last day of the fit; the last purchase in the table was on {own}."


def _last_day(about: Mapping[str, Any]) -> dt.date | None:
    """The day at which ages end."""
    day = about.get("calibration_end") or about.get("observation_end")
    return dt.date.fromisoformat(day[:10]) if day else None


def _elapsed(first: dt.date, last: dt.date, about: Mapping[str, Any]) -> float:
    """The time between the ends of two days, in the unit of a table: opportunities, weeks from Monday, or any."""
    if "period" in about:
        period = PANDAS_PERIODS[about["period"]]
        return float(pd.Period(last, period).ordinal - pd.Period(first, period).ordinal)
    if about.get("granularity") == "W":
        first, last = (day - dt.timedelta(days=day.weekday()) for day in (first, last))
    return float((last - first) / unit_length(about["time_unit"]))
