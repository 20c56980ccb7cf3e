"""Interim looks at a running test, with intervals that hold at every look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from retention_models.core.arguments import require_type
from retention_models.core.check import Check
from retention_models.core.formatting import Part, Presentation, three_digits
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.effects.assignment import IN_WORDS
from retention_models.interventions.effects.derived_laws import Law, RepeatedLooks
from retention_models.interventions.effects.effect import Effect, with_laws
from retention_models.interventions.effects.error_spending import Spending, check_fractions

EARLY = 0.01  # of the planned data: looks may come so much before their share
FEW_FREEDOM = 10  # fewer degrees of freedom, and bounds made for a normal path are approximate


@dataclass(frozen=True, slots=True, repr=False)
class Look(Presentation):
    """One interim look at a running test: whether to stop, and the effect with an interval that holds at every look.

    ``interim_look`` creates it.

    Attributes
    ----------
    number
        Number of the look, from 1.
    z
        The effect in standard errors.
    bound
        Half the width of the interval in standard errors.
    effect
        The effect with the repeated confidence interval.
    """

    number: int
    z: float
    bound: float
    effect: Effect

    @property
    def stop(self) -> bool:
        """Whether the effect crosses the bound: the interval excludes no effect."""
        return not self.effect.lower <= self.effect.no_effect <= self.effect.upper

    def _parts(self) -> Sequence[Part]:
        verdict = "stop" if self.stop else "go on"
        z, bound = (three_digits(number, decimals=2) for number in (abs(self.z), self.bound))
        return [f"Look {self.number}: |z| = {z} against {bound}: {verdict}. {self.effect}"]


def interim_look(
    effect: Effect, fractions: Sequence[float], *, plan: Plan | None = None, spending: Spending = "obrien-fleming"
) -> Look:
    """An interim look at a running test: its current effect, compared with the bound for this look.

    Parameters
    ----------
    effect
        The effect computed from the current data.
    fractions
        The fraction of the planned data at each look up to this one, increasing, at most 1.
    plan
        The plan of the test, whose ``looks`` are the only ones before the end. By default None: not checked.
    spending
        ``"obrien-fleming"``, the default, or ``"pocock"``, as in ``sequential_bounds``.

    Returns
    -------
    Look
        Its effect has the repeated confidence interval, which holds at all looks together. The interval of its value is
        widened in the same way. A check describes the interval. Its ``passed`` is None where the interval is
        approximate: with few degrees of freedom, or with sides of different length.

    Raises
    ------
    ValueError
        As in ``sequential_bounds``; when customers were not assigned at random; when there are more looks than planned.

    Notes
    -----
    Jennison & Turnbull (1989). The effect keeps its law, whose interval has the nominal error of this look. Its p-value
    holds at all looks together, too. The estimate of a test that stops early tends to be too large.

    Examples
    --------
    >>> import retention_models as rm
    >>> email = rm.datasets.load_published_experiments().query("outcome == 'visit'").rename(columns={"count": "visit"})
    >>> test = rm.Experiment.from_counts(email, rm.Plan(assigned_by="random", control="no e-mail"), outcome="visit")
    >>> visit = rm.Outcome(column="visit", unit="share of customers", horizon=2, time_unit="W")
    >>> effect = rm.differences(test, visit)[0]
    >>> print(rm.interventions.interim_look(effect, [0.5]))  # the first look, at half of the customers planned
    Look 1: |z| = 22.6 against 2.96: stop. men's e-mail changes visit by 0.0766 (0.0666 to 0.0866) (share of
    customers; 95 % interval; 2 weeks; randomised, n = 42,613).
    """
    require_type("effect", effect, Effect)
    if effect.assigned_by != "random":
        decided = IN_WORDS[effect.assigned_by]
        raise ValueError(f"only a test with groups drawn at random may stop early; of {effect.intervention}, {decided}")
    times = check_fractions(fractions)
    if plan is not None:
        _require_planned(times, plan)
    law = RepeatedLooks(effect.law, times, spending)
    value_law = None if effect.value_law is None else RepeatedLooks(effect.value_law, times, spending)
    usual, wide = (_sides(each, effect.level) for each in (effect.law, law))
    is_normal = effect.law.df >= FEW_FREEDOM and max(usual) <= 1.01 * min(usual) and math.isfinite(max(wide))
    validity = _validity(effect.law.df, usual, wide)
    before, bound = (max(sides) / effect.std_error if effect.std_error > 0 else math.inf for sides in (usual, wide))
    before_text, bound_text = (three_digits(distance, decimals=2) for distance in (before, bound))
    check = Check(
        "Interim looks",
        True if is_normal else None,
        detail=f"Look {len(times)} at {100 * times[-1]:.3g} % of the data: the interval reaches "
        f"{bound_text} standard errors "
        f"instead of {before_text}, to hold at every look; {validity}.",
    )
    middle = effect.on_working_scale[0]
    z = middle / effect.std_error if effect.std_error > 0 else math.copysign(math.inf, middle)
    return Look(len(times), z, bound, with_laws(effect, law, value_law, checks=(*effect.checks, check)))


def _require_planned(times: Sequence[float], plan: Plan) -> None:
    """Raise a ValueError if there are more looks before the end, or earlier ones, than the plan has."""
    before_end = [time for time in times if time < 1]
    planned = ", ".join(f"{100 * look:g} %" for look in plan.looks) or "none"
    if len(before_end) > len(plan.looks) or any(t < look - EARLY for t, look in zip(times, plan.looks, strict=False)):
        taken = ", ".join(f"{100 * time:.3g} %" for time in before_end)
        raise ValueError(
            f"looks before the end at {taken} of the data are not planned (planned: {planned}); only planned looks "
            "may stop a test: wait for the next one"
        )


def _sides(law: Law, level: float) -> tuple[float, float]:
    """The distances from the estimate to the two ends of an interval."""
    lower, upper = law.interval(level)
    return law.estimate - lower, upper - law.estimate


def _validity(df: float, usual: tuple[float, float], wide: tuple[float, float]) -> str:
    """The assumption or limit of the bounds, in words."""
    if math.isinf(min(usual)):
        return "it has no end, at this look or any"
    if math.isinf(max(wide)):
        return "it has no end at this look"
    if df < FEW_FREEDOM:
        return f"with {df:.1f} degrees of freedom that is approximate"
    if max(usual) > 1.01 * min(usual):
        return "as it is longer to one side, that is approximate"
    return "it does so for the fractions stated"
