"""The season that a fit did not explain a year ago, for a forecast over the same months."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.evaluation.by_period import expected_until, repeat_purchases_until
from retention_models.fitting.result import Fit
from retention_models.forecast.planning_range import SEASON_DAYS

FEWEST_EXPECTED = 15  # purchases in the window of last year
WINDOW_DAYS = 28
OTHER_DEVIATIONS = 0.2  # size of deviations that come again to one half
NOISE = 1.3  # of a squared log ratio, times the number expected
MOST = 1.0


def season_term(fit: Fit, bought: pd.DataFrame, day: date, days_ahead: int, unit: pd.Timedelta) -> float:
    """Log of the factor by which the season changes the purchases of the days after ``day``.

    Parameters
    ----------
    fit
        A fitted purchase model that learnt until ``day``.
    bought
        The frame of ``daily_purchases`` of the log.
    day
        The origin of the forecast. What comes later is not used.
    days_ahead
        Length of the forecast, in days.
    unit
        Time unit of the fit.

    Returns
    -------
    float
        The damped log ratio l of actual and expected purchases in the same days a year (52 weeks) ago,
        b = l V / (V + 0.2^2) l^2 / (l^2 + 1.3 / expected), at most 1 in size. V is the mean squared log ratio of the
        windows of 4 weeks, less 1 / expected. It is 0 where less than 52 weeks were learnt, where fewer than 15
        purchases were expected, and for a horizon of more than 52 weeks.
    """
    end = pd.Timestamp(day) + pd.Timedelta(1, "D")
    bought = bought[bought.index < end]
    observed = (end - bought.index[0]).days
    if observed - 1 < SEASON_DAYS or days_ahead > SEASON_DAYS:
        return 0.0
    start = end - pd.Timedelta(SEASON_DAYS, "D")
    actual, expected = _between(fit, bought, pd.DatetimeIndex([start, start + pd.Timedelta(days_ahead, "D")]), unit)
    if expected[0] < FEWEST_EXPECTED:
        return 0.0
    ratio = _log_ratio(actual, expected)[0]
    windows = [end - pd.Timedelta(k * WINDOW_DAYS, "D") for k in range(observed // WINDOW_DAYS, -1, -1)]
    seasonal = _variance_of_windows(*_between(fit, bought, pd.DatetimeIndex(windows), unit))
    damped = ratio * seasonal / (seasonal + OTHER_DEVIATIONS**2) * ratio**2 / (ratio**2 + NOISE / expected[0])
    return float(np.clip(damped, -MOST, MOST))


def _between(fit: Fit, bought: pd.DataFrame, edges: pd.DatetimeIndex, unit: pd.Timedelta) -> tuple[Array, Array]:
    """Actual and expected repeat purchases between neighbouring edges."""
    expected = expected_until(fit, edges, bought["new_customers"], unit)
    return np.diff(repeat_purchases_until(edges, bought)), np.diff(expected)


def _log_ratio(actual: Array, expected: Array) -> Array:
    return np.log((actual + 0.5) / (expected + 0.5))


def _variance_of_windows(actual: Array, expected: Array) -> float:
    """Mean squared log ratio of windows beyond chance; of windows in which purchases were expected."""
    enough = expected >= 1
    if not enough.any():
        return 0.0
    return max(0.0, float(np.mean(_log_ratio(actual, expected)[enough] ** 2 - 1 / expected[enough])))
