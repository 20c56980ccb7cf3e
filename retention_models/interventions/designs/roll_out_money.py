"""Money of a roll-out: gain, running cost, discounts and rewards per unit and period, and cost per additional buyer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import pandas as pd

from retention_models.core.arguments import is_number, require_number
from retention_models.interventions.arms.cost_breakdown import CostPerRetained, cost_in_words
from retention_models.interventions.designs.roll_out_panel import Panel
from retention_models.interventions.effects.derived_laws import Law, Linear
from retention_models.value.terms import Terms

Spent: TypeAlias = float | str  # an amount per unit and period, or a column of the panel


def gain_of(terms: Terms) -> float:
    """Money for one more unit of the outcome: price times margin, each 1 where it is not stated.

    Raises
    ------
    ValueError
        When the terms have neither margin nor price.
    """
    if terms.price is None and terms.margin is None:
        raise ValueError("terms must have a margin, for an amount, or a price, for a count")
    return terms.unit_value


def costs_of(panel: Panel, stated: Mapping[str, Spent]) -> dict[str, float]:
    """Each cost per treated unit and period: an amount as stated, a column by its mean since launch.

    Raises
    ------
    ValueError
        When an amount is below 0, or a column was not read with the panel.
    """
    found = {}
    for name, spent in stated.items():
        if isinstance(spent, str):
            found[name] = mean_since_launch(panel, spent, name)
        elif not is_number(spent) or spent < 0:
            raise ValueError(f"{name} must be an amount of 0 or more, or a column of the panel; got {spent!r}")
        else:
            found[name] = float(spent)
    return found


def mean_since_launch(panel: Panel, column: str, name: str) -> float:
    """The mean of a column in the periods since launch, by unit and then over the treated units."""
    if column not in panel.amounts:
        known = ", ".join(panel.amounts) or "none"
        raise ValueError(
            f"{name} names {column!r}, which was not read with the panel (read: {known}): state "
            f"difference_in_differences(..., amounts=[{column!r}])"
        )
    values = panel.amounts[column]
    of_units = [values[unit, first:].mean() for unit, first in enumerate(panel.first) if first < values.shape[1]]
    return float(sum(of_units) / len(of_units))


def breakdown(
    law: Law, price: float, costs: Mapping[str, float], redemptions: float | None, level: float, uses: float | None
) -> pd.DataFrame:
    """Gain, costs and net value per unit and period, and of a year at full reach.

    ``law`` is that of the outcome per unit and period, ``redemptions`` the number of discounted orders in it.
    """
    lines: dict[str, tuple[float, float]] = {"gross gain": (price, 0.0)}  # slope on the effect, and shift
    lines |= {name.replace("_", " "): (0.0, -spent) for name, spent in costs.items()}
    if redemptions is not None:
        spent = costs["discounts"]
        lines["subsidised purchases"] = (spent / redemptions, -spent)
    lines["net value"] = (price, -sum(costs.values()))
    order = ["gross gain", "running cost", "discounts", "subsidised purchases", "rewards", "net value"]
    rows = {}
    for line in (line for line in order if line in lines):
        own = Linear(law, *lines[line])
        rows[line] = (own.estimate, *own.ends(1 - level))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["amount", "lower", "upper"]).rename_axis("line")
    if uses is not None:
        table = table.join((table * uses).add_prefix("a_year_").rename(columns={"a_year_amount": "a_year"}))
    return table


def per_additional(
    law: Law, spent: float, level: float, currency: str, outcome: str, *, lower_is_better: bool
) -> CostPerRetained:
    """The cost of one more unit of the outcome: a known cost divided by an effect.

    Raises
    ------
    ValueError
        When nothing is spent, or the effect is exactly 0.
    """
    require_number("the cost per unit and period", spent, 0)
    estimate, (lower, upper) = law.estimate, law.ends(1 - level)
    if spent == 0 or estimate == 0:
        raise ValueError(
            f"the programme cost {spent:g} and changed the outcome by {estimate:g} per unit and period: there is no "
            "cost of an additional one"
        )
    if lower > 0 or upper < 0:
        ends = (spent / estimate, spent / upper, spent / lower)
    else:
        ends = (spent / estimate if estimate > 0 else math.inf, spent / upper if upper > 0 else math.inf, math.inf)
    found = CostPerRetained(*ends, level, "", (), currency)
    return replace(found, sentence=f"{outcome}: {cost_in_words(found, lower_is_better=lower_is_better)}")
