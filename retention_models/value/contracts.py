"""Value of customers with contracts: the expected discounted payments to come.

A contract is paid for in every period. A new customer pays at the start and then at every renewal. The expected
discounted number of payments is DEL = sum over t >= 0 of S(t) / (1 + d)^t. For a customer who has made n payments, just
before the n-th renewal, it is DERL(n) = sum over t >= n of S(t) / S(n - 1) / (1 + d)^(t - n). Just after the n-th
payment, a whole period earlier, it is DERL(n) / (1 + d). Hence DEL = 1 + DERL(1) / (1 + d).

Fader & Hardie (2010), "Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity",
Marketing Science 29(1), 85-93. They warn against a single retention rate for all customers. Its value is reported for
comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import with_interval_columns
from retention_models.estimation.intervals import Ends
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import customers_by_tenure, read_contract_customers
from retention_models.forecast.churn_errors import read_churn_errors
from retention_models.forecast.planning_range import LEVELS, planning_names
from retention_models.survival.contract_model import renewals_or_nan
from retention_models.survival.homogeneous import Geometric
from retention_models.tables.customer_table import CustomerTable
from retention_models.tables.groups import Labels, read_codes
from retention_models.value.external_models import predicted_survival
from retention_models.value.payments import (
    Moment,
    PaymentSchedule,
    PaymentStream,
    finite_horizon,
    payment_schedule,
    price_by_line,
    survival_at_renewals,
)
from retention_models.value.terms import Terms


def discounted_lifetime(model: Any, terms: Terms) -> float:
    """Value of a new customer, the payment at the start included; without a price the DEL.

    Parameters
    ----------
    model
        A fit or a model of contracts, or any object with ``survival_function(tenure)``, where tenure counts renewals.
    terms
        ``billing_period`` and ``annual_discount_rate``; ``price``, which is not a column here, and ``margin`` for value
        in money; ``horizon`` in renewals for a time limit.

    Returns
    -------
    float
        Money; without a price the expected discounted number of payments.

    Raises
    ------
    ValueError
        When the terms lack a billing period or a discount rate, or the value is infinite.

    Notes
    -----
    The discounted expected lifetime (DEL) of Fader & Hardie (2010).

    Examples
    --------
    >>> import retention_models as rm
    >>> high_end = rm.ShiftedBetaGeometric(alpha=1.280976, beta=7.790383)
    >>> round(rm.value.discounted_lifetime(high_end, rm.Terms(annual_discount_rate=0.1, billing_period="Y")), 4)
    5.4638
    """
    first = float(payment_schedule(terms, model).discounted_margins(0)[0])
    return first + float(discounted_residual_lifetime(model, 1, terms, moment="after_payment"))


def discounted_residual_lifetime(
    model: Any, payments: ArrayLike, terms: Terms, *, moment: Moment = "before_renewal"
) -> Array:
    """Value of the future payments of a customer who has made a number of payments; without a price the DERL.

    Parameters
    ----------
    model, terms
        As in ``discounted_lifetime``.
    payments
        Number of payments made, of any shape. 1 for a customer before the first renewal.
    moment
        The moment of valuation. ``"before_renewal"``, the default, is just before the renewal decision, and the next
        payment is not discounted. ``"after_payment"`` is just after the last payment, one period before the next one.

    Returns
    -------
    numpy.ndarray
        Money, in the shape of ``payments``; without a price the expected discounted number of payments.

    Raises
    ------
    ValueError
        When ``payments`` are not whole numbers from 1 on, or as in ``discounted_lifetime``.

    Notes
    -----
    The discounted expected residual lifetime (DERL) of Fader & Hardie (2010).

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    >>> rm.value.discounted_residual_lifetime(rm.ShiftedBetaGeometric(3.8, 15.2), [1, 2, 3, 4, 5], terms).round(2)
    array([3.31, 3.45, 3.59, 3.72, 3.84])
    """
    payments_made = np.asarray(payments)
    if not payments_made.size:
        raise ValueError("payments is empty: state the number of payments made by at least one customer")
    counted = payments_made if payments_made.dtype.kind in "fiu" else np.full(payments_made.shape, np.nan)
    if np.isnan(renewals_or_nan(counted, least=1)).any():
        raise ValueError("payments must be whole numbers from 1 on; the payment at the start is the first")
    schedule = payment_schedule(terms, model)
    stream = PaymentStream(survival_at_renewals(model, int(payments_made.max()) - 1, schedule), schedule, moment)
    return stream.mean(payments_made.astype(np.int64).ravel() - 1).reshape(payments_made.shape)


def retention_elasticity(model: Any, terms: Terms) -> float:
    """The percentage by which a new customer's value rises when every retention rate rises by one percent.

    Parameters
    ----------
    model, terms
        As in ``discounted_lifetime``.

    Returns
    -------
    float
        The elasticity, a number without a unit.

    Raises
    ------
    ValueError
        As in ``discounted_lifetime``.

    Notes
    -----
    The elasticity is the mean number of renewals before a payment, each payment weighted by its discounted value. With
    a constant retention rate r and a discount rate i a period it is r / (1 + i - r).

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    >>> round(rm.value.retention_elasticity(rm.ShiftedBetaGeometric(alpha=1.280976, beta=7.790383), terms), 2)
    5.37
    """
    schedule = payment_schedule(terms, model)
    survival = survival_at_renewals(model, 0, schedule)[0]
    worth = survival * schedule.discounted_margins(len(survival) - 1)
    return float(worth @ np.arange(len(survival)) / worth.sum())


def contract_value(
    model: Any, customers: Any, terms: Terms, moment: Moment = "before_renewal", level: float | None = 0.95
) -> pd.DataFrame:
    """Future value of each customer with a contract; see ``customer_value``.

    ``model`` may be any curve with ``survival_function(tenure)``. It may also be an object of another library with
    ``predict_survival_function``, which receives the other columns of ``customers``.
    """
    terms, price, _ = price_by_line(terms, customers)
    schedule = payment_schedule(terms, model)
    if not isinstance(model, Fit):
        table, stream = _curve_stream(model, customers, schedule, moment)
        return pd.DataFrame({"value": price * stream.mean(_line_tenures(table))}, index=table.index)
    source, table = read_contract_customers(model, customers)
    value = source.estimate(value_of_tenures(table, schedule, moment), table.rows)
    frame = with_interval_columns("value", value, level, schedule.scale)
    frame["naive_value"] = _naive_value(model, table, schedule, moment)
    return pd.DataFrame(frame).take(table.row).set_axis(table.index).mul(price, axis=0)


def total_contract_value(
    model: Any,
    customers: Any,
    terms: Terms,
    moment: Moment = "before_renewal",
    by: Labels | None = None,
    level: float | None = 0.95,
    past_errors: Any = None,
) -> pd.DataFrame:
    """Future value of all customers with contracts, or of each segment; see ``total_value``."""
    terms, price, square = price_by_line(terms, customers)
    schedule = payment_schedule(terms, model)
    past = None if past_errors is None else read_churn_errors(past_errors)
    code, names = read_codes(customers, by)
    names = names.rename(names.name or "segment")
    if not isinstance(model, Fit):
        if past is not None:
            raise ValueError("past_errors go with a fit: a curve without a fit has no interval")
        table, stream = _curve_stream(model, customers, schedule, moment)
        value = np.bincount(code, table.line_weight * price * stream.mean(_line_tenures(table)), len(names))
        frame = pd.DataFrame({"customers": np.bincount(code, table.line_weight, len(names)), "value": value}, names)
        return _with_counts(frame)
    source, table = read_contract_customers(model, customers)
    number, share, squares = (np.zeros((len(table.weight), len(names))) for _ in range(3))
    for weights, of_one in ((number, 1.0), (share, price), (squares, square)):
        np.add.at(weights, (table.row, code), table.line_weight * of_one)
    each = value_of_tenures(table, schedule, moment)
    total = source.estimate(each, table.rows).linear(lambda values: values @ share)
    frame = pd.DataFrame(
        {"customers": number.sum(axis=0)} | with_interval_columns("value", total, level, schedule.scale), names
    )
    chance = source.values(value_of_tenures(table, schedule, moment, variance=True), table.rows) @ squares

    def outcome(level: float) -> list[Ends]:
        return [total.interval(level, schedule.scale), schedule.scale.from_errors(total.values, np.sqrt(chance), level)]

    if level is not None:
        frame["outcome_lower"], frame["outcome_upper"] = schedule.scale.widen(total.values, *outcome(level))
    for covered, factors in [] if past is None else [(each, past.factors(each, schedule.horizon)) for each in LEVELS]:
        more, less = (source.values(value_of_tenures(table, schedule, moment, churn=k), table.rows) for k in factors)
        ends = schedule.scale.widen(total.values, *outcome(covered), (more @ share, less @ share))
        frame[list(planning_names(covered))] = np.transpose(ends)
    frame["naive_value"] = _naive_value(model, table, schedule, moment) @ share
    return _with_counts(frame)


def _with_counts(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with whole numbers of customers where they are whole."""
    whole = np.all(frame["customers"] == np.floor(frame["customers"]))
    return frame.astype({"customers": int}) if whole else frame


def _line_tenures(table: CustomerTable) -> NDArray[np.int64]:
    return table.columns[0].astype(np.int64)[table.row]


def _curve_stream(
    curve: Any, customers: Any, schedule: PaymentSchedule, moment: Moment
) -> tuple[CustomerTable, PaymentStream]:
    """The customers by tenure, and their payments under a curve that is no fit."""
    table = customers_by_tenure(customers)
    last = int(table.columns[0].max())
    if hasattr(curve, "predict_survival_function"):
        survival = predicted_survival(curve, customers, last + finite_horizon(schedule))
        return table, PaymentStream(survival, schedule, moment)
    return table, PaymentStream(survival_at_renewals(curve, last, schedule), schedule, moment)


def value_of_tenures(
    table: CustomerTable,
    schedule: PaymentSchedule,
    moment: Moment,
    *,
    variance: bool = False,
    churn: float | Array = 1.0,
) -> Callable[[Any, Array], Array]:
    """The value by a model of customers with some tenures, or its variance by chance; with so many times the churn."""
    last = int(table.columns[0].max())

    def value(model: Any, tenure: Array) -> Array:
        stream = PaymentStream(survival_at_renewals(model, last, schedule) ** churn, schedule, moment)
        return (stream.variance if variance else stream.mean)(tenure.astype(np.int64))

    return value


def mean_rate_model(fit: Fit) -> Geometric:
    """A model with the mean retention rate of the fit's data for every customer and every renewal."""
    return Geometric(-np.log(np.clip(fit.data["retention_rate"], 1e-9, 1 - 1e-9)))


def _naive_value(fit: Fit, table: CustomerTable, schedule: PaymentSchedule, moment: Moment) -> Array:
    """Value of each distinct row under the mean retention rate of the fit's data."""
    return value_of_tenures(table, schedule, moment)(mean_rate_model(fit), table.columns[0])
