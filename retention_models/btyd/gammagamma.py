"""Gamma-Gamma: what a customer spends per purchase, shrunk from the own average towards everyone's.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value"; Colombo & Jiang (1999), "A Stochastic RFM Model",
Journal of Interactive Marketing 13(3), 2-12. x = frequency (repeat purchases), m = monetary_value (their mean).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaln, digamma, gammaincinv

from retention_models.btyd.purchase_model import Parameter, PositiveParameters
from retention_models.core.arrays import Array
from retention_models.estimation.links import Link, LogLink
from retention_models.estimation.model import Limit

PAID_NOTHING = "with a mean amount of 0"


@dataclass(frozen=True, slots=True, repr=False)
class GammaGamma(PositiveParameters):
    """Amounts are Gamma(p, nu) within a customer; nu is Gamma(q, v) over customers, so a mean amount is p / nu.

    Examples
    --------
    >>> model = GammaGamma(p=6.25, q=3.74, v=15.4)
    >>> print(model.expected_spend(frequency=[1, 10], monetary_value=[100.0, 100.0]).round(1))
    [80.2 97.3]
    """

    p: Parameter
    q: Parameter
    v: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "monetary_value")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ()
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("p", np.inf, "a customer always spends the same amount", against=("v",)),
        Limit("q", np.inf, "every customer spends the same on average", follows=("v",)),
    )
    links: ClassVar[Mapping[str, Link]] = {"spend": LogLink("v", 1)}

    @staticmethod
    def left_out(frequency: Array, monetary_value: Array) -> dict[str, NDArray[np.bool_]]:
        """Rows that say nothing of what a customer spends, by reason: the model describes amounts above 0."""
        return {
            "without a repeat purchase": frequency == 0,
            PAID_NOTHING: (frequency > 0) & (monetary_value == 0),
        }

    @classmethod
    def start(cls, frequency: Array, monetary_value: Array, *, weight: Array) -> Self:
        """Rough parameters whose mean amount is that of the data."""
        mean = weight @ (frequency * monetary_value) / (weight @ frequency)
        return cls(p=2.0, q=3.0, v=float(mean))

    def log_likelihood(self, frequency: Array, monetary_value: Array) -> Array:
        """Log-likelihood of each repeat buyer's mean amount; needs frequency and monetary_value above 0."""
        x, m, p, q, v = frequency, monetary_value, self.p, self.q, self.v
        own = -betaln(p * x, q) - p * x * np.log1p(v / (x * m))
        return own + q * np.log(v) - q * np.log(v + x * m) - np.log(m)

    def score(self, frequency: Array, monetary_value: Array) -> Array:
        """Derivatives of each row's log-likelihood in p, q, v; shape (..., n, 3)."""
        x, m, p, q, v = frequency, monetary_value, self.p, self.q, self.v
        both = digamma(p * x + q)
        derivatives = (
            x * (both - digamma(p * x) - np.log1p(v / (x * m))),
            both - digamma(q) - np.log1p(x * m / v),
            q / v - (p * x + q) / (v + x * m),
        )
        return np.stack(np.broadcast_arrays(*derivatives), axis=-1)

    def expected_spend(self, frequency: Array, monetary_value: Array) -> Array:
        """Expected mean amount per purchase of each customer, given the repeat purchases so far.

        The mean p (v + x m) / (p x + q - 1) of the posterior where it exists, that is where p x + q > 1; elsewhere
        (q at most 1 and no repeat purchase, as a rule) the posterior median, see ``has_mean``. Shape (n,), above 0.

        It is that of a customer who pays. Where others never do, ``value.spending.expected_spend`` counts them in.
        """
        x, m, p, q, v = np.asarray(frequency), np.asarray(monetary_value), self.p, self.q, self.v
        shape, rate = np.broadcast_arrays(p * x + q, v + x * m)
        mean = self.has_mean(frequency)
        return p * rate / np.where(mean, shape - 1, gammaincinv(np.where(mean, 1.0, shape), 0.5))

    def has_mean(self, frequency: Array) -> Array:
        """Whether a customer's posterior mean exists; where not, ``expected_spend`` is the posterior median."""
        return np.asarray(self.p * np.asarray(frequency) + self.q > 1)

    def simulate(self, frequency: Array, rng: np.random.Generator) -> pd.DataFrame:
        """Customers with these numbers of repeat purchases: ``frequency, monetary_value`` and the true ``mean_amount``.

        A customer without repeat purchases has a ``monetary_value`` of 0.
        """
        x = np.asarray(frequency, dtype=float)
        nu = rng.gamma(self.q, 1 / np.asarray(self.v), len(x))
        total = rng.gamma(self.p * np.maximum(x, 1), 1 / nu)
        return pd.DataFrame(
            {
                "frequency": x.astype(int),
                "monetary_value": np.where(x > 0, total / np.maximum(x, 1), 0.0),
                "mean_amount": self.p / nu,
            }
        )
