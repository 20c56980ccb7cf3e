"""Intervals for a ratio whose denominator may be zero: Fieller's, which is also Anderson and Rubin's.

Fieller (1954), "Some problems in interval estimation", JRSS B 16, 175-185: the ratios r for which a - r b is no
further from zero than chance allows. For cost per customer kept b is the number kept; for the effect on those whom an
encouragement moved, b is how many it moved, and the set is Anderson & Rubin's (1949), right with weak instruments too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retention_models.core.formatting import Part, Presentation, format_together
from retention_models.interventions.arms.contrasts import Estimate


@dataclass(frozen=True, slots=True, repr=False)
class RatioInterval(Presentation):
    """The ratios that the data allow.

    All from ``lower`` to ``upper``; or, where ``outside``, all but those between ``upper`` and ``lower``
    (``lower > upper``: the set reaches through infinity). Both ends infinite: every ratio is possible.
    """

    lower: float
    upper: float
    outside: bool = False

    @property
    def is_bounded(self) -> bool:
        """Whether the interval ends on both sides."""
        return not self.outside and math.isfinite(self.lower) and math.isfinite(self.upper)

    def _parts(self) -> Sequence[Part]:
        lower, upper = format_together(self.lower, self.upper)
        if self.outside:
            return [f"from {lower} upward without bound, or {upper} and less"]
        if not self.is_bounded:
            return ["any number at all"]
        return [f"{lower} to {upper}"]


def fieller(numerator: Estimate, denominator: Estimate, total: Estimate, quantile: float) -> RatioInterval:
    """The ratios r = a / b with (a - r b)^2 <= q^2 (v_aa - 2 r v_ab + r^2 v_bb).

    Parameters
    ----------
    numerator, denominator
        The estimates a and b.
    total
        The estimate a + b, whose variance tells their covariance.
    quantile
        q, how many standard errors the interval reaches; 1.96 for 95 %.
    """
    a, b = numerator.estimate, denominator.estimate
    v_aa, v_bb, v_total = (quantile**2 * part.std_error**2 for part in (numerator, denominator, total))
    v_ab = (v_total - v_aa - v_bb) / 2
    square, half, constant = b * b - v_bb, a * b - v_ab, a * a - v_aa
    discriminant = half * half - square * constant
    if square > 0:
        root = math.sqrt(max(discriminant, 0.0))
        return RatioInterval((half - root) / square, (half + root) / square)
    if square == 0 or discriminant <= 0:
        return RatioInterval(-math.inf, math.inf)
    root = math.sqrt(discriminant)
    return RatioInterval((half - root) / square, (half + root) / square, outside=True)
