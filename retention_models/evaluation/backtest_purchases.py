"""Backtest of purchases: the error of forecast totals made at earlier dates, with the data of then.

The interval of a fit covers parameter uncertainty and chance. It does not cover model error or a future unlike the
past. Forecasts at earlier dates show the total error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_horizon
from retention_models.core.dates import DAY, PANDAS_PERIODS, read_day, span_name, unit_length
from retention_models.core.formatting import Facts, Part, Presentation
from retention_models.evaluation.holdout import holdout_scores
from retention_models.evaluation.origins import half_horizon_origins, shortest_history
from retention_models.evaluation.past_forecasts import SegmentsOn, past_errors
from retention_models.fitting.estimate import fit
from retention_models.fitting.result import Fit
from retention_models.forecast.customers import predict, require_purchases
from retention_models.forecast.planning_range import ForecastErrors, PastErrors
from retention_models.logs.transactions.checks.last_day import require_last_day_of
from retention_models.logs.transactions.log import Granularity, Transactions
from retention_models.logs.transactions.opportunities import Opportunity, opportunities
from retention_models.logs.transactions.purchases import as_transactions
from retention_models.logs.transactions.summary import summarize
from retention_models.value.spending import expected_spend, fit_spend
from retention_models.value.terms import Terms, require_terms


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Backtest(Presentation):
    """Forecasts of earlier days beside what came true, and what they mean for the next forecast.

    Attributes
    ----------
    table
        Indexed by ``origin`` (text): number of ``customers`` at the origin, ``actual`` and ``expected`` purchases
        within the horizon, the interval ``purchases_lower, purchases_upper``, ``error`` (actual over expected, less
        one), and ``inside`` (whether the interval holds the actual total). With money also ``actual_amount``,
        ``expected_amount`` and ``amount_error``. ``attrs`` holds the history known at each origin, for
        ``backtest_check``.
    past_errors
        The errors for the planning range of ``predict_total`` and ``total_value``; None for ``BGBB``.
    """

    table: pd.DataFrame
    past_errors: PastErrors | None = None

    def inside(self, level: float, *, of: Literal["counts", "value"] = "counts") -> pd.Series:
        """Whether each earlier forecast lay inside the planning range that was known at its origin.

        Parameters
        ----------
        level
            Level of the range, between 0 and 1.
        of
            ``"counts"``, the default, for the number of purchases, or ``"value"`` for the amount.

        Returns
        -------
        pandas.Series
            True or False, indexed by ``origin``; empty where there are no such errors.

        Raises
        ------
        ValueError
            When ``level`` is not a share, or ``of`` is neither of the two.
        """
        check_choice("of", of, ("counts", "value"))
        errors = None if self.past_errors is None else getattr(self.past_errors, of)
        return (ForecastErrors(days_ahead=1) if errors is None else errors).inside(level)

    def _parts(self) -> Sequence[Part]:
        return [Facts(type(self).__name__, {"origins": len(self.table)}), self.table.drop(columns="customers").round(3)]


def backtest(
    transactions: Any,
    model_class: Any,
    terms: Terms,
    *,
    origins: Sequence[str | date] | None = None,
    granularity: Granularity = "D",
    level: float = 0.95,
    by: SegmentsOn | None = None,
) -> Backtest:
    """A backtest: forecast totals of earlier days, with the data of then, beside the actual totals.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    model_class
        A class of purchase models, for example ``ParetoNBD``. It is fitted again at each origin.
    terms
        ``horizon`` and ``time_unit`` of each forecast; the other terms do not matter. For ``BGBB`` the horizon is a
        number of opportunities, and the time unit one of them: ``"Y"``, ``"Q"``, ``"M"`` or ``"W"``.
    origins
        Last days of the calibration periods, for the table. By default those of ``past_errors``. For ``BGBB`` they are
        required, and each must end an opportunity.
    granularity
        The period in which all purchases of a customer count as one, as in ``summarize``. By default ``"D"`` (a day).
    level
        Level of the interval, from 0 to 1. By default 0.95.
    by
        Segments with errors of their own, as in ``past_errors``. By default None.

    Returns
    -------
    Backtest
        Its ``table``, and its ``past_errors`` for the planning range of the next forecast.

    Raises
    ------
    TypeError
        When ``terms`` are not ``Terms``.
    ValueError
        When the terms lack the horizon or the time unit, there are no origins, or a horizon ends after the last day of
        observation.

    Notes
    -----
    An interval of a fit knows parameter uncertainty and chance. It does not know model error, nor a future unlike the
    past. A backtest shows the forecast error with all of these.

    Examples
    --------
    >>> import retention_models as rm
    >>> origins, half_a_year = ["1997-06-30", "1997-09-30"], rm.Terms(horizon=26, time_unit="W")
    >>> backtest = rm.evaluation.backtest(rm.datasets.load_cdnow(), rm.ParetoNBD, half_a_year, origins=origins)
    >>> backtest.table[["customers", "actual", "expected", "inside"]].round(1)
                customers  actual  expected  inside
    origin
    1997-06-30       2357    1443    1355.7    True
    1997-09-30       2357    1387    1176.7   False
    """
    require_purchases(model_class)
    require_terms(terms, "horizon", "time_unit")
    require_horizon(terms.horizon)
    window: dict[str, Any] = {"horizon": terms.horizon, "time_unit": terms.time_unit}
    log = as_transactions(transactions)
    require_last_day_of(log)
    if origins is None:
        origins = (
            [] if model_class.counts_opportunities else half_horizon_origins(log, **window, granularity=granularity)
        )
    table = _table(log, model_class, origins, **window, granularity=granularity, level=level)
    if model_class.counts_opportunities:
        return Backtest(table=table)
    return Backtest(table=table, past_errors=past_errors(log, model_class, **window, granularity=granularity, by=by))


def _table(
    log: Transactions,
    model_class: Any,
    origins: Sequence[str | date],
    *,
    horizon: float,
    time_unit: str,
    granularity: Granularity,
    level: float,
) -> pd.DataFrame:
    """The table of a backtest."""
    rows: dict[str, dict[str, float]] = {}
    known: dict[str, dict[str, int]] = {}
    end, start = log.last_observed, max(log.acquired_after or log.first_date, log.first_date)
    if isinstance(origins, str) or not np.iterable(origins):
        raise ValueError(f"origins must be a list of days such as ['1997-09-30']; got {origins!r}")
    days = [read_day("origins", origin) for origin in origins]
    for origin, until in _windows(days, end, horizon, time_unit, model_class).items():
        if model_class.counts_opportunities:
            customers = _opportunities(log, origin, until, horizon, time_unit)
        else:
            customers = summarize(
                log,
                calibration_end=origin,
                observation_end=until,
                time_unit=time_unit,
                granularity=granularity,
            )
        fitted = fit(model_class, customers)
        score = holdout_scores(fitted, customers, level=level).iloc[0]
        spend = None if model_class.counts_opportunities else fit_spend(customers)
        amounts = _amounts(fitted, spend, customers, horizon)
        rows[str(origin)] = {"customers": len(customers), **score, **amounts}
        known[str(origin)] = {
            "repeat_purchases": int(customers["frequency"].sum()),
            "days": (origin - start).days,
            "days_ahead": (until - origin).days,
            "days_needed": math.ceil(shortest_history((end - start).days, (until - origin).days)),
        }
    table = (
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("origin").drop(columns=["mae", "rmse", "log_score"])
    )
    table["inside"] = table["actual"].between(table["purchases_lower"], table["purchases_upper"])
    table.attrs["known"] = known
    return table.astype(dict.fromkeys(["customers", "actual", "purchases_lower", "purchases_upper"], int))


def _windows(days: Sequence[date], end: date, horizon: float, time_unit: Any, model_class: Any) -> dict[date, date]:
    """The last day of the window of each origin; an error where one is not over on the last day observed."""
    require_horizon(horizon)
    if not days:
        raise ValueError("there are no origins; evaluation.earlier_origins proposes some")
    if model_class.counts_opportunities:
        length = _calendar_frequency(time_unit)
        last, periods = pd.Period(end, length), {day: pd.Period(day, length) for day in days}
        over = {day: period for day, period in periods.items() if last.ordinal - period.ordinal >= horizon}
        until = {day: (period + int(horizon)).end_time.date() for day, period in over.items()}
    else:
        ahead = horizon * (unit_length(time_unit) / pd.Timedelta(DAY))
        until = {day: day + timedelta(days=math.floor(ahead)) for day in days if (end - day).days >= math.floor(ahead)}
    if late := [day for day in days if until.get(day, date.max) > end]:
        raise ValueError(
            f"origin {late[0]} plus {span_name(horizon, str(time_unit))} ends after the log, {end} ({len(late)} of "
            f"{len(days)} origins); evaluation.earlier_origins proposes some (state observation_end if the log "
            "continues without purchases)"
        )
    return until


def _calendar_frequency(time_unit: Any) -> str:
    """The calendar period of an opportunity, as pandas calls it."""
    check_choice("time_unit", time_unit, get_args(Opportunity))
    return PANDAS_PERIODS[time_unit]


def _opportunities(log: Transactions, origin: date, until: date, horizon: float, time_unit: Any) -> pd.DataFrame:
    """The log as opportunities up to an origin, which must end one, with the horizon as the holdout period."""
    if horizon % 1 or log.acquired_after is not None:
        raise ValueError(
            "for a model of opportunities, horizon must be a whole number of opportunities, and the log must have "
            f"no acquired_after; got {horizon!r} and {log.acquired_after}"
        )
    return opportunities(log, period=time_unit, calibration_end=origin, observation_end=until)


def _amounts(fitted: Fit, spend: Fit | None, customers: pd.DataFrame, horizon: float) -> dict[str, float]:
    """What was spent in the holdout, what was expected, and how far off that was; nothing where there is no money."""
    if spend is None:
        return {}
    each = expected_spend(spend, customers)
    expected = float(predict(fitted, customers, horizon, level=None)["expected_purchases"] @ each)
    actual = customers["holdout_amount"].sum()
    return {"actual_amount": actual, "expected_amount": expected, "amount_error": actual / expected - 1}
