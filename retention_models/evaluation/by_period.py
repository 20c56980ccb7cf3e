"""Repeat purchases by period: actual, and expected by a model for such a customer base.

The expectation is that of new customers: only their acquisition dates are known. So the cost depends on the number of
distinct ages, not on the number of customers.
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.core.dates import unit_length, unit_name
from retention_models.evaluation.holdout_data import common_measure, fits_by_name, require_days
from retention_models.fitting.result import Fit, require_no_covariates
from retention_models.fitting.uncertainty import Fits
from retention_models.logs.transactions.calendar import Calendar, calendar
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.log import Granularity
from retention_models.logs.transactions.purchases import as_transactions


def tracking(
    fits: Fits,
    transactions: Any,
    *,
    calibration_end: str | date | None = None,
    observation_end: str | date | None = None,
    acquired_after: str | date | None = None,
    time_unit: str | timedelta | None = None,
    granularity: Granularity | None = None,
    period: str | None = None,
) -> pd.DataFrame:
    """Repeat purchases per calendar period: actual, and expected by each model.

    Parameters
    ----------
    fits
        A fitted purchase model, or several by name. A single one has the name of its model class.
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    calibration_end
        Last day of the calibration period, as in ``summarize``. By default there is no holdout period.
    observation_end
        Last day of observation, as in ``summarize``. By default the last day in the log.
    acquired_after
        Keep only customers whose first purchase is on this day or later, as in ``summarize``. By default keep all
        customers.
    time_unit
        Time unit of the fits. By default the unit that the fits know, else ``"W"`` (weeks).
    granularity
        Granularity of the fits. By default the one that the fits know, else ``"D"`` (a day).
    period
        Length of a period, for example ``"W"`` or ``"28D"``. By default the time unit.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``period`` (1, 2, ...): ``start`` and ``end`` (the instant after it), ``complete`` (False if the log
        covers only a part), ``holdout`` (whether the period is in the holdout), ``actual`` repeat purchases, one column
        of expected purchases per model, and the running totals ``<name>_cumulative``.

    Raises
    ------
    ValueError
        When the dates contradict each other or the log, or the fits have several time units. When a fit has covariates
        or counts opportunities.

    Notes
    -----
    Customers whose first purchase is after ``calibration_end`` are left out. One period begins right after the
    calibration period.

    A purchase happens at the start of its day, or of its period of granularity. With weeks, the k-th period covers the
    days 7(k-1) to 7k - 1 from the first day. The published figures for CDNOW use the same convention (Fader, Hardie &
    Lee 2005, "A Note on Implementing the Pareto/NBD Model in MATLAB").

    The expectation is that of new customers: only their acquisition dates are known.

    Examples
    --------
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> customers = rm.summarize(log, calibration_end="1997-09-30")
    >>> frame = rm.evaluation.tracking(rm.fit(rm.ParetoNBD, customers), log, calibration_end="1997-09-30")
    >>> frame.loc[20:22, ["holdout", "actual", "ParetoNBD"]].round(2)
            holdout  actual  ParetoNBD
    period
    20        False      73      78.31
    21        False      55      76.42
    22        False      70      74.65
    """
    by_name, log = fits_by_name(fits), as_transactions(transactions)
    granularity = common_measure(by_name, "granularity", granularity, "D")
    dates = calendar(
        log,
        calibration_end=calibration_end,
        observation_end=observation_end,
        acquired_after=acquired_after,
        time_unit=common_measure(by_name, "time_unit", time_unit, "W"),
        granularity=granularity,
    )
    bought = daily_purchases(
        log.window(acquired_after=dates.start, observation_end=dates.observation_end),
        granularity=granularity,
        acquired_until=dates.calibration_end,
    )
    edges, complete = _period_edges(bought.index[0], dates, period or dates.time_unit)
    reached = {"actual": repeat_purchases_until(edges, bought)}
    for name, source in by_name.items():
        reached[name] = expected_until(source.fit, edges, bought["new_customers"], dates.unit)
    frame = pd.DataFrame({"start": edges[:-1], "end": edges[1:], "complete": complete})
    frame["holdout"] = frame["start"] >= _end_of_day(dates.calibration_end)
    frame = frame.assign(**{name: np.diff(total) for name, total in reached.items()})
    frame = frame.assign(**{f"{name}_cumulative": total[1:] for name, total in reached.items()})
    frame.index = pd.RangeIndex(1, len(frame) + 1, name="period")
    frame.attrs["period"] = unit_name(period or dates.time_unit)
    return frame


def tracking_error(frame: pd.DataFrame) -> pd.DataFrame:
    """Forecast error of each model per period and in total, in the calibration and the holdout period.

    Parameters
    ----------
    frame
        The frame of ``tracking``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``model`` and ``part`` (calibration, and holdout if there is one): ``actual`` and ``expected``
        purchases, ``error`` (actual over expected, less one), and ``period_error`` (mean absolute error of a complete
        period, over its mean expectation).

    Examples
    --------
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> customers = rm.summarize(log, calibration_end="1997-09-30")
    >>> tracked = rm.evaluation.tracking(rm.fit(rm.ParetoNBD, customers), log, calibration_end="1997-09-30")
    >>> rm.evaluation.tracking_error(tracked).round(3)
                           actual  expected  error  period_error
    model     part
    ParetoNBD calibration    2457  2532.782  -0.03         0.186
              holdout        1882  1742.606   0.08         0.210
    """
    parts = {"calibration": frame[~frame["holdout"]], "holdout": frame[frame["holdout"]]}
    rows = {
        (model, part): _part_error(rows, model)
        for model in model_columns(frame)
        for part, rows in parts.items()
        if len(rows)
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["model", "part"]).astype({"actual": int})


def season_left(frame: pd.DataFrame) -> pd.DataFrame:
    """The season that a model does not explain: actual over expected purchases by calendar month.

    Parameters
    ----------
    frame
        The frame of ``tracking``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``month`` in calendar order: number of ``periods`` and of ``years``, ``actual`` purchases, and one
        column per model: actual over expected, less one.

    Notes
    -----
    A period belongs to the month of its middle. Incomplete periods do not count. A month observed in one year only
    shows that year as well as the season.

    Examples
    --------
    >>> import retention_models as rm
    >>> log = rm.datasets.load_cdnow()
    >>> customers = rm.summarize(log, calibration_end="1997-09-30")
    >>> tracked = rm.evaluation.tracking(rm.fit(rm.ParetoNBD, customers), log, calibration_end="1997-09-30")
    >>> rm.evaluation.season_left(tracked).round(2).tail(3)
              periods  years  actual  ParetoNBD
    month
    October         4      1     214       0.00
    November        5      1     297       0.18
    December        4      1     215       0.12
    """
    models = model_columns(frame)
    whole = frame[frame["complete"]]
    middle = whole["start"] + (whole["end"] - whole["start"]) / 2
    grouped = whole.assign(year=middle.dt.year).groupby([middle.dt.month, middle.dt.month_name()])
    table = grouped.agg(periods=("actual", "size"), years=("year", "nunique"), actual=("actual", "sum"))
    expected = grouped[models].sum()
    unexplained = expected.rdiv(table["actual"], axis=0) - 1
    return table.join(unexplained).droplevel(0).rename_axis("month")


def model_columns(frame: pd.DataFrame) -> list[str]:
    """The columns of a comparison that hold a model's expectation: those after ``actual`` without a suffix."""
    after = list(frame.columns)[list(frame.columns).index("actual") + 1 :]
    return [name for name in after if not name.endswith("_cumulative")]


def _end_of_day(day: date) -> pd.Timestamp:
    """The instant at which a day is over."""
    return pd.Timestamp(day) + pd.Timedelta(1, "D")


def _period_edges(begin: pd.Timestamp, dates: Calendar, period: str) -> tuple[pd.DatetimeIndex, list[bool]]:
    """Ends of the periods, one of them at the end of the calibration; and which periods the log covers wholly."""
    length = unit_length(period)
    cut, end = _end_of_day(dates.calibration_end), _end_of_day(dates.observation_end)
    before, after = math.ceil((cut - begin) / length), math.ceil((end - cut) / length)
    edges = [cut + k * length for k in range(-before, after + 1)]
    complete = [begin <= start and stop <= end for start, stop in pairwise(edges)]
    return pd.DatetimeIndex([begin, *edges[1:-1], end]), complete


def repeat_purchases_until(edges: pd.DatetimeIndex, bought: pd.DataFrame) -> Array:
    """Repeat purchases before each edge, from the frame of ``daily_purchases``; shape (edges,)."""
    repeat = np.r_[0, np.cumsum(bought["purchases"] - bought["new_customers"])]
    return np.asarray(repeat[bought.index.searchsorted(edges)])


def expected_until(fit: Fit, edges: pd.DatetimeIndex, new_customers: pd.Series, unit: pd.Timedelta) -> Array:
    """Repeat purchases expected until each edge of all customers acquired before it; shape (edges,).

    ``new_customers`` counts first purchases by day, and ``unit`` is the time unit of the fit.
    """
    require_days(fit, "tracking")
    require_no_covariates(fit, "a customer of the log", "holdout_by_frequency")
    acquired = new_customers[new_customers > 0]
    waited = np.subtract.outer(edges.to_numpy(), acquired.index.to_numpy())
    ages, age = np.unique(np.maximum(waited, np.timedelta64(0, "D")), return_inverse=True)
    expected = fit.model.expected_purchases_new(ages / unit.to_timedelta64())
    return expected[age].reshape(waited.shape) @ acquired.to_numpy(dtype=float)


def _part_error(rows: pd.DataFrame, model: str) -> dict[str, float]:
    actual, expected = rows["actual"].sum(), rows[model].sum()
    whole = rows[rows["complete"]]
    off = (whole["actual"] - whole[model]).abs().sum() / whole[model].sum() if len(whole) else 0.0
    return {"actual": actual, "expected": expected, "error": actual / expected - 1, "period_error": off}
