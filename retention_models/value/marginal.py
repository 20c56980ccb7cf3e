"""Change in value when a covariate of the customers changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import in_chunks
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import Fitted, uncertainty_of
from retention_models.forecast.marginal_effects import (
    Change,
    ChangedCustomers,
    effect_table,
    parameter_errors,
    require_known,
)
from retention_models.tables.customer_table import Rows, open_customers
from retention_models.value.purchases import check_fits, check_time_unit, discount_terms, require_finite
from retention_models.value.spending import paying_share
from retention_models.value.terms import Terms


def marginal_value(
    fit: Fitted,
    customers: Any,
    change: Change,
    terms: Terms,
    *,
    spend: Fitted | None = None,
    new: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """Mean value per customer before and after a change of a covariate.

    Parameters
    ----------
    fit
        A fitted purchase model with covariates.
    customers, terms, spend, level
        As in ``customer_value``, for purchases.
    change, new
        As in ``marginal_effect``. The covariates may be those of either fit.

    Returns
    -------
    pandas.DataFrame
        One row, ``value`` (of one customer), with the columns of ``marginal_effect``. The errors of the two fits are
        taken to be independent, as in ``customer_value``.

    Raises
    ------
    TypeError, ValueError
        As in ``customer_value`` and ``marginal_effect``.

    Examples
    --------
    >>> import numpy as np
    >>> import retention_models as rm
    >>> web = np.repeat([0.0, 1.0], 500)
    >>> shop = rm.ParetoNBD(r=1, alpha=10 * np.exp(-0.5 * web), s=1, beta=30)
    >>> customers = shop.simulate(np.full(1000, 52), np.random.default_rng(1)).assign(web=web)
    >>> fit = rm.fit(rm.ParetoNBD, customers, purchase_covariates="web")
    >>> terms = rm.Terms(horizon=52, time_unit="W", annual_discount_rate=0.1, margin=0.3)
    >>> rm.value.marginal_value(fit, customers, {"web": 1}, terms).round(3)
             before  after  effect  std_error  lower  upper
    outcome
    value     0.511  0.669   0.158      0.029  0.101  0.215
    """
    check_fits(fit, spend)
    rate, horizon = discount_terms(terms, spend)
    sources = [uncertainty_of(one) for one in (fit, spend) if one is not None]
    require_known(change, *(source.terms for source in sources))
    customers = open_customers(customers)
    buying = ChangedCustomers.from_source(sources[0], customers, change, new=new)
    check_time_unit(str(terms.time_unit), buying.table, sources[0].fit)
    share = buying.table.line_weight / buying.table.n_customers

    def purchases(fit: Fit) -> Array:
        def discounted(future_process: Any) -> Array:
            return require_finite(future_process.discounted_expected_purchases_new(rate, horizon=horizon))[None]

        return buying.outcomes(fit, discounted)[:, 0, buying.table.row]

    def value(counts: Array, amounts: Array | float) -> Array:
        return terms.unit_value * ((counts * amounts) @ share)[:, None]

    counts = purchases(sources[0].fit)
    if spend is None:
        here = value(counts, 1.0)
        errors = parameter_errors(sources[0], lambda near: value(purchases(near), 1.0), here)
        return effect_table(here, [errors], ["value"], level)
    spending = ChangedCustomers.from_source(sources[1], customers, change, new=new)
    amounts = _amounts(sources[1].fit, spending)
    here = value(counts, amounts)
    both = [
        parameter_errors(sources[0], lambda near: value(purchases(near), amounts), here),
        parameter_errors(sources[1], lambda near: value(counts, _amounts(near, spending)), here),
    ]
    return effect_table(here, both, ["value"], level)


def _amounts(fit: Fit, spending: ChangedCustomers) -> Array:
    """Expected amount per purchase of each line, before and after the change; shape (2, lines)."""
    source = uncertainty_of(fit)

    def of_rows(some: Rows) -> Array:
        rows, change = spending.split(some)
        history = (np.zeros(len(rows)),) * 2 if spending.new else rows.columns
        has_paid = history[0] * history[1] > 0
        before = source.row_model(rows).expected_spend(*history) * np.where(has_paid, 1.0, paying_share(fit))
        growth = sum(source.terms.indices(fit.model, change).values(), np.zeros(len(rows)))
        return np.stack([before, before * np.exp(growth)])

    return in_chunks(of_rows, spending.table.rows)[:, spending.table.row]
