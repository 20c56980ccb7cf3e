"""The retention table of a table of tenures without dates.

What the table shows depends on when customers churned. If it holds all customers ever, the tenures are survival times.
If it holds active customers and the churn of the last month, it shows one month of each customer. It then says nothing
about the first 39 months of a customer of 40 months.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_whole
from retention_models.core.check import Check
from retention_models.core.dates import MONTHS, read_day
from retention_models.logs.contracts.log import Sampling
from retention_models.logs.contracts.retention_counts import (
    KEPT,
    LOST,
    check_origin,
    require_groups,
    tabulate_retention,
)
from retention_models.logs.contracts.spells import UNKNOWN
from retention_models.tables.days import Period, check_period, period_offset
from retention_models.tables.engines import count_distinct, on_engine, open_table
from retention_models.tables.files import Kind, naming

UNEVEN = 3  # days by which months differ in length
ENDLESS = 1e6  # periods; a table has a row for each
EARLIEST = 1678  # the year before which no contract began, and which pandas has not in nanoseconds
KINDS: dict[str, Kind] = {"tenure": "number", "churned": "measure", "entry": "number", "cause": "text"}


def retention_table_from_tenures(
    source: Any,
    *,
    sampling: Sampling,
    tenure: str = "tenure",
    churned: str = "churned",
    entry: str | None = None,
    window: int = 1,
    cause: str | None = None,
    by: str | Sequence[str] = (),
) -> pd.DataFrame:
    """Customers at risk and lost at each renewal, from a table of tenures without dates.

    Parameters
    ----------
    source
        A frame or the path of files, as in ``read_transactions``; one row per customer.
    sampling
        How customers came into the table. ``"acquisition"``: all customers, each from the start. ``"window"``: the
        active customers, and those who churned in the last ``window`` periods. ``"active_on"``: each customer from the
        tenure in the column ``entry`` on.
    tenure
        Column name of the tenure: whole periods as a customer.
    churned
        Column name of whether the customer churned at that tenure: true or false, 1 or 0, yes or no.
    entry
        Column name of the tenure at the begin of observation, in whole periods. Required with ``"active_on"``, and not
        allowed otherwise.
    window
        Number of periods in which churned customers are in the table, used with ``"window"``. By default 1. With more,
        all customers count as observed throughout, and churn is too low.
    cause
        Column name of the cause of churn. By default the table has no causes.
    by
        Columns that define groups. By default there are no groups.

    Returns
    -------
    pandas.DataFrame
        One row per group and renewal: the columns of ``by``, ``tenure`` (number of the renewal, from 1), ``at_risk``,
        ``lost`` and, with causes, ``lost_<cause>``. ``attrs`` counts the rows set aside, and holds the checks.

    Raises
    ------
    ValueError
        When columns are missing, ``entry`` contradicts ``sampling``, or no row can be used.

    Examples
    --------
    Of the five customers of a month ago two have left.

    >>> import pandas as pd
    >>> import retention_models as rm
    >>> snapshot = pd.DataFrame({"tenure": [1, 1, 2, 2, 9], "churned": ["Yes", "No", "Yes", "No", "No"]})
    >>> rm.logs.retention_table_from_tenures(snapshot, sampling="window")
       tenure  at_risk  lost
    0       1        2     1
    1       2        2     1
    2       9        1     0
    """
    check_choice("sampling", sampling, get_args(Sampling))
    require_whole("window", window, 1)
    if (entry is not None) != (sampling == "active_on"):
        raise ValueError("entry names the tenure at which each customer came into view: sampling 'active_on' needs it")
    names = [by] if isinstance(by, str) else list(by)
    raw = _count_rows(source, {"tenure": tenure, "churned": churned, "entry": entry, "cause": cause}, names)
    end, left = _finite(raw["tenure"]), raw["churned"]
    begin = pd.Series(0.0, raw.index) if entry is None else _finite(raw["entry"])
    if sampling == "window":
        begin = (end - window).clip(lower=0)
    no_renewal = {"customers who have come to no renewal yet": (end <= begin) & (end >= 0)}
    usable, set_aside = _select_usable(_faults(end, left, begin) | no_renewal, raw["spells"])
    counts = raw.assign(_first=begin + 1, _last=end, _lost=_fate(left == 1, raw["cause"] if cause else None))[usable]
    table = tabulate_retention(counts, groups := [f"by{i}" for i in range(len(names))], has_cause=cause is not None)
    table = table.rename(columns=dict(zip(groups, names, strict=True)))
    unsure = [_check_window(window)] if sampling == "window" and window > 1 else []
    checks = [asdict(check) for check in (check_origin(table), *unsure)]
    table.attrs.update({"sampling": sampling, "set_aside": set_aside, "checks": checks})
    return table


def dated_contracts(
    source: Any,
    *,
    observation_end: str | dt.date,
    tenure: str = "tenure",
    churned: str = "churned",
    period: Period = "M",
    cause: str | None = None,
    covariates: str | Sequence[str] = (),
) -> tuple[pd.DataFrame, dict[str, int]]:
    """A table of tenures as a contract log with dates, and the number of rows set aside by reason.

    The table must hold the active customers of one day, and those who churned in the last period. This gives the
    tenures their dates.

    Parameters
    ----------
    source
        The table, as in ``retention_table_from_tenures``.
    observation_end
        The day of the table.
    tenure, churned, cause
        Column names, as in ``retention_table_from_tenures``.
    period
        Unit of ``tenure``: ``"M"`` (a month, the default), ``"Y"`` (a year), or a number of days.
    covariates
        Columns to keep. By default none.

    Returns
    -------
    tuple[pandas.DataFrame, dict[str, int]]
        One row per customer: ``customer_id`` (a number), ``start``, ``end`` (missing if active), and the columns
        ``cause`` and ``covariates``, for ``read_contracts(..., sampling="window")``. Then the number of rows set aside,
        by reason.

    Notes
    -----
    Months and years differ in length. Customers therefore churn a few days before the day of the table, so that nobody
    counts as at risk at the renewal before.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.logs.contracts.snapshot import dated_contracts
    >>> snapshot = pd.DataFrame({"tenure": [1, 9], "churned": ["Yes", "No"]})
    >>> dated_contracts(snapshot, observation_end="2024-06-28")[0]
       customer_id      start        end
    0            0 2023-09-25        NaT
    1            1 2024-05-28 2024-06-25
    """
    names = [covariates] if isinstance(covariates, str) else list(covariates)
    kept = [*([cause] if cause else []), *names]
    check_period(period)
    _check_names([tenure, churned, *kept])
    raw = _count_rows(source, {"tenure": tenure, "churned": churned, "cause": cause}, names)
    length, left = _finite(raw["tenure"]), raw["churned"]
    last = anniversary(observation_end)
    years = period / 365.25 if isinstance(period, int) else MONTHS[period] / 12
    too_old = {f"rows whose tenure reaches back before {EARLIEST}": length * years > last.year - EARLIEST}
    usable, set_aside = _select_usable(_faults(length, left, length * 0) | too_old, raw["spells"])
    raw, length, left = raw[usable], length[usable], left[usable]
    begin, left_on = last - period_offset(period), last - pd.Timedelta(0 if isinstance(period, int) else UNEVEN, "D")
    columns = [*(["cause"] if cause else []), *(f"by{i}" for i in range(len(names)))]
    rows = (
        raw[columns]
        .set_axis(kept, axis=1)
        .assign(
            start=[begin if made == 1 else left_on - int(made) * period_offset(period) for made in length],
            end=pd.Series(left_on, raw.index).where(left == 1),
        )
    )
    rows = rows.loc[rows.index.repeat(raw["spells"])].sort_values(["start", "end", *kept], ignore_index=True)
    return rows.assign(customer_id=rows.index)[["customer_id", "start", "end", *kept]], set_aside


def _check_names(names: Sequence[str]) -> None:
    """An error where a column has two parts, or a name that a column of contracts has."""
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"column {twice!r} cannot have two parts at once; say which is which")
    taken = next((name for name in names[2:] if name in ("customer_id", "start", "end")), None)
    if taken is not None:
        raise ValueError(f"column {taken!r}: the contracts have a column of that name; rename it")


def anniversary(day: str | dt.date) -> pd.Timestamp:
    """The day, or the 28th if the day is later, because every month has a 28th."""
    until = pd.Timestamp(read_day("observation_end", day))
    return until.replace(day=min(until.day, 28))


def _check_window(window: int) -> Check:
    """That a file of several periods does not tell in which of them customers left."""
    detail = (
        f"Whoever left did so in one of {window} periods, and counts as watched in all of them: losses come out too "
        "low, and survival too high. A file of the last period, or one with dates, has them right."
    )
    return Check("it is known in which period customers left", False, detail)


def _count_rows(source: Any, roles: Mapping[str, str | None], by: Sequence[str]) -> pd.DataFrame:
    """The distinct values of the roles' columns and of those of ``by``, and how many rows share them."""
    named = {role: name for role, name in roles.items() if name is not None}
    groups = {f"by{i}": name for i, name in enumerate(by)}
    kinds: dict[str, Kind] = {**dict.fromkeys(groups, "value"), **KINDS}
    hint = "Say which is which: tenure=..., churned=..., cause=..."
    with naming(source):
        rows = open_table(source, named | groups, kinds, hint=hint)
        counts = count_distinct(on_engine(rows.to_native()), [*named, *groups], spells=nw.len())
    require_groups(counts, groups)
    return counts


def _faults(end: pd.Series, left: pd.Series, begin: pd.Series) -> dict[str, pd.Series]:
    return {
        "rows without a readable tenure": end.isna() | begin.isna(),
        "rows that do not say whether the customer left": ~left.isin([0, 1]),
        "rows whose tenure is negative or no whole number": (end < 0) | (end % 1 != 0) | (begin % 1 != 0),
        "rows whose tenure is a million periods or more": end >= ENDLESS,
    }


def _finite(column: pd.Series) -> pd.Series:
    return column.replace([np.inf, -np.inf], np.nan)


def _select_usable(faults: dict[str, pd.Series], rows: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Which rows have no fault, and how many have which as their first; an error where none is left."""
    usable, set_aside = pd.Series(True, rows.index), {}
    for reason, fault in faults.items():
        set_aside[reason] = int(rows[usable & fault].sum())
        usable &= ~fault
    set_aside = {reason: count for reason, count in set_aside.items() if count}
    if not usable.any():
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in set_aside.items())
        raise ValueError(f"no row of the table can be used: {reasons}")
    return usable, set_aside


def _fate(left: pd.Series, cause: pd.Series | None) -> pd.Series:
    """Why each customer was lost, KEPT where not."""
    reason = LOST if cause is None else cause.where(cause.notna() & (cause != ""), UNKNOWN).astype(str)
    return pd.Series(np.where(left, reason, KEPT), left.index)
