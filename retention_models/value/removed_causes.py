"""What the removal of one cause of leaving is worth, such as that of failed payments.

If causes are independent, the chance to renew is the product of the chances not to leave for each cause. Without cause
k, it is r(t) / r_k(t), with r(t) of the fitted model and r_k(t) of a model of cause k alone, in which those who leave
for another cause are censored. Customers kept then leave for the other causes like everybody of their tenure.

Without that assumption the data only bound the gain (Peterson 1976, "Bounds for a Joint Distribution Function with
Fixed Sub-Distribution Functions", PNAS 73(1), 11-13). It is 0 if those kept would leave at once for another cause, and
largest if they would stay throughout.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.fitting.estimate import fit as fit_model
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import read_contract_customers
from retention_models.fitting.uncertainty import Uncertainty, uncertainty_of
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.tables.customer_table import Rows, open_customers, read_table, require_same_measure
from retention_models.tables.rules import join_names, require_rows
from retention_models.value.contracts import total_contract_value
from retention_models.value.payments import PaymentSchedule, payment_schedule, price_by_line
from retention_models.value.saved_customers import NEVER
from retention_models.value.terms import Terms

PREFIX = "lost_"


def value_of_removing_cause(
    fit: Fit, customers: Any, terms: Terms, retention_table: Any, *, cause: str, level: float = 0.95
) -> pd.DataFrame:
    """Value of today's customers as things are, and if nobody left for one of the causes.

    It assumes that causes are independent; a bound that does not assume it stands beside the estimate.

    Parameters
    ----------
    fit
        A fitted model of contracts, of all causes together.
    customers
        A frame with ``tenure``, the number of renewals made, and ``weight``, the number of customers; from
        ``active_customers``.
    terms
        ``billing_period`` and ``annual_discount_rate``; ``price`` and ``margin`` for value in money. The cause is
        absent, and payments count, within ``horizon`` renewals: a horizon of a year gives the gain of a year.
    retention_table
        The retention table of the log, with the column ``lost_<cause>``.
    cause
        The cause that is removed, as in the log.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``cause``, one row: ``customers``; their ``value``, as in ``total_value``; ``value_without`` the
        cause; ``gain``, the difference, with the confidence interval ``gain_lower, gain_upper``; ``largest_gain``, if
        customers who are kept never left for another cause; ``single_cause_gain``, what a model says in which nobody
        leaves for another cause.

    Raises
    ------
    TypeError, ValueError
        When the fit is not one of contracts, the table does not have the cause, nobody left for it, or as in
        ``total_value``.

    Notes
    -----
    Independent means: at a given tenure, customers who leave for this cause would have left for the others as often as
    everybody else. If they are more prone to leave, the gain lies between 0 and ``gain``. If they are less prone, it
    lies between ``gain`` and ``largest_gain``. The data cannot tell, because nobody leaves twice. The removal is also
    assumed to be complete and to change nothing else; its cost is not counted.

    r_k(t) is a shifted-beta-geometric model. Half of those who left for another cause at a renewal count as at risk
    there. The interval combines the uncertainty of both models.

    That a cause costs much does not say that an action removes it. Only an experiment tells.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
    >>> kept["lost_payment"] = [30, 20, 14, 11]
    >>> base = pd.DataFrame({"tenure": [0, 4], "weight": [500, 326]})
    >>> terms = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y", horizon=5)
    >>> fit = rm.fit(rm.ShiftedBetaGeometric, kept)
    >>> rm.value.value_of_removing_cause(fit, base, terms, kept, cause="payment").round(0).T
    cause               payment
    customers             826.0
    value              190421.0
    value_without      206362.0
    gain                15940.0
    gain_lower          11043.0
    gain_upper          22432.0
    largest_gain        20907.0
    single_cause_gain   29547.0
    """
    customers = open_customers(customers)
    at_price_one, price, _ = price_by_line(terms, customers)
    schedule = payment_schedule(at_price_one, fit)
    source, table = read_contract_customers(fit, customers)
    alone = uncertainty_of(_fit_cause(fit, retention_table, cause))
    (made,), weight = table.columns, np.bincount(table.row, table.line_weight * price, len(table.weight))[:, None]
    kept = _retention_ahead(source, table.rows, schedule.renewals)

    def of_model(model: Any, tenure: Array) -> Array:
        rates = model.retention_rate(_renewals_ahead(tenure, schedule.renewals))
        return _gain(_independent, schedule, alone.model, tenure, rates)

    def of_cause(model: Any, _: Array) -> Array:
        return _gain(_independent, schedule, model, made, kept) @ weight

    estimate = source.estimate(of_model, table.rows).linear(lambda x: x @ weight)
    cause_estimate = alone.estimate(of_cause, Rows((np.zeros(1),)))
    ends = [some.interval(level, schedule.scale) for some in (estimate, cause_estimate)]
    lower, upper = schedule.scale.widen(estimate.values, *ends)
    value = total_contract_value(fit, customers, terms, level=None)["value"].to_numpy()
    frame = {
        "customers": table.n_customers,
        "value": value,
        "value_without": value + estimate.values,
        "gain": estimate.values,
        "gain_lower": lower,
        "gain_upper": upper,
        "largest_gain": _gain(_never_leaving, schedule, alone.model, made, kept) @ weight,
        "single_cause_gain": _gain(_single_cause, schedule, alone.model, made, kept) @ weight,
    }
    return pd.DataFrame(frame, index=pd.Index([cause], name="cause"))


def _fit_cause(fit: Fit, retention_table: Any, cause: str) -> Fit:
    """A model of one cause alone: those who leave for another one are censored, half of them at risk."""
    opened, name = open_customers(retention_table), f"{PREFIX}{cause}"
    if name not in opened.columns:
        known = [str(column).removeprefix(PREFIX) for column in opened.columns if str(column).startswith(PREFIX)]
        raise ValueError(
            f"the retention table has no column {name!r}; it has the causes {join_names(known)}. Name the column of "
            "causes in read_contracts(cause=...)"
        )
    require_same_measure(fit.data, opened.attrs)
    table = read_table(opened, ("tenure", "at_risk", "lost", name))
    tenure, at_risk, lost, of_cause = table.columns
    good = (of_cause >= 0) & (of_cause <= lost)
    require_rows(good[table.row], name, "is not from 0 to lost", table.index, "count each loss once, by its cause")
    if not np.any(of_cause > 0):
        raise ValueError(f"{name} is 0 in all rows: nobody left for this cause, and its removal cannot be valued")
    alone = {"tenure": tenure, "at_risk": at_risk - (lost - of_cause) / 2, "lost": of_cause, "weight": table.weight}
    return fit_model(ShiftedBetaGeometric, pd.DataFrame(alone))


def _renewals_ahead(tenure: Array, renewals: int) -> Array:
    """The numbers of the coming renewals; shape (renewals, n)."""
    return tenure + np.arange(1.0, renewals + 1)[:, None]


def _retention_ahead(source: Uncertainty, rows: Rows, renewals: int) -> Array:
    """The retention rate of some rows at each coming renewal; shape (renewals, n)."""
    every = rows.take(np.tile(np.arange(len(rows)), renewals))
    ahead = replace(every, columns=(_renewals_ahead(rows.columns[0], renewals).ravel(),))
    return source.values(lambda model, renewal: model.retention_rate(renewal), ahead).reshape(renewals, -1)


def _gain(
    added: Callable[[Array, Array], Array], schedule: PaymentSchedule, of_cause: Any, tenure: Array, kept: Array
) -> Array:
    """Discounted payments of the customers who are there in addition; shape of ``tenure``."""
    kept = np.maximum(kept, NEVER)
    rates = of_cause.retention_rate(np.arange(1.0, tenure.max() + schedule.renewals + 1))
    kept_from_cause = rates[(_renewals_ahead(tenure, schedule.renewals) - 1).astype(int)]
    share = added(kept, np.maximum(kept_from_cause, kept))
    return np.asarray((share * schedule.margins_ahead(tenure)).sum(axis=0), dtype=float)


def _independent(kept: Array, kept_from_cause: Array) -> Array:
    """The share there in addition, by renewal, if those kept leave for other causes like everybody."""
    return np.asarray(np.cumprod(kept / kept_from_cause, axis=0) - np.cumprod(kept, axis=0))


def _never_leaving(kept: Array, kept_from_cause: Array) -> Array:
    """The share there in addition if those kept never leave: all who leave for the cause up to then.

    The share of the cause among those who leave at a renewal is that of its intensity.
    """
    before = np.cumprod(np.vstack([np.ones_like(kept[:1]), kept[:-1]]), axis=0)
    intensity, of_cause = -np.log(kept), -np.log(kept_from_cause)
    part = np.divide(of_cause, intensity, out=np.zeros_like(kept), where=intensity > 0)
    return np.asarray(np.cumsum(before * (1 - kept) * part, axis=0))


def _single_cause(kept: Array, kept_from_cause: Array) -> Array:
    """The share there in addition if nobody at all leaves for another cause."""
    return np.asarray(1 - np.cumprod(kept_from_cause, axis=0))
