"""The recommendation from a campaign's test, in one sentence that accounts for the number of arms."""

from __future__ import annotations

from collections.abc import Sequence

from scipy.special import ndtri

from retention_models.core.check import Check
from retention_models.core.formatting import format_together, three_digits, with_interval
from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.outcome import outcome_pricing
from retention_models.interventions.campaign.read import Campaign
from retention_models.interventions.campaign.views import cost_outcome, costs_per_retained
from retention_models.interventions.designs.arm_differences import contrast_effects, differences
from retention_models.interventions.effects.assignment import IN_WORDS
from retention_models.interventions.effects.effect import BREAKING, Effect

POWER = 0.8


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
    No arm is sure to pay: the best, “mail”, earned EUR 0.460 (-0.054 to 0.974) a treated customer more than “none”,
    net of what it costs. As to “bought”, one more cost EUR 6.3 (4.1 to 13.4). (Intervals of 95 %.)
    """
    broken = [check for check in campaign.experiment.checks if check.passed is False and check.name in BREAKING]
    if broken:
        return f"Do not decide by this test: {broken[0].name} failed. {broken[0].detail}"
    if not campaign.experiment.plan.is_random:
        return _observational_text(campaign, checks, level)
    others = campaign.experiment.arms[1:]
    each = 1 - (1 - level) / len(others)
    effects = differences(campaign.experiment, campaign.main_outcome, level=each, **campaign.money)
    decision = _value_sentence(campaign, effects) if campaign.priced else _outcome_sentence(campaign, effects)
    together = f", {100 * level:g} % for all {len(others)} arms together" if len(others) > 1 else ""
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
    change = _change_text(largest, f"“{outcome.name}”")
    return (
        f"Do not decide by this comparison: {IN_WORDS[plan.assigned_by]}. {change}. "
        "Who the customers are may explain all of it. Assign customers to the groups at random to learn what the "
        f"treatment changes. (Intervals of {100 * level:.3g} %.){warning}"
    )


def _value_sentence(campaign: Campaign, effects: Sequence[Effect]) -> str:
    """The recommendation from the values of the arms."""
    ranked = sorted(effects, key=lambda effect: -(effect.value or 0.0))
    best = ranked[0]
    assert best.priced is not None
    value, lower, upper = best.priced
    control = campaign.experiment.plan.control
    worth = (
        f"{_money_text(campaign, with_interval(value, lower, upper))} a treated customer more than “{control}”, "
        "net of what it costs"
    )
    if lower > 0:
        lead = _lead_sentence(campaign, ranked)
        return f"Send “{best.intervention}” next: it earned {worth}.{lead}{_cost_sentence(campaign, best)}"
    if value > 0:
        return (
            f"No arm is sure to pay: the best, “{best.intervention}”, earned {worth}.{_cost_sentence(campaign, best)}"
        )
    advice = "Send none of them: even the best" if upper < 0 else "No arm is expected to pay: the best"
    return f"{advice}, “{best.intervention}”, earned {worth}.{_cost_sentence(campaign, best)}"


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
        needed = max((ndtri((1 + e.level) / 2) + ndtri(POWER)) * e.std_error for e in effects)
        in_each = " in each arm" if len(effects) > 1 else ""
        return (
            f"No arm is shown to have changed {name}: the largest difference is {_difference_text(largest)}. "
            f"A change of {three_digits(needed)} or more would have been found{in_each} four times in five."
            f"{_cost_sentence(campaign, largest)}"
        )
    direction = -1.0 if less else 1.0
    ordered = sorted(changed, key=lambda effect: -direction * effect.estimate)
    best = ordered[0]
    control = campaign.experiment.plan.control
    lead = f"Use “{best.intervention}”" if direction * best.estimate > 0 else f"Keep “{control}”"
    parts = "; ".join(_change_text(effect, name) for effect in ordered)
    return f"{lead}. {parts}.{_cost_sentence(campaign, best)}"


def _change_text(effect: Effect, name: str) -> str:
    """What changed with an arm, in words: shares in percentage points."""
    of_share = effect.unit.startswith("share of ")
    scale, unit = (100.0, "percentage points") if of_share else (1.0, effect.unit)
    ends = (effect.lower, effect.upper) if effect.estimate > 0 else (-effect.upper, -effect.lower)
    size, low, high = format_together(*(scale * number for number in (abs(effect.estimate), *ends)))
    word = "higher" if effect.estimate > 0 else "lower"
    return f"With “{effect.intervention}”, {name} is {size} {unit} {word} ({low} to {high})"


def _difference_text(effect: Effect) -> str:
    sign = "+" if effect.estimate > 0 else ""
    estimate, lower, upper = format_together(effect.estimate, effect.lower, effect.upper)
    return f"“{effect.intervention}” {sign}{estimate} ({lower} to {upper} {effect.unit})"


def _cost_sentence(campaign: Campaign, effect: Effect) -> str:
    """The cost per additional unit of the first outcome, where a cost is stated."""
    sentence = costs_per_retained(campaign, level=effect.level).get(effect.intervention)
    return f" As to “{cost_outcome(campaign).name}”, {sentence}" if sentence else ""


def _money_text(campaign: Campaign, amount: str) -> str:
    return f"{campaign.currency} {amount}".strip()
