"""The retention table of a table of tenures without dates.

What the table shows depends on when customers churned. If it holds all customers ever, the tenures are survival times.
If it holds active customers and the churn of the last month, it shows one month of each customer. It then says nothing
about the first 39 months of a customer of 40 months.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Unpack, get_args

import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_texts, require_whole
from retention_models.core.check import Check
from retention_models.core.dates import read_day
from retention_models.core.formatting import Part, Presentation, counted
from retention_models.logs.contracts.contract_prices import count_free
from retention_models.logs.contracts.log import Sampling
from retention_models.logs.contracts.retention_counts import (
    KEPT,
    LOST,
    check_implied_joiners,
    check_origin,
    tabulate_retention,
)
from retention_models.logs.contracts.rows import OWN_NAMES, PRICE, check_names
from retention_models.logs.contracts.spells import UNCAUSED, UNKNOWN
from retention_models.logs.contracts.tenures import TenureUnit, read_tenures
from retention_models.tables.days import Period, period_name
from retention_models.tables.text_files import Layout, with_layout

SnapshotSampling = Literal["acquisition", "window"]

FREE = "active customers with a price of 0"
NO_RENEWAL = "customers who have come to no renewal yet"
WHICH_SAMPLING = (
    "are customers who left earlier still in the table? If yes, and the table follows each customer from the start: "
    "say so, sampling 'acquisition'. If no, and it holds today's customers and those who left in the last period: "
    "say so, sampling 'window'"
)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Snapshot(Presentation):
    """A checked table of tenures: all customers ever, or those of one day and those who churned just before it.

    ``read_snapshot`` creates it. ``retention_table``, ``active_customers``, ``survival_curves`` and ``cause_curves``
    take it in place of ``Spells``. It has no dates. Cohorts, backtests and covariates of the calendar therefore need
    the log of ``read_contracts``.

    Attributes
    ----------
    frame
        Customers who are alike, one pandas row each: the covariates, ``entry`` and ``tenure`` (whole periods at the
        begin and at the end of observation), ``churned``, ``cause`` if there is one, ``price`` if there is one (missing
        where the customer churned), and ``weight`` (customers). If customers who are followed from the start leave on
        any day, ``nearest`` is the tenure of the active ones, rounded to periods.
    rows
        Number of customers in ``frame``.
    period
        Unit of ``entry`` and ``tenure``.
    sampling, window
        How customers came into the table, as in ``read_snapshot``.
    tenure_unit
        Unit of the column of tenures; None if the column counts periods.
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
        Whether survival is known from the start, with a long window also whether it is known when customers left, and
        whether nearly all rows count.
    price
        Name of the column of prices in the table; None without one.
    """

    frame: pd.DataFrame = field(repr=False)
    rows: int
    period: Period
    sampling: SnapshotSampling
    window: int
    tenure_unit: TenureUnit | None
    observation_end: dt.date
    has_cause: bool
    covariates: tuple[str, ...]
    set_aside: Mapping[str, int]
    settled: Mapping[str, int]
    checks: tuple[Check, ...]
    price: str | None = None

    def _parts(self) -> Sequence[Part]:
        name = period_name(self.period)
        who = (
            f"followed from the start to {self.observation_end}"
            if self.sampling == "acquisition"
            else f"of {self.observation_end} and of the {window_name(self.window, self.period)} before"
        )
        headline = f"{self.rows:,} customers {who}, tenure in {name}s."
        counts = {"Set aside": self.set_aside, "Settled": self.settled}
        lines = [f"{what}: {counted(count)}." for what, count in counts.items() if count]
        return [headline, *lines, *(str(check) for check in self.checks if check.passed is False)]


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
    period: Period | None = None,
    tenure_unit: TenureUnit | None = None,
    max_set_aside: float = 0.2,
    **layout: Unpack[Layout],
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
        Column name of the tenure: whole periods as a customer, or any length with ``tenure_unit``. Text such as
        ``12 months`` or ``45 days`` says its unit, if all rows have the same.
    churned
        Column name of whether the customer churned at that tenure: true or false, 1 or 0, yes or no. Other words, such
        as ``Churned`` and ``Stayed`` or ``ja`` and ``nein``, are read too; ``attrs`` says how.
    entry
        Column name of the tenure at the begin of observation, in the same unit. Required with ``"active_on"``, and not
        allowed otherwise.
    window
        Number of periods in which churned customers are in the table, used with ``"window"``. By default 1. With more,
        all customers count as observed throughout, and churn is too low.
    cause
        Column name of the cause of churn. By default the table has no causes.
    by
        Columns that define groups. By default there are no groups.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days. By default a month, or a year if
        tenures are in years.
    tenure_unit
        Unit of ``tenure`` and ``entry``, if not the period: ``"D"`` (days), ``"W"`` (weeks), ``"M"`` (months, of
        365.25 / 12 days) or ``"Y"`` (years). Fractions are allowed then.
    max_set_aside
        Largest share of the rows that may be set aside because it cannot be read. By default 0.2.
    **layout
        Layout of a file of text: ``separator``, ``no_header``, ``encoding``, as in ``read_transactions``.

    Returns
    -------
    pandas.DataFrame
        One row per group and renewal: the columns of ``by``, ``tenure`` (number of the renewal, from 1), ``at_risk``,
        ``lost`` and, with causes, ``lost_<cause>``. ``attrs`` counts the rows set aside or settled by a rule, and
        holds the checks.

    Raises
    ------
    ValueError
        When columns are missing, ``entry`` or ``window`` contradicts ``sampling``, text mixes units, whole units are
        longer than the period, no row can be used, or more than ``max_set_aside`` cannot be read.

    Notes
    -----
    Other units are counted in whole periods as ``retention_table`` counts dates. An active customer counts completed
    renewals. A customer who left within a period counts as lost at its end. If customers leave on any day, active ones
    of a window count at the nearest number of periods, because a window covers parts of two periods of each. A column
    of whole periods does not show this; take days for customers who leave on any day.

    Months of the calendar differ in length. If most customers left near renewals, those who left up to three days after
    a renewal count as lost at it.

    Without dates nobody knows whether the renewal of a lost customer was due. If customers can leave on any day, losses
    at the longest tenures are therefore too high with ``"acquisition"``. If customers came evenly over 24 months, the
    share lost is about 4 % too high at the 12th renewal, and 11 % at the 20th.

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

    Of three customers who ever came one left after 45 days, within the second month.

    >>> table = pd.DataFrame({"days": [45, 70, 100], "status": ["left", "active", "active"]})
    >>> columns = {"tenure": "days", "churned": "status", "tenure_unit": "D"}
    >>> rm.logs.retention_table_from_tenures(table, sampling="acquisition", **columns)
       tenure  at_risk  lost
    0       1        3     0
    1       2        3     1
    2       3        1     0
    """
    _check_sampling(sampling)
    _check_window_use(window, sampling)
    if (entry is not None) != (sampling == "active_on"):
        raise ValueError("entry names the tenure at which each customer came into view: sampling 'active_on' needs it")
    names = [by] if isinstance(by, str) else list(by)
    require_texts("by", names, "['plan']")
    roles = {"tenure": tenure, "churned": churned, "entry": entry, "cause": cause}
    source = with_layout(source, **layout)
    read = read_tenures(
        source, roles, names, sampling=sampling, period=period, tenure_unit=tenure_unit, max_set_aside=max_set_aside
    )
    counts = _observe(read.counts, sampling, window)
    came = counts["tenure"] > counts["entry"]
    not_due = int(counts.loc[~came, "spells"].sum())
    set_aside = read.set_aside | ({NO_RENEWAL: not_due} if not_due else {})
    if not came.any():
        raise ValueError(f"no row of the table can be used: {counted(set_aside)}")
    table = _tabulate(counts[came], groups := [f"by{i}" for i in range(len(names))], has_cause=cause is not None)
    table = table.rename(columns=dict(zip(groups, names, strict=True)))
    own = [*_checks(table, sampling, window), *_check_losses_at_zero(counts)]
    checks = [asdict(check) for check in (check_origin(table), *own, read.check)]
    table.attrs.update({"sampling": sampling, "set_aside": set_aside, "settled": read.settled, "checks": checks})
    return table


def read_snapshot(
    source: Any,
    *,
    sampling: SnapshotSampling | None = None,
    observation_end: str | dt.date,
    tenure: str = "tenure",
    churned: str = "churned",
    period: Period | None = None,
    tenure_unit: TenureUnit | None = None,
    window: int = 1,
    cause: str | None = None,
    covariates: str | Sequence[str] = (),
    price: str | None = None,
    max_set_aside: float = 0.2,
    decimal: str | None = None,
) -> Snapshot:
    """A table of tenures, checked.

    Parameters
    ----------
    source
        The table, as in ``retention_table_from_tenures``.
    sampling
        How customers came into the table. ``"acquisition"``: all customers who ever came, each from the start.
        ``"window"``: the active customers of ``observation_end``, and those who churned in the last ``window`` periods.
        Each customer counts as observed for these periods, and for no earlier one. It is never guessed: without it,
        an error asks for it.
    observation_end
        The day of the table: the last day about which it knows everything.
    tenure, churned, cause
        Column names, as in ``retention_table_from_tenures``.
    period, tenure_unit, window
        Length of a contract, unit of ``tenure``, and periods in which churned customers are in the table; as in
        ``retention_table_from_tenures``.
    covariates
        Columns to keep. By default none.
    price
        Column name of the price of one payment, as in ``read_contracts``. By default the table has no prices.
    max_set_aside
        Largest share of the rows that may be set aside because it cannot be read. By default 0.2.
    decimal
        The decimal mark of numbers in text, ``"."`` or ``","``. By default the columns show it.

    Returns
    -------
    Snapshot
        The customers (``frame``), the number of rows set aside by reason, and checks.

    Raises
    ------
    ValueError
        As ``retention_table_from_tenures`` raises it. When a covariate has missing values, or an active customer has no
        price of 0 or more.

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.logs.contracts.snapshot import read_snapshot
    >>> table = pd.DataFrame({"tenure": [1, 9, 9], "churned": ["Yes", "No", "No"]})
    >>> snapshot = read_snapshot(table, sampling="window", observation_end="2024-06-30")
    >>> print(snapshot)
    3 customers of 2024-06-30 and of the month before, tenure in months.
    >>> snapshot.frame
       entry  tenure  churned  weight
    0      0       1     True       1
    1      8       9    False       2
    """
    sampling = _require_sampling(sampling)
    _check_window_use(window, sampling)
    kept = (covariates,) if isinstance(covariates, str) else tuple(dict.fromkeys(covariates))
    roles = {"tenure": tenure, "churned": churned} | ({"cause": cause} if cause else {})
    until = read_day("observation_end", observation_end)
    check_names(roles, kept, own_names=OWN_NAMES | {"weight", "nearest", *([PRICE] if price else [])})
    read = read_tenures(
        source,
        roles | ({PRICE: price} if price else {}),
        kept,
        sampling=sampling,
        period=period,
        tenure_unit=tenure_unit,
        max_set_aside=max_set_aside,
        decimal=decimal,
    )
    frame = _customers(_observe(read.counts, sampling, window), kept, has_cause=cause is not None)
    renewed = frame[frame["tenure"] > frame["entry"]]
    origin = [] if renewed.empty else [check_origin(renewed.assign(tenure=renewed["entry"] + 1))]
    came = read.counts.assign(entry=_observe(read.counts, sampling, window)["entry"])
    came = came[came["tenure"] > came["entry"]]
    own = [] if came.empty else _checks(_tabulate(came, [], has_cause=False), sampling, window)
    own += _check_losses_at_zero(read.counts)
    free = count_free(frame[~frame["churned"]], price) if price else 0
    uncaused = int(frame.loc[frame["cause"] == UNKNOWN, "weight"].sum()) if cause else 0
    return Snapshot(
        frame=frame,
        rows=int(frame["weight"].sum()),
        period=read.period,
        sampling=sampling,
        window=window,
        tenure_unit=read.unit,
        observation_end=until,
        has_cause=cause is not None,
        covariates=kept,
        set_aside=read.set_aside,
        settled=read.settled | {rule: count for rule, count in {UNCAUSED: uncaused, FREE: free}.items() if count},
        checks=(*origin, *own, read.check),
        price=price,
    )


def tabulate_snapshot(snapshot: Snapshot, by: Sequence[str]) -> pd.DataFrame:
    """The retention table of a snapshot, as ``retention_table`` returns it, but without cohorts."""
    counts = snapshot.frame.rename(columns={"weight": "spells"})
    came = counts["tenure"] > counts["entry"]
    not_due = int(counts.loc[~came, "spells"].sum())
    if not came.any():
        raise ValueError(f"none of {snapshot.rows:,} customers has come to a renewal: every tenure is 0")
    table = _tabulate(counts[came], list(by), snapshot.has_cause)
    table.attrs.update(
        period=snapshot.period,
        sampling=snapshot.sampling,
        observation_start=None,
        observation_end=snapshot.observation_end.isoformat(),
        spells=snapshot.rows,
        set_aside=dict(snapshot.set_aside),
        settled=dict(snapshot.settled) | ({NO_RENEWAL: not_due} if not_due else {}),
        checks=[asdict(check) for check in (check_origin(table), *snapshot.checks[1:])],
    )
    return table


def window_name(window: int, period: Period) -> str:
    """Some periods in words: month, 3 months."""
    return period_name(period) if window == 1 else f"{window:,} {period_name(period)}s"


def _check_sampling(sampling: object) -> None:
    if sampling is None:
        raise ValueError(f"a table of tenures without dates does not show its sampling: {WHICH_SAMPLING}")
    check_choice("sampling", sampling, get_args(Sampling))


def _require_sampling(sampling: SnapshotSampling | None) -> SnapshotSampling:
    """The sampling that was asked for, where it needs no column of entries."""
    _check_sampling(sampling)
    if sampling == "acquisition" or sampling == "window":
        return sampling
    raise ValueError(
        f"sampling {sampling!r} needs the tenure at which each customer came into view: read the table by "
        "logs.retention_table_from_tenures(entry=...)"
    )


def _check_window_use(window: int, sampling: str) -> None:
    require_whole("window", window, 1)
    if window > 1 and sampling != "window":
        raise ValueError(f"window={window} belongs to sampling 'window', not {sampling!r}; leave it out")


def _checks(table: pd.DataFrame, sampling: str, window: int) -> list[Check]:
    """Checks of a table of the last periods: its length, and whether its survivors can have joined; none for others.

    A file of several periods does not show in which of them customers left.
    """
    if sampling != "window":
        return []
    detail = (
        f"Each customer who left did so in one of {window} periods, and counts as observed in all of them. The "
        "estimated losses are therefore too low, and survival is too high."
    )
    remedy = "Use a file of the last period only, or one with dates."
    numbers = (float(window), 1.0, "periods")
    several = [Check("Length of the window", False, *numbers, detail=detail, remedy=remedy)] if window > 1 else []
    return [*several, check_implied_joiners(table)]


def _check_losses_at_zero(counts: pd.DataFrame) -> list[Check]:
    """A failed check where customers left at tenure 0, as in a column of completed periods; else none."""
    lost, early = counts["churned"], counts["churned"] & (counts["tenure"] == 0)
    rows, all_lost = int(counts.loc[early, "spells"].sum()), int(counts.loc[lost, "spells"].sum())
    if rows == 0:
        return []
    detail = (
        f"{rows:,} of {all_lost:,} customers who left did so at tenure 0, before a first renewal, and do not count. If "
        "the column counts completed periods, all losses are dated a period too early."
    )
    remedy = "Use a column in days, or add 1 to the tenure of customers who left."
    return [Check("Losses at tenure 0", False, float(rows), 0.0, "customers", detail=detail, remedy=remedy)]


def _observe(counts: pd.DataFrame, sampling: Sampling, window: int) -> pd.DataFrame:
    """The counts with the entry of each customer: of a window, so many periods before the tenure."""
    return counts.assign(entry=(counts["tenure"] - window).clip(lower=0)) if sampling == "window" else counts


def _customers(counts: pd.DataFrame, covariates: Sequence[str], has_cause: bool) -> pd.DataFrame:
    """Customers who are alike, one row each, with ``weight``."""
    columns: dict[str, Any] = {name: counts[f"by{i}"] for i, name in enumerate(covariates)}
    columns |= {name: counts[name] for name in ("entry", "tenure", "churned", "nearest") if name in counts}
    if PRICE in counts:
        columns[PRICE] = counts[PRICE].where(~counts["churned"])
    if has_cause:
        columns["cause"] = _causes(counts["cause"]).where(counts["churned"], None)
    customers = pd.DataFrame(columns | {"weight": counts["spells"].astype("int64")})
    return customers.groupby(list(columns), dropna=False, as_index=False, observed=True).sum()


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
