"""Whether groups of customers, each fitted on its own, tell the same story as the fit of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import chdtrc

from retention_models.checks import Check
from retention_models.estimation.intervals import positive_interval, standard_error
from retention_models.estimation.model import Array, Model, parameter_names
from retention_models.fitted import Fit
from retention_models.tables import Table

STEP = 1e-5  # of differences in log-parameters


def stability_check(pooled: Fit, groups: Mapping[str, Fit], table: Table, tolerance: float = 0.2) -> Check:
    """Whether the groups, each fitted on its own, expect of a new customer what the fit of all expects.

    Fails when a group differs by more than ``tolerance`` and its interval excludes less. The likelihood-ratio test
    is told, but does not decide: with many customers a harmless difference is significant.
    """
    name = "the groups agree"
    if len(groups) < 2:
        return Check(name, None, f"{len(groups)} of the groups could be fitted on its own; it takes two to compare.")
    what, quantity, columns = _of_a_new_customer(type(pooled.model), table)
    columns += tuple(np.atleast_1d(table.weight @ z / table.n_customers) for z in _covariates(pooled, table))
    everyone = pooled.values(quantity, columns)[0]
    rows: dict[str, list[float]] = {}
    for fixed in {_fixed(fit): None for fit in groups.values()}:
        alike = {label: fit for label, fit in groups.items() if _fixed(fit) == fixed}
        away = np.stack(_of_each(alike, quantity, columns), axis=-1) / everyone - 1
        rows |= dict(zip(alike, away.tolist(), strict=True))
    beyond = [label for label, (_, lower, upper) in rows.items() if lower > tolerance or upper < -tolerance]
    furthest = max(rows, key=lambda label: abs(rows[label][0]))
    gain = 2 * (sum(group.log_likelihood for group in groups.values()) - pooled.log_likelihood)
    parameters = sum(len(group.covariance) for group in groups.values()) - len(pooled.covariance)
    own, lower, upper = rows[furthest]
    return Check(
        name,
        not beyond,
        f"The {what} differs most from that of all in {furthest}: {own:+.0%} (95 % interval {lower:+.0%} to "
        f"{upper:+.0%}; up to {tolerance:.0%} is tolerated). Likelihood-ratio test of equal parameters: chi-squared "
        f"{gain:.1f} on {parameters} degrees of freedom, p = {chdtrc(max(parameters, 1), max(gain, 0.0)):.2g}.",
    )


def _covariates(fit: Fit, table: Table) -> tuple[Array, ...]:
    """The columns that covariates made of the customers, at whose means groups are compared."""
    return table.columns[len(table.columns) - fit.effects.n :]


def _fixed(fit: Fit) -> tuple[Any, ...]:
    """The values of the fields that are chosen, not estimated."""
    return tuple(getattr(fit.model, name) for name in fit.model.fixed)


def _of_each(
    groups: Mapping[str, Fit], quantity: Callable[..., Array], columns: tuple[Array, ...]
) -> tuple[Array, Array, Array]:
    """The quantity as each group's own fit has it, and the ends of its interval; each of shape (groups,).

    The groups have the same ``fixed`` fields.
    """
    fits = list(groups.values())
    if fits[0].effects.n:
        ends = [_of_one(fit, quantity, columns) for fit in fits]
        own, lower, upper = np.transpose(ends)
        return own, lower, upper
    names = list(parameter_names(type(fits[0].model)))
    place = np.array([[float(getattr(fit.model, name)) for name in names] for fit in fits])
    covariance = np.zeros((len(fits), len(names), len(names)))
    for matrix, fit in zip(covariance, fits, strict=True):  # parameters held at an edge have no variance
        free = [names.index(name) for name in fit.covariance.index]
        matrix[np.ix_(free, free)] = fit.covariance.to_numpy()

    def values(parameters: Array) -> Array:
        model = replace(fits[0].model, **dict(zip(names, parameters.T[:, :, None], strict=True)))
        return quantity(model, *columns)[:, 0]

    slope = np.stack(
        [
            (values(place * np.exp(step)) - values(place * np.exp(-step))) / (2 * STEP)
            for step in STEP * np.eye(len(names))
        ],
        axis=-1,
    )
    own = values(place)
    return own, *positive_interval(own, standard_error(slope / place, covariance), 0.95)


def _of_one(fit: Fit, quantity: Callable[..., Array], columns: tuple[Array, ...]) -> tuple[float, float, float]:
    """The quantity as one fit with covariates has it, and the ends of its interval."""
    own, error = (
        fit.values(quantity, columns),
        standard_error(fit.gradient(quantity, columns), fit.covariance.to_numpy()),
    )
    lower, upper = positive_interval(own, error, 0.95)
    return float(own[0]), float(lower[0]), float(upper[0])


def _of_a_new_customer(model_class: type[Model], table: Table) -> tuple[str, Callable[..., Array], tuple[Array, ...]]:
    """The quantity by which groups are compared: its name, itself, and the columns it takes."""
    if "T" in model_class.columns:
        age = table.columns[model_class.columns.index("T")]
        mean_age = np.array([table.weight @ age / table.n_customers])
        what = f"number of purchases expected of a new customer in {mean_age[0]:.3g} units of time"
        return what, lambda model, horizon: model.expected_purchases_new(horizon), (mean_age,)
    if "tenure" in model_class.columns:
        tenure, at_risk, _ = table.columns[:3]
        middle = np.array([np.ceil((table.weight * at_risk) @ tenure / (table.weight @ at_risk))])
        what = f"share of new customers still there after renewal {middle[0]:.0f}"
        return what, lambda model, tenure: model.survival_function(tenure), (middle,)
    return (
        "amount expected of a new customer",
        lambda model, *columns: model.expected_spend(*columns),
        (np.zeros(1),) * 2,
    )
