"""How sure a share of customers is: the ends of its 95 % interval, by chance alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

Array = NDArray[np.float64]

LEVEL = 0.95
Z = float(ndtri((1 + LEVEL) / 2))


def share_interval(count: ArrayLike, n: ArrayLike) -> tuple[Array, Array]:
    """Ends of the interval of ``count`` out of ``n`` (Wilson 1927, Journal of the American Statistical Association 22).

    Examples
    --------
    >>> from retention_models.core.proportions import share_interval
    >>> [float(end.round(3)) for end in share_interval(2, 10)]
    [0.057, 0.51]
    """
    count, n = np.asarray(count, dtype=float), np.asarray(n, dtype=float)
    share, weight = count / n, Z**2 / n
    middle, reach = share + weight / 2, np.sqrt(weight * (share * (1 - share) + weight / 4))
    return np.maximum((middle - reach) / (1 + weight), 0.0), np.minimum((middle + reach) / (1 + weight), 1.0)


def waiting_interval(at_risk: ArrayLike, came_back: ArrayLike) -> tuple[Array, Array]:
    """Ends of the interval of the share back by each time, from those waited for and those back at it.

    On the log-log scale with Greenwood's variance (Kalbfleisch & Prentice 1980). Before anybody is back, the upper end
    is exact, that of none out of those waited for; where all are back, the lower end is the one before.
    """
    n, back = np.asarray(at_risk, dtype=float), np.asarray(came_back, dtype=float)
    away = np.cumprod(1 - back / n)
    inside = (away > 0) & (away < 1)
    variance = np.cumsum(np.divide(back, n * (n - back), out=np.zeros_like(n), where=n > back))
    log_away = np.log(away, out=np.full_like(n, -1.0), where=inside)
    reach = np.exp(Z * np.sqrt(variance) / np.abs(log_away))
    lower = np.where(inside, 1 - np.exp(log_away / reach), 0.0)
    upper = np.where(inside, 1 - np.exp(log_away * reach), 1.0)
    none_back = 1 - ((1 - LEVEL) / 2) ** (1 / n)
    lower = np.where(away == 0, np.maximum.accumulate(lower), lower)
    return lower, np.where(away == 1, none_back, upper)
