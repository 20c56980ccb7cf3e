"""A campaign looked at while it grew: what a team that stops early would have seen, and the bound it has to cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.interventions.campaign import Campaign
from retention_models.interventions.comparisons import differences
from retention_models.interventions.experiment import Experiment
from retention_models.interventions.rows import open_frame
from retention_models.interventions.sequential import Look, look_at
from retention_models.logs.engines import collect

COLUMNS = ("look", "share", "arm", "difference", "difference_lower", "difference_upper", "z", "bound", "stop")


def looks(campaign: Campaign, count: int = 5) -> pd.DataFrame | None:
    """The first outcome at up to so many looks, as customers came in, and whether a bound was crossed.

    None where the time of assignment is unknown, or the same for all. Means are compared as they are; the bounds
    (O'Brien-Fleming-like spending) hold for each arm's comparison by itself.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``look``, ``share`` (of the customers) and ``arm``: ``difference`` with its repeated interval, which
        holds at every look; ``z`` and the ``bound`` it has to cross; ``stop``.
    """
    assigned = campaign.roles.assigned
    if assigned is None:
        return None
    moments = _moments(campaign.rows, assigned, count)
    if len(moments) < 2:
        return None
    rows = []
    for number in range(1, len(moments) + 1):
        last, share = moments.index[number - 1], float(moments.iloc[number - 1])
        for look in _looks_at(campaign, last, moments.iloc[:number].tolist()):
            effect = look.effect
            told = (number, share, effect.intervention, effect.estimate, effect.lower, effect.upper)
            rows.append((*told, look.z, look.bound, look.stop))
    return pd.DataFrame(rows, columns=list(COLUMNS)).set_index(["look", "share", "arm"])


def _moments(rows: Any, assigned: str, count: int) -> pd.Series:
    """The share of all customers who had come in by each of the moments to look at, by moment."""
    frame = open_frame(rows).select(nw.col(assigned).alias("moment"))
    sizes = collect(frame.group_by("moment").agg(nw.len().alias("n"))).set_index("moment")["n"].sort_index()
    shares = sizes.cumsum() / sizes.sum()
    wanted = [(number + 1) / count for number in range(count)]
    return shares.iloc[sorted({int(shares.searchsorted(share - 1e-9)) for share in wanted})]


def _looks_at(campaign: Campaign, last: Any, shares: Sequence[float]) -> list[Look]:
    """What each arm's comparison says of the customers who came in by ``last``."""
    roles, outcome = campaign.roles, replace(campaign.outcomes[0], adjust_for=())
    until = open_frame(campaign.rows).filter(nw.col(str(roles.assigned)) <= last)
    test = Experiment.from_rows(
        until.to_native(),
        campaign.experiment.plan,
        arm=roles.arm,
        outcomes=[outcome.column],
        cluster=roles.cluster,
        block=roles.block,
        customer_id="",
    )
    return [look_at(effect, shares) for effect in differences(test, outcome)]
