"""What forecasts and values ask of a fit, a bootstrap or a pooled fit: customers read, and quantities estimated."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial, singledispatch
from typing import Any, Protocol, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.estimation.estimates import Estimate, Profile, root_of
from retention_models.estimation.intervals import in_chunks, log_slopes
from retention_models.estimation.model import parameter_names
from retention_models.estimation.profile import models_at
from retention_models.fitting.formula_terms import CovariateTerms
from retention_models.fitting.profile_region import needs_profile, region_of
from retention_models.fitting.result import Fit, is_free, step_scale, stepped_parameters
from retention_models.tables.customer_table import (
    CustomerTable,
    Rows,
    open_customers,
    read_table,
    require_opportunities,
    require_same_measure,
)
from retention_models.tables.groups import read_codes

STEP = 1e-5  # of differences in log-parameters and coefficients
Quantity = Callable[..., Array]  # quantity(model, *columns), elementwise over rows: shape (..., n)


class Resampled(Protocol):
    """A bootstrap: a fit, and its estimates from other samples of customers."""

    @property
    def fit(self) -> Fit:
        """The fit."""
        ...

    @property
    def draws(self) -> pd.DataFrame:
        """One row a sample."""
        ...


class Uncertainty(ABC):
    """A fitted model with what is known of its parameters.

    Steps change the logarithms of the free parameters, and the free coefficients of covariates.
    """

    @property
    @abstractmethod
    def fit(self) -> Fit:
        """The fit, whose estimates these are."""

    @property
    def model(self) -> Any:
        """The model at its estimates."""
        return self.fit.model

    @property
    def data(self) -> Mapping[str, Any]:
        """What the model was fitted to."""
        return self.fit.data

    @property
    def terms(self) -> CovariateTerms:
        """The covariates of the fit."""
        return self.fit.covariate_terms

    def read(self, customers: Any, more: Sequence[str] = ()) -> CustomerTable:
        """The customers with the columns of the model, then ``more``, and a block of covariates for each role.

        Raises
        ------
        ValueError
            When a column is missing or breaks a rule.
        """
        table = read_table(customers, (*self.model.columns, *more))
        require_opportunities(type(self.model), table)
        return table.with_covariates(self.blocks(customers))

    def blocks(self, customers: Any) -> dict[str, Array]:
        """What distinguishes the models of customers, by role; each of shape (lines, columns).

        Raises
        ------
        ValueError
            When time was measured otherwise than for the fit.
        """
        require_same_measure(self.data, open_customers(customers).attrs)
        return self._blocks(customers)

    def _blocks(self, customers: Any) -> dict[str, Array]:
        return self.terms.blocks(customers) | self.terms.starts(customers)

    def row_model(self, rows: Rows, step: Array | None = None) -> Any:
        """The model of some rows, with parameters of shape (n,) where covariates change them.

        ``step``, shape (n, free), is a step of each row.
        """
        model, coefficients = (self.model, None) if step is None else stepped_parameters(self.fit, step)
        return self.terms.apply_links(model, rows.covariates, coefficients)

    def values(self, quantity: Quantity, rows: Rows) -> Array:
        """``quantity(model, *columns)`` of each row, without its uncertainty; shape (n,)."""
        return in_chunks(lambda some: quantity(self.row_model(some), *some.columns), rows)

    @cached_property
    def step_errors(self) -> Array:
        """A matrix R, shape (free, m): steps vary as R z with z standard normal, as ``Estimate.errors`` do."""
        return root_of(self.fit.covariance) / step_scale(self.fit)[:, None]

    @abstractmethod
    def estimate(self, quantity: Quantity, rows: Rows) -> Estimate:
        """``quantity(model, *columns)`` of each row, with its uncertainty."""


@dataclass(frozen=True, eq=False)
class _OfFit(Uncertainty):
    """The uncertainty of a fit: its covariance, or the profile likelihood where this hardly determines a parameter."""

    own: Fit

    @property
    def fit(self) -> Fit:
        """The fit itself."""
        return self.own

    def estimate(self, quantity: Quantity, rows: Rows) -> Estimate:
        values = self.values(quantity, rows)
        errors = self.step_slopes(quantity, rows) @ self.step_errors
        if not needs_profile(self.fit):
            return Estimate(values, errors)

        def at(places: Array) -> Array:
            return np.stack([quantity(model, *rows.columns) for model in models_at(type(self.model), places)])

        return Estimate(values, errors, profile=Profile(at, partial(region_of, self.fit)))

    def step_slopes(self, quantity: Quantity, rows: Rows) -> Array:
        """Derivatives of the values in a step; shape (n, free)."""
        fit, free = self.fit, list(self.fit.covariance.index)
        names = list(parameter_names(type(fit.model)))

        def of_rows(some: Rows) -> Array:
            def at(model: Any) -> Array:
                return quantity(model, *some.columns)

            if not self.terms.n:
                return log_slopes(at, fit.model, free).T
            if self.terms.months is not None:
                steps = STEP * np.eye(len(free))
                return np.stack([at(self._stepped(some, step)) - at(self._stepped(some, -step)) for step in steps]) / (
                    2 * STEP
                )
            slopes = log_slopes(at, self.row_model(some), names)
            return self.terms.slopes(fit.model, some.covariates, slopes, names)[:, is_free(fit)].T

        return in_chunks(of_rows, rows).T

    def _stepped(self, rows: Rows, step: Array) -> Any:
        """The model of some rows after a step of shape (free,)."""
        model, coefficients = stepped_parameters(self.fit, step)
        return self.terms.apply_links(model, rows.covariates, coefficients)


@dataclass(frozen=True, eq=False)
class _OfCohorts(Uncertainty):
    """The uncertainty of a partially pooled fit: each customer has the fit of the own cohort."""

    together: Fit
    by: str

    @property
    def fit(self) -> Fit:
        """The fit of all cohorts."""
        return self.together

    @cached_property
    def cohorts(self) -> dict[str, _OfFit]:
        """The uncertainty of each cohort, and last that of one which the fit does not know."""
        return {label: _OfFit(fit) for label, fit in self.fit.groups.items()} | {"": _OfFit(_new_cohort(self.fit))}

    def _blocks(self, customers: Any) -> dict[str, Array]:
        code, labels = read_codes(customers, self.by)
        names = list(self.cohorts)
        number = np.array([names.index(str(label)) if str(label) in names else len(names) - 1 for label in labels])
        return {"cohort": number[code].astype(float)[:, None]}

    def values(self, quantity: Quantity, rows: Rows) -> Array:
        found = np.zeros(len(rows))
        for one, (_, _, of_one) in zip(self.cohorts.values(), self._parts(rows), strict=True):
            if of_one.any():
                found[of_one] = one.values(quantity, rows.take(of_one))
        return found

    def estimate(self, quantity: Quantity, rows: Rows) -> Estimate:
        """Each cohort has errors of its own. The error of their common mean is shared by all, in the last columns."""
        parts = self._parts(rows)
        p = len(self.fit.covariance)
        errors = np.zeros((len(rows), p * (len(parts) + 1)))
        for i, (one, (own, shared, of_one)) in enumerate(zip(self.cohorts.values(), parts, strict=True)):
            if of_one.any():
                slopes = one.step_slopes(quantity, rows.take(of_one))
                errors[of_one, i * p : (i + 1) * p] = slopes @ own
                errors[of_one, -p:] = slopes @ shared
        return Estimate(self.values(quantity, rows), errors)

    def _parts(self, rows: Rows) -> list[tuple[Array, Array, NDArray[np.bool_]]]:
        """Of each cohort: the errors of a step that are its own, those of the common mean, and its rows."""
        about, code = self.fit.data["cohorts"], rows.covariates["cohort"][:, 0]
        mean_errors = root_of(about["mean_covariance"])
        parts = []
        for i, (label, one) in enumerate(self.cohorts.items()):
            pull = np.array(about["pull"].get(label, np.eye(len(mean_errors))))
            shared = pull @ mean_errors
            scale = step_scale(one.fit)
            own = root_of(one.fit.covariance.to_numpy() / np.outer(scale, scale) - shared @ shared.T)
            parts.append((own, shared, code == i))
        return parts


def _new_cohort(fit: Fit) -> Fit:
    """The fit of a cohort of which nothing is known but that it is one of the cohorts of a pooled fit."""
    names, spread = list(fit.covariance.index), np.array(fit.data["cohorts"]["covariance"])
    values = np.exp(np.array(fit.data["cohorts"]["mean"]))
    model = replace(fit.model, **dict(zip(names, values.tolist(), strict=True)))
    covariance = pd.DataFrame(spread * np.outer(values, values), index=names, columns=names)
    return replace(fit, model=model, covariance=covariance, groups={}, data={})


@singledispatch
def uncertainty_of(fitted: Any) -> Uncertainty:
    """What is known of a fitted model: of a fit, a bootstrap or a pooled fit; a TypeError for anything else."""
    what = fitted.__name__ if isinstance(fitted, type) else f"a {type(fitted).__name__}"
    raise TypeError(f"a fit is needed, as fit(...), bootstrap(...) or fit_pooled(...) return it; got {what}")


@uncertainty_of.register
def _(fitted: Uncertainty) -> Uncertainty:
    return fitted


@uncertainty_of.register
def _(fitted: Fit) -> Uncertainty:
    by = fitted.data.get("pooled_by")
    return _OfCohorts(fitted, by) if by else _OfFit(fitted)


Fitted: TypeAlias = Fit | Resampled | Uncertainty  # what forecasts and values take; a pooled fit is a Fit
Fits: TypeAlias = Fitted | Sequence[Fitted] | Mapping[str, Fitted]  # several, with names or without
