"""Pareto/NBD: steady repeat buying until an unseen end that may come at any moment.

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?",
Management Science 33(1), 1-24; in the notation of Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD
Model". x = frequency, t_x = recency. The integral over the unseen end is done by quadrature (their
hypergeometric functions overflow where customers buy often).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from scipy.special import expit

from retention_models.btyd.base import Array, BuyTillYouDie, Parameter, purchase_start
from retention_models.estimation.likelihood import Limit
from retention_models.estimation.quadrature import log_decay_gradient, log_decay_integral
from retention_models.estimation.special import digamma_rising, log_rising


@dataclass(frozen=True, slots=True)
class ParetoNBD(BuyTillYouDie):
    """Purchase rates are Gamma(r, alpha) over customers, drop-out rates Gamma(s, beta)."""

    r: Parameter
    alpha: Parameter
    s: Parameter
    beta: Parameter

    columns: ClassVar[tuple[str, ...]] = ("frequency", "recency", "T")
    fixed: ClassVar[tuple[str, ...]] = ()
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")
    limits: ClassVar[tuple[Limit, ...]] = (
        Limit("s", 0.0, "nobody ever leaves (the NBD model)", undetermined=("beta",)),
        Limit("s", np.inf, "everybody leaves at the same rate (exponential lifetimes)", follows=("beta",)),
        Limit("r", np.inf, "everybody buys at the same rate while alive", follows=("alpha",)),
    )

    @classmethod
    def start(cls, frequency: Array, recency: Array, T: Array, *, weight: Array) -> Self:
        """Rough parameters from the counts' moments, to begin the fit: half of the customers gone by the mean age."""
        r, alpha, age = purchase_start(frequency, T, weight)
        return cls(r, alpha, s=1.0, beta=age)

    def log_likelihood(self, frequency: Array, recency: Array, T: Array) -> Array:
        """Log-likelihood of each history."""
        x, t_x, r, alpha, s, beta = np.asarray(frequency), np.asarray(recency), self.r, self.alpha, self.s, self.beta
        alive, gone = self._log_alive(x, t_x, T), np.log(s / (beta + t_x)) + log_decay_integral(*self._decay(x, t_x, T))
        bought = log_rising(r, x) - x * np.log(alpha + t_x) - r * np.log1p(t_x / alpha) - s * np.log1p(t_x / beta)
        return bought + np.logaddexp(alive, gone)

    def _log_alive(self, x: Array, t_x: Array, T: Array) -> Array:
        """Log chance to live, and to stay silent, from t_x until T."""
        silence = T - t_x
        return -(self.r + x) * np.log1p(silence / (self.alpha + t_x)) - self.s * np.log1p(silence / (self.beta + t_x))

    def _decay(self, x: Array, t_x: Array, T: Array) -> tuple[Array, ...]:
        """The integral over the unseen end between t_x and T, as arguments of ``log_decay_integral``."""
        return T - t_x, self.r + x, self.alpha + t_x, self.s + 1, self.beta + t_x

    def score(self, frequency: Array, recency: Array, T: Array) -> Array:
        """Derivatives of each history's log-likelihood in r, alpha, s, beta; shape (..., n, 4)."""
        x, t_x, r, alpha, s, beta = np.asarray(frequency), np.asarray(recency), self.r, self.alpha, self.s, self.beta
        A, B, silence = alpha + t_x, beta + t_x, T - t_x
        log_integral, d_p, d_A, d_q, d_B = log_decay_gradient(*self._decay(x, t_x, T))
        gone = expit(np.log(s / B) + log_integral - self._log_alive(x, t_x, T))
        alive = 1 - gone
        derivatives = (
            digamma_rising(r, x) - np.log1p(t_x / alpha) - alive * np.log1p(silence / A) + gone * d_p,
            (r * t_x / alpha - x) / A + alive * (r + x) * silence / (A * (alpha + T)) + gone * d_A,
            gone * (1 / s + d_q) - np.log1p(t_x / beta) - alive * np.log1p(silence / B),
            s * t_x / (beta * B) + alive * s * silence / (B * (beta + T)) + gone * (d_B - 1 / B),
        )
        return np.stack(np.broadcast_arrays(*derivatives), axis=-1)
