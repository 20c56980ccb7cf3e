"""Error spending: group-sequential bounds that control the probability of a false alarm over all looks.

Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", Biometrika 70, 659-663. Each look spends a
part of the allowed error. The bounds follow one by one from the distribution of the test statistic over the looks, by
numerical integration (Armitage, McPherson & Rowe 1969).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from retention_models.core.arguments import is_number, require_level
from retention_models.core.arrays import Array

Spending = Literal["obrien-fleming", "pocock"]

NODES = 200  # Gauss-Legendre nodes over the path between the bounds: errors below 1e-10


def error_spent(fraction: float, level: float = 0.95, spending: Spending = "obrien-fleming") -> float:
    """The part of the allowed two-sided error, 1 - level, that is spent at a fraction of the data.

    With error = 1 - level, ``obrien-fleming`` spends very little early: 4 (1 - Phi(z / sqrt(fraction))), z the normal
    quantile of 1 - error / 4. ``pocock`` spends evenly: error x log(1 + (e - 1) fraction).
    """
    return _spent(fraction, 1 - level, spending)


def _spent(fraction: float, error: float, spending: Spending) -> float:
    """The part of the allowed ``error`` that is spent at a fraction of the data."""
    if spending == "obrien-fleming":
        return 4 * float(ndtr(ndtri(error / 4) / math.sqrt(fraction)))
    if spending == "pocock":
        return error * math.log(1 + (math.e - 1) * fraction)
    raise ValueError(f"spending must be 'obrien-fleming' or 'pocock'; got {spending!r}")


def sequential_bounds(
    fractions: Sequence[float], level: float = 0.95, spending: Spending = "obrien-fleming"
) -> pd.DataFrame:
    """The two-sided bound for |z| at each interim look, at which a test may stop.

    Parameters
    ----------
    fractions
        The fraction of the planned data at each look, increasing, at most 1. Bounds do not depend on later looks, so
        the time of the next look may be decided on the way.
    level
        1 minus the probability of a false alarm over all looks, 0.95 by default.
    spending
        ``"obrien-fleming"``, the default, is strict early and nearly the usual bound at the end. ``"pocock"`` is almost
        constant.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``look``: ``fraction``, ``spent`` (cumulative error), ``bound`` (for |z|), ``p_value`` (the bound as
        a nominal two-sided p-value).

    Raises
    ------
    ValueError
        When the fractions do not increase within (0, 1], or the spending function is unknown.

    Notes
    -----
    Lan & DeMets (1983).

    Examples
    --------
    >>> sequential_bounds([0.2, 0.4, 0.6, 0.8, 1.0]).round(4)
          fraction   spent   bound  p_value
    look
    1          0.2  0.0000  4.8769   0.0000
    2          0.4  0.0008  3.3570   0.0008
    3          0.6  0.0076  2.6803   0.0074
    4          0.8  0.0244  2.2898   0.0220
    5          1.0  0.0500  2.0310   0.0423
    """
    require_level(level)
    times = check_fractions(fractions)
    totals = [error_spent(time, level, spending) for time in times]
    bounds = _bounds(times, totals)
    p_values = 2 * ndtr(-np.array(bounds))
    table = pd.DataFrame({"fraction": times, "spent": totals, "bound": bounds, "p_value": p_values})
    return table.set_index(pd.RangeIndex(1, len(times) + 1, name="look"))


def check_fractions(fractions: Sequence[float]) -> tuple[float, ...]:
    """The fractions of the planned data at the looks; a ValueError unless they increase within (0, 1]."""
    times = tuple(fractions) if isinstance(fractions, Iterable) else ()
    rise = all(map(is_number, times)) and all(b > a for a, b in pairwise((0, *times)))
    if not (times and rise and times[-1] <= 1):
        raise ValueError(
            f"fractions of the planned data must increase, above 0 and up to 1, as in [0.5]; got {fractions!r}"
        )
    return tuple(map(float, times))


@lru_cache(maxsize=1024)
def nominal_error(fractions: tuple[float, ...], error: float, spending: Spending) -> float:
    """The nominal two-sided error of the last look, where ``error`` is allowed over all looks."""
    return 2 * float(ndtr(-_bounds(fractions, [_spent(time, error, spending) for time in fractions])[-1]))


def _bounds(times: Sequence[float], totals: Sequence[float]) -> list[float]:
    """The bound of each look, at which the cumulative errors ``totals`` are spent."""
    bounds: list[float] = []
    path = _Path.start()
    for time, error in zip(times, np.diff([0.0, *totals]), strict=True):
        bounds.append(path.bound(time, float(error)))
        path = path.advance(time, bounds[-1])
    return bounds


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """Distribution of B(t) = Z(t) sqrt(t) at the last look without a stop, as weighted points; shape (nodes,)."""

    time: float
    points: Array
    weights: Array

    @classmethod
    def start(cls) -> _Path:
        return cls(0.0, np.zeros(1), np.ones(1))

    def exceedance(self, time: float, bound: float) -> float:
        """The probability of |Z| above ``bound`` at ``time`` without an earlier stop."""
        step, edge = math.sqrt(time - self.time), bound * math.sqrt(time)
        return float(self.weights @ (ndtr((self.points - edge) / step) + ndtr((-self.points - edge) / step)))

    def bound(self, time: float, error: float) -> float:
        """The bound at ``time`` that spends ``error``, by bisection."""
        low, high = 0.0, 40.0
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if self.exceedance(time, middle) > error else (low, middle)
        return (low + high) / 2

    def advance(self, time: float, bound: float) -> _Path:
        """The path at the next look, without a stop there."""
        nodes, weights = _nodes()
        edge, step = bound * math.sqrt(time), math.sqrt(time - self.time)
        points = edge * nodes
        steps = (points[:, None] - self.points) / step
        density = np.exp(-(steps**2) / 2) / (step * math.sqrt(2 * math.pi)) @ self.weights
        return _Path(time, points, edge * weights * density)


@cache
def _nodes() -> tuple[Array, Array]:
    return np.polynomial.legendre.leggauss(NODES)
