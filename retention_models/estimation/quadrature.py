"""The two kinds of integral that the purchase models leave, each done on the scale where it is smooth.

A Gamma purchase rate and a Pareto lifetime leave decaying powers,

    u^power  e^(-rate u)  (1 + u/A)^-p  (1 + u/B)^-q      over u from 0 to end.

In w = log(1 + u/min(A, B)) this is smooth whatever the ratio of A, B and end (its singularities stay pi away from
the real axis), and its logarithm is concave. So the range is cut, by Newton's steps from outside, where the
integrand has fallen by e^-36, and a few Gauss-Legendre nodes suffice on what is left.

A Beta drop-out chance leaves means over p of functions of p that are smooth in logit p. There the trapezoidal
rule converges exponentially (Trefethen & Weideman 2014, "The Exponentially Convergent Trapezoidal Rule", SIAM
Review 56(3)), for any a and b: beyond the ends, where the function is constant, the terms are a geometric series.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, xlogy

Array = NDArray[np.float64]

DROP = 36.0  # an integrand smaller than its peak by e^-36 is rounding
ROWS = 4096  # integrals at a time: their nodes stay in the processor's cache
STEP = 0.35  # of the trapezoidal rule in logit p


def log_decay_integral(
    end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike, *, power: ArrayLike = 0, rate: ArrayLike = 0
) -> Array:
    """Logarithm of the integral of u^power e^(-rate u) (1 + u/A)^-p (1 + u/B)^-q over (0, end); elementwise.

    ``end`` may be infinite where ``rate`` is above 0. -inf where ``end`` is 0.
    """
    return _integrate(end, p, A, q, B, power, rate, with_gradient=False)[0]


def log_decay_gradient(end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike) -> tuple[Array, ...]:
    """``log_decay_integral`` and its derivatives in p, A, q and B; zeros where ``end`` is 0."""
    return _integrate(end, p, A, q, B, 0, 0, with_gradient=True)


def beta_mean(
    function: Callable[..., Array], a: ArrayLike, b: ArrayLike, steepness: ArrayLike, *arguments: ArrayLike
) -> Array:
    """Mean of ``function(p, *arguments)`` over p from Beta(a, b); elementwise.

    The function must be smooth in logit p; ``steepness`` bounds its relative slope, ``abs(f'(p) / f(p))``, at both
    ends. It receives p of shape (nodes, n) and the arguments of shape (n,).
    """
    a, b, steepness, *rest = np.broadcast_arrays(a, b, steepness, *arguments)
    columns = [np.ravel(value).astype(float) for value in (a, b, steepness, *rest)]
    result = np.empty(a.size)
    for i in range(0, a.size, ROWS):
        rows = slice(i, i + ROWS)
        p, weight = _beta_rule(*(column[rows] for column in columns[:3]))
        result[rows] = np.sum(weight * function(p, *(column[rows] for column in columns[3:])), axis=0)
    return result.reshape(a.shape)[()]


@lru_cache
def gauss_legendre(n: int) -> tuple[Array, Array]:
    """The n nodes and weights of Gauss-Legendre quadrature on (0, 1), as columns."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes[:, None] + 1) / 2, weights[:, None] / 2


def _integrate(
    end: ArrayLike,
    p: ArrayLike,
    A: ArrayLike,
    q: ArrayLike,
    B: ArrayLike,
    power: ArrayLike,
    rate: ArrayLike,
    *,
    with_gradient: bool,
) -> tuple[Array, ...]:
    """Log integrals, and their derivatives, of rows taken in the order of the nodes that they need."""
    arrays = np.broadcast_arrays(end, p, A, q, B, power, rate)
    columns = [np.ravel(array).astype(float) for array in arrays]
    decay = _Decay(*columns[1:])
    lower, upper, peak, fall = decay.window(columns[0])
    needed = np.ceil(8 + 0.4 * fall + 2 * (upper - lower)).clip(8, 128).astype(np.int16)
    order = np.argsort(needed, kind="stable")
    result = np.empty((5 if with_gradient else 1, len(order)))
    for i in range(0, len(order), ROWS):
        rows = order[i : i + ROWS]
        nodes, weights = gauss_legendre(int(needed[rows[-1]]))
        width = (upper - lower)[rows]
        result[:, rows] = _on_nodes(
            decay.take(rows), lower[rows] + nodes * width, weights * width, peak[rows], with_gradient=with_gradient
        )
    return tuple(row.reshape(arrays[0].shape)[()] for row in result)


def _on_nodes(decay: _Decay, w: Array, weights: Array, peak: Array, *, with_gradient: bool) -> Array:
    """Each row's log integral, and its derivatives, from nodes in w of shape (nodes, n)."""
    u, log_A, log_B, value = decay.at(w)
    mass = weights * np.exp(value - peak)
    total = mass.sum(axis=0)
    with np.errstate(divide="ignore"):
        log_integral = peak + np.log(decay.scale * total)
    if not with_gradient:
        return log_integral[None]

    def mean(of: Array) -> Array:
        return np.divide((mass * of).sum(axis=0), total, out=np.zeros_like(total), where=total > 0)

    A, B = decay.A, decay.B
    return np.stack(
        [
            log_integral,
            -mean(log_A),
            decay.p / A * mean(u / (A + u)),
            -mean(log_B),
            decay.q / B * mean(u / (B + u)),
        ]
    )


@dataclass(frozen=True, slots=True)
class _Decay:
    """The integrands of n rows as functions of w, with du = (u + min(A, B)) dw."""

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
        """At w: u, log(1 + u/A), log(1 + u/B), and the log integrand (over ``scale``)."""
        u = self.scale * np.expm1(w)
        log_A, log_B = np.log1p(u / self.A), np.log1p(u / self.B)
        value = w - self.rate * u - self.p * log_A - self.q * log_B
        return u, log_A, log_B, value + xlogy(self.power, u) if np.any(self.power) else value

    def slope(self, u: Array) -> Array:
        """Derivative of the log integrand in w, at u."""
        growth = np.divide(self.power, u, out=np.zeros_like(u), where=self.power > 0)
        return 1 + (self.scale + u) * (growth - self.rate - self.p / (self.A + u) - self.q / (self.B + u))

    def window(self, end: Array) -> tuple[Array, Array, Array, Array]:
        """Lower and upper end in w of what matters, the log integrand's peak, and its fall to both ends together."""
        reach = self._reach(end)
        if not np.any(self.power):
            lower, peak = np.zeros_like(reach), np.zeros_like(reach)
        else:
            mode = self._mode(reach)
            peak = self.at(mode)[-1]
            lower = self._lower_cut(mode, peak)
        upper = self._upper_cut(reach, peak)
        fall = peak - self.at(upper)[-1]
        return lower, upper, peak, fall + np.where(lower > 0, DROP, 0)

    def _reach(self, end: Array) -> Array:
        """A bound in w beyond which nothing matters: ``end``, or where the decay alone has done its work."""
        scale, excess = self.scale, self.p + self.q - 1
        lag = np.where(self.A < self.B, self.q, self.p) * np.log(np.maximum(self.A, self.B) / scale)
        with np.errstate(divide="ignore", invalid="ignore"):
            by_power = np.where((self.power == 0) & (excess > 0), (DROP + lag) / excess, np.inf)
            reach = np.minimum(np.minimum(np.log1p(end / scale), by_power), 700.0)
            for _ in range(2):
                by_rate = np.where(self.power == 0, np.log1p((DROP + reach) / (self.rate * scale)), np.inf)
                reach = np.minimum(reach, by_rate)
        return reach

    def _mode(self, reach: Array) -> Array:
        """Where the log integrand peaks between 0 and ``reach``, by bisection."""
        low, high = np.zeros_like(reach), reach
        for _ in range(26):
            middle = (low + high) / 2
            rising = self.slope(self.scale * np.expm1(middle)) > 0
            low, high = np.where(rising, middle, low), np.where(rising, high, middle)
        return high

    def _upper_cut(self, w: Array, peak: Array) -> Array:
        """Where the log integrand has fallen by ``DROP``, if before w; Newton's steps stay outside."""
        for _ in range(4):
            u, _, _, value = self.at(w)
            missing = np.maximum(peak - DROP - value, 0)
            w = w + np.divide(missing, self.slope(u), out=np.zeros_like(w), where=missing > 0)
        return w

    def _lower_cut(self, mode: Array, peak: Array) -> Array:
        """Where the log integrand has risen to ``DROP`` below its peak, by Newton's steps in log u; 0 without power."""
        log_u = np.divide(peak - DROP - mode, self.power, out=np.zeros_like(mode), where=self.power > 0)
        for _ in range(3):
            u = np.exp(log_u)
            missing = np.maximum(peak - DROP - self.at(np.log1p(u / self.scale))[-1], 0)
            slope = self.slope(u) * u / (self.scale + u)
            log_u = log_u + np.divide(missing, slope, out=np.zeros_like(u), where=(missing > 0) & (self.power > 0))
        return np.where(self.power > 0, np.log1p(np.exp(log_u) / self.scale), 0.0)


def _beta_rule(a: Array, b: Array, steepness: Array) -> tuple[Array, Array]:
    """Nodes p and weights of the trapezoidal rule in logit p for Beta(a, b); both of shape (nodes, n).

    The first and the last weight also stand for the infinitely many nodes beyond them.
    """
    low, high = _logit_reach(a, b, steepness), -_logit_reach(b, a, steepness)
    n = max(int(np.ceil(np.max(high - low, initial=0) / STEP)) + 1, 32)
    step = (high - low) / (n - 1)
    logit = low + step * np.arange(n)[:, None]
    weight = np.exp(_log_beta_weight(logit, a, b) - _log_beta_weight(np.log(a / b), a, b))
    weight[0] /= -np.expm1(-a * step)
    weight[-1] /= -np.expm1(-b * step)
    return expit(logit), weight / weight.sum(axis=0)


def _log_beta_weight(logit: Array, a: Array, b: Array) -> Array:
    """Log of p^a (1 - p)^b, the Beta density in logit p up to a constant."""
    return a * logit - (a + b) * np.logaddexp(0, logit)


def _logit_reach(a: Array, b: Array, steepness: Array) -> Array:
    """The logit below which the weight has vanished, or the function is constant."""
    drop = DROP + np.log1p(steepness)
    floor = _log_beta_weight(np.log(a / b), a, b) - drop
    logit = floor / a
    for _ in range(5):
        missing = np.maximum(floor - _log_beta_weight(logit, a, b), 0)
        slope = a - (a + b) * expit(logit)
        logit = logit + np.divide(missing, slope, out=np.zeros_like(logit), where=missing > 0)
    return np.maximum(logit, (floor - np.log1p(a + b + steepness)) / (a + 1))
