"""Actual and expected purchases in the holdout period: totals, groups, scores and distributions.

Every function takes a summary with a holdout period: ``summarize(..., calibration_end=...)``. Customers who share a
history are evaluated once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import MOST_POINTS, require_whole
from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.proportions import wilson_interval
from retention_models.evaluation.holdout_data import Holdout, fits_by_name
from retention_models.fitting.uncertainty import Fits, Fitted
from retention_models.forecast.by_group import weights_by_group
from retention_models.forecast.customers import predict_total
from retention_models.tables.customer_table import open_customers
from retention_models.tables.groups import Labels

TOLERABLE = 0.1  # relative error of a total that a forecast may have: the planning range counts with as much


def holdout_by_frequency(fits: Fits, customers: Any, *, max_frequency: int = 7) -> pd.DataFrame:
    """Mean purchases in the holdout period by number of repeat purchases before: actual and expected.

    Parameters
    ----------
    fits
        A fitted purchase model, or several by name. A single one has the name of its model class.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    max_frequency
        Customers with this number of repeat purchases or more form the last group. By default 7.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` (text, the last one with a plus): number of ``customers``, ``actual`` mean purchases,
        and one column of expected means per model. Numbers without a customer are left out.

    Raises
    ------
    ValueError
        When the table has no holdout period, or a model is not one of purchases.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    >>> rm.evaluation.holdout_by_frequency(fits, customers, max_frequency=3).round(3)
               customers  actual  Pareto/NBD  BG/NBD
    frequency
    0               1411   0.237       0.138   0.225
    1                439   0.697       0.599   0.523
    2                214   1.393       1.196   1.044
    3+               293   3.222       3.246   3.013
    """
    holdouts = Holdout.from_fits(fits_by_name(fits), customers)
    first = next(iter(holdouts.values()))
    means = {"actual": first.actual, **{name: holdout.expected_purchases() for name, holdout in holdouts.items()}}
    return _means_by_frequency(first, means, max_frequency)


def status_by_frequency(fits: Fits, customers: Any, *, max_frequency: int = 7) -> pd.DataFrame:
    """Share of customers who bought in the holdout and mean P(alive), by number of repeat purchases before.

    Parameters
    ----------
    fits
        A fitted purchase model, or several by name. A single one has the name of its model class.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    max_frequency
        Customers with this number of repeat purchases or more form the last group. By default 7.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``frequency`` (text, the last one with a plus): number of ``customers``, ``came_back`` (share with a
        purchase in the holdout), and one column of mean P(alive) at the end of the calibration per model.

    Raises
    ------
    ValueError
        When the table has no holdout period, or a model is not one of purchases.

    Notes
    -----
    A customer who bought again was alive. A customer who did not may be alive as well, so P(alive) exceeds the share
    who came back. A model with P(alive) = 1 for all customers with one purchase cannot say who churned.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> fits = {"Pareto/NBD": rm.fit(rm.ParetoNBD, customers), "BG/NBD": rm.fit(rm.BGNBD, customers)}
    >>> rm.evaluation.status_by_frequency(fits, customers, max_frequency=2).round(3)
               customers  came_back  Pareto/NBD  BG/NBD
    frequency
    0               1411      0.137       0.338   1.000
    1                439      0.358       0.521   0.474
    2+               507      0.659       0.684   0.589
    """
    holdouts = Holdout.from_fits(fits_by_name(fits), customers)
    first = next(iter(holdouts.values()))
    alive = {name: holdout.probability_alive() for name, holdout in holdouts.items()}
    return _means_by_frequency(first, {"came_back": (first.actual > 0).astype(float), **alive}, max_frequency)


def _means_by_frequency(holdout: Holdout, values: Mapping[str, Array], max_frequency: int) -> pd.DataFrame:
    """Number of customers of each frequency, and means over them of values that each row has."""
    require_whole("max_frequency", max_frequency, 0, MOST_POINTS)
    group = np.minimum(holdout.frequency, max_frequency).astype(int)
    size = np.bincount(group, holdout.weight)
    present = np.flatnonzero(size)
    means = {
        name: np.bincount(group, holdout.weight * value)[present] / size[present] for name, value in values.items()
    }
    labels = [f"{x}+" if x == max_frequency else f"{x}" for x in present]
    return pd.DataFrame({"customers": size[present].astype(int), **means}, index=pd.Index(labels, name="frequency"))


def holdout_scores(fits: Fits, customers: Any, *, level: float = 0.95) -> pd.DataFrame:
    """Forecast error of each model in the holdout period, per customer and in total.

    Parameters
    ----------
    fits
        A fitted purchase model, or several by name. A single one has the name of its model class.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    level
        Level of the interval, from 0 to 1. By default 0.95.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``model``. Per customer, where smaller is better: ``mae`` and ``rmse`` of the expected purchases, and
        ``log_score`` (mean of -log of the probability of the actual count). In total: ``actual`` and ``expected``
        purchases, the interval ``purchases_lower, purchases_upper``, and ``error`` (actual over expected, less one).

    Raises
    ------
    ValueError
        When the table has no holdout period, or holdout periods of several lengths.

    Notes
    -----
    The interval covers parameter uncertainty and chance, not model error. For the log score see Gneiting & Raftery
    (2007), Journal of the American Statistical Association 102, 359-378.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.evaluation.holdout_scores(rm.fit(rm.ParetoNBD, customers), customers)[["mae", "actual", "expected"]].round(2)
                mae  actual  expected
    model
    ParetoNBD  0.75    1882   1665.51
    """
    customers = open_customers(customers)
    holdouts = {name: Holdout.from_fit(source, customers) for name, source in fits_by_name(fits).items()}
    rows = {name: _scores(holdout, customers, level) for name, holdout in holdouts.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("model").astype({"actual": int})


def calibration(fit: Fitted, customers: Any, *, bins: int = 10) -> pd.DataFrame:
    """Histogram of the position of each actual count in its forecast distribution (non-randomised PIT).

    A flat histogram (``density`` 1) means that the forecast distributions are calibrated.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    bins
        Number of bins of equal width. By default 10.

    Returns
    -------
    pandas.DataFrame
        One row per bin: ``lower`` and ``upper`` end (from 0 to 1), ``share`` of customers in it, and ``density`` (share
        over width).

    Raises
    ------
    ValueError
        When the table has no holdout period, or a model is not one of purchases.

    Notes
    -----
    Counts are discrete. Each customer is spread evenly between the distribution function below the count and at it, so
    no random numbers are needed. See Czado, Gneiting & Held (2009), "Predictive Model Assessment for Count Data",
    Biometrics 65, 1254-1261.
    """
    require_whole("bins", bins, 1, MOST_POINTS)
    return Holdout.from_fit(fit, customers).histogram(bins)


def holdout_check(fit: Fitted, customers: Any, *, level: float = 0.95) -> Check:
    """Whether the total of the holdout period came as forecast: within the interval, or off by at most 10 %.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    level
        Level of the interval, from 0 to 1. By default 0.95.

    Returns
    -------
    Check
        Failed if the actual total lies outside the interval and differs from the expected one by more than 10 %. The
        detail gives the totals, the interval and the error.

    Raises
    ------
    ValueError
        When the table has no holdout period, or holdout periods of several lengths.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> print(rm.evaluation.holdout_check(rm.fit(rm.BGNBD, customers), customers))
    Holdout total: FAILED. 1,653 purchases were expected in the holdout (95 % interval 1,459 to 1,859). The actual
    number is 1,882: 14 % more. The interval covers parameters and chance, but not an error of the model. Plan
    with the planning range, which counts the errors of earlier forecasts.
    """
    customers = open_customers(customers)
    score = _scores(Holdout.from_fit(fit, customers), customers, level)
    held = score["purchases_lower"] <= score["actual"] <= score["purchases_upper"]
    error = score["error"]
    off = f": {abs(100 * error):.0f} % {'more' if error > 0 else 'fewer'}"
    failed = not held and abs(error) > TOLERABLE
    verdict = " The interval covers parameters and chance, but not an error of the model." if failed else ""
    return Check(
        "Holdout total",
        not failed,
        size=100 * abs(float(error)),
        limit=100 * TOLERABLE,
        unit="% of the expected purchases",
        detail=f"{score['expected']:,.0f} purchases were expected in the holdout ({100 * level:g} % interval "
        f"{score['purchases_lower']:,.0f} to {score['purchases_upper']:,.0f}). The actual number is "
        f"{score['actual']:,.0f}{'' if held else off}.{verdict}",
        remedy="Plan with the planning range, which counts the errors of earlier forecasts.",
    )


def _scores(holdout: Holdout, customers: Any, level: float) -> dict[str, float]:
    durations = np.unique(holdout.horizon)
    if len(durations) > 1:
        raise ValueError(
            f"holdout_duration has {len(durations)} values; pass the customers of one holdout_duration at a time"
        )
    total = predict_total(holdout.source, customers, float(durations[0]), level).iloc[0]
    actual = float(holdout.weight @ holdout.actual)
    off = holdout.expected_purchases() - holdout.actual
    return {
        "mae": holdout.mean(np.abs(off)),
        "rmse": math.sqrt(holdout.mean(off**2)),
        "log_score": -holdout.mean(holdout.log_probability()),
        "actual": actual,
        "expected": total["expected"],
        "purchases_lower": total["purchases_lower"],
        "purchases_upper": total["purchases_upper"],
        "error": actual / total["expected"] - 1,
    }


def holdout_by_group(fits: Fits, customers: Any, by: Labels) -> pd.DataFrame:
    """Purchases in the holdout period by group of customers: actual and expected.

    Parameters
    ----------
    fits
        A fitted purchase model, or several by name. A single one has the name of its model class.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    by
        A column of ``customers``, or one label per customer: a Series by its index, a list or array by position.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``group``: number of ``customers``, ``came_back`` (share with a purchase in the holdout) with its 95
        % confidence interval ``came_back_lower, came_back_upper``, ``actual`` mean purchases, and one column of
        expected means per model.

    Raises
    ------
    ValueError
        When the table has no holdout period, or a model is not one of purchases.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> bought = customers["frequency"].ge(1).map({True: "again", False: "once"})
    >>> table = rm.evaluation.holdout_by_group(rm.fit(rm.ParetoNBD, customers), customers, bought)
    >>> table.drop(columns="customers").round(3)
           came_back  came_back_lower  came_back_upper  actual  ParetoNBD
    group
    again      0.519            0.487            0.551   1.636      1.554
    once       0.137            0.120            0.156   0.237      0.138
    """
    holdouts = Holdout.from_fits(fits_by_name(fits), customers)
    first = next(iter(holdouts.values()))
    values = {"came_back": (first.actual > 0).astype(float), "actual": first.actual}
    values |= {name: holdout.expected_purchases() for name, holdout in holdouts.items()}
    rows = {}
    for label, n in weights_by_group(first.table, customers, by).items():
        rows[label] = {"customers": n.sum(), **{name: n @ value / n.sum() for name, value in values.items()}}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("group").astype({"customers": int})
    lower, upper = wilson_interval(table["came_back"], table["customers"])
    table.insert(2, "came_back_lower", lower)
    table.insert(3, "came_back_upper", upper)
    return table
