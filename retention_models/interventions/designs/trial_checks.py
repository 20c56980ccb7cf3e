"""What a comparison of customers who chose with others rests on, each with the size from which it fails."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.check import Check
from retention_models.core.formatting import counted, three_digits, with_interval
from retention_models.interventions.designs.adjustment import Adjusted, Target
from retention_models.interventions.designs.trial_rows import AN, EARLY, Occasions
from retention_models.interventions.effects.laws import StudentT
from retention_models.interventions.effects.sensitivity import e_value

BALANCED = 0.1  # standardised difference after weighting
ANCHORED = 0.2  # share of joins without an occasion
MISSED = 0.5  # share of joins that are not compared
FEW_OTHERS = 50  # effective number of others
HEAVY = 0.05  # share of one row in the comparison group
BEYOND = 0.05  # share of those who joined whose chance is above that of all others
FALLS = 0.25  # of the estimate: a step between two histories that is smaller does not decide
SIGNIFICANT = 0.05
POWER = 2.8  # standard errors that are found with 80 % power at 5 %
REPEATED = "joined again, of customers who had joined before"
FEWEST_WEEKS = 39  # of history that the median join needs, so that 26 and 52 weeks can differ


def standardised_gaps(table: pd.DataFrame, joined: NDArray[np.bool_], before: Array, after: Array) -> pd.DataFrame:
    """Means of both groups, and their differences in standard deviations of the first, before and after weighting."""
    values = table.to_numpy(dtype=float)

    def mean(group: NDArray[np.bool_], weights: Array) -> Array:
        return np.asarray(weights[group] @ values[group] / weights[group].sum())

    deviation = values[joined].std(axis=0)
    deviation = np.where(deviation > 0, deviation, np.where(values.std(axis=0) > 0, values.std(axis=0), 1.0))
    own, others = mean(joined, before), mean(~joined, before)
    gaps = {"joined": own, "others": others, "before": (own - others) / deviation}
    gaps["after"] = (mean(joined, after) - mean(~joined, after)) / deviation
    return pd.DataFrame(gaps, index=pd.Index(table.columns, name="covariate"))


def check_anchor(occasions: Occasions) -> Check:
    """Whether time zero is something that shows a customer to be one."""
    name = "Occasion of joining"
    remedy = "Biased upwards by silent leavers: name a contact that both groups had (anchor), or test it."
    if not occasions.anchored:
        detail = "Each period is a time zero: others may have left in silence, those who join have not."
        return Check(name, False, 1.0, ANCHORED, "share of joins", detail, remedy)
    apart = occasions.apart
    all_joins = apart + int((occasions.at >= 0).sum())
    share = apart / max(all_joins, 1)
    detail = f"{100 * (1 - share):.0f} % of joins are at a time with {AN[occasions.what]}, as all who are compared."
    return Check(name, share <= ANCHORED, share, ANCHORED, "share of joins", detail, remedy)


def check_joins(joins: int, left_out: Mapping[str, int], early: int) -> Check:
    """How many joins are not compared, and why; ``early`` ones are dated before the first order."""
    left = sum(count for reason, count in left_out.items() if reason != REPEATED)
    share = left / (left + joins)
    detail = f"{joins:,} joins are compared." + (f" Left out: {counted(left_out)}." if left_out else "")
    detail += f" Dated up to {EARLY} days before the first order, and counted with it: {early:,}." if early else ""
    remedy = "The effect is that on the joins that are compared; say so, or use a longer log."
    return Check("Joins compared", share <= MISSED, share, MISSED, "share of joins", detail, remedy, decides=False)


def check_balance(balance: pd.DataFrame) -> Check:
    """Whether both groups are alike in all that was known before."""
    if balance.empty:
        return Check("Balance", None, detail="There is no covariate: nothing shows that the groups are alike.")
    worst = balance["after"].abs()
    size, first = float(worst.max()), float(balance["before"].abs().max())
    detail = (
        f"The largest difference in what was known before is {three_digits(size)} standard deviations "
        f"({worst.idxmax()}); before weighting it was {three_digits(first)}."
    )
    remedy = "The groups differ: leave out covariates that nobody else shares, or compare fewer customers."
    return Check("Balance", size <= BALANCED, size, BALANCED, "standard deviations", detail, remedy)


def check_comparison_group(found: Adjusted, target: Target) -> Check:
    """Whether many others carry the weights."""
    number, largest = found.effective_others, found.largest_weight
    passed = number >= FEW_OTHERS and largest <= HEAVY
    whose = "" if target == "treated" else " The effect is that on customers who are like others (overlap)."
    detail = (
        f"The others count like {number:,.0f} customers; the largest weight is {100 * largest:.2g} % of all.{whose}"
    )
    remedy = "Few others resemble those who joined: the estimate rests on them; test it instead."
    return Check("Comparison group", passed, number, FEW_OTHERS, "effective customers", detail, remedy)


def check_overlap(found: Adjusted) -> Check:
    """Whether those who joined had others with the same chance."""
    most = float(found.chance[~found.treated].max())
    share = float((found.chance[found.treated] > most).mean())
    detail = f"{100 * share:.2g} % of those who joined had a higher chance to join than any other customer."
    remedy = "Nobody compares with these: leave out the covariate that sets them apart, or use target='overlap'."
    return Check("Overlap", share <= BEYOND, share, BEYOND, "share of joins", detail, remedy)


def check_history(history: pd.DataFrame | None, weeks: float) -> Check:
    """Whether the estimate still moves towards 0 when more of the past is known."""
    name = "Settled history"
    if history is None:
        return Check(name, None, detail="Contracts have no orders by week.", decides=False)
    if weeks < FEWEST_WEEKS:
        detail = f"The log begins {weeks:.0f} weeks before the median join; 26 and 52 weeks of history cannot differ."
        return Check(name, None, detail=detail, remedy="Use a log that begins earlier.")
    last, step, error = (float(history[column].iloc[-1]) for column in ("estimate", "step", "step_error"))
    before = float(history["estimate"].iloc[-2])
    size = abs(step / last) if last else math.inf
    falls = abs(last) < abs(before) and abs(step) > 1.96 * error and size > FALLS
    told = ", ".join(f"{three_digits(value)} with {weeks} weeks" for weeks, value in history["estimate"].items())
    remedy = "Still falling, so not settled: customers differ in more than the log shows; test it."
    return Check(name, not falls, size, FALLS, "of the estimate", f"The estimate is {told}.", remedy)


def check_unaffected(law: StudentT | None, base: float, relative: float, n: int) -> Check:
    """Whether an outcome that the effort cannot touch moved as well; None where that could not have been seen."""
    name = "Unaffected outcome"
    if law is None:
        detail = "Nothing was named that the effort cannot touch (unaffected)."
        return Check(name, None, detail=detail, remedy="Name another category, channel or kind of contact.")
    moved, seen = law.p_value(0.0) < SIGNIFICANT, POWER * law.std_error / max(base, 1e-12)
    change = with_interval(law.estimate, *law.interval())
    if not base > 0:
        detail = f"Nothing that it cannot touch happened within the horizon ({n:,} rows)."
        return Check(name, None, detail=detail, remedy="Name something that covers the same time.")
    detail = (
        f"What it cannot touch changed by {change} on {three_digits(base)} ({n:,} rows); a change of "
        f"{100 * min(seen, 99):.0f} % would have been seen."
    )
    size = abs(law.estimate) / base
    passed = False if moved else True if seen <= relative else None
    remedy = (
        "Those who joined would have done more anyway: the comparison does not hold."
        if moved
        else "Name something that more customers do, so that a smaller change would be seen."
    )
    return Check(name, passed, size, relative, "share of the base", detail, remedy)


def check_detectable(law: StudentT, base: float) -> Check:
    """The smallest effect that this number of joins would have shown."""
    size = POWER * law.std_error
    share = f", {100 * size / base:.0f} % of the base" if base > 0 else ""
    detail = f"With 80 % power an effect of {three_digits(size)} would have been found{share}."
    seen = law.p_value(0.0) < SIGNIFICANT
    return Check("Detectable effect", seen or None, size, abs(law.estimate), "", detail, decides=False)


def check_hidden(
    law: StudentT, outcome: str, without: float | None, found: Adjusted, strongest: str, moved: float
) -> Check:
    """How strong a hidden cause of joining and of the outcome would have to be, beside the strongest one observed.

    For shares it is the E-value of the end of the interval nearest to no effect (VanderWeele & Ding 2017), for amounts
    the robustness value of that end (Cinelli & Hazlett 2020).
    """
    name = "Hidden cause"
    lower, upper = law.interval()
    beside = f" Leaving out {strongest}, the strongest covariate, moves the estimate by {three_digits(moved)}."
    beside = beside if strongest else ""
    if lower <= 0 <= upper:
        return Check(
            name, None, detail=f"No effect lies within the interval: nothing is to be explained.{beside}", decides=False
        )
    near = lower if law.estimate > 0 else upper
    if without is not None and without > 0 and without + near > 0:
        size = e_value((without + near) / without)
        what = (
            f"A hidden cause tied {size:.2f}-fold to joining and to the outcome ({outcome}) would explain the effect."
        )
        return Check(name, None, size, None, "risk ratio", what + beside, decides=False)
    rows = len(found.influence)
    f = abs(near / law.std_error) / math.sqrt(rows)
    size = 0.5 * (math.sqrt(f**4 + 4 * f**2) - f**2)
    share = f"{100 * size:.1f} %"
    what = f"A hidden cause would explain the effect if it explained {share} of the remaining variation in joining and "
    what += "in the outcome."
    return Check(name, None, size, None, "partial R squared", what + beside, decides=False)
