"""BG/CNBD-k and MBG/CNBD-k: purchases at regular intervals, with a probability of dropping out after each.

Platzer & Reutterer (2016), "Ticking Away the Moments: Timing Regularity Helps to Better Predict Customer Activity",
Marketing Science 35(5), 779-799. Gaps between purchases follow Erlang distributions of k stages; k = 1 is (M)BG/NBD.
They approximate the expectation given a history. Here it is exact: a mean over the unseen stage (see ``erlang``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import gammaln

from retention_models.btyd.betageometric import LIMITS_DROPOUT_AFTER_FIRST, LIMITS_DROPOUT_AFTER_REPEAT, BetaGeometric
from retention_models.btyd.bgnbd import BGNBD
from retention_models.btyd.erlang import ErlangBuyer
from retention_models.btyd.poisson_gamma import start_from_counts
from retention_models.btyd.purchase_model import transaction_log
from retention_models.core.arrays import Array, RNGLike
from retention_models.estimation.elementwise import elementwise, possible_only
from retention_models.estimation.model import Limit

MOST_STAGES = 24  # such gaps vary by a fifth of their mean; beyond, purchases come like clockwork


class RegularBuyers(BetaGeometric):
    """Stages come at rates Gamma(r, alpha) over customers, and every k-th is a purchase.

    The likelihood also depends on ``log_gaps``, the sum of the logarithms of the gaps between a customer's purchases;
    linearly, so that customers who share a history may share its mean.
    """

    __slots__ = ()

    k: int

    averaged: ClassVar[tuple[str, ...]] = ("log_gaps",)

    @property
    def stages(self) -> int:
        """The number k of stages that a customer passes from one purchase to the next."""
        return self.k

    @classmethod
    def start(
        cls, frequency: Array, recency: Array, T: Array, log_gaps: ArrayLike = 0.0, *, weight: Array, k: int = 1
    ) -> Self:
        """Start values for the fit: rates from the counts, and a mean drop-out probability of 1/4."""
        r, alpha = start_from_counts(frequency, T, weight)
        return cls(r, alpha / k, a=1.0, b=3.0, k=k)  # type: ignore[call-arg]

    @classmethod
    def starts(cls, *columns: Array, weight: Array) -> Iterator[Self]:
        """A start for each number of stages, from few to many."""
        return (cls.start(*columns, weight=weight, k=k) for k in range(1, MOST_STAGES + 1))

    @elementwise
    def log_likelihood(
        self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, log_gaps: ArrayLike = 0.0
    ) -> Array:
        """Log-likelihood of each history; without ``log_gaps``, but for a constant that depends on k alone."""
        x = np.asarray(frequency)
        stages = (self.k - 1) * np.asarray(log_gaps) - x * gammaln(self.k)
        return super().log_likelihood(frequency, recency, T) + stages

    @elementwise
    def score(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike, log_gaps: ArrayLike = 0.0) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, a, b; shape (..., n, 4)."""
        return super().score(frequency, recency, T)

    @possible_only
    def conditional_on_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> ErlangBuyer | BGNBD:
        """The model of the future purchases of a customer who is alive now; with k = 1 a BG/NBD."""
        x, t_x, T = np.asarray(frequency), np.asarray(recency), np.asarray(T)
        alpha = self.alpha + T
        b = self.b + x + self.dropout_after_first
        if self.k == 1:
            return BGNBD(self.r + x, alpha, self.a, b)
        return ErlangBuyer(self.r + self.k * x, alpha, self.a, b, self.k, (T - t_x) / alpha)

    def simulate(self, T: ArrayLike, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers of ages T: ``frequency, recency, T, log_gaps`` and whether they are still ``alive``."""
        return self._simulate(T, np.random.default_rng(rng))[0]

    def simulate_transactions(
        self, T: ArrayLike, rng: RNGLike = None, *, start: Any, time_unit: str | pd.Timedelta
    ) -> pd.DataFrame:
        """A simulated log of dated purchases, as for the other models; the gaps between them are regular."""
        customers, gaps = self._simulate(T, np.random.default_rng(rng))
        first = np.cumsum(customers["frequency"].to_numpy() + 1) - customers["frequency"].to_numpy() - 1
        gaps = np.insert(gaps, first - np.arange(len(first)), 0.0)
        age = np.cumsum(gaps)
        return transaction_log(
            customers, age - np.repeat(age[first], customers["frequency"].to_numpy() + 1), start, time_unit
        )

    def _simulate(self, T: ArrayLike, rng: np.random.Generator) -> tuple[pd.DataFrame, Array]:
        """Simulated customers, and the gaps between their purchases, in their order."""
        customers = super().simulate(T, rng)
        x, recency = customers["frequency"].to_numpy(), customers["recency"].to_numpy()
        customer = np.repeat(np.arange(len(x)), x)
        gaps = rng.standard_gamma(self.k, len(customer))
        gaps *= (recency / np.maximum(np.bincount(customer, gaps, len(x)), np.finfo(float).tiny))[customer]
        customers.insert(3, "log_gaps", np.bincount(customer, np.log(gaps), len(x)))
        return customers, gaps


@dataclass(frozen=True, slots=True, repr=False)
class BGCNBD(RegularBuyers):
    """BG/CNBD-k: purchases at regular intervals; customers can leave after each repeat purchase.

    Parameters
    ----------
    r
        Shape of the gamma distribution of stage rates over customers.
    alpha
        Rate parameter of that distribution, in time units; the mean purchase rate is r / (k alpha).
    a, b
        Parameters of the beta distribution of drop-out probabilities; the mean is a / (a + b).
    k
        Number of stages (shape of the Erlang distribution) of the time between purchases, a whole number; 1 is random
        timing.

    Notes
    -----
    Source: Platzer & Reutterer (2016), "Ticking Away the Moments: Timing Regularity Helps to Better Predict Customer
    Activity", Marketing Science 35(5), 779-799.

    Examples
    --------
    >>> regular, random = BGCNBD(0.9, 4.0, 0.8, 2.5, k=3), BGCNBD(0.9, 12.0, 0.8, 2.5, k=1)
    >>> late = {"frequency": 8, "recency": 30.0, "T": 39.0}  # silent for longer than between any two purchases
    >>> print(regular.probability_alive(**late).round(3), random.probability_alive(**late).round(3))
    0.411 0.678
    """

    k: int = 1

    fixed: ClassVar[tuple[str, ...]] = ("k",)
    limits: ClassVar[tuple[Limit, ...]] = LIMITS_DROPOUT_AFTER_REPEAT


@dataclass(frozen=True, slots=True, repr=False)
class MBGCNBD(RegularBuyers):
    """MBG/CNBD-k: purchases at regular intervals; customers can leave after each purchase, the first one included.

    Parameters
    ----------
    r
        Shape of the gamma distribution of stage rates over customers.
    alpha
        Rate parameter of that distribution, in time units; the mean purchase rate is r / (k alpha).
    a, b
        Parameters of the beta distribution of drop-out probabilities; the mean is a / (a + b).
    k
        Number of stages (shape of the Erlang distribution) of the time between purchases, a whole number; 1 is random
        timing.

    Notes
    -----
    Source: Platzer & Reutterer (2016), "Ticking Away the Moments: Timing Regularity Helps to Better Predict Customer
    Activity", Marketing Science 35(5), 779-799.

    Examples
    --------
    >>> model = MBGCNBD(1.5, 3.0, 0.5, 2.0, k=2)
    >>> print(model.expected_purchases(26, frequency=4, recency=30.0, T=39.0).round(3))
    2.321
    """

    k: int = 1

    fixed: ClassVar[tuple[str, ...]] = ("k",)
    limits: ClassVar[tuple[Limit, ...]] = LIMITS_DROPOUT_AFTER_FIRST
    dropout_after_first: ClassVar[int] = 1
