"""Planning ranges in words: what to plan with, how earlier forecasts came true, and what the range rests on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from retention_models.core.dates import span_name
from retention_models.core.formatting import three_digits
from retention_models.forecast.planning_range import STATED_ERROR, ForecastErrors, PastErrors

PERCENT = 1.0  # percent: a season or an error below it is not worth a sentence


def range_text(row: pd.Series[Any], write: Callable[[float, float], str]) -> str:
    """Both planning ranges of a total; ``write`` makes a text of two ends."""
    four, nineteen = (
        write(*(float(row[f"planning_{end}_{level}"]) for end in ("lower", "upper"))) for level in (80, 95)
    )
    return f"{four} (four times in five; {nineteen} in 19 of 20)"


def past_error_text(past_errors: PastErrors, errors: ForecastErrors, *, what: str = "forecast") -> str:
    """How earlier forecasts of this length came true, and what the range rests on: a few sentences."""
    span = span_name(past_errors.horizon, past_errors.time_unit)
    facts = [_earlier_text(errors, span, what), *_warnings(past_errors, errors)]
    return " ".join(fact for fact in facts if fact)


def _earlier_text(errors: ForecastErrors, span: str, what: str) -> str:
    """The errors of earlier forecasts, and how many lay inside such a range."""
    m, several = len(errors.origins), what.replace("forecast", "forecasts")
    if m == 0:
        return f"No earlier {what} over {span} can be checked: the range rests on a stated error of 10 %."
    off = sorted(errors.errors)
    if m == 1:
        return f"One earlier {what} over {span} was {_off_text(off[0])}."
    inside = int(errors.inside(0.8).sum())
    most, least = _off_text(off[0]), _off_text(off[-1])
    return f"Of {m} earlier {several} over {span}, {inside or 'none'} lay inside such a range, from {most} to {least}."


def _off_text(error: float) -> str:
    """How far off a forecast was, by the logarithm of what came over what was expected."""
    percent = 100 * abs(math.expm1(-error))
    if percent < PERCENT:
        return "less than 1 % off"
    return f"{percent:.0f} % too {'low' if error > 0 else 'high'}"


def _warnings(past_errors: PastErrors, errors: ForecastErrors) -> list[str]:
    """What the range rests on: a stated error, one season or none, errors of one sign."""
    stated = errors.stated_share > 0.5 and len(errors.origins) > 0
    season = 100 * math.expm1(errors.season)
    latest = {1: "low", -1: "high"}.get(errors.one_sided)
    return [
        f"The range rests mostly on a stated error of {100 * STATED_ERROR:.0f} %; it narrows as forecasts come true."
        * stated,
        "" if past_errors.has_seen_season else "The log is shorter than a year: a season has not been seen.",
        f"The season of last year moves the forecast by {season:+.0f} %." * (abs(season) >= PERCENT),
        f"The latest three forecasts all were too {latest}." if latest else "",
        _broken_text(errors) if errors.was_broken else "",
    ]


def _broken_text(errors: ForecastErrors) -> str:
    """The latest forecast, which lay outside its range."""
    return (
        f"The latest forecast, of {errors.origins[-1]}, was {_off_text(errors.errors[-1])} and lay outside its 95 % "
        "range: the business has changed, and this range may be too narrow."
    )


def count_text(number: float) -> str:
    """A number of purchases, large ones to three significant digits."""
    return f"{float(f'{number:.3g}'):,.0f}" if number >= 1 else three_digits(number)
