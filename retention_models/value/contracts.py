"""What customers with contracts are worth: the payments still to come, each as likely as the customer is to be there.

A contract is paid for period after period. A new customer pays at once and then at every renewal, so that the expected
number of payments, each discounted, is DEL = sum over t >= 0 of S(t) / (1 + d)^t. A customer who has made n payments is
met just before the n-th renewal decision, DERL(n) = sum over t >= n of S(t) / S(n - 1) / (1 + d)^(t - n), or just after
the n-th payment, a whole period earlier and so DERL(n) / (1 + d). Hence DEL = 1 + DERL(1) / (1 + d).

Fader & Hardie (2010), "Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity",
Marketing Science 29(1), 85-93. A single retention rate for all is what they warn of; its value stands beside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import standard_error
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import customers_by_tenure
from retention_models.fitting.retention_intervals import profile_interval
from retention_models.survival.homogeneous import Geometric
from retention_models.tables.customer_table import Table
from retention_models.tables.groups import Labels, read_codes
from retention_models.value.external_models import predicted_survival
from retention_models.value.payments import (
    Ends,
    Moment,
    PaymentSchedule,
    PaymentStream,
    finite_horizon,
    schedule_of,
    survival_of,
)
from retention_models.value.terms import Terms


def discounted_lifetime(model: Any, terms: Terms) -> float:
    """What a new customer is worth, the payment at the start included; without a price, DEL (Fader & Hardie 2010).

    Parameters
    ----------
    model
        A fit, a model of contracts, or any object with ``survival_function(tenure)`` in renewals.
    terms
        Price, margin, billing period, discount rate and, where value has an end, horizon.

    Returns
    -------
    float
        Money; without a price, the expected number of payments, each discounted.

    Raises
    ------
    ValueError
        When the terms lack a billing period or a discount rate.

    Examples
    --------
    >>> import retention_models as rm
    >>> high_end = rm.ShiftedBetaGeometric(alpha=1.280976, beta=7.790383)
    >>> round(rm.value.discounted_lifetime(high_end, rm.Terms(annual_discount_rate=0.1, billing_period="Y")), 4)
    5.4638
    """
    first = float(schedule_of(terms).paid(0)[0])
    return first + float(discounted_residual_lifetime(model, 1, terms, moment="after_payment"))


def discounted_residual_lifetime(
    model: Any, payments: ArrayLike, terms: Terms, *, moment: Moment = "before_renewal"
) -> Array:
    """What is still to come from a customer who has made so many payments; without a price, DERL.

    Parameters
    ----------
    model
        As in ``discounted_lifetime``.
    payments
        Payments made, 1 for a customer who has not come to a renewal yet; any shape.
    terms
        As in ``discounted_lifetime``.
    moment
        When the customer is met: ``"before_renewal"``, just before the decision, the next payment not discounted; or
        ``"after_payment"``, just after the last payment, the next one a whole period away.

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    >>> rm.value.discounted_residual_lifetime(rm.ShiftedBetaGeometric(3.8, 15.2), [1, 2, 3, 4, 5], terms).round(2)
    array([3.31, 3.45, 3.59, 3.72, 3.84])
    """
    made = np.asarray(payments, dtype=float)
    if not np.all((made >= 1) & (made == np.floor(made))):
        raise ValueError("payments must be whole numbers from 1 on; the payment at the start is the first")
    schedule = schedule_of(terms)
    stream = PaymentStream(survival_of(model, int(made.max()) - 1, schedule), schedule, moment)
    return stream.mean(made.astype(np.int64).ravel() - 1).reshape(made.shape)


def retention_elasticity(model: Any, terms: Terms) -> float:
    """By how many percent a new customer's value rises when every retention rate rises by one percent.

    The mean number of renewals behind a discounted payment; r / (1 + i - r) where the retention rate r is the same at
    every renewal and i is the discount rate a period.

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.Terms(annual_discount_rate=0.1, billing_period="Y")
    >>> round(rm.value.retention_elasticity(rm.ShiftedBetaGeometric(alpha=1.280976, beta=7.790383), terms), 2)
    5.37
    """
    schedule = schedule_of(terms)
    survival = survival_of(model, 0, schedule)[0]
    worth = survival * schedule.paid(len(survival) - 1)
    return float(worth @ np.arange(len(survival)) / worth.sum())


def contract_value(
    model: Any, customers: Any, terms: Terms, moment: Moment = "before_renewal", level: float = 0.95
) -> pd.DataFrame:
    """What each customer with a contract is still worth; see ``customer_value``.

    ``model`` may be any curve with ``survival_function(tenure)``, or an object of another library with
    ``predict_survival_function``, which is asked about the other columns of ``customers``.
    """
    schedule, table = schedule_of(terms), customers_by_tenure(customers)
    stream = _stream(model, customers, table, schedule, moment)
    tenure = table.columns[0].astype(np.int64)[table.row]
    frame = pd.DataFrame({"value": stream.mean(tenure)}, index=table.index)
    if isinstance(model, Fit):
        lower, upper = _ends(model, table, schedule, moment, np.eye(len(table.weight)), level)
        frame["value_lower"], frame["value_upper"] = lower[table.row], upper[table.row]
        frame["naive_value"] = _naive(model, table, schedule, moment)[table.row]
    return frame


def total_contract_value(
    model: Any,
    customers: Any,
    terms: Terms,
    moment: Moment = "before_renewal",
    by: Labels | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """What all customers with contracts, or those of each segment, are still worth; see ``total_value``."""
    schedule, table = schedule_of(terms), customers_by_tenure(customers)
    stream = _stream(model, customers, table, schedule, moment)
    code, names = read_codes(customers, by)
    names = names.rename(names.name or "segment")

    def summed(lines: Array) -> Array:
        return np.bincount(code, weights=table.line_weight * lines, minlength=len(names)).astype(float)

    tenure = table.columns[0].astype(np.int64)[table.row]
    frame = pd.DataFrame({"customers": summed(np.ones(len(code))), "value": summed(stream.mean(tenure))}, index=names)
    if isinstance(model, Fit):
        share = np.zeros((len(names), len(table.weight)))
        np.add.at(share, (code, table.row), table.line_weight)
        ends = _ends(model, table, schedule, moment, share, level)
        chance = summed(stream.variance(tenure))
        frame["value_lower"], frame["value_upper"] = ends
        outcome = schedule.with_chance(frame["value"].to_numpy(), ends, chance, level)
        frame["outcome_lower"], frame["outcome_upper"] = outcome
        frame["naive_value"] = summed(_naive(model, table, schedule, moment)[table.row])
    whole = np.all(frame["customers"] == np.floor(frame["customers"]))
    return frame.astype({"customers": int}) if whole else frame


def _stream(model: Any, customers: Any, table: Table, schedule: PaymentSchedule, moment: Moment) -> PaymentStream:
    last = int(table.columns[0].max())
    if hasattr(model, "predict_survival_function"):
        survival = predicted_survival(model, customers, last + finite_horizon(schedule))
        return PaymentStream(survival, schedule, moment)
    return PaymentStream(survival_of(model, last, schedule), schedule, moment)


def _ends(fit: Fit, table: Table, schedule: PaymentSchedule, moment: Moment, share: Array, level: float) -> Ends:
    """Ends of the intervals of some sums of the distinct tenures' values; ``share`` has shape (sums, tenures)."""
    last = int(table.columns[0].max())

    def value(model: Any, tenure: Array) -> Array:
        return PaymentStream(survival_of(model, last, schedule), schedule, moment).mean(tenure.astype(np.int64))

    ends = profile_interval(fit, lambda model: share @ value(model, table.columns[0]), level)
    if ends is not None:
        return ends
    error = standard_error(share @ fit.gradient(value, table.columns), fit.covariance.to_numpy())
    return schedule.interval(share @ value(fit.model, table.columns[0]), error, level)


def mean_rate_model(fit: Fit) -> Geometric:
    """What the mean retention rate of the fit's data makes of customers: all alike, with a constant chance to leave."""
    return Geometric(-np.log(np.clip(fit.data["retention_rate"], 1e-9, 1 - 1e-9)))


def _naive(fit: Fit, table: Table, schedule: PaymentSchedule, moment: Moment) -> Array:
    """What the mean retention rate of the fit's data says of each distinct tenure, with a constant chance to leave."""
    stream = PaymentStream(survival_of(mean_rate_model(fit), int(table.columns[0].max()), schedule), schedule, moment)
    return stream.mean(table.columns[0].astype(np.int64))
