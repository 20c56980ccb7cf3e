"""A snapshot that tells how long each customer has been there and whether the customer left, but no dates.

Which question it answers depends on when the leavers left. If the file holds all who ever came, their tenures are
survival times. If it holds today's customers and those who left in the last month, it shows one month of everybody's
life, and says of a customer of 40 months nothing about the 39 before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.logs.contracts import Design
from retention_models.logs.engines import collect, on_engine
from retention_models.logs.files import check_unique, open_files
from retention_models.logs.retention import KEPT, LOST, added_up, check_origin
from retention_models.logs.spells import UNKNOWN
from retention_models.logs.transactions import check_choice

YES, NO = ("1", "1.0", "true", "yes", "y", "t"), ("0", "0.0", "false", "no", "n", "f")


def tenure_table(
    source: Any,
    *,
    design: Design,
    tenure: str = "tenure",
    churned: str = "churned",
    entry: str | None = None,
    window: int = 1,
    cause: str | None = None,
    by: str | Sequence[str] = (),
) -> pd.DataFrame:
    """The retention table of a snapshot without dates: at risk and lost at each renewal.

    Parameters
    ----------
    source
        A pandas or Polars frame, a DuckDB relation, a Spark frame, or the path of CSV or Parquet files; one row a
        customer.
    design
        How customers came into the file. ``"acquisition"``: all who ever came, each from the start. ``"window"``:
        those there at the end, and those who left in the last ``window`` periods. ``"active_on"``: each from the
        tenure in the column ``entry`` on.
    tenure, churned
        Names of the columns: whole periods as a customer, and whether the customer left then (true or false, 1 or 0,
        yes or no).
    entry
        Name of a column of whole periods; with ``"active_on"``, and only then.
    window
        How many periods back the file tells who left; used with ``"window"``.
    cause, by
        Names of columns: why customers left, and what to tell apart.

    Returns
    -------
    pandas.DataFrame
        As from ``retention_table``, without cohorts. Its ``attrs`` count what was set aside, and hold the check
        whether survival is known from the start.

    Raises
    ------
    ValueError
        When columns are missing, or no row can be used.

    Examples
    --------
    Of the five customers of a month ago two have left.

    >>> import pandas as pd
    >>> from retention_models.logs.tenures import tenure_table
    >>> snapshot = pd.DataFrame({"tenure": [1, 1, 2, 2, 9], "churned": ["Yes", "No", "Yes", "No", "No"]})
    >>> tenure_table(snapshot, design="window")
       tenure  at_risk  lost
    0       1        2     1
    1       2        2     1
    2       9        1     0
    """
    check_choice("design", design, get_args(Design))
    if (entry is not None) != (design == "active_on"):
        raise ValueError("entry names the tenure at which each customer came into view: design 'active_on' needs it")
    names = [by] if isinstance(by, str) else list(by)
    raw = _counted(source, [name for name in (tenure, churned, entry, cause, *names) if name])
    end, left = _number(raw[tenure]), raw[churned].map(_truth)
    begin = pd.Series(0.0, raw.index) if entry is None else _number(raw[entry])
    if design == "window":
        begin = (end - window).clip(lower=0)
    faults = {
        "rows without a readable tenure": end.isna() | begin.isna(),
        "rows that do not say whether the customer left": left.isna(),
        "rows whose tenure is negative or no whole number": (end < 0) | (end % 1 != 0) | (begin % 1 != 0),
        "customers who have come to no renewal yet": (end <= begin) & (end >= 0),
    }
    usable, set_aside = _first_fault(faults, raw["spells"])
    if not usable.any():
        raise ValueError(
            f"no row of the table can be used: {', '.join(f'{n:,} {why}' for why, n in set_aside.items())}"
        )
    counts = raw.assign(_first=begin + 1, _last=end, _lost=_fate(left == 1, raw[cause] if cause else None))[usable]
    table = added_up(counts, names, has_cause=cause is not None)
    table.attrs.update({"design": design, "set_aside": set_aside, "checks": [asdict(check_origin(table))]})
    return table


def _counted(source: Any, columns: Sequence[str]) -> pd.DataFrame:
    """The distinct values of some columns, and how many rows share them, counted where the table is."""
    native = open_files(source, "") if isinstance(source, str | Path) else source
    names = nw.from_native(native).collect_schema().names()
    check_unique(names, "the table")
    missing = [repr(name) for name in columns if name not in names]
    if missing:
        raise ValueError(f"the table has no column {', '.join(missing)}; it has {', '.join(names)}")
    return collect(on_engine(native).group_by(*columns).agg(spells=nw.len()))


def _number(column: pd.Series) -> pd.Series:
    return pd.to_numeric(column, errors="coerce").astype(float).replace([np.inf, -np.inf], np.nan)


def _truth(value: object) -> float:
    """1 for yes, 0 for no, missing for neither."""
    text = str(value).strip().lower()
    return 1.0 if text in YES else 0.0 if text in NO else np.nan


def _first_fault(faults: dict[str, pd.Series], rows: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Which rows have no fault, and how many have which as their first."""
    usable, set_aside = pd.Series(True, rows.index), {}
    for reason, fault in faults.items():
        set_aside[reason] = int(rows[usable & fault].sum())
        usable &= ~fault
    return usable, {reason: count for reason, count in set_aside.items() if count}


def _fate(left: pd.Series, cause: pd.Series | None) -> pd.Series:
    """Why each customer was lost, KEPT where not."""
    reason = LOST if cause is None else cause.where(cause.notna() & (cause != ""), UNKNOWN).astype(str)
    return pd.Series(np.where(left, reason, KEPT), left.index)
