"""Before the test: how many customers it needs, what power it has, what effect it could see.

One formula for all: the effect over its standard error, by the noncentral t-distribution (proportions and survival by
the normal one). What differs between outcomes is how much one customer tells. With k arms against one control, plan
at ``level=1 - 0.05 / k``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scipy.special import nctdtr, ndtr, ndtri, stdtrit

from retention_models.core.arguments import is_number
from retention_models.core.formatting import Presentation


class Planned(Protocol):
    """An outcome to plan for."""

    @property
    def largest(self) -> float:
        """The largest distance there can be."""
        ...

    def distance(self, effect: float) -> float:
        """How far the effect is from none, on the scale where its interval is made."""
        ...

    def effect_at(self, distance: float) -> float:
        """The effect that lies so far from none."""
        ...

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """What one customer of the control, and of the treated arm, adds: variance of an arm = this / customers."""
        ...

    def freedom(self, customers: float) -> float:
        """Degrees of freedom of the variance in an arm with so many customers."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Proportion(Presentation):
    """A yes or no, such as any purchase: ``rate`` is the share expected in the control. Effects are differences."""

    rate: float

    def __post_init__(self) -> None:
        _require_share("rate", self.rate)

    @property
    def largest(self) -> float:
        """The difference that would make it a yes for everyone."""
        return 1 - self.rate

    def distance(self, effect: float) -> float:
        """The difference itself, which must leave the treated share between 0 and 1."""
        if not 0 <= self.rate + effect <= 1:
            raise ValueError(f"an effect of {effect:g} on a rate of {self.rate:g} is no share of customers")
        return effect

    def effect_at(self, distance: float) -> float:
        """The difference itself."""
        return distance

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """Each arm's p (1 - p)."""
        treated = self.rate + effect
        return self.rate * (1 - self.rate), treated * (1 - treated)

    def freedom(self, customers: float) -> float:
        """Infinite: the variance follows from the share."""
        return math.inf


@dataclass(frozen=True, slots=True, repr=False)
class Mean(Presentation):
    """An amount or count: ``std_dev`` is its standard deviation among customers. Effects are differences in means.

    With CUPED on a covariate correlated r with the outcome, plan with ``std_dev * sqrt(1 - r**2)``.
    """

    std_dev: float

    def __post_init__(self) -> None:
        if not (is_number(self.std_dev) and self.std_dev > 0):
            raise ValueError(f"std_dev must be above 0; got {self.std_dev!r}")

    @property
    def largest(self) -> float:
        """No limit."""
        return math.inf

    def distance(self, effect: float) -> float:
        """The difference itself."""
        return effect

    def effect_at(self, distance: float) -> float:
        """The difference itself."""
        return distance

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """The same in both arms."""
        return self.std_dev**2, self.std_dev**2

    def freedom(self, customers: float) -> float:
        """One less than the customers."""
        return customers - 1


@dataclass(frozen=True, slots=True, repr=False)
class Survival(Presentation):
    """Staying a customer: ``churned`` is the share of the control that leaves during the test.

    Effects are hazard ratios, below 1 where the intervention keeps customers. The variance of the log hazard ratio is
    1 / (events x share x (1 - share)) (Schoenfeld 1981); it is the events that count.
    """

    churned: float

    def __post_init__(self) -> None:
        _require_share("churned", self.churned)

    @property
    def largest(self) -> float:
        """No limit: a hazard ratio may be as close to 0 as it likes."""
        return math.inf

    def distance(self, effect: float) -> float:
        """The logarithm of the hazard ratio, turned so that keeping customers is positive."""
        if effect <= 0:
            raise ValueError(f"a hazard ratio is above 0; got {effect!r}")
        return -math.log(effect)

    def effect_at(self, distance: float) -> float:
        """The hazard ratio."""
        return math.exp(-distance)

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """One over the share of customers with an event, both arms together."""
        treated = 1 - (1 - self.churned) ** effect
        events = share * treated + (1 - share) * self.churned
        return 1 / events, 1 / events

    def freedom(self, customers: float) -> float:
        """Infinite."""
        return math.inf


@dataclass(frozen=True, slots=True, repr=False)
class Clustered(Presentation):
    """Any outcome, where clusters of ``size`` customers on average are assigned.

    ``icc`` is the correlation between two customers of a cluster, ``size_cv`` the standard deviation of cluster sizes
    over their mean. Variances grow by 1 + ((1 + size_cv^2) size - 1) icc; the clusters give the degrees of freedom.
    """

    outcome: Proportion | Mean | Survival
    size: float
    icc: float
    size_cv: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.icc <= 1 or self.size_cv < 0:
            raise ValueError(f"a cluster has size >= 1, icc from 0 to 1 and size_cv >= 0; got {self}")

    @property
    def largest(self) -> float:
        """That of the outcome."""
        return self.outcome.largest

    def distance(self, effect: float) -> float:
        """That of the outcome."""
        return self.outcome.distance(effect)

    def effect_at(self, distance: float) -> float:
        """That of the outcome."""
        return self.outcome.effect_at(distance)

    def variances(self, effect: float, share: float) -> tuple[float, float]:
        """Those of the outcome times the design effect."""
        control, treated = self.outcome.variances(effect, share)
        grown = 1 + ((1 + self.size_cv**2) * self.size - 1) * self.icc
        return control * grown, treated * grown

    def freedom(self, customers: float) -> float:
        """One less than the clusters."""
        return customers / self.size - 1


def power(outcome: Planned, effect: float, n: float, *, share: float = 0.5, level: float = 0.95) -> float:
    """The chance that a test of ``n`` customers, a ``share`` of them treated, finds an effect of this size.

    Raises
    ------
    ValueError
        When a share or level is none, an effect is impossible, or customers are too few to tell their spread.

    Examples
    --------
    >>> round(power(Proportion(0.10), effect=0.02, n=8_000), 3)
    0.816
    """
    _require_share("share", share)
    _require_share("level", level)
    return _power(outcome, effect, n, share, level)


def _power(outcome: Planned, effect: float, n: float, share: float, level: float) -> float:
    """The chance that a test finds the effect, by the noncentral t with Satterthwaite's degrees of freedom."""
    if _least_freedom(outcome, n, share) < 1:
        raise ValueError(f"{n:g} customers are too few: each arm needs two that were assigned independently")
    distance = outcome.distance(effect)
    customers = (n * (1 - share), n * share)
    parts = [v / each for v, each in zip(outcome.variances(effect, share), customers, strict=True)]
    loss = sum(part**2 / outcome.freedom(each) for part, each in zip(parts, customers, strict=True))
    df = sum(parts) ** 2 / loss if loss > 0 else math.inf
    return _chance_beyond(distance / math.sqrt(sum(parts)), df, level)


def sample_size(outcome: Planned, effect: float, *, power: float = 0.8, share: float = 0.5, level: float = 0.95) -> int:
    """How many customers in both arms together find an effect of this size with this power.

    To show that an arm is no worse than a margin, plan with the margin as the effect.

    Examples
    --------
    >>> sample_size(Proportion(0.10), effect=0.02)
    7677
    >>> sample_size(Clustered(Proportion(0.10), size=2.5, icc=0.3), effect=0.02)
    11136
    """
    _require_share("share", share)
    _require_share("level", level)
    _require_power(power, level)
    if outcome.distance(effect) == 0:
        raise ValueError("no number of customers finds an effect of nothing")
    fewest = 1.0
    while _least_freedom(outcome, fewest, share) < 1:
        fewest *= 1.1
    found = _first(lambda n: _power(outcome, effect, n, share, level), power, fewest, math.inf)
    return math.ceil(found - 1e-6)


def minimum_detectable_effect(
    outcome: Planned, n: float, *, power: float = 0.8, share: float = 0.5, level: float = 0.95
) -> float:
    """The smallest effect that ``n`` customers find with this power: a difference above 0, or a hazard ratio below 1.

    Raises
    ------
    ValueError
        When even the largest possible effect would be missed too often.

    Examples
    --------
    >>> round(minimum_detectable_effect(Mean(std_dev=40.0), n=10_000), 3)
    2.241
    >>> round(minimum_detectable_effect(Survival(churned=0.3), n=5_000), 3)
    0.861
    """
    _require_share("share", share)
    _require_share("level", level)
    _require_power(power, level)
    found = _first(
        lambda distance: _power(outcome, outcome.effect_at(distance), n, share, level),
        power,
        1e-9 * min(outcome.largest, 1.0),
        outcome.largest,
    )
    return outcome.effect_at(found)


def _least_freedom(outcome: Planned, n: float, share: float) -> float:
    return min(outcome.freedom(n * share), outcome.freedom(n * (1 - share)), n * min(share, 1 - share) - 1)


def _chance_beyond(noncentrality: float, df: float, level: float) -> float:
    """The chance that a t (or normal) statistic with this noncentrality leaves the two-sided bounds."""
    if math.isinf(df):
        bound = float(ndtri((1 + level) / 2))
        return float(ndtr(noncentrality - bound) + ndtr(-noncentrality - bound))
    bound = float(stdtrit(df, (1 + level) / 2))
    return float(1 - nctdtr(df, noncentrality, bound) + nctdtr(df, noncentrality, -bound))


def _first(rising: Callable[[float], float], target: float, start: float, limit: float) -> float:
    """Where a rising function reaches the target: doubling from the start, then bisection."""
    low = high = start
    while rising(high) < target:
        if high >= limit or high > 1e15:
            raise ValueError(f"power {target:g} is out of reach; plan more customers, or for a larger effect")
        low, high = high, min(2 * high, limit)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) >= target else (middle, high)
    return high


def _require_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie between 0 and 1; got {value!r}")


def _require_power(power: float, level: float) -> None:
    if not 1 - level < power < 1:
        raise ValueError(f"power must lie between {1 - level:g} (which chance alone gives) and 1; got {power!r}")
