"""What there is to ask of a campaign: other ways to compare its arms, who received it, where the money went."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import pandas as pd

from retention_models.interventions.campaign import Campaign
from retention_models.interventions.comparisons import differences, lifts
from retention_models.interventions.effect import Effect
from retention_models.interventions.encouragement import complier_effect, naive_effect
from retention_models.interventions.experiment import Experiment
from retention_models.interventions.lin import lin_differences
from retention_models.interventions.money import Money
from retention_models.interventions.payback import cost_per_kept, money_lines
from retention_models.interventions.rows import open_frame


def factors(campaign: Campaign) -> list[Effect]:
    """By what factor each arm multiplied each outcome; outcomes that are nothing in some arm are left out."""
    test = campaign.experiment
    positive = [name for name in campaign.table if (campaign.table[name] > 0).all()]
    return [row for outcome in campaign.outcomes if outcome.column in positive for row in lifts(test, outcome)]


def other_ways(campaign: Campaign) -> pd.DataFrame:
    """The main outcome compared by the plain means and, where something was known before, adjusted for it.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``arm`` and ``way``: ``estimate, lower, upper`` and ``std_error``.
    """
    outcome, test = campaign.main, campaign.experiment
    ways = {"means as they are": differences(test, replace(outcome, adjust_for=()))}
    if outcome.adjust_for:
        ways["adjusted (CUPED)"] = differences(test, outcome)
        if not campaign.roles.cluster:
            ways["adjusted (Lin, HC2)"] = lin_differences(test, outcome)
    numbers = ("estimate", "lower", "upper", "std_error")
    rows = {
        (effect.intervention, way): [getattr(effect, name) for name in numbers]
        for way, effects in ways.items()
        for effect in effects
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(numbers))
    table.index = pd.MultiIndex.from_tuples(rows, names=["arm", "way"])
    return table.sort_index(level="arm", sort_remaining=False)


def with_ceiling(campaign: Campaign, quantile: float = 0.999) -> list[Effect]:
    """The outcomes that are amounts or counts, cut at a quantile of all arms: whether the largest spenders decide.

    Outcomes that are yes or no, or that nobody has beyond the quantile, are left out.
    """
    test = campaign.experiment
    if test.rows is None or campaign.roles.cluster:
        return []
    columns = [outcome.column for outcome in campaign.outcomes if outcome.unit != "share of customers"]
    if not columns:
        return []
    cut = Experiment.from_rows(
        campaign.rows,
        test.plan,
        arm=campaign.roles.arm,
        outcomes=columns,
        block=campaign.roles.block,
        winsorise=dict.fromkeys(columns, quantile),
        customer_id=campaign.roles.customer_id or "",
    )
    measured = [outcome for outcome in campaign.outcomes if outcome.column in columns]
    return [row for outcome in measured for row in differences(cut, replace(outcome, adjust_for=()))]


def by_delivery(campaign: Campaign) -> list[Effect]:
    """Each arm as assigned, for those who received because of it, and naively: received against not received.

    Of the first outcome, unadjusted. Empty where nobody recorded who received; an arm that reached everyone, or nobody,
    has no naive row.
    """
    received = campaign.roles.received
    if received is None:
        return []
    outcome = replace(campaign.outcomes[0], adjust_for=())
    reached = _reached(campaign, received)
    found = []
    for effect in differences(campaign.experiment, outcome):
        arm = effect.intervention
        found.append(effect)
        if reached[arm] != reached[campaign.experiment.plan.control]:
            found.append(complier_effect(campaign.experiment, outcome, received=received, arm=arm))
        if 0 < reached[arm] < 1:
            rows = open_frame(campaign.rows).filter(nw.col(campaign.roles.arm).cast(nw.String) == arm)
            naive = naive_effect(rows.to_native(), outcome, received=received)
            found.append(replace(naive, intervention=f"{arm}, {naive.intervention}"))
    return found


def _reached(campaign: Campaign, received: str) -> pd.Series:
    return campaign.experiment.table()[received]


def money_by_arm(campaign: Campaign) -> pd.DataFrame | None:
    """Where the money of each arm went, per treated customer; None where no outcome has a price.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``arm`` and ``line`` (gross gain, contacts, redemptions, net value): ``amount, lower, upper``.
    """
    if campaign.priced is None or campaign.money is None:
        return None
    parts = {
        arm: money_lines(campaign.experiment, campaign.priced, campaign.money, arm=arm)
        for arm in campaign.experiment.arms[1:]
    }
    return pd.concat(parts, names=["arm"])


def costs_per_kept(campaign: Campaign) -> dict[str, str]:
    """What one more of the first outcome has cost in each arm, in words; empty where no cost was stated.

    An arm that cost no more than the control, or changed nothing at all, has no such cost, and says so.
    """
    if not campaign.costs:
        return {}
    return {arm: _cost_of(campaign, arm) for arm in campaign.experiment.arms[1:]}


def _cost_of(campaign: Campaign, arm: str) -> str:
    money, outcome = Money(worth=1.0, costs=campaign.costs), campaign.outcomes[0]
    try:
        sentence = cost_per_kept(campaign.experiment, outcome, money, arm=arm).sentence
    except ValueError as error:
        return f"{error}."
    return sentence.removeprefix(f"{arm}, {outcome.name}: ")
