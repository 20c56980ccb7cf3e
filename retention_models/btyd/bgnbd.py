"""BG/NBD: steady repeat buying, with a chance of dropping out after each purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24(2), 275-284. Equation numbers are theirs; x = frequency, t_x = recency. What they write with
hypergeometric functions is here a mean over the drop-out chance p, which has no singularity at a = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit

from retention_models.btyd.base import Array, BuyTillYouDie, Parameter, checked, checked_count, last_axis
from retention_models.btyd.purchases import (
    count_probability,
    log_density,
    log_density_score,
    probability_at_least,
    probability_of_two,
    start_from_counts,
)
from retention_models.estimation.beta import beta_mean
from retention_models.estimation.model import Limit
from retention_models.estimation.quadrature import discounting_rule
from retention_models.estimation.special import digamma_rising, log_rising


@dataclass(frozen=True, slots=True)
class BGNBD(BuyTillYouDie):
    """Purchase rates are Gamma(r, alpha) over customers, drop-out chances Beta(a, b)."""

    r: Parameter
    alpha: Parameter
    a: Parameter
    b: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("a", 0.0, "nobody ever leaves (the NBD model)", undetermined=("b",)),
        Limit("a", 0.0, "each customer leaves after the first repeat purchase, or never", follows=("b",)),
        Limit("b", 0.0, "everybody leaves after the first repeat purchase", undetermined=("a",)),
        Limit("a", np.inf, "everybody has the same chance of leaving after a purchase", follows=("b",)),
        Limit("b", np.inf, "everybody has the same chance of leaving after a purchase", follows=("a",)),
        Limit("r", np.inf, "everybody buys at the same rate while alive", follows=("alpha",)),
    )

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Rough parameters from the data, to begin the fit: rates from the counts, every fourth buyer leaves."""
        r, alpha = start_from_counts(frequency, T, weight)
        return cls(r, alpha, a=1.0, b=3.0)

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Log-likelihood of each history, eq. (6): that of being alive, and what the chance to have left adds."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        stayed = log_rising(self.b, x) - log_rising(self.a + self.b, x)
        alive = log_density(x, T, self.r, self.alpha) + stayed
        return alive - log_expit(-self._log_odds_gone(x, t_x, T))

    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, a, b; shape (..., n, 4)."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        A, silence = alpha + t_x, T - t_x
        gone = expit(self._log_odds_gone(x, t_x, T))
        d_r, d_alpha = log_density_score(x, T, r, alpha)
        d_stayed = digamma_rising(a + b, x)
        return last_axis(
            d_r + gone * np.log1p(silence / A),
            d_alpha - gone * (r + x) * silence / (A * (alpha + T)),
            gone / a - d_stayed,
            digamma_rising(b, x) - d_stayed - gone / (b + np.maximum(x - 1, 0)),
        )

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Chance that the customer has not left; 1 before a repeat purchase, for this model lets nobody leave then."""
        return expit(-self._log_odds_gone(np.asarray(frequency), np.asarray(recency), np.asarray(T)))

    def _log_odds_gone(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log odds of having left at the last purchase: the ratio of the two terms of eq. (6)."""
        silence = np.log1p((T - t_x) / (self.alpha + t_x))
        odds = np.log(self.a) - np.log(self.b + np.maximum(x - 1, 0)) + (self.r + x) * silence
        return np.where(x > 0, odds, -np.inf)

    def given_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """The model of what a customer with this history does from now on, if still alive."""
        x, T = np.asarray(frequency), np.asarray(T)
        return type(self)(self.r + x, self.alpha + T, self.a, self.b + x)

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``, eq. (9); may be infinite."""
        h, r, a, b = checked("horizon", horizon), self.r, self.a, self.b
        odds = np.where(np.isinf(h), 0, h) / self.alpha
        within = beta_mean(_expected, a, b, (r + 1) * odds, r, odds)
        with np.errstate(divide="ignore"):
            ever = 1 + b / np.maximum(a - 1, 0)
        return np.where(np.isinf(h), ever, within)[()]

    def _expected_pairs_new(self, horizon: Array) -> Array:
        odds, r, a, b = horizon / self.alpha, self.r, self.a, self.b
        return 2 * b / (a + b) * beta_mean(_half_pairs, a, b + 1, (r + 2) * odds, r, odds)

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Chance that a new customer makes exactly ``count`` repeat purchases at ages in (start, end].

        From 0 on, eq. (8). Someone with drop-out chance p is alive at ``start`` with a chance that falls with p, so
        from a later ``start`` on each term of eq. (8) is a mean over p.
        """
        n, start = checked_count(count), checked("start", start)
        window = checked("end - start", np.subtract(end, start), finite=True)
        r, alpha, a, b = self.r, self.alpha, self.a, self.b

        def mean(function: Callable[..., Array], a: Parameter, b: Parameter) -> Array:
            if not np.any(start):
                return function(0.0, n, r, alpha, 0.0, window)
            return beta_mean(function, a, b, (2 * r + n + 1) * start / alpha, n, r, alpha, start, window)

        stayed = np.exp(log_rising(b, n) - log_rising(a + b, n))
        before = b + np.maximum(n - 1, 0)
        gone = np.where(n > 0, stayed * a / before * mean(_at_least, a + 1, before), 1 - mean(_alive, a, b))
        return stayed * mean(_exactly, a, b + n) + gone

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        r, alpha = self.r, self.alpha
        reach = np.minimum(horizon, 1 / rate)
        return r / alpha * beta_mean(_discounted_time, self.a, self.b, (r + 1) * reach / alpha, r, alpha, rate, horizon)

    def simulate(self, T: ArrayLike, rng: np.random.Generator) -> pd.DataFrame:
        """Simulated customers of ages T: their ``frequency, recency, T`` and whether they are still ``alive``."""
        T, r, alpha, a, b = np.broadcast_arrays(np.atleast_1d(checked("T", T, finite=True)), *astuple(self))
        if_staying = rng.poisson(rng.gamma(r, 1 / alpha) * T)
        with np.errstate(divide="ignore", over="ignore"):
            leaves_after = 1 + np.floor(-rng.standard_exponential(T.shape) / np.log1p(-rng.beta(a, b)))
        x = np.minimum(if_staying, leaves_after)
        recency = np.where(x > 0, T * rng.beta(np.maximum(x, 1), if_staying - x + 1), 0.0)
        return pd.DataFrame(
            {"frequency": x.astype(np.int64), "recency": recency, "T": T, "alive": leaves_after > if_staying}
        )


def _expected(p: Array, r: Array, odds: Array) -> Array:
    """Expected purchases given p: the chance that a drop-out is due, over p."""
    return -np.expm1(-r * np.log1p(p * odds)) / p


def _half_pairs(p: Array, r: Array, odds: Array) -> Array:
    """E[X (X - 1)] given p, over 2 (1 - p): the chance that two drop-outs would be due, over p^2."""
    return probability_of_two(r, p * odds) / p**2


def _alive(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to be alive at ``start``, where rates of those alive are Gamma(r, alpha + p start)."""
    return np.exp(-r * np.log1p(p * start / alpha))


def _exactly(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to be alive at ``start`` and then, but for drop-outs, to buy n times in the window."""
    return _alive(p, n, r, alpha, start, window) * count_probability(n, r, window / (alpha + p * start))


def _at_least(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to be alive at ``start`` and then, but for drop-outs, to buy n times or more in the window."""
    return _alive(p, n, r, alpha, start, window) * probability_at_least(n, r, window / (alpha + p * start))


def _discounted_time(p: Array, r: Array, alpha: Array, rate: Array, horizon: Array) -> Array:
    """Discounted time alive within ``horizon`` given p, weighted by the purchase rate over its mean r / alpha."""
    age, weight = discounting_rule(rate, horizon, alpha)
    total = np.zeros_like(p)
    for t, w in zip(age, weight, strict=True):
        total += w * np.exp(-(r + 1) * np.log1p(p * t / alpha))
    return total
