"""The error to expect of a forecast total: what the same forecast would have missed at earlier dates.

An interval made from a fit knows how uncertain the parameters are and what chance does. It does not know whether the
model is right, nor whether the future is like the past. Forecasts made at earlier dates, with only what was known
then, show how far off such totals really were.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from retention_models.checks import Check
from retention_models.evaluation.holdout import holdout_scores
from retention_models.fitted import Fit
from retention_models.fitting import fit
from retention_models.logs.calendar import calendar, span_name, unit_length
from retention_models.logs.cohorts import CALENDAR, checked
from retention_models.logs.opportunities import LENGTHS, opportunities
from retention_models.logs.summary import summarize
from retention_models.logs.transactions import Granularity
from retention_models.prediction import predict
from retention_models.value.spending import expected_spend, fit_spend


def earlier_origins(
    transactions: Any,
    *,
    horizon: float,
    acquired_after: str | date | None = None,
    observation_end: str | date | None = None,
    time_unit: str | timedelta = "W",
    count: int = 4,
) -> list[date]:
    """Evenly spaced days from which a forecast over ``horizon`` can be compared with the rest of the log.

    The last one leaves just the horizon; the first one has two thirds of the time before that to learn from. Fewer
    where the log is short, and at least one. ``acquired_after`` and ``observation_end`` bound the days that count, as
    in ``summarize``.

    Raises
    ------
    ValueError
        When the horizon is so long that less than a week would remain to learn from.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import earlier_origins
    >>> [str(day) for day in earlier_origins(rm.load_cdnow(), horizon=26)]
    ['1997-08-31', '1997-10-10', '1997-11-19', '1997-12-30']
    """
    log = checked(transactions)
    days = calendar(
        log,
        calibration_end=None,
        observation_end=observation_end,
        acquired_after=acquired_after,
        time_unit=time_unit,
        granularity="D",
    )
    learnt = (pd.Timestamp(days.observation_end) - horizon * days.unit - pd.Timestamp(days.start)).days
    if learnt < 7:
        raise ValueError(
            f"a horizon of {horizon:g} leaves {max(learnt, 0)} of the days from {days.start} to {days.observation_end} "
            "to learn from; choose a shorter one"
        )
    waits = np.unique(np.linspace(learnt - learnt // 3, learnt, count).astype(int))
    return [days.start + timedelta(days=int(wait)) for wait in waits]


def rolling_origins(
    model_class: Any,
    transactions: Any,
    *,
    origins: Sequence[str | date],
    horizon: float,
    acquired_after: str | date | None = None,
    time_unit: str | timedelta = "W",
    granularity: Granularity = "D",
    level: float = 0.95,
) -> pd.DataFrame:
    """Forecast totals made at earlier dates, with what was known then, beside what came true.

    Parameters
    ----------
    model_class
        A model class, for example ``ParetoNBD``; it is fitted anew at each origin.
    transactions
        The log, as for ``summarize``, like the keywords not named here.
    origins
        Last days of the calibrations; ``earlier_origins`` proposes some.
    horizon
        Length of each forecast, in the time unit. For ``BGBB`` the unit is an opportunity ("Y", "Q", "M" or "W"), which
        the origins must end.
    level
        Level of the interval.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``origin`` (text): ``customers`` known then, ``actual`` and ``expected`` purchases of theirs within
        the horizon, ``purchases_lower, purchases_upper``, ``error`` (actual over expected less one), and ``inside``,
        whether the interval held. Where there is money, also ``actual_amount``, ``expected_amount`` (expected purchases
        times the amount that Gamma-Gamma expects) and ``amount_error``.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.evaluation import rolling_origins
    >>> backtest = rolling_origins(rm.ParetoNBD, rm.load_cdnow(), origins=["1997-06-30", "1997-09-30"], horizon=26)
    >>> backtest[["customers", "actual", "expected", "inside"]].round(1)
                customers  actual  expected  inside
    origin
    1997-06-30       2357    1443    1355.7    True
    1997-09-30       2357    1387    1176.7   False
    """
    log = checked(transactions)
    rows = {}
    for origin in origins:
        if model_class.counts_opportunities:
            customers = _opportunities(log, origin, horizon, acquired_after, time_unit)
        else:
            customers = summarize(
                log,
                calibration_end=origin,
                observation_end=(pd.Timestamp(origin) + horizon * unit_length(time_unit)).date(),
                acquired_after=acquired_after,
                time_unit=time_unit,
                granularity=granularity,
            )
        fitted = fit(model_class, customers)
        score = holdout_scores(fitted, customers, level=level).iloc[0]
        spend = None if model_class.counts_opportunities else fit_spend(customers)
        amounts = _amounts(fitted, spend, customers, horizon)
        rows[str(pd.Timestamp(origin).date())] = {"customers": len(customers), **score, **amounts}
    table = (
        pd.DataFrame.from_dict(rows, orient="index").rename_axis("origin").drop(columns=["mae", "rmse", "log_score"])
    )
    table["inside"] = table["actual"].between(table["purchases_lower"], table["purchases_upper"])
    return table.astype(dict.fromkeys(["customers", "actual", "purchases_lower", "purchases_upper"], int))


def _opportunities(log: Any, origin: Any, horizon: float, acquired_after: Any, time_unit: Any) -> pd.DataFrame:
    """The log as opportunities up to an origin, which must end one, with a holdout of so many."""
    if time_unit not in LENGTHS or horizon % 1 or acquired_after is not None:
        raise ValueError(
            f"a model of opportunities is followed over whole ones, from the first customer on: time_unit must be one "
            f"of {', '.join(map(repr, LENGTHS))}, horizon a whole number and acquired_after None; "
            f"got {time_unit!r}, {horizon!r} and {acquired_after!r}"
        )
    end = (pd.Period(origin, CALENDAR[LENGTHS[time_unit]]) + int(horizon)).end_time.date()
    return opportunities(log, period=time_unit, calibration_end=origin, observation_end=end)


def _amounts(fitted: Fit, spend: Fit | None, customers: pd.DataFrame, horizon: float) -> dict[str, float]:
    """What was spent in the holdout, what was expected, and how far off that was; nothing where there is no money."""
    if spend is None:
        return {}
    each = expected_spend(spend, customers)
    expected = float(predict(fitted, customers, horizon, level=None)["expected_purchases"] @ each)
    actual = customers["holdout_amount"].sum()
    return {"actual_amount": actual, "expected_amount": expected, "amount_error": actual / expected - 1}


def backtest_check(backtest: pd.DataFrame) -> Check:
    """Whether forecast totals at earlier dates held what came true, and how far off they were, in one sentence.

    Parameters
    ----------
    backtest
        The frame of ``rolling_origins``.
    """
    n, held, error = len(backtest), int(backtest["inside"].sum()), backtest["error"]
    same_side = {n: ", each time above it", -n: ", each time below it"}.get(int(np.sign(error).sum()), "")
    detail = (
        f"At {held} of {n} earlier dates what came true lay inside the interval; it differed from the forecast by "
        f"{100 * error.abs().mean():.0f} % on average, from {100 * error.min():+.0f} % to {100 * error.max():+.0f} %"
        f"{same_side if n > 1 else ''}. The interval knows how uncertain the parameters are and what chance does, not "
        "whether the model is right."
    )
    return Check("forecast totals at earlier dates", held == n, detail)


class Sentence(str):
    """A sentence that a notebook shows as a paragraph."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return f"<p>{escape(self)}</p>"


def forecast_sentence(
    total: pd.DataFrame, backtest: pd.DataFrame, customers: pd.DataFrame, horizon: float, *, level: float = 0.95
) -> Sentence:
    """A forecast total with its interval and its error at earlier dates, in words.

    Parameters
    ----------
    total
        The frame of ``predict_total(fit, customers, horizon, level)``.
    backtest
        The frame of ``rolling_origins`` for the same model and horizon.
    customers
        The summary that the total is for; its ``attrs`` name the day and the time unit.
    horizon
        Length of the future window, in that unit.
    level
        Level of the interval in ``total``.
    """
    row, about = total.iloc[0], customers.attrs
    least, most = backtest["error"].min(), backtest["error"].max()
    return Sentence(
        f"Expect {row['expected']:,.0f} purchases within {span_name(horizon, about['time_unit'])} from the "
        f"{len(customers):,} customers known on {about['calibration_end']} ({100 * level:g} % interval "
        f"{row['purchases_lower']:,.0f} to {row['purchases_upper']:,.0f}); at {len(backtest)} earlier dates what came "
        f"true differed from such a forecast by {100 * least:+.0f} % to {100 * most:+.0f} %, which would make it "
        f"{row['expected'] * (1 + least):,.0f} to {row['expected'] * (1 + most):,.0f}."
    )
