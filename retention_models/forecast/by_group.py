"""Groups of customers side by side: active customers today, and expected purchases of new ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import POSITIVE, with_interval_columns
from retention_models.fitting.result import Fit, require_no_covariates
from retention_models.fitting.uncertainty import Fitted, uncertainty_of
from retention_models.forecast.customers import alive_columns, read_purchases
from retention_models.tables.customer_table import CustomerTable, Rows, open_customers
from retention_models.tables.groups import Labels, read_groups


def status_by_group(fit: Fitted, customers: Any, by: Labels | None = None, *, level: float = 0.95) -> pd.DataFrame:
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
        probability_alive_upper``, which covers parameter uncertainty: 0 to 1 where the log contains no sign of
        customers leaving.

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

    customers = open_customers(customers)
    source, table = read_purchases(fit, customers)
    groups = weights_by_group(table, customers, by)
    weight = np.stack(list(groups.values()), axis=-1)
    n = weight.sum(axis=0)
    share = source.estimate(is_alive, table.rows).linear(lambda alive: alive @ (weight / n))
    columns = alive_columns("probability_alive", share, level, source.fit)
    frame = pd.DataFrame({"customers": n, "still_customers": share.values * n, **columns}, index=list(groups))
    return frame.rename_axis("group").astype({"customers": int})


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
    if not uncertainty_of(fit).fit.groups:
        raise ValueError("the fit has no groups; make it with fit(..., by=...)")
    require_no_covariates(fit, "a new customer", "predict_new")

    def expected(model: Any, ahead: Array) -> Array:
        return model.expected_purchases_new(ahead)

    rows, ahead = {}, Rows((np.array([float(horizon)]),))
    for label, group in {"all": fit, **fit.groups}.items():
        purchases = uncertainty_of(group).estimate(expected, ahead)
        columns = with_interval_columns("expected_purchases", purchases, level, POSITIVE)
        rows[label] = {"customers": group.n_customers, **{name: column[0] for name, column in columns.items()}}
    return pd.DataFrame.from_dict(rows, orient="index").astype({"customers": int}).rename_axis("group")


def weights_by_group(table: CustomerTable, customers: Any, by: Labels | None) -> dict[str, Array]:
    """How many customers of each group have each distinct row of the table, by the group's label."""
    groups = read_groups(customers, by)
    n = len(table.weight)
    return {label: np.bincount(table.row[k], table.line_weight[k], n).astype(float) for label, k in groups.items()}
