"""The evidence on efforts as tables: every piece, the values shrunk within kinds, and the rows of a budget."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.sensitivity import sensitivity_sentence
from retention_models.interventions.efforts.effort_file import DAYS
from retention_models.interventions.efforts.effort_state import Effort, Finding, uses_of
from retention_models.interventions.efforts.kind_shrinkage import shrink_by_kind

ANNUAL = ("annual_value", "annual_value_lower", "annual_value_upper")
VALUE = ("value", "value_lower", "value_upper")
NUMBERS = (*VALUE, *ANNUAL, "cost_per_year", "heterogeneity")
UNMEASURED = "unmeasured"


def effort_of(row: Mapping[Any, Any]) -> Effort:
    """The row of a register as a record; missing numbers and days are None."""
    texts = ("kind", "owner", "population", "evidence")
    numbers = ("reach", "contacts", "fixed_cost", "cost_per_contact", "cost_per_year")
    known: dict[str, Any] = {name: row[name] for name in texts}
    known |= {name: None if math.isnan(row[name]) else float(row[name]) for name in numbers}
    known |= {name: None if pd.isna(row[name]) else row[name].date() for name in DAYS}
    return Effort(name=row["effort"], **known)


def evidence_rows(effort: Effort, found: Finding, level: float) -> list[dict[str, Any]]:
    """One row a piece of evidence, one more where they are pooled, and one where there is none."""
    row: dict[str, Any] = {"effort": effort.name, "kind": effort.kind, "state": found.state}
    row |= {"data": "", "measured_on": "", "design": "", "n": pd.NA, **dict.fromkeys(NUMBERS, pd.NA), "overturn": ""}
    row["cost_per_year"] = pd.NA if effort.cost_per_year is None else effort.cost_per_year
    rows = [row | _piece_row(effort, piece.main, level) | {"data": piece.data} for piece in found.pieces]
    if found.pooled is not None:
        law = found.pooled.law
        numbers = (law.estimate, *law.interval(level), *(found.money or (pd.NA,) * 3), found.pooled.spread)
        pooled = dict(zip((*VALUE, *ANNUAL, "heterogeneity"), numbers, strict=True))
        rows.append(row | pooled | {"data": f"pooled ({law.df + 1:g})", "design": found.design})
    return rows or [row]


def evidence_frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of evidence as a frame."""
    return pd.DataFrame(rows).astype(dict.fromkeys(NUMBERS, "Float64") | {"n": "Int64"})


def _piece_row(effort: Effort, effect: Effect, level: float) -> dict[str, Any]:
    row = {"measured_on": str(effect.measured_on or ""), "design": effect.design, "n": effect.n}
    row["overturn"] = sensitivity_sentence(effect)
    interval = effect.value_interval(level)
    if effect.value is None or interval is None:
        return row
    values = (effect.value, *interval)
    if not all(map(math.isfinite, interval)):
        return row | {"value": effect.value}
    row |= dict(zip(VALUE, values, strict=True))
    uses = uses_of(effort, effect)
    if uses is None or effect.design == "observational":
        return row
    return row | {name: uses * value - (effort.fixed_cost or 0.0) for name, value in zip(ANNUAL, values, strict=True)}


def shrunken_values(efforts: Sequence[tuple[Effort, Finding]], level: float) -> pd.DataFrame:
    """The value of efforts with evidence that may decide, shrunk in units of the cost of a treated customer."""
    ranked = [(effort, found, found.law) for effort, found in efforts if found.law is not None and found.may_rank]
    known = [
        (effort, found, law, cost) for effort, found, law in ranked if (cost := contact_cost(effort, found) or 0) > 0
    ]
    y = np.array([law.estimate / cost for _, _, law, cost in known])
    s = np.array([law.std_error / cost for _, _, law, cost in known])
    kinds = [effort.kind for effort, *_ in known]
    names = [effort.name for effort, *_ in known]
    table = shrink_by_kind(y, s, kinds, level).set_index(pd.Index(names, name="effort", dtype=object))
    table.insert(0, "kind", kinds)
    table.insert(2, "return", y)
    uses = np.array([np.nan if found.uses is None else found.uses for _, found, _, _ in known])
    costs = np.array([cost for *_, cost in known])
    fixed = np.array([effort.fixed_cost or 0.0 for effort, *_ in known])
    annual = {"annual_value": "return"} | {
        f"annual_{name}": name for name in ("shrunk", "shrunk_lower", "shrunk_upper")
    }
    for column, name in annual.items():
        table[column] = pd.array(uses * costs * table[name].to_numpy() - fixed, dtype="Float64")
    table.attrs["without_cost"] = [effort.name for effort, *_ in ranked if effort.name not in names]
    return table


def contact_cost(effort: Effort, found: Finding) -> float | None:
    """What a treated customer costs: as the register says, otherwise as measured; None if nothing is stated.

    What is spent today is known by the register, so that both are counted alike. An effect on stores, regions or teams
    has the cost of one of these.
    """
    measured = found.main.cost if found.main else None
    on_units = found.main is not None and found.main.panel_unit
    return measured if effort.cost_per_contact is None or on_units else effort.cost_per_contact


def _cost_to_budget(cost: float | None, effort: Effort) -> float | None:
    """Cost of a treatment as a budget pays it: a treatment that costs less than the baseline needs no money."""
    if cost is None:
        return None if effort.fixed_cost is None else 0.0
    return max(cost, 0.0)


def offer_rows(efforts: Sequence[tuple[Effort, Finding]], as_of: dt.date) -> pd.DataFrame:
    """The rows that a budget is allocated to; those without a cost or reach are named in ``attrs``."""
    rows = []
    for effort, found in efforts:
        contacts = effort.reach if effort.contacts is None else effort.contacts
        if found.main is not None and found.main.panel_unit:
            contacts = None  # of customers, not of stores, regions or teams
        cost = contact_cost(effort, found)
        law = found.law if found.may_rank else None
        rows.append(
            {
                "effort": effort.name,
                "kind": effort.kind,
                "owner": effort.owner,
                "cost": _cost_to_budget(cost, effort),
                "fixed_cost": effort.fixed_cost or 0.0,
                "reach": contacts if found.uses is None else found.uses,
                "value": None if law is None else law.estimate,
                "std_error": None if law is None else law.std_error,
                "cost_now": (effort.cost_per_year or 0.0) if effort.runs_on(as_of) else 0.0,
                "design": UNMEASURED if found.state in ("unmeasured", "stale") else found.design,
            }
        )
    table = pd.DataFrame(rows).astype(dict.fromkeys(("cost", "fixed_cost", "reach", "value", "std_error"), float))
    complete = table["cost"].notna() & table["reach"].gt(0)
    left = table[complete].reset_index(drop=True).astype({"value": "Float64", "std_error": "Float64"})
    left.attrs["without_cost"] = table.loc[~complete, "effort"].tolist()
    return left
