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

from retention_models.core.arguments import is_number, require_level, require_number
from retention_models.interventions.planning.planned_outcomes import (
    Clustered,
    Mean,
    Planned,
    Proportion,
    Ratio,
    Survival,
    require_share,
)
from retention_models.interventions.planning.rejection import (
    exceedance,
    log_rank_moments,
    power_of_counts,
    power_of_log_rank,
)

RARE = 100.0  # variance of a count of customers below which its distribution is skewed


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
    require_share("share", share)
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
            return power_of_counts(rates, (max(round(n) - treated, 2), treated), level, margin)
    parts = [v / each for v, each in zip(outcome.variances(effect, share), customers, strict=True)]
    loss = sum(part**2 / outcome.freedom(each) for part, each in zip(parts, customers, strict=True))
    df = sum(parts) ** 2 / loss if loss > 0 else math.inf
    survival, grown = (outcome.outcome, outcome.design_effect) if isinstance(outcome, Clustered) else (outcome, 1.0)
    if isinstance(survival, Survival) and margin is None:
        mean, spread = log_rank_moments(survival.churned, effect, share)
        return power_of_log_rank(mean * math.sqrt(n / grown), spread, df, level)
    if margin is not None:
        return exceedance((distance + outcome.loss(margin)) / math.sqrt(sum(parts)), df, level, both=False)
    return exceedance(distance / math.sqrt(sum(parts)), df, level)


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
    require_share("share", share)
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
    require_share("share", share)
    require_level(level)
    _require_power(power, level)
    found = _solve(
        lambda distance: _power(outcome, outcome.effect_at(distance), n, share, level),
        power,
        1e-9 * min(outcome.largest, 1.0),
        outcome.largest,
    )
    return outcome.effect_at(found)


def _smallest_freedom(outcome: Planned, n: float, share: float) -> float:
    return min(outcome.freedom(n * share), outcome.freedom(n * (1 - share)), n * min(share, 1 - share) - 1)


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


def _require_margin(margin: float | None) -> None:
    if margin is not None:
        require_number("margin", margin, 0, inside=True)


def _require_power(power: float, level: float) -> None:
    if not (is_number(power) and 1 - level < power < 1):
        raise ValueError(f"power must lie between {1 - level:g} (the power by chance alone) and 1; got {power!r}")
