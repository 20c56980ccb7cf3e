"""Customers who may leave after each purchase, with a chance of their own that is Beta(a, b) over customers.

What the BG models share, the modified ones (MBG), in which customers may leave right after the first purchase, and
those of regular buyers (CNBD-k), whose gaps between purchases have k unseen stages of the same rate. Platzer &
Reutterer (2016), "Ticking Away the Moments: Timing Regularity Helps to Better Predict Customer Activity", Marketing
Science 35(5), 779-799, have the likelihood in general. x = frequency, t_x = recency; k = 1 is a purchase at any moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, log_expit

from retention_models.btyd.poisson_gamma import log_density, log_density_score, silent_stages, start_from_counts
from retention_models.btyd.purchase_model import (
    BuyTillYouDie,
    Parameter,
    require_nonnegative,
    stack_derivatives,
    zero_inflated_probability,
)
from retention_models.core.arrays import Array, RNGLike
from retention_models.estimation.elementwise import elementwise
from retention_models.estimation.links import Link, LogitMeanLink, LogLink
from retention_models.estimation.model import Limit
from retention_models.estimation.numerics.special import digamma_rising, log_rising

NEW_CUSTOMER = (0, 0.0, 0.0)  # the history of someone who has just bought for the first time

LIMITS = (
    Limit("a", 0.0, "nobody ever leaves (the NBD model)", undetermined=("b",), nobody_leaves=True),
    Limit("a", np.inf, "everybody has the same chance of leaving after a purchase", follows=("b",)),
    Limit("b", np.inf, "everybody has the same chance of leaving after a purchase", follows=("a",)),
    Limit("r", np.inf, "everybody buys at the same rate while alive", follows=("alpha",)),
)
LIMITS_DROPOUT_AFTER_REPEAT = (
    LIMITS[0],
    Limit("a", 0.0, "each customer leaves after the first repeat purchase, or never", follows=("b",)),
    Limit("b", 0.0, "everybody leaves after the first repeat purchase", undetermined=("a",)),
    *LIMITS[1:],
)
LIMITS_DROPOUT_AFTER_FIRST = (
    LIMITS[0],
    Limit("a", 0.0, "each customer leaves after the first purchase, or never", follows=("b",)),
    *LIMITS[1:],
)


@dataclass(frozen=True, slots=True, repr=False)
class BetaGeometric(BuyTillYouDie):
    """Rates are Gamma(r, alpha) over customers, drop-out chances Beta(a, b).

    ``dropout_after_first`` is 1 where customers may leave after the first purchase, and 0 where only after repeat ones.
    """

    r: Parameter
    alpha: Parameter
    a: Parameter
    b: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    dropout_after_first: ClassVar[int] = 0
    links: ClassVar[Mapping[str, Link]] = {"purchase": LogLink("alpha", -1), "dropout": LogitMeanLink("a", "b")}

    @property
    def stages(self) -> int:
        """The number k of stages that a customer passes from one purchase to the next."""
        return 1

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Start values for the fit: rates from the counts, and a mean drop-out probability of 1/4."""
        r, alpha = start_from_counts(frequency, T, weight)
        return cls(r, alpha, a=1.0, b=3.0)

    @elementwise
    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Log-likelihood of each history, over the customer being alive or having left; shape (n,)."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        survived = x + self.dropout_after_first
        stayed = log_rising(self.b, survived) - log_rising(self.a + self.b, survived)
        alive = log_density(self.stages * x, T, self.r, self.alpha) + stayed + self._log_waiting(x, t_x, T)
        return alive - log_expit(-self._log_odds_gone(x, t_x, T))

    @elementwise
    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, a, b; shape (..., n, 4)."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        A, silence, survived, passed = alpha + t_x, T - t_x, x + self.dropout_after_first, self.stages * x
        gone = expit(self._log_odds_gone(x, t_x, T))
        d_r, d_alpha = log_density_score(passed, T, r, alpha)
        w_r, w_alpha = self._waiting_score(x, t_x, T)
        d_stayed = digamma_rising(a + b, survived)
        return stack_derivatives(
            d_r + gone * np.log1p(silence / A) + (1 - gone) * w_r,
            d_alpha - gone * (r + passed) * silence / (A * (alpha + T)) + (1 - gone) * w_alpha,
            gone / a - d_stayed,
            digamma_rising(b, survived) - d_stayed - gone / (b + np.maximum(survived - 1, 0)),
        )

    def _alive_now(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Array:
        """Probability that the customer has not left; 1 before anyone can leave. Shape (n,)."""
        return expit(-self._log_odds_gone(np.asarray(frequency), np.asarray(recency), np.asarray(T)))

    def _log_odds_gone(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log odds of having left at the last purchase: the ratio of the two terms of the likelihood."""
        survived = x + self.dropout_after_first
        leaving = np.log(self.a) - np.log(self.b + np.maximum(survived - 1, 0))
        silence = (self.r + self.stages * x) * np.log1p((T - t_x) / (self.alpha + t_x))
        return np.where(survived > 0, leaving + silence - self._log_waiting(x, t_x, T), -np.inf)

    def _silent_stages(self, x: Array, t_x: Array, T: Array) -> Array:
        """Chance of each number of stages since the last purchase, over that of none; shape (k, ..., n)."""
        return silent_stages(self.stages, self.r + self.stages * x, (T - t_x) / (self.alpha + T))

    def _log_waiting(self, x: Array, t_x: Array, T: Array) -> Array | float:
        """What passing stages unseen adds to the log chance of the silence since t_x; 0 where there is but one."""
        return np.log(self._silent_stages(x, t_x, T).sum(axis=0)) if self.stages > 1 else 0.0

    def _waiting_score(self, x: Array, t_x: Array, T: Array) -> tuple[Array | float, Array | float]:
        """Derivatives of ``_log_waiting`` in r and alpha."""
        if self.stages == 1:
            return 0.0, 0.0
        stages = self._silent_stages(x, t_x, T)
        share, base = stages / stages.sum(axis=0), self.r + self.stages * x
        d_r = sum(share[j] * digamma_rising(base, np.asarray(j)) for j in range(1, self.stages))
        mean_stage = sum(j * share[j] for j in range(1, self.stages))
        return d_r, -mean_stage / (self.alpha + T)

    def expected_purchases_new(self, horizon: ArrayLike) -> Array:
        """Expected number of repeat purchases of a new customer within ``horizon``; may be infinite."""
        return self.expected_purchases(horizon, *NEW_CUSTOMER)

    def probability_staying_new(self, horizon: ArrayLike) -> Array:
        """Probability that a new customer has not left by the end of a finite ``horizon``."""
        return self._alive_now(*NEW_CUSTOMER) * self.conditional_on_alive(*NEW_CUSTOMER).probability_staying_new(
            horizon
        )

    def _expected_pairs_new(self, horizon: Array) -> Array:
        return self._alive_now(*NEW_CUSTOMER) * self.conditional_on_alive(*NEW_CUSTOMER)._expected_pairs_new(horizon)

    def purchase_probability_new(self, count: ArrayLike, end: ArrayLike, start: ArrayLike = 0.0) -> Array:
        """Probability that a new customer makes exactly ``count`` repeat purchases at ages in (start, end]."""
        then = self.conditional_on_alive(*NEW_CUSTOMER)
        return zero_inflated_probability(
            self._alive_now(*NEW_CUSTOMER), count, then.purchase_probability_new(count, end, start)
        )

    def _discounted_new(self, rate: Array, horizon: Array) -> Array:
        return self._alive_now(*NEW_CUSTOMER) * self.conditional_on_alive(*NEW_CUSTOMER)._discounted_new(rate, horizon)

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers of ages T: their ``frequency, recency, T`` and whether they are still ``alive``."""
        ages = np.atleast_1d(require_nonnegative("T", T, finite=True))
        T, r, alpha, a, b = np.broadcast_arrays(ages, self.r, self.alpha, self.a, self.b)
        rng = np.random.default_rng(rng)
        stages = rng.poisson(rng.gamma(r, 1 / alpha) * T)
        with np.errstate(divide="ignore", over="ignore"):
            stays = np.floor(-rng.standard_exponential(T.shape) / np.log1p(-rng.beta(a, b)))
        leaves_after, if_staying = stays + 1 - self.dropout_after_first, stages // self.stages
        x = np.minimum(if_staying, leaves_after)
        passed = self.stages * x
        recency = np.where(x > 0, T * rng.beta(np.maximum(passed, 1), stages - passed + 1), 0.0)
        return pd.DataFrame(
            {"frequency": x.astype(np.int64), "recency": recency, "T": T, "alive": leaves_after > if_staying}
        )
