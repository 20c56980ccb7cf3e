"""Planning of a test: the number of customers, the power, and the minimum detectable effect.

All use one formula: the effect divided by its standard error, with the noncentral t-distribution (for proportions and
survival the normal one). Outcomes differ only in the variance that one customer contributes. For rare outcomes, whose
estimates are skewed, the power is the sum over all counts that the two arms can have. For survival it is that of the
log-rank test. With k arms and one control, plan at ``level=1 - 0.05 / k``. With a ``margin``, the test is one of
non-inferiority: its power is the probability that the interval excludes a loss of the margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import chdtr, gammaln, nctdtr, ndtr, ndtri, stdtrit, xlog1py, xlogy

from retention_models.core.arguments import is_number, require_level, require_number
from retention_models.core.formatting import Presentation
from retention_models.interventions.effects.laws import Newcombe

RARE = 100.0  # variance of a count of customers below which its distribution is skewed
NODES = 60  # of the integrals over the time of a test
LARGEST_RATIO = 1e4  # of hazards, beyond which all treated customers leave at once
FARTHEST = 50.0  # standard deviations, beyond which a chance is 0 or 1
LARGEST_EXPONENT = 700.0  # of a hazard ratio that is still above 0
WIDE = 8.0  # standard deviations of a count that are looked at


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
        _require_share("rate", self.rate)

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
        _require_share("churned", self.churned)

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
        grown = _design_effect(self)
        return control * grown, treated * grown

    def freedom(self, customers: float) -> float:
        """The number of clusters minus 1."""
        return customers / self.size - 1


def power(
    outcome: Planned, effect: float, n: float, *, share: float = 0.5, margin: float | None = None, level: float = 0.95
) -> float:
    """The power of a test: the probability that it detects an effect, or excludes a loss.

    Parameters
    ----------
    outcome
        A ``Proportion``, ``Mean``, ``Ratio``, ``Survival`` or ``Clustered`` outcome.
    effect
        The effect: a difference, or a hazard ratio for ``Survival``.
    n
        Number of customers in both arms together.
    share
        Share of the customers in the treated arm, 0.5 by default.
    margin
        For a non-inferiority test: the largest acceptable loss, above 0, as in ``non_inferiority``. ``effect`` is then
        the true effect, such as 0. More of the outcome must be better: plan the share retained, not the share lost. For
        ``Survival`` a share of the hazard: 0.1 accepts hazard ratios up to 1 / 0.9. By default None.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    float
        A probability.

    Raises
    ------
    ValueError
        When ``share`` or ``level`` lies outside 0 to 1, an effect is impossible, or there are too few customers to
        estimate the variance.

    Notes
    -----
    The noncentral t-distribution with Satterthwaite's degrees of freedom; for proportions and survival the normal
    distribution. Where the count of an arm has a variance below 100, the power of a proportion is exact: a sum over all
    counts of both arms, by the interval that ``differences`` gives.

    Examples
    --------
    >>> round(power(Proportion(0.10), effect=0.02, n=8_000), 3)
    0.816
    """
    _require_outcome(outcome)
    require_number("effect", effect)
    require_number("n", n, 0, inside=True)
    _require_share("share", share)
    require_level(level)
    _require_margin(margin)
    return _power(outcome, effect, n, share, level, margin)


def _power(outcome: Planned, effect: float, n: float, share: float, level: float, margin: float | None = None) -> float:
    """The power, by the noncentral t-distribution with Satterthwaite's degrees of freedom."""
    if _smallest_freedom(outcome, n, share) < 1:
        raise ValueError(f"{n:g} customers are too few: each arm needs two that were assigned independently")
    distance = outcome.distance(effect)
    customers = (n * (1 - share), n * share)
    if isinstance(outcome, Proportion):
        rates = (outcome.rate, outcome.rate + effect)
        if min(each * rate * (1 - rate) for each, rate in zip(customers, rates, strict=True)) < RARE:
            treated = max(round(n * share), 2)
            return _power_of_counts(rates, (max(round(n) - treated, 2), treated), level, margin)
    parts = [v / each for v, each in zip(outcome.variances(effect, share), customers, strict=True)]
    loss = sum(part**2 / outcome.freedom(each) for part, each in zip(parts, customers, strict=True))
    df = sum(parts) ** 2 / loss if loss > 0 else math.inf
    survival, grown = (outcome.outcome, _design_effect(outcome)) if isinstance(outcome, Clustered) else (outcome, 1.0)
    if isinstance(survival, Survival) and margin is None:
        mean, spread = _log_rank(survival, effect, share)
        return _power_of_log_rank(mean * math.sqrt(n / grown), spread, df, level)
    if margin is not None:
        return _exceedance((distance + outcome.loss(margin)) / math.sqrt(sum(parts)), df, level, both=False)
    return _exceedance(distance / math.sqrt(sum(parts)), df, level)


def sample_size(
    outcome: Planned,
    effect: float,
    *,
    power: float = 0.8,
    share: float = 0.5,
    margin: float | None = None,
    level: float = 0.95,
) -> int:
    """The number of customers, both arms together, that a test needs to detect an effect, or to exclude a loss.

    Parameters
    ----------
    outcome
        A ``Proportion``, ``Mean``, ``Ratio``, ``Survival`` or ``Clustered`` outcome.
    effect
        The effect: a difference, or a hazard ratio for ``Survival``. A lift of 10 % of a rate of 0.2 is 0.02.
    power
        The probability of detecting the effect, or of excluding the loss; 0.8 by default.
    share
        Share of the customers in the treated arm, 0.5 by default.
    margin
        For a non-inferiority test: the largest acceptable loss, above 0, as in ``non_inferiority``. ``effect`` is then
        the true effect, such as 0. More of the outcome must be better: plan the share retained, not the share lost. For
        ``Survival`` a share of the hazard: 0.1 accepts hazard ratios up to 1 / 0.9. By default None.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    int
        Number of customers.

    Raises
    ------
    ValueError
        When the effect is zero or impossible, a loss beyond the margin, or ``share``, ``margin``, ``level`` or
        ``power`` is out of range.

    Examples
    --------
    >>> sample_size(Proportion(0.10), effect=0.02)
    7677
    >>> sample_size(Proportion(0.10), effect=0.0, margin=0.01)  # no worse by a percentage point
    28256
    >>> spend_per_order = Ratio(mean=60.0, std_dev=80.0, per_mean=1.5, per_std_dev=1.6, correlation=0.8)
    >>> sample_size(spend_per_order, effect=2.0)
    8058
    >>> sample_size(Clustered(Proportion(0.10), size=2.5, icc=0.3), effect=0.02)
    11136
    """
    _require_outcome(outcome)
    require_number("effect", effect)
    _require_share("share", share)
    require_level(level)
    _require_margin(margin)
    _require_power(power, level)
    distance = outcome.distance(effect)
    if margin is None and distance == 0:
        raise ValueError("no number of customers can detect an effect of 0")
    if margin is not None and distance + outcome.loss(margin) <= 0:
        raise ValueError(f"an effect of {effect:g} is a loss as large as the margin of {margin:g}")
    fewest = 1.0
    while _smallest_freedom(outcome, fewest, share) < 1:
        fewest *= 1.1
    found = _solve(lambda n: _power(outcome, effect, n, share, level, margin), power, fewest, math.inf)
    return math.ceil(found - 1e-6)


def minimum_detectable_effect(
    outcome: Planned, n: float, *, power: float = 0.8, share: float = 0.5, level: float = 0.95
) -> float:
    """The smallest effect that a test with ``n`` customers detects.

    Parameters
    ----------
    outcome
        A ``Proportion``, ``Mean``, ``Ratio``, ``Survival`` or ``Clustered`` outcome.
    n
        Number of customers in both arms together.
    power
        The probability of detecting the effect, 0.8 by default.
    share
        Share of the customers in the treated arm, 0.5 by default.
    level
        Level of the confidence interval, 0.95 by default.

    Returns
    -------
    float
        A difference above 0, or for ``Survival`` a hazard ratio below 1.

    Raises
    ------
    ValueError
        When even the largest possible effect has less power, or ``share``, ``level`` or ``power`` is out of range.

    Examples
    --------
    >>> round(minimum_detectable_effect(Mean(std_dev=40.0), n=10_000), 3)
    2.241
    >>> round(minimum_detectable_effect(Survival(churned=0.3), n=5_000), 3)
    0.861
    """
    _require_outcome(outcome)
    require_number("n", n, 0, inside=True)
    _require_share("share", share)
    require_level(level)
    _require_power(power, level)
    found = _solve(
        lambda distance: _power(outcome, outcome.effect_at(distance), n, share, level),
        power,
        1e-9 * min(outcome.largest, 1.0),
        outcome.largest,
    )
    return outcome.effect_at(found)


def _power_of_counts(
    rates: tuple[float, float], sizes: tuple[int, int], level: float, margin: float | None = None
) -> float:
    """The probability that the interval of a difference of shares excludes 0, or a loss of the margin, over all counts.

    The interval is Welch's, or Newcombe's where an arm's share does not vary in either arm, as in ``differences``.
    """
    counts, chances, means, variances = [], [], [], []
    for rate, n in zip(rates, sizes, strict=True):
        reach = WIDE * math.sqrt(n * rate * (1 - rate)) + WIDE
        count = np.arange(max(0, math.floor(n * rate - reach)), min(n, math.ceil(n * rate + reach)) + 1)
        counts.append(count)
        ways = gammaln(n + 1) - gammaln(count + 1) - gammaln(n - count + 1)
        chances.append(np.exp(ways + xlogy(count, rate) + xlog1py(n - count, -rate)))
        means.append(count / n)
        variances.append(count / n * (1 - count / n) / (n - 1))
    parts = variances[0][:, None], variances[1][None, :]
    total = parts[0] + parts[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (parts[0] ** 2 / (sizes[0] - 1) + parts[1] ** 2 / (sizes[1] - 1))
        half = stdtrit(df, (1 + level) / 2) * np.sqrt(total)
    difference = means[1][None, :] - means[0][:, None]
    found = np.abs(difference) > half if margin is None else difference - half > -margin
    for i, j in np.argwhere(total == 0):
        lower, upper = Newcombe((means[1][j], sizes[1]), (means[0][i], sizes[0])).interval(level)
        found[i, j] = not lower <= 0 <= upper if margin is None else lower > -margin
    return float(chances[0] @ found @ chances[1])


def _design_effect(clustered: Clustered) -> float:
    """The factor by which clusters increase variances: 1 + ((1 + size_cv^2) size - 1) icc."""
    return 1 + ((1 + clustered.size_cv**2) * clustered.size - 1) * clustered.icc


def _log_rank(survival: Survival, effect: float, share: float) -> tuple[float, float]:
    """Mean of the log-rank z for one customer (it grows with the root of n), and its standard deviation.

    With x the cumulative hazard in the control, S = exp(-x) and S^h the arms' survival curves, p the treated share
    of those at risk, and dN the events: mean = E[events treated - p dN] / sqrt(V), V the integral of p (1 - p) dN.
    The variance is the integral of w (1 - w) dN divided by V, w the treated share of the events.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    end = -math.log1p(-survival.churned)
    place, ratio = (nodes + 1) / 2, min(effect, LARGEST_RATIO)
    x, step = end * place**4, 2 * end * place**3 * weights  # dense where a large hazard ends
    control, treated = (1 - share) * np.exp(-x), share * np.exp(-ratio * x)
    events = control + ratio * treated
    at_risk, lost = treated / (control + treated), ratio * treated / events
    missing, null, actual = (
        float(step @ (events * each)) for each in (at_risk - lost, at_risk * (1 - at_risk), lost * (1 - lost))
    )
    return missing / math.sqrt(null), math.sqrt(actual / null)


def _power_of_log_rank(mean: float, spread: float, df: float, level: float) -> float:
    """The probability that a log-rank z with this mean and standard deviation exceeds one of the bounds."""
    bound = float(ndtri((1 + level) / 2) if math.isinf(df) else stdtrit(df, (1 + level) / 2))
    beyond = (min(max((side - bound) / spread, -FARTHEST), FARTHEST) for side in (mean, -mean))
    return sum(_exceedance(bound + distance, df, level, both=False) for distance in beyond)


def _smallest_freedom(outcome: Planned, n: float, share: float) -> float:
    return min(outcome.freedom(n * share), outcome.freedom(n * (1 - share)), n * min(share, 1 - share) - 1)


def _exceedance(noncentrality: float, df: float, level: float, *, both: bool = True) -> float:
    """The probability that a t (or normal) statistic with this noncentrality exceeds the bounds, or the upper one."""
    if math.isinf(df):
        bound = float(ndtri((1 + level) / 2))
        return float(ndtr(noncentrality - bound) + both * ndtr(-noncentrality - bound))
    bound = float(stdtrit(df, (1 + level) / 2))
    found = float(1 - nctdtr(df, noncentrality, bound) + both * nctdtr(df, noncentrality, -bound))
    if math.isnan(found):  # so large a noncentrality hardly varies; only the standard deviation does
        ratio = noncentrality / bound
        return float(chdtr(df, df * ratio * ratio))
    return found


def _solve(rising: Callable[[float], float], target: float, start: float, limit: float) -> float:
    """The point where an increasing function reaches the target, by doubling and bisection."""
    low = high = start
    while rising(high) < target:
        if high >= limit or high > 1e15:
            raise ValueError(f"power {target:g} cannot be reached; plan with more customers, or with a larger effect")
        low, high = high, min(2 * high, limit)
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) >= target else (middle, high)
        if high - low <= 1e-14 * high:
            break
    return high


def _require_outcome(outcome: object) -> None:
    if not isinstance(outcome, Proportion | Mean | Ratio | Survival | Clustered):
        raise TypeError(
            f"outcome must be a Proportion, Mean, Ratio, Survival or Clustered, not {type(outcome).__name__}"
        )


def _require_share(name: str, value: float) -> None:
    require_number(name, value, 0, 1, inside=True)


def _require_margin(margin: float | None) -> None:
    if margin is not None:
        require_number("margin", margin, 0, inside=True)


def _require_power(power: float, level: float) -> None:
    if not (is_number(power) and 1 - level < power < 1):
        raise ValueError(f"power must lie between {1 - level:g} (the power by chance alone) and 1; got {power!r}")
