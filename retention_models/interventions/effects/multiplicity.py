"""Many effects in one table: corrected p-values, and estimates drawn towards what the others show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation

SPREADS = 200  # values of the spread between effects that the shrinkage averages over
FEWEST = 4  # effects, below which the data cannot tell how much effects differ


def holm(p_values: ArrayLike) -> Array:
    """P-values corrected so that all effects called real are so with probability 1 - alpha (Holm 1979).

    Shape (m,), in the order given. The i-th smallest is multiplied by m - i + 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _put_back(np.minimum(raised, 1.0), order)


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """P-values corrected so that among effects called real a share alpha is expected to be none (1995).

    Shape (m,), in the order given. The i-th smallest is multiplied by m / i.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _put_back(np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0), order)


def _put_back(ordered: Array, order: NDArray[np.intp]) -> Array:
    values = np.empty(len(ordered))
    values[order] = ordered
    return values


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Shrunken(Presentation):
    """Effects drawn towards their common mean: ``estimate``, ``lower``, ``upper``, each of shape (m,).

    ``mean`` is the common mean and ``spread`` how much true effects differ (standard deviation), both on average
    over what the data leave open.
    """

    estimate: Array
    lower: Array
    upper: Array
    mean: float
    spread: float


def shrink(estimates: ArrayLike, std_errors: ArrayLike, level: float = 0.95) -> Shrunken:
    """Empirical Bayes: true effects are taken as normal around a common mean, which the table itself tells.

    The noisier an effect, the closer it is drawn to the mean. Mean and spread are not taken as known: the result
    averages over them (flat in both, as in Rubin's eight schools; Gelman et al., Bayesian Data Analysis, section 5.4),
    so that the intervals are not too narrow when there are few rows.

    Raises
    ------
    ValueError
        With fewer than 4 effects, or a standard error that is not above 0.
    """
    y, s = np.asarray(estimates, dtype=float), np.asarray(std_errors, dtype=float)
    if len(y) < FEWEST:
        raise ValueError(f"{len(y)} effects cannot tell how much effects differ; at least {FEWEST} are needed")
    if not np.all(s > 0):
        raise ValueError("a standard error is not above 0; leave out effects that are exact")
    spread, chance = _spreads(y, s)
    own = spread**2 / (spread**2 + s[:, None] ** 2)  # weight of the own estimate, (m, spreads)
    centre, uncertainty = _centre(y, s, spread)
    middle = own * y[:, None] + (1 - own) * centre
    deviation = np.sqrt(own * s[:, None] ** 2 + (1 - own) ** 2 * uncertainty)
    lower, upper = (_mixture_quantile(share, middle, deviation, chance) for share in ((1 - level) / 2, (1 + level) / 2))
    return Shrunken(middle @ chance, lower, upper, float(centre @ chance), float(spread @ chance))


def _centre(y: Array, s: Array, spread: Array) -> tuple[Array, Array]:
    """The common mean and its variance at each spread; shape (spreads,) each."""
    precision = 1 / (spread**2 + s[:, None] ** 2)
    uncertainty = 1 / precision.sum(axis=0)
    return uncertainty * (precision * y[:, None]).sum(axis=0), uncertainty


def _spreads(y: Array, s: Array) -> tuple[Array, Array]:
    """Possible spreads between true effects, and the chance of each given the estimates; shape (spreads,) each.

    The grid is even in an angle, dense near 0 and far into the tail, in units of the data, so that they may be scaled.
    """
    unit = float(np.sqrt(np.mean(s**2) + np.var(y)))
    angle = (np.arange(SPREADS) + 0.5) / SPREADS * np.pi / 2
    spread = unit * np.tan(angle)
    centre, uncertainty = _centre(y, s, spread)
    total = spread**2 + s[:, None] ** 2
    log_chance = 0.5 * np.log(uncertainty) - 0.5 * np.sum(np.log(total) + (y[:, None] - centre) ** 2 / total, axis=0)
    log_chance += np.log1p(np.tan(angle) ** 2)  # a flat prior in the spread, by the grid's spacing
    chance = np.exp(log_chance - log_chance.max())
    return spread, chance / chance.sum()


def _mixture_quantile(share: float, middle: Array, deviation: Array, chance: Array) -> Array:
    """Quantile of each row's mixture of normals, by bisection; middle and deviation (m, spreads), chance (spreads,)."""
    reach = abs(float(ndtri(share))) + 1
    low, high = (middle - reach * deviation).min(axis=1), (middle + reach * deviation).max(axis=1)
    for _ in range(80):
        half = (low + high) / 2
        below = ndtr((half[:, None] - middle) / deviation) @ chance < share
        low, high = np.where(below, half, low), np.where(below, high, half)
    return (low + high) / 2
