"""What self-service changes for the subscribers who adopt it by their own choice.

Each of them has three futures: with self-service from the next renewal on; without it in this month, and with the
chance to adopt it later as other customers do; and without it.
"""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.scenario.churn_process import Rules, SimulatedSpells

RENEWALS = 12  # after the adoption
POLICIES = ["adopted", "adopting_later", "never"]


def adoption_survival(
    spells: SimulatedSpells,
    adopted: NDArray[np.int64],
    calendar: pd.DataFrame,
    rules: Rules,
    has_offer: NDArray[np.bool_],
    offered: range,
) -> pd.DataFrame:
    """Mean probability of those who adopted self-service to stay up to each renewal after it, by policy.

    Given the months and complaints of this simulation. ``has_offer`` says which spells have the retention offer, in the
    months ``offered``. Only adoptions with all renewals in the calendar count.
    """
    who = np.flatnonzero(adopted + RENEWALS < len(calendar))
    renewals = pd.RangeIndex(1, RENEWALS + 1, name="renewals")
    if not len(who):
        return pd.DataFrame(np.nan, renewals, POLICIES)
    theirs = replace(spells, **{field.name: getattr(spells, field.name)[who] for field in fields(spells)})
    every, kept = np.arange(len(who)), 1 - rules.self_service
    with_it, without, adopting_later, never = (
        np.ones(len(who)),
        np.ones(len(who)),
        np.zeros(len(who)),
        np.ones(len(who)),
    )
    rows = []
    intensity = _churn_intensity(theirs, calendar, rules, has_offer[who], offered)
    for renewal in renewals:
        month = adopted[who] + renewal
        churn = intensity[every, month]
        with_it, adopting_later = (active * np.exp(-kept * churn) for active in (with_it, adopting_later))
        without, never = (active * np.exp(-churn) for active in (without, never))
        rows.append([active.mean() for active in (with_it, without + adopting_later, never)])
        adopting = without * theirs.adoption_chance(month, rules)
        without, adopting_later = without - adopting, adopting_later + adopting
    return pd.DataFrame(rows, renewals, POLICIES)


def _churn_intensity(
    spells: SimulatedSpells, calendar: pd.DataFrame, rules: Rules, has_offer: NDArray[np.bool_], offered: range
) -> NDArray[np.float64]:
    """The intensity of churn for all causes together without self-service; shape (n, months)."""
    every, table = np.arange(len(spells.start)), np.zeros((len(spells.start), len(calendar)))
    for month in range(len(calendar)):
        plain, with_offer = (
            spells.intensities(every, month, calendar, rules, told).sum(axis=0) for told in (False, month in offered)
        )
        table[:, month] = np.where(has_offer, with_offer, plain)
    return table
