"""P(alive) and expected purchases by purchase history: for all histories of one age, and over time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import (
    LONGEST,
    MOST_POINTS,
    SHORTEST,
    is_number,
    require_horizon,
    require_number,
    require_whole,
)
from retention_models.core.dates import unit_name
from retention_models.evaluation.holdout_data import common_measure, fits_by_name, require_days
from retention_models.fitting.result import Fit, require_fit, require_no_covariates
from retention_models.forecast.customers import require_purchases
from retention_models.logs.transactions.calendar import Calendar, calendar
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions, filter_days, purchases
from retention_models.tables.frames import collect


def history_matrix(fit: Fit, *, T: float, horizon: float, max_frequency: int = 15, steps: int = 60) -> pd.DataFrame:
    """P(alive) and expected purchases for every number of repeat purchases and every recency, at one age.

    Parameters
    ----------
    fit
        A fitted purchase model.
    T
        Age of the customers, in the time unit of the fit; above 0.
    horizon
        Length of the forecast, in the time unit of the fit; above 0.
    max_frequency
        Highest number of repeat purchases in the grid, which starts at 1. By default 15.
    steps
        Number of recencies, evenly spaced up to ``T``. By default 60.

    Returns
    -------
    pandas.DataFrame
        One row per point of the grid: ``frequency``, ``recency`` (time units), ``probability_alive`` and
        ``expected_purchases`` within the horizon. ``attrs`` holds ``T``, ``horizon`` and the time unit.

    Raises
    ------
    ValueError
        When a number is not valid, the grid has more than 1,000,000 points, the model is not one of purchases, or the
        fit has covariates.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> fit = rm.fit(rm.ParetoNBD, customers)
    >>> rm.evaluation.history_matrix(fit, T=39, horizon=39, max_frequency=2, steps=2).round(3)
       frequency  recency  probability_alive  expected_purchases
    0          1     19.5              0.655               0.665
    1          1     39.0              1.000               1.016
    2          2     19.5              0.584               0.975
    3          2     39.0              1.000               1.670
    """
    require_fit(fit)
    require_purchases(type(fit.model))
    if not (is_number(T) and is_number(horizon) and T > 0 and horizon > 0):
        raise ValueError(f"T and horizon must be above 0; got {T!r} and {horizon!r}")
    require_number("T", T, SHORTEST, LONGEST)
    require_horizon(horizon)
    require_whole("max_frequency", max_frequency, 1, MOST_POINTS)
    require_whole("steps", steps, 1, MOST_POINTS)
    require_whole("max_frequency times steps", max_frequency * steps, 1, MOST_POINTS)
    require_no_covariates(fit, "a history", "predict")
    frequency = np.repeat(np.arange(1.0, max_frequency + 1), steps)
    recency = np.tile(np.linspace(0, T, steps + 1)[1:], max_frequency)
    age = np.full(len(recency), float(T))
    frame = pd.DataFrame(
        {
            "frequency": frequency.astype(int),
            "recency": recency,
            "probability_alive": fit.model.probability_alive(frequency, recency, age),
            "expected_purchases": fit.model.expected_purchases(horizon, frequency, recency, age),
        }
    )
    frame.attrs = {
        "T": float(T),
        "horizon": float(horizon),
        "time_unit": f"{unit_name(fit.data.get('time_unit', ''))}s",
    }
    return frame


def alive_history(
    fit: Fit,
    transactions: Any,
    customer: Any,
    *,
    observation_end: str | date | None = None,
    time_unit: str | timedelta | None = None,
    steps: int = 200,
) -> pd.DataFrame:
    """P(alive) of one customer over time, with the information of each day.

    Parameters
    ----------
    fit
        A fitted purchase model.
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    customer
        A ``customer_id`` in the log.
    observation_end
        Last day to show. By default the last day in the log, or that of the fit if it is later.
    time_unit
        Time unit of the fit. By default the unit that the fit knows, else ``"W"`` (weeks).
    steps
        Number of evenly spaced instants. By default 200. Each purchase adds two, one before and one at it.

    Returns
    -------
    pandas.DataFrame
        In the order of time: ``date``, the history known then (``T``, ``recency`` and ``frequency``),
        ``probability_alive``, and ``purchase`` (True at a purchase). ``attrs["customer_id"]`` is the customer,
        ``attrs["observation_end"]`` the last day shown.

    Raises
    ------
    ValueError
        When the customer has no purchase in the log, ``steps`` is not a whole number from 1 to 1,000,000, or the fit is
        not one of purchases on the days of a log, or has covariates.

    Examples
    --------
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> fit = rm.fit(rm.ParetoNBD, rm.summarize(log, calibration_end="1997-09-30"))
    >>> frame = rm.evaluation.alive_history(fit, log, 1)
    >>> frame.loc[frame["purchase"], ["date", "frequency", "T", "probability_alive"]].round({"T": 2})
              date  frequency      T  probability_alive
    1   1997-01-01          0   0.00                1.0
    9   1997-01-18          1   2.43                1.0
    82  1997-08-02          2  30.43                1.0
    132 1997-12-12          3  49.29                1.0
    """
    require_fit(fit)
    require_purchases(type(fit.model))
    require_days(fit, "alive_history")
    require_whole("steps", steps, 1, MOST_POINTS)
    require_no_covariates(fit, "a customer of the log", "predict")
    by_name, log = fits_by_name(fit), as_transactions(transactions)
    known = fit.observation_end
    if observation_end is None and log.observation_end is None and known is not None and known > log.last_date:
        observation_end = known  # who is silent in this log was observed no less than others
    days = calendar(
        log,
        calibration_end=None,
        observation_end=observation_end,
        acquired_after=None,
        time_unit=common_measure(by_name, "time_unit", time_unit, "W"),
        granularity=common_measure(by_name, "granularity", None, "D"),
    )
    unit, end, moments = days.unit, pd.Timestamp(days.last_period), _purchase_times(log, customer, days)
    first = moments[0]
    bought = ((moments - first) / unit).to_numpy()
    passing = np.linspace(0, (end - first) / unit, steps)
    count = np.arange(len(bought))
    while_passing, just_before, just_after = (
        (passing, np.searchsorted(bought, passing, side="right") - 1, False),
        (bought[1:], count[:-1], False),
        (bought, count, True),
    )
    rows = [
        pd.DataFrame({"T": age, "frequency": repeats, "purchase": bought_then})
        for age, repeats, bought_then in (while_passing, just_before, just_after)
    ]
    frame = pd.concat(rows).sort_values(["T", "frequency", "purchase"], ignore_index=True)
    frame.insert(0, "date", first + frame["T"] * unit)
    frame.insert(2, "recency", bought[frame["frequency"]])
    alive = fit.model.probability_alive(frame["frequency"].to_numpy(float), *frame[["recency", "T"]].to_numpy().T)
    frame.insert(4, "probability_alive", alive)
    frame.attrs = {"customer_id": str(customer), "observation_end": days.observation_end.isoformat()}
    return frame


def _purchase_times(log: Transactions, customer: Any, days: Calendar) -> pd.DatetimeIndex:
    same = nw.col("customer_id").cast(nw.String) == str(customer)
    found = collect(filter_days(purchases(log, days.granularity), "period", None, days.observation_end).filter(same))
    if found.empty:
        raise ValueError(f"customer_id {customer!r} has no purchase in the log up to {days.observation_end}")
    return pd.DatetimeIndex(found["period"]).sort_values()
