"""What there is to ask of a campaign: other ways to compare its arms, who received it, where the money went."""

from __future__ import annotations

from dataclasses import replace

import narwhals as nw
import pandas as pd

from retention_models.checks import Check
from retention_models.interventions.campaign import Campaign
from retention_models.interventions.comparisons import differences, lifts
from retention_models.interventions.effect import Effect
from retention_models.interventions.encouragement import complier_effect, naive_effect
from retention_models.interventions.experiment import Experiment
from retention_models.interventions.lin import lin_differences
from retention_models.interventions.money import Money
from retention_models.interventions.outcome import Outcome
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
        Indexed by ``arm`` and ``way``: ``difference, difference_lower, difference_upper`` and ``std_error``.
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
    columns = ["difference", "difference_lower", "difference_upper", "std_error"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(rows, names=["arm", "way"])
    return table.sort_index(level="arm", sort_remaining=False)


def with_ceiling(campaign: Campaign, quantile: float = 0.999) -> Experiment | None:
    """The campaign's test with amounts and counts cut at a quantile of all arms together.

    None where every outcome is yes or no, or where clusters were assigned.
    """
    columns = [outcome.column for outcome in campaign.outcomes if outcome.unit != "share of customers"]
    if not columns or campaign.roles.cluster:
        return None
    return Experiment.from_rows(
        campaign.rows,
        campaign.experiment.plan,
        arm=campaign.roles.arm,
        outcomes=columns,
        block=campaign.roles.block,
        winsorise=dict.fromkeys(columns, quantile),
        customer_id="",
    )


def ceiling_table(campaign: Campaign, cut: Experiment) -> pd.DataFrame:
    """Differences with a ceiling beside those without: whether a few large spenders decide.

    Parameters
    ----------
    campaign
        From :func:`retention_models.interventions.campaign.read_campaign`.
    cut
        From :func:`with_ceiling`.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``outcome`` and ``arm``: ``with_ceiling`` and its interval, ``without``, and ``same_story``, whether
        that lies within the interval.
    """
    rows = {}
    for outcome in (replace(found, adjust_for=()) for found in campaign.outcomes if found.column in cut.ceilings):
        plain = differences(campaign.experiment, outcome)
        for effect, uncut in zip(differences(cut, outcome), plain, strict=True):
            same = effect.lower <= uncut.estimate <= effect.upper
            rows[outcome.name, effect.intervention] = (
                *(effect.estimate, effect.lower, effect.upper),
                uncut.estimate,
                same,
            )
    columns = ["with_ceiling", "with_ceiling_lower", "with_ceiling_upper", "without", "same_story"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(rows, names=["outcome", "arm"])
    return table


def ceiling_check(table: pd.DataFrame) -> Check:
    """Whether the differences stay what they are without the largest spenders; ``table`` of :func:`ceiling_table`."""
    other = [" of ".join(reversed(names)) for names in table.index[~table["same_story"]]]
    verdict = f"{', '.join(other)} hang on the largest spenders" if other else "no difference hangs on a few customers"
    return Check("ceiling", not other, f"Against the same with a ceiling, {verdict}.")


def by_delivery(campaign: Campaign) -> list[Effect]:
    """Each arm as assigned, for those who received because of it, and naively: received against not received.

    Of the first outcome. Empty where nobody recorded who received; an arm that reached everyone, or nobody, has no
    naive row.
    """
    received = campaign.roles.received
    if received is None:
        return []
    outcome = campaign.outcomes[0]
    reached = campaign.experiment.table()[received]
    found = []
    for effect in differences(campaign.experiment, outcome):
        arm = effect.intervention
        found.append(effect)
        if reached[arm] != reached[campaign.experiment.plan.control]:
            found.append(complier_effect(campaign.experiment, outcome, received=received, arm=arm))
        if 0 < reached[arm] < 1:
            rows = open_frame(campaign.rows).filter(nw.col(campaign.roles.arm).cast(nw.String) == arm)
            naive = naive_effect(rows.to_native(), replace(outcome, adjust_for=()), received=received)
            found.append(replace(naive, intervention=f"{arm}, {naive.intervention}"))
    return found


def money_by_arm(campaign: Campaign) -> pd.DataFrame | None:
    """Where the money of each arm went, per treated customer; None where no outcome has a price.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``arm`` and ``line`` (gross gain, contacts, redemptions, net value): ``amount`` and its interval.
    """
    if campaign.priced is None or campaign.money is None:
        return None
    parts = {
        arm: money_lines(campaign.experiment, campaign.priced, campaign.money, arm=arm)
        for arm in campaign.experiment.arms[1:]
    }
    table = pd.concat(parts, names=["arm"])
    return table[(table != 0).any(axis=1)].rename(columns={"lower": "amount_lower", "upper": "amount_upper"})


def kept_outcome(campaign: Campaign) -> Outcome:
    """What counts as kept: the first outcome."""
    return campaign.outcomes[0]


def costs_per_kept(campaign: Campaign, *, level: float = 0.95) -> dict[str, str]:
    """What one more customer (or purchase) has cost in each arm, in words, by arm.

    Empty where no cost was stated, or nothing but an amount was measured. An arm that cost no more than the control, or
    changed nothing at all, has no such cost, and says so.
    """
    if not campaign.costs or campaign.outcomes[0].column == campaign.roles.amount:
        return {}
    return {arm: _cost_of(campaign, arm, level) for arm in campaign.experiment.arms[1:]}


def _cost_of(campaign: Campaign, arm: str, level: float) -> str:
    money, outcome = Money(worth=1.0, costs=campaign.costs), kept_outcome(campaign)
    try:
        sentence = cost_per_kept(campaign.experiment, outcome, money, arm=arm, level=level).sentence
    except ValueError as error:
        return f"{error}."
    return sentence.removeprefix(f"{arm}, {outcome.name}: ")
