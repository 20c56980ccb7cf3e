"""The law of an estimate: what gives its p-value for any effect, and its interval at any level.

Each effect carries the law under which its design computed it. Intervals for several effects together, p-values with
their corrections and interim looks ask the law; nothing is derived from the ends of an interval. A law is a small
frozen record with these members:

- ``estimate``, ``std_error``, and ``df``, the degrees of freedom (infinite for laws other than Student's)
- ``p_value(null)``: two-sided p-value of the hypothesis that the effect equals ``null``, 0 by default
- ``interval(level)``: the values that the test does not reject at the error 1 - level, as ``(lower, upper)``

All are on the working scale: the logarithm for a ratio or hazard ratio, and otherwise the unit of the outcome. Laws of
ratios are in ``ratio_laws``; laws that follow from another one, and the type ``Law``, in ``derived_laws``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass

from scipy.special import ndtr, ndtri, stdtr, stdtrit

from retention_models.core.arguments import require_level
from retention_models.core.formatting import Presentation
from retention_models.core.proportions import newcombe_ends

FARTHEST = 37.0  # standard errors, beyond which a p-value is 0 for all purposes: 1e-299
HALVINGS = 60  # of an interval of standard errors, to the precision of floating point
TIE = 1e-12  # numbers of orders closer than this, as a share of all, are equal


class LawRecord(Presentation, ABC):
    """What the laws share: the interval of a level from that of its error."""

    __slots__ = ()

    @abstractmethod
    def ends(self, error: float) -> tuple[float, float]:
        """Lower and upper end of the interval that misses the true effect with probability ``error``."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Lower and upper end of the confidence interval of a level, on the working scale.

        Parameters
        ----------
        level
            Level of the interval, 0.95 by default.

        Returns
        -------
        tuple
            An end is infinite where the data set no limit.

        Raises
        ------
        ValueError
            When the level does not lie between 0 and 1.
        """
        return self.ends(error_of(level))


def error_of(level: float) -> float:
    """The error probability of a level; a ValueError unless the level lies between 0 and 1."""
    require_level(level)
    return 1 - level


@dataclass(frozen=True, slots=True, repr=False)
class StudentT(LawRecord):
    """Student's law of an estimate: (estimate - true effect) / std_error; normal without degrees of freedom.

    Attributes
    ----------
    estimate
        The estimate: of the logarithm for a ratio or hazard ratio.
    std_error
        Its standard error.
    df
        Degrees of freedom. By default infinite: the normal distribution.

    Raises
    ------
    ValueError
        When the estimate or its standard error is not finite, the standard error is below 0, or df is not above 0.

    Examples
    --------
    >>> import retention_models as rm
    >>> law = rm.interventions.StudentT(0.04, 0.01, df=12)
    >>> [round(end, 4) for end in law.interval(0.95)], round(law.p_value(), 4)
    ([0.0182, 0.0618], 0.0018)
    """

    estimate: float
    std_error: float
    df: float = math.inf

    def __post_init__(self) -> None:
        if not (math.isfinite(self.estimate) and math.isfinite(self.std_error) and self.std_error >= 0 and self.df > 0):
            raise ValueError(
                f"a law needs a finite estimate, a std_error of 0 or more, and df above 0; got {self.estimate}, "
                f"{self.std_error} and {self.df}"
            )

    def quantile(self, error: float) -> float:
        """Half the width of an interval, in standard errors.

        Parameters
        ----------
        error
            The probability that the interval misses the true effect.

        Returns
        -------
        float
            1.96 for an error of 0.05 without degrees of freedom.
        """
        return abs(float(stdtrit(self.df, error / 2) if math.isfinite(self.df) else ndtri(error / 2)))

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the effect equals ``null``.

        Parameters
        ----------
        null
            The effect to test, on the working scale. By default 0: no effect.

        Returns
        -------
        float
            Between 0 and 1. For an exact estimate, 0 or 1.
        """
        return t_p_value(self.estimate - null, self.std_error, self.df)

    def ends(self, error: float) -> tuple[float, float]:
        """Lower and upper end of the interval that misses the true effect with probability ``error``.

        Parameters
        ----------
        error
            The error probability.

        Returns
        -------
        tuple
            The two ends.
        """
        reach = self.quantile(error) * self.std_error if self.std_error > 0 else 0.0
        return self.estimate - reach, self.estimate + reach


def t_p_value(distance: float, std_error: float, df: float) -> float:
    """Two-sided p-value of a distance with its standard error."""
    if std_error == 0:
        return float(distance == 0)
    t = -abs(distance) / std_error
    return 2 * float(stdtr(df, t) if math.isfinite(df) else ndtr(t))


@dataclass(frozen=True, slots=True, repr=False)
class Newcombe(LawRecord):
    """The law of a difference of two shares, also where nobody, or everybody, did what is counted.

    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10: Wilson's intervals of the two shares, combined. The
    p-value is the error of the interval that just reaches the tested effect.

    Attributes
    ----------
    treated, control
        Share and number of customers of each arm.
    """

    treated: tuple[float, float]
    control: tuple[float, float]

    @property
    def estimate(self) -> float:
        """The difference of the shares."""
        return self.treated[0] - self.control[0]

    @property
    def std_error(self) -> float:
        """The longer side of the 95 % interval, divided by the normal quantile."""
        z = -float(ndtri(0.025))
        lower, upper = newcombe_ends(self.treated, self.control, z)
        return max(self.estimate - lower, upper - self.estimate) / z

    @property
    def df(self) -> float:
        """Infinite: Wilson's intervals are normal ones."""
        return math.inf

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the difference equals ``null``."""
        return inverted_p_value(lambda z: newcombe_ends(self.treated, self.control, z), null)

    def ends(self, error: float) -> tuple[float, float]:
        """Lower and upper end of the interval that misses the true effect with probability ``error``."""
        return newcombe_ends(self.treated, self.control, -float(ndtri(error / 2)))


def inverted_p_value(ends: Callable[[float], tuple[float, float]], null: float) -> float:
    """The error of the interval that just reaches ``null``; ``ends`` are those of a normal quantile.

    It is 0 if no interval reaches that far.
    """

    def reached(z: float) -> bool:
        lower, upper = ends(z)
        return lower <= null <= upper

    if not reached(FARTHEST):
        return 0.0
    return 2 * float(ndtr(-least(reached, 0.0, FARTHEST)))


def least(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The least number between two from which on a condition holds; it holds at ``high``."""
    if holds(low):
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high


@dataclass(frozen=True, slots=True, repr=False)
class Permutation(LawRecord):
    """The law of a permutation test of a constant effect, inverted: exact, and with no more than its orders can tell.

    Each order of the assignment supports the effects from one end to another, the estimate among them. The p-value of
    an effect is the share of orders that support it. It is never below 1 / number of orders, because the actual order
    supports every effect. An interval whose error is not above that has no end.

    Attributes
    ----------
    estimate
        The estimate.
    std_error
        Standard deviation of the statistic over the orders, if the effect is the estimate.
    lowest, highest
        The least and the largest effect that each order supports, in increasing order by themselves, shape (orders,).
    """

    estimate: float
    std_error: float
    lowest: tuple[float, ...]
    highest: tuple[float, ...]

    @property
    def df(self) -> float:
        """Infinite: the law has no degrees of freedom."""
        return math.inf

    def p_value(self, null: float = 0.0) -> float:
        """Two-sided p-value of the hypothesis that the effect equals ``null``: the share of orders that support it."""
        if null == self.estimate:
            return 1.0
        if null < self.estimate:
            return bisect_right(self.lowest, null) / len(self.lowest)
        return (len(self.highest) - bisect_left(self.highest, null)) / len(self.highest)

    def ends(self, error: float) -> tuple[float, float]:
        """The least and the largest effect that at least a share ``error`` of the orders supports."""
        needed = max(math.ceil((error - TIE) * len(self.lowest)), 1)
        return self.lowest[needed - 1], self.highest[-needed]
