"""Value of customers with contracts by group: a model for each group, against one model for all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.estimation.intervals import normal_quantile
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import contract_uncertainty
from retention_models.forecast.retention import forecast_retention
from retention_models.tables.customer_table import open_customers
from retention_models.tables.groups import read_groups
from retention_models.value.contracts import total_contract_value
from retention_models.value.payments import Moment
from retention_models.value.saved_customers import saved_value
from retention_models.value.terms import Terms

APART = 0.10  # of the value: groups differ by more than a single model may hide
ERRORS = 2.0  # standard errors that the difference must exceed as well


def contract_value_by_group(
    fit: Fit,
    customers: Any,
    terms: Terms,
    *,
    by: str,
    renewals: int,
    moment: Moment = "before_renewal",
    level: float = 0.95,
) -> pd.DataFrame:
    """Forecast, value and saved value of each group of customers with contracts, by a model of its own.

    Parameters
    ----------
    fit
        A fit of contracts with groups: ``fit(Model, table, by=by)``.
    customers
        A frame with ``tenure``, ``weight`` and the column of the groups, from ``active_customers(spells, by=by)``.
    terms
        As in ``customer_value``.
    by
        The column of the groups.
    renewals
        Number of renewals of the forecast.
    moment
        As in ``customer_value``.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by the groups, with a last row "all", their sum: ``customers``; ``remaining``, the number expected after
        ``renewals``; ``value`` with its interval ``value_lower, value_upper``; ``saved_value`` of a customer about to
        leave (the mean over those expected to leave); and ``pooled_value``, the value by one model for all customers.
        A group that could not be fitted has the model of all, and is False in ``own_model``.

    Raises
    ------
    ValueError
        When the fit has no groups, or as in ``total_value``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = {"regular": [1000, 631, 468, 382, 326], "high end": [1000, 869, 743, 653, 593]}
    >>> rows = [(plan, t + 1, n[t], n[t] - n[t + 1]) for plan, n in kept.items() for t in range(4)]
    >>> table = pd.DataFrame(rows, columns=["plan", "tenure", "at_risk", "lost"])
    >>> fit = rm.fit(rm.ShiftedBetaGeometric, table, by="plan")
    >>> base = pd.DataFrame({"plan": ["regular", "high end"], "tenure": [0, 0], "weight": [500, 50]})
    >>> terms = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y", horizon=4)
    >>> worth = rm.value.contract_value_by_group(fit, base, terms, by="plan", renewals=4)
    >>> worth[["customers", "remaining", "value", "pooled_value"]].round(0)
              customers  remaining     value  pooled_value
    plan
    high end         50       30.0  12666.0       10384.0
    regular         500      163.0  80988.0      103842.0
    all             550      192.0  93653.0      114226.0
    """
    contract_uncertainty(fit)
    if not fit.groups:
        raise ValueError(f"the fit has no groups: fit the model with by={by!r}")
    opened = open_customers(customers)
    frame = pd.DataFrame({name: opened.column(name).array for name in opened.columns})
    rows = {}
    for label, lines in read_groups(opened, by).items():
        theirs, own = frame[lines], fit.groups.get(label, fit)
        value, pooled = (total_contract_value(each, theirs, terms, moment, None, level).iloc[0] for each in (own, fit))
        saved = saved_value(own, theirs, terms, level=None).iloc[-1]
        rows[label] = {
            "customers": value["customers"],
            "remaining": float(forecast_retention(own, theirs, renewals=renewals)["expected"].iloc[-1]),
            **value[["value", "value_lower", "value_upper"]],
            "saved_value": saved["value"],
            "pooled_value": pooled["value"],
            "own_model": label in fit.groups,
            "leaving": saved["leaving"],
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(by)
    leaving, value = table.pop("leaving"), table["value"]
    reach = {end: np.hypot.reduce(value - table[f"value_{end}"]) for end in ("lower", "upper")}
    table.loc["all"] = table.sum().to_dict() | {
        "value_lower": value.sum() - reach["lower"],
        "value_upper": value.sum() + reach["upper"],
        "saved_value": np.average(table["saved_value"], weights=leaving),
        "own_model": table["own_model"].all(),
    }
    return table.astype({"own_model": bool} | ({"customers": int} if np.all(table["customers"] % 1 == 0) else {}))


def one_model_check(worth: pd.DataFrame, *, level: float = 0.95) -> Check:
    """Whether one model for all customers gives the value that models of the groups give together.

    Parameters
    ----------
    worth
        The table of ``contract_value_by_group``.
    level
        Level of its intervals.

    Returns
    -------
    Check
        Failed if both differ by more than 10 % of the sum and by more than 2 of its standard errors. Not testable with
        fewer than two groups, or without a value.

    Notes
    -----
    The groups are independent of each other. The pooled fit is not independent of them, so the standard error of the
    sum is more than that of the difference.
    """
    name = "One model for all groups"
    value, lower, upper, pooled = (
        float(worth[column]["all"]) for column in ("value", "value_lower", "value_upper", "pooled_value")
    )
    if len(worth) < 3 or not value > 0:
        return Check(name, None, detail="There are no two groups with a value to compare.")
    apart = pooled / value - 1
    error = (upper - lower) / (2 * normal_quantile(level)) / value
    detail = (
        f"The value by one model for all customers differs by {100 * apart:+.1f} % from the sum over the models of the "
        f"{len(worth) - 1} groups. The standard error of that sum is {100 * error:.1f} %."
    )
    return Check(
        name,
        not (abs(apart) > APART and abs(apart) > ERRORS * error),
        size=100 * abs(apart),
        limit=100 * max(APART, ERRORS * error),
        unit="% of the value",
        detail=detail,
        remedy="Add up the values of the groups instead.",
    )
