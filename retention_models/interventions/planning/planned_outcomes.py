"""Outcomes for planning: what one customer contributes to the variance of an effect, and the scale of the effect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from retention_models.core.arguments import is_number, require_number
from retention_models.core.formatting import Presentation

LARGEST_EXPONENT = 700.0  # of a hazard ratio that is still above 0


class Planned(Protocol):
    """An outcome for planning."""

    @property
    def largest(self) -> float:
        """The largest possible distance."""
        ...

    def distance(self, effect: float) -> float:
        """Distance of the effect from no effect, on the scale of its interval."""
        ...

    def loss(self, margin: float) -> float:
        """Distance of a loss of the margin from no effect."""
        ...

    def effect_at(self, distance: float) -> float:
        """The effect at a distance from no effect."""
        ...

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """Variance per customer in the control and in the treated arm: variance of an arm = this / customers."""
        ...

    def freedom(self, customers: float) -> float:
        """Degrees of freedom of the variance in an arm with a number of customers."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Proportion(Presentation):
    """A binary outcome, such as any purchase; effects are differences of shares.

    Attributes
    ----------
    rate
        The share expected in the control, between 0 and 1.
    """

    rate: float

    def __post_init__(self) -> None:
        require_share("rate", self.rate)

    @property
    def largest(self) -> float:
        """The difference at which everyone in the treated arm has the outcome."""
        return 1 - self.rate

    def distance(self, effect: float) -> float:
        """The difference; a ValueError if the treated share lies outside 0 to 1."""
        if not 0 <= self.rate + effect <= 1:
            raise ValueError(f"an effect of {effect:g} on a rate of {self.rate:g} is not a share of customers")
        return effect

    def loss(self, margin: float) -> float:
        """The margin."""
        return margin

    def effect_at(self, distance: float) -> float:
        """The difference."""
        return distance

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """The variance p (1 - p) of each arm."""
        treated = self.rate + effect
        return self.rate * (1 - self.rate), treated * (1 - treated)

    def freedom(self, customers: float) -> float:
        """Infinite: the variance follows from the share."""
        return math.inf


class _DifferenceOfMeans(Presentation):
    """What is planned alike for means and ratios: differences, and variances of samples."""

    __slots__ = ()

    @property
    def largest(self) -> float:
        """Infinite."""
        return math.inf

    def distance(self, effect: float) -> float:
        """The difference."""
        return effect

    def loss(self, margin: float) -> float:
        """The margin."""
        return margin

    def effect_at(self, distance: float) -> float:
        """The difference."""
        return distance

    def freedom(self, customers: float) -> float:
        """The number of customers minus 1."""
        return customers - 1


@dataclass(frozen=True, slots=True, repr=False)
class Mean(_DifferenceOfMeans):
    """An amount or a count; effects are differences of means.

    With CUPED on a covariate with correlation r to the outcome, plan with ``std_dev * sqrt(1 - r**2)``.

    Attributes
    ----------
    std_dev
        Standard deviation of the outcome among customers, above 0.
    """

    std_dev: float

    def __post_init__(self) -> None:
        if not (is_number(self.std_dev) and self.std_dev > 0):
            raise ValueError(f"std_dev must be above 0; got {self.std_dev!r}")

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """The same variance in both arms."""
        return self.std_dev**2, self.std_dev**2


@dataclass(frozen=True, slots=True, repr=False)
class Ratio(_DifferenceOfMeans):
    """A ratio of two sums, such as spend per order; effects are differences of ratios (delta method).

    Attributes
    ----------
    mean, std_dev
        Mean and standard deviation of the numerator among customers, such as their spend.
    per_mean, per_std_dev
        Mean (above 0) and standard deviation of the denominator among customers, such as their number of orders.
    correlation
        Correlation of numerator and denominator among customers, from -1 to 1.
    """

    mean: float
    std_dev: float
    per_mean: float
    per_std_dev: float
    correlation: float

    def __post_init__(self) -> None:
        require_number("mean", self.mean)
        require_number("std_dev", self.std_dev, 0)
        require_number("per_mean", self.per_mean, 0, inside=True)
        require_number("per_std_dev", self.per_std_dev, 0)
        require_number("correlation", self.correlation, -1, 1)
        if not self._variance(0.0) > 0:
            raise ValueError(
                "numerator and denominator are proportional, so that the ratio does not vary; check std_dev, "
                "per_std_dev and correlation"
            )

    def _variance(self, effect: float) -> float:
        """Variance of (y - R x) / mean of x for one customer, with the ratio R after the effect."""
        ratio = self.mean / self.per_mean + effect
        covariance = self.correlation * self.std_dev * self.per_std_dev
        return (self.std_dev**2 - 2 * ratio * covariance + (ratio * self.per_std_dev) ** 2) / self.per_mean**2

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """The variances of the linearised ratio, in the treated arm after the effect."""
        return self._variance(0.0), self._variance(effect)


@dataclass(frozen=True, slots=True, repr=False)
class Survival(Presentation):
    """Retention of customers; effects are hazard ratios, below 1 if the intervention retains customers.

    The power is that of the log-rank test, with the mean and variance that its statistic has under the effect. For
    ratios near 1 in groups of one size it is Schoenfeld's (1981), which depends on the number of events only. In groups
    of different size his formula plans, for ratios below 1, too few customers for a small treated arm, and too many for
    a large one.

    Attributes
    ----------
    churned
        The share of the control that leaves during the test, between 0 and 1.
    """

    churned: float

    def __post_init__(self) -> None:
        require_share("churned", self.churned)

    @property
    def largest(self) -> float:
        """Infinite: a hazard ratio may be arbitrarily close to 0."""
        return math.inf

    def distance(self, effect: float) -> float:
        """The negative logarithm of the hazard ratio, so that a gain in retention is positive."""
        if effect <= 0:
            raise ValueError(f"a hazard ratio is above 0; got {effect!r}")
        return -math.log(effect)

    def loss(self, margin: float) -> float:
        """The logarithm of the hazard ratio 1 / (1 - margin)."""
        if margin >= 1:
            raise ValueError(f"margin is a share of the hazard, below 1; got {margin!r}")
        return -math.log1p(-margin)

    def effect_at(self, distance: float) -> float:
        """The hazard ratio."""
        return math.exp(-min(distance, LARGEST_EXPONENT))

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """1 / (share of customers with an event in both arms together), Schoenfeld's, for non-inferiority."""
        treated = 1 - (1 - self.churned) ** effect
        events = share * treated + (1 - share) * self.churned
        return 1 / events, 1 / events

    def freedom(self, customers: float) -> float:
        """Infinite."""
        return math.inf


@dataclass(frozen=True, slots=True, repr=False)
class Clustered(Presentation):
    """Any outcome with random assignment of clusters.

    Variances grow by the design effect 1 + ((1 + size_cv^2) size - 1) icc. Degrees of freedom follow from the number of
    clusters.

    Attributes
    ----------
    outcome
        The outcome: a ``Proportion``, ``Mean``, ``Ratio`` or ``Survival``.
    size
        Mean number of customers in a cluster, at least 1.
    icc
        Intracluster correlation: the correlation of two customers in a cluster, from 0 to 1.
    size_cv
        Coefficient of variation of the cluster sizes; 0 by default for equal sizes.
    """

    outcome: Proportion | Mean | Ratio | Survival
    size: float
    icc: float
    size_cv: float = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.outcome, Proportion | Mean | Ratio | Survival):
            raise TypeError(
                "the outcome of clusters must be a Proportion, Mean, Ratio or Survival, such as Proportion(0.1); got "
                f"{self.outcome!r}"
            )
        require_number("size", self.size, 1)
        require_number("icc", self.icc, 0, 1)
        require_number("size_cv", self.size_cv, 0)

    @property
    def design_effect(self) -> float:
        """The factor by which clusters increase variances: 1 + ((1 + size_cv^2) size - 1) icc."""
        return 1 + ((1 + self.size_cv**2) * self.size - 1) * self.icc

    @property
    def largest(self) -> float:
        """As for the outcome."""
        return self.outcome.largest

    def distance(self, effect: float) -> float:
        """As for the outcome."""
        return self.outcome.distance(effect)

    def loss(self, margin: float) -> float:
        """As for the outcome."""
        return self.outcome.loss(margin)

    def effect_at(self, distance: float) -> float:
        """As for the outcome."""
        return self.outcome.effect_at(distance)

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """The variances of the outcome times the design effect."""
        control, treated = self.outcome.variances(effect, share)
        return control * self.design_effect, treated * self.design_effect

    def freedom(self, customers: float) -> float:
        """The number of clusters minus 1."""
        return customers / self.size - 1


def require_share(name: str, value: float) -> None:
    """Refuse a share that does not lie between 0 and 1."""
    require_number(name, value, 0, 1, inside=True)
