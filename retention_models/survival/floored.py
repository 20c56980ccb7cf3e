"""Floored beta-geometric: a shifted-beta-geometric beside a chance to leave that is the same for all and never falls.

Payment failures, moves and deaths end contracts of loyal customers, too. Without a floor, the retention of those who
remain rises towards 1, and a value without end rests on it.

Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1), 76-90, is the model
without a floor. The two ways to leave are independent competing risks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.links import Link, LogitMeanLink
from retention_models.estimation.model import Limit
from retention_models.estimation.numerics.quadrature import gauss_legendre
from retention_models.survival.beta_mixture import log_mean_power, log_mean_power_slopes
from retention_models.survival.contract_model import (
    Parameter,
    RetentionModel,
    endless_sum,
    starting_hazard,
)

ENOUGH = 45.0  # e^-45 of a curve is nothing of its area


@dataclass(frozen=True, slots=True, repr=False)
class FlooredBetaGeometric(RetentionModel):
    """Floored beta-geometric: churn probabilities differ between customers, and a part of them is the same for all.

    Parameters
    ----------
    alpha, beta
        Parameters of the beta distribution of the customers' own churn probabilities; the mean is
        alpha / (alpha + beta).
    floor
        Churn rate per renewal that is the same for all customers: a probability of 1 - exp(-floor). It remains when the
        customers with high probabilities of their own have left.

    Notes
    -----
    S(t) = exp(-floor t) B(alpha, beta + t) / B(alpha, beta): a shifted-beta-geometric (Fader & Hardie 2007, "How to
    Project Customer Retention", Journal of Interactive Marketing 21(1), 76-90) and an independent constant risk.

    Examples
    --------
    >>> model = FlooredBetaGeometric(alpha=0.7, beta=1.2, floor=0.02)
    >>> print(model.retention_rate([1, 7, 100]).round(3))  # never above exp(-0.02) = 0.980
    [0.619 0.893 0.973]
    """

    alpha: Parameter
    beta: Parameter
    floor: Parameter

    links: ClassVar[dict[str, Link]] = {"churn": LogitMeanLink("alpha", "beta")}
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("floor", 0.0, "no part of the churn is the same for all (shifted-beta-geometric)"),
        Limit("alpha", np.inf, "all customers have the same chance to leave", ("floor",), follows=("beta",)),
        Limit("alpha", 0.0, "each customer leaves at the first renewal, or by the floor alone", follows=("beta",)),
    )

    @classmethod
    def start(cls, tenure: Array, at_risk: Array, lost: Array, *, weight: Array) -> Self:
        """Rough parameters to begin the fit: chances spread evenly around the mean, a tenth of churn for all."""
        hazard = starting_hazard(tenure, at_risk, lost, weight)
        return cls(alpha=1.0, beta=1 / hazard - 1, floor=hazard / 10)

    def _log_survival(self, tenure: Array) -> Array:
        return log_mean_power(self.alpha, self.beta, tenure) - self.floor * tenure

    def _log_retention(self, tenure: Array) -> Array:
        return -np.log1p(self.alpha / (self.beta + (tenure - 1))) - self.floor

    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        stay = self.beta + (tenure - 1)
        by_alpha, by_beta = -1 / (self.alpha + stay), self.alpha / (self.alpha + stay) / stay
        return by_alpha, by_beta, -np.ones_like(by_alpha)

    def _residual_sum(self, tenure: Array) -> Array:
        return endless_sum(self._log_survival, self._area_after, tenure)

    def _area_after(self, tenure: Array) -> Array:
        """The area under S from ``tenure`` on over S there, for one set of parameters.

        In z = log t the integrand is smooth; it ends where the floor alone has left e^-45 of S.
        """
        nodes, weights = (column.ravel() for column in gauss_legendre(16))
        first = np.log(tenure)
        panels = np.arange(np.ceil(np.max(np.log(tenure + ENOUGH / float(self.floor)) - first)))
        z = first[..., None] + (panels[:, None] + nodes).ravel()
        now = self._log_survival(tenure)
        return np.exp(self._log_survival(np.exp(z)) - now[..., None] + z) @ np.tile(weights, len(panels))

    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """As in ``RetentionModel``."""
        return log_mean_power(self.alpha, self.beta + before, exposure) - self.floor * exposure

    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """As in ``RetentionModel``."""
        by_alpha, by_beta, by_exposure = log_mean_power_slopes(self.alpha, self.beta + before, exposure)
        return by_alpha, by_beta, -exposure, by_beta, by_exposure - self.floor
