"""The recommendation from a campaign's test, in one sentence that accounts for the number of arms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.special import ndtri

from retention_models.core.check import Check
from retention_models.core.dates import span_name
from retention_models.core.formatting import amount_text, format_together, three_digits, with_interval
from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.outcome import outcome_pricing
from retention_models.interventions.campaign.interim import deciding_effects, has_planned_looks
from retention_models.interventions.campaign.read import Campaign
from retention_models.interventions.campaign.views import cost_outcome, costs_per_retained
from retention_models.interventions.designs.arm_differences import contrast_effects, differences
from retention_models.interventions.effects.assignment import IN_WORDS
from retention_models.interventions.effects.effect import BREAKING, Effect
from retention_models.narrative.answer import Answer, KeyFigure

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
    Keep testing “mail” with 529 customers per group, to measure its effect to within EUR 0.50. “mail” earned EUR 0.460
    (-0.054 to 0.974) per treated customer more than “none”, net of cost. “bought”: each additional customer cost
    EUR 6.25 (4.07 to 13.40). (Intervals of 95 %.)

    A plan says how many customers a roll-out would reach:

    >>> plan = rm.Plan(control="none", assigned_by="random", reach=50_000)
    >>> campaign = rm.interventions.read_campaign(rows, terms, cost=0.2, plan=plan)
    >>> print(rm.narrative.recommendation(campaign))
    Roll out “mail” to 50,000 customers: EUR 12,300 to 63,700 a year. “mail” earned EUR 0.76 (0.25 to 1.27) per
    treated customer more than “none”, net of cost. The expected loss of deciding now is EUR 7.03 a year. “bought”:
    each additional customer cost EUR 2.50 (1.63 to 5.38). (Intervals of 95 %.)
    """
    sentences = _sentences(campaign, level).all
    failed = [*_failed_of_effects(campaign, level), *(check for check in checks if check.passed is False)]
    if failed and not _is_broken(campaign):
        warned = ", ".join(dict.fromkeys(f"“{check.name}”" for check in failed))
        sentences.append(f"These checks failed: {warned}.")
    return " ".join(sentences)


def campaign_answer(
    campaign: Campaign,
    checks: Sequence[Check] = (),
    *,
    level: float = 0.95,
    facts: Mapping[str, str] | None = None,
    assumed: str = "",
) -> Answer:
    """What a campaign's test decides, with its key figures and how sure they are.

    Parameters
    ----------
    campaign, checks, level
        As in ``recommendation``; all checks of the page.
    facts
        What the head of the page says of the data.
    assumed
        What was assumed, as text.

    Returns
    -------
    Answer
        Its headline is the first sentence of ``recommendation``.
    """
    sentences = _sentences(campaign, level)
    return Answer(
        headline=sentences.headline,
        figures=tuple(_figures(campaign, level)),
        actions=(sentences.action,) if sentences.action else (),
        sureness=tuple(filter(None, (*sentences.facts, sentences.intervals))),
        checks=tuple(dict.fromkeys((*checks, *_failed_of_effects(campaign, level)))),
        facts=facts or {},
        assumed=assumed,
    )


def campaign_facts(campaign: Campaign, *, name: str | Path = "this test") -> dict[str, str]:
    """Whose test, how many customers, over which time, and who assigned them: the head of a page, by name.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    name
        Name of the rows. Of a path, the last part is used.

    Returns
    -------
    dict
        Names to text.
    """
    plan, arms = campaign.experiment.plan, campaign.experiment.arms
    facts = {"data": Path(name).name, "groups": ", ".join(arms), "assigned by": plan.assigned_by}
    outcome = campaign.main_outcome
    if outcome.horizon is not None and outcome.time_unit is not None:
        facts["measured over"] = span_name(outcome.horizon, outcome.time_unit)
    return facts


@dataclass
class _Sentences:
    """What a test decides: the headline, facts beside it, the level of the intervals, and what to do next."""

    headline: str
    facts: list[str]
    intervals: str = ""
    action: str = ""

    @property
    def all(self) -> list[str]:
        return [text for text in (self.headline, *self.facts, f"({self.intervals})" * bool(self.intervals)) if text]


def _is_broken(campaign: Campaign) -> Check | None:
    """The failed check by which a test decides nothing."""
    checks = campaign.experiment.checks
    return next((check for check in checks if check.passed is False and check.name in BREAKING), None)


def _failed_of_effects(campaign: Campaign, level: float) -> list[Check]:
    """The failed checks of the effects that decide, in order."""
    if _is_broken(campaign) or not campaign.experiment.plan.is_random:
        return []
    each = 1 - (1 - level) / len(campaign.experiment.arms[1:])
    return [check for effect in deciding_effects(campaign, each) for check in effect.failed]


def _figures(campaign: Campaign, level: float) -> list[KeyFigure]:
    """The effect that decides, per customer and at full scale, and the size of the test."""
    sizes = [campaign.experiment.n(arm) for arm in campaign.experiment.arms]
    spread = f"{min(sizes):,}" if min(sizes) == max(sizes) else f"{min(sizes):,} to {max(sizes):,}"
    size = KeyFigure("Customers in the test", f"{sum(sizes):,}", f"{spread} per group")
    if _is_broken(campaign) or not campaign.experiment.plan.is_random:
        return [size]
    each = 1 - (1 - level) / len(campaign.experiment.arms[1:])
    effects = deciding_effects(campaign, each)
    figures = []
    if campaign.priced:
        best = max(effects, key=lambda effect: effect.value or 0.0)
        assert best.priced is not None
        value, lower, upper = format_together(*best.priced)
        label = f"Value per customer, {best.intervention}"
        figures.append(KeyFigure(label, *(_money_text(campaign, text) for text in (value, f"{lower} to {upper}"))))
        if best.annual_value is not None and best.reach is not None:
            year, low, high = (_rounded(amount) for amount in best.annual_value)
            ends = _money_text(campaign, f"{low} to {high}")
            figures.append(KeyFigure(f"A year, {best.reach:,} customers", _money_text(campaign, year), ends))
    else:
        best = max(effects, key=lambda effect: abs(effect.estimate))
        scale, unit = _scale_of(best)
        numbers = (scale * number for number in (best.estimate, best.lower, best.upper))
        estimate, lower, upper = format_together(*numbers)
        label = f"{campaign.main_outcome.name}, {best.intervention}"
        figures.append(KeyFigure(label, f"{estimate} {unit}", f"{lower} to {upper}"))
    return [*figures, size]


def _sentences(campaign: Campaign, level: float) -> _Sentences:
    """What the test of a campaign decides, or why it does not."""
    if broken := _is_broken(campaign):
        repeat = "Find out why, and repeat the test."
        return _Sentences(f"Do not decide by this test. A check failed: {broken.name}.", [broken.text], action=repeat)
    if not campaign.experiment.plan.is_random:
        return _observational(campaign, level)
    others = campaign.experiment.arms[1:]
    each = 1 - (1 - level) / len(others)
    effects = deciding_effects(campaign, each)
    sentences = _value_sentences(campaign, effects) if campaign.priced else _outcome_sentences(campaign, effects)
    many = [f"all {len(others)} arms"] * (len(others) > 1) + ["all planned looks"] * has_planned_looks(campaign)
    together = f", {100 * level:g} % for {' and '.join(many)} together" if len(others) > 1 else ""
    together = together or (" that hold at all planned looks" if many else "")
    sentences.intervals = f"Intervals of {100 * each:.3g} %{together}."
    return sentences


def _observational(campaign: Campaign, level: float) -> _Sentences:
    """The largest difference, why it is no effect, and what would settle it."""
    plan, outcome = campaign.experiment.plan, campaign.main_outcome
    effects = differences(campaign.experiment, outcome, level=level)
    largest = max(effects, key=lambda effect: abs(effect.estimate))
    change = _change_text(largest, f"“{outcome.name}”", _mean_of_control(campaign))
    why = "Who the customers are may explain all of it."
    settle = "Assign customers to the groups at random to learn what the treatment changes."
    headline = f"Do not decide by this comparison: {IN_WORDS[plan.assigned_by]}."
    intervals = f"Intervals of {100 * level:.3g} %."
    return _Sentences(headline, [f"{change}.", why, settle], intervals, "Assign customers at random in the next test.")


def _value_sentences(campaign: Campaign, effects: Sequence[Effect]) -> _Sentences:
    """The recommendation from the values of the arms: roll out, keep testing, or stop."""
    ranked = sorted(effects, key=lambda effect: -(effect.value or 0.0))
    best = ranked[0]
    assert best.priced is not None
    value, lower, upper = best.priced
    control = campaign.experiment.plan.control
    within = "" if best.horizon is None else f" within {best.horizon_text}"
    later = "" if campaign.contracts is None else "What retained customers pay later is not counted."
    change, ends = ("earned", (value, lower, upper)) if upper >= 0 else ("lost", (-value, -upper, -lower))
    earned = (
        f"“{best.intervention}” {change} {_money_text(campaign, with_interval(*ends))} per treated customer "
        f"{'more than' if upper >= 0 else 'against'} “{control}”{within}, net of cost."
    )
    if lower > 0:
        headline = f"Roll out “{best.intervention}”{_annual_clause(campaign, best)}."
        facts = [_repeats_clause(best), _lead_sentence(campaign, ranked), _loss_clause(campaign, best)]
        action = "Keep a random group out of the roll-out, to measure whether it goes on paying."
    elif upper < 0:
        one = f"Keep “{control}”: “{best.intervention}” loses money."
        headline = "Roll out none of the arms: even the best loses money." if len(ranked) > 1 else one
        facts, action = [], "Spend the money elsewhere: more of the same loses more."
    else:
        gain = "" if best.smallest_gain is None else _money_text(campaign, amount_text(best.smallest_gain))
        excluded = all(_excludes_gain(effect, effect.priced[2]) for effect in effects if effect.priced)
        headline, facts = _undecided(campaign, best, gain, excluded=excluded), [_loss_clause(campaign, best)]
        action = "Do not roll out yet: a loss is possible."
        if excluded:
            action = "Spend the money elsewhere: no arm can gain what matters."
        elif value <= 0 and headline.startswith("Keep testing"):
            facts.append(f"To decide: {headline[0].lower()}{headline[1:]}")
            headline = f"Keep “{control}”: “{best.intervention}” is not expected to pay, though a gain is possible."
            action = "Do not roll out: a loss is at least as likely as a gain."
    return _Sentences(headline, [earned, later, *facts, _cost_sentence(campaign, best)], action=action)


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
        return f"Keep “{control}”, unless a gain below {gain} matters: the test already measures that."
    treated, others = (campaign.experiment.n(arm) for arm in (effect.intervention, control))
    alike = abs(treated - others) <= ALIKE * effect.n
    size = f"{math.ceil(needed / 2):,} customers per group" if alike else f"{needed:,} customers in the same shares"
    return f"Keep testing “{effect.intervention}” with {size}, to measure its effect to within {gain}."


def _annual_clause(campaign: Campaign, effect: Effect) -> str:
    """To how many customers, and for what money a year; empty where nobody said."""
    if effect.annual_value is None or effect.reach is None:
        return ""
    low, high = format_together(*(float(f"{amount:.3g}") for amount in effect.annual_value[1:]))
    return f" to {effect.reach:,} customers: {_money_text(campaign, low)} to {high} a year"


def _repeats_clause(effect: Effect) -> str:
    if effect.reach is None or effect.repeats == 1:
        return ""
    return f"The year assumes the same effect at each of {effect.repeats:g} repeats."


def _loss_clause(campaign: Campaign, effect: Effect) -> str:
    """What a wrong decision costs on average; empty where the reach is not known."""
    if effect.expected_loss is None:
        return ""
    return f"The expected loss of deciding now is {_money_text(campaign, _rounded(effect.expected_loss))} a year."


def _rounded(amount: float) -> str:
    """A large amount to three significant digits."""
    return amount_text(float(f"{amount:.3g}"))


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
    return f"Its lead over “{second.intervention}”, {_money_text(campaign, amount_text(lead.priced[0]))}, {sure}."


def _outcome_sentences(campaign: Campaign, effects: Sequence[Effect]) -> _Sentences:
    """The recommendation from the first outcome, where the outcome has no price."""
    less = " (less is better)" if campaign.main_outcome.column in campaign.roles.lower_outcomes else ""
    name = f"“{campaign.main_outcome.name}”{less}"
    changed = [effect for effect in effects if effect.lower > 0 or effect.upper < 0]
    largest = max(effects, key=lambda effect: abs(effect.estimate))
    if not changed:
        headline, *facts = _no_change(campaign, effects, largest, name)
        action = "Do not roll out yet: no effect is shown."
        return _Sentences(headline, [*facts, _cost_sentence(campaign, largest)], action=action)
    direction = -1.0 if less else 1.0
    ordered = sorted(changed, key=lambda effect: -direction * effect.estimate)
    best = ordered[0]
    control = campaign.experiment.plan.control
    parts = "; ".join(_change_text(effect, name, _mean_of_control(campaign)) for effect in ordered)
    facts = [f"{parts}.", _cost_sentence(campaign, best)]
    if direction * best.estimate > 0:
        action = "State what an outcome earns (margin or price), to learn whether the effect pays."
        return _Sentences(f"Use “{best.intervention}”.", facts, action=action)
    taken = "" if less else f"A higher {name} counts as better here; if a lower one is, name it in lower_is_better."
    return _Sentences(f"Keep “{control}”.", [*facts, taken], action=f"Do not roll out “{best.intervention}”.")


def _no_change(campaign: Campaign, effects: Sequence[Effect], largest: Effect, name: str) -> list[str]:
    """That no arm is shown to have changed the outcome, and what would settle it."""
    scale, unit = _scale_of(largest)
    difference = f"The largest difference in {name} is that of {_difference_text(largest)}."
    if largest.smallest_gain is not None:
        gain = f"{three_digits(scale * largest.smallest_gain)} {unit}"
        less = campaign.main_outcome.column in campaign.roles.lower_outcomes
        excluded = all(_excludes_gain(effect, -effect.lower if less else effect.upper) for effect in effects)
        return [_undecided(campaign, largest, gain, excluded=excluded), difference]
    needed = max((ndtri((1 + e.level) / 2) + ndtri(POWER)) * e.std_error for e in effects)
    in_each = " in each arm" if len(effects) > 1 else ""
    found = (
        f"A change of {three_digits(scale * needed)} {unit} or more would have been found{in_each} four times in five."
    )
    return [f"No arm is shown to have changed {name}.", difference, found]


def _scale_of(effect: Effect) -> tuple[float, str]:
    """What numbers of an outcome are multiplied by for display, and their unit: shares in percentage points."""
    return (100.0, "percentage points") if effect.unit.startswith("share of ") else (1.0, effect.unit)


def _change_text(effect: Effect, name: str, mean_of_control: float) -> str:
    """What changed with an arm, in words: shares in percentage points, and the lift relative to the control."""
    scale, unit = _scale_of(effect)
    if effect.lower <= 0 <= effect.upper:
        size, low, high = format_together(*(scale * number for number in (effect.estimate, effect.lower, effect.upper)))
        return f"With “{effect.intervention}”, {name} differs by {size} {unit} ({low} to {high}), which may be chance"
    ends = (effect.lower, effect.upper) if effect.estimate > 0 else (-effect.upper, -effect.lower)
    size, low, high = format_together(*(scale * number for number in (abs(effect.estimate), *ends)))
    word = "higher" if effect.estimate > 0 else "lower"
    lift = ""
    if mean_of_control > 0:
        share = 100 * abs(effect.estimate) / mean_of_control
        percent = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
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
    return f"“{cost_outcome(campaign).name}”: {sentence}" if sentence else ""


def _money_text(campaign: Campaign, amount: str) -> str:
    return f"{campaign.currency} {amount}".strip()


def published_answer(effects: Sequence[Effect], lifts: Sequence[Effect]) -> Answer:
    """What published experiments found, as a prior for efforts of one's own.

    Parameters
    ----------
    effects
        The effects as differences.
    lifts
        The same effects as ratios.

    Returns
    -------
    Answer
        How many of the arms changed their outcome, and the smallest and largest lift.
    """
    changed = [effect for effect in effects if effect.lower > 0 or effect.upper < 0]
    failing = sum(1 for effect in changed if effect.failed)
    doubtful = f", {failing} of them with a failed check" if failing else ""
    ratios = sorted(lifts, key=lambda effect: effect.estimate)
    low, middle, high = ratios[0], ratios[len(ratios) // 2], ratios[-1]
    n, doubted = len(ratios), [effect for effect in effects if effect.failed]
    names = ", ".join(dict.fromkeys(check.name for effect in doubted for check in effect.failed))
    doubt = [f"Do not rely on {len(doubted)} of {n} intervals: a check failed ({names})."] if doubted else []

    def figure(label: str, effect: Effect) -> KeyFigure:
        numbers = (effect.estimate, effect.lower, effect.upper)
        estimate, lower, upper = (f"{100 * (number - 1):+.0f} %" for number in numbers)
        return KeyFigure(label, estimate, f"{effect.intervention}, {lower} to {upper}")

    return Answer(
        headline=(
            f"{len(changed)} of {n} published treatments changed their outcome{doubtful}; test your own before you "
            "rely on it."
        ),
        figures=(figure("Smallest lift", low), figure("Middle lift", middle), figure("Largest lift", high)),
        actions=("Test your own effort on customers chosen at random, with a group that gets nothing.",),
        sureness=(
            "All treatments were assigned at random, so the differences are effects.",
            "They hold for other people, at another time, over short windows.",
            "None of them measured years of loyalty.",
            "Experiments that find something are published more often than others.",
            *doubt,
        ),
        facts={"data": f"{n} treatments of published experiments", "assigned by": "random"},
    )
