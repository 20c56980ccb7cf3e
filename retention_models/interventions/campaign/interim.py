"""The planned looks at a campaign while customers were assigned, with the bound for stopping early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import outcome_pricing
from retention_models.interventions.campaign.read import Campaign
from retention_models.interventions.designs.arm_differences import contrast_effects, differences
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.planning.sequential import Look, interim_look
from retention_models.tables.frames import as_lazy, collect

COLUMNS = ("effect", "effect_lower", "effect_upper", "z", "bound", "verdict")


def interim_looks(campaign: Campaign) -> pd.DataFrame | None:
    """The effect at each planned look, and whether it crossed the bound for stopping.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by ``look``, ``share`` (of the planned customers) and ``arm``. ``effect`` on the outcome that decides,
        in money per treated customer if it has a price, with its repeated confidence interval, which holds at every
        look and for all arms together; ``z`` and its ``bound``, missing (``<NA>``) where a look is not possible;
        ``verdict``: stop, go on, or the reason why a look is not possible. The looks are those of the plan that have
        been reached, and the end. None if no look was planned or reached, the time of assignment is unknown, customers
        have contracts, or they were not assigned at random.

    Notes
    -----
    Means are compared without adjustment. The error of each arm is corrected for the number of arms (Bonferroni) and
    spent over its looks (O'Brien-Fleming-like). A look without an estimate, such as before the first amount or before
    an arm began, spends no error.
    """
    if not has_planned_looks(campaign):
        return None
    moments = _look_times(campaign, (*campaign.experiment.plan.looks, 1.0))
    if moments.empty:
        return None
    rows: dict[tuple[int, float, str], tuple[Any, ...]] = {}
    judged: dict[str, list[float]] = {arm: [] for arm in campaign.experiment.arms[1:]}
    for number, (last, share) in enumerate(moments.items(), start=1):
        test = _experiment_at_look(campaign, last)
        for arm, before in judged.items():
            try:
                rows[number, share, arm] = _look_row(_look(campaign, test, arm, [*before, share]))
            except ValueError as error:
                rows[number, share, arm] = (None, -math.inf, math.inf, None, None, f"cannot be judged: {error}")
            else:
                before.append(share)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))
    table.index = pd.MultiIndex.from_tuples(rows, names=["look", "share", "arm"])
    return table.astype(dict.fromkeys(["effect", "z", "bound"], "Float64"))


def deciding_effects(campaign: Campaign, level: float) -> list[Effect]:
    """The effect of each arm on the outcome that decides; intervals hold at all planned looks, if there are any."""
    effects = differences(campaign.experiment, campaign.main_outcome, level=level, **campaign.money)
    if not has_planned_looks(campaign):
        return effects
    so_far = campaign.experiment.n(*campaign.experiment.arms) / campaign.planned_customers
    before = [share for share in _look_times(campaign, campaign.experiment.plan.looks) if share < so_far]
    return [interim_look(effect, [*before, so_far]).effect for effect in effects]


def has_planned_looks(campaign: Campaign) -> bool:
    """Whether looks before the end were planned, and can be taken."""
    plan = campaign.experiment.plan
    return bool(plan.looks) and plan.is_random and campaign.roles.assigned is not None and campaign.contracts is None


def _look_times(campaign: Campaign, shares: Sequence[float]) -> pd.Series[float]:
    """The share of the planned customers who were assigned by each moment of a look that has been reached."""
    frame = as_lazy(campaign.rows).select(nw.col(str(campaign.roles.assigned)).alias("moment"))
    sizes = collect(frame.group_by("moment").agg(nw.len().alias("n"))).set_index("moment")["n"].sort_index()
    customers = sizes.cumsum()
    wanted = [share * campaign.planned_customers for share in dict.fromkeys(shares)]
    reached = [n for n in wanted if n <= sizes.sum() + 1e-6]
    return customers.iloc[sorted({int(customers.searchsorted(n - 1e-6)) for n in reached})] / campaign.planned_customers


def _experiment_at_look(campaign: Campaign, last: Any) -> Experiment | str:
    """The test of the customers assigned by ``last``, or the reason why there is none yet."""
    roles = campaign.roles
    until = as_lazy(campaign.rows).filter(nw.col(str(roles.assigned)) <= last)
    try:
        return Experiment.from_rows(
            until.to_native(),
            replace(campaign.experiment.plan, shares=None),
            arm=roles.arm,
            outcomes=[campaign.main_outcome.column, *_columns_of_costs(campaign)],
            cluster=roles.cluster,
            block=roles.block,
            customer_id=None,
        )
    except ValueError as error:
        return str(error)


def _look(campaign: Campaign, test: Experiment | str, arm: str, shares: Sequence[float]) -> Look:
    """The look at an arm's comparison; a ValueError where it is not possible."""
    if isinstance(test, str):
        raise ValueError(test)
    if arm not in test.arms:
        raise ValueError(f"no customer was in {arm} yet")
    outcome = replace(campaign.main_outcome, adjust_for=())
    weights = {arm: contrasts.difference(arm, test.plan.control)}
    here = {name: costs for name, costs in campaign.costs.items() if name in test.arms}
    money = outcome_pricing(test, outcome, campaign.terms, here)
    level = 1 - (1 - campaign.level) / len(campaign.experiment.arms[1:])
    return interim_look(contrast_effects(test, outcome, weights, money, level=level)[0], shares)


def _columns_of_costs(campaign: Campaign) -> list[str]:
    """The columns that the costs count, other than the outcome."""
    counted = [name for costs in campaign.costs.values() for name in (costs.contacts, costs.redemptions) if name]
    return [name for name in dict.fromkeys(counted) if name != campaign.main_outcome.column]


def _look_row(look: Look) -> tuple[Any, ...]:
    """The effect of a look, or its value where there is one, against the bound for it."""
    effect = look.effect
    if effect.priced is None or effect.value_law is None:
        return effect.estimate, effect.lower, effect.upper, look.z, look.bound, "stop" if look.stop else "go on"
    value, lower, upper = effect.priced
    error = effect.value_law.std_error
    z, bound = (distance / error if error > 0 else math.inf for distance in (value, upper - value))
    return value, lower, upper, z, bound, "go on" if lower <= 0 <= upper else "stop"
