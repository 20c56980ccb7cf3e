"""Errors of the forecasts that a log would have had at earlier dates: the record for a planning range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pandas as pd

from retention_models.core.arguments import require_horizon
from retention_models.core.dates import DAY
from retention_models.evaluation.origins import origins_before
from retention_models.evaluation.season_term import season_term
from retention_models.fitting.estimate import fit
from retention_models.forecast.customers import require_purchases
from retention_models.forecast.planning_range import (
    ENOUGH_ORIGINS,
    SEASON_DAYS,
    ForecastErrors,
    PastErrors,
    n_effective,
)
from retention_models.logs.transactions.calendar import Calendar, calendar
from retention_models.logs.transactions.checks.last_day import require_last_day_of
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.log import Granularity, Transactions
from retention_models.logs.transactions.purchases import as_transactions
from retention_models.logs.transactions.summary import summarize
from retention_models.value.purchases import totals_with_variance
from retention_models.value.spending import fit_spend

FEWEST_BUYERS = 10  # repeat buyers at an origin
SHORTER = (39 * 7, 26 * 7, 13 * 7, 8 * 7, 4 * 7)  # days of the horizons from which errors are borrowed


def past_errors(
    transactions: Any,
    model_class: Any,
    *,
    horizon: float,
    time_unit: str | timedelta = "W",
    granularity: Granularity = "D",
) -> PastErrors:
    """Errors of forecasts made at earlier dates, each with the data of then, for the planning range of the next one.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    model_class
        A class of purchase models, for example ``MBGNBD``. It is fitted again at each origin.
    horizon
        Length of the forecasts, in time units; at least a day.
    time_unit
        Unit of ``horizon``, as in ``summarize``. By default ``"W"`` (weeks).
    granularity
        The period in which all purchases of a customer count as one, as in ``summarize``. By default ``"D"`` (a day).

    Returns
    -------
    PastErrors
        The errors of the number of purchases and, for a log with amounts, of the amount spent. ``predict_total`` and
        ``total_value`` take it.

    Raises
    ------
    ValueError
        When the model is not one of purchases by day, or the horizon is shorter than a day.

    Notes
    -----
    Origins lie half a horizon apart, in whole weeks, and the latest 8 count. The last one leaves just the horizon. Each
    has learnt from at least the horizon or a quarter of the log, and knew at least 10 repeat buyers. Where these are
    fewer than two independent forecasts, the errors of the longest shorter horizon that has two are added: 39, 26, 13,
    8 or 4 weeks.

    Examples
    --------
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> customers = rm.summarize(log)
    >>> errors = rm.evaluation.past_errors(log, rm.MBGNBD, horizon=26)
    >>> errors.counts.table[["days_learnt", "error"]].round(2)
                days_learnt  error
    origin
    1997-07-01          181   0.16
    1997-09-30          272   0.23
    1997-12-30          363   0.02
    >>> total = rm.predict_total(rm.fit(rm.MBGNBD, customers), customers, 26, past_errors=errors)
    >>> total[["planning", "planning_lower_80", "planning_upper_80"]].round(0)
       planning  planning_lower_80  planning_upper_80
    0    1010.0              840.0             1214.0
    """
    require_purchases(model_class)
    require_horizon(horizon)
    if model_class.counts_opportunities:
        raise ValueError(
            f"{model_class.__name__} counts opportunities, and past_errors follows the days of a log; "
            "evaluation.backtest compares its earlier forecasts"
        )
    log = as_transactions(transactions)
    require_last_day_of(log)
    days = calendar(
        log,
        calibration_end=None,
        observation_end=None,
        acquired_after=None,
        time_unit=time_unit,
        granularity=granularity,
    )
    ahead = math.floor(horizon * (days.unit / pd.Timedelta(DAY)))
    if ahead < 1:
        raise ValueError(f"horizon must be at least a day; got {horizon:g} of {days.time_unit!r}")
    bought = daily_purchases(log.window(acquired_after=days.start), granularity=granularity)
    earlier = _EarlierForecasts(log, model_class, days, bought)
    counts, value = earlier.errors(ahead)
    return PastErrors(
        horizon=horizon,
        time_unit=days.time_unit,
        as_of=days.calibration_end,
        days_learnt=(days.calibration_end - days.start).days,
        counts=counts,
        value=value,
    )


@dataclass(frozen=True, slots=True)
class _Forecast:
    """The total forecast of one origin: log of actual over expected, season term and relative variance."""

    origin: date
    days_learnt: int
    log_ratio: float
    season: float
    variance: float


@dataclass(frozen=True, slots=True)
class _EarlierForecasts:
    """Forecasts of one log by one model, each made with the data of its day."""

    log: Transactions
    model_class: Any
    days: Calendar
    bought: pd.DataFrame

    def errors(self, days_ahead: int) -> tuple[ForecastErrors, ForecastErrors | None]:
        """The errors over a horizon, of counts and of amounts, with those of a shorter one where they are few."""
        end, season = self.days.calibration_end, 0.0
        if (end - self.days.start).days >= SEASON_DAYS >= days_ahead:
            fitted = fit(self.model_class, self._customers(end, end))
            season = season_term(fitted, self.bought, end, days_ahead, self.days.unit)
        counts, value = self._of_horizon(days_ahead, season)
        if self._n_effective(days_ahead) < ENOUGH_ORIGINS and (shorter := self._shorter(days_ahead)):
            of_counts, of_value = self._of_horizon(shorter)
            counts = replace(counts, shorter=of_counts)
            value = None if value is None else replace(value, shorter=of_value)
        return counts, value

    def _shorter(self, days_ahead: int) -> int:
        """The longest shorter horizon with two independent forecasts, else the shortest; 0 where there is none."""
        shorter = [days for days in SHORTER if days < days_ahead]
        enough = [days for days in shorter if self._n_effective(days) >= ENOUGH_ORIGINS]
        return next(iter(enough or shorter[-1:]), 0)

    def _origins(self, days_ahead: int) -> list[date]:
        return origins_before(self.days.start, self.days.calibration_end, days_ahead, self.days.granularity)

    def _n_effective(self, days_ahead: int) -> float:
        return n_effective(self._origins(days_ahead), days_ahead)

    def _of_horizon(self, days_ahead: int, season: float = 0.0) -> tuple[ForecastErrors, ForecastErrors | None]:
        """The errors of counts and of amounts over a horizon, from its own origins alone."""
        forecasts = [self._forecasts(origin, days_ahead) for origin in self._origins(days_ahead)]
        counts = _as_errors(days_ahead, season, [of_counts for of_counts, _ in forecasts])
        value = _as_errors(days_ahead, season, [of_value for _, of_value in forecasts])
        return counts, value if self.log.has_amount else None

    def _forecasts(self, origin: date, days_ahead: int) -> tuple[_Forecast | None, _Forecast | None]:
        """The forecasts of purchases and of their amount at an origin; None where too few bought, or paid, again."""
        customers = self._customers(origin, origin + timedelta(days_ahead))
        if (customers["frequency"] > 0).sum() < FEWEST_BUYERS:
            return None, None
        fitted = fit(self.model_class, customers)
        learnt, unit = (origin - self.days.start).days, self.days.unit
        season = season_term(fitted, self.bought, origin, days_ahead, unit)
        horizon = days_ahead / (unit / pd.Timedelta(DAY))
        pays = self.log.has_amount and (customers["monetary_value"] > 0).sum() >= FEWEST_BUYERS
        totals = totals_with_variance(fitted, customers, horizon, fit_spend(customers) if pays else None)
        purchases, variance = totals[0]
        off = _log_ratio(customers["holdout_frequency"].sum(), purchases, 0.5)
        counts = _Forecast(origin, learnt, off, season, variance)
        if not pays:
            return counts, None
        amount, variance = totals[1]
        off = _log_ratio(customers["holdout_amount"].sum(), amount, 0.5 * amount / purchases)
        return counts, replace(counts, log_ratio=off, variance=variance)

    def _customers(self, origin: date, until: date) -> pd.DataFrame:
        return summarize(
            self.log,
            calibration_end=origin,
            observation_end=until,
            time_unit=self.days.time_unit,
            granularity=self.days.granularity,
        )


def _log_ratio(actual: float, expected: float, half_purchase: float) -> float:
    return math.log((actual + half_purchase) / (expected + half_purchase))


def _as_errors(days_ahead: int, season: float, forecasts: Sequence[_Forecast | None]) -> ForecastErrors:
    """The record of some forecasts; those that could not be made are left out."""
    made = [one for one in forecasts if one is not None]
    return ForecastErrors(
        days_ahead=days_ahead,
        origins=tuple(one.origin for one in made),
        log_ratios=tuple(one.log_ratio for one in made),
        seasons=tuple(one.season for one in made),
        variances=tuple(one.variance for one in made),
        days_learnt=tuple(one.days_learnt for one in made),
        coming_season=season,
    )
