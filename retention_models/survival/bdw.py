"""Beta-discrete-Weibull: churn probabilities differ between customers and change with tenure.

With c > 1 a customer's churn probability grows from renewal to renewal, with c < 1 it falls; c = 1 is the
shifted-beta-geometric. S(t) = B(alpha, beta + t^c) / B(alpha, beta).

Fader, Hardie, Liu, Davin & Steenburgh (2018), "'How to Project Customer Retention' Revisited: The Role of Duration
Dependence", Journal of Interactive Marketing 43, 1-16.
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
from retention_models.survival.beta_mixture import log_mean_power, log_mean_power_slopes, mean_if_saved
from retention_models.survival.contract_model import (
    Parameter,
    RetentionModel,
    endless_sum,
    power,
    power_growth,
    power_slope,
    starting_hazard,
)


@dataclass(frozen=True, slots=True, repr=False)
class BetaDiscreteWeibull(RetentionModel):
    """Beta-discrete-Weibull (BdW): churn probabilities differ between customers, and change with tenure.

    Parameters
    ----------
    alpha, beta
        Parameters of the beta distribution of churn probabilities at the first renewal; the mean is
        alpha / (alpha + beta).
    c
        Duration dependence: above 1 a customer's churn probability grows with tenure, below 1 it falls. With c = 1 the
        model is the shifted-beta-geometric.

    Notes
    -----
    S(t) = B(alpha, beta + t^c) / B(alpha, beta). Source: Fader, Hardie, Liu, Davin & Steenburgh (2018), "'How to
    Project Customer Retention' Revisited: The Role of Duration Dependence", Journal of Interactive Marketing 43, 1-16.

    Examples
    --------
    >>> model = BetaDiscreteWeibull(alpha=1.0, beta=8.0, c=1.8)
    >>> print(model.retention_rate([1, 3, 12]).round(3))  # each tires with time, and later the faithful are left
    [0.889 0.754 0.867]
    """

    alpha: Parameter
    beta: Parameter
    c: Parameter

    links: ClassVar[dict[str, Link]] = {"churn": LogitMeanLink("alpha", "beta")}
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("alpha", np.inf, "all customers have the same chances to leave (discrete Weibull)", follows=("beta",)),
        Limit("alpha", 0.0, "each customer leaves at the first renewal, or never", ("c",), follows=("beta",)),
        Limit("c", 0.0, "a customer who renews once never leaves", undetermined=("beta",)),
    )

    @classmethod
    def start(cls, tenure: Array, at_risk: Array, lost: Array, *, weight: Array) -> Self:
        """Rough parameters to begin the fit: chances spread evenly around the mean, and no ageing."""
        hazard = starting_hazard(tenure, at_risk, lost, weight)
        return cls(alpha=1.0, beta=1 / hazard - 1, c=1.0)

    def _log_survival(self, tenure: Array) -> Array:
        return log_mean_power(self.alpha, self.beta, power(tenure, self.c))

    def _log_retention(self, tenure: Array) -> Array:
        return log_mean_power(self.alpha, self.beta + power(tenure - 1, self.c), power_growth(tenure, self.c))

    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        before, growth = power(tenure - 1, self.c), power_growth(tenure, self.c)
        by_alpha, by_beta, by_growth = log_mean_power_slopes(self.alpha, self.beta + before, growth)
        slope_before = power_slope(tenure - 1, self.c)
        by_c = by_beta * slope_before + by_growth * (power_slope(tenure, self.c) - slope_before)
        return by_alpha, by_beta, by_c

    def _residual_sum(self, tenure: Array) -> Array:
        return endless_sum(self._log_survival, self._area_after, tenure)

    def _area_after(self, tenure: Array) -> Array:
        """The area under S from ``tenure`` on over S there, for one set of parameters; infinite where alpha c <= 1.

        In z = log t^c the integrand is smooth; beyond t^c = 1e8 (1 + alpha + beta)^2, S falls as t^(-alpha c).
        """
        c, index = float(self.c), float(self.alpha * self.c)
        if index <= 1:
            return np.full(np.shape(tenure), np.inf)
        nodes, weights = (np.tile(column.ravel(), 1) for column in gauss_legendre(16))
        first = c * np.log(tenure)
        panels = np.arange(max(1, np.ceil(np.log(1e8) + 2 * np.log1p(self.alpha + self.beta) - np.min(first))))
        z = first[..., None] + (panels[:, None] + nodes).ravel()
        now = self._log_survival(tenure)
        height = np.exp(log_mean_power(self.alpha, self.beta, np.exp(z)) - now[..., None] + z / c) / c
        end = np.exp((first + len(panels)) / c)
        return height @ np.tile(weights, len(panels)) + np.exp(self._log_survival(end) - now) * end / (index - 1)

    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """As in ``RetentionModel``."""
        return log_mean_power(self.alpha, self.beta + before, exposure)

    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """As in ``RetentionModel``."""
        by_alpha, by_beta, by_exposure = log_mean_power_slopes(self.alpha, self.beta + before, exposure)
        return by_alpha, by_beta, 0.0, by_beta, by_exposure

    def stay_if_saved(self, before: Array, now: Array, later: Array) -> Array:
        """As in ``RetentionModel``, with the digits that small exposures need."""
        return mean_if_saved(self.alpha, self.beta, before, now, later)
