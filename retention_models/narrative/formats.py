"""Formats of numbers and tables on pages, for the notebooks."""

import pandas as pd

from retention_models.core.formatting import format_together
from retention_models.core.formatting import p_value_text as p_value_text
from retention_models.core.formatting import three_digits as three_digits
from retention_models.core.formatting import with_intervals as with_intervals


def display_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``value_by_segment`` or ``value_by_horizon`` that fit on a page, with short names.

    Parameters
    ----------
    table
        The table that ``value_by_segment`` or ``value_by_horizon`` returns.

    Returns
    -------
    pandas.DataFrame
        Without the columns of shares. ``probability_alive`` becomes ``alive`` and ``value_per_customer`` becomes
        ``per_customer``, also with ``_lower`` and ``_upper``. Planning ranges become text, and stand in place of the
        intervals of parameters.
    """
    kept = table[[name for name in table if "share" not in str(name)]]
    if "planning" in kept:
        kept = _with_planning_ranges(kept)
    short = kept.columns.str.replace("value_per_customer", "per_customer").str.replace("probability_alive", "alive")
    return kept.set_axis(short, axis="columns")


def _with_planning_ranges(table: pd.DataFrame) -> pd.DataFrame:
    """The value as planned, and both planning ranges as text, in place of the interval of parameters."""
    planned = table["planning"].where(table["planning"].notna(), table["value"])
    shown = table.drop(columns=[name for name in table if str(name).startswith(("value", "planning", "range"))])
    shown["value_per_customer"] = table["value_per_customer"] * planned / table["value"].where(table["value"] > 0, 1.0)
    shown["value"] = planned
    for level in (80, 95):
        ends = table[[f"planning_lower_{level}", f"planning_upper_{level}"]].itertuples(index=False)
        shown[f"{level} % range"] = [
            "no forecast tests it" if pd.isna(low) else " … ".join(format_together(low, high)) for low, high in ends
        ]
    return shown
