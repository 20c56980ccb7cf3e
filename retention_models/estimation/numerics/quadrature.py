"""Integrals of decaying powers, which a Gamma purchase rate and a Pareto lifetime leave to be done.

    u^power  e^(-rate u)  (1 + u/A)^-p  (1 + u/B)^-q      over u from 0 to end

In w = log(1 + u/min(A, B)) the integrand is smooth whatever the ratio of A, B and end (its singularities stay pi
away from the real axis), and its logarithm is concave. So the range is cut, by Newton's steps from outside, where
the integrand has fallen by e^-36, and a few Gauss-Legendre nodes suffice on what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from retention_models.core.arrays import Array

DROP = 36.0  # an integrand smaller than its peak by e^-36 is rounding
FARTHEST = 700.0  # in w: e^w must not overflow
FOR_ANOTHER = 8  # nodes for another smooth function in the integrand
MANY = 32  # nodes, of which more come in multiples
ROWS = 4096  # integrals at a time: their nodes stay in the processor's cache


def log_decay_integral(
    end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike, *, power: ArrayLike = 0, rate: ArrayLike = 0
) -> Array:
    """Logarithm of the integral of u^power e^(-rate u) (1 + u/A)^-p (1 + u/B)^-q over (0, end); elementwise.

    ``end`` may be infinite where ``rate`` is above 0 and ``power`` is 0. -inf where ``end`` is 0.
    """
    return _on_rows(_log_integral, end, p, A, q, B, power, rate)[0]


def log_decay_gradient(end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike) -> Array:
    """``log_decay_integral`` and its derivatives in p, A, q and B, along a first axis of 5.

    Where ``end`` is 0 the derivatives are given as 0.
    """
    return _on_rows(_log_integral_and_gradient, end, p, A, q, B, 0, 0)


def discounting_rule(rate: Array, end: Array, scale: Array, *, more: int = FOR_ANOTHER) -> tuple[Array, Array]:
    """Nodes u and weights for integrals of e^(-rate u) g(u) over (0, end); both of shape (nodes, n).

    ``g`` must be smooth in log(1 + u/scale) and not grow, so ``scale`` should be as long as it takes g to fall by a
    good part; ``more`` are the nodes that it needs. ``end`` may be infinite where ``rate`` is above 0.
    """
    none = np.zeros_like(scale)
    decay = _Decay(none, scale, none, scale, none, rate)
    lower, upper, peak, needed = decay.window(end)
    nodes = _Nodes(decay, lower, upper, peak, more + int(np.max(needed)))
    return nodes.u, decay.scale * nodes.mass


@lru_cache
def gauss_legendre(n: int) -> tuple[Array, Array]:
    """The n nodes and weights of Gauss-Legendre quadrature on (0, 1), as columns."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes[:, None] + 1) / 2, weights[:, None] / 2


def _on_rows(summary: Callable[[_Nodes], Array], end: ArrayLike, *parameters: ArrayLike) -> Array:
    """A summary of each integral, shape (k, ...); rows are taken in the order of the nodes that they need."""
    arrays = np.broadcast_arrays(end, *parameters)
    ends, *columns = (np.ravel(array).astype(float) for array in arrays)
    decay, empty = _Decay(*columns), ends == 0
    lower, upper, peak, needed = decay.window(np.where(empty, 1.0, ends))
    order = np.argsort(needed, kind="stable")
    steeper = np.searchsorted(needed[order], MANY * 2 ** np.arange(4), side="right")  # few rows may need most nodes
    ends_of_parts = np.union1d(np.arange(ROWS, len(order), ROWS), steeper[(steeper > 0) & (steeper < len(order))])
    parts = []
    for rows in np.split(order, ends_of_parts.astype(int)):
        n = int(needed[rows].max(initial=1))
        parts.append(summary(_Nodes(decay.take(rows), lower[rows], upper[rows], peak[rows], n)))
    result = np.empty((len(parts[0]), len(order)))
    result[:, order] = np.concatenate(parts, axis=1)
    result[:, empty] = 0.0
    result[0, empty] = -np.inf
    return result.reshape(len(result), *arrays[0].shape)


class _Nodes:
    """The integrands of n rows at their nodes, each of shape (nodes, n); ``mass`` is relative to ``scale`` e^peak."""

    def __init__(self, decay: _Decay, lower: Array, upper: Array, peak: Array, n: int) -> None:
        nodes, weights = gauss_legendre(n)
        self.decay, self.peak = decay, peak
        self.u, self.log_A, self.log_B, value = decay.at(lower + nodes * (upper - lower))
        self.mass = weights * (upper - lower) * np.exp(value - peak)


def _log_integral(nodes: _Nodes) -> Array:
    return (nodes.peak + np.log(nodes.decay.scale * nodes.mass.sum(axis=0)))[None]


def _log_integral_and_gradient(nodes: _Nodes) -> Array:
    """Each derivative is a mean over u, weighted by the integrand."""
    decay, u = nodes.decay, nodes.u
    share = nodes.mass / nodes.mass.sum(axis=0)
    derivatives = (
        -np.sum(share * nodes.log_A, axis=0),
        decay.p / decay.A * np.sum(share * (u / (decay.A + u)), axis=0),
        -np.sum(share * nodes.log_B, axis=0),
        decay.q / decay.B * np.sum(share * (u / (decay.B + u)), axis=0),
    )
    return np.vstack([_log_integral(nodes), *derivatives])


@dataclass(frozen=True, slots=True)
class _Decay:
    """The integrands of n rows as functions of w, with du = (u + scale) dw."""

    p: Array
    A: Array
    q: Array
    B: Array
    power: Array
    rate: Array

    @property
    def scale(self) -> Array:
        return np.minimum(self.A, self.B)

    def take(self, rows: NDArray[np.intp]) -> _Decay:
        return _Decay(self.p[rows], self.A[rows], self.q[rows], self.B[rows], self.power[rows], self.rate[rows])

    def at(self, w: Array) -> tuple[Array, Array, Array, Array]:
        """At w: u, log(1 + u/A), log(1 + u/B), and the log integrand over ``scale``."""
        u = self.scale * np.expm1(w)
        log_A, log_B = np.log1p(u / self.A), np.log1p(u / self.B)
        value = w - self.rate * u - self.p * log_A - self.q * log_B
        return u, log_A, log_B, value + xlogy(self.power, u) if np.any(self.power) else value

    def slope(self, u: Array) -> Array:
        """Derivative of the log integrand in w, at u."""
        growth = np.divide(self.power, u, out=np.zeros_like(u), where=self.power > 0)
        return 1 + (self.scale + u) * (growth - self.rate - self.p / (self.A + u) - self.q / (self.B + u))

    def window(self, end: Array) -> tuple[Array, Array, Array, NDArray[np.int16]]:
        """Lower and upper end in w of what matters, the log peak, and the nodes needed for an error of 1e-12."""
        upper = self._reach(end)
        lower, peak = np.zeros_like(upper), np.zeros_like(upper)
        if np.any(self.power):
            mode = self._mode(upper)
            peak = self.at(mode)[-1]
            lower = self._lower_cut(mode, peak)
        upper = self._upper_cut(upper, peak)
        fall = (peak - self.at(lower)[-1]) + (peak - self.at(upper)[-1])
        needed = np.ceil(8 + 0.4 * fall + 2 * (upper - lower)).clip(8, 512)
        few_rules = np.where(
            needed > MANY, MANY * np.ceil(needed / MANY), needed
        )  # a rule of 500 nodes takes long to make
        return lower, upper, peak, few_rules.astype(np.int16)

    def _reach(self, end: Array) -> Array:
        """A bound in w: ``end``, or, without ``power``, where one factor alone has brought the integrand down."""
        scale, excess = self.scale, self.p + self.q - 1
        lag = np.where(self.A < self.B, self.q, self.p) * (np.log(np.maximum(self.A, self.B)) - np.log(scale))
        with np.errstate(divide="ignore", invalid="ignore"):
            by_powers = np.where(excess > 0, (DROP + lag) / excess, FARTHEST)
            within = np.where(self.power == 0, np.minimum(by_powers, FARTHEST), FARTHEST)
            reach = np.minimum(np.log1p(end / scale), within)
            for _ in range(2):
                by_rate = np.where(self.power == 0, np.log1p((DROP + reach) / (self.rate * scale)), FARTHEST)
                reach = np.minimum(reach, by_rate)
        return reach

    def _mode(self, reach: Array) -> Array:
        """Where the integrand peaks between 0 and ``reach``, by bisection."""
        low, high = np.zeros_like(reach), reach
        for _ in range(26):
            middle = (low + high) / 2
            is_rising = self.slope(self.scale * np.expm1(middle)) > 0
            low, high = np.where(is_rising, middle, low), np.where(is_rising, high, middle)
        return high

    def _upper_cut(self, w: Array, peak: Array) -> Array:
        """Where the integrand has fallen by e^-36, if before w."""
        for _ in range(4):
            u, _, _, value = self.at(w)
            missing = np.maximum(peak - DROP - value, 0)
            w = w + np.divide(missing, self.slope(u), out=np.zeros_like(w), where=missing > 0)
        return w

    def _lower_cut(self, mode: Array, peak: Array) -> Array:
        """Where the integrand rises to e^-36 of its peak; Newton's steps in log u, for there it grows like u^power."""
        grows = self.power > 0
        log_u = np.divide(peak - DROP - mode, self.power, out=np.zeros_like(mode), where=grows)
        for _ in range(3):
            u = np.exp(log_u)
            missing = np.maximum(peak - DROP - self.at(np.log1p(u / self.scale))[-1], 0)
            slope = self.slope(u) * u / (self.scale + u)
            log_u = log_u + np.divide(missing, slope, out=np.zeros_like(u), where=(missing > 0) & grows)
        return np.where(grows, np.log1p(np.exp(log_u) / self.scale), 0.0)
