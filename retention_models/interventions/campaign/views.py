"""Views of a campaign: other methods of comparison, delivery, ceilings, and the breakdown of costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import require_discount_rate, require_number
from retention_models.core.check import Check
from retention_models.core.dates import MEAN_DAYS, unit_days
from retention_models.estimation.model import Model
from retention_models.estimation.newton import ConvergenceError
from retention_models.fitting.estimate import fit
from retention_models.interventions.arms.cost_breakdown import (
    cost_breakdown,
    cost_in_words,
    cost_per_retained,
    counted_by,
)
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.experiment_checks import is_constant
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.campaign.read import Campaign
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.designs.contract_arms import ContractExperiment
from retention_models.interventions.designs.contracts import incremental_value
from retention_models.interventions.designs.encouragement import as_treated_difference, complier_effect
from retention_models.interventions.effects.effect import CEILING, Effect
from retention_models.interventions.outcomes.model_check import purchase_model_check
from retention_models.survival.sbg import ShiftedBetaGeometric
from retention_models.tables.days import Period
from retention_models.tables.frames import as_lazy, collect
from retention_models.value.contracts import discounted_residual_lifetime
from retention_models.value.terms import Terms


def relative_lifts(campaign: Campaign) -> list[Effect]:
    """Ratio of each arm to the control in each outcome; outcomes of 0 in some arm, or alike for all, are left out.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.

    Returns
    -------
    list of Effect
        On the scale ``"ratio"``: 1.10 is a lift of 10 %.
    """
    test = campaign.experiment
    positive = [name for name in campaign.table if (campaign.table[name] > 0).all()]
    return [
        row
        for outcome in campaign.outcomes
        if outcome.column in positive and not is_constant(test.cells, test.columns.index(outcome.column))
        for row in differences(test, outcome, scale="ratio", level=campaign.level)
    ]


def difference_by_method(campaign: Campaign) -> pd.DataFrame:
    """The effect on the main outcome by plain means and, with covariates, adjusted for them.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``arm`` and ``way``: ``difference, difference_lower, difference_upper`` and ``std_error``, in the
        unit of the outcome.
    """
    outcome, test = campaign.main_outcome, campaign.experiment
    ways = {"means as they are": differences(test, replace(outcome, adjust_for=()), level=campaign.level)}
    if outcome.adjust_for:
        ways["adjusted (CUPED)"] = differences(test, outcome, level=campaign.level)
        if test.rows is not None and not test.rows.clustered:
            ways["adjusted (Lin, HC2)"] = differences(test, outcome, adjustment="Lin", level=campaign.level)
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

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    quantile
        The quantile, 0.999 by default. If it is 0 because few customers have a value, that of customers above 0 is
        used.

    Returns
    -------
    Experiment or None
        None if every outcome is binary, clusters were assigned, or customers have contracts.
    """
    columns = [outcome.column for outcome in campaign.outcomes if outcome.column not in campaign.binary]
    if not columns or campaign.roles.cluster or campaign.contracts:
        return None
    require_number("quantile", quantile, 0.5, 1, inside=True)
    ceilings = _ceilings(campaign, columns, quantile)
    if not any(ceilings.values()):
        return None
    return Experiment.from_rows(
        campaign.rows,
        campaign.experiment.plan,
        arm=campaign.roles.arm,
        outcomes=columns,
        block=campaign.roles.block,
        customer_id=None,
        joined=campaign.roles.assigned,
        winsorise=ceilings["winsorise"],
        caps=ceilings["caps"],
    )


def _ceilings(campaign: Campaign, columns: Sequence[str], quantile: float) -> dict[str, dict[str, float]]:
    """The rule for each column: the quantile of all customers, or of those above 0 where that is 0."""
    rows = as_lazy(campaign.rows).select(*(nw.col(name) for name in columns))
    of_all = collect(rows.select(*(nw.col(name).quantile(quantile, "linear") for name in columns))).iloc[0]
    rules: dict[str, dict[str, float]] = {"winsorise": {}, "caps": {}}
    for name in columns:
        if of_all[name] > 0:
            rules["winsorise"][name] = quantile
            continue
        some = rows.filter(nw.col(name) > 0).select(nw.col(name).quantile(quantile, "linear"))
        top = collect(some)[name].dropna()
        if len(top):
            rules["caps"][name] = float(top.iloc[0])
    return rules


def ceiling_table(campaign: Campaign, cut: Experiment) -> pd.DataFrame:
    """Differences with and without a ceiling, to see whether a few large buyers decide the result.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    cut
        The test that ``with_ceiling`` returns.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``outcome`` and ``arm``: ``with_ceiling`` and its interval, ``without``, and ``same_story``, whether
        the difference without a ceiling lies within that interval.
    """
    rows = {}
    for outcome in (replace(found, adjust_for=()) for found in campaign.outcomes if found.column in cut.ceilings):
        plain = differences(campaign.experiment, outcome, level=campaign.level)
        for effect, uncut in zip(differences(cut, outcome, level=campaign.level), plain, strict=True):
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
    """Check that the differences do not depend on the largest buyers.

    Parameters
    ----------
    table
        The table that ``ceiling_table`` returns.

    Returns
    -------
    Check
        Fails if a difference without a ceiling lies outside the interval with a ceiling.
    """
    other = [" of ".join(reversed(names)) for names in table.index[~table["same_story"]]]
    depend = f"These differences depend on the largest spenders: {', '.join(other)}."
    return Check(
        CEILING,
        not other,
        size=float(len(other)),
        limit=0.0,
        unit="differences",
        detail=depend if other else "With a ceiling on amounts, the differences are about the same.",
        remedy="Decide by the differences with a ceiling.",
        decides=False,
    )


def effects_by_delivery(campaign: Campaign) -> list[Effect]:
    """Effect on the first outcome as assigned, on compliers, and as treated (received against not received).

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.

    Returns
    -------
    list of Effect
        Empty if the rows do not say who received the offer. An arm that reached everyone or nobody has no as-treated
        row. If there are too few customers for one, a check of the arm's effect says so.
    """
    received = campaign.roles.received
    if received is None:
        return []
    outcome = campaign.outcomes[0]
    reached = campaign.experiment.table()[received]
    found = []
    for effect in differences(campaign.experiment, outcome, level=campaign.level):
        arm = effect.intervention
        reached_some = 0 < reached[arm] < 1 and campaign.contracts is None
        naive = _as_treated_comparison(campaign, outcome, arm, received) if reached_some else None
        found.append(replace(effect, checks=(*effect.checks, naive)) if isinstance(naive, Check) else effect)
        if reached[arm] != reached[campaign.experiment.plan.control]:
            found.append(complier_effect(campaign.experiment, outcome, received=received, arm=arm))
        if isinstance(naive, Effect):
            found.append(naive)
    return found


def _as_treated_comparison(campaign: Campaign, outcome: Outcome, arm: str, received: str) -> Effect | Check:
    """The as-treated comparison within an arm, or the reason why there is none."""
    rows = as_lazy(campaign.rows).filter(nw.col(campaign.roles.arm) == arm)
    try:
        effect = as_treated_difference(rows.to_native(), replace(outcome, adjust_for=()), received=received)
    except ValueError as error:
        return Check(
            "As-treated comparison", None, decides=False, detail=f"There is no such comparison within {arm}: {error}."
        )
    return replace(effect, intervention=f"{arm}, {effect.intervention}")


def cost_breakdown_by_arm(campaign: Campaign) -> pd.DataFrame | None:
    """The breakdown of cost and value for each arm, per treated customer.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by ``arm`` and ``line``: ``amount`` in money and its interval ``amount_lower, amount_upper``. Gross
        gain, contacts and redemptions add up to the net value. ``subsidised purchases`` is the part of the redemptions
        for purchases that would have happened without the offer; it needs an outcome that counts purchases. None if no
        outcome has a price.
    """
    if campaign.priced is None:
        return None
    parts = {
        arm: cost_breakdown(
            campaign.experiment,
            campaign.priced,
            arm=arm,
            purchases=_redeemable_outcome(campaign, arm),
            **campaign.money,
        )
        for arm in campaign.experiment.arms[1:]
    }
    table = pd.concat(parts, names=["arm"])
    table = table[(table != 0).any(axis=1)].rename(columns={"lower": "amount_lower", "upper": "amount_upper"})
    table.attrs["currency"] = campaign.currency
    return table


def contract_values(campaign: Campaign, *, annual_discount_rate: float = 0.1) -> pd.DataFrame | None:
    """Incremental value of each arm among customers with contracts: up to the horizon, and apart from it the tail.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    annual_discount_rate
        Discount rate a year as a share, 0.1 by default.

    Returns
    -------
    pandas.DataFrame or None
        As ``incremental_value`` returns it, in money per treated customer. The tail is extrapolated: a shifted
        beta-geometric model is fitted to the control, and customers whom the arm retained are assumed to stay as long
        as others. There is no tail if tenures are not whole periods or the model does not fit. None without contracts
        or without a price.

    Raises
    ------
    ValueError
        When the discount rate is not a share.
    """
    test, horizon, time_unit = campaign.contracts, campaign.outcomes[0].horizon, campaign.outcomes[0].time_unit
    if test is None or campaign.priced is None or campaign.terms is None or horizon is None or time_unit is None:
        return None
    require_discount_rate(annual_discount_rate)
    years = unit_days(time_unit) / MEAN_DAYS["Y"]
    return incremental_value(
        test,
        campaign.terms,
        costs=campaign.costs,
        horizon=horizon,
        rate=math.log1p(annual_discount_rate) * years,
        residual_lifetime=_residual_lifetime(test, horizon, time_unit, annual_discount_rate),
        level=campaign.level,
    )


BILLING_PERIODS: dict[str, Period] = {"M": "M", "Y": "Y", "W": 7, "D": 1}


def _residual_lifetime(test: ContractExperiment, horizon: float, time_unit: str, rate: float) -> float | None:
    """Expected discounted periods after the horizon of a customer of the control who is there; None if not known."""
    curve = test.curves[test.plan.control]
    whole = float(horizon).is_integer() and bool((curve.tenure == np.floor(curve.tenure)).all()) and curve.tenure[0] > 0
    if not whole or time_unit not in BILLING_PERIODS:
        return None
    table = pd.DataFrame({"tenure": curve.tenure, "at_risk": curve.at_risk, "lost": curve.lost})
    try:
        model = fit(ShiftedBetaGeometric, table).model
    except (ValueError, ConvergenceError):  # nobody left, or all at once
        return None
    terms = Terms(annual_discount_rate=rate, billing_period=BILLING_PERIODS[time_unit])
    payments = int(horizon) + 1  # the one at the start is the first
    return float(discounted_residual_lifetime(model, [payments], terms, moment="after_payment")[0])


def _redeemable_outcome(campaign: Campaign, arm: str) -> str | None:
    """The outcome that counts the purchases of an arm's offer; None without redemptions."""
    redeemed = campaign.costs[arm].redemptions if arm in campaign.costs else None
    if redeemed is None or campaign.contracts or campaign.experiment.table().loc[arm, redeemed] == 0:
        return None
    amount = campaign.roles.amount
    counts = [o.column for o in campaign.outcomes if o.column not in campaign.binary and o.column != amount]
    return counts[0] if counts else None


def cost_outcome(campaign: Campaign) -> Outcome:
    """The outcome for the cost per additional unit: the first."""
    return campaign.outcomes[0]


def costs_per_retained(campaign: Campaign, *, level: float = 0.95) -> dict[str, str]:
    """Cost per additional customer (or purchase) in each arm, in words.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    dict
        Arm to its sentence. Empty if no cost is stated, or the first outcome is an amount. For an arm that costs no
        more than the control, or has no effect, the sentence says so.
    """
    if not campaign.costs or campaign.outcomes[0].column == campaign.roles.amount:
        return {}
    return {arm: _arm_cost_sentence(campaign, arm, level) for arm in campaign.experiment.arms[1:]}


def _arm_cost_sentence(campaign: Campaign, arm: str, level: float) -> str:
    outcome, test = cost_outcome(campaign), campaign.experiment
    is_less = outcome.column in campaign.roles.lower_outcomes
    try:
        mirrored = _reverse_outcome(test, outcome) if is_less else test
        found = cost_per_retained(mirrored, outcome, campaign.costs, arm=arm, currency=campaign.currency, level=level)
    except ValueError as error:
        return f"{error}."
    return cost_in_words(found, what=counted_by(outcome.unit), lower_is_better=is_less)


def _reverse_outcome(test: Experiment, outcome: Outcome) -> Experiment:
    """The test with the sign of one outcome reversed."""
    sign = np.where(np.array(test.columns) == outcome.column, -1.0, 1.0)
    cells = (replace(c, mean=sign * c.mean, covariance=np.outer(sign, sign) * c.covariance) for c in test.cells)
    return replace(test, cells=tuple(cells))


def purchase_models(campaign: Campaign, model_class: type[Model]) -> list[Check]:
    """Checks of a purchase model, fitted to each arm since the assignment, against the observed difference.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    model_class
        A purchase model, such as ``ParetoNBD``.

    Returns
    -------
    list of Check
        One for each treated arm. Empty unless the rows are those of ``purchase_outcomes`` with the outcome
        ``purchases``. If the model cannot be fitted, such as with purchases on the day of the assignment, the check
        says why.
    """
    measured = [outcome for outcome in campaign.outcomes if outcome.column == "purchases"]
    rows = as_lazy(campaign.rows)
    if not measured or not {"days_to_last", "days_to_next"} <= set(rows.collect_schema().names()):
        return []
    window = collect(rows.select(nw.col("days_to_next").max()))["days_to_next"].iloc[0]
    control, arm = campaign.experiment.plan.control, campaign.roles.arm
    checks = []
    for effect in differences(campaign.experiment, replace(measured[0], adjust_for=()), level=campaign.level):
        treated = effect.intervention
        try:
            check = purchase_model_check(
                effect,
                model_class,
                rows.to_native(),
                arm=arm,
                treated=treated,
                control=control,
                horizon_days=int(window),
            )
        except ValueError as error:
            check = Check(
                "Purchase model", None, detail=f"{model_class.__name__} cannot be fitted to the arms: {error}."
            )
        checks.append(replace(check, detail=f"{treated}: {check.detail}"))
    return checks
