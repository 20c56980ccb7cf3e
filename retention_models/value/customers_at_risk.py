"""Who is about to leave, and what is lost: the value at risk of each customer with a contract.

A customer who leaves at the next renewal loses the company what this customer would have paid if kept. Those who leave
differ from those who stay, so this is the value of a saved customer. Its product with the chance to leave is the value
at risk: value + value at risk is the value if the next renewal were certain.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import with_interval_columns
from retention_models.fitting.result import Fit
from retention_models.fitting.retention_columns import read_contract_customers
from retention_models.forecast.contracts import predict_contracts
from retention_models.tables.customer_table import open_customers
from retention_models.value.contracts import contract_value
from retention_models.value.payments import payment_schedule, price_by_line
from retention_models.value.saved_customers import value_if_saved
from retention_models.value.terms import Terms


def contracts_at_risk(
    fit: Fit, customers: Any, terms: Terms, *, horizon: int = 1, level: float | None = 0.95
) -> pd.DataFrame:
    """The chance of each customer with a contract to leave, and the value at risk.

    Parameters
    ----------
    fit
        A fitted model of contracts.
    customers
        A frame with ``tenure``, the number of renewals made, and the columns that the fit needs; one row per customer,
        from ``logs.active_contracts``.
    terms
        ``billing_period`` and ``annual_discount_rate``; ``price`` (also a column of ``customers``) and ``margin`` for
        value in money; ``horizon`` in renewals for a time limit of value.
    horizon
        Number of renewals ahead that ``probability_leaving`` and ``expected_payments`` cover. By default 1: the next
        renewal.
    level
        Level of the confidence intervals, 0.95 by default; None for no intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``probability_leaving`` and ``expected_payments`` of ``predict``; ``value`` of the
        payments to come, as in ``customer_value``; ``value_at_risk``, the expected loss at the next renewal; and
        ``value_if_saved`` of a customer who would leave at the next renewal and is kept, as in ``saved_value``. Each
        has a confidence interval ``<name>_lower, <name>_upper``.

    Raises
    ------
    TypeError, ValueError
        When the fit is not one of contracts, ``horizon`` or a tenure is not a whole number, or as in
        ``customer_value``.

    Notes
    -----
    ``value_at_risk`` is the chance to leave at the next renewal times ``value_if_saved``, whatever the ``horizon``. It
    is also by how much ``value`` would be higher if the next renewal were certain.

    Risk does not say whom to treat. An offer may change nothing for those most likely to leave, and may make others
    leave. Only an experiment tells: see ``contract_experiment``.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> kept = pd.DataFrame({"tenure": [1, 2, 3, 4], "at_risk": [1000, 631, 468, 382], "lost": [369, 163, 86, 56]})
    >>> today = pd.DataFrame({"customer_id": ["Ann", "Bob"], "tenure": [0, 4]})
    >>> terms = rm.Terms(price=100, annual_discount_rate=0.1, billing_period="Y")
    >>> risk = rm.value.contracts_at_risk(rm.fit(rm.ShiftedBetaGeometric, kept), today, terms, level=None)
    >>> risk[["probability_leaving", "value", "value_at_risk", "value_if_saved"]].round(2)
                 probability_leaving   value  value_at_risk  value_if_saved
    customer_id
    Ann                         0.37  288.33          73.79          199.00
    Bob                         0.13  568.38          48.33          383.48
    """
    customers = open_customers(customers)
    forecast = predict_contracts(fit, customers, horizon, level)
    value = contract_value(fit, customers, terms, level=level).drop(columns="naive_value")
    terms, price, _ = price_by_line(terms, customers)
    schedule = payment_schedule(terms, fit)
    source, table = read_contract_customers(fit, customers)
    saved = source.estimate(partial(value_if_saved, schedule), table.rows)
    loss = saved * source.estimate(_leaving_next, table.rows)
    lost = {
        **with_interval_columns("value_at_risk", loss, level, schedule.scale),
        **with_interval_columns("value_if_saved", saved, level, schedule.scale),
    }
    losses = pd.DataFrame(lost).take(table.row).set_axis(table.index).mul(price, axis=0)
    return pd.concat([forecast, value, losses], axis=1)


def _leaving_next(model: Any, tenure: Array) -> Array:
    return np.asarray(model.hazard(tenure + 1), dtype=float)
