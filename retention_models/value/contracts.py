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
from retention_models.value.payments import Moment, PaymentStream, finite_horizon, survival_of
from retention_models.value.terms import ContractTerms, Ends


def discounted_lifetime(model: Any, terms: ContractTerms) -> float:
    """What a new customer is worth, the payment at the start included; with a margin of 1, DEL.

    ``model`` is a fit, a model of contracts, or whatever has ``survival_function(tenure)`` in renewals.

    Examples
    --------
    >>> import retention_models as rm
    >>> high_end = rm.ShiftedBetaGeometric(alpha=1.280976, beta=7.790383)
    >>> round(rm.value.discounted_lifetime(high_end, rm.value.ContractTerms(annual_discount_rate=0.1, period="Y")), 4)
    5.4638
    """
    first = float(terms.paid(0)[0])
    return first + float(discounted_residual_lifetime(model, 1, terms, moment="after_payment"))


def discounted_residual_lifetime(
    model: Any, payments: ArrayLike, terms: ContractTerms, *, moment: Moment = "before_renewal"
) -> Array:
    """What is still to come from a customer who has made so many payments; with a margin of 1, DERL.

    Parameters
    ----------
    model
        As in ``discounted_lifetime``.
    payments
        Payments made, 1 for a customer who has not come to a renewal yet; any shape.
    terms
        Margin, discount, period.
    moment
        When the customer is met: ``"before_renewal"``, just before the decision, the next payment not discounted; or
        ``"after_payment"``, just after the last payment, the next one a whole period away.

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.value.ContractTerms(annual_discount_rate=0.1, period="Y")
    >>> rm.value.discounted_residual_lifetime(rm.ShiftedBetaGeometric(3.8, 15.2), [1, 2, 3, 4, 5], terms).round(2)
    array([3.31, 3.45, 3.59, 3.72, 3.84])
    """
    made = np.asarray(payments, dtype=float)
    if not np.all((made >= 1) & (made == np.floor(made))):
        raise ValueError("payments must be whole numbers from 1 on; the payment at the start is the first")
    stream = PaymentStream(survival_of(model, int(made.max()) - 1, terms), terms, moment)
    return stream.mean(made.astype(np.int64).ravel() - 1).reshape(made.shape)


def retention_elasticity(model: Any, terms: ContractTerms) -> float:
    """By how many percent a new customer's value rises when every retention rate rises by one percent.

    The mean number of renewals behind a discounted payment; r / (1 + i - r) where the retention rate r is the same at
    every renewal and i is the discount rate a period.

    Examples
    --------
    >>> import retention_models as rm
    >>> terms = rm.value.ContractTerms(annual_discount_rate=0.1, period="Y")
    >>> round(rm.value.retention_elasticity(rm.ShiftedBetaGeometric(alpha=1.280976, beta=7.790383), terms), 2)
    5.37
    """
    survival = survival_of(model, 0, terms)[0]
    worth = survival * terms.paid(len(survival) - 1)
    return float(worth @ np.arange(len(survival)) / worth.sum())


def contract_value(
    model: Any,
    customers: Any,
    terms: ContractTerms,
    *,
    moment: Moment = "before_renewal",
    level: float = 0.95,
) -> pd.DataFrame:
    """What each customer is still worth, today.

    Parameters
    ----------
    model
        A fit of a model of contracts; a model, or any curve with ``survival_function(tenure)``; or an object of
        another library with ``predict_survival_function``, which is asked about the other columns of ``customers``
        and needs a horizon within its data. Time is counted in renewals.
    customers
        A pandas or Polars frame with ``tenure``, the renewals made so far (0 for a new customer); one row a customer,
        or one with a ``weight``; from ``active_customers``.
    terms
        Margin, discount, period.
    moment
        As in ``discounted_residual_lifetime``.
    level
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``value`` and, for a fit, ``value_lower, value_upper`` (how sure the expectation
        is) and ``naive_value``, what the mean retention rate of the fit's data would say of everybody.

    Notes
    -----
    Where a note of the fit says that its data hardly determine a parameter, intervals are those of the profile
    likelihood, which need not be symmetric; else they are made by standard errors.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3], "at_risk": [1000, 869, 743], "lost": [131, 126, 90]})
    >>> terms = rm.value.ContractTerms(margin=20, annual_discount_rate=0.1, period="Y")
    >>> fit, base = rm.fit(rm.ShiftedBetaGeometric, kept), pd.DataFrame({"tenure": [0, 3]})
    >>> rm.value.contract_value(fit, base, terms, level=0.8).round(1)
       value  value_lower  value_upper  naive_value
    0   86.5         78.5         98.1         81.9
    1   91.4         78.5        113.5         81.9
    """
    table = customers_by_tenure(customers)
    stream = _stream(model, customers, table, terms, moment)
    tenure = table.columns[0].astype(np.int64)[table.row]
    frame = pd.DataFrame({"value": stream.mean(tenure)}, index=table.index)
    if isinstance(model, Fit):
        lower, upper = _ends(model, table, terms, moment, np.eye(len(table.weight)), level)
        frame["value_lower"], frame["value_upper"] = lower[table.row], upper[table.row]
        frame["naive_value"] = _naive(model, table, terms, moment)[table.row]
    return frame


def total_contract_value(
    model: Any,
    customers: Any,
    terms: ContractTerms,
    *,
    moment: Moment = "before_renewal",
    by: Labels | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """What all customers, or the customers of each segment, are still worth together.

    Parameters are those of ``contract_value``; ``by`` is as in ``total_value``.

    Returns
    -------
    pandas.DataFrame
        One row a segment ("all" without ``by``): ``customers``, ``value``; for a fit ``value_lower, value_upper``
        (how sure the expectation is: all customers share the parameters, so it does not shrink as customers are
        added), ``outcome_lower, outcome_upper``, which add the chance in who leaves when, and ``naive_value``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> base = pd.DataFrame({"tenure": range(5), "weight": [10000, 6334, 4367, 3264, 2604]})
    >>> terms = rm.value.ContractTerms(annual_discount_rate=0.1, period="Y")
    >>> rm.value.total_contract_value(rm.ShiftedBetaGeometric(1.6671, 2.8566), base, terms).round(0)
             customers    value
    segment
    all          26569  73342.0
    """
    table = customers_by_tenure(customers)
    stream = _stream(model, customers, table, terms, moment)
    code, names = read_codes(customers, by)
    names = names.rename(names.name or "segment")

    def summed(lines: Array) -> Array:
        return np.bincount(code, weights=table.line_weight * lines, minlength=len(names)).astype(float)

    tenure = table.columns[0].astype(np.int64)[table.row]
    frame = pd.DataFrame({"customers": summed(np.ones(len(code))), "value": summed(stream.mean(tenure))}, index=names)
    if isinstance(model, Fit):
        share = np.zeros((len(names), len(table.weight)))
        np.add.at(share, (code, table.row), table.line_weight)
        ends = _ends(model, table, terms, moment, share, level)
        chance = summed(stream.variance(tenure))
        frame["value_lower"], frame["value_upper"] = ends
        outcome = terms.with_chance(frame["value"].to_numpy(), ends, chance, level)
        frame["outcome_lower"], frame["outcome_upper"] = outcome
        frame["naive_value"] = summed(_naive(model, table, terms, moment)[table.row])
    whole = np.all(frame["customers"] == np.floor(frame["customers"]))
    return frame.astype({"customers": int}) if whole else frame


def _stream(model: Any, customers: Any, table: Table, terms: ContractTerms, moment: Moment) -> PaymentStream:
    last = int(table.columns[0].max())
    if hasattr(model, "predict_survival_function"):
        survival = predicted_survival(model, customers, last + finite_horizon(terms))
        return PaymentStream(survival, terms, moment)
    return PaymentStream(survival_of(model, last, terms), terms, moment)


def _ends(fit: Fit, table: Table, terms: ContractTerms, moment: Moment, share: Array, level: float) -> Ends:
    """Ends of the intervals of some sums of the distinct tenures' values; ``share`` has shape (sums, tenures)."""
    last = int(table.columns[0].max())

    def value(model: Any, tenure: Array) -> Array:
        return PaymentStream(survival_of(model, last, terms), terms, moment).mean(tenure.astype(np.int64))

    ends = profile_interval(fit, lambda model: share @ value(model, table.columns[0]), level)
    if ends is not None:
        return ends
    error = standard_error(share @ fit.gradient(value, table.columns), fit.covariance.to_numpy())
    return terms.interval(share @ value(fit.model, table.columns[0]), error, level)


def mean_rate_model(fit: Fit) -> Geometric:
    """What the mean retention rate of the fit's data makes of customers: all alike, with a constant chance to leave."""
    return Geometric(-np.log(np.clip(fit.data["retention_rate"], 1e-9, 1 - 1e-9)))


def _naive(fit: Fit, table: Table, terms: ContractTerms, moment: Moment) -> Array:
    """What the mean retention rate of the fit's data says of each distinct tenure, with a constant chance to leave."""
    stream = PaymentStream(survival_of(mean_rate_model(fit), int(table.columns[0].max()), terms), terms, moment)
    return stream.mean(table.columns[0].astype(np.int64))
