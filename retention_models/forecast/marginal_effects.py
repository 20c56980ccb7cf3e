"""Expected purchases of new customers, and of customers with a changed covariate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_horizon
from retention_models.core.arrays import Array
from retention_models.core.distinct import distinct_rows
from retention_models.estimation.intervals import (
    in_chunks,
    normal_quantile,
    positive_interval,
    probability_interval,
    standard_error,
)
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import Table, read_covariates, read_table, require_same_measure

STEP = 1e-3  # of differences, in standard errors: what curves within it is lost beyond the third digit

Change = Mapping[str, Any]


def predict_new(fit: Fit, customers: Any, horizon: float, level: float | None = 0.95) -> pd.DataFrame:
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
    >>> import retention_models as rm
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
    index = read_covariates(customers, ()).index
    if not len(index):
        raise ValueError("the table has no rows; give one a customer, or one a kind of customers")
    design_columns = fit.covariate_terms.design_columns(customers)
    columns, row = distinct_rows((np.full(len(index), float(horizon)), *design_columns))
    frame: dict[str, Array] = {}
    for name, quantity, interval in (
        ("expected_purchases", lambda model, window: model.expected_purchases_new(window), positive_interval),
        ("probability_alive", lambda model, window: model.probability_staying_new(window), probability_interval),
    ):
        frame[name] = fit.values(quantity, columns)
        if level is not None:
            error = standard_error(fit.gradient(quantity, columns), fit.covariance.to_numpy())
            frame[f"{name}_lower"], frame[f"{name}_upper"] = interval(frame[name], error, level)
    return pd.DataFrame(frame).take(row).set_axis(index)


def marginal_effect(
    fit: Fit, customers: Any, change: Change, horizon: float, *, new: bool = False, level: float = 0.95
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
    The interval covers parameter uncertainty. It does not tell whether the covariate causes the difference; only an
    experiment can.

    The past of a customer stays as it is. From now on, rates change by the factor exp((z* - z)'g), and mean
    probabilities by (z* - z)'g on the logit scale. The intervals use the delta method.

    Examples
    --------
    >>> import retention_models as rm
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
    require_known(change, fit.covariate_terms)
    rows = ChangedCustomers.from_fit(fit, customers, change, new=new)

    def customer_quantities(future_process: Any) -> Array:
        both = future_process.expected_purchases_new(horizon), future_process.probability_staying_new(horizon)
        return np.stack(np.broadcast_arrays(*both), axis=-1)

    def averages(fit: Fit) -> Array:
        return np.tensordot(rows.table.weight / rows.table.n_customers, rows.outcomes(fit, customer_quantities), axes=1)

    here = averages(fit)
    return effect_table(here, [(parameter_slopes(fit, averages, here), fit)], ["purchases", "alive"], level)


def effect_table(averages: Array, slopes: list[tuple[Array, Fit]], names: list[str], level: float) -> pd.DataFrame:
    """The table of averages before and after, shape (2, q), with their slopes in what is free of independent fits."""
    before, after = averages
    effect = after - before
    errors = [standard_error(slope[1] - slope[0], fit.covariance.to_numpy()) for slope, fit in slopes]
    error = np.sqrt(sum(np.square(errors)))
    reach = normal_quantile(level) * error
    columns = {"before": before, "after": after, "effect": effect, "std_error": error}
    ends = {"lower": effect - reach, "upper": effect + reach}
    return pd.DataFrame({**columns, **ends}, index=pd.Index(names, name="outcome"))


@dataclass(frozen=True, slots=True)
class ChangedCustomers:
    """Customers before and after a change of a covariate.

    ``table`` holds the columns of ``fit.read`` and then those of the changed covariates. For ``new`` customers, it
    holds those of the covariates only.
    """

    table: Table
    new: bool

    @classmethod
    def from_fit(cls, fit: Fit, customers: Any, change: Change, *, new: bool = False) -> ChangedCustomers:
        """The customers of a frame, those columns changed that the fit knows."""
        table = (
            _newcomers(customers).beside(fit.covariate_terms.design_columns(customers)) if new else fit.read(customers)
        )
        require_same_measure(fit.data, table)
        frame = read_covariates(customers, fit.covariate_terms.columns)
        changed = {name: to(frame[name]) if callable(to) else to for name, to in change.items() if name in frame}
        return cls(table.beside(fit.covariate_terms.design_columns(frame.assign(**changed))), new)

    def split(self, fit: Fit, columns: tuple[Array, ...]) -> tuple[tuple[Array, ...], list[Array]]:
        """The columns of ``fit.read``, and by how much those of the covariates change."""
        n, last = fit.covariate_terms.n, len(columns) - fit.covariate_terms.n
        return columns[:last], [columns[last + i] - columns[last - n + i] for i in range(n)]

    def outcomes(self, fit: Fit, quantity: Callable[[Any], Array]) -> Array:
        """Quantities of what customers do, each of shape (rows, q), before and after; shape (rows, 2, q)."""

        def row_outcomes(*rows: Array) -> Array:
            columns, change = self.split(fit, rows)
            model, history = fit.customer_models(columns)
            alive, before = (np.ones(len(rows[0])), model) if self.new else model.future_process(*history)
            after = fit.covariate_terms.apply_links_to(before, fit.model, change)
            return np.stack([alive[:, None] * quantity(future_process) for future_process in (before, after)], axis=1)

        return in_chunks(row_outcomes, self.table.columns)


def require_known(change: Change, *effects: CovariateTerms) -> None:
    """An error unless something changes, and all that does is a covariate."""
    known = list(dict.fromkeys(name for each in effects for name in each.columns))
    if not (isinstance(change, Mapping) and change) or any(name not in known for name in change):
        raise ValueError(
            f"change must name covariates of the fit ({', '.join(known) or 'it has none'}) and say what they become, "
            f'as in {{"channel": "web"}}; got {change!r}'
        )
    for name, to in change.items():
        if not (callable(to) or np.isscalar(to)):
            raise ValueError(f"change takes one value of {name} for all, or a function of the column; got {to!r}")


def parameter_slopes(fit: Fit, quantity: Callable[[Fit], Array], here: Array) -> Array:
    """Derivatives of ``quantity(fit)``, which is ``here``, in what is free of the fit, along a new last axis.

    By differences to one side, for a quantity is an integral for each customer, and asking for it is what takes time.
    """
    steps = STEP * np.minimum(fit.step_errors, 1.0)
    slopes = [
        (quantity(fit.stepped(direction)) - here) / step for step, direction in zip(steps, np.diag(steps), strict=True)
    ]
    return np.stack(slopes, axis=-1) / fit.step_scale


def _newcomers(customers: Any) -> Table:
    """A table of nothing but how many customers each line counts."""
    lines = read_covariates(customers, ("weight",)).assign(_=0.0)
    return read_table(lines, ("_",))
