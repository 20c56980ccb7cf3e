"""Whether the fits of groups of customers agree with the fit of all customers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import chdtrc

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.dates import span_name
from retention_models.core.formatting import chi_squared_statement, p_statement
from retention_models.estimation.estimates import POSITIVE
from retention_models.estimation.intervals import positive_interval, standard_error
from retention_models.estimation.model import Model, parameter_names
from retention_models.fitting.result import Fit
from retention_models.fitting.uncertainty import uncertainty_of
from retention_models.tables.customer_table import CustomerTable, Rows

STEP = 1e-5  # of differences in log-parameters
LEVEL = 0.95


def homogeneity_check(
    pooled: Fit, groups: Mapping[str, Fit], tables: Mapping[str, CustomerTable], tolerance: float = 0.2
) -> Check:
    """A check whether the fit of each group expects of a new customer what the fit of all customers expects.

    Each group is compared at the mean age (or the mean renewal) of its own ``tables``. The check fails if a group
    differs by more than ``tolerance`` and its interval excludes smaller differences. The intervals hold for all groups
    at once (Bonferroni). The likelihood-ratio test is shown but does not decide: with many customers, a harmless
    difference is significant.
    """
    name = "Differences between groups"
    if len(groups) < 2:
        return Check(
            name,
            None,
            detail=f"Only {len(groups)} of the groups could be fitted by itself, and a comparison needs two.",
        )
    quantity = _comparison_quantity(type(pooled.model))
    arguments = {label: _arguments(pooled, tables[label]) for label in groups}
    level = 1 - (1 - LEVEL) / len(groups)
    found: dict[str, list[float]] = {}
    for fixed in {_fixed(fit): None for fit in groups.values()}:
        comparable = {label: fit for label, fit in groups.items() if _fixed(fit) == fixed}
        rows = _stacked([arguments[label] for label in comparable])
        own = _group_estimates(comparable, quantity, rows, level)
        everyone = uncertainty_of(pooled).values(quantity, rows)
        away = np.stack(own, axis=-1) / everyone[:, None] - 1
        found |= dict(zip(comparable, away.tolist(), strict=True))
    beyond = {label: row for label, row in found.items() if row[1] > tolerance or row[2] < -tolerance}
    furthest = max(beyond or found, key=lambda label: abs(found[label][0]))
    gain = 2 * (sum(group.log_likelihood for group in groups.values()) - pooled.log_likelihood)
    parameters = sum(len(group.covariance) for group in groups.values()) - len(pooled.covariance)
    difference, lower, upper = found[furthest]
    argument = float(arguments[furthest].columns[0][0])
    return Check(
        name,
        not beyond,
        size=100 * abs(difference),
        limit=100 * tolerance,
        unit="% of the value of all",
        detail=f"The {_quantity_text(pooled, argument)} differs most from that of all in {furthest}: "
        f"{100 * difference:+.0f} % (interval {100 * lower:+.0f} to {100 * upper:+.0f} %). Up to "
        f"{100 * tolerance:.0f} % is tolerated. The interval holds at {100 * LEVEL:.0f} % for all {len(groups)} groups "
        "at once. Likelihood-ratio test of equal parameters: "
        f"{chi_squared_statement(gain, parameters)}, {p_statement(float(chdtrc(max(parameters, 1), max(gain, 0.0))))}.",
        remedy="Fit each group by itself: fit(..., by=...).",
    )


def _fixed(fit: Fit) -> tuple[Any, ...]:
    """The values of the fields that are chosen, not estimated."""
    return tuple(getattr(fit.model, name) for name in fit.model.fixed)


def _group_estimates(
    groups: Mapping[str, Fit], quantity: Callable[..., Array], rows: Rows, level: float
) -> tuple[Array, Array, Array]:
    """The quantity as each group's own fit has it, and the ends of its interval; each of shape (groups,).

    The groups have the same ``fixed`` fields, and ``rows`` are one for each.
    """
    fits = list(groups.values())
    if fits[0].covariate_terms.n:
        each = [uncertainty_of(fit).estimate(quantity, rows.take(slice(i, i + 1))) for i, fit in enumerate(fits)]
        ends = np.concatenate([(one.values, *one.interval(level, POSITIVE)) for one in each], axis=1)
        return ends[0], ends[1], ends[2]
    names = list(parameter_names(type(fits[0].model)))
    place = np.array([[float(getattr(fit.model, name)) for name in names] for fit in fits])
    covariance = np.zeros((len(fits), len(names), len(names)))
    for matrix, fit in zip(covariance, fits, strict=True):  # parameters held at an edge have no variance
        free = [names.index(name) for name in fit.covariance.index]
        matrix[np.ix_(free, free)] = fit.covariance.to_numpy()

    def values(parameters: Array) -> Array:
        model = replace(fits[0].model, **dict(zip(names, parameters.T[:, :, None], strict=True)))
        return quantity(model, *(column[:, None] for column in rows.columns))[:, 0]

    slope = np.stack(
        [
            (values(place * np.exp(step)) - values(place * np.exp(-step))) / (2 * STEP)
            for step in STEP * np.eye(len(names))
        ],
        axis=-1,
    )
    own = values(place)
    return own, *positive_interval(own, standard_error(slope / place, covariance), level)


def _stacked(rows: Sequence[Rows]) -> Rows:
    """Several rows, one below the other."""
    columns = tuple(np.concatenate(column) for column in zip(*(row.columns for row in rows), strict=True))
    return Rows(columns, {role: np.concatenate([row.covariates[role] for row in rows]) for role in rows[0].covariates})


def _comparison_quantity(model_class: type[Model]) -> Callable[..., Array]:
    """The quantity by which groups are compared."""
    if "T" in model_class.columns:
        return lambda model, horizon: model.expected_purchases_new(horizon)
    if "tenure" in model_class.columns:
        return lambda model, tenure: model.survival_function(tenure)
    return lambda model, *columns: model.expected_spend(*columns)


def _arguments(fit: Fit, table: CustomerTable) -> Rows:
    """The arguments of the compared quantity for a group, one row, with the means of its covariates."""
    names, weight = type(fit.model).columns, table.weight
    means = {role: (weight @ block / weight.sum())[None] for role, block in table.covariates.items()}
    if "T" in names:
        return Rows((np.array([weight @ table.columns[names.index("T")] / weight.sum()]),), means)
    if "tenure" in names:
        tenure, at_risk, _ = table.columns[:3]
        return Rows((np.ceil([(weight * at_risk) @ tenure / (weight @ at_risk)]),), means)
    return Rows((np.zeros(1), np.zeros(1)), means)


def _quantity_text(fit: Fit, argument: float) -> str:
    """The quantity in words."""
    if "tenure" in fit.model.columns:
        return f"share of new customers still there after renewal {argument:.0f}"
    if "T" not in fit.model.columns:
        return "amount expected of a new customer"
    ahead, unit = float(f"{argument:.3g}"), fit.data.get("time_unit")
    counted = "opportunities" if "period" in fit.data else "units of time"
    window = span_name(ahead, unit) if unit else f"{ahead:g} {counted}"
    return f"number of purchases expected of a new customer within {window}"
