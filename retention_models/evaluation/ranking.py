"""How well a ranking finds the customers who buy, and how concentrated a total is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from retention_models.core.arguments import MOST_POINTS, require_whole
from retention_models.core.arrays import Array
from retention_models.evaluation.holdout_data import Holdout
from retention_models.fitting.uncertainty import Fitted


def gain_table(fit: Fitted, customers: Any, *, groups: int = 10) -> pd.DataFrame:
    """Share of holdout purchases found when customers are contacted in the order of their expected purchases.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        The frame of ``summarize`` to which the models were fitted, with its holdout period.
    groups
        Number of groups of equal size. By default 10 (deciles).

    Returns
    -------
    pandas.DataFrame
        Indexed by ``group`` (1 is the best): mean ``expected`` and ``actual`` purchases of a customer, ``lift`` (actual
        over the mean of all customers), and ``gain`` (cumulative share of all purchases). Without a purchase in the
        holdout, ``lift`` and ``gain`` are 0.

    Raises
    ------
    ValueError
        When the table has no holdout period, or a model is not one of purchases.

    Notes
    -----
    Customers with equal expectations share their purchases evenly, so the order of rows does not matter. A group may
    end among them.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.evaluation.gain_table(rm.fit(rm.ParetoNBD, customers), customers, groups=5).round(2)
           expected  actual  lift  gain
    group
    1          2.62    2.51  3.14  0.63
    2          0.50    0.74  0.92  0.81
    3          0.16    0.29  0.37  0.89
    4          0.14    0.23  0.28  0.94
    5          0.12    0.23  0.29  1.00
    """
    require_whole("groups", groups, 1, MOST_POINTS)
    holdout = Holdout.from_fit(fit, customers)
    expected, n = holdout.expected_purchases(), holdout.weight
    edges = np.linspace(0, 1, groups + 1)
    found = np.diff(_running_total(expected, n * holdout.actual, n, edges))
    size = n.sum() / groups
    actual = found / size
    total = max(found.sum(), np.finfo(float).tiny)
    return pd.DataFrame(
        {
            "expected": np.diff(_running_total(expected, n * expected, n, edges)) / size,
            "actual": actual,
            "lift": found * groups / total,
            "gain": np.cumsum(found) / total,
        },
        index=pd.RangeIndex(1, groups + 1, name="group"),
    )


def concentration(values: ArrayLike, *, steps: int = 100) -> pd.DataFrame:
    """Share of the total that the best customers hold (Lorenz curve, best first).

    Parameters
    ----------
    values
        One number per customer, for example expected purchases or customer value; none below 0, some above. Shape (n,).
    steps
        Number of steps from no customer to all. By default 100.

    Returns
    -------
    pandas.DataFrame
        ``customers`` (share of the customers, from 0 to 1) and ``value`` (share of the total, from 0 to 1).

    Raises
    ------
    ValueError
        When a value is negative or not finite, or all are 0.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.evaluation.concentration([6, 2, 1, 1], steps=4)
       customers  value
    0       0.00    0.0
    1       0.25    0.6
    2       0.50    0.8
    3       0.75    0.9
    4       1.00    1.0
    """
    given = np.atleast_1d(np.asarray(values))
    amounts = given.astype(float) if given.dtype.kind in "fiu" else np.full(given.shape, np.nan)
    require_whole("steps", steps, 1, MOST_POINTS)
    wrong = int(np.sum(~(np.isfinite(amounts) & (amounts >= 0))))
    if wrong or not amounts.sum() > 0:
        raise ValueError(
            "values must be finite numbers of 0 or more, and their sum must be positive; "
            f"{wrong:,} of {amounts.size:,} are negative or not a number, and the sum is {amounts.sum():g}"
        )
    share = np.linspace(0, 1, steps + 1)
    held = _running_total(amounts, amounts, np.ones(len(amounts)), share)
    return pd.DataFrame({"customers": share, "value": held / amounts.sum()})


def _running_total(rank_by: Array, amounts: Array, weight: Array, share: Array) -> Array:
    """Total of ``amounts`` in the first ``share`` of customers by descending ``rank_by``; ties share evenly."""
    _, tied = np.unique(-rank_by, return_inverse=True)
    reached = np.r_[0.0, np.cumsum(np.bincount(tied, weight))]
    total = np.r_[0.0, np.cumsum(np.bincount(tied, amounts))]
    return np.interp(share * reached[-1], reached, total)
