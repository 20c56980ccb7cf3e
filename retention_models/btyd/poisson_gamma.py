"""Purchases of customers who are alive: at a constant rate, which is Gamma(r, alpha) over customers.

Ehrenberg (1959), "The Pattern of Consumer Purchases", Applied Statistics 8(1): the counts are negative binomial.
x = frequency; ``odds`` is the length of a window over alpha.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, betaincc, gammaln

from retention_models.btyd.purchase_model import Parameter
from retention_models.core.arrays import Array
from retention_models.estimation.numerics.special import digamma_rising, is_run, log_rising

MANY = 10_000
LONG_ODDS = 1e3  # odds / (1 + odds) keeps thirteen digits of its distance to 1


def start_from_counts(frequency: Array, T: Array, weight: Array) -> tuple[float, float]:
    """Rough r and alpha, by the moments of the counts."""
    n = weight.sum()
    mean, age = weight @ frequency / n, weight @ T / n
    excess = weight @ (frequency - mean) ** 2 / n - mean
    r = float(np.clip(mean**2 / excess, 0.1, 10)) if excess > 0 else 10.0
    return r, float(r * age / max(mean, 0.01))


def log_density(x: Array, T: Array, r: Parameter, alpha: Parameter) -> Array:
    """Log-likelihood of buying x times, at given moments, until T."""
    return log_rising(r, x) - x * np.log(alpha + T) - r * np.log1p(T / alpha)


def log_density_score(x: Array, T: Array, r: Parameter, alpha: Parameter) -> tuple[Array, Array]:
    """Derivatives of ``log_density`` in r and alpha."""
    return digamma_rising(r, x) - np.log1p(T / alpha), (r * T / alpha - x) / (alpha + T)


def log_count_coefficient(n: Array, r: Parameter) -> Array:
    """Log of r (r + 1) ... (r + n - 1) / n!, with which each count's chance begins.

    Counts beyond ``MANY``, whose logarithms of factorials would cancel, go by Gamma(n + r) / Gamma(n) instead.
    """
    if not np.any(np.asarray(n) > MANY):
        return log_rising(r, n) - log_rising(1.0, n)
    n, r = np.broadcast_arrays(n, r)
    result, many = np.empty(n.shape), n > np.maximum(r, MANY)
    few = ~many
    result[few] = log_rising(r[few], n[few]) - log_rising(1.0, n[few])
    result[many] = log_rising(n[many], r[many]) - gammaln(r[many]) - np.log(n[many])
    return result


def count_probability(n: Array, r: Parameter, odds: Parameter) -> Array:
    """Chance of exactly n purchases."""
    return np.exp(log_count_coefficient(n, r) + count_power(n, odds) - r * np.log1p(odds))


def count_power(n: Array, odds: Parameter) -> Array:
    """Log of (odds / (1 + odds))^n, exact where the base is all but 1; 0 where n is 0."""
    with np.errstate(divide="ignore"):
        base = np.where(np.asarray(odds) > 1, -np.log1p(1 / np.maximum(odds, 1)), np.log(odds / (1 + np.asarray(odds))))
    return np.multiply(n, base, out=np.zeros(np.broadcast_shapes(np.shape(n), base.shape)), where=np.asarray(n) > 0)


def probability_at_least(n: Array, r: Parameter, odds: Parameter) -> Array:
    """Chance of n or more purchases; where odds are long, as the complement of fewer, which is exact, but slower.

    In a run of counts each is the next one's chance plus that of exactly n.
    """
    n = np.asarray(n, dtype=float)
    if is_run(n):
        last = np.broadcast_to(
            probability_at_least(n[-1:], r, odds), np.broadcast_shapes(n[-1:].shape, np.shape(r), np.shape(odds))
        )
        return np.concatenate([count_probability(n[:-1], r, odds), last])[::-1].cumsum(axis=0)[::-1]
    n, r, odds = np.broadcast_arrays(n, r, odds)
    result = np.ones(n.shape)
    few, many = (n > 0) & (odds <= LONG_ODDS), (n > 0) & (odds > LONG_ODDS)
    result[few] = betainc(n[few], r[few], odds[few] / (1 + odds[few]))
    result[many] = betaincc(r[many], n[many], 1 / (1 + odds[many]))
    return result


def two_over_square(r: Parameter, odds: Parameter) -> Array:
    """``probability_at_least(2, r, odds) / odds**2``, at a tenth of the cost, for odds however small.

    With z = odds / (1 + odds) the chance is 1 - (1 - z)^r (1 + r z), or, where that cancels, r (r + 1)/2 z^2 (1 - z)^r
    times the series 1 + (r + 2)/3 z + (r + 2)(r + 3)/(3 4) z^2 + ...
    """
    log_none = -r * np.log1p(odds)
    z = odds / (1 + odds)
    series = 1 + (r + 2) * z / 3 * (1 + (r + 3) * z / 4 * (1 + (r + 4) * z / 5))
    few = r * (r + 1) / 2 * np.exp(log_none) * series / (1 + odds) ** 2
    is_few = (r + 1) * z < 1e-3
    return np.where(is_few, few, -np.expm1(log_none + np.log1p(r * z)) / np.where(is_few, 1.0, odds) ** 2)


def silent_stages(k: int, r: Parameter, share: Parameter) -> Array:
    """Chance of j = 0, 1, ... k - 1 stages in a silent time, over that of none; shape (k, ...).

    Given k, stages come at rates Gamma(r, alpha), and ``share`` is the silent time over itself plus alpha.
    """
    stages = [np.ones(np.broadcast_shapes(np.shape(r), np.shape(share)))]
    for j in range(k - 1):
        stages.append(stages[j] * (r + j) / (j + 1) * share)
    return np.stack(stages)
