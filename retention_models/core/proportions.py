"""Confidence intervals of proportions, of their difference, and of the share that came back by a time."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from retention_models.core.arrays import Array


def wilson_interval(share: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Ends of Wilson's score interval of a share among ``n`` customers; it has a width at 0 and 1, too.

    Wilson (1927), Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> from retention_models.core.proportions import wilson_interval
    >>> [float(end.round(3)) for end in wilson_interval(0.2, 10)]
    [0.057, 0.51]
    """
    return wilson_ends(share, n, float(ndtri((1 + level) / 2)))


def wilson_ends(share: ArrayLike, n: ArrayLike, z: float) -> tuple[Array, Array]:
    """Ends of Wilson's interval that reaches ``z`` standard errors, the score of each end, to both sides."""
    p, n = np.asarray(share, dtype=float), np.asarray(n, dtype=float)
    weight = z**2 / n
    middle, reach = p + weight / 2, z * np.sqrt(p * (1 - p) / n + weight / (4 * n))
    lower, upper = (middle - reach) / (1 + weight), (middle + reach) / (1 + weight)
    return np.where(p == 0, 0.0, lower), np.where(p == 1, 1.0, upper)


def newcombe_ends(treated: tuple[float, float], control: tuple[float, float], z: float) -> tuple[float, float]:
    """Ends of the interval of treated minus control, each given as (share, n), that reaches ``z`` standard errors.

    It has a width also where nobody, or everybody, did what is counted. Newcombe (1998), Statistics in Medicine 17,
    873-890, method 10: Wilson's intervals of the two shares, combined.

    Examples
    --------
    >>> [round(end, 4) for end in newcombe_ends((56 / 70, 70), (48 / 80, 80), 1.959964)]
    [0.0524, 0.3339]
    """
    (p, n), (q, m) = treated, control
    (low_p, high_p), (low_q, high_q) = wilson_ends(p, n, z), wilson_ends(q, m, z)
    return p - q - math.hypot(p - low_p, high_q - q), p - q + math.hypot(high_p - p, q - low_q)


def waiting_interval(at_risk: ArrayLike, came_back: ArrayLike, level: float = 0.95) -> tuple[Array, Array]:
    """Ends of the interval of the share back by each time, from those waited for and those back at it.

    On the log-log scale with Greenwood's variance (Kalbfleisch & Prentice 1980). Before anybody is back, the upper end
    is exact, that of none out of those waited for; where all are back, the lower end is the one before.
    """
    n, back = np.asarray(at_risk, dtype=float), np.asarray(came_back, dtype=float)
    away = np.cumprod(1 - back / n)
    inside = (away > 0) & (away < 1)
    variance = np.cumsum(np.divide(back, n * (n - back), out=np.zeros_like(n), where=n > back))
    log_away = np.log(away, out=np.full_like(n, -1.0), where=inside)
    reach = np.exp(float(ndtri((1 + level) / 2)) * np.sqrt(variance) / np.abs(log_away))
    lower = np.where(inside, 1 - np.exp(log_away / reach), 0.0)
    upper = np.where(inside, 1 - np.exp(log_away * reach), 1.0)
    none_back = 1 - ((1 - level) / 2) ** (1 / n)
    lower = np.where(away == 0, np.maximum.accumulate(lower), lower)
    return lower, np.where(away == 1, none_back, upper)
