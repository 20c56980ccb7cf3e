"""Laws that follow from other laws: of a value, a sum, and an estimate at an interim look; and the type of all laws."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from scipy.special import ndtr

from retention_models.interventions.effects.error_spending import Spending, check_fractions, nominal_error
from retention_models.interventions.effects.laws import (
    FARTHEST,
    LawRecord,
    Newcombe,
    Permutation,
    StudentT,
    inverted_p_value,
    least,
)
from retention_models.interventions.effects.ratio_laws import AndersonRubin, Fieller


@dataclass(frozen=True, slots=True, repr=False)
class Linear(LawRecord):
    """The law of slope x effect + shift: the value of an effect of which one unit is worth ``slope``.

    Attributes
    ----------
    law
        The law of the effect.
    slope, shift
        Value of one unit, and the value without an effect: minus the cost.
    """

    law: Law
    slope: float
    shift: float

    @property
    def estimate(self) -> float:
        """Slope x estimate + shift."""
        return self.slope * self.law.estimate + self.shift

    @property
    def std_error(self) -> float:
        """The standard error of the effect, times the size of the slope."""
        return abs(self.slope) * self.law.std_error

    @property
    def df(self) -> float:
        """The degrees of freedom of the effect."""
        return self.law.df

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the value equals ``null``."""
        if self.slope == 0:
            return float(null == self.shift)
        return self.law.p_value((null - self.shift) / self.slope)

    def ends(self, error: float) -> tuple[float, float]:
        """Lower and upper end of the interval that misses the true value with probability ``error``."""
        if self.slope == 0:
            return self.shift, self.shift
        lower, upper = sorted(self.slope * end + self.shift for end in self.law.ends(error))
        return lower, upper


def linear(law: Law, slope: float, shift: float = 0.0) -> Law:
    """The law of slope x effect + shift; for Student's law it is Student's."""
    if isinstance(law, StudentT):
        return StudentT(slope * law.estimate + shift, abs(slope) * law.std_error, law.df)
    return Linear(law, slope, shift)


@dataclass(frozen=True, slots=True, repr=False)
class IndependentSum(LawRecord):
    """The law of the sum of two independent estimates with different laws.

    Zou & Donner (2008), Statistics in Medicine 27, 1693-1702: the distances from the estimates to the ends of their
    intervals add up as squares. The p-value is the error of the interval that just reaches the tested value.

    Attributes
    ----------
    first, second
        The laws of the two estimates.
    """

    first: Law
    second: Law

    @property
    def estimate(self) -> float:
        """The sum of the estimates."""
        return self.first.estimate + self.second.estimate

    @property
    def std_error(self) -> float:
        """The square root of the sum of the squared standard errors."""
        return math.hypot(self.first.std_error, self.second.std_error)

    @property
    def df(self) -> float:
        """The smaller degrees of freedom."""
        return min(self.first.df, self.second.df)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the sum equals ``null``."""
        return inverted_p_value(lambda z: self.ends(2 * float(ndtr(-z))), null)

    def ends(self, error: float) -> tuple[float, float]:
        """Lower and upper end of the interval that misses the true sum with probability ``error``."""
        parts = [(law.estimate, *law.ends(error)) for law in (self.first, self.second)]
        below = math.hypot(*(middle - lower for middle, lower, _ in parts))
        above = math.hypot(*(upper - middle for middle, _, upper in parts))
        return self.estimate - below, self.estimate + above


@dataclass(frozen=True, slots=True, repr=False)
class RepeatedLooks(LawRecord):
    """The law of an estimate at an interim look, whose intervals hold at all looks together.

    Jennison & Turnbull (1989). The interval is that of ``law`` at the nominal error of the last look. The p-value is
    the error over all looks at which that nominal error equals the p-value of ``law``.

    Attributes
    ----------
    law
        The law of the estimate at this look, as if there were no other.
    fractions
        The fraction of the planned data at each look up to this one.
    spending
        How the error is spent over the looks: ``"obrien-fleming"``, the default, or ``"pocock"``.
    """

    law: Law
    fractions: tuple[float, ...]
    spending: Spending = "obrien-fleming"

    def __post_init__(self) -> None:
        object.__setattr__(self, "fractions", check_fractions(self.fractions))

    @property
    def estimate(self) -> float:
        """The estimate at this look."""
        return self.law.estimate

    @property
    def std_error(self) -> float:
        """The standard error at this look."""
        return self.law.std_error

    @property
    def df(self) -> float:
        """The degrees of freedom at this look."""
        return self.law.df

    def _nominal(self, error: float) -> float:
        """The nominal error of this look."""
        return nominal_error(self.fractions, error, self.spending)

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the effect equals ``null``, which holds at all looks together."""
        nominal = self.law.p_value(null)

        def allowed(z: float) -> bool:
            return self._nominal(2 * float(ndtr(-z))) <= nominal

        return 2 * float(ndtr(-least(allowed, 0.0, FARTHEST))) if nominal > 0 else 0.0

    def ends(self, error: float) -> tuple[float, float]:
        """Ends of the interval that misses the true effect at any look with probability ``error``."""
        return self.law.ends(self._nominal(error))


Law: TypeAlias = (
    StudentT | Fieller | AndersonRubin | Newcombe | Permutation | Linear | IndependentSum | RepeatedLooks
)  # every law that an effect can carry
