"""NBD: purchases at a constant rate by customers who never leave; the benchmark of the other models.

Ehrenberg (1959), "The Pattern of Consumer Purchases", Applied Statistics 8(1), 26-41. x = frequency. The likelihood is
that of the moments of purchase, as in the models with drop-out, so that the two can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import exprel

from retention_models.btyd.poisson_gamma import count_probability, log_density, log_density_score, start_from_counts
from retention_models.btyd.purchase_model import (
    BuyTillYouDie,
    Parameter,
    require_count,
    require_nonnegative,
    stack_derivatives,
)
from retention_models.core.arrays import Array, RNGLike
from retention_models.estimation.elementwise import elementwise, possible_only
from retention_models.estimation.links import Link, LogLink
from retention_models.estimation.model import Limit


@dataclass(frozen=True, slots=True, repr=False)
class NBD(BuyTillYouDie):
    """NBD: purchases at a constant rate by customers who never leave; the benchmark of the other models.

    Parameters
    ----------
    r
        Shape of the gamma distribution of purchase rates over customers.
    alpha
        Rate parameter of that distribution, in time units; the mean purchase rate is r / alpha.

    Notes
    -----
    Source: Ehrenberg (1959), "The Pattern of Consumer Purchases", Applied Statistics 8(1), 26-41.

    Examples
    --------
    >>> model = NBD(r=0.385, alpha=12.1)
    >>> print(model.expected_purchases(39, frequency=2, recency=30.43, T=38.86).round(3))
    1.825
    """

    r: Parameter
    alpha: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    limits: ClassVar[tuple[Limit, ...]] = (Limit("r", np.inf, "everybody buys at the same rate", follows=("alpha",)),)
    links: ClassVar[Mapping[str, Link]] = {"purchase": LogLink("alpha", -1)}

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Start values for the fit, from the moments of the counts."""
        return cls(*start_from_counts(frequency, T, weight))

    @elementwise
    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Log-likelihood of each history; shape (n,)."""
        return log_density(np.asarray(frequency), np.asarray(T), self.r, self.alpha)

    @elementwise
    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha; shape (..., n, 2)."""
        return stack_derivatives(*log_density_score(np.asarray(frequency), np.asarray(T), self.r, self.alpha))

    def _alive_now(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """1 for everybody."""
        shapes = [np.shape(value) for value in (self.r, self.alpha, frequency, recency, T)]
        return np.ones(np.broadcast_shapes(*shapes))[()]

    @possible_only
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """The model of the future purchases of a customer; parameters of shape (n,)."""
        return type(self)(self.r + np.asarray(frequency), self.alpha + np.asarray(T))

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``."""
        return self.r / self.alpha * require_nonnegative("horizon", horizon)

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """1 for everybody."""
        return self._alive_now(0, 0.0, require_nonnegative("horizon", horizon, finite=True))

    def _expected_pairs_new(self, horizon: Array) -> Array:
        return self.r * (self.r + 1) * (horizon / self.alpha) ** 2

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Probability that a new customer makes exactly ``count`` repeat purchases at ages in (start, end]."""
        window = require_nonnegative("end - start", np.subtract(end, require_nonnegative("start", start)), finite=True)
        return count_probability(require_count(count), self.r, window / self.alpha)

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        finite = np.where(np.isinf(horizon), 0.0, horizon)
        time = np.where(np.isinf(horizon), 1 / rate, finite * exprel(-rate * finite))
        return self.r / self.alpha * time

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers of ages T: their ``frequency, recency, T`` and ``alive``, which all are."""
        T, r, alpha = np.broadcast_arrays(np.atleast_1d(require_nonnegative("T", T, finite=True)), self.r, self.alpha)
        rng = np.random.default_rng(rng)
        x = rng.poisson(rng.gamma(r, 1 / alpha) * T)
        recency = np.where(x > 0, T * rng.random(T.shape) ** (1 / np.maximum(x, 1)), 0.0)
        return pd.DataFrame({"frequency": x, "recency": recency, "T": T, "alive": True})
