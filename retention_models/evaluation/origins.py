"""Earlier days from which a forecast can be compared with the rest of a log."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_horizon, require_whole
from retention_models.core.dates import DAY, unit_length
from retention_models.logs.transactions.calendar import calendar
from retention_models.logs.transactions.log import Granularity, Transactions
from retention_models.logs.transactions.purchases import as_transactions

MOST_ORIGINS = 10_000  # each with a fit of its own
LATEST = 8  # origins of a planning range


def earlier_origins(
    transactions: Any,
    *,
    horizon: float,
    time_unit: str | timedelta = "W",
    count: int = 4,
) -> list[date]:
    """Earlier days for a backtest: the days from which a forecast can be compared with the rest of the log.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    horizon
        Length of the forecast, in time units; above 0.
    time_unit
        Unit of ``horizon``, as in ``summarize``. By default ``"W"`` (weeks).
    count
        Number of days wanted. By default 4; a short log gives fewer, at least one.

    Returns
    -------
    list[datetime.date]
        Evenly spaced days. The last one leaves just the horizon. The first one leaves two thirds of the time before
        that, or as much as ``backtest_check`` needs.

    Raises
    ------
    ValueError
        When the horizon leaves less than a week to learn from, or ``count`` is below 1.

    Examples
    --------
    >>> import retention_models as rm
    >>> [str(day) for day in rm.evaluation.earlier_origins(rm.datasets.load_cdnow(), horizon=26)]
    ['1997-08-31', '1997-10-10', '1997-11-19', '1997-12-30']
    """
    require_horizon(horizon)
    require_whole("count", count, 1, MOST_ORIGINS)
    days = calendar(
        as_transactions(transactions),
        calibration_end=None,
        observation_end=None,
        acquired_after=None,
        time_unit=time_unit,
        granularity="D",
    )
    observed, ahead = (days.observation_end - days.start).days, horizon * (days.unit / pd.Timedelta(DAY))
    learnt = math.floor(observed - ahead)
    if learnt < 7:
        raise ValueError(
            f"a horizon of {horizon:g} leaves {max(learnt, 0)} of the days from {days.start} to {days.observation_end} "
            "to learn from; choose a shorter one"
        )
    first = min(max(learnt - learnt // 3, math.ceil(shortest_history(observed, ahead))), learnt)
    waits = np.unique(np.linspace(first, learnt, count).astype(int))
    return [days.start + timedelta(days=int(wait)) for wait in waits]


def shortest_history(observed: float, ahead: float) -> float:
    """The days that a forecast over ``ahead`` days must have learnt from, in a log of ``observed`` days."""
    return min(ahead, observed / 4)


def half_horizon_origins(
    log: Transactions, *, horizon: float, time_unit: str | timedelta, granularity: Granularity
) -> list[date]:
    """The origins of a planning range, or where there is none the one day that leaves just the horizon."""
    end, start = log.calibration_end or log.last_observed, max(log.acquired_after or log.first_date, log.first_date)
    ahead = math.floor(horizon * (unit_length(time_unit) / pd.Timedelta(DAY)))
    found = origins_before(start, end, ahead, granularity) if ahead else []
    return found or earlier_origins(log, horizon=horizon, time_unit=time_unit, count=1)


def origins_before(start: date, end: date, days_ahead: int, granularity: Granularity = "D") -> list[date]:
    """The latest 8 origins, oldest first, half a horizon apart, whose forecasts are over by ``end``.

    Half a horizon is rounded up to whole weeks, so that all origins are the same day of the week; below two weeks to
    whole days. Where purchases count by week, each is moved back to a Sunday.
    """
    if granularity == "W":
        end -= timedelta((end.weekday() + 1) % 7)
    step = math.ceil(days_ahead / 14) * 7 if days_ahead >= 14 else math.ceil(days_ahead / 2)
    observed = (end - start).days
    learnt = [observed - days_ahead - k * step for k in range(LATEST)]
    enough = max(shortest_history(observed, days_ahead), 1)
    return [start + timedelta(days) for days in reversed(learnt) if days >= enough]
