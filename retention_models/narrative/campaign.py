"""The recommendation from a campaign's test, in one sentence that accounts for the number of arms."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.special import ndtri

from retention_models.core.check import Check
from retention_models.core.formatting import format_together, three_digits, with_interval
from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.outcome import outcome_pricing
from retention_models.interventions.campaign.interim import deciding_effects, has_planned_looks
from retention_models.interventions.campaign.read import Campaign
from retention_models.interventions.campaign.views import cost_outcome, costs_per_retained
from retention_models.interventions.designs.arm_differences import contrast_effects, differences
from retention_models.interventions.effects.assignment import IN_WORDS
from retention_models.interventions.effects.effect import BREAKING, Effect

POWER = 0.8
ALIKE = 0.02  # of the customers of two groups: a smaller difference of sizes makes them groups of one size


def recommendation(campaign: Campaign, checks: Sequence[Check] = (), *, level: float = 0.95) -> str:
    """Which arm to use next, or why the data do not support a decision.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    checks
        Further checks. The text names those that failed.
    level
        Joint level of all intervals, 0.95 by default.

    Returns
    -------
    str
        One or more sentences.

    Notes
    -----
    The best of several arms looks better than it is. The intervals are therefore widened to hold for all arms together
    (Bonferroni). Where customers were not assigned at random, nothing is recommended. If an outcome has a price, the
    value per treated customer decides. Otherwise the text gives the effects on the first outcome and the cost per
    additional unit of it.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> bought = [1] * 50 + [0] * 450 + [1] * 90 + [0] * 410
    >>> rows = pd.DataFrame({"arm": ["none"] * 500 + ["mail"] * 500, "bought": bought})
    >>> terms = rm.Terms(price=12, currency="EUR")
    >>> campaign = rm.interventions.read_campaign(rows, terms, cost=0.5, assigned_by="random")
    >>> print(rm.narrative.recommendation(campaign))
    Keep testing “mail” with 529 customers per group, to be exact to EUR 0.500. “mail” earned EUR 0.460 (-0.054 to
    0.974) per treated customer more than “none”, net of cost. As to “bought”, one more cost EUR 6.3 (4.1 to 13.4).
    (Intervals of 95 %.)

    A plan says how many customers a roll-out would reach:

    >>> plan = rm.Plan(control="none", assigned_by="random", reach=50_000)
    >>> campaign = rm.interventions.read_campaign(rows, terms, cost=0.2, plan=plan)
    >>> print(rm.narrative.recommendation(campaign))
    Roll out “mail” to 50,000 customers: EUR 12,300 to 63,700 a year. “mail” earned EUR 0.76 (0.25 to 1.27) per
    treated customer more than “none”, net of cost. The expected loss of deciding now is EUR 7.03 a year. As to
    “bought”, one more cost EUR 2.50 (1.63 to 5.38). (Intervals of 95 %.)
    """
    broken = [check for check in campaign.experiment.checks if check.passed is False and check.name in BREAKING]
    if broken:
        return f"Do not decide by this test: {broken[0].name} failed. {broken[0].detail}"
    if not campaign.experiment.plan.is_random:
        return _observational_text(campaign, checks, level)
    others = campaign.experiment.arms[1:]
    each = 1 - (1 - level) / len(others)
    effects = deciding_effects(campaign, each)
    decision = _value_sentence(campaign, effects) if campaign.priced else _outcome_sentence(campaign, effects)
    many = [f"all {len(others)} arms"] * (len(others) > 1) + ["all planned looks"] * has_planned_looks(campaign)
    together = f", {100 * level:g} % for {' and '.join(many)} together" if len(others) > 1 else ""
    together = together or (" that hold at all planned looks" if many else "")
    failed = [check for effect in effects for check in effect.failed] + [c for c in checks if c.passed is False]
    warned = ", ".join(dict.fromkeys(f"“{check.name}”" for check in failed))
    warning = f" But what was checked did not hold: {warned}." if warned else ""
    return f"{decision} (Intervals of {100 * each:.3g} %{together}.){warning}"


def _observational_text(campaign: Campaign, checks: Sequence[Check], level: float) -> str:
    """The largest difference, why it is no effect, and what would settle it."""
    plan, outcome = campaign.experiment.plan, campaign.main_outcome
    effects = differences(campaign.experiment, outcome, level=level)
    largest = max(effects, key=lambda effect: abs(effect.estimate))
    failed = [check.name for check in checks if check.passed is False]
    warning = f" What was checked did not hold: {', '.join(failed)}." if failed else ""
    change = _change_text(largest, f"“{outcome.name}”", _mean_of_control(campaign))
    return (
        f"Do not decide by this comparison: {IN_WORDS[plan.assigned_by]}. {change}. "
        "Who the customers are may explain all of it. Assign customers to the groups at random to learn what the "
        f"treatment changes. (Intervals of {100 * level:.3g} %.){warning}"
    )


def _value_sentence(campaign: Campaign, effects: Sequence[Effect]) -> str:
    """The recommendation from the values of the arms: roll out, keep testing, or stop."""
    ranked = sorted(effects, key=lambda effect: -(effect.value or 0.0))
    best = ranked[0]
    assert best.priced is not None
    value, lower, upper = best.priced
    control = campaign.experiment.plan.control
    within = "" if best.horizon is None else f" within {best.horizon_text}"
    later = "" if campaign.contracts is None else " What retained customers pay later is not counted."
    earned = (
        f"“{best.intervention}” earned {_money_text(campaign, with_interval(value, lower, upper))} per treated "
        f"customer more than “{control}”{within}, net of cost.{later}"
    )
    if lower > 0:
        headline = f"Roll out “{best.intervention}”{_annual_clause(campaign, best)}."
        facts = f"{_repeats_clause(best)}{_lead_sentence(campaign, ranked)}{_loss_clause(campaign, best)}"
    elif upper < 0:
        headline = "Roll out none of the arms: even the best loses money." if len(ranked) > 1 else f"Keep “{control}”."
        facts = ""
    else:
        gain = "" if best.smallest_gain is None else _money_text(campaign, three_digits(best.smallest_gain))
        excluded = all(_excludes_gain(effect, effect.priced[2]) for effect in effects if effect.priced)
        headline, facts = _undecided(campaign, best, gain, excluded=excluded), _loss_clause(campaign, best)
    return f"{headline} {earned}{facts}{_cost_sentence(campaign, best)}"


def _excludes_gain(effect: Effect, most: float) -> bool:
    """Whether the largest possible gain is below the smallest that matters."""
    return effect.smallest_gain is not None and most < effect.smallest_gain


def _undecided(campaign: Campaign, effect: Effect, gain: str, *, excluded: bool) -> str:
    """What to do where a gain and a loss are both possible: test on with how many, or stop.

    ``gain`` is the smallest that matters, in words, and ``excluded`` whether no arm can have one.
    """
    needed, control = effect.customers_of_next_test, campaign.experiment.plan.control
    if needed is None or effect.smallest_gain is None:
        return f"Keep testing “{effect.intervention}”: a gain and a loss are both possible."
    if excluded:
        return f"Keep “{control}”: a gain of {gain} or more is excluded."
    if needed <= effect.n:
        return f"Keep “{control}”, unless a gain below {gain} matters: the test is already exact to that."
    treated, others = (campaign.experiment.n(arm) for arm in (effect.intervention, control))
    alike = abs(treated - others) <= ALIKE * effect.n
    size = f"{math.ceil(needed / 2):,} customers per group" if alike else f"{needed:,} customers in the same shares"
    return f"Keep testing “{effect.intervention}” with {size}, to be exact to {gain}."


def _annual_clause(campaign: Campaign, effect: Effect) -> str:
    """To how many customers, and for what money a year; empty where nobody said."""
    if effect.annual_value is None or effect.reach is None:
        return ""
    low, high = format_together(*(float(f"{amount:.3g}") for amount in effect.annual_value[1:]))
    return f" to {effect.reach:,} customers: {_money_text(campaign, low)} to {high} a year"


def _repeats_clause(effect: Effect) -> str:
    if effect.reach is None or effect.repeats == 1:
        return ""
    return f" The year assumes the same effect at each of {effect.repeats:g} repeats."


def _loss_clause(campaign: Campaign, effect: Effect) -> str:
    """What a wrong decision costs on average; empty where the reach is not known."""
    if effect.expected_loss is None:
        return ""
    return f" The expected loss of deciding now is {_money_text(campaign, _rounded(effect.expected_loss))} a year."


def _rounded(amount: float) -> str:
    """A large amount to three significant digits."""
    return three_digits(float(f"{amount:.3g}"))


def _lead_sentence(campaign: Campaign, ranked: Sequence[Effect]) -> str:
    """Whether the best arm is better than the second best, where there is one."""
    if len(ranked) < 2 or campaign.priced is None:
        return ""
    best, second = ranked[0], ranked[1]
    weights = {"lead": contrasts.difference(best.intervention, second.intervention)}
    money = outcome_pricing(campaign.experiment, campaign.priced, campaign.terms, campaign.costs)
    lead = contrast_effects(campaign.experiment, campaign.priced, weights, money, level=best.level)[0]
    assert lead.priced is not None
    sure = "is beyond chance" if lead.priced[1] > 0 else "may be chance"
    return f" Its lead over “{second.intervention}”, {_money_text(campaign, three_digits(lead.priced[0]))}, {sure}."


def _outcome_sentence(campaign: Campaign, effects: Sequence[Effect]) -> str:
    """The recommendation from the first outcome, where the outcome has no price."""
    less = " (less is better)" if campaign.main_outcome.column in campaign.roles.lower_outcomes else ""
    name = f"“{campaign.main_outcome.name}”{less}"
    changed = [effect for effect in effects if effect.lower > 0 or effect.upper < 0]
    largest = max(effects, key=lambda effect: abs(effect.estimate))
    if not changed:
        return f"{_no_change(campaign, effects, largest, name)}{_cost_sentence(campaign, largest)}"
    direction = -1.0 if less else 1.0
    ordered = sorted(changed, key=lambda effect: -direction * effect.estimate)
    best = ordered[0]
    control = campaign.experiment.plan.control
    lead = f"Use “{best.intervention}”" if direction * best.estimate > 0 else f"Keep “{control}”"
    parts = "; ".join(_change_text(effect, name, _mean_of_control(campaign)) for effect in ordered)
    return f"{lead}. {parts}.{_cost_sentence(campaign, best)}"


def _no_change(campaign: Campaign, effects: Sequence[Effect], largest: Effect, name: str) -> str:
    """That no arm is shown to have changed the outcome, and what would settle it."""
    scale, unit = _scale_of(largest)
    difference = f"The largest difference in {name} is that of {_difference_text(largest)}."
    if largest.smallest_gain is not None:
        gain = f"{three_digits(scale * largest.smallest_gain)} {unit}"
        less = campaign.main_outcome.column in campaign.roles.lower_outcomes
        excluded = all(_excludes_gain(effect, -effect.lower if less else effect.upper) for effect in effects)
        return f"{_undecided(campaign, largest, gain, excluded=excluded)} {difference}"
    needed = max((ndtri((1 + e.level) / 2) + ndtri(POWER)) * e.std_error for e in effects)
    in_each = " in each arm" if len(effects) > 1 else ""
    return (
        f"No arm is shown to have changed {name}. {difference} A change of {three_digits(scale * needed)} {unit} or "
        f"more would have been found{in_each} four times in five."
    )


def _scale_of(effect: Effect) -> tuple[float, str]:
    """What numbers of an outcome are multiplied by for display, and their unit: shares in percentage points."""
    return (100.0, "percentage points") if effect.unit.startswith("share of ") else (1.0, effect.unit)


def _change_text(effect: Effect, name: str, mean_of_control: float) -> str:
    """What changed with an arm, in words: shares in percentage points, and the lift relative to the control."""
    scale, unit = _scale_of(effect)
    ends = (effect.lower, effect.upper) if effect.estimate > 0 else (-effect.upper, -effect.lower)
    size, low, high = format_together(*(scale * number for number in (abs(effect.estimate), *ends)))
    word = "higher" if effect.estimate > 0 else "lower"
    lift = ""
    if mean_of_control > 0:
        percent = three_digits(100 * abs(effect.estimate) / mean_of_control)
        lift = f", a {'lift' if effect.estimate > 0 else 'fall'} of {percent} %"
    return f"With “{effect.intervention}”, {name} is {size} {unit} {word} ({low} to {high}){lift}"


def _mean_of_control(campaign: Campaign) -> float:
    return float(campaign.experiment.table()[campaign.main_outcome.column].iloc[0])  # the control comes first


def _difference_text(effect: Effect) -> str:
    scale, unit = _scale_of(effect)
    estimate, lower, upper = format_together(*(scale * x for x in (effect.estimate, effect.lower, effect.upper)))
    return f"“{effect.intervention}”, {estimate} {unit} ({lower} to {upper})"


def _cost_sentence(campaign: Campaign, effect: Effect) -> str:
    """The cost per additional unit of the first outcome, where a cost is stated."""
    sentence = costs_per_retained(campaign, level=effect.level).get(effect.intervention)
    return f" As to “{cost_outcome(campaign).name}”, {sentence}" if sentence else ""


def _money_text(campaign: Campaign, amount: str) -> str:
    return f"{campaign.currency} {amount}".strip()
