"""Interim looks: group-sequential bounds that control the probability of a false alarm over all looks.

Lan & DeMets (1983), "Discrete sequential boundaries for clinical trials", Biometrika 70, 659-663. Each look spends a
part of the allowed error. The bounds follow one by one from the distribution of the test statistic over the looks, by
numerical integration (Armitage, McPherson & Rowe 1969).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, three_digits
from retention_models.interventions.effects.effect import Effect, t_degrees_of_freedom

Spending = Literal["obrien-fleming", "pocock"]

FEW_FREEDOM = 10  # fewer degrees of freedom, and bounds made for a normal path are approximate
NODES = 200  # Gauss-Legendre nodes over the path between the bounds: errors below 1e-10


def error_spent(fraction: float, level: float = 0.95, spending: Spending = "obrien-fleming") -> float:
    """The part of the allowed two-sided error, 1 - level, that is spent at a fraction of the data.

    With error = 1 - level, ``obrien-fleming`` spends very little early: 4 (1 - Phi(z / sqrt(fraction))), z the normal
    quantile of 1 - error / 4. ``pocock`` spends evenly: error x log(1 + (e - 1) fraction).
    """
    error = 1 - level
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
    times = [float(fraction) for fraction in fractions]
    if not times or times[0] <= 0 or times[-1] > 1 or any(b <= a for a, b in pairwise(times)):
        raise ValueError(f"fractions of the planned data rise, above 0 and at most 1; got {times}")
    totals = [error_spent(time, level, spending) for time in times]
    bounds: list[float] = []
    path = _Path.start()
    for time, error in zip(times, np.diff([0.0, *totals]), strict=True):
        bounds.append(path.bound(time, float(error)))
        path = path.advance(time, bounds[-1])
    p_values = 2 * ndtr(-np.array(bounds))
    table = pd.DataFrame({"fraction": times, "spent": totals, "bound": bounds, "p_value": p_values})
    return table.set_index(pd.RangeIndex(1, len(times) + 1, name="look"))


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


@dataclass(frozen=True, slots=True, repr=False)
class Look(Presentation):
    """One interim look at a running test: whether to stop, and the effect with an interval that holds at every look.

    ``interim_look`` creates it.

    Attributes
    ----------
    number
        Number of the look, from 1.
    z
        The effect in standard errors.
    bound
        Half the width of the interval in standard errors.
    effect
        The effect with the repeated confidence interval.
    """

    number: int
    z: float
    bound: float
    effect: Effect

    @property
    def stop(self) -> bool:
        """Whether the effect crosses the bound: the interval excludes no effect."""
        return not self.effect.lower <= self.effect.no_effect <= self.effect.upper

    def _parts(self) -> Sequence[Part]:
        verdict = "stop" if self.stop else "go on"
        z, bound = (three_digits(number, decimals=2) for number in (abs(self.z), self.bound))
        return [f"Look {self.number}: |z| = {z} against {bound}: {verdict}. {self.effect}"]


def interim_look(effect: Effect, fractions: Sequence[float], *, spending: Spending = "obrien-fleming") -> Look:
    """An interim look at a running test: its current effect, compared with the bound for this look.

    Parameters
    ----------
    effect
        The effect computed from the current data.
    fractions
        The fraction of the planned data at each look up to this one, increasing, at most 1.
    spending
        ``"obrien-fleming"``, the default, or ``"pocock"``, as in ``sequential_bounds``.

    Returns
    -------
    Look
        Its effect has the repeated confidence interval, which holds at all looks together. The interval of its value is
        widened in the same way. A check describes the interval. Its ``passed`` is None where the interval is
        approximate: with few degrees of freedom, or with sides of different length.

    Raises
    ------
    ValueError
        As in ``sequential_bounds``.

    Notes
    -----
    Jennison & Turnbull (1989). The interval has the level of this look's bound and the t-distribution of the effect's
    interval. An infinite end remains infinite. The estimate of a test that stops early tends to be too large.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(control="no e-mail"), outcome="visit")
    >>> visit = rm.Outcome(column="visit", unit="share of customers", horizon="2 weeks")
    >>> effect = rm.differences(test, visit)[0]
    >>> print(rm.interventions.interim_look(effect, [0.5]))  # the first look, at half of the customers planned
    Look 1: |z| = 22.6 against 2.96: stop. men's e-mail changes visit by 0.0766 (0.0666 to 0.0866) (share of
    customers; 95 % interval; 2 weeks; randomised, n = 42,613).
    """
    p_values = sequential_bounds(fractions, effect.level, spending)["p_value"]
    middle, lower, upper = effect.on_working_scale
    reach = (middle - lower, upper - middle)
    known = max((end for end in reach if math.isfinite(end)), default=math.inf)
    usual = known / effect.std_error if effect.std_error > 0 else float(ndtri((1 + effect.level) / 2))
    df = t_degrees_of_freedom(usual, effect.level) if math.isfinite(usual) else 0.0
    factor = effect.stretch(float(p_values.iloc[-1]))
    ends = (middle - _widen(reach[0], factor), middle + _widen(reach[1], factor))
    lower, upper = ends if effect.scale == "difference" else (math.exp(ends[0]), math.exp(ends[1]))
    number, bound = len(p_values), usual * factor
    reaches, normally = (three_digits(distance, decimals=2) for distance in (bound, usual))
    said = f"Look {number} at {100 * fractions[-1]:.3g} % of the data: the interval reaches {reaches} standard errors "
    check = Check(
        "looks",
        True if df >= FEW_FREEDOM and max(reach) <= 1.01 * min(reach) else None,
        f"{said}instead of {normally}, to hold at every look; {_validity(df, reach)}.",
    )
    z = middle / effect.std_error if effect.std_error > 0 else math.copysign(math.inf, middle)
    wider = _widen_value(effect, factor)
    return Look(number, z, bound, replace(wider, lower=lower, upper=upper, checks=(*effect.checks, check)))


def _widen(reach: float, factor: float) -> float:
    return reach * factor if reach > 0 else reach


def _validity(df: float, reach: tuple[float, float]) -> str:
    """The assumption or limit of the bounds, in words."""
    if df == 0:
        return "it has no end, at this look or any"
    if df < FEW_FREEDOM:
        return f"with {df:.1f} degrees of freedom that is approximate"
    if max(reach) > 1.01 * min(reach):
        return "as it is longer to one side, that is approximate"
    return "it does so for the fractions stated"


def _widen_value(effect: Effect, factor: float) -> Effect:
    """The effect with the interval of its value widened by a factor."""
    if effect.priced is None:
        return effect
    value, lower, upper = effect.priced
    return replace(
        effect, value_lower=value - _widen(value - lower, factor), value_upper=value + _widen(upper - value, factor)
    )
