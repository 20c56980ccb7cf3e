"""Whether a roll-out may decide: its units, the periods before launch, its scale, and other launches."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import number_of, three_digits, with_interval
from retention_models.interventions.designs.few_units import (
    FEWEST_ASSIGNMENTS,
    all_noisy,
    count_assignments,
    p_value_of_departure,
)
from retention_models.interventions.designs.roll_out_averages import Averages
from retention_models.interventions.designs.roll_out_panel import Panel
from retention_models.interventions.effects.assignment import AssignedBy

MATTERS = 0.25  # of the effect: a departure before launch that is smaller does not decide
SIGNIFICANT = 0.05
NEAR = 2  # periods between two launches that coincide
FEW_LEFT_OUT = 0.05  # of the units
BINS = 3  # of the periods before launch
LARGEST = 1e6  # of a ratio that is told
EARLY = "There are too few periods before the first launch."


def check_decidable(averages: Averages, panel: Panel) -> Check:
    """Whether this roll-out can decide at all, by the number of units and of possible assignments."""
    treated, ways = int(panel.treated.sum()), count_assignments(panel.first)
    named = "more than a million" if ways > LARGEST else f"{ways:,}"
    found = f"{treated} of {len(panel.units)} units were treated; {named} assignments of the launches are possible."
    name, unit = "Decidable roll-out", "possible assignments"
    few = averages.inference == "randomisation"
    if few and ways < FEWEST_ASSIGNMENTS:
        remedy = f"Launch in further units at different times, until at least {FEWEST_ASSIGNMENTS} are possible."
        return Check(name, False, float(ways), FEWEST_ASSIGNMENTS, unit, found, remedy)
    if few and all_noisy(averages.group_time.values, panel.first):
        found += " All treated units are among the third that varied most before the launch."
        return Check(
            name, False, float(min(ways, LARGEST)), FEWEST_ASSIGNMENTS, unit, found, "Launch in quieter units."
        )
    return Check(name, True, float(min(ways, LARGEST)), FEWEST_ASSIGNMENTS, unit, found)


def _before(averages: Averages) -> list[Array]:
    """Bins of the periods before launch, without the base period."""
    return [part for part in averages.event_bins(BINS) if part[0] < 0]


def _relative(size: float, averages: Averages) -> float:
    """A size as a share of the effect."""
    effect = abs(averages.law.estimate)
    return float(min(size / effect, LARGEST)) if effect else LARGEST


def check_trends(averages: Averages) -> Check:
    """Whether treated units moved like the others before launch, by size and beyond chance."""
    name, parts = "Parallel trends before launch", _before(averages)
    if not parts:
        return Check(name, None, detail=EARLY)
    means, covariance = averages.of_bins(parts)
    p = _p_of_trends(averages, parts, means, covariance)
    largest = float(np.abs(means).max())
    size = _relative(largest, averages)
    share = f"{100 * size:.0f} % of the effect" if size < 10 else "more than 10 times the effect"
    detail = f"The largest departure before launch is {three_digits(largest)}, {share} (p = {p:.2g})."
    remedy = "The comparison does not hold: compare with units that moved alike, or launch at random."
    passed = not (p < SIGNIFICANT and size > MATTERS)
    return Check(name, passed, float(size), MATTERS, "share of the effect", detail, remedy)


def _p_of_trends(averages: Averages, parts: Sequence[Array], means: Array, covariance: Array) -> float:
    """The p-value of no departure: by Hotelling's F with the jackknife, or by other assignments."""
    n, k = averages.units, len(parts)
    if averages.inference == "randomisation" or n <= k + 1 or not np.isfinite(covariance).all():
        places = [averages.zero + np.asarray(part, dtype=np.int64) for part in parts]
        return p_value_of_departure(averages.group_time, places, np.random.default_rng(averages.seed))
    statistic = float(means @ np.linalg.pinv(covariance) @ means)
    return float(f_distribution.sf(statistic * (n - k) / ((n - 1) * k), k, n - k))


def check_break_even(averages: Averages, level: float) -> Check:
    """How large a departure from parallel trends, relative to the largest step before, the effect survives."""
    name, parts = "Break-even departure", _before(averages)
    if not parts:
        return Check(name, None, detail=EARLY, decides=False)
    means = np.append(averages.of_bins(parts)[0], 0.0)  # and the base period
    step = float(np.abs(np.diff(means)).max())
    later = sum(part[0] >= 0 for part in averages.event_bins(BINS))
    lower, upper = averages.law.interval(level)
    near = lower if lower > 0 else -upper if upper < 0 else 0.0
    survives = min(near / (step * (later + 1) / 2), LARGEST) if step else LARGEST
    half = three_digits((upper - lower) / 2) if math.isfinite(upper - lower) else "without limit"
    detail = (
        f"If treated units drifted away from the others by {three_digits(survives)} times the largest step before "
        f"launch ({three_digits(step)}) in each later period, the interval would reach 0."
    )
    detail = f"{detail if near else 'The interval holds 0: no drift is needed.'} Half its width is {half}."
    remedy = "More units, or more periods before launch, would show smaller drifts."
    held = bool(survives >= 1)
    return Check(name, held, float(survives), 1.0, "times the largest step", detail, remedy, decides=False)


def check_anticipation(averages: Averages) -> Check:
    """Whether the outcome moved in the last period before launch."""
    name, since = "Anticipation", -2 - averages.group_time.anticipation
    if not any(since in part for part in averages.event_bins(None)):
        return Check(name, None, detail=EARLY)
    means, covariance = averages.of_bins([np.array([since])])
    if not np.isfinite(covariance).all():
        return Check(name, None, detail="Too few units are left to test it.")
    law = averages.law_of(-float(means[0]), float(covariance[0, 0]))
    size = _relative(abs(law.estimate), averages)
    moved = with_interval(law.estimate, *law.interval())
    remedy = "State how many periods before the launch customers knew of it: anticipation=1."
    passed = not (law.p_value(0.0) < SIGNIFICANT and size > MATTERS)
    detail = f"In the last period before launch, the outcome moved by {moved}."
    return Check(name, passed, size, MATTERS, "share of the effect", detail, remedy)


def check_scale(own: float, raw: float, interval: tuple[float, float]) -> Check:
    """Whether levels, as a share of the mean, and the scale that decides have one sign."""
    apart = own * raw < 0 and not interval[0] <= 0 <= interval[1]
    detail = f"In levels, the effect is {100 * raw:.2g} % of the mean outcome."
    remedy = "The effect depends on the scale: units differ in size and share a season."
    return Check("Scale", not apart, detail=detail, remedy=remedy)


def check_units(panel: Panel) -> Check:
    """How many units were left out."""
    left = sum(panel.left_out.values())
    share = left / (left + len(panel.units))
    reasons = "; ".join(f"{number_of(count, 'units')} {reason}" for reason, count in panel.left_out.items())
    detail = f"Left out: {reasons}." if reasons else "All units of the panel are compared."
    remedy = "Begin the panel earlier, or explain why these units are missing."
    return Check("Units left out", share <= FEW_LEFT_OUT, share, FEW_LEFT_OUT, "share of units", detail, remedy)


def check_covariates(averages: Averages) -> Check | None:
    """In how many comparisons the untreated units show what covariates do; None without covariates."""
    group_time = averages.group_time
    if group_time.covariates is None:
        return None
    plain = replace(group_time, covariates=None)
    possible, known = (np.isfinite(each.effects(*each.sums)).sum() for each in (plain, group_time))
    share = float(1 - known / possible)
    coefficients = group_time.design.shape[1]
    detail = (
        f"{possible - known:,} of {possible:,} comparisons are left out: their untreated units are too few or too "
        f"alike for {coefficients} coefficients."
    )
    remedy = "State fewer covariates, or keep more units without the programme."
    return Check("Covariates", share <= MATTERS, share, MATTERS, "share of comparisons", detail, remedy)


def check_assignment(assignment: Mapping[AssignedBy, int] | None) -> Check | None:
    """Whether all launches were decided about alike; None where the launches do not say."""
    if not assignment:
        return None
    named = ", ".join(f"{word} for {number_of(number, 'units')}" for word, number in sorted(assignment.items()))
    weakest = " The weakest word counts for all." if len(assignment) > 1 else ""
    return Check("Order of launches", len(assignment) == 1, detail=f"Assigned by {named}.{weakest}", decides=False)


def check_coincidence(panel: Panel, other: NDArray[np.int64] | None) -> Check:
    """Whether another effort was launched in the treated units at about the same time."""
    name = "Other launches"
    if other is None:
        return Check(name, None, detail="Other launches were not stated (other_launches).", decides=False)
    treated = panel.treated
    near = (np.abs(other[treated] - panel.first[treated]) <= NEAR) & (other[treated] < len(panel.periods))
    share = float(near.mean())
    detail = f"In {100 * share:.0f} % of treated units another effort was launched within {NEAR} periods."
    remedy = "The effect is that of both efforts; compare units with one of them."
    return Check(name, share <= MATTERS, share, MATTERS, "share of treated units", detail, remedy)
