"""What the same customers would be worth with a covariate changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
from retention_models.estimation.intervals import in_chunks
from retention_models.fitting.result import Fit
from retention_models.forecast.marginal_effects import (
    Change,
    ChangedCustomers,
    effect_table,
    parameter_slopes,
    require_known,
)
from retention_models.value.customer import check_fits, check_money, check_time_unit, discount_rate, finite
from retention_models.value.spending import paying_share


def marginal_value(
    purchases_fit: Fit,
    spend_fit: Fit | None,
    customers: Any,
    change: Change,
    *,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
    new: bool = False,
    level: float = 0.95,
) -> pd.DataFrame:
    """What the customers would be worth on average if a covariate of theirs changed now.

    Parameters
    ----------
    purchases_fit, spend_fit, customers, horizon, time_unit, annual_discount_rate, margin, level
        As in ``customer_value``.
    change, new
        As in ``marginal_effect``; the covariates may be those of either fit.

    Returns
    -------
    pandas.DataFrame
        One row, ``value`` (of a customer), with the columns of ``marginal_effect``. The two fits are taken for
        independent, as in ``customer_value``.

    Examples
    --------
    >>> import retention_models as rm
    >>> import numpy as np, retention_models as rm
    >>> web = np.repeat([0.0, 1.0], 500)
    >>> shop = rm.ParetoNBD(r=1, alpha=10 * np.exp(-0.5 * web), s=1, beta=30)
    >>> customers = shop.simulate(np.full(1000, 52), np.random.default_rng(1)).assign(web=web)
    >>> fit = rm.fit(rm.ParetoNBD, customers, purchase_covariates="web")
    >>> money = {"time_unit": "W", "annual_discount_rate": 0.1, "margin": 0.3}
    >>> rm.value.marginal_value(fit, None, customers, {"web": 1}, horizon=52, **money).round(3)
             before  after  effect  std_error  lower  upper
    outcome
    value     0.511  0.669   0.158      0.029  0.101  0.215
    """
    rate = discount_rate(annual_discount_rate, time_unit)
    check_money(horizon, margin)
    check_fits(purchases_fit, spend_fit)
    require_known(change, purchases_fit.covariate_terms, *([] if spend_fit is None else [spend_fit.covariate_terms]))
    buying = ChangedCustomers.from_fit(purchases_fit, customers, change, new=new)
    check_time_unit(time_unit, buying.table, purchases_fit)
    share = buying.table.line_weight / buying.table.n_customers

    def purchases(fit: Fit) -> Array:
        return buying.outcomes(
            fit,
            lambda future_process: finite(future_process.discounted_expected_purchases_new(rate, horizon=horizon))[
                ..., None
            ],
        )[buying.table.row, :, 0]

    def value(counts: Array, amounts: Array | float) -> Array:
        return margin * (share @ (counts * amounts))[:, None]

    counts = purchases(purchases_fit)
    if spend_fit is None:
        here = value(counts, 1.0)
        slope = parameter_slopes(purchases_fit, lambda fit: value(purchases(fit), 1.0), here)
        return effect_table(here, [(slope, purchases_fit)], ["value"], level)
    spending = ChangedCustomers.from_fit(spend_fit, customers, change, new=new)
    amounts = _amounts(spend_fit, spending)
    here = value(counts, amounts)
    slopes = [
        (parameter_slopes(purchases_fit, lambda fit: value(purchases(fit), amounts), here), purchases_fit),
        (parameter_slopes(spend_fit, lambda fit: value(counts, _amounts(fit, spending)), here), spend_fit),
    ]
    return effect_table(here, slopes, ["value"], level)


def _amounts(fit: Fit, spending: ChangedCustomers) -> Array:
    """The amount of a purchase that is expected of each line, before and after; shape (lines, 2)."""

    def of_rows(*rows: Array) -> Array:
        columns, change = spending.split(fit, rows)
        model, history = fit.customer_models(columns)
        if spending.new:
            history = (np.zeros(len(rows[0])),) * 2
        has_paid = history[0] * history[1] > 0
        before = model.expected_spend(*history) * np.where(has_paid, 1.0, paying_share(fit))
        growth = sum(fit.covariate_terms.indices(fit.model, change).values(), np.zeros(len(rows[0])))
        return np.stack([before, before * np.exp(growth)], axis=1)

    return in_chunks(of_rows, spending.table.columns)[spending.table.row]
