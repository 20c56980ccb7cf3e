"""Interim looks at a campaign while customers were assigned, with the bound for stopping early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.interventions.arms import contrasts
from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.campaign.read import Campaign
from retention_models.interventions.designs.arm_differences import contrast_effects
from retention_models.interventions.planning.sequential import Look, interim_look
from retention_models.tables.frames import as_lazy, collect

COLUMNS = ("difference", "difference_lower", "difference_upper", "z", "bound", "verdict")


def interim_looks(campaign: Campaign, count: int = 5) -> pd.DataFrame | None:
    """The effect on the first outcome at several interim looks, and whether it crossed the bound for stopping.

    Parameters
    ----------
    campaign
        The campaign that ``read_campaign`` returns.
    count
        Largest number of looks, 5 by default, at equal numbers of new customers.

    Returns
    -------
    pandas.DataFrame or None
        Indexed by ``look``, ``share`` (of the planned customers) and ``arm``. ``difference`` with its repeated
        confidence interval, which holds at every look; ``z`` and its ``bound``, missing (``<NA>``) where a look is not
        possible; ``verdict``: stop, go on, or the reason why a look is not possible. None if the time of assignment is
        unknown, or the same for all customers, and if customers were not assigned at random.

    Notes
    -----
    Means are compared without adjustment. The bounds (O'Brien-Fleming-like spending) hold for the comparison of each
    arm by itself. A look without an estimate, such as before the first event or before an arm began, spends no error.
    """
    assigned = campaign.roles.assigned
    if assigned is None or not campaign.experiment.plan.is_random:
        return None
    moments = _look_times(campaign, assigned, count)
    if len(moments) < 2:
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
    return table.astype(dict.fromkeys(["difference", "z", "bound"], "Float64"))


def _look_times(campaign: Campaign, assigned: str, count: int) -> pd.Series[float]:
    """The share of the planned customers who were assigned by each moment of a look."""
    frame = as_lazy(campaign.rows).select(nw.col(assigned).alias("moment"))
    sizes = collect(frame.group_by("moment").agg(nw.len().alias("n"))).set_index("moment")["n"].sort_index()
    customers = sizes.cumsum()
    wanted = [(number + 1) / count * sizes.sum() for number in range(count)]
    return customers.iloc[sorted({int(customers.searchsorted(n - 1e-6)) for n in wanted})] / campaign.planned_customers


def _experiment_at_look(campaign: Campaign, last: Any) -> Experiment | str:
    """The test of the customers assigned by ``last``, or the reason why there is none yet."""
    roles = campaign.roles
    until = as_lazy(campaign.rows).filter(nw.col(str(roles.assigned)) <= last)
    try:
        return Experiment.from_rows(
            until.to_native(),
            replace(campaign.experiment.plan, shares=None),
            arm=roles.arm,
            outcomes=[campaign.outcomes[0].column],
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
        raise ValueError(f"nobody was in {arm} yet")
    outcome = replace(campaign.outcomes[0], adjust_for=())
    weights = {arm: contrasts.difference(arm, test.plan.control)}
    return interim_look(contrast_effects(test, outcome, weights)[0], shares)


def _look_row(look: Look) -> tuple[Any, ...]:
    effect = look.effect
    verdict = "stop" if look.stop else "go on"
    return effect.estimate, effect.lower, effect.upper, look.z, look.bound, verdict
