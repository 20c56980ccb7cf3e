"""Shifted-beta-geometric: customers differ in their probability of leaving at a renewal.

Retention rises with tenure although no customer changes, because customers with a high churn probability leave first.

Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1), 76-90. In hazard
form the likelihood needs no beta functions: the hazard at the t-th renewal is alpha/(alpha + beta + t - 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.links import Link, LogitMeanLink
from retention_models.estimation.model import Limit
from retention_models.survival.beta_mixture import log_mean_power, log_mean_power_slopes, mean_if_saved
from retention_models.survival.contract_model import Parameter, RetentionModel, starting_hazard


@dataclass(frozen=True, slots=True, repr=False)
class ShiftedBetaGeometric(RetentionModel):
    """Shifted-beta-geometric (sBG): churn probabilities differ between customers, and stay the same over time.

    Parameters
    ----------
    alpha, beta
        Parameters of the beta distribution of churn probabilities; the mean is alpha / (alpha + beta).

    Notes
    -----
    S(t) = B(alpha, beta + t) / B(alpha, beta). Source: Fader & Hardie (2007), "How to Project Customer Retention",
    Journal of Interactive Marketing 21(1), 76-90.

    Examples
    --------
    >>> model = ShiftedBetaGeometric(alpha=0.704, beta=1.182)
    >>> print(model.survival_function([1, 2, 7]).round(3), model.retention_rate([1, 2, 7]).round(3))
    [0.627 0.474 0.239] [0.627 0.756 0.911]
    """

    alpha: Parameter
    beta: Parameter

    links: ClassVar[dict[str, Link]] = {"churn": LogitMeanLink("alpha", "beta")}
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("alpha", np.inf, "all customers have the same chance to leave", follows=("beta",)),
        Limit("alpha", 0.0, "each customer leaves at the first renewal, or never", follows=("beta",)),
    )

    @classmethod
    def start(cls, tenure: Array, at_risk: Array, lost: Array, *, weight: Array) -> Self:
        """Rough parameters to begin the fit: chances spread evenly around the mean."""
        hazard = starting_hazard(tenure, at_risk, lost, weight)
        return cls(alpha=1.0, beta=1 / hazard - 1)

    def _log_survival(self, tenure: Array) -> Array:
        return log_mean_power(self.alpha, self.beta, tenure)

    def _log_retention(self, tenure: Array) -> Array:
        return -np.log1p(self.alpha / (self.beta + (tenure - 1)))

    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        stay = self.beta + (tenure - 1)
        return -1 / (self.alpha + stay), self.alpha / (self.alpha + stay) / stay

    def _residual_sum(self, tenure: Array) -> Array:
        with np.errstate(divide="ignore"):
            return (self.beta + tenure) / np.maximum(np.subtract(self.alpha, 1.0), 0.0)

    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """As in ``RetentionModel``."""
        return log_mean_power(self.alpha, self.beta + before, exposure)

    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """As in ``RetentionModel``."""
        by_alpha, by_beta, by_exposure = log_mean_power_slopes(self.alpha, self.beta + before, exposure)
        return by_alpha, by_beta, by_beta, by_exposure

    def stay_if_saved(self, before: Array, now: Array, later: Array) -> Array:
        """As in ``RetentionModel``, with the digits that small exposures need."""
        return mean_if_saved(self.alpha, self.beta, before, now, later)
