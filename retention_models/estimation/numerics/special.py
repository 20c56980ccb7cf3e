"""Differences of gamma and digamma functions over whole steps, exact where the functions themselves cancel.

Histories hold few distinct purchase counts, so each function is evaluated once for each of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import digamma, gammaln

from retention_models.core.arrays import Array

Numbers = float | Array

FEW = 50  # counts for which a table is no shorter way
ASYMPTOTIC = 20.0  # from here on, Stirling's series to four terms is exact to rounding


def log_rising(base: Numbers, count: Numbers) -> Array:
    """Logarithm of base (base + 1) ... (base + count - 1), that is log Gamma(base + count) - log Gamma(base).

    ``base`` is positive, ``count`` at least 0; they broadcast. Where ``base`` is large the difference is taken
    inside Stirling's series (Abramowitz & Stegun 6.1.40), so that it keeps its digits at any size of ``base``.
    """
    return _at_counts(_log_rising, np.log, np.asarray(base, dtype=float), np.asarray(count))


def log_rising_ratio(base: Numbers, shift: Numbers, count: Numbers) -> Array:
    """``log_rising(base, count) - log_rising(base + shift, count)``, exact however large the count is.

    Count and shift change places where the count is the larger one: both ways it is a ratio of four gamma functions.
    """
    base, shift, count = np.broadcast_arrays(*(np.asarray(value, dtype=float) for value in (base, shift, count)))
    less, more = np.minimum(shift, count), np.maximum(shift, count)
    return _log_rising(base, less) - _log_rising(base + more, less)


def digamma_rising(base: Numbers, count: Numbers) -> Array:
    """Derivative of ``log_rising`` in its base: digamma(base + count) - digamma(base)."""
    return _at_counts(_digamma_rising, np.reciprocal, np.asarray(base, dtype=float), np.asarray(count))


def is_run(count: Array) -> bool:
    """Whether whole numbers follow one another along a first axis, and are the same along all others."""
    return count.ndim > 1 and count.size == len(count) > 1 and bool(np.all(np.diff(count, axis=0) == 1))


def _log_rising(base: Array, count: Array) -> Array:
    if np.all(base < ASYMPTOTIC):
        return gammaln(base + count) - gammaln(base)
    z = np.maximum(base, ASYMPTOTIC)
    end = z + count
    series = (end - 0.5) * np.log1p(count / z) + count * (np.log(z) - 1) + _stirling(end) - _stirling(z)
    return np.where(base < ASYMPTOTIC, gammaln(base + count) - gammaln(base), series)


def _stirling(z: Array) -> Array:
    """What log Gamma(z) has beyond (z - 1/2) log z - z + log(2 pi)/2."""
    y = 1 / (z * z)
    return (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y / 1680))) / z


def _digamma_rising(base: Array, count: Array) -> Array:
    if np.all(base < ASYMPTOTIC):
        return digamma(base + count) - digamma(base)
    z = np.maximum(base, ASYMPTOTIC)
    end = z + count
    series = np.log1p(count / z) + count / (2 * z * end) + _stirling_slope(end) - _stirling_slope(z)
    return np.where(base < ASYMPTOTIC, digamma(base + count) - digamma(base), series)


def _stirling_slope(z: Array) -> Array:
    """What digamma(z) has beyond log z - 1/(2z)."""
    y = 1 / (z * z)
    return -y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))


def _at_counts(
    function: Callable[[Array, Array], Array], step: Callable[[Array], Array], base: Array, count: Array
) -> Array:
    """``function(base, count)``, which grows by ``step(base + count)``, where possible on a shorter way.

    A table over 0, 1, ..., max(count) serves bases that do not vary along the counts: one number, or one a row as in
    shape (draws, 1). Counts in a run are stepped through.
    """
    if is_run(count) and base.ndim < count.ndim:
        steps = step(base + count[:-1])
        return np.cumsum(
            np.concatenate([np.broadcast_to(function(base, count[:1]), (1, *steps.shape[1:])), steps]), axis=0
        )
    if count.size < FEW:
        return function(base, count)
    is_shared = base.ndim == 0 or (base.shape[-1] == 1 and (base.ndim == 1 or count.ndim == 1))
    if not is_shared or not count.max(initial=0) < count.size:
        return function(base, count)
    place = count.astype(np.intp)
    if not np.array_equal(place, count):
        return function(base, count)
    table = function(np.atleast_1d(base), np.arange(place.max() + 1.0))
    return np.take(table, place, axis=-1)
