"""The retention table of a table of tenures without dates.

What the table shows depends on when customers churned. If it holds all customers ever, the tenures are survival times.
If it holds active customers and the churn of the last month, it shows one month of each customer. It then says nothing
about the first 39 months of a customer of 40 months.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_number, require_text, require_texts, require_whole
from retention_models.core.check import Check
from retention_models.core.dates import read_day
from retention_models.core.formatting import Part, Presentation, counted
from retention_models.logs.contracts.log import Sampling
from retention_models.logs.contracts.retention_counts import (
    KEPT,
    LOST,
    check_origin,
    require_groups,
    tabulate_retention,
)
from retention_models.logs.contracts.rows import OWN_NAMES, check_names
from retention_models.logs.contracts.spells import UNCAUSED, UNKNOWN
from retention_models.logs.set_aside import check_rows_that_count
from retention_models.tables.days import Period, check_period, period_name
from retention_models.tables.engines import count_distinct, on_engine, open_table
from retention_models.tables.files import Kind, naming

ENDLESS = 1e6  # periods; a table has a row for each
NO_RENEWAL = "customers who have come to no renewal yet"
KINDS: dict[str, Kind] = {"tenure": "number", "churned": "measure", "entry": "number", "cause": "text"}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Snapshot(Presentation):
    """A checked table of tenures: the active customers of one day, and those who churned in the period before.

    ``read_snapshot`` creates it. ``retention_table``, ``active_customers``, ``survival_curves`` and ``cause_curves``
    take it in place of ``Spells``. It has no dates. Cohorts, backtests and covariates of the calendar therefore need
    the log of ``read_contracts``.

    Attributes
    ----------
    frame
        Customers who are alike, one pandas row each: the covariates, ``entry`` and ``tenure`` (whole periods at the
        begin and at the end of observation), ``churned``, ``cause`` if there is one, and ``weight`` (customers).
    rows
        Number of customers in ``frame``.
    period
        Unit of ``entry`` and ``tenure``.
    observation_end
        The day of the table.
    has_cause
        Whether the table has causes of churn.
    covariates
        Names of the covariate columns.
    set_aside
        Number of rows that do not count, by reason.
    settled
        Number of customers to whom a rule was applied, by rule.
    checks
        Whether survival is known from the start, and whether nearly all rows count.
    """

    frame: pd.DataFrame = field(repr=False)
    rows: int
    period: Period
    observation_end: dt.date
    has_cause: bool
    covariates: tuple[str, ...]
    set_aside: Mapping[str, int]
    settled: Mapping[str, int]
    checks: tuple[Check, ...]

    def _parts(self) -> Sequence[Part]:
        name = period_name(self.period)
        headline = f"{self.rows:,} customers of {self.observation_end} and of the {name} before, tenure in {name}s."
        counts = {"Set aside": self.set_aside, "Settled": self.settled}
        lines = [f"{what}: {counted(count)}." for what, count in counts.items() if count]
        return [headline, *lines, *(str(check) for check in self.checks if not check.passed)]


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
    max_set_aside: float = 0.2,
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
    max_set_aside
        Largest share of the rows that may be set aside because it cannot be read. By default 0.2.

    Returns
    -------
    pandas.DataFrame
        One row per group and renewal: the columns of ``by``, ``tenure`` (number of the renewal, from 1), ``at_risk``,
        ``lost`` and, with causes, ``lost_<cause>``. ``attrs`` counts the rows set aside, and holds the checks.

    Raises
    ------
    ValueError
        When columns are missing, ``entry`` contradicts ``sampling``, no row can be used, or more than
        ``max_set_aside`` cannot be read.

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
    require_texts("by", names, "['plan']")
    raw = _count_rows(source, {"tenure": tenure, "churned": churned, "entry": entry, "cause": cause}, names)
    end, left = _finite(raw["tenure"]), raw["churned"]
    begin = pd.Series(0.0, raw.index) if entry is None else _finite(raw["entry"])
    if sampling == "window":
        begin = (end - window).clip(lower=0)
    no_renewal = {NO_RENEWAL: (end <= begin) & (end >= 0)}
    faults = _faults(end, left, begin)
    usable, set_aside, nearly_all = _select_usable(faults | no_renewal, raw["spells"], max_set_aside)
    counts = raw.assign(entry=begin, tenure=end, churned=left == 1)[usable]
    table = _tabulate(counts, groups := [f"by{i}" for i in range(len(names))], has_cause=cause is not None)
    table = table.rename(columns=dict(zip(groups, names, strict=True)))
    unsure = [_check_window(window)] if sampling == "window" and window > 1 else []
    checks = [asdict(check) for check in (check_origin(table), *unsure, nearly_all)]
    table.attrs.update({"sampling": sampling, "set_aside": set_aside, "checks": checks})
    return table


def read_snapshot(
    source: Any,
    *,
    observation_end: str | dt.date,
    tenure: str = "tenure",
    churned: str = "churned",
    period: Period = "M",
    cause: str | None = None,
    covariates: str | Sequence[str] = (),
    max_set_aside: float = 0.2,
) -> Snapshot:
    """A table of tenures, checked: the active customers of one day, and those who churned in the period before.

    Each customer is observed for the last period of the tenure, and for no earlier one.

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
    max_set_aside
        Largest share of the rows that may be set aside because it cannot be read. By default 0.2.

    Returns
    -------
    Snapshot
        The customers (``frame``), the number of rows set aside by reason, and a check.

    Raises
    ------
    ValueError
        When columns are missing or have two parts, a covariate has missing values, or no row can be used.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.logs.contracts.snapshot import read_snapshot
    >>> table = pd.DataFrame({"tenure": [1, 9, 9], "churned": ["Yes", "No", "No"]})
    >>> snapshot = read_snapshot(table, observation_end="2024-06-30")
    >>> print(snapshot)
    3 customers of 2024-06-30 and of the month before, tenure in months.
    >>> snapshot.frame
       entry  tenure  churned  weight
    0      0       1     True       1
    1      8       9    False       2
    """
    kept = (covariates,) if isinstance(covariates, str) else tuple(dict.fromkeys(covariates))
    roles = {"tenure": tenure, "churned": churned} | ({"cause": cause} if cause else {})
    check_period(period)
    until = read_day("observation_end", observation_end)
    check_names(roles, kept, own_names=OWN_NAMES | {"weight"})
    raw = _count_rows(source, roles, kept)
    end, left = _finite(raw["tenure"]), raw["churned"]
    usable, set_aside, nearly_all = _select_usable(_faults(end, left, end * 0), raw["spells"], max_set_aside)
    raw, end, left = raw[usable], end[usable].astype("int64"), left[usable] == 1
    columns: dict[str, Any] = {name: raw[f"by{i}"] for i, name in enumerate(kept)}
    columns |= {"entry": (end - 1).clip(lower=0), "tenure": end, "churned": left}
    if cause:
        columns["cause"] = _causes(raw["cause"]).where(left, None)
    customers = pd.DataFrame(columns | {"weight": raw["spells"].astype("int64")})
    frame = customers.groupby(list(columns), dropna=False, as_index=False, observed=True).sum()
    renewed = frame[frame["tenure"] > 0]
    uncaused = int(frame.loc[frame["cause"] == UNKNOWN, "weight"].sum()) if cause else 0
    return Snapshot(
        frame=frame,
        rows=int(frame["weight"].sum()),
        period=period,
        observation_end=until,
        has_cause=cause is not None,
        covariates=kept,
        set_aside=set_aside,
        settled={UNCAUSED: uncaused} if uncaused else {},
        checks=(*(() if renewed.empty else (check_origin(renewed),)), nearly_all),
    )


def tabulate_snapshot(snapshot: Snapshot, by: Sequence[str]) -> pd.DataFrame:
    """The retention table of a snapshot, as ``retention_table`` returns it, but without cohorts."""
    came = snapshot.frame["tenure"] > 0
    counts = snapshot.frame.rename(columns={"weight": "spells"})
    not_due = int(counts.loc[~came, "spells"].sum())
    if not came.any():
        raise ValueError(f"none of {snapshot.rows:,} customers has come to a renewal: every tenure is 0")
    table = _tabulate(counts[came], list(by), snapshot.has_cause)
    table.attrs.update(
        period=snapshot.period,
        sampling="window",
        observation_start=None,
        observation_end=snapshot.observation_end.isoformat(),
        spells=snapshot.rows,
        set_aside=dict(snapshot.set_aside),
        settled=dict(snapshot.settled) | ({NO_RENEWAL: not_due} if not_due else {}),
        checks=[asdict(check) for check in (check_origin(table), snapshot.checks[-1])],
    )
    return table


def _check_window(window: int) -> Check:
    """That a file of several periods does not tell in which of them customers left."""
    detail = (
        f"Whoever left did so in one of {window} periods, and counts as watched in all of them: losses come out too "
        "low, and survival too high. A file of the last period, or one with dates, has them right."
    )
    return Check("it is known in which period customers left", False, detail)


def _count_rows(source: Any, roles: Mapping[str, str | None], by: Sequence[str]) -> pd.DataFrame:
    """The distinct values of the roles' columns and of those of ``by``, and how many rows share them."""
    for role, column in roles.items():
        if column is not None or role in ("tenure", "churned"):
            require_text(role, column)
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


def _select_usable(
    faults: dict[str, pd.Series], rows: pd.Series, max_set_aside: float
) -> tuple[pd.Series, dict[str, int], Check]:
    """Which rows have no fault, how many have which as their first, and whether that is few; an error where not."""
    require_number("max_set_aside", max_set_aside, 0, 1)
    usable, set_aside = pd.Series(True, rows.index), {}
    for reason, fault in faults.items():
        set_aside[reason] = int(rows[usable & fault].sum())
        usable &= ~fault
    set_aside = {reason: count for reason, count in set_aside.items() if count}
    if not usable.any():
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in set_aside.items())
        raise ValueError(f"no row of the table can be used: {reasons or 'it has none'}")
    broken = {reason: count for reason, count in set_aside.items() if reason != NO_RENEWAL}
    return usable, set_aside, check_rows_that_count(broken, int(rows.sum()), max_set_aside)


def _tabulate(counts: pd.DataFrame, by: list[str], has_cause: bool) -> pd.DataFrame:
    """The retention table of ``spells`` with the same entry, tenure, outcome and cause."""
    reason = _causes(counts["cause"]) if has_cause else LOST
    lost = pd.Series(np.where(counts["churned"], reason, KEPT), counts.index)
    return tabulate_retention(
        counts.assign(_first=counts["entry"] + 1, _last=counts["tenure"], _lost=lost), by, has_cause=has_cause
    )


def _causes(cause: pd.Series) -> pd.Series:
    """The causes as text, UNKNOWN where none is given."""
    return cause.where(cause.notna() & (cause != ""), UNKNOWN).astype(str)
