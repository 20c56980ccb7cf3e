"""Many effects in one table: corrected p-values, and shrinkage towards the mean effect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation

SPREADS = 200  # values of the spread between effects that the shrinkage averages over
Prior = Literal["flat", "half-Cauchy"]  # of the spread

FEWEST = 4  # effects, below which the data cannot tell how much effects differ


def holm(p_values: ArrayLike) -> Array:
    """P-values corrected for many comparisons by Holm's method: no false alarm with probability 1 - alpha.

    Parameters
    ----------
    p_values
        The p-values, shape (m,).

    Returns
    -------
    numpy.ndarray
        Corrected p-values in the same order, shape (m,).

    Raises
    ------
    ValueError
        When a p-value is missing, or not from 0 to 1.

    Notes
    -----
    Holm (1979). The i-th smallest p-value is multiplied by m - i + 1.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = _read_p_values(p_values)
    order = np.argsort(p, kind="stable")
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    return _restore_order(np.minimum(raised, 1.0), order)


def benjamini_hochberg(p_values: ArrayLike) -> Array:
    """P-values corrected by Benjamini and Hochberg's method, which controls the false discovery rate.

    Parameters
    ----------
    p_values
        The p-values, shape (m,).

    Returns
    -------
    numpy.ndarray
        Corrected p-values in the same order, shape (m,).

    Raises
    ------
    ValueError
        When a p-value is missing, or not from 0 to 1.

    Notes
    -----
    Benjamini & Hochberg (1995). Among the effects with a corrected p-value below alpha, the expected share of false
    alarms is at most alpha. The i-th smallest p-value is multiplied by m / i.

    Examples
    --------
    >>> benjamini_hochberg([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.04, 0.04]
    """
    p = _read_p_values(p_values)
    order = np.argsort(p, kind="stable")
    raised = p[order] * len(p) / np.arange(1, len(p) + 1)
    return _restore_order(np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0), order)


def _read_p_values(p_values: ArrayLike) -> Array:
    """The p-values, shape (m,); a ValueError unless each is a probability."""
    p = np.asarray(p_values)
    bad = np.flatnonzero(~((p >= 0) & (p <= 1))) if p.dtype.kind in "fiu" else np.arange(p.size)
    if p.ndim != 1 or len(bad):
        first = (
            f" for {len(bad):,} of {p.size:,} (first: {p.tolist()[bad[0]]!r} in place {bad[0]})" if p.ndim == 1 else ""
        )
        raise ValueError(f"p_values must be a list of numbers from 0 to 1, which fails{first or f'; got {p_values!r}'}")
    return p.astype(float)


def _restore_order(ordered: Array, order: NDArray[np.intp]) -> Array:
    values = np.empty(len(ordered))
    values[order] = ordered
    return values


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ShrunkenEffects(Presentation):
    """Effects shrunk towards their common mean.

    Attributes
    ----------
    estimate, lower, upper
        The shrunken effects and their intervals, shape (m,) each.
    mean, spread
        The common mean, and the standard deviation of true effects, both averaged over their posterior distribution.
    """

    estimate: Array
    lower: Array
    upper: Array
    mean: float
    spread: float


def shrink(
    estimates: ArrayLike, std_errors: ArrayLike, level: float = 0.95, *, prior: Prior = "flat"
) -> ShrunkenEffects:
    """Empirical Bayes estimates: true effects are normal around a common mean, which is estimated from the table.

    The larger the standard error of an effect, the closer it moves to the mean. Mean and spread are not known: the
    result averages over them, so that intervals are not too narrow with few rows. The prior is flat in both, as in
    Rubin's eight schools (Gelman et al., Bayesian Data Analysis, section 5.4). With few rows, a flat prior makes the
    spread too large; the half-Cauchy prior on the scale of the standard errors (Gelman 2006) makes it smaller.

    Raises
    ------
    ValueError
        With fewer than 4 effects, or a standard error that is not above 0.
    """
    y, s = np.asarray(estimates, dtype=float), np.asarray(std_errors, dtype=float)
    if len(y) < FEWEST:
        raise ValueError(
            f"{len(y)} effects are too few to estimate how much effects differ; at least {FEWEST} are needed"
        )
    if not np.all(s > 0):
        raise ValueError("a standard error is not above 0; leave out effects that are exact")
    spread, chance = _spreads(y, s, prior)
    own = spread**2 / (spread**2 + s[:, None] ** 2)  # weight of the own estimate, (m, spreads)
    centre, uncertainty = _centre(y, s, spread)
    middle = own * y[:, None] + (1 - own) * centre
    deviation = np.sqrt(own * s[:, None] ** 2 + (1 - own) ** 2 * uncertainty)
    lower, upper = (_mixture_quantile(share, middle, deviation, chance) for share in ((1 - level) / 2, (1 + level) / 2))
    return ShrunkenEffects(middle @ chance, lower, upper, float(centre @ chance), float(spread @ chance))


def shrunken_draws(
    estimates: ArrayLike, std_errors: ArrayLike, draws: int, rng: np.random.Generator, *, prior: Prior = "flat"
) -> Array:
    """Draws of the true effects from the distribution that ``shrink`` averages over, shape (draws, m + 1).

    The last column is the effect of one more intervention of the same sort, of which nothing was measured.
    """
    y, s = np.asarray(estimates, dtype=float), np.asarray(std_errors, dtype=float)
    spread, chance = _spreads(y, s, prior)
    drawn = rng.choice(len(spread), size=draws, p=chance)
    centre, uncertainty = _centre(y, s, spread)
    mean = centre[drawn] + np.sqrt(uncertainty[drawn]) * rng.standard_normal(draws)
    own = spread[drawn, None] ** 2 / (spread[drawn, None] ** 2 + s**2)
    measured = own * y + (1 - own) * mean[:, None] + np.sqrt(own) * s * rng.standard_normal((draws, len(y)))
    return np.column_stack([measured, mean + spread[drawn] * rng.standard_normal(draws)])


def _centre(y: Array, s: Array, spread: Array) -> tuple[Array, Array]:
    """The common mean and its variance at each spread; shape (spreads,) each."""
    precision = 1 / (spread**2 + s[:, None] ** 2)
    uncertainty = 1 / precision.sum(axis=0)
    return uncertainty * (precision * y[:, None]).sum(axis=0), uncertainty


def _spreads(y: Array, s: Array, prior: Prior) -> tuple[Array, Array]:
    """Possible spreads of the true effects, and the probability of each given the estimates; shape (spreads,) each.

    The grid is even in an angle, dense near 0 with a long tail, in units of the data, so that their scale does not
    matter.
    """
    unit = float(np.sqrt(np.mean(s**2) + np.var(y)))
    angle = (np.arange(SPREADS) + 0.5) / SPREADS * np.pi / 2
    spread = unit * np.tan(angle)
    centre, uncertainty = _centre(y, s, spread)
    total = spread**2 + s[:, None] ** 2
    log_chance = 0.5 * np.log(uncertainty) - 0.5 * np.sum(np.log(total) + (y[:, None] - centre) ** 2 / total, axis=0)
    log_chance += np.log1p(np.tan(angle) ** 2)  # a flat prior in the spread, by the grid's spacing
    if prior == "half-Cauchy":
        log_chance -= np.log1p(spread**2 / np.mean(s**2))
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
