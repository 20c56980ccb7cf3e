"""BG/NBD: purchases at a constant rate, with a probability of dropping out after each repeat purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24(2), 275-284. Equation numbers are theirs; x = frequency, t_x = recency. Their
hypergeometric functions are here means over the drop-out probability p, which have no singularity at a = 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from retention_models.btyd.betageometric import LIMITS_DROPOUT_AFTER_REPEAT, BetaGeometric
from retention_models.btyd.poisson_gamma import count_probability, probability_at_least, two_over_square
from retention_models.btyd.purchase_model import Parameter, require_count, require_nonnegative
from retention_models.core.arrays import Array
from retention_models.estimation.elementwise import possible_only
from retention_models.estimation.model import Limit
from retention_models.estimation.numerics.beta import beta_mean
from retention_models.estimation.numerics.quadrature import discounting_rule
from retention_models.estimation.numerics.special import log_rising

USUAL = 0.3  # of the mean purchase rate of those who leave soon: that at which times alive are told apart


@dataclass(frozen=True, slots=True, repr=False)
class BGNBD(BetaGeometric):
    """BG/NBD: purchases at a constant rate; customers can leave after each repeat purchase.

    Parameters
    ----------
    r
        Shape of the gamma distribution of purchase rates over customers.
    alpha
        Rate parameter of that distribution, in time units; the mean purchase rate is r / alpha.
    a, b
        Parameters of the beta distribution of drop-out probabilities; the mean is a / (a + b).

    Notes
    -----
    Source: Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
    Marketing Science 24(2), 275-284.

    Examples
    --------
    >>> model = BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426)
    >>> print(model.probability_alive(frequency=2, recency=30.43, T=38.86).round(3))
    0.727
    >>> print(model.expected_purchases(39, frequency=2, recency=30.43, T=38.86).round(3))
    1.226
    """

    limits: ClassVar[tuple[Limit, ...]] = LIMITS_DROPOUT_AFTER_REPEAT

    @possible_only
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Self:
        """The model of the future purchases of a customer who is alive now; parameters of shape (n,)."""
        x, T = np.asarray(frequency), np.asarray(T)
        return type(self)(self.r + x, self.alpha + T, self.a, self.b + x)

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``, eq. (9); may be infinite."""
        h, r, a, b = require_nonnegative("horizon", horizon), self.r, self.a, self.b
        odds = np.where(np.isinf(h), 0, h) / self.alpha
        within = beta_mean(_expected_purchases, a, b, (r + 1) * odds, r, odds)
        with np.errstate(divide="ignore"):
            ever = 1 + b / np.maximum(a - 1, 0)
        return np.where(np.isinf(h), ever, within)[()]

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Probability that a new customer has not left by the end of a finite ``horizon``."""
        odds = require_nonnegative("horizon", horizon, finite=True) / self.alpha
        return beta_mean(_probability_staying, self.a, self.b, self.r * odds, self.r, odds)

    def _expected_pairs_new(self, horizon: Array) -> Array:
        odds, r, a, b = horizon / self.alpha, self.r, self.a, self.b
        steepness = (1 + (r + 2) * odds) ** 2  # the square, for these grow like 1 / p^2
        return 2 * b / (a + b) * beta_mean(_half_pairs, a, b + 1, steepness, r, odds)

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Probability that a new customer makes exactly ``count`` repeat purchases at ages in (start, end].

        From 0 on, eq. (8). Someone with drop-out chance p is alive at ``start`` with a chance that falls with p, so
        from a later ``start`` on each term of eq. (8) is a mean over p.
        """
        n, start = require_count(count), require_nonnegative("start", start)
        window = require_nonnegative("end - start", np.subtract(end, start), finite=True)
        r, alpha, a, b = self.r, self.alpha, self.a, self.b

        def mean(function: Callable[..., Array], a: Parameter, b: Parameter) -> Array:
            if not np.any(start):
                return function(0.0, n, r, alpha, 0.0, window)
            return beta_mean(function, a, b, (2 * r + n + 1) * start / alpha, n, r, alpha, start, window)

        stayed = np.exp(log_rising(b, n) - log_rising(a + b, n))
        before = b + np.maximum(n - 1, 0)
        gone = np.where(
            n > 0, stayed * a / before * mean(_probability_at_least, a + 1, before), mean(_probability_gone, a, b)
        )
        return stayed * mean(_probability_exactly, a, b + n) + gone

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        steepness = (r + 1) * np.minimum(horizon, 1 / rate) / alpha
        lifetime = alpha / (1 + USUAL * (r + 1) * (a + 1) / (a + b))
        return r / alpha * beta_mean(_discounted_time, a, b, steepness, r, alpha, lifetime, rate, horizon)


def _expected_purchases(p: Array, r: Array, odds: Array) -> Array:
    """Expected purchases given p: the chance that a drop-out is due, over p."""
    return -np.expm1(-r * np.log1p(p * odds)) / p


def _probability_staying(p: Array, r: Array, odds: Array) -> Array:
    """Chance given p that no drop-out is due."""
    return np.exp(-r * np.log1p(p * odds))


def _half_pairs(p: Array, r: Array, odds: Array) -> Array:
    """E[X (X - 1)] given p, over 2 (1 - p): the chance that two drop-outs would be due, over p^2."""
    return two_over_square(r, p * odds) * odds**2


def _probability_alive(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to be alive at ``start``, where rates of those alive are Gamma(r, alpha + p start)."""
    return np.exp(-r * np.log1p(p * start / alpha))


def _probability_gone(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to have left before ``start``."""
    return -np.expm1(-r * np.log1p(p * start / alpha))


def _probability_exactly(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to be alive at ``start`` and then, but for drop-outs, to buy n times in the window."""
    return _probability_alive(p, n, r, alpha, start, window) * count_probability(n, r, window / (alpha + p * start))


def _probability_at_least(p: Array, n: Array, r: Array, alpha: Array, start: Array, window: Array) -> Array:
    """Chance given p to be alive at ``start`` and then, but for drop-outs, to buy n times or more in the window."""
    return _probability_alive(p, n, r, alpha, start, window) * probability_at_least(n, r, window / (alpha + p * start))


def _discounted_time(p: Array, r: Array, alpha: Array, lifetime: Array, rate: Array, horizon: Array) -> Array:
    """Discounted time alive within ``horizon`` given p, weighted by the purchase rate over its mean r / alpha."""
    age, weight = discounting_rule(rate, horizon, lifetime)
    total = np.zeros_like(p)
    for t, w in zip(age, weight, strict=True):
        total += w * np.exp(-(r + 1) * np.log1p(p * t / alpha))
    return total
