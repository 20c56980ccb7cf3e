"""Fieller's interval for a ratio whose denominator may be zero, which is also that of Anderson and Rubin.

Fieller (1954), "Some problems in interval estimation", JRSS B 16, 175-185: the ratios r for which a - r b differs from
zero no more than chance allows. For the cost per additional customer, b is the number of additional customers. For the
effect on compliers, b is the difference in receiving. The set is then that of Anderson & Rubin (1949), which is valid
with weak instruments too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retention_models.core.formatting import Part, Presentation, format_together
from retention_models.interventions.arms.contrasts import Estimate


@dataclass(frozen=True, slots=True, repr=False)
class RatioInterval(Presentation):
    """The confidence set of a ratio.

    Attributes
    ----------
    lower, upper
        The set reaches from ``lower`` to ``upper``. Both infinite: every ratio is possible.
    outside
        Whether the set is instead everything but the ratios between ``upper`` and ``lower`` (``lower > upper``).
    """

    lower: float
    upper: float
    outside: bool = False

    @property
    def is_bounded(self) -> bool:
        """Whether the set has two finite ends."""
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
        The estimate a + b, whose variance determines their covariance.
    quantile
        q, half the width of an interval in standard errors; 1.96 for 95 %.
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
