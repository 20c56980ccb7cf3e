"""Sensitivity of an effect: non-inferiority, and the strength of unmeasured confounding that would explain it."""

from __future__ import annotations

import math
from typing import get_args

from retention_models.core.arguments import check_choice, is_number, require_bool, require_type
from retention_models.core.check import Check
from retention_models.core.formatting import three_digits
from retention_models.interventions.effects.effect import BREAKING, Effect, Scale, name_failed_checks


def e_value(ratio: float, scale: Scale = "ratio") -> float:
    """The E-value: the strength of unmeasured confounding that would explain a ratio away.

    Parameters
    ----------
    ratio
        The ratio, above 0.
    scale
        ``"ratio"``, the default, or ``"hazard ratio"``.

    Returns
    -------
    float
        The risk ratio that a confounder needs with both treatment and outcome, at least 1.

    Raises
    ------
    ValueError
        When ``ratio`` is not above 0, or the scale is ``"difference"`` or none.

    Notes
    -----
    VanderWeele & Ding (2017): RR + sqrt(RR (RR - 1)); a ratio below 1 is inverted. A hazard ratio becomes a risk ratio
    by their formula for common outcomes, RR = (1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR)).

    Examples
    --------
    >>> round(e_value(3.9), 4), e_value(1.8)
    (7.263, 3.0)
    """
    check_choice("scale", scale, get_args(Scale))
    if not (is_number(ratio) and ratio > 0) or scale == "difference":
        raise ValueError(f"an E-value needs a ratio above 0; got {ratio!r} on the scale {scale!r}")
    if scale == "hazard ratio":
        ratio = (1 - 0.5 ** math.sqrt(ratio)) / (1 - 0.5 ** math.sqrt(1 / ratio))
    ratio = max(ratio, 1 / ratio)
    return ratio + math.sqrt(ratio * (ratio - 1))


def objection(effect: Effect) -> str:
    """Why an effect decides nothing; empty if it may decide.

    A randomised effect needs that no deciding check failed; a quasi-experimental one that all of them passed, and that
    there is one. An observational difference never decides.
    """
    deciding = [check for check in effect.checks if check.decides]
    if effect.design == "observational":
        return "an observational difference proves nothing"
    failed = [check.name for check in deciding if check.passed is False]
    if failed:
        return f"a check failed: {', '.join(failed)}"
    if effect.design == "quasi-experimental" and not (deciding and all(check.passed for check in deciding)):
        return "a quasi-experimental result needs checks that all passed"
    return ""


def sensitivity_sentence(effect: Effect) -> str:
    """One sentence on how strong a bias would have to be to remove an effect that was not randomised.

    The sentence is empty for a randomised effect.
    """
    if effect.design == "randomised":
        return ""
    middle, lower, upper = effect.on_working_scale
    if lower <= 0 <= upper:
        return "No effect lies within the interval already: nothing is needed to overturn it."
    near = effect.lower if middle > 0 else effect.upper
    if effect.scale == "difference":
        share = abs(near / effect.estimate)
        return (
            f"Overturned by a hidden difference between the groups of {three_digits(abs(near))} {effect.unit} "
            f"({100 * share:.0f} % of the estimate): the interval would then reach 0."
        )
    return (
        f"Overturned by a hidden cause tied to treatment and outcome {e_value(near, effect.scale):.2f}-fold each "
        f"({e_value(effect.estimate, effect.scale):.2f}-fold for the estimate itself): the interval would reach 1."
    )


def non_inferiority(effect: Effect, margin: float, *, higher_is_better: bool = True) -> Check:
    """Check that the interval excludes an outcome that is worse than the baseline by more than a margin.

    Parameters
    ----------
    effect
        The effect.
    margin
        The largest acceptable loss, above 0: in the unit of the outcome for a difference, a share (0.05 for 5 %) for a
        ratio.
    higher_is_better
        Whether a higher outcome is better. True by default.

    Returns
    -------
    Check
        ``passed`` is None if a check failed without which the estimate is not valid, such as the sample ratio.

    Raises
    ------
    ValueError
        When the margin is not above 0, or is 1 or more for a ratio; when ``higher_is_better`` is neither True nor
        False.

    Notes
    -----
    The check uses the two-sided interval: with level 0.95 it is a one-sided test at 2.5 %.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> mens, womens = rm.differences(test, rm.Outcome(column="visit"))
    >>> print(rm.interventions.non_inferiority(womens, margin=0.01))
    Non-inferiority: passed. Interval end 0.0389 against the margin -0.0100: no worse than accepted.
    """
    require_type("effect", effect, Effect)
    require_bool("higher_is_better", higher_is_better)
    if not (is_number(margin) and margin > 0) or (effect.scale != "difference" and margin >= 1):
        raise ValueError(f"margin is the largest accepted loss: above 0, and below 1 for a ratio; got {margin!r}")
    if effect.scale == "difference":
        limit = -margin if higher_is_better else margin
    else:
        limit = 1 - margin if higher_is_better else 1 / (1 - margin)
    passed = effect.lower > limit if higher_is_better else effect.upper < limit
    end = effect.lower if higher_is_better else effect.upper
    verdict = "no worse than accepted" if passed else "a loss beyond the margin is not ruled out"
    broken = any(check.name in BREAKING for check in effect.failed)
    return Check(
        "Non-inferiority",
        None if broken else passed,
        size=end,
        limit=limit,
        unit=effect.unit,
        detail=f"Interval end {three_digits(end)} against the margin {three_digits(limit)}: {verdict}."
        + name_failed_checks(effect.failed),
    )
