"""Several measurements of one effort: their common mean, and how much they differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq

from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.interventions.effects.laws import StudentT

FEWEST = 3  # measurements that are pooled; two are shown side by side


@dataclass(frozen=True, slots=True, repr=False)
class PooledEffect(Presentation):
    """The mean of several measurements.

    Attributes
    ----------
    law
        The law of the mean: Student's t with one degree of freedom less than measurements.
    spread
        Standard deviation of the true effects between the measurements.
    inconsistency
        Share of the differences between estimates that chance does not explain (I squared).
    """

    law: StudentT
    spread: float
    inconsistency: float


def pool(estimates: ArrayLike, std_errors: ArrayLike) -> PooledEffect:
    """The mean effect of a random-effects model.

    Notes
    -----
    The spread is that of Paule and Mandel (1982), at which the weighted sum of squares equals its degrees of freedom.
    The standard error is that of Hartung and Knapp (2001), with m - 1 degrees of freedom; it is never below the one
    of a model with known spread (Jackson et al. 2017), as it otherwise is where estimates agree by chance.

    Raises
    ------
    ValueError
        With fewer than 3 measurements, or a standard error that is not above 0.
    """
    y, s = np.asarray(estimates, dtype=float), np.asarray(std_errors, dtype=float)
    if len(y) < FEWEST:
        raise ValueError(f"{len(y)} measurements are not pooled; at least {FEWEST} are needed")
    if not np.all((s > 0) & np.isfinite(s)):
        raise ValueError("each standard error must be above 0 and finite to be pooled")
    df = len(y) - 1
    variance = _spread_squared(y, s, df)
    weight = 1 / (s**2 + variance)
    mean = float(weight @ y / weight.sum())
    scale = max(1.0, float(weight @ (y - mean) ** 2) / df)
    total = _heterogeneity(y, s, 0.0)
    inconsistency = max(0.0, 1 - df / total) if total > 0 else 0.0
    return PooledEffect(StudentT(mean, math.sqrt(scale / weight.sum()), df), math.sqrt(variance), inconsistency)


def _heterogeneity(y: Array, s: Array, variance: float) -> float:
    """The weighted sum of squared distances from the mean; it falls as the variance between measurements grows."""
    weight = 1 / (s**2 + variance)
    return float(weight @ (y - weight @ y / weight.sum()) ** 2)


def _spread_squared(y: Array, s: Array, df: int) -> float:
    if _heterogeneity(y, s, 0.0) <= df:
        return 0.0
    unit = float(np.var(y, ddof=1))  # at which each term is at most its share of this variance
    return float(brentq(lambda share: _heterogeneity(y, s, share * unit) - df, 0.0, 1.0, xtol=1e-14)) * unit
