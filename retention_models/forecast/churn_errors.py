"""Errors of earlier forecasts of contracts, for planning ranges of survivors and of value.

An error is a factor on churn: if S is the share that was expected to survive, and S^k did, then k times as much churn
came as expected. Such a factor carries over to other horizons, ages and values, where an error of the number of
survivors would not. Errors of single years partly cancel over many: as with purchases, the variance of log S grows in
proportion to the horizon, which takes about its square root off that of log k.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from retention_models.core.arguments import require_level
from retention_models.core.arrays import Array
from retention_models.estimation.intervals import normal_quantile
from retention_models.forecast.planning_range import STATED_ORIGINS, ForecastErrors

STATED_ERROR = 0.05  # of churn, of a log that has shown none yet
MOST_VARIANCE = 0.04  # of the churn that a forecast expects: beyond 20 %, chance and parameters hide model error
MOST_TIMES = 4  # as long as the forecasts that were tested, or as short: how far errors are taken to shrink or grow
COLUMNS = ("renewals", "until", "customers", "actual", "expected", "churn_variance")


def churn_factors(customers: Array, actual: Array, expected: Array) -> Array:
    """How many times as much churn came as was expected of some customers, of whom so many survived.

    Half a customer is added to the survivors, and to those who left, so that none and all have a factor.
    """
    left, foreseen = (-np.log((survivors + 0.5) / (customers + 1)) for survivors in (actual, expected))
    return np.asarray(left / foreseen)


def churn_variance(forecast: pd.DataFrame, level: float) -> Array:
    """Relative variance of the churn that a table of ``forecast_retention`` expects: of parameters and of chance."""
    share = forecast["expected"] / forecast["customers"]
    lower, upper = (forecast[f"expected_{end}"] / forecast["customers"] for end in ("lower", "upper"))
    by_parameters = ((upper - lower) / (2 * normal_quantile(level))) ** 2
    by_chance = share * (1 - share) / forecast["customers"]
    return np.asarray((by_parameters + by_chance) / (share * np.log(share)) ** 2, dtype=float)


@dataclass(frozen=True, slots=True)
class ChurnErrors:
    """Errors of earlier forecasts over a number of renewals, as factors on churn."""

    errors: ForecastErrors
    renewals: int

    def factors(self, level: float, ahead: ArrayLike) -> tuple[Array, Array]:
        """The factors on churn at the lower and at the upper end of what survives so many renewals."""
        require_level(level)
        most = MOST_TIMES * self.renewals
        near = np.clip(np.asarray(ahead, dtype=float), self.renewals / MOST_TIMES, most)
        excess = self.errors.excess * np.sqrt(self.renewals / near)
        degrees = STATED_ORIGINS + self.errors.n_effective
        variance = (STATED_ORIGINS * STATED_ERROR**2 + self.errors.n_effective * excess) / degrees
        reach = stdtrit(degrees, (1 + level) / 2) * np.sqrt(variance)
        return np.exp(reach), np.exp(-reach)


def read_churn_errors(backtest: Any) -> ChurnErrors:
    """The errors of the frame of ``evaluation.backtest_retention``, without the forecasts that tell next to nothing.

    Raises
    ------
    TypeError
        When it is no such frame.
    """
    if not isinstance(backtest, pd.DataFrame) or not set(COLUMNS) <= set(backtest.columns):
        raise TypeError(
            "past_errors of contracts must be the frame of evaluation.backtest_retention(Model, spells, ...), with "
            f"{', '.join(COLUMNS)}; got {type(backtest).__name__}"
        )
    known = backtest[backtest["churn_variance"].astype(float) <= MOST_VARIANCE].sort_index()
    origins = tuple(dt.date.fromisoformat(str(day)) for day in known.index)
    until = [dt.date.fromisoformat(day) for day in known["until"]]
    n, numbers = len(known), known[["customers", "actual", "expected"]].to_numpy(dtype=float)
    errors = ForecastErrors(
        days_ahead=max(((end - day).days for day, end in zip(origins, until, strict=True)), default=1),
        origins=origins,
        log_ratios=tuple(np.log(churn_factors(*numbers.T)).tolist()),
        seasons=(0.0,) * n,
        variances=tuple(known["churn_variance"]),
        days_learnt=(0,) * n,
    )
    return ChurnErrors(errors, int(known["renewals"].max()) if n else 1)
