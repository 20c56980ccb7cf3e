"""Time within which most customers with a given history buy again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.dates import PANDAS_PERIODS, unit_length
from retention_models.fitting.uncertainty import Uncertainty
from retention_models.tables.customer_table import Rows

STILL_WAITING = 0.1  # share of customers without a purchase when 90 % have bought again
ACCURACY = 1e-10  # of the search, over its range
BISECTIONS = 10  # one step in so many halves the range, so that every search ends
MOST_STEPS = 400
CERTAIN = 1e-300  # probabilities stay so far above 0, for their logarithms


def next_purchase_day(forecast: pd.DataFrame) -> pd.Series:
    """Day by which 90 % of customers with such a history have bought again.

    Parameters
    ----------
    forecast
        The forecast that ``predict`` returns for a table of ``summarize`` or ``opportunities``.

    Returns
    -------
    pandas.Series
        Called ``next_purchase_day``: days as text, such as ``2024-01-31``. Missing where fewer than 90 % buy again
        within the horizon of the forecast.

    Raises
    ------
    ValueError
        When the forecast does not say on which day it begins.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> forecast = rm.predict(rm.fit(rm.ParetoNBD, customers), customers, horizon=39, level=None)
    >>> rm.forecast.next_purchase_day(forecast).loc[[1, 157]].tolist()
    [<NA>, '1997-10-30']
    """
    about, times = forecast.attrs, forecast["time_to_next_purchase_p90"]
    until = about.get("observed_until")
    if until is None:
        raise ValueError("the forecast does not say on which day it begins: predict for a table of summarize")
    known = times.dropna()
    if "period" in about:
        present = pd.Period(until, PANDAS_PERIODS[about["period"]])
        days = [(present + int(opportunities)).end_time for opportunities in known]
    else:
        length = unit_length(about["time_unit"]) / pd.Timedelta(1, "D")
        days = list(pd.Timestamp(until) + pd.to_timedelta(np.ceil(known * length), "D"))
    named = pd.Series([f"{day:%Y-%m-%d}" for day in days], known.index, dtype="string")
    return named.reindex(times.index).rename("next_purchase_day")


def time_to_next_purchase(
    source: Uncertainty, rows: Rows, horizon: float, no_purchase: Array, pause: float = 0.0
) -> Array:
    """Time by which 90 % of customers with each history have bought again; nan where it exceeds the horizon.

    Parameters
    ----------
    source
        The fitted purchase model.
    rows
        Histories; n rows.
    horizon
        Longest time, in the time unit of the fit.
    no_purchase
        Probability of no purchase within the horizon; shape (n,).
    pause
        As in ``predict``.

    Returns
    -------
    numpy.ndarray
        Times from now, shape (n,); whole numbers where the model counts opportunities.
    """
    times, reached = np.full(len(rows), np.nan), no_purchase <= STILL_WAITING
    if reached.any():
        times[reached] = source.values(partial(_model_times, horizon, pause), rows.take(reached))
    return times


def _model_times(horizon: float, pause: float, model: Any, *history: Array) -> Array:
    """The times of histories for which they are within the horizon.

    If 90 % of all customers are to return, a share 1 - 0.9 / P(alive or pausing) of those who may still waits.
    """
    alive, future = model.future_process(*history)
    waiting = np.maximum(1 - (1 - STILL_WAITING) / (alive + (1 - alive) * pause), CERTAIN)
    search = _first_opportunity if model.counts_opportunities else _first_time
    return search(future, horizon, waiting)


def _first_opportunity(future: Any, horizon: float, waiting: Array) -> Array:
    """The first whole number at which few enough wait, by bisection."""
    low, high = np.zeros(len(waiting)), np.full(len(waiting), horizon)
    while np.any(high - low > 1):
        middle = np.ceil((low + high) / 2)
        are_few = future.purchase_probability_new(0, middle) <= waiting
        low, high = np.where(are_few, low, middle), np.where(are_few, middle, high)
    return high


def _first_time(future: Any, horizon: float, waiting: Array) -> Array:
    """The time at which few enough wait.

    The search is for x, which is log(1 + time / alpha) over its value at the horizon. The log probability of no
    purchase is linear in x where only purchases end in dropout (NBD, BG/NBD), and smooth elsewhere.
    """
    furthest = np.log1p(horizon / future.alpha)

    def excess(x: Array, rows: NDArray[np.intp]) -> Array:
        some = _take(future, rows)
        none = some.purchase_probability_new(0, some.alpha * np.expm1(x * furthest[rows]))
        return np.log(np.maximum(none, CERTAIN)) / np.log(waiting[rows]) - 1

    x = _zero(excess, np.arange(len(waiting)))
    return np.minimum(future.alpha * np.expm1(x * furthest), horizon)


def _zero(function: Callable[[Array, NDArray[np.intp]], Array], rows: NDArray[np.intp]) -> Array:
    """Where the increasing ``function(x, rows)`` of each row is 0, by the secant method in a bracket.

    It is -1 at x = 0, and 0 or more at x = 1. Rows leave when they are found.
    """
    low, high, before = np.zeros(len(rows)), np.ones(len(rows)), np.ones(len(rows))
    value_before = function(before, rows)
    x = 1 / (1 + np.maximum(value_before, 0))
    for step in range(1, MOST_STEPS):
        here, value = x[rows], function(x[rows], rows)
        low[rows] = np.where(value < 0, here, low[rows])
        high[rows] = np.where(value < 0, high[rows], here)
        with np.errstate(divide="ignore", invalid="ignore"):
            secant = here - value * (here - before[rows]) / (value - value_before[rows])
        is_inside = (low[rows] <= secant) & (secant <= high[rows]) & (step % BISECTIONS > 0)
        x[rows] = np.where(is_inside, secant, (low[rows] + high[rows]) / 2)
        before[rows], value_before[rows] = here, value
        rows = rows[np.abs(x[rows] - here) > ACCURACY]
        if not len(rows):
            break
    return x


def _take(future: Any, rows: NDArray[np.intp]) -> Any:
    """The future process of some of its customers."""
    values = {each.name: getattr(future, each.name) for each in fields(future)}
    return replace(future, **{name: value[rows] for name, value in values.items() if np.ndim(value)})
