"""Errors of the forecasts that a log would have had at earlier dates: the record for a planning range."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, TypeAlias

import pandas as pd

from retention_models.core.arguments import require_horizon
from retention_models.core.dates import DAY
from retention_models.evaluation.origins import origins_before
from retention_models.evaluation.season_term import season_term
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
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
from retention_models.tables.groups import read_codes
from retention_models.value.purchases import totals_with_variance
from retention_models.value.spending import fit_spend

FEWEST_BUYERS = 10  # repeat buyers at an origin
TOTAL = "total, all customers"  # no label of a segment
OF_KIND = {"counts": ("purchases", "holdout_frequency"), "value": ("amount", "holdout_amount")}
SHORTER = (39 * 7, 26 * 7, 13 * 7, 8 * 7, 4 * 7)  # days of the horizons from which errors are borrowed

SegmentsOn: TypeAlias = pd.Series | Callable[[Transactions], pd.Series | pd.DataFrame]
Key: TypeAlias = tuple[Any, str]  # segment and kind of total
Errors: TypeAlias = dict[Key, ForecastErrors]
Target: TypeAlias = tuple[pd.DataFrame, pd.Series, pd.DataFrame]  # customers, their segments, what came by segment


def past_errors(
    transactions: Any,
    model_class: Any,
    *,
    horizon: float,
    time_unit: str | timedelta = "W",
    granularity: Granularity = "D",
    by: SegmentsOn | None = None,
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
    by
        Segments with errors of their own. A Series of labels by customer for what does not change, such as the channel
        or the cohort. A function of the log for what does: it gets the log as it was at each origin, and returns such a
        Series, or a frame with a column ``segment``, as ``rfm_segments`` does. By default None: only the total.

    Returns
    -------
    PastErrors
        The errors of the number of purchases and, for a log with amounts, of the amount spent; those of each segment in
        ``segments``. ``predict_total`` and ``total_value`` take it.

    Raises
    ------
    ValueError
        When the model is not one of purchases by day, the horizon is shorter than a day, or a customer has no segment.

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
    log, days, ahead = read_days(transactions, model_class, horizon, time_unit, granularity)
    bought = daily_purchases(log.window(acquired_after=days.start), granularity=granularity)
    return EarlierForecasts(log, model_class, days, by, bought).past_errors(horizon, ahead)


def read_days(
    transactions: Any, model_class: Any, horizon: float, time_unit: str | timedelta, granularity: Granularity
) -> tuple[Transactions, Calendar, int]:
    """The log, its calendar, and the horizon in days; an error where these cannot be compared with forecasts."""
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
    return log, days, ahead


@dataclass(frozen=True, slots=True)
class _Forecast:
    """A forecast of one origin: log of actual over expected, season term of the total, and relative variance."""

    origin: date
    days_learnt: int
    log_ratio: float
    season: float
    variance: float


@dataclass(frozen=True, slots=True)
class EarlierForecasts:
    """Forecasts of one log by one model, each made with the data of its day; by segment, TOTAL being all customers."""

    log: Transactions
    model_class: Any
    days: Calendar
    by: SegmentsOn | None
    bought: pd.DataFrame

    def past_errors(self, horizon: float, days_ahead: int) -> PastErrors:
        """The record of the errors over a horizon."""
        errors = self._errors(days_ahead)
        known: dict[str, Any] = {
            "horizon": horizon,
            "time_unit": self.days.time_unit,
            "as_of": self.days.calibration_end,
            "days_learnt": (self.days.calibration_end - self.days.start).days,
        }
        counts, value = errors[TOTAL, "counts"], errors.get((TOTAL, "value"))
        segments = {}
        for label in dict.fromkeys(label for label, _ in errors if label is not TOTAL):
            of_counts, of_value = errors.get((label, "counts"), counts), errors.get((label, "value"), value)
            segments[label] = PastErrors(
                **known,
                counts=replace(of_counts, total=counts),
                value=None if of_value is None else replace(of_value, total=value),
            )
        return PastErrors(**known, counts=counts, value=value, segments=segments)

    def _errors(self, days_ahead: int) -> Errors:
        """The errors over a horizon, of counts and of amounts, with those of a shorter one where they are few."""
        season = self._coming_season(days_ahead)
        found = self._of_horizon(days_ahead, season)
        if self._n_effective(days_ahead) >= ENOUGH_ORIGINS or not (shorter := self._shorter(days_ahead)):
            return found
        borrowed = self._of_horizon(shorter)
        none = ForecastErrors(days_ahead=self._span(days_ahead), coming_season=season)
        return {key: replace(found.get(key, none), shorter=borrowed.get(key)) for key in {**found, **borrowed}}

    def _shorter(self, days_ahead: int) -> int:
        """The longest shorter horizon with two independent forecasts, else the shortest; 0 where there is none."""
        shorter = [days for days in SHORTER if days < days_ahead]
        enough = [days for days in shorter if self._n_effective(days) >= ENOUGH_ORIGINS]
        return next(iter(enough or shorter[-1:]), 0)

    def _span(self, days_ahead: int) -> int:
        """Days from an origin until its forecasts are over."""
        return days_ahead

    def _origins(self, days_ahead: int) -> list[date]:
        span = self._span(days_ahead)
        return origins_before(self.days.start, self.days.calibration_end, span, self.days.granularity)

    def _n_effective(self, days_ahead: int) -> float:
        return n_effective(self._origins(days_ahead), self._span(days_ahead))

    def _of_horizon(self, days_ahead: int, season: float = 0.0) -> Errors:
        """The errors over a horizon, from its own origins alone."""
        made: dict[Key, list[_Forecast]] = {(TOTAL, "counts"): []}
        made |= {(TOTAL, "value"): []} if self.log.has_amount else {}
        for origin in self._origins(days_ahead):
            for key, forecast in self._forecasts(origin, days_ahead).items():
                made.setdefault(key, []).append(forecast)
        return {key: _as_errors(self._span(days_ahead), season, forecasts) for key, forecasts in made.items()}

    def _forecasts(self, origin: date, days_ahead: int) -> dict[Key, _Forecast]:
        """The forecasts of purchases and of their amount at an origin; none where too few bought, or paid, again."""
        customers = self._customers(origin, origin + timedelta(days_ahead))
        if (customers["frequency"] > 0).sum() < FEWEST_BUYERS:
            return {}
        fitted = fit(self.model_class, customers)
        learnt, season = (origin - self.days.start).days, self._season(fitted, origin, days_ahead)
        horizon = days_ahead / (self.days.unit / pd.Timedelta(DAY))
        pays = self.log.has_amount and (customers["monetary_value"] > 0).sum() >= FEWEST_BUYERS
        spend = fit_spend(customers) if pays else None
        forecasts: dict[Key, _Forecast] = {}
        for target, labels, came in self._targets(origin, days_ahead, customers):
            table = totals_with_variance(fitted, target, horizon, spend, labels)
            for label, row in table.join(came).iterrows():
                for kind, (expected, actual) in OF_KIND.items():
                    if expected in row and row[expected] > 0:
                        half = 0.5 * row[expected] / row["purchases"]
                        off = math.log((row[actual] + half) / (row[expected] + half))
                        forecasts[label, kind] = _Forecast(origin, learnt, off, season, row[f"{expected}_variance"])
        return forecasts

    def _targets(self, origin: date, days_ahead: int, customers: pd.DataFrame) -> Iterator[Target]:
        """Whom to forecast at an origin, by segment, and what came of each: all together, then the segments."""
        holdout = customers.filter(like="holdout_")
        for labels in self._labels(customers, self.log.window(observation_end=origin)):
            yield customers, labels, holdout.groupby(labels.to_numpy()).sum()

    def _labels(self, customers: pd.DataFrame, log: Transactions) -> list[pd.Series]:
        """The segments of some customers in a log: all together, and those asked for."""
        everybody = pd.Series(TOTAL, customers.index)
        if self.by is None:
            return [everybody]
        by = self.by(log) if callable(self.by) else self.by
        code, names = read_codes(customers, by["segment"] if isinstance(by, pd.DataFrame) else by)
        return [everybody, pd.Series(names.to_numpy()[code], customers.index)]

    def _coming_season(self, days_ahead: int) -> float:
        """The season term of the next forecast."""
        end = self.days.calibration_end
        if not (end - self.days.start).days >= SEASON_DAYS >= days_ahead:
            return 0.0
        return self._season(fit(self.model_class, self._customers(end, end)), end, days_ahead)

    def _season(self, fitted: Fit, origin: date, days_ahead: int) -> float:
        return season_term(fitted, self.bought, origin, days_ahead, self.days.unit)

    def _customers(self, origin: date, until: date) -> pd.DataFrame:
        return summarize(
            self.log,
            calibration_end=origin,
            observation_end=until,
            time_unit=self.days.time_unit,
            granularity=self.days.granularity,
        )


def _as_errors(span: int, season: float, forecasts: Sequence[_Forecast]) -> ForecastErrors:
    """The record of some forecasts."""
    return ForecastErrors(
        days_ahead=span,
        origins=tuple(one.origin for one in forecasts),
        log_ratios=tuple(one.log_ratio for one in forecasts),
        seasons=tuple(one.season for one in forecasts),
        variances=tuple(one.variance for one in forecasts),
        days_learnt=tuple(one.days_learnt for one in forecasts),
        coming_season=season,
    )
