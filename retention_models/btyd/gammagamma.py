"""Gamma-Gamma: the amount per purchase, shrunk from the customer's average towards that of all customers.

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

from retention_models.btyd.purchase_model import Parameter, PositiveParameters, require_count
from retention_models.core.arrays import Array, RNGLike
from retention_models.estimation.elementwise import elementwise
from retention_models.estimation.links import Link, LogLink
from retention_models.estimation.model import Limit

PAID_NOTHING = "with a mean amount of 0"


@dataclass(frozen=True, slots=True, repr=False)
class GammaGamma(PositiveParameters):
    """Gamma-Gamma: the amount per purchase, which varies within and between customers.

    Parameters
    ----------
    p
        Shape of the gamma distribution of the amounts of one customer.
    q
        Shape of the gamma distribution over customers of the rate nu of their amounts.
    v
        Rate parameter of that distribution, in the unit of the amounts. A customer's mean amount is p / nu.

    Notes
    -----
    Purchase rate and amount are independent. Source: Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value";
    Colombo & Jiang (1999), "A Stochastic RFM Model", Journal of Interactive Marketing 13(3), 2-12.

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
        """Rows without an amount above 0, which the model cannot use, by reason."""
        return {
            "without a repeat purchase": frequency == 0,
            PAID_NOTHING: (frequency > 0) & (monetary_value == 0),
        }

    @classmethod
    def start(cls, frequency: Array, monetary_value: Array, *, weight: Array) -> Self:
        """Start values for the fit, with the mean amount of the data."""
        mean = weight @ (frequency * monetary_value) / (weight @ frequency)
        return cls(p=2.0, q=3.0, v=float(mean))

    @elementwise
    def log_likelihood(self, frequency: Array, monetary_value: Array) -> Array:
        """Log-likelihood of each customer's mean amount.

        Parameters
        ----------
        frequency
            Number of repeat purchases, above 0; shape (n,).
        monetary_value
            Mean amount of the repeat purchases, above 0; shape (n,).

        Returns
        -------
        numpy.ndarray
            Shape (n,).
        """
        x, p, q, v = frequency, self.p, self.q, self.v
        m = np.where(x * monetary_value > 0, monetary_value, np.nan)  # others have no likelihood
        own = -betaln(p * x, q) - p * x * np.log1p(v / (x * m))
        return own - q * np.log1p(x * m / v) - np.log(m)

    @elementwise
    def score(self, frequency: Array, monetary_value: Array) -> Array:
        """Derivatives of each row's log-likelihood in p, q, v; shape (..., n, 3)."""
        x, p, q, v = frequency, self.p, self.q, self.v
        m = np.where(x * monetary_value > 0, monetary_value, np.nan)  # others have no likelihood
        both = digamma(p * x + q)
        derivatives = (
            x * (both - digamma(p * x) - np.log1p(v / (x * m))),
            both - digamma(q) - np.log1p(x * m / v),
            q / v - (p * x + q) / (v + x * m),
        )
        return np.stack(np.broadcast_arrays(*derivatives), axis=-1)

    @elementwise
    def expected_spend(self, frequency: Array, monetary_value: Array) -> Array:
        """Expected mean amount per purchase of each customer, given the repeat purchases so far.

        Parameters
        ----------
        frequency
            Number of repeat purchases; shape (n,).
        monetary_value
            Mean amount of the repeat purchases; shape (n,).

        Returns
        -------
        numpy.ndarray
            Amounts above 0; shape (n,).

        Notes
        -----
        The posterior mean p (v + x m) / (p x + q - 1) if p x + q > 1, otherwise the posterior median; see ``has_mean``.
        As a rule, that is the case only if q is at most 1 and the customer has no repeat purchase. The amount is that
        of a customer who pays. ``value.spending.expected_spend`` also counts customers who never pay.
        """
        x, m, p, q, v = np.asarray(frequency), np.asarray(monetary_value), self.p, self.q, self.v
        shape, rate = np.broadcast_arrays(p * x + q, v + x * m)
        mean = self.has_mean(frequency)
        return p * rate / np.where(mean, shape - 1, gammaincinv(np.where(mean, 1.0, shape), 0.5))

    def has_mean(self, frequency: Array) -> Array:
        """Whether the posterior mean of a customer's amount exists; otherwise ``expected_spend`` is the median.

        Parameters
        ----------
        frequency
            Number of repeat purchases; shape (n,).

        Returns
        -------
        numpy.ndarray
            True or False; shape (n,).
        """
        return np.asarray(self.p * np.asarray(frequency) + self.q > 1)

    def simulate(self, frequency: Array, rng: RNGLike = None) -> pd.DataFrame:
        """Simulated customers with their true mean amount.

        Parameters
        ----------
        frequency
            Number of repeat purchases of each customer; shape (n,).
        rng
            Seed, generator, or None for a new random state, as ``numpy.random.default_rng`` takes.

        Returns
        -------
        pandas.DataFrame
            One row a customer: ``frequency, monetary_value`` (0 without repeat purchases) and ``mean_amount``.

        Raises
        ------
        ValueError
            When a frequency is not a whole number, 0 or more.
        """
        x = np.atleast_1d(require_count(frequency, "frequency"))
        rng = np.random.default_rng(rng)
        nu = rng.gamma(self.q, 1 / np.asarray(self.v), len(x))
        total = rng.gamma(self.p * np.maximum(x, 1), 1 / nu)
        return pd.DataFrame(
            {
                "frequency": x.astype(int),
                "monetary_value": np.where(x > 0, total / np.maximum(x, 1), 0.0),
                "mean_amount": self.p / nu,
            }
        )
