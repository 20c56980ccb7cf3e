"""The rows that a budget is allocated to, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import pandas as pd
from scipy.special import ndtri

from retention_models.core.arguments import require_number, require_type
from retention_models.interventions.effects.assignment import Design
from retention_models.interventions.efforts.effort_evidence import UNMEASURED
from retention_models.interventions.efforts.effort_file import KINDS, plain_remedies, read_kind, refuse_rows
from retention_models.tables.engines import collect_table, column_names

WHERE = "the table of rows"
HINT = "They need effort, cost, reach, value, std_error and design, one row an offer."
REQUIRED = ("effort", "cost", "reach", "value", "std_error", "design")
OPTIONAL: dict[str, Any] = {"offer": "", "kind": "", "fixed_cost": 0.0, "whole": True, "cost_now": 0.0}
TEXTS = ("effort", "offer", "kind", "design")
FORECAST = "forecast"  # the design of acquisition: the value of a new customer is forecast, its cost is booked
DESIGNS = (*get_args(Design), UNMEASURED, FORECAST)
ACQUISITION = ("value", "value_lower", "value_upper", "cost", "reach")


def read_rows(rows: Any, acquisition: Mapping[str, float] | None, level: float) -> pd.DataFrame:
    """The rows as a frame with all columns, acquisition last.

    Raises
    ------
    ValueError
        When a column is missing, a row stands twice, or a value breaks a rule; it names column, effort, rule and count.
    """
    names = column_names(rows, WHERE)
    kinds: Any = {name: "text" if name in TEXTS else "measure" for name in (*REQUIRED, *OPTIONAL)}
    columns = {name: name for name in (*REQUIRED, *(name for name in OPTIONAL if name in names))}
    given = {name: f"{name} as written" for name in columns if name not in TEXTS}
    kinds |= dict.fromkeys(given.values(), "value")
    columns |= {written: name for name, written in given.items()}
    with plain_remedies():
        table = collect_table(rows, columns, {name: kinds[name] for name in columns}, where=WHERE, hint=HINT)
    for name in TEXTS:
        table[name] = table[name].astype("string").fillna("").astype(object) if name in table else ""
    table["kind"] = table["kind"].map(read_kind)
    for name, written in given.items():
        unread = table[name].isna() & table[written].astype("string").fillna("").str.strip().ne("")
        refuse_rows(table, name, unread, "must be a number, or empty", written, what="rows")
    for name, default in OPTIONAL.items():
        if name not in TEXTS:
            table[name] = table[name].astype(float).fillna(float(default)) if name in table else float(default)
    table["whole"] = table["whole"].astype(bool)
    if acquisition is not None:
        table = pd.concat([table, pd.DataFrame([_acquisition(acquisition, level)])], ignore_index=True)
    _require_values(table)
    return table[[*TEXTS[:3], "cost", "fixed_cost", "reach", "value", "std_error", "design", "whole", "cost_now"]]


def _acquisition(stated: Mapping[str, float], level: float) -> dict[str, Any]:
    """Winning new customers as a row: what one is worth net of its cost."""
    require_type("acquisition", stated, Mapping)
    missing = [name for name in ACQUISITION if name not in stated]
    unknown = [name for name in stated if name not in (*ACQUISITION, "fixed_cost", "cost_now")]
    if unknown:
        raise ValueError(f"acquisition names {unknown[0]!r}; it takes {', '.join(ACQUISITION)}, fixed_cost, cost_now")
    if missing:
        raise ValueError(f"acquisition has no {missing[0]!r}; it needs {', '.join(ACQUISITION)}")
    for name in ACQUISITION:
        require_number(f"acquisition[{name!r}]", stated[name])
    if not stated["value_lower"] <= stated["value"] <= stated["value_upper"]:
        raise ValueError("acquisition: the value of a new customer must lie inside its interval")
    error = (stated["value_upper"] - stated["value_lower"]) / 2 / -float(ndtri((1 - level) / 2))
    row: dict[str, Any] = dict.fromkeys(("cost", "reach"), 0.0) | {name: stated[name] for name in ("cost", "reach")}
    row |= {"effort": "acquisition", "kind": "acquisition", "offer": "", "design": FORECAST, "std_error": error}
    row |= {"value": stated["value"] - stated["cost"], "whole": False}
    return row | {name: float(stated.get(name, 0.0)) for name in ("fixed_cost", "cost_now")}


def _require_values(table: pd.DataFrame) -> None:
    def refuse(name: str, bad: Any, rule: str) -> None:
        refuse_rows(table, name, pd.Series(np.asarray(bad), table.index), rule, what="rows")

    if table.empty:
        raise ValueError(f"{WHERE} has no row. {HINT}")
    refuse("effort", table["effort"].eq(""), "must name the effort")
    refuse("effort", table.duplicated(["effort", "offer"], keep=False), "must stand once with each offer")
    refuse("kind", ~table["kind"].isin(("", *KINDS)), f"must be one of {', '.join(KINDS)}, or empty")
    refuse("cost", ~(table["cost"] >= 0), "must be stated, 0 or more: what a treatment costs")
    refuse("fixed_cost", ~(table["fixed_cost"] >= 0), "must be 0 or more")
    refuse("cost_now", ~(table["cost_now"] >= 0), "must be 0 or more")
    refuse("reach", ~(table["reach"] > 0) | np.isinf(table["reach"]), "must be above 0: treatments a year")
    money = table["value"].notna()
    refuse("design", money & table["design"].eq(""), f"is missing although there is money; state {', '.join(DESIGNS)}")
    refuse("design", ~table["design"].isin((*DESIGNS, "")), f"must be one of {', '.join(DESIGNS)}")
    refuse("std_error", money & ~(table["std_error"] >= 0), "must be stated with a value, 0 or more")
    for name in ("cost", "fixed_cost", "value", "std_error"):
        refuse(name, np.isinf(table[name]), "must be finite")
