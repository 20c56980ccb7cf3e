"""The law of a ratio whose denominator may be zero: Fieller's, which is also that of Anderson and Rubin.

For the cost per additional customer, the denominator is the number of additional customers. For the effect on
compliers, it is the difference in receiving.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from retention_models.core.formatting import Part, Presentation, format_together
from retention_models.interventions.effects.laws import LawRecord, StudentT, error_of, t_p_value


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


@dataclass(frozen=True, slots=True, repr=False)
class Fieller(LawRecord):
    """The law of a ratio a / b whose denominator may be zero.

    Fieller (1954), "Some problems in interval estimation", JRSS B 16, 175-185. The ratio equals r if a - r b is zero.
    The test of r is that of a - r b, with variance v_aa - 2 r v_ab + r^2 v_bb.

    Attributes
    ----------
    numerator, denominator
        The estimates a and b.
    numerator_variance, denominator_variance, covariance
        Their variances v_aa and v_bb, and their covariance v_ab.
    df
        Degrees of freedom. By default infinite: the normal distribution.
    """

    numerator: float
    denominator: float
    numerator_variance: float
    denominator_variance: float
    covariance: float
    df: float = math.inf

    @classmethod
    def of_estimates(cls, numerator: StudentT, denominator: StudentT, total: StudentT, df: float) -> Self:
        """The law of the ratio of two estimates; the variance of their ``total`` determines their covariance."""
        v_aa, v_bb, v_total = (law.std_error**2 for law in (numerator, denominator, total))
        return cls(numerator.estimate, denominator.estimate, v_aa, v_bb, (v_total - v_aa - v_bb) / 2, df)

    @property
    def estimate(self) -> float:
        """The ratio a / b."""
        return self.numerator / self.denominator

    @property
    def std_error(self) -> float:
        """Standard error of the ratio by the delta method."""
        return math.sqrt(self._variance(self.estimate)) / abs(self.denominator)

    def _variance(self, ratio: float) -> float:
        """The variance of a - ratio x b."""
        own = self.numerator_variance - 2 * ratio * self.covariance + ratio**2 * self.denominator_variance
        return max(own, 0.0)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the ratio equals ``null``; for 0 it is that of the numerator."""
        return t_p_value(self.numerator - null * self.denominator, math.sqrt(self._variance(null)), self.df)

    def ends(self, error: float) -> tuple[float, float]:
        """Ends of the confidence set; both infinite where it is not one interval with two ends."""
        found = self._set(error)
        return (found.lower, found.upper) if found.is_bounded else (-math.inf, math.inf)

    def confidence_set(self, level: float = 0.95) -> RatioInterval:
        """The ratios that the test does not reject: an interval, everything but an interval, or every ratio."""
        return self._set(error_of(level))

    def _set(self, error: float) -> RatioInterval:
        """The ratios r with (a - r b)^2 <= q^2 (v_aa - 2 r v_ab + r^2 v_bb), q the quantile of the error."""
        a, b, q = self.numerator, self.denominator, StudentT(0.0, 1.0, self.df).quantile(error)
        v_aa, v_bb, v_ab = (q**2 * v for v in (self.numerator_variance, self.denominator_variance, self.covariance))
        square, half, constant = b * b - v_bb, a * b - v_ab, a * a - v_aa
        discriminant = half * half - square * constant
        if square > 0:
            root = math.sqrt(max(discriminant, 0.0))
            return RatioInterval((half - root) / square, (half + root) / square)
        if square == 0 or discriminant <= 0:
            return RatioInterval(-math.inf, math.inf)
        root = math.sqrt(discriminant)
        return RatioInterval((half - root) / square, (half + root) / square, outside=True)


class AndersonRubin(Fieller):
    """The law of an effect on compliers: the difference in the outcome divided by that in receiving.

    Anderson & Rubin (1949). It is Fieller's law of this ratio, and is valid however few customers the assignment moved.
    The p-value of no effect is that of the comparison as assigned. It may be small although the interval has no end:
    the data then exclude 0 and limit the effect to neither side.
    """

    __slots__ = ()
