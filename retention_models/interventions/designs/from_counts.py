"""Effects from tables of counts, as papers and dashboards print them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from retention_models.interventions.arms.experiment import Experiment
from retention_models.interventions.arms.outcome import Outcome
from retention_models.interventions.arms.plan import Plan
from retention_models.interventions.designs.arm_differences import differences
from retention_models.interventions.effects.assignment import NOT_STATED, AssignedBy
from retention_models.interventions.effects.effect import Effect, Scale
from retention_models.tables.engines import collect_table, column_names
from retention_models.tables.files import Kind
from retention_models.tables.rules import require_filled

# What each column holds, and whether it must be there.
COLUMNS: dict[str, tuple[Kind, bool]] = {
    "experiment": ("text", True),
    "outcome": ("text", True),
    "arm": ("text", True),
    "control": ("measure", True),
    "n": ("number", True),
    "count": ("number", True),
    "share": ("number", False),
    "assigned": ("text", False),
    "assignment": ("text", False),
    "unit": ("text", False),
    "horizon": ("value", False),
    "time_unit": ("text", False),
}


def effects_of_counts(
    counts: Any, *, assigned_by: AssignedBy = NOT_STATED, scale: Scale = "difference", level: float = 0.95
) -> list[Effect]:
    """One effect for each treated arm of every experiment and outcome in a table of counts.

    Parameters
    ----------
    counts
        A frame or file with one row an arm: ``experiment, outcome, arm, n, count``, and ``control``, True for the
        control arm. Optional: ``assignment`` (who decided, as ``assigned_by``), ``share`` (planned), ``assigned`` (unit
        of assignment), ``unit``, and ``horizon`` with its ``time_unit``, as in ``load_published_experiments``; both are
        missing where the time is not known.
    assigned_by
        Who decided which customers were treated, as in ``Plan``, where the table has no column ``assignment``.
    scale
        ``"difference"`` of shares, the default, or their ``"ratio"``.
    level
        Level of the confidence intervals, 0.95 by default.

    Returns
    -------
    list of Effect
        In the order of the table.

    Raises
    ------
    TypeError
        When neither ``assigned_by`` nor a column ``assignment`` says who decided.
    ValueError
        When a count is missing or not possible, or an experiment does not have exactly one control.

    Examples
    --------
    >>> import retention_models as rm
    >>> published = rm.datasets.load_published_experiments()
    >>> for effect in effects_of_counts(published[published["experiment"] == "E-mail"].dropna(subset="count")):
    ...     print(effect.intervention, "|", effect.outcome, "|", round(effect.estimate, 4), round(effect.std_error, 4))
    E-mail: men's e-mail | visit | 0.0766 0.0034
    E-mail: women's e-mail | visit | 0.0452 0.0032
    E-mail: men's e-mail | conversion | 0.0068 0.0009
    E-mail: women's e-mail | conversion | 0.0031 0.0008
    """
    if scale not in ("difference", "ratio"):
        raise ValueError(f"scale must be 'difference' or 'ratio'; got {scale!r}")
    there = column_names(counts)
    names = [name for name, (_, required) in COLUMNS.items() if required or name in there]
    kinds: dict[str, Kind] = {name: kind for name, (kind, _) in COLUMNS.items()}
    table = collect_table(counts, names, kinds)
    require_filled(table[[name for name in names if COLUMNS[name][1]]])
    found = []
    for (_, outcome), part in table.groupby(["experiment", "outcome"], sort=False):
        test = Experiment.from_counts(
            part.rename(columns={"count": str(outcome)}), _plan(part, assigned_by), outcome=str(outcome)
        )
        measured = Outcome(
            column=str(outcome),
            unit=_first_value(part, "unit", "share of customers"),
            horizon=_first_stated(part, "horizon"),
            time_unit=_first_stated(part, "time_unit"),
        )
        found += differences(test, measured, scale=scale, level=level)
    return found


def _plan(part: pd.DataFrame, assigned_by: AssignedBy) -> Plan:
    """The plan of one experiment, from its rows."""
    controls = part.loc[part["control"].astype(bool), "arm"]
    name = str(part["experiment"].iloc[0])
    if len(controls) != 1:
        raise ValueError(f"{name} has {len(controls)} controls for {part['outcome'].iloc[0]}; mark one arm with True")
    has_shares = "share" in part and part["share"].notna().any()
    shares = dict(zip(part["arm"].astype(str), part["share"], strict=True)) if has_shares else None
    decided = list(dict.fromkeys(part["assignment"].dropna())) if "assignment" in part else []
    if len(decided) > 1:
        raise ValueError(
            f"assignment of {name} is {', '.join(decided)} for {part['outcome'].iloc[0]}: state one for all of its arms"
        )
    return Plan(
        control=str(controls.iloc[0]),
        shares=shares,
        unit=_first_value(part, "assigned", "customer"),
        name=name,
        assigned_by=decided[0] if decided else assigned_by,
    )


def _first_stated(part: pd.DataFrame, column: str) -> Any:
    """The first value of a column; None where it is missing."""
    return part[column].iloc[0] if column in part and part[column].notna().iloc[0] else None


def _first_value(part: pd.DataFrame, column: str, otherwise: str) -> str:
    return str(part[column].iloc[0]) if column in part else otherwise
