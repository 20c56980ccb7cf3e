"""Integrals of decaying powers by Gauss-Legendre quadrature on the scale where they are smooth.

What a Pareto lifetime and a Gamma purchase rate leave to integrate has the form

    u^power  e^(-rate u)  (1 + u/A)^-p  (1 + u/B)^-q      over u from 0 to end.

In w = log(1 + u/min(A, B)) it is smooth whatever the ratio of A, B and end (its singularities stay pi away from
the real axis), and its logarithm is concave. So the range is cut, by Newton's steps from outside, where the
integrand has fallen by e^-36, and few nodes suffice on what is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

DROP = 36.0  # an integrand smaller than its start by e^-36 is rounding
ROWS = 4096  # integrals at a time: their nodes stay in the processor's cache


def log_decay_integral(end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike) -> Array:
    """Logarithm of the integral of (1 + u/A)^-p (1 + u/B)^-q over (0, end); elementwise, -inf where end is 0."""
    return _integrate(end, p, A, q, B, with_gradient=False)[0]


def log_decay_gradient(end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike) -> tuple[Array, ...]:
    """``log_decay_integral`` and its derivatives in p, A, q and B; zeros where end is 0."""
    return _integrate(end, p, A, q, B, with_gradient=True)


@lru_cache
def gauss_legendre(n: int) -> tuple[Array, Array]:
    """The n nodes and weights of Gauss-Legendre quadrature on (0, 1), as columns."""
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes[:, None] + 1) / 2, weights[:, None] / 2


@dataclass(frozen=True, slots=True)
class _Decay:
    """The integrand of n rows."""

    p: Array
    A: Array
    q: Array
    B: Array

    @property
    def scale(self) -> Array:
        return np.minimum(self.A, self.B)

    def rows(self, rows: NDArray[np.intp]) -> _Decay:
        return _Decay(self.p[rows], self.A[rows], self.q[rows], self.B[rows])

    def log_at(self, w: Array, u: Array) -> Array:
        """Log of the integrand in w, less its value at w = 0."""
        return w - self.p * np.log1p(u / self.A) - self.q * np.log1p(u / self.B)

    def range(self, end: Array) -> tuple[Array, Array]:
        """The upper end in w, cut where the integrand has vanished, and by how much it has fallen there."""
        scale, total = self.scale, self.p + self.q
        ratio = np.where(self.A < self.B, self.q, self.p) * np.log(np.maximum(self.A, self.B) / scale)
        w = np.minimum(np.log1p(end / scale), (DROP + ratio) / (total - 1))
        for _ in range(4):
            u = scale * np.expm1(w)
            excess = np.minimum(self.log_at(w, u) + DROP, 0)
            slope = 1 - (scale + u) * (self.p / (self.A + u) + self.q / (self.B + u))
            w = w - np.divide(excess, slope, out=np.zeros_like(w), where=excess < 0)
        return w, -self.log_at(w, scale * np.expm1(w))


def _integrate(
    end: ArrayLike, p: ArrayLike, A: ArrayLike, q: ArrayLike, B: ArrayLike, *, with_gradient: bool
) -> tuple[Array, ...]:
    end, p, A, q, B = np.broadcast_arrays(end, p, A, q, B)
    decay = _Decay(*(np.ravel(value).astype(float) for value in (p, A, q, B)))
    width, drop = decay.range(np.ravel(end).astype(float))
    needed = np.ceil(8 + 0.4 * np.maximum(drop, 0) + 2 * width).astype(np.int16)
    order = np.argsort(needed, kind="stable")
    result = np.empty((5 if with_gradient else 1, len(order)))
    for i in range(0, len(order), ROWS):
        rows = order[i : i + ROWS]
        nodes, weights = gauss_legendre(min(int(needed[rows[-1]]), 64))
        result[:, rows] = _on_nodes(decay.rows(rows), nodes * width[rows], weights * width[rows], with_gradient)
    return tuple(row.reshape(end.shape) for row in result)


def _on_nodes(decay: _Decay, w: Array, weights: Array, with_gradient: bool) -> Array:
    """Log integral of each row, and its gradient, from nodes in w of shape (nodes, n)."""
    scale, p, A, q, B = decay.scale, decay.p, decay.A, decay.q, decay.B
    u = scale * np.expm1(w)
    log_A, log_B = np.log1p(u / A), np.log1p(u / B)
    mass = weights * np.exp(w - p * log_A - q * log_B)
    total = mass.sum(axis=0)
    with np.errstate(divide="ignore"):
        log_integral = np.log(scale * total)
    if not with_gradient:
        return log_integral[None]
    mass = mass / np.where(total > 0, total, 1)
    return np.stack(
        [
            log_integral,
            -(mass * log_A).sum(axis=0),
            p * (mass * (u / (A + u))).sum(axis=0) / A,
            -(mass * log_B).sum(axis=0),
            q * (mass * (u / (B + u))).sum(axis=0) / B,
        ]
    )
