"""Models of customers who are all alike: benchmarks for models of customers who differ.

The geometric model is what a single retention rate assumes. In the discrete Weibull of Nakagawa & Osaki (1975), IEEE
Transactions on Reliability R-24, 300-301, the churn probability changes with tenure. If customers differ, customers
with a high churn probability leave first, and the model takes this for a growing loyalty of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import gammaincc, gammaln

from retention_models.core.arrays import Array
from retention_models.estimation.model import Limit
from retention_models.survival.contract_model import (
    Parameter,
    RetentionModel,
    endless_sum,
    power,
    power_growth,
    power_slope,
    starting_hazard,
)

FAR, FRACTIONS = 100.0, 40  # exposure beyond which so many fractions give all digits


@dataclass(frozen=True, slots=True, repr=False)
class Geometric(RetentionModel):
    """Geometric: all customers renew with the same probability at every renewal.

    Parameters
    ----------
    rate
        Churn rate per renewal; the probability to renew is exp(-rate).

    Notes
    -----
    S(t) = exp(-rate t): what a single retention rate assumes.

    Examples
    --------
    >>> print(Geometric(rate=0.2).retention_rate([1, 7]).round(3))
    [0.819 0.819]
    """

    rate: Parameter

    limits: ClassVar[tuple[Limit, ...]] = ()

    @classmethod
    def start(cls, tenure: Array, at_risk: Array, lost: Array, *, weight: Array) -> Self:
        """The rate of the mean chance to leave."""
        return cls(rate=-np.log1p(-starting_hazard(tenure, at_risk, lost, weight)))

    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """As in ``RetentionModel``."""
        return -self.rate * exposure + 0 * before

    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """As in ``RetentionModel``."""
        return -exposure, 0.0, -self.rate

    def stay_if_saved(self, before: Array, now: Array, later: Array) -> Array:
        """As in ``RetentionModel``: all customers are alike."""
        return np.exp(self.log_stay(before, later)) + 0 * now

    def _log_survival(self, tenure: Array) -> Array:
        return -self.rate * tenure

    def _log_retention(self, tenure: Array) -> Array:
        return -self.rate * (tenure - tenure + 1.0)  # nan stays nan

    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        return (-np.ones_like(tenure),)

    def _residual_sum(self, tenure: Array) -> Array:
        return np.broadcast_arrays(1 / np.expm1(self.rate), tenure)[0].copy()


@dataclass(frozen=True, slots=True, repr=False)
class DiscreteWeibull(RetentionModel):
    """Discrete Weibull: all customers are alike, and their churn probability changes with tenure.

    Parameters
    ----------
    rate
        Churn rate at the first renewal; the probability to renew is exp(-rate).
    c
        Duration dependence: above 1 the churn probability grows with tenure, below 1 it falls.

    Notes
    -----
    S(t) = exp(-rate t^c). Source: Nakagawa & Osaki (1975), IEEE Transactions on Reliability R-24, 300-301.

    Examples
    --------
    >>> print(DiscreteWeibull(rate=0.2, c=0.7).retention_rate([1, 7]).round(3))
    [0.819 0.923]
    """

    rate: Parameter
    c: Parameter

    limits: ClassVar[tuple[Limit, ...]] = (Limit("c", 0.0, "a customer who renews once never leaves"),)

    @classmethod
    def start(cls, tenure: Array, at_risk: Array, lost: Array, *, weight: Array) -> Self:
        """The geometric model of the mean chance to leave."""
        return cls(rate=-np.log1p(-starting_hazard(tenure, at_risk, lost, weight)), c=1.0)

    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """As in ``RetentionModel``."""
        return -self.rate * exposure + 0 * before

    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """As in ``RetentionModel``."""
        return -exposure, 0.0, 0.0, -self.rate

    def stay_if_saved(self, before: Array, now: Array, later: Array) -> Array:
        """As in ``RetentionModel``: all customers are alike."""
        return np.exp(self.log_stay(before, later)) + 0 * now

    def _log_survival(self, tenure: Array) -> Array:
        return -self.rate * power(tenure, self.c)

    def _log_retention(self, tenure: Array) -> Array:
        return -self.rate * power_growth(tenure, self.c)

    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        by_c = -self.rate * (power_slope(tenure, self.c) - power_slope(tenure - 1, self.c))
        return -power_growth(tenure, self.c), by_c

    def _residual_sum(self, tenure: Array) -> Array:
        return endless_sum(self._log_survival, self._area_after, tenure)

    def _area_after(self, tenure: Array) -> Array:
        """The area under S from ``tenure`` on over S there, an incomplete gamma function.

        Where S all but vanishes, by its continued fraction (Abramowitz & Stegun 6.5.31).
        """
        shape, exposure = np.broadcast_arrays(1 / np.asarray(self.c), self.rate * power(tenure, self.c))
        is_far = exposure > FAR + 2 * shape
        log_whole = gammaln(shape) - np.log(self.c) - np.log(self.rate) * shape
        near = np.exp(np.minimum(log_whole + np.where(is_far, 0, exposure), 700.0)) * gammaincc(shape, exposure)
        x, fraction = np.where(is_far, exposure, FAR + 2 * shape), np.zeros(shape.shape)
        for i in range(FRACTIONS, 0, -1):
            fraction = i * (i - shape) / (x + 2 * i + 1 - shape - fraction)
        return np.where(is_far, tenure / self.c / (x + 1 - shape - fraction), near)
