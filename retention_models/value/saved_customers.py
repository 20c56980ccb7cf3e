"""Value of a saved customer: one who would have left at the next renewal without the retention offer.

Saved customers differ from the average customer. If churn rates differ between customers, those about to leave mostly
have a high rate and soon reach the next decision to leave. The value of an average customer is therefore too high for
them. A customer saved at renewal n pays there and at later renewals. The value is the sum over j >= 0 of P(active after
n + j) margin / (1 + d)^j, with the probability of ``survival_if_saved``. It is the most that saving one customer may
cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import with_interval_columns
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import models_of_groups, read_contract_customers
from retention_models.forecast.churn_errors import read_churn_errors
from retention_models.forecast.planning_range import LEVELS, planning_names
from retention_models.tables.customer_table import CustomerTable, open_customers
from retention_models.value.contracts import mean_rate_model
from retention_models.value.payments import PaymentSchedule, payment_schedule, price_by_line
from retention_models.value.terms import Terms

NEVER = 1e-200  # added to a chance to leave, so that whoever never leaves has a value, too
EDGES = (0, 1, 3, 6, 12, 24, 48, 96)  # renewals at which a table begins a new group


def saved_value(
    fit: Fit,
    customers: Any,
    terms: Terms,
    *,
    level: float | None = 0.95,
    past_errors: pd.DataFrame | None = None,
    by: str | None = None,
) -> pd.DataFrame:
    """Value of a customer who would leave at the next renewal and is kept.

    Parameters
    ----------
    fit
        A fitted model of contracts.
    customers
        A frame with ``tenure``, the number of renewals made, and ``weight``, the number of customers; from
        ``active_customers``.
    terms
        ``billing_period`` and ``annual_discount_rate``; ``price`` (also a column of ``customers``) and ``margin`` for
        value in money; ``horizon`` in renewals for a time limit.
    level
        Level of the confidence intervals, 0.95 by default.
    past_errors
        The frame of ``evaluation.backtest_retention``, for the planning range. By default None: no planning range.
    by
        A column of ``customers``. Each group then has its own model of a fit with groups (``fit(..., by=by)``), and
        each row is the mean over the leavers of all groups. By default None: one model for all.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``tenure``, with a last row "all". ``customers``; ``leaving``, the expected number of customers who
        leave at the next renewal; ``value`` of one of these if saved, with its interval ``value_lower, value_upper``;
        ``renewing_value`` of a customer who renews without an offer; ``naive_value``, the value under the mean
        retention rate of the fit's data. With ``past_errors`` also planning ranges of the value at 80 and 95 %, which
        cover model error: ``planning_lower_80, planning_upper_80, planning_lower_95, planning_upper_95``; see
        ``forecast_retention``. The row "all" is the mean over the customers who leave. Its ``renewing_value``
        is the mean over those who renew.

    Raises
    ------
    TypeError, ValueError
        When the fit is not one of contracts, or as in ``discounted_lifetime``.

    Notes
    -----
    The moment of valuation is the renewal, whose payment is not discounted. The offer is assumed to change this one
    decision and nothing else. An offer to all customers also costs money for those who would have stayed.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
    >>> base = pd.DataFrame({"tenure": [0, 4], "weight": [500, 326]})
    >>> terms = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y")
    >>> worth = rm.saved_value(rm.fit(rm.ShiftedBetaGeometric, kept), base, terms)
    >>> worth[["leaving", "value", "renewing_value", "naive_value"]].round(0)
            leaving  value  renewing_value  naive_value
    tenure
    0         185.0  199.0           458.0        296.0
    4          41.0  383.0           650.0        296.0
    all       226.0  232.0           550.0        296.0
    """
    customers = open_customers(customers)
    if by is not None:
        groups = models_of_groups(fit, customers, by)
        return _mean_of_groups(
            [saved_value(own, theirs, terms, level=level, past_errors=past_errors) for own, theirs in groups]
        )
    terms, price, _ = price_by_line(terms, customers)
    source, customers_table = read_contract_customers(fit, customers)
    paid = _mean_by_row(price, customers_table)
    schedule = payment_schedule(terms, fit)
    rows, (made,) = customers_table.rows, customers_table.columns
    tenures, code = np.unique(made, return_inverse=True)
    now = np.zeros((len(made), len(tenures) + 1))
    now[np.arange(len(made)), code] = now[:, -1] = customers_table.weight
    mix = np.where(now.sum(axis=0) > 0, now, np.eye(len(tenures) + 1)[code])  # of whom a row would be, if it has nobody

    def leaving(model: Any, tenure: Array) -> Array:
        return model.hazard(tenure + 1) + NEVER

    def renewing(model: Any, tenure: Array) -> Array:
        return _payments_from_renewal(_renewing_survival(model), tenure, schedule)

    go = source.estimate(leaving, rows)
    leavers = go.values @ mix
    saved = partial(value_if_saved, schedule)
    value = (source.estimate(saved, rows) * go).linear(lambda x: x * paid @ mix) / go.linear(lambda x: x @ mix)
    stay = mix * (1 - go.values)[:, None]
    naive = renewing(mean_rate_model(fit), tenures)
    naive = np.append(naive, naive[0]) * (paid @ mix) / mix.sum(axis=0)
    frame = {
        "customers": now.sum(axis=0),
        "leaving": go.values @ now,
        **with_interval_columns("value", value, level, schedule.scale),
        "renewing_value": source.values(renewing, rows) * paid @ stay / stay.sum(axis=0),
        "naive_value": naive,
    }
    for covered in LEVELS if past_errors is not None else ():
        factors = read_churn_errors(past_errors).factors(covered, schedule.horizon)
        more, less = (source.values(partial(saved, churn=k), rows) * go.values * paid @ mix / leavers for k in factors)
        ends = schedule.scale.widen(value.values, value.interval(covered, schedule.scale), (more, less))
        frame |= dict(zip(planning_names(covered), ends, strict=True))
    return pd.DataFrame(frame, index=pd.Index([*tenures.astype(int).tolist(), "all"], name="tenure", dtype=object))


def _mean_of_groups(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The means over the leavers of independent groups, whose planning ranges share their model error."""
    ends = [name for name in tables[0].columns if name.startswith(("value_", "planning_"))]
    rows = {}
    for made in [*sorted({made for table in tables for made in table.index[:-1]}), "all"]:
        lines = pd.DataFrame([table.loc[made] for table in tables if made in table.index])
        share = lines["leaving"] / lines["leaving"].sum()
        stay = np.maximum(lines["customers"] - lines["leaving"], NEVER)
        row = lines[["customers", "leaving"]].sum().to_dict() | {"value": share @ lines["value"]}
        for name in ends:
            away = share * (lines[name] - lines["value"])
            reach = away.sum() if name.startswith("planning_") else np.sign(away.sum()) * np.hypot.reduce(away)
            row[name] = row["value"] + reach
        row["renewing_value"] = np.average(lines["renewing_value"], weights=stay)
        row["naive_value"] = np.average(lines["naive_value"], weights=np.maximum(lines["customers"], NEVER))
        rows[made] = row
    table = pd.DataFrame.from_dict(rows, orient="index", columns=tables[0].columns)
    return table.set_axis(pd.Index(list(rows), name="tenure", dtype=object))


def value_if_saved(schedule: PaymentSchedule, model: Any, tenure: Array, churn: float | Array = 1.0) -> Array:
    """The value of customers who would leave at the next renewal and are kept, with so many times the later churn."""
    return _payments_from_renewal(lambda *when: model.survival_if_saved(*when) ** churn, tenure, schedule)


def _mean_by_row(column: Array, table: CustomerTable) -> Array:
    """The mean over the customers of each distinct row of a table; over its lines if the row has no customers."""
    weight = np.where(table.weight[table.row] > 0, table.line_weight, 1.0)
    total, number = (np.bincount(table.row, each, len(table.weight)) for each in (weight * column, weight))
    return np.asarray(total / number)


def _renewing_survival(model: Any) -> Any:
    """The survival function after a voluntary renewal, with the arguments of ``survival_if_saved``."""
    return lambda ahead, renewal: model.survival_function(renewal + ahead, given=renewal)


def _payments_from_renewal(survival: Any, made: Array, schedule: PaymentSchedule) -> Array:
    """Discounted payments from the next renewal on, with that renewal certain; shape of ``made``."""
    ahead = np.arange(schedule.renewals, dtype=float)[:, None]
    return np.asarray((survival(ahead, made + 1) * schedule.margins_ahead(made)).sum(axis=0), dtype=float)
