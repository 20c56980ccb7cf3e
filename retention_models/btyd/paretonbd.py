"""Pareto/NBD: steady repeat buying until an unseen end that may come at any moment.

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?",
Management Science 33(1), 1-24; derived step by step in Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD
Model and Related Expressions". x = frequency, t_x = recency. What they write with hypergeometric functions, which
overflow where customers buy often, is here the integral over the unseen end.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, exprel, gammaln

from retention_models.btyd.base import (
    Array,
    BuyTillYouDie,
    Parameter,
    checked,
    checked_count,
    if_alive,
    last_axis,
    purchase_start,
)
from retention_models.estimation.likelihood import Limit
from retention_models.estimation.quadrature import log_decay_gradient, log_decay_integral
from retention_models.estimation.special import digamma_rising, log_count_probability, log_rising


@dataclass(frozen=True, slots=True)
class ParetoNBD(BuyTillYouDie):
    """Purchase rates are Gamma(r, alpha) over customers, drop-out rates Gamma(s, beta)."""

    r: Parameter
    alpha: Parameter
    s: Parameter
    beta: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("s", 0.0, "nobody ever leaves (the NBD model)", undetermined=("beta",)),
        Limit("s", np.inf, "everybody leaves at the same rate (exponential lifetimes)", follows=("beta",)),
        Limit("r", np.inf, "everybody buys at the same rate while alive", follows=("alpha",)),
    )

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Rough parameters from the data, to begin the fit: rates from the counts' moments, half gone by mean age."""
        r, alpha, age = purchase_start(frequency, T, weight)
        return cls(r, alpha, s=1.0, beta=age)

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Log-likelihood of each history: bought and alive until t_x, and then silent, alive or gone."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        bought = log_rising(self.r, x) - x * np.log(self.alpha + t_x) - self.r * np.log1p(t_x / self.alpha)
        lived = -self.s * np.log1p(t_x / self.beta)
        gone = np.log(self.s / (self.beta + t_x)) + log_decay_integral(*self._unseen_end(x, t_x, T))
        return bought + lived + np.logaddexp(self._log_silent_alive(x, t_x, T), gone)

    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, s, beta; shape (..., n, 4)."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        A, B, silence = alpha + t_x, beta + t_x, T - t_x
        log_integral, d_p, d_A, d_q, d_B = log_decay_gradient(*self._unseen_end(x, t_x, T))
        log_odds_gone = np.log(s / B) + log_integral - self._log_silent_alive(x, t_x, T)
        gone, alive = expit(log_odds_gone), expit(-log_odds_gone)
        return last_axis(
            digamma_rising(r, x) - np.log1p(t_x / alpha) + gone * d_p - alive * np.log1p(silence / A),
            (r * t_x / alpha - x) / A + gone * d_A + alive * (r + x) * silence / (A * (alpha + T)),
            -np.log1p(t_x / beta) + gone * (1 / s + d_q) - alive * np.log1p(silence / B),
            s * t_x / (beta * B) + gone * (d_B - 1 / B) + alive * s * silence / (B * (beta + T)),
        )

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Chance that the customer has not left by T."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        gone = np.log(self.s / (self.beta + t_x)) + log_decay_integral(*self._unseen_end(x, t_x, T))
        return expit(self._log_silent_alive(x, t_x, T) - gone)

    def _log_silent_alive(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log chance of living and of staying silent from t_x until T."""
        silence = T - t_x
        return -(self.r + x) * np.log1p(silence / (self.alpha + t_x)) - self.s * np.log1p(silence / (self.beta + t_x))

    def _unseen_end(self, x: Array, t_x: Array, T: Array) -> tuple[ArrayLike, ...]:
        """The integral over an unseen end between t_x and T, as the arguments of ``log_decay_integral``."""
        return T - t_x, self.r + x, self.alpha + t_x, self.s + 1, self.beta + t_x

    def given_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """The model of what a customer with this history does from now on, if still alive."""
        x, T = np.asarray(frequency), np.asarray(T)
        return type(self)(self.r + x, self.alpha + T, self.s, self.beta + T)

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``; may be infinite.

        The mean rate r / alpha times the mean time alive, beta / (s - 1) (1 - (beta / (beta + h))^(s - 1)).
        """
        h, s, beta = checked("horizon", horizon), self.s, self.beta
        log_ratio = np.log1p(np.where(np.isinf(h), 0, h) / beta)
        within = beta * log_ratio * exprel((1 - s) * log_ratio)
        ever = np.where(np.greater(s, 1), beta / np.where(np.greater(s, 1), s - 1, 1), np.inf)
        return self.r / self.alpha * np.where(np.isinf(h), ever, within)

    def _expected_pairs_new(self, horizon: Array) -> Array:
        """The mean square rate times the mean square time alive, the integral of 2 u S(u)."""
        r, alpha, s, beta = astuple(self)
        return 2 * r * (r + 1) / alpha**2 * np.exp(log_decay_integral(horizon, 0, beta, s, beta, power=1))

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Chance that a new customer makes exactly ``count`` repeat purchases at ages in (start, end]."""
        n, start = checked_count(count), checked("start", start)
        window = checked("end - start", np.subtract(end, start), finite=True)
        alive = np.exp(-self.s * np.log1p(start / self.beta))
        return if_alive(
            alive, n, type(self)(self.r, self.alpha, self.s, self.beta + start)._count_probability(n, window)
        )

    def _count_probability(self, n: Array, window: Array) -> Array:
        """Chance of n purchases within a window that the customer outlives, or in which the unseen end falls."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        alive = log_count_probability(n, r, window / alpha) - s * np.log1p(window / beta)
        gone = np.log(s / beta) + log_decay_integral(window, r + n, alpha, s + 1, beta, power=n)
        return np.exp(np.logaddexp(alive, gone + log_rising(r, n) - gammaln(n + 1) - n * np.log(alpha)))

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        r, alpha, s, beta = astuple(self)
        return r / alpha * np.exp(log_decay_integral(horizon, 0, beta, s, beta, rate=rate))

    def simulate(self, T: ArrayLike, rng: np.random.Generator) -> pd.DataFrame:
        """Simulated customers of ages T: their ``frequency, recency, T`` and whether they are still ``alive``."""
        T, r, alpha, s, beta = np.broadcast_arrays(np.atleast_1d(checked("T", T, finite=True)), *astuple(self))
        with np.errstate(divide="ignore"):
            lifetime = rng.standard_exponential(T.shape) / rng.gamma(s, 1 / beta)
        observed = np.minimum(lifetime, T)
        x = rng.poisson(rng.gamma(r, 1 / alpha) * observed)
        recency = np.where(x > 0, observed * rng.random(T.shape) ** (1 / np.maximum(x, 1)), 0.0)
        return pd.DataFrame({"frequency": x, "recency": recency, "T": T, "alive": lifetime > T})
