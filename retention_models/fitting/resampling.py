"""The Bayesian bootstrap of a fit: customers get random weights, and the model is fitted again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_whole
from retention_models.core.arrays import Array, RNGLike
from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.bayesian_bootstrap import reweighted_estimates
from retention_models.estimation.estimates import PLAIN, POSITIVE, TINY, Estimate, middle, spread
from retention_models.estimation.intervals import Ends, in_chunks
from retention_models.estimation.newton import ConvergenceError, Objective
from retention_models.estimation.with_covariates import CovariateObjective
from retention_models.fitting.estimate import fitted_table
from retention_models.fitting.result import Fit, is_free, require_fit
from retention_models.fitting.uncertainty import Quantity, Uncertainty, uncertainty_of
from retention_models.tables.customer_table import Rows

LARGEST = 1_000_000  # numbers at a time of a quantity in all replicates


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap(Presentation):
    """Parameters of a fit under random weights of its customers: what ``bootstrap`` returns.

    Attributes
    ----------
    fit
        The fit to the customers themselves.
    draws
        One row a replicate, one column a parameter or coefficient. A parameter at a limit has the value at which it is
        held.
    at_limit
        Number of replicates in which a parameter reached a limit, by parameter.
    failures
        Number of replicates without a maximum; they are missing from ``draws``.
    """

    fit: Fit
    draws: pd.DataFrame
    at_limit: pd.Series
    failures: int

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimates with bootstrap standard errors and intervals.

        Parameters
        ----------
        level
            Level of the intervals, between 0 and 1.

        Returns
        -------
        pandas.DataFrame
            Indexed by ``parameter``: ``estimate, std_error, lower, upper``, and ``at_limit``, the number of replicates
            in which the parameter reached a limit.

        Notes
        -----
        Intervals use the log scale for parameters and the original scale for coefficients. Each end is as far from the
        estimate as the middle 90 % of the replicates reach on that side, scaled to ``level`` as in a normal
        distribution. So a few replicates at a limit do not matter. For an estimate at a limit, the ends are percentiles
        of the replicates.
        """
        estimate, draws = self.fit.params, self.draws.to_numpy()
        own = estimate.to_numpy()
        is_coefficient = estimate.index.isin(self.fit.covariate_terms.coefficients.index)
        positive, plain = (scale.from_draws(own, draws, level) for scale in (POSITIVE, PLAIN))
        is_held = ~is_free(self.fit)
        lower, upper = (
            np.select([is_held, is_coefficient], [percentile, as_is], on_log)
            for on_log, as_is, percentile in zip(positive, plain, middle(draws, level), strict=True)
        )
        columns = {"estimate": estimate, "std_error": spread(draws), "lower": lower, "upper": upper}
        return pd.DataFrame({**columns, "at_limit": self.at_limit}).rename_axis("parameter")

    def draw(self, n: int, rng: RNGLike = None, customers: Any = None) -> Any:
        """The model with the parameters of random replicates, in place of ``Fit.draw``.

        Parameters
        ----------
        n
            Number of draws, with replacement.
        rng
            Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes.
        customers
            Frame of customers with the columns of the covariates, one row a customer. Needed with covariates, and
            unused without.

        Returns
        -------
        model
            A model whose parameters have shape (n, 1), or (n, customers) where covariates act on them.

        Raises
        ------
        ValueError
            When the fit has covariates and ``customers`` is missing.
        """
        if self.fit.covariate_terms.n and customers is None:
            raise ValueError(
                "this fit has covariates; pass the customers whose parameters are drawn: draw(n, rng, customers)"
            )
        blocks = self.fit.covariate_terms.blocks(customers) if self.fit.covariate_terms.n else {}
        return _models(self, np.random.default_rng(rng).integers(len(self.draws), size=n), blocks)

    def interval(self, quantity: Callable[..., Array], customers: Any, level: float = 0.95) -> Ends:
        """Interval of a positive quantity of each customer, over all replicates.

        Parameters
        ----------
        quantity
            Function ``quantity(model, *columns)`` with values above 0, elementwise in the columns of the model.
        customers
            Frame of customers with the columns of the model and of its covariates, one row a customer.
        level
            Level of the interval, between 0 and 1.

        Returns
        -------
        tuple of numpy.ndarray
            Lower and upper ends, each of shape (customers,).
        """
        uncertainty = uncertainty_of(self)
        table = uncertainty.read(customers)
        lower, upper = uncertainty.estimate(quantity, table.rows).interval(level, POSITIVE)
        return lower[table.row], upper[table.row]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a reader must know; empty when there are none."""
        n = len(self.draws)
        limits = tuple(
            f"{name} ran to a limit in {count:,} of {n:,} replicates, which are kept."
            for name, count in self.at_limit.items()
            if count
        )
        failed = f"{self.failures:,} of {n + self.failures:,} replicates have no maximum and are left out."
        fixed = tuple(f"{name} was held at {getattr(self.fit.model, name)}." for name in self.fit.model.fixed)
        return self.fit.notes + limits + ((failed,) if self.failures else ()) + fixed

    def _headline(self) -> str:
        return (
            f"{type(self.fit.model).__name__} fitted to {self.fit.n_customers:,} customers, "
            f"Bayesian bootstrap of {len(self.draws):,} replicates"
        )

    def _parts(self) -> Sequence[Part]:
        return [self._headline(), self.table(), *(f"Note: {note}" for note in self.notes)]


def bootstrap(fit: Fit, customers: Any, *, replicates: int = 1000, rng: RNGLike = None) -> Bootstrap:
    """Bootstrap intervals of a fit, which also hold where the model is only roughly right.

    Parameters
    ----------
    fit
        A fit to customers, one row each. A retention table holds only sums and cannot be resampled.
    customers
        The table that the model was fitted to.
    replicates
        Number of random weightings, 2 or more. With some thousand customers each takes a few milliseconds; with
        covariates, or at a limit, tens of milliseconds.
    rng
        Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes.

    Returns
    -------
    Bootstrap
        ``table()`` has the intervals of the parameters, ``interval(...)`` those of any quantity, and ``draw(...)``
        replaces ``Fit.draw``.

    Raises
    ------
    ValueError
        When ``customers`` is not the table of the fit, or has only sums.
    ConvergenceError
        When no replicate has a maximum.

    Notes
    -----
    Bayesian bootstrap: each customer gets an exponential weight. Rubin (1981), "The Bayesian Bootstrap", Annals of
    Statistics 9(1), 130-134. A whole number such as ``k`` is held at its estimate.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> resampled = rm.bootstrap(rm.fit(rm.BGNBD, customers), customers, replicates=200, rng=1)
    >>> resampled.table().round(2)
               estimate  std_error  lower  upper  at_limit
    parameter
    r              0.24       0.01   0.22   0.27         0
    alpha          4.41       0.46   3.65   5.46         0
    a              0.79       0.20   0.52   1.33         0
    b              2.43       0.73   1.55   4.49         0
    """
    require_fit(fit)
    require_whole("replicates", replicates, 2)
    objective, start = _objective(fit, customers)
    is_maximum = len(fit.covariance) == len(objective.names)
    generator = np.random.default_rng(rng)
    maxima = [
        maximum
        for maximum in reweighted_estimates(objective, start, replicates, generator, is_maximum=is_maximum)
        if maximum is not None
    ]
    if not maxima:
        raise ConvergenceError(f"none of {replicates:,} reweighted likelihoods has a maximum that could be found")
    at_limit = pd.Series(0, index=list(objective.names))
    for maximum in maxima:
        at_limit[[limit.parameter for limit in maximum.limits]] += 1
    draws = pd.DataFrame([objective.estimates(maximum) for maximum in maxima], columns=list(objective.names))
    return Bootstrap(fit, draws, at_limit, replicates - len(maxima))


def _objective(fit: Fit, customers: Any) -> tuple[Objective, Array]:
    """The likelihood of the customers, and its maximum; at a limit, where it is flat, the usual start instead."""
    table = fitted_table(fit, customers)
    columns, weight = table.columns, table.weight
    model, coefficients = fit.model, fit.covariate_terms.coefficients.to_numpy()
    if len(fit.covariance) < len(fit.params):
        fixed = {name: getattr(model, name) for name in model.fixed}
        model, coefficients = type(model).start(*columns, weight=weight, **fixed), 0 * coefficients
    if not fit.covariate_terms.n:
        objective = Objective.from_start(model, columns, weight)
        return objective, objective.log_parameters(model)
    covariates = fit.covariate_terms.by_link(type(model), table.covariates)
    with_covariates = CovariateObjective.from_covariates(model, columns, weight, covariates)
    return with_covariates, with_covariates.log_parameters_with(model, coefficients)


@dataclass(frozen=True, eq=False)
class _OfBootstrap(Uncertainty):
    """The uncertainty of a bootstrap: the fits to reweighted customers."""

    bootstrap: Bootstrap

    @property
    def fit(self) -> Fit:
        """The fit to the customers themselves."""
        return self.bootstrap.fit

    @property
    def step_errors(self) -> Array:
        """From the draws, as ``Uncertainty`` says."""
        draws = self.bootstrap.draws
        steps = np.where(draws.columns.isin(self.terms.coefficients.index), draws, np.log(np.maximum(draws, TINY)))
        return _deviations(steps[:, is_free(self.fit)])

    def estimate(self, quantity: Quantity, rows: Rows) -> Estimate:
        """The quantity in all replicates."""
        size = max(LARGEST // len(self.bootstrap.draws), 1)
        every = np.arange(len(self.bootstrap.draws))

        def of_rows(some: Rows) -> Array:
            return quantity(_models(self.bootstrap, every, some.covariates), *some.columns)

        draws = in_chunks(of_rows, rows, size)
        return Estimate(self.values(quantity, rows), _deviations(draws), draws)


@uncertainty_of.register
def _(fitted: Bootstrap) -> Uncertainty:
    return _OfBootstrap(fitted)


def _models(bootstrap: Bootstrap, replicates: np.ndarray, blocks: Mapping[str, Array]) -> Any:
    """The model of some replicates: parameters of shape (draws, 1), or (draws, n) for n rows of covariates."""
    covariate_terms, values = bootstrap.fit.covariate_terms, bootstrap.draws.to_numpy()[replicates, None]
    own = bootstrap.draws.columns.drop(covariate_terms.coefficients.index)
    model = replace(bootstrap.fit.model, **{name: values[..., i] for i, name in enumerate(own)})
    return covariate_terms.apply_links(model, blocks, values[..., len(own) :])


def _deviations(draws: Array) -> Array:
    """Deviations of the draws from their mean, such that the sum of their squares is the variance; shape (n, draws)."""
    return np.asarray((draws - draws.mean(axis=0)).T / np.sqrt(len(draws) - 1))
