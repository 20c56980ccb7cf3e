"""Means over a chance that is Beta-distributed over customers, of functions of it that are smooth in its logit.

In the logit the trapezoidal rule converges exponentially (Trefethen & Weideman 2014, "The Exponentially Convergent
Trapezoidal Rule", SIAM Review 56(3)), for any a and b: beyond its ends, where the density has vanished or the
function is a straight line, the terms are geometric series.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from retention_models.core.arrays import Array

DROP = 36.0  # a density smaller than its peak by e^-36 is rounding
STEP = 0.33  # in logit p, less as the density narrows: the error is then some 1e-12
FEWEST = 4  # nodes: two at each end
FARTHEST = 700.0  # e to that power does not overflow
NEAR_1 = 0.999  # from here on, 1 - p has more digits than p
ROWS = 1024  # means at a time: their nodes stay in the processor's cache


def beta_mean(
    function: Callable[..., Array], a: ArrayLike, b: ArrayLike, steepness: ArrayLike, *arguments: ArrayLike
) -> Array:
    """Mean of ``function(p, *arguments)`` over p from Beta(a, b); elementwise.

    The function receives p of shape (nodes, n) and the arguments of shape (n,). It must be smooth in logit p and not
    change sign; ``steepness`` bounds its relative slope, ``abs(f'(p) / f(p))``, near 0 and near 1.
    """
    arrays = np.broadcast_arrays(a, b, steepness, *arguments)
    columns = [np.ravel(array).astype(float) for array in arrays]
    result = np.empty(arrays[0].size)
    for i in range(0, len(result), ROWS):
        a, b, steepness, *rest = (column[i : i + ROWS] for column in columns)
        distinct, row = np.unique(a + 1j * b, return_inverse=True)
        p, weight = _rule(distinct.real, distinct.imag, np.max(steepness))
        result[i : i + ROWS] = np.sum(weight[:, row] * function(p[:, row], *rest), axis=0)
    return result.reshape(arrays[0].shape)[()]


def _rule(a: Array, b: Array, steepness: float) -> tuple[Array, Array]:
    """Nodes p and weights of the trapezoidal rule for Beta(a, b); both of shape (nodes, n).

    The two first and the two last weights also stand for the infinitely many nodes beyond them. There p, or 1 - p,
    falls like e^-step from node to node and the density like a power of it, but for a factor which like the function is
    a straight line.
    """
    low, high = _lowest_logit(a, b, steepness), -_lowest_logit(b, a, steepness)
    steps = (high - low) * np.sqrt(1 + a * b / (a + b) / 6) / STEP
    n = max(int(np.ceil(np.max(steps))) + 1, FEWEST)
    step = (high - low) / (n - 1)
    p, log_p, log_1_p = _chance(low + step * np.arange(n)[:, None])
    weight = np.exp(a * log_p + b * log_1_p - _log_peak(a, b))
    for end, beside, shape in ((0, 1, a), (-1, -2, b)):
        beyond = 1 / np.expm1(np.minimum(shape * step, FARTHEST))
        on_line = (beyond - 1 / np.expm1(np.minimum((shape + 1) * step, FARTHEST))) / np.expm1(step)
        weight[end] *= 1 + beyond + on_line
        weight[beside] *= 1 - on_line * np.exp(-shape * step)
    return p, weight / weight.sum(axis=0)


def _chance(logit: Array) -> tuple[Array, Array, Array]:
    """The p of a logit, log p and log(1 - p)."""
    tail = np.exp(-np.abs(logit))
    log_1_tail = np.log1p(tail)
    p = np.where(logit < 0, tail, 1.0) / (1 + tail)
    return p, np.minimum(logit, 0) - log_1_tail, np.minimum(-logit, 0) - log_1_tail


def _log_peak(a: Array, b: Array) -> Array:
    """The largest value of a log p + b log(1 - p), the log density of the logit up to a constant."""
    return -a * np.log1p(b / a) - b * np.log1p(a / b)


def _lowest_logit(a: Array, b: Array, steepness: float) -> Array:
    """The logit below which the density has vanished, or else the function is a straight line.

    A function that is large near 0 makes much of little density, hence the steepness. Newton's steps start from
    outside and stay there, for the log density is concave. Two bounds to start from: it falls towards 0 at least
    like a logit, and from its peak by at least k d^2 / (2 + d) at the distance d, with k its curvature there.
    """
    drop = DROP + np.log1p(steepness)
    floor, k = _log_peak(a, b) - drop, a * b / (a + b)
    logit = np.maximum(floor / a, np.log(a / b) - (drop + np.sqrt(drop * (drop + 8 * k))) / (2 * k))
    for _ in range(4):
        p, log_p, log_1_p = _chance(logit)
        missing = np.maximum(floor - a * log_p - b * log_1_p, 0)
        slope = np.where(p < NEAR_1, a - (a + b) * p, a * np.exp(log_1_p) - b * p)
        logit = logit + np.divide(missing, slope, out=np.zeros_like(logit), where=missing > 0)
    return np.maximum(logit, (floor - 2 * np.log1p(a + b + steepness)) / (a + 2))
