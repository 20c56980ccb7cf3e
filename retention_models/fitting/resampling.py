"""How sure a fit is, without leaning on the model: its customers are reweighted at random, and it is made again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arrays import Array
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
    """The parameters of a fit under random weightings of its customers.

    Attributes
    ----------
    fit
        The fit itself.
    draws
        One row a replicate, one column a parameter or coefficient; a parameter at a limit has the value at which it is
        held.
    at_limit
        In how many replicates each parameter ran to a limit, by parameter.
    failures
        How many replicates have no maximum and are missing from ``draws``.
    """

    fit: Fit
    draws: pd.DataFrame
    at_limit: pd.Series
    failures: int

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Estimate, standard error and interval of each parameter, and in how many replicates it is ``at_limit``.

        Made on the log scale but for coefficients. The ends lie as far away as the middle 90 % of the replicates reach
        to either side, stretched as it is in a normal distribution: a few at a limit do not matter, and an end is
        further away on the side where the replicates are. Where the estimate itself is at a limit, the percentiles of
        the replicates.
        """
        estimate, draws = self.fit.parameters, self.draws.to_numpy()
        own = estimate.to_numpy()
        moves, is_free = (
            estimate.index.isin(of.index) for of in (self.fit.covariate_terms.coefficients, self.fit.covariance)
        )
        ends = zip(_interval(own, draws, level), _reach(own, draws, level), _middle(draws, level), strict=True)
        lower, upper = (np.select([~is_free, moves], [percentile, plain], on_log) for on_log, plain, percentile in ends)
        columns = {"estimate": estimate, "std_error": _spread(draws), "lower": lower, "upper": upper}
        return pd.DataFrame({**columns, "at_limit": self.at_limit}).rename_axis("parameter")

    def draw(self, n: int, rng: np.random.Generator, customers: Any = None) -> Any:
        """The model with n draws of its parameters, each of shape (n, 1), as ``Fit.draw`` gives.

        With covariates it takes the ``customers``, and the parameters that these move have shape (n, customers).
        """
        if self.fit.covariate_terms.n and customers is None:
            raise ValueError("this fit has covariates; say whose parameters to draw: draw(n, rng, customers)")
        design_columns = self.fit.covariate_terms.design_columns(customers) if self.fit.covariate_terms.n else ()
        return self._model(rng.integers(len(self.draws), size=n), design_columns)

    def interval(
        self, quantity: Callable[..., Array], columns: tuple[Array, ...], level: float = 0.95
    ) -> tuple[Array, Array]:
        """Ends of the interval of ``quantity(model, *columns)``, shape (n,) each, if it is positive.

        Every replicate is asked. The columns are those of ``Fit.read``: with covariates theirs come last.
        """
        model, plain = self.fit.customer_models(columns)
        draws = quantity(self._model(np.arange(len(self.draws)), columns[len(plain) :]), *plain)
        return _interval(quantity(model, *plain), draws, level)

    def _model(self, rows: np.ndarray, design_columns: tuple[Array, ...]) -> Any:
        """The model of some replicates, for customers with these covariates."""
        covariate_terms, drawn = self.fit.covariate_terms, self.draws.to_numpy()[rows, None]
        own = self.draws.columns.drop(covariate_terms.coefficients.index)
        model = replace(self.fit.model, **{name: drawn[..., i] for i, name in enumerate(own)})
        return covariate_terms.apply_links(model, design_columns, drawn[..., len(own) :])

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what a reader must know; empty when nothing needs saying."""
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


def bootstrap(fit: Fit, customers: Any, *, replicates: int = 1000, rng: np.random.Generator) -> Bootstrap:
    """The fit made again under random weightings of its customers: intervals that hold where the model does not.

    Parameters
    ----------
    fit
        A fit to customers, one row each (not to a retention table, which holds only sums).
    customers
        What it was fitted to.
    replicates
        How many weightings; for some thousand customers each costs a few milliseconds, tens of them with covariates
        or at a limit.
    rng
        The source of randomness.

    Returns
    -------
    Bootstrap
        Its ``table`` is that of a fit, its ``draw`` takes the place of ``Fit.draw``, and ``interval`` gives that of
        any quantity.

    Raises
    ------
    ValueError
        When the customers are others than those of the fit, or cannot be told apart.
    ConvergenceError
        When no replicate has a maximum.

    Notes
    -----
    Bayesian bootstrap (Rubin 1981): weights are exponential, one a customer. A whole number such as ``k`` is held.

    Examples
    --------
    >>> import retention_models as rm
    >>> import numpy as np, retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> again = rm.bootstrap(rm.fit(rm.BGNBD, customers), customers, replicates=200, rng=np.random.default_rng(1))
    >>> again.table().round(2)
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
    is_top = len(fit.covariance) == len(objective.names)
    tops = reweighted_estimates(objective, start, replicates, rng, is_top=is_top)
    found = [maximum for maximum in tops if maximum is not None]
    if not found:
        raise ConvergenceError(f"none of {replicates:,} reweighted likelihoods has a maximum that could be found")
    at_limit = pd.Series(0, index=list(objective.names))
    for maximum in found:
        at_limit[[limit.parameter for limit in maximum.limits]] += 1
    draws = pd.DataFrame([objective.estimates(maximum) for maximum in found], columns=list(objective.names))
    return Bootstrap(fit, draws, at_limit, replicates - len(found))


def _objective(fit: Fit, customers: Any) -> tuple[Objective, Array]:
    """The likelihood of the customers, and its top; at a limit, where it is flat, the usual start instead."""
    columns, weight = rows_of(fit, customers)
    plain, design_columns = (
        columns[: len(columns) - fit.covariate_terms.n],
        columns[len(columns) - fit.covariate_terms.n :],
    )
    model, coefficients = fit.model, fit.covariate_terms.coefficients.to_numpy()
    if len(fit.covariance) < len(fit.parameters):
        fixed = {name: getattr(model, name) for name in model.fixed}
        model, coefficients = type(model).start(*plain, weight=weight, **fixed), 0 * coefficients
    if not fit.covariate_terms.n:
        objective = Objective.from_start(model, plain, weight)
        return objective, objective.log_parameters(model)
    moved = CovariateObjective.from_covariates(
        model, plain, weight, fit.covariate_terms.by_link(type(model), design_columns)
    )
    return moved, moved.log_parameters_with(model, coefficients)


def _interval(estimate: Array, draws: Array, level: float) -> tuple[Array, Array]:
    """Ends of the interval of positive quantities, by the logarithms of their draws; a zero stays zero."""
    low, high = _reach(np.log(np.maximum(estimate, TINY)), np.log(np.maximum(draws, TINY)), level)
    return np.where(estimate > 0, np.exp(low), estimate), np.where(
        estimate > 0, np.exp(np.minimum(high, 700.0)), estimate
    )


def _reach(estimate: Array, draws: Array, level: float) -> tuple[Array, Array]:
    """Ends that lie beyond those of the middle 90 % of the draws by as much as in a normal distribution."""
    low, high = _middle(draws, MIDDLE)
    stretch = normal_quantile(level) / normal_quantile(MIDDLE)
    return estimate - stretch * np.maximum(estimate - low, 0), estimate + stretch * np.maximum(high - estimate, 0)


def _spread(draws: Array) -> Array:
    """The standard deviation of the draws by the width of their middle 90 %, to which few far out do not matter."""
    low, high = _middle(draws, MIDDLE)
    return (high - low) / (2 * normal_quantile(MIDDLE))


def _middle(draws: Array, share: float) -> tuple[Array, Array]:
    """Ends of the middle of the draws, in which a further draw would lie with this chance.

    The i-th of n draws is the quantile i / (n + 1). By the usual rule, (i - 1) / (n - 1), the middle 90 % of 100 draws
    would be 5 % too narrow.
    """
    low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2], axis=0, method="weibull")
    return low, high
