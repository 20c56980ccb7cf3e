"""Beta-distributed chances to leave: the mean of a power of the chance to stay, and its slopes.

If theta, a customer's chance to leave, is Beta(a, b) over customers, then E[(1 - theta)^w] = B(a, b + w) / B(a, b).
Written as a difference of log-gammas at the shorter of its two steps it keeps its digits at any size of a, b and w.
"""

from __future__ import annotations

import numpy as np

from retention_models.core.arrays import Array
from retention_models.estimation.numerics.special import Numbers, digamma_rising, log_rising

TINY = 1e-4  # exposure from which a difference of log-gammas has eight digits or more


def log_mean_power(a: Numbers, b: Numbers, w: Numbers) -> Array:
    """Logarithm of E[(1 - theta)^w] for theta ~ Beta(a, b); 0 at w = 0, and falling in w."""
    short, long = _steps(a, w)
    return log_rising(b, short) - log_rising(b + long, short)


def log_mean_power_slopes(a: Numbers, b: Numbers, w: Numbers) -> tuple[Array, Array, Array]:
    """Derivatives of ``log_mean_power`` in a, b and w."""
    short, long = _steps(a, w)
    return (
        -digamma_rising(a + b, w),
        digamma_rising(b, short) - digamma_rising(b + long, short),
        -digamma_rising(b + w, a),
    )


def mean_if_saved(a: Numbers, b: Numbers, before: Numbers, now: Numbers, later: Numbers) -> Array:
    """E[(1 - theta)^later] over those who stay through exposure ``before`` and would leave in the next one, ``now``.

    That is the ratio of E[(1 - theta)^before (1 - (1 - theta)^now) (1 - theta)^later] to the same without ``later``.
    """
    stay = log_mean_power(a, b + before, later)
    leaves, leaves_first = (_one_less_mean_power(a, b + exposed, now) for exposed in (before + later, before))
    return np.exp(stay) * leaves / leaves_first


def _one_less_mean_power(a: Numbers, b: Numbers, w: Numbers) -> Array:
    """1 - E[(1 - theta)^w], by the slope half-way where w is so small that b + w hardly differs from b."""
    log_mean = np.where(np.less(w, TINY), -w * digamma_rising(np.add(b, np.divide(w, 2)), a), log_mean_power(a, b, w))
    return -np.expm1(log_mean)


def _steps(a: Numbers, w: Numbers) -> tuple[Array, Array]:
    """The shorter and the longer of the two steps."""
    return np.asarray(np.minimum(a, w), dtype=float), np.asarray(np.maximum(a, w), dtype=float)
