"""Expected purchases of new customers, and of customers with a changed covariate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_bool, require_horizon
from retention_models.core.arrays import Array
from retention_models.estimation.estimates import POSITIVE, SHARE, Estimate, with_interval_columns
from retention_models.estimation.intervals import in_chunks
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.result import Fit, stepped
from retention_models.fitting.uncertainty import Fitted, Uncertainty, uncertainty_of
from retention_models.forecast.customers import require_purchases
from retention_models.tables.customer_table import (
    Customers,
    CustomerTable,
    Rows,
    open_customers,
    read_covariates,
    read_table,
)
from retention_models.tables.observation_end import as_of_fit

STEP = 1e-3  # of differences, in standard errors: what curves within it is lost beyond the third digit

AFTER = "after"  # marks the block of a role after the change

Change = Mapping[str, Any]


def predict_new(fit: Fitted, customers: Any, horizon: float, level: float | None = 0.95) -> pd.DataFrame:
    """Expected repeat purchases of new customers within a horizon after their first purchase.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers
        A frame with the covariates of the fit; one row per customer, or one per kind of customer.
    horizon
        Length of the forecast, in the time unit of the fit; above 0.
    level
        Level of the intervals, from 0 to 1. By default 0.95; None for no intervals.

    Returns
    -------
    pandas.DataFrame
        Indexed like ``customers``: ``expected_purchases`` (repeat purchases) and ``probability_alive`` (at the end of
        the horizon), each with a confidence interval ``<name>_lower, <name>_upper``.

    Raises
    ------
    ValueError
        When the table has no rows or lacks a covariate, or ``horizon`` is not above 0.

    Examples
    --------
    >>> import numpy as np, pandas as pd, retention_models as rm
    >>> web = np.repeat([0.0, 1.0], 500)
    >>> shop = rm.ParetoNBD(r=1, alpha=10 * np.exp(-0.5 * web), s=1, beta=30)
    >>> customers = shop.simulate(np.full(1000, 52), np.random.default_rng(1)).assign(web=web)
    >>> fit = rm.fit(rm.ParetoNBD, customers, purchase_covariates="web")
    >>> table = rm.forecast.predict_new(fit, pd.DataFrame({"web": [0, 1]}), horizon=52).iloc[:, :3]
    >>> table.set_axis(["mean", "lower", "upper"], axis=1).round(2)
       mean  lower  upper
    0  2.74   2.43   3.10
    1  5.17   4.61   5.79
    """
    require_horizon(horizon)
    source, customers = uncertainty_of(fit), open_customers(customers)
    require_purchases(type(source.model))
    if not len(customers):
        raise ValueError("the table has no rows; give one row for each customer, or one for each kind of customer")
    table = _newcomers(customers, horizon).with_covariates(source.blocks(customers))
    frame: dict[str, Array] = {}
    for name, quantity, scale in (
        ("expected_purchases", lambda model, window: model.expected_purchases_new(window), POSITIVE),
        ("probability_alive", lambda model, window: model.probability_staying_new(window), SHARE),
    ):
        frame |= with_interval_columns(name, source.estimate(quantity, table.rows), level, scale)
    return pd.DataFrame(frame).take(table.row).set_axis(table.index)


def marginal_effect(
    fit: Fitted, customers: Any, change: Change, horizon: float, *, new: bool = False, level: float = 0.95
) -> pd.DataFrame:
    """Mean purchases and P(alive) of customers before and after a change of a covariate.

    Parameters
    ----------
    fit
        A fitted purchase model with covariates.
    customers
        A frame with the columns of the model and of the covariates. A column ``weight`` counts customers per row.
    change
        For each column that changes: the new value of all customers, for example ``{"channel": "web"}``, or a function
        of the column, for example ``{"age": lambda age: age + 1}``.
    horizon
        Length of the forecast, in the time unit of the fit; above 0.
    new
        Whether the customers are new, so that only their covariates are known. By default False.
    level
        Level of the intervals, from 0 to 1. By default 0.95.

    Returns
    -------
    pandas.DataFrame
        Two rows: ``purchases`` (expected within the horizon, per customer) and ``alive`` (P(alive) at the end of the
        horizon). Columns: ``before`` and ``after`` the change, ``effect`` (after less before), its ``std_error``, and
        the confidence interval ``lower, upper``.

    Raises
    ------
    ValueError
        When ``change`` names no covariate of the fit, or ``horizon`` is not above 0.

    Notes
    -----
    The interval covers parameter uncertainty. It does not show whether the covariate causes the difference; only an
    experiment can.

    The past of a customer stays as it is. From now on, rates change by the factor exp((z* - z)'g), and mean
    probabilities by (z* - z)'g on the logit scale. The intervals use the delta method.

    Examples
    --------
    >>> import numpy as np, retention_models as rm
    >>> web = np.repeat([0.0, 1.0], 500)
    >>> shop = rm.ParetoNBD(r=1, alpha=10 * np.exp(-0.5 * web), s=1, beta=30)
    >>> customers = shop.simulate(np.full(1000, 52), np.random.default_rng(1)).assign(web=web)
    >>> fit = rm.fit(rm.ParetoNBD, customers, purchase_covariates="web", dropout_covariates="web")
    >>> rm.forecast.marginal_effect(fit, customers[web == 0], {"web": 1}, horizon=52).round(2)
               before  after  effect  std_error  lower  upper
    outcome
    purchases    1.26   2.34    1.09       0.21   0.68   1.49
    alive        0.22   0.22   -0.01       0.02  -0.04   0.02
    """
    require_horizon(horizon)
    source = uncertainty_of(fit)
    require_purchases(type(source.model))
    require_known(change, source.terms)
    rows = ChangedCustomers.from_source(source, open_customers(customers), change, new=new)

    def customer_quantities(future_process: Any) -> Array:
        both = future_process.expected_purchases_new(horizon), future_process.probability_staying_new(horizon)
        return np.stack(np.broadcast_arrays(*both))

    def averages(fit: Fit) -> Array:
        share = rows.table.weight / rows.table.n_customers
        return np.sum(
            rows.outcomes(fit, customer_quantities) * share, axis=-1
        )  # alike before and after to the last digit

    here = averages(source.fit)
    return effect_table(here, [parameter_errors(source, averages, here)], ["purchases", "alive"], level)


def effect_table(averages: Array, errors: Sequence[Array], names: list[str], level: float) -> pd.DataFrame:
    """The table of averages before and after, shape (2, q), with their errors by independent fits, (2, q, m) each."""
    before, after = averages
    effect = Estimate(after - before, np.concatenate([after - before for before, after in errors], axis=-1))
    lower, upper = effect.interval(level)
    columns = {"before": before, "after": after, "effect": effect.values, "std_error": effect.std_error}
    return pd.DataFrame({**columns, "lower": lower, "upper": upper}, index=pd.Index(names, name="outcome"))


@dataclass(frozen=True, slots=True)
class ChangedCustomers:
    """Customers before and after a change of a covariate.

    ``table`` holds the columns of the model and the covariates before and after, or for ``new`` customers those of
    the covariates only.
    """

    table: CustomerTable
    new: bool

    @classmethod
    def from_source(cls, source: Uncertainty, customers: Customers, change: Change, *, new: bool = False) -> Self:
        """The customers of a frame, those columns changed that the fit knows."""
        require_bool("new", new)
        blocks = source.blocks(customers)
        if new:
            table = _newcomers(customers, 0.0).with_covariates(blocks)
        else:
            table = as_of_fit(source.data, source.read(customers), source.model.columns)
        frame = read_covariates(customers, source.terms.columns)
        changed = {name: to(frame[name]) if callable(to) else to for name, to in change.items() if name in frame}
        after = source.blocks(frame.assign(**changed))
        return cls(table.with_covariates({(role, AFTER): block for role, block in after.items()}), new)

    def split(self, rows: Rows) -> tuple[Rows, dict[str, Array]]:
        """The rows as they are, and by how much their covariates change."""
        own = {role: block for role, block in rows.covariates.items() if isinstance(role, str)}
        change = {role: rows.covariates[role, AFTER] - block for role, block in own.items()}
        return Rows(rows.columns, own), change

    def outcomes(self, fit: Fit, quantity: Callable[[Any], Array]) -> Array:
        """Quantities of what customers do, each of shape (q, rows), before and after; shape (2, q, rows)."""
        source = uncertainty_of(fit)

        def row_outcomes(some: Rows) -> Array:
            rows, change = self.split(some)
            model = source.row_model(rows)
            alive, before = (np.ones(len(rows)), model) if self.new else model.future_process(*rows.columns)
            after = source.terms.apply_links_to(before, fit.model, change)
            return np.stack([alive * quantity(future_process) for future_process in (before, after)])

        return in_chunks(row_outcomes, self.table.rows)


def require_known(change: Change, *effects: CovariateTerms) -> None:
    """An error unless something changes, and all that does is a covariate."""
    known = list(dict.fromkeys(name for each in effects for name in each.columns))
    if not (isinstance(change, Mapping) and change) or any(name not in known for name in change):
        raise ValueError(
            f"change must name covariates of the fit ({', '.join(known) or 'it has none'}) and state their new values, "
            f'as in {{"channel": "web"}}; got {change!r}'
        )
    for name, to in change.items():
        if not (callable(to) or np.isscalar(to)):
            raise ValueError(f"change needs one value of {name} for all, or a function of the column; got {to!r}")


def parameter_errors(source: Uncertainty, quantity: Callable[[Fit], Array], here: Array) -> Array:
    """Errors of ``quantity(fit)``, which is ``here``, along a new last axis, as ``Estimate.errors`` are.

    By differences to one side, for a quantity is an integral for each customer, and asking for it is what takes time.
    """
    steps = STEP * np.minimum(np.sqrt(np.sum(source.step_errors**2, axis=1)), 1.0)
    slopes = [
        (quantity(stepped(source.fit, direction)) - here) / step
        for step, direction in zip(steps, np.diag(steps), strict=True)
    ]
    return np.stack(slopes, axis=-1) @ source.step_errors


def _newcomers(customers: Customers, column: float) -> CustomerTable:
    """A table of how many customers each line counts, beside a column of one number."""
    lines = read_covariates(customers, ("weight",)).assign(_=column)
    return read_table(lines, ("_",))
