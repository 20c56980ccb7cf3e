"""Value of a customer to be acquired: the first order, the repeat purchases within a horizon, and what lies beyond."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import is_number, require_number
from retention_models.core.dates import unit_length
from retention_models.fitting.result import Fit, shows_leaving
from retention_models.fitting.uncertainty import Fitted, uncertainty_of
from retention_models.forecast.planning_range import PastErrors
from retention_models.tables.customer_table import read_covariates
from retention_models.value.customer import total_value
from retention_models.value.terms import Terms, require_terms

HISTORY = ("frequency", "recency", "T", "log_gaps", "monetary_value")  # of a customer on the day of the first purchase


def new_customer_value(
    fit: Fitted,
    terms: Terms,
    *,
    kinds: Any = None,
    spend: Fitted | None = None,
    first_amount: pd.Series | Mapping[Any, float] | float | None = None,
    cohort_size: float | None = None,
    past_errors: PastErrors | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Value of a customer to be acquired: of all kinds together, of each group of the fit, or of each kind.

    Parameters
    ----------
    fit
        A fitted purchase model. If it has groups, from ``fit(..., by=...)``, each has a row of its own.
    terms
        As in ``customer_value``, for purchases. The horizon counts from the first purchase.
    kinds
        A frame with the covariates of the fit, one row per kind of customer, whose index names them. Needed with
        covariates. By default None.
    spend
        A fitted ``GammaGamma`` for the amount of a repeat purchase. By default None, as in ``customer_value``. Its
        groups, if it has some, go with those of the same name.
    first_amount
        Mean amount of the first purchase: one number, or one for each row of the result by its label ("all" and those
        of the groups or kinds), as ``logs.first_purchases`` gives it. By default None: the first purchase is left out.
    cohort_size
        Number of customers to be acquired, over whom the mean is taken: chance averages out over them. By default as
        many as came within such a horizon among those of the fit.
    past_errors
        Errors of earlier forecasts of new customers over the same horizon, from ``evaluation.new_customer_errors``, for
        the planning range. By default None: no planning range.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        One row for "all" and each group, or for each kind; per new customer: ``customers``, the size of the cohort;
        ``first_order``, the margin of the first purchase, if its amount is given; ``repeat_value`` of the purchases
        within the horizon with the confidence interval ``repeat_value_lower, repeat_value_upper`` (parameters only);
        and ``value``, the sum. With ``past_errors`` also the planning ranges of the value,
        ``planning_lower_80, planning_upper_80, planning_lower_95, planning_upper_95``. ``beyond`` is the value after
        the horizon, which no forecast tests. It is left out without a discount rate, and where the log contains no sign
        of customers leaving.

    Raises
    ------
    TypeError, ValueError
        As in ``total_value``. When ``kinds`` lack a covariate, or ``first_amount`` lacks a row.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> purchases, spend = rm.fit(rm.MBGNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> terms = rm.Terms(horizon=26, time_unit="W", annual_discount_rate=0.15, margin=0.3)
    >>> new = rm.value.new_customer_value(purchases, terms, spend=spend, first_amount=33.0)
    >>> new[["first_order", "repeat_value", "value", "beyond"]].round(2)
             first_order  repeat_value  value  beyond
    segment
    all              9.9          9.13  19.03   40.42
    """
    require_terms(terms, "horizon", "time_unit")
    source = uncertainty_of(fit)
    rows: dict[Any, Fitted] = {"all": fit, **source.fit.groups}
    spends = {} if spend is None else uncertainty_of(spend).fit.groups
    if kinds is not None:
        kinds = read_covariates(kinds, source.fit.covariate_terms.columns)
        rows = dict.fromkeys(kinds.index, fit)
    tables = []
    for place, (label, own) in enumerate(rows.items()):
        size = _usual_cohort(uncertainty_of(own).fit, terms) if cohort_size is None else cohort_size
        require_number("cohort_size", size, 0, inside=True)
        new = first_day_rows([size])
        if kinds is not None:
            new[list(kinds)] = kinds.iloc[[place]].to_numpy()
        errors = None if past_errors is None else past_errors.of_labels([label])[0]
        tables.append(_repeat_value(own, new, terms, spends.get(label, spend), errors, level).set_axis([label]))
    table = pd.concat(tables).rename_axis("segment")
    if first_amount is not None:
        if not terms.is_money:
            raise ValueError("first_amount is money, but the terms count purchases: state a margin or a price")
        table.insert(1, "first_order", (terms.margin or 1.0) * _by_label(first_amount, table.index))
        ranges = [name for name in table.columns.astype(str) if name.startswith("planning")]
        table = table.assign(**{name: table[name] + table["first_order"] for name in ("value", *ranges)})
    return table


def first_day_rows(customers: Any) -> pd.DataFrame:
    """Customers on the day of their first purchase, as models take them: rows of so many customers each."""
    weight = np.asarray(customers, dtype=float)
    return pd.DataFrame(dict.fromkeys(HISTORY, 0.0), pd.RangeIndex(len(weight))).assign(weight=weight)


def _repeat_value(
    fit: Fitted, new: pd.DataFrame, terms: Terms, spend: Fitted | None, errors: PastErrors | None, level: float
) -> pd.DataFrame:
    """The value of the repeat purchases of a cohort of new customers, per customer, within the horizon and beyond."""
    size = new["weight"].iloc[0]
    total = total_value(fit, new, terms, spend=spend, level=level, past_errors=errors)
    table = pd.DataFrame({"customers": size}, total.index)
    for end in ("", "_lower", "_upper"):
        table[f"repeat_value{end}"] = total[f"value{end}"] / size
    table["value"] = total["planning" if errors else "value"] / size
    for name in (name for name in total.columns.astype(str) if name.startswith("planning_")):
        table[name] = total[name] / size
    if not np.isinf(terms.horizon or 0.0) and terms.annual_discount_rate and shows_leaving(uncertainty_of(fit).fit):
        endless = total_value(fit, new, replace(terms, horizon=np.inf), spend=spend, level=None)
        table["beyond"] = (endless["value"] - total["value"]) / size
    return table


def _usual_cohort(fit: Fit, terms: Terms) -> float:
    """The number of customers who came within a time as long as the horizon, on average over those of the fit."""
    first, last = (fit.data.get(name) for name in ("first_date", "calibration_end"))
    if not first or not last or terms.horizon is None or np.isinf(terms.horizon):
        return fit.n_customers
    span = (pd.Timestamp(last) - pd.Timestamp(first)) / unit_length(str(terms.time_unit))
    return max(1.0, fit.n_customers * min(1.0, terms.horizon / max(span, 1e-9)))


def _by_label(first_amount: pd.Series | Mapping[Any, float] | float, labels: pd.Index) -> pd.Series:
    """The mean amount of the first purchase of each row."""
    if is_number(first_amount):
        return pd.Series(float(first_amount), labels)
    amounts = pd.Series(first_amount, dtype=float).reindex(labels)
    if amounts.isna().any():
        missing = ", ".join(str(label) for label in labels[amounts.isna()])
        raise ValueError(
            f"first_amount has no amount for {missing}; give one for each row of the result, or one number"
        )
    return amounts
