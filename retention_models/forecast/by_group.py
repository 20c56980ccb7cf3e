"""Groups of customers side by side: active customers today, and expected purchases of new ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import positive_interval, probability_interval, standard_error
from retention_models.fitting.result import Fit, require_no_covariates
from retention_models.forecast.customers import require_purchases
from retention_models.tables.customer_table import Table, require_same_measure
from retention_models.tables.groups import Labels, read_groups


def status_by_group(fit: Fit, customers: Any, by: Labels | None = None, *, level: float = 0.95) -> pd.DataFrame:
    """Number and share of active customers (by P(alive)) in each group.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        A frame with the columns of the model and of its covariates; one row per customer.
    by
        A column of ``customers``, or one label per customer: a Series by its index, a list or array by position. By
        default one group, "all".
    level
        Level of the interval, from 0 to 1. By default 0.95.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``group``: number of ``customers``, ``still_customers`` (expected number of active customers), and
        ``probability_alive`` (their share) with the confidence interval ``probability_alive_lower,
        probability_alive_upper``, which covers parameter uncertainty.

    Raises
    ------
    ValueError
        When the model is not one of purchases, or the table has another time unit than the fit.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.forecast.status_by_group(rm.fit(rm.ParetoNBD, customers), customers).T.round(3)
    group                         all
    customers                2357.000
    still_customers          1051.875
    probability_alive           0.446
    probability_alive_lower     0.402
    probability_alive_upper     0.491
    """

    def is_alive(model: Any, *history: Array) -> Array:
        return model.probability_alive(*history)

    require_purchases(type(fit.model))
    table = fit.read(customers)
    require_same_measure(fit.data, table)
    alive, slope = fit.values(is_alive, table.columns), fit.gradient(is_alive, table.columns)
    rows = {}
    for label, n in weights_by_group(table, customers, by).items():
        share, error = n @ alive / n.sum(), standard_error(n @ slope / n.sum(), fit.covariance.to_numpy())
        rows[label] = (n.sum(), n @ alive, share, *map(float, probability_interval(share, error, level)))
    columns = ["customers", "still_customers", *(f"probability_alive{end}" for end in ("", "_lower", "_upper"))]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("group")
    return frame.astype({"customers": int})


def new_customer_by_group(fit: Fit, horizon: float, *, level: float = 0.95) -> pd.DataFrame:
    """Expected purchases of a new customer, by the fit of each group.

    The table shows whether the groups differ.

    Parameters
    ----------
    fit
        A fitted purchase model with groups, from ``fit(..., by=...)``.
    horizon
        Length of the forecast, in the time unit of the fit; above 0.
    level
        Level of the intervals, from 0 to 1. By default 0.95.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``group``, "all" first: number of ``customers`` in the fit, and ``expected_purchases`` within the
        horizon with the confidence interval ``expected_purchases_lower, expected_purchases_upper``. A group without a
        fit of its own is left out; ``fit.notes`` gives the reason.

    Raises
    ------
    ValueError
        When the fit has no groups, or has covariates.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> table = rm.forecast.new_customer_by_group(rm.fit(rm.ParetoNBD, customers, by="cohort"), 39)
    >>> table.set_axis(["customers", "mean", "lower", "upper"], axis=1).round(2)
             customers  mean  lower  upper
    group
    all           2357  1.21   1.12   1.32
    1997-01        781  1.23   1.07   1.41
    1997-02        857  1.22   1.07   1.39
    1997-03        719  1.20   1.02   1.40
    """
    if not fit.groups:
        raise ValueError("the fit has no groups; make it with fit(..., by=...)")
    require_no_covariates(fit, "a new customer", "predict_new")

    def expected(model: Any, ahead: Array) -> Array:
        return model.expected_purchases_new(ahead)

    rows, ahead = {}, (np.array([float(horizon)]),)
    for label, group in {"all": fit, **fit.groups}.items():
        mean = expected(group.model, *ahead)
        error = standard_error(group.gradient(expected, ahead), group.covariance.to_numpy())
        lower, upper = positive_interval(mean, error, level)
        rows[label] = (group.n_customers, mean[0], lower[0], upper[0])
    columns = ["customers", "expected_purchases", "expected_purchases_lower", "expected_purchases_upper"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("group")


def weights_by_group(table: Table, customers: Any, by: Labels | None) -> dict[str, Array]:
    """How many customers of each group have each distinct row of the table, by the group's label."""
    groups = read_groups(customers, by)
    n = len(table.weight)
    return {label: np.bincount(table.row[k], table.line_weight[k], n).astype(float) for label, k in groups.items()}
