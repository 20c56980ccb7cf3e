"""BG/NBD: steady repeat buying, with a chance of dropping out after each purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model",
Marketing Science 24(2), 275-284. Equation numbers are theirs; x = frequency, t_x = recency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import expit

from retention_models.btyd.base import Array, BuyTillYouDie, Parameter, purchase_start
from retention_models.estimation.likelihood import Limit
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
        """Rough parameters from the counts' moments, to begin the fit: half of the drop-out chances below 0.2."""
        r, alpha, _ = purchase_start(frequency, T, weight)
        return cls(r, alpha, a=1.0, b=3.0)

    def log_likelihood(self, frequency: Array, recency: Array, T: Array) -> Array:
        """Log-likelihood of each history, eq. (6)."""
        x, r, alpha, a, b = np.asarray(frequency), self.r, self.alpha, self.a, self.b
        alive = log_rising(b, x) - log_rising(a + b, x) - x * np.log(alpha + T) - r * np.log1p(T / alpha)
        return log_rising(r, x) + alive + np.logaddexp(0, self._log_odds_gone(x, recency, T))

    def _log_odds_gone(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log odds that the customer left after the last purchase, from the two terms of eq. (6)."""
        silence = np.log1p((T - t_x) / (self.alpha + t_x))
        return np.where(x > 0, np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1) + (self.r + x) * silence, -np.inf)

    def score(self, frequency: Array, recency: Array, T: Array) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, a, b; shape (..., n, 4)."""
        x, t_x, r, alpha, a, b = np.asarray(frequency), np.asarray(recency), self.r, self.alpha, self.a, self.b
        gone = expit(self._log_odds_gone(x, t_x, T))
        d_both = digamma_rising(a + b, x)
        return _stack(
            digamma_rising(r, x) - np.log1p(T / alpha) + gone * np.log1p((T - t_x) / (alpha + t_x)),
            (r * T / alpha - x) / (alpha + T) - gone * (r + x) * (T - t_x) / ((alpha + T) * (alpha + t_x)),
            gone / a - d_both,
            digamma_rising(b, x) - d_both - gone / (b + np.maximum(x, 1) - 1),
        )


def _stack(*derivatives: Any) -> Array:
    return np.stack(np.broadcast_arrays(*derivatives), axis=-1)
