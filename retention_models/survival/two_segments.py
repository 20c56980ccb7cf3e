"""Two segments of customers with different churn rates: the simplest model of customers who differ.

As the less loyal customers leave, the share of loyal customers grows. Fader & Hardie (2010), "Customer-Base Valuation
in a Contractual Setting: The Perils of Ignoring Heterogeneity", Marketing Science 29(1), 85-93, value such a customer
base with models that ignore the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from retention_models.core.arrays import Array
from retention_models.estimation.model import Limit
from retention_models.survival.contract_model import Parameter, RetentionModel, starting_hazard


@dataclass(frozen=True, slots=True, repr=False)
class TwoSegments(RetentionModel):
    """Two segments: loyal customers renew with probability exp(-rate), others with exp(-rate - extra).

    Parameters
    ----------
    odds
        Loyal customers per customer of the other segment, at the start of the contract.
    rate
        Churn rate of loyal customers per renewal.
    extra
        Additional churn rate of the other segment per renewal.

    Notes
    -----
    A finite mixture of two geometric models. Fader & Hardie (2010), "Customer-Base Valuation in a Contractual
    Setting: The Perils of Ignoring Heterogeneity", Marketing Science 29(1), 85-93, use such a customer base.

    Examples
    --------
    >>> model = TwoSegments(rate=0.1, extra=0.5, odds=1.0)
    >>> print(model.retention_rate([1, 7]).round(3))  # the fickle leave first
    [0.727 0.888]
    """

    odds: Parameter
    rate: Parameter
    extra: Parameter

    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("odds", np.inf, "all customers are alike (geometric)", undetermined=("extra",)),
        Limit("extra", 0.0, "all customers are alike (geometric)", undetermined=("odds",)),
        Limit("extra", np.inf, "the fickle leave at the first renewal"),
        Limit("rate", 0.0, "the loyal never leave"),
    )

    @classmethod
    def start(cls, tenure: Array, at_risk: Array, lost: Array, *, weight: Array) -> Self:
        """As many of one kind as of the other, the fickle leaving six times as fast."""
        rate = -np.log1p(-starting_hazard(tenure, at_risk, lost, weight))
        return cls(odds=1.0, rate=rate / 2, extra=2.5 * rate)

    def share_loyal(self, tenure: ArrayLike) -> Array:
        """Share of loyal customers among those who remain.

        Parameters
        ----------
        tenure
            Number of renewals made, 0 or more; any shape.

        Returns
        -------
        numpy.ndarray
            Shares in the broadcast shape of ``tenure`` and the parameters.
        """
        return expit(np.log(self.odds) + self.extra * np.asarray(tenure, dtype=float))

    def _log_survival(self, tenure: Array) -> Array:
        fickle = np.log1p(np.exp(-self.extra * tenure) / self.odds)
        return fickle - np.log1p(1 / np.asarray(self.odds)) - self.rate * tenure

    def _log_retention(self, tenure: Array) -> Array:
        fickle = 1 - self.share_loyal(tenure - 1)
        return np.log1p(fickle * np.expm1(-self.extra)) - self.rate

    def _log_retention_slopes(self, tenure: Array) -> Sequence[Array]:
        loyal_before, loyal_after = self.share_loyal(tenure - 1), self.share_loyal(tenure)
        by_odds = (loyal_after - loyal_before) / self.odds
        by_extra = (tenure - 1) * (1 - loyal_before) - tenure * (1 - loyal_after)
        return by_odds, -np.ones_like(loyal_before), by_extra

    def _residual_sum(self, tenure: Array) -> Array:
        loyal, both = self.share_loyal(tenure), self.rate + self.extra
        return loyal / np.expm1(self.rate) + (1 - loyal) / np.expm1(both)

    def log_stay(self, before: Array | float, exposure: Array) -> Array:
        """As in ``RetentionModel``."""
        fickle = 1 - self.share_loyal(before)
        return np.log1p(fickle * np.expm1(-self.extra * exposure)) - self.rate * exposure

    def log_stay_slopes(self, before: Array, exposure: Array) -> Sequence[Array | float]:
        """As in ``RetentionModel``."""
        after = before + exposure
        fickle_before, fickle_after = (1 - self.share_loyal(when) for when in (before, after))
        by_odds = (fickle_before - fickle_after) / self.odds
        by_extra = before * fickle_before - after * fickle_after
        by_after = -self.rate - self.extra * fickle_after
        return by_odds, -exposure, by_extra, by_after + self.rate + self.extra * fickle_before, by_after

    def stay_if_saved(self, before: Array, now: Array, later: Array) -> Array:
        """As in ``RetentionModel``: most of those who would have left are fickle."""
        both = self.rate + self.extra
        loyal = self.share_loyal(before) * -np.expm1(-self.rate * now)
        fickle = (1 - self.share_loyal(before)) * -np.expm1(-both * now)
        return (loyal * np.exp(-self.rate * later) + fickle * np.exp(-both * later)) / (loyal + fickle)
