"""Pareto/NBD: purchases at a constant rate until the customer leaves unseen, at any moment.

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?",
Management Science 33(1), 1-24; derived step by step in Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD
Model and Related Expressions". x = frequency, t_x = recency. Their hypergeometric functions overflow where
customers buy often; here they are integrals over the unseen time of leaving.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, replace
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, exprel, log_expit

from retention_models.btyd.poisson_gamma import (
    count_probability,
    log_count_coefficient,
    log_density,
    log_density_score,
    start_from_counts,
)
from retention_models.btyd.purchase_model import (
    BuyTillYouDie,
    Parameter,
    require_count,
    require_nonnegative,
    stack_derivatives,
    zero_inflated_probability,
)
from retention_models.core.arrays import Array, RNGLike
from retention_models.estimation.elementwise import elementwise, possible_only
from retention_models.estimation.links import Link, LogLink
from retention_models.estimation.model import Limit
from retention_models.estimation.numerics.quadrature import log_decay_gradient, log_decay_integral


@dataclass(frozen=True, slots=True, repr=False)
class ParetoNBD(BuyTillYouDie):
    """Pareto/NBD: purchases at a constant rate until the customer leaves, which can happen at any moment.

    Parameters
    ----------
    r
        Shape of the gamma distribution of purchase rates over customers.
    alpha
        Rate parameter of that distribution, in time units; the mean purchase rate is r / alpha.
    s
        Shape of the gamma distribution of drop-out rates over customers.
    beta
        Rate parameter of that distribution, in time units; the mean drop-out rate is s / beta.

    Notes
    -----
    Source: Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?",
    Management Science 33(1), 1-24.

    Examples
    --------
    >>> model = ParetoNBD(r=0.553, alpha=10.58, s=0.606, beta=11.66)
    >>> print(model.probability_alive(frequency=2, recency=30.43, T=38.86).round(3))
    0.869
    >>> print(model.purchase_probability([0, 1, 2], 39, frequency=2, recency=30.43, T=38.86).round(3))
    [0.408 0.219 0.152]
    """

    r: Parameter
    alpha: Parameter
    s: Parameter
    beta: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("s", 0.0, "nobody ever leaves (the NBD model)", undetermined=("beta",), nobody_leaves=True),
        Limit("s", np.inf, "everybody leaves at the same rate (exponential lifetimes)", follows=("beta",)),
        Limit("r", np.inf, "everybody buys at the same rate while alive", follows=("alpha",)),
        Limit("beta", 0.0, "some leave at once, the others never", is_start=False),
    )
    links: ClassVar[Mapping[str, Link]] = {"purchase": LogLink("alpha", -1), "dropout": LogLink("beta", -1)}

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Start values for the fit: rates from the counts, and half of the customers gone at the mean age."""
        r, alpha = start_from_counts(frequency, T, weight)
        return cls(r, alpha, s=1.0, beta=float(weight @ T / weight.sum()))

    @elementwise
    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Log-likelihood of each history, over the customer being alive or having left; shape (n,)."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        alive = log_density(x, T, self.r, self.alpha) - self.s * np.log1p(T / self.beta)
        return alive - log_expit(-self._log_odds_gone(x, t_x, T))

    @elementwise
    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, s, beta; shape (..., n, 4)."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        A, B, silence = alpha + t_x, beta + t_x, T - t_x
        log_integral, d_p, d_A, d_q, d_B = log_decay_gradient(silence, r + x, A, s + 1, B)
        gone = expit(self._log_odds(x, t_x, T, log_integral))
        d_r, d_alpha = log_density_score(x, T, r, alpha)
        return stack_derivatives(
            d_r + gone * (d_p + np.log1p(silence / A)),
            d_alpha + gone * (d_A - (r + x) * silence / (A * (alpha + T))),
            gone * (d_q + np.log1p(silence / B) + 1 / s) - np.log1p(T / beta),
            gone * (d_B - s / B * (silence / (beta + T)) - 1 / B) + s / beta * (T / (beta + T)),
        )

    def _alive_now(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Probability that the customer has not left by T; shape (n,)."""
        return expit(-self._log_odds_gone(np.asarray(frequency), np.asarray(recency), np.asarray(T)))

    def _log_odds_gone(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log odds of having left between t_x and T, unseen, from the two terms of the likelihood."""
        integral = log_decay_integral(T - t_x, self.r + x, self.alpha + t_x, self.s + 1, self.beta + t_x)
        return self._log_odds(x, t_x, T, integral)

    def _log_odds(self, x: Array, t_x: Array, T: Array, log_integral: Array) -> Array:
        """``_log_odds_gone`` from the log integral over the unseen end, relative to its integrand at t_x."""
        A, B, silence = self.alpha + t_x, self.beta + t_x, T - t_x
        log_silent_alive = -(self.r + x) * np.log1p(silence / A) - self.s * np.log1p(silence / B)
        return np.log(self.s / B) + log_integral - log_silent_alive

    @possible_only
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """The model of the future purchases of a customer who is alive now; parameters of shape (n,)."""
        x, T = np.asarray(frequency), np.asarray(T)
        return type(self)(self.r + x, self.alpha + T, self.s, self.beta + T)

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``; may be infinite.

        The mean rate r / alpha times the mean time alive, beta / (s - 1) (1 - (beta / (beta + h))^(s - 1)).
        """
        h, s, beta = require_nonnegative("horizon", horizon), self.s, self.beta
        log_ratio = np.log1p(np.where(np.isinf(h), 0, h) / beta)
        within = beta * log_ratio * exprel((1 - s) * log_ratio)
        with np.errstate(divide="ignore"):
            ever = beta / np.maximum(s - 1, 0)
        return self.r / self.alpha * np.where(np.isinf(h), ever, within)

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Probability that a new customer has not left by the end of a finite ``horizon``."""
        return np.exp(-self.s * np.log1p(require_nonnegative("horizon", horizon, finite=True) / self.beta))

    def _expected_pairs_new(self, horizon: Array) -> Array:
        """The mean square rate times the mean square time alive, the integral of 2 u S(u)."""
        r, alpha, s, beta = astuple(self)
        return 2 * r * (r + 1) / alpha**2 * np.exp(log_decay_integral(horizon, 0, beta, s, beta, power=1))

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Probability that a new customer makes exactly ``count`` repeat purchases at ages in (start, end]."""
        n, start = require_count(count), require_nonnegative("start", start)
        window = require_nonnegative("end - start", np.subtract(end, start), finite=True)
        alive = np.exp(-self.s * np.log1p(start / self.beta))
        return zero_inflated_probability(alive, n, replace(self, beta=self.beta + start)._count_probability(n, window))

    def _count_probability(self, n: Array, window: Array) -> Array:
        """Chance of n purchases in a new customer's first ``window``, outlived or cut short by the unseen end."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        alive = count_probability(n, r, window / alpha) * np.exp(-s * np.log1p(window / beta))
        integral = log_decay_integral(window, r + n, alpha, s + 1, beta, power=n)
        return alive + s / beta * np.exp(log_count_coefficient(n, r) - n * np.log(alpha) + integral)

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        r, alpha, s, beta = astuple(self)
        return r / alpha * np.exp(log_decay_integral(horizon, 0, beta, s, beta, rate=rate))

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers of ages T: their ``frequency, recency, T`` and whether they are still ``alive``."""
        T, r, alpha, s, beta = np.broadcast_arrays(
            np.atleast_1d(require_nonnegative("T", T, finite=True)), *astuple(self)
        )
        rng = np.random.default_rng(rng)
        with np.errstate(divide="ignore", over="ignore"):
            lifetime = rng.standard_exponential(T.shape) / rng.gamma(s, 1 / beta)
        observed = np.minimum(lifetime, T)
        x = rng.poisson(rng.gamma(r, 1 / alpha) * observed)
        recency = np.where(x > 0, observed * rng.random(T.shape) ** (1 / np.maximum(x, 1)), 0.0)
        return pd.DataFrame({"frequency": x, "recency": recency, "T": T, "alive": lifetime > T})
