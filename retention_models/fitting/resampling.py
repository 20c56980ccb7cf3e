"""The Bayesian bootstrap of a fit: customers get random weights, and the model is fitted again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array, RNGLike
from retention_models.core.formatting import Part, Presentation
from retention_models.estimation.bayesian_bootstrap import reweighted_estimates
from retention_models.estimation.intervals import normal_quantile
from retention_models.estimation.newton import ConvergenceError, Objective
from retention_models.estimation.with_covariates import CovariateObjective
from retention_models.fitting.estimate import rows_of
from retention_models.fitting.result import Fit

TINY = np.finfo(float).tiny
MIDDLE = 0.9  # of the draws, by which intervals are made


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
        is_free = estimate.index.isin(self.fit.covariance.index)
        ends = zip(_interval(own, draws, level), _reach(own, draws, level), _middle(draws, level), strict=True)
        lower, upper = (
            np.select([~is_free, is_coefficient], [percentile, plain], on_log) for on_log, plain, percentile in ends
        )
        columns = {"estimate": estimate, "std_error": _spread(draws), "lower": lower, "upper": upper}
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
            raise ValueError("this fit has covariates; say whose parameters to draw: draw(n, rng, customers)")
        design_columns = self.fit.covariate_terms.design_columns(customers) if self.fit.covariate_terms.n else ()
        return self._model(np.random.default_rng(rng).integers(len(self.draws), size=n), design_columns)

    def interval(
        self, quantity: Callable[..., Array], columns: tuple[Array, ...], level: float = 0.95
    ) -> tuple[Array, Array]:
        """Interval of a positive quantity of each customer, over all replicates.

        Parameters
        ----------
        quantity
            Function ``quantity(model, *columns)`` with values above 0, shape (n,).
        columns
            Columns from ``Fit.read``, each of shape (n,); those of covariates come last.
        level
            Level of the interval, between 0 and 1.

        Returns
        -------
        tuple of numpy.ndarray
            Lower and upper ends, each of shape (n,).
        """
        model, plain = self.fit.customer_models(columns)
        draws = quantity(self._model(np.arange(len(self.draws)), columns[len(plain) :]), *plain)
        return _interval(quantity(model, *plain), draws, level)

    def _model(self, rows: np.ndarray, design_columns: tuple[Array, ...]) -> Any:
        """The model of some replicates, for customers with these covariates."""
        covariate_terms, values = self.fit.covariate_terms, self.draws.to_numpy()[rows, None]
        own = self.draws.columns.drop(covariate_terms.coefficients.index)
        model = replace(self.fit.model, **{name: values[..., i] for i, name in enumerate(own)})
        return covariate_terms.apply_links(model, design_columns, values[..., len(own) :])

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
    if replicates < 2:
        raise ValueError(f"replicates must be 2 or more, some hundred for an interval; got {replicates!r}")
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
    columns, weight = rows_of(fit, customers)
    plain, design_columns = (
        columns[: len(columns) - fit.covariate_terms.n],
        columns[len(columns) - fit.covariate_terms.n :],
    )
    model, coefficients = fit.model, fit.covariate_terms.coefficients.to_numpy()
    if len(fit.covariance) < len(fit.params):
        fixed = {name: getattr(model, name) for name in model.fixed}
        model, coefficients = type(model).start(*plain, weight=weight, **fixed), 0 * coefficients
    if not fit.covariate_terms.n:
        objective = Objective.from_start(model, plain, weight)
        return objective, objective.log_parameters(model)
    covariates = fit.covariate_terms.by_link(type(model), design_columns)
    with_covariates = CovariateObjective.from_covariates(model, plain, weight, covariates)
    return with_covariates, with_covariates.log_parameters_with(model, coefficients)


def _interval(estimate: Array, draws: Array, level: float) -> tuple[Array, Array]:
    """Interval of positive quantities from the logarithms of their draws; a zero stays zero."""
    low, high = _reach(np.log(np.maximum(estimate, TINY)), np.log(np.maximum(draws, TINY)), level)
    return np.where(estimate > 0, np.exp(low), estimate), np.where(
        estimate > 0, np.exp(np.minimum(high, 700.0)), estimate
    )


def _reach(estimate: Array, draws: Array, level: float) -> tuple[Array, Array]:
    """The interval of the middle 90 % of the draws, scaled to another level as in a normal distribution."""
    low, high = _middle(draws, MIDDLE)
    stretch = normal_quantile(level) / normal_quantile(MIDDLE)
    return estimate - stretch * np.maximum(estimate - low, 0), estimate + stretch * np.maximum(high - estimate, 0)


def _spread(draws: Array) -> Array:
    """The standard deviation of the draws from the width of their middle 90 %, which ignores outliers."""
    low, high = _middle(draws, MIDDLE)
    return (high - low) / (2 * normal_quantile(MIDDLE))


def _middle(draws: Array, share: float) -> tuple[Array, Array]:
    """Interval of the middle of the draws, which holds a further draw with probability ``share``.

    The i-th of n draws is the quantile i / (n + 1). By the usual rule, (i - 1) / (n - 1), the middle 90 % of 100 draws
    would be 5 % too narrow.
    """
    low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2], axis=0, method="weibull")
    return low, high
