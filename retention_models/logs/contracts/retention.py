"""The retention table: customers at risk and lost at each renewal, by cohort.

Models of contracts need only this table. It is small for any log: the engine counts spells with the same renewals, and
returns only the counts.

Contracts run in whole periods. The renewals of a spell are one, two, three periods after its start. A renewal counts if
it was due within the observation. A period that is not complete does not count, because an early cancellation would
then count before the survivors of the same age. A customer who churns within a period counts as lost at its end.

If a spell began before observation and contracts end at renewals, its periods count from the first day of observation.
Each period then holds exactly one renewal. If contracts end on any day, the first period in view has lost its first
part, and churn in the rest of it is that of a higher age. It then counts for nobody, and periods count from the start.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import require_texts
from retention_models.core.dates import MONTHS
from retention_models.logs.contracts.contract_prices import PRICE_STD, mean_prices
from retention_models.logs.contracts.log import Spells, truncate_spells
from retention_models.logs.contracts.retention_counts import (
    AT_RENEWALS,
    KEPT,
    LOST,
    check_origin,
    count_spells,
    period_days,
    require_groups,
    share_off_renewals,
    tabulate_retention,
)
from retention_models.logs.contracts.rows import PRICE
from retention_models.logs.contracts.snapshot import Snapshot, tabulate_snapshot
from retention_models.tables.days import (
    Day,
    Period,
    check_period,
    completed_periods,
    day_number,
    period_name,
    period_offset,
    started_periods,
)
from retention_models.tables.frames import collect, count_distinct, on_engine

NO_WHOLE_PERIOD = "spells without a whole period of their own in view"


def retention_table(spells: Spells | Snapshot, *, period: Period, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Customers at risk and lost at each renewal, by cohort: the table that ``fit`` takes.

    Parameters
    ----------
    spells
        The result of ``read_contracts``, or the ``Snapshot`` of ``choose_settings``, which has no cohorts.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days; of a snapshot, its own.
    by
        Covariates of the spells that define groups. By default there are no groups.

    Returns
    -------
    pandas.DataFrame
        One row per cohort, group and renewal: ``cohort`` (month, year or first day of the start, as text), the columns
        of ``by``, ``tenure`` (number of the renewal, from 1), ``at_risk`` (customers who came to this renewal),
        ``lost`` (customers who churned at it) and, with causes, ``lost_<cause>`` for each cause. ``attrs`` holds the
        dates, the checks, and the number of spells without a renewal yet.

    Raises
    ------
    ValueError
        When no spell has come to a renewal, ``period`` is not valid, or ``by`` is not a covariate or has missing
        values.

    Notes
    -----
    A customer who churns within a period counts as lost at the end of it.

    If contracts can end on any day, a short period is better. Survival is right with any period. But active customers
    are within a period and have survived a part of it. Their value is too low by about half the churn of one period.

    Contracts that were running when observation began count from then on. If nearly all contracts end at renewals,
    their first renewal in view counts. Otherwise only whole periods in view count, because churn in the rest of a
    period is not that of the whole. A window of one month then has few whole months; choose a shorter period for it.
    ``attrs`` counts the spells without a whole period in view.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({
    ...     "customer_id": range(5),
    ...     "start": ["2023-01-15", "2023-01-20", "2023-01-31", "2023-02-01", "2023-02-01"],
    ...     "end": ["2023-02-14", None, "2023-03-31", "2023-04-20", None],
    ... })
    >>> spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-04-30")
    >>> rm.retention_table(spells, period="M")
        cohort  tenure  at_risk  lost
    0  2023-01       1        3     1
    1  2023-01       2        2     1
    2  2023-01       3        1     0
    3  2023-02       1        2     0
    4  2023-02       2        2     0
    """
    names = [by] if isinstance(by, str) else list(by)
    check_period(period)
    _check_by(names, spells)
    if isinstance(spells, Snapshot):
        _check_unit(spells, period)
        return tabulate_snapshot(spells, names)
    from_start = not end_at_renewals(spells, period)
    counts = count_spells(_renewals(spells, period, names, from_start=from_start), names)
    came = counts["_last"] >= counts["_first"]
    if not came.any():
        raise ValueError(
            f"none of {spells.rows:,} spells has come to a renewal by {spells.observation_end}; "
            f"{_no_renewal_reason(spells, period, from_start=from_start)}"
        )
    table = tabulate_retention(counts[came], ["cohort", *names], spells.has_cause)
    table["cohort"] = _cohort_names(table["cohort"], period)
    rule = NO_WHOLE_PERIOD if from_start and spells.observation_start else "spells that have come to no renewal yet"
    not_due = {rule: int(counts.loc[~came, "spells"].sum())}
    table.attrs.update(_attrs(spells, period, table, not_due))
    return table


def active_customers(spells: Spells | Snapshot, *, period: Period, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Active customers at the end of observation, by cohort and number of renewals.

    ``forecast_retention`` takes this table.

    Parameters
    ----------
    spells
        The result of ``read_contracts``, or the ``Snapshot`` of ``choose_settings``, which has no cohorts.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days; of a snapshot, its own.
    by
        Covariates of the spells that define groups. By default there are no groups.

    Returns
    -------
    pandas.DataFrame
        ``cohort`` (text), the columns of ``by``, ``tenure`` (renewals made, 0 for none yet), and ``weight`` (number of
        customers). If contracts end on any day, ``tenure`` is the number of periods, rounded to the nearest. If the
        spells have prices, ``price`` is the mean of these customers, and ``price_std`` the standard deviation.

    Raises
    ------
    ValueError
        When ``period`` is not valid, or ``by`` is not a covariate or has missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({"customer_id": range(3), "start": ["2023-01-15", "2023-03-31", "2023-04-20"], "end": None})
    >>> spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-04-30")
    >>> rm.logs.active_customers(spells, period="M")
        cohort  tenure  weight
    0  2023-01       3       1
    1  2023-03       1       1
    2  2023-04       0       1
    """
    names = [by] if isinstance(by, str) else list(by)
    check_period(period)
    _check_by(names, spells)
    if isinstance(spells, Snapshot):
        _check_unit(spells, period)
        active = spells.frame[~spells.frame["churned"]]
        if "nearest" in active:
            active = active.assign(tenure=active["nearest"])
        keys = [*names, "tenure"]
        active = mean_prices(active, keys) if spells.price else active.groupby(keys)["weight"].sum().reset_index()
        active.attrs["period"] = period
        return active
    rows = _active(spells, period)
    prices, paid = nw.col(PRICE), nw.col(PRICE_STD)
    priced = {PRICE: prices.mean(), PRICE_STD: paid.std(ddof=0)} if spells.price else {}
    rows = rows.with_columns(prices.alias(name) for name in priced).select("cohort", *names, "tenure", *priced)
    counts = count_spells(rows, names, **priced).rename(columns={"spells": "weight"}).round(dict.fromkeys(priced, 6))
    counts = counts.sort_values(["cohort", *names, "tenure"], ignore_index=True)
    counts.attrs["period"] = period
    return counts.assign(cohort=_cohort_names(counts["cohort"], period))


def active_contracts(spells: Spells, *, period: Period, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """The active contracts at the end of observation, one row each.

    ``predict`` and ``value.contracts_at_risk`` take this table.

    Parameters
    ----------
    spells
        The result of ``read_contracts``.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days.
    by
        Covariates of the spells to keep. By default none.

    Returns
    -------
    pandas.DataFrame
        ``customer_id``, ``cohort`` (text), ``tenure`` (as in ``active_customers``), the columns of ``by``, and
        ``price`` if the spells have prices; sorted by ``customer_id``. If overlapping contracts were kept apart, a
        customer can have several rows.

    Raises
    ------
    ValueError
        When ``spells`` are a snapshot, which has no ids of customers, ``period`` is not valid, or ``by`` is not a
        covariate or has missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> log = pd.DataFrame({"customer_id": range(3), "start": ["2023-01-15", "2023-03-31", "2023-04-20"], "end": None})
    >>> spells = rm.read_contracts(log, sampling="acquisition", observation_end="2023-04-30")
    >>> rm.logs.active_contracts(spells, period="M")
       customer_id   cohort  tenure
    0            0  2023-01       3
    1            1  2023-03       1
    2            2  2023-04       0
    """
    names = [by] if isinstance(by, str) else list(by)
    check_period(period)
    _check_by(names, spells)
    if isinstance(spells, Snapshot):
        raise ValueError(
            "a snapshot counts customers who are alike and has no customer_id; pass read_contracts(...), or count them "
            "with active_customers(snapshot, period=...)"
        )
    columns = ["customer_id", "cohort", "tenure", *names]
    active = collect(_active(spells, period).select(*columns, *([PRICE] if spells.price else [])))
    require_groups(active.assign(spells=1), {name: name for name in names})
    active = active.sort_values(columns, ignore_index=True)
    active.attrs["period"] = period
    return active.assign(cohort=_cohort_names(active["cohort"], period))


def _active(spells: Spells, period: Period) -> nw.LazyFrame[Any]:
    """The active contracts, with the number of their ``cohort`` and the renewals made as ``tenure``."""
    rows = on_engine(spells.frame).filter(~nw.col("churned"))
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    made = completed_periods(start, _day_of_tenures(spells, period), period)
    return rows.with_columns(cohort=_cohort(start, period), tenure=made)


def renewals_since(spells: Spells, day: str | dt.date, *, period: Period, renewals: int) -> pd.DataFrame:
    """Renewals that the customers of an earlier day have made since then, for a backtest.

    Each period after the day holds one renewal of every contract. A customer who churns within a period does not make
    its renewal.

    Parameters
    ----------
    spells
        The result of ``read_contracts``.
    day
        The earlier day; ``renewals`` periods must have passed since.
    period
        Length of a contract: ``"M"`` (a month), ``"Y"`` (a year), or a number of days.
    renewals
        Number of renewals after that day.

    Returns
    -------
    pandas.DataFrame
        ``tenure`` (renewals made by that day, as ``active_customers`` counts them), ``made`` (renewals made since, up
        to ``renewals``), and ``weight`` (customers).

    Raises
    ------
    ValueError
        When the renewals run beyond the last day of observation.
    """
    then = truncate_spells(spells, day)
    last = pd.Timestamp(then.observation_end) + renewals * period_offset(period)
    if last > pd.Timestamp(spells.observation_end):
        raise ValueError(
            f"{renewals} renewals after {then.observation_end} run to {last.date()}, and observation ends on "
            f"{spells.observation_end}; choose an earlier day or fewer renewals"
        )
    rows, origin = on_engine(spells.frame), Day.constant(then.observation_end)
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    rows, end = Day.in_column("end").add_columns(rows, "_end")
    still = ~nw.col("churned") | (end.number > day_number(then.observation_end))
    rows = rows.filter((start.number <= day_number(then.observation_end)) & still)
    stayed = nw.when(nw.col("churned")).then(started_periods(origin, end, period) - 1).otherwise(renewals)
    made = nw.min_horizontal(stayed, nw.lit(renewals))
    rows = rows.select(tenure=completed_periods(start, _day_of_tenures(then, period), period), made=made)
    counts = collect(rows.group_by("tenure", "made").agg(weight=nw.len()))
    return counts.astype("int64").sort_values(["tenure", "made"], ignore_index=True)


def durations(spells: Spells | Snapshot, *, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """The distinct spells by entry, tenure and outcome, and how many customers share each.

    Survival curves need only this table of a log. The engine of the log counts.

    Parameters
    ----------
    spells
        The result of ``read_contracts``, or a ``Snapshot``.
    by
        Covariates of the spells that define groups. By default there are no groups.

    Returns
    -------
    pandas.DataFrame
        The columns of ``by``, ``entry`` and ``tenure`` (days; of a snapshot, periods), ``churned``, ``cause`` if there
        is one, and ``weight`` (customers).
    """
    names = [by] if isinstance(by, str) else list(by)
    _check_by(names, spells)
    keys = [*names, "entry", "tenure", "churned", *(["cause"] if spells.has_cause else [])]
    if isinstance(spells, Snapshot):
        return spells.frame.groupby(keys, dropna=False)["weight"].sum().reset_index()
    counts = count_distinct(on_engine(spells.frame), keys, weight=nw.len())
    return counts.sort_values(keys, ignore_index=True)


def end_at_renewals(spells: Spells, period: Period) -> bool:
    """Whether nearly all contracts of a log end at renewals; also where too few have ended to tell."""
    ended = on_engine(spells.frame).filter(nw.col("churned"))
    counts = count_distinct(ended, ["tenure"], weight=nw.len())
    return 1 - share_off_renewals(counts["tenure"], counts["weight"], period) >= AT_RENEWALS


def _day_of_tenures(spells: Spells, period: Period) -> Day:
    """The day up to which the periods of active customers count.

    Where contracts end at renewals it is the last day of observation. Where they end on any day, active customers are
    within a period. It is then half a period later, so that tenures are rounded to the nearest number.
    """
    last = pd.Timestamp(spells.observation_end)
    if not end_at_renewals(spells, period):
        last += pd.Timedelta(days=int(period_days(period) / 2))
    return Day.constant(last.date())


def _no_renewal_reason(spells: Spells, period: Period, *, from_start: bool) -> str:
    """What to change where no renewal falls into the days observed."""
    if spells.observation_start is None:
        return "is the period too long?"
    if from_start:
        return (
            f"contracts end on any day, and none was observed for a whole {period_name(period)} of its own since "
            f"{spells.observation_start}. Choose a shorter period, such as 7 days"
        )
    return (
        f"does a whole period lie between the day that observation began with, {spells.observation_start}, and then? "
        "All of June lies between 31 May and 30 June"
    )


def require_spells(spells: object) -> None:
    """Raise a TypeError unless the contracts are read and checked."""
    if not isinstance(spells, Spells | Snapshot):
        raise TypeError(
            "contracts must be those that read_contracts(...) returns, or a snapshot; got "
            f"{type(spells).__name__}: pass the result of read_contracts(...)"
        )


def _check_by(by: Sequence[str], spells: Spells | Snapshot) -> None:
    require_spells(spells)
    require_texts("by", by, "['plan']")
    known = spells.covariates if isinstance(spells, Snapshot) else ("spell", *spells.covariates)
    unknown = [name for name in by if name not in known]
    if unknown:
        raise ValueError(
            f"by={', '.join(unknown)}: the spells have {', '.join(known) or 'no groups'}; "
            "name further columns in read_contracts(covariates=...)"
        )


def _check_unit(snapshot: Snapshot, period: Period) -> None:
    """An error where a snapshot is asked about another period than its own."""
    if period != snapshot.period:
        own = period_name(snapshot.period)
        raise ValueError(
            f"the snapshot counts tenure in {own}s and has no dates from which another period could be counted: "
            f"period must be {snapshot.period!r}, not {period!r}"
        )


def _renewals(spells: Spells, period: Period, by: Sequence[str], *, from_start: bool) -> nw.LazyFrame[Any]:
    """Each spell's cohort, the first and last renewal to which it came, and why it was lost at the last, if it was.

    ``from_start`` counts whole periods from the start of each spell, else they count from the first day in view.
    """
    rows = on_engine(spells.frame)
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    rows, end = Day.in_column("end").add_columns(rows, "_end")
    until, begin = Day.constant(spells.observation_end), start
    if spells.observation_start is not None:
        rows, begin = start.or_later(Day.constant(spells.observation_start)).add_columns(rows, "_begin")
    made = (started_periods if from_start else completed_periods)(start, begin, period)
    origin, before = (start, nw.lit(0)) if from_start else (begin, nw.col("_made"))
    rows = rows.with_columns(
        _made=made,
        _due=completed_periods(origin, until, period),
        _left=nw.when(nw.col("churned")).then(nw.max_horizontal(started_periods(origin, end, period), nw.lit(1))),
    )
    lost = nw.col("churned") & (nw.col("_left") <= nw.col("_due"))
    return rows.select(
        *by,
        cohort=_cohort(start, period),
        _first=nw.col("_made") + 1,
        _last=before + nw.when(lost).then(nw.col("_left")).otherwise(nw.col("_due")),
        _lost=nw.when(lost).then(nw.col("cause") if spells.has_cause else nw.lit(LOST)).otherwise(nw.lit(KEPT)),
    )


def _cohort(start: Day, period: Period) -> nw.Expr:
    """The number of the month, the year, or the period of some days in which a spell started."""
    return start.number // period if isinstance(period, int) else (start.month - 1) // MONTHS[period]


def _cohort_names(cohort: pd.Series, period: Period) -> pd.Series:
    """Cohorts as text: 2023-01, 2023, or the first day of the period."""
    if isinstance(period, int):
        return cohort.map(lambda number: dt.date.fromordinal(max(int(number) * period, 1)).isoformat())
    if period == "Y":
        return cohort.astype(int).astype(str)
    return cohort.map(lambda month: f"{int(month) // 12:04d}-{int(month) % 12 + 1:02d}")


def _attrs(spells: Spells, period: Period, table: pd.DataFrame, not_due: dict[str, int]) -> dict[str, Any]:
    """What a report wants to say of the table, in plain values that JSON can hold."""
    return {
        "period": period,
        "sampling": spells.sampling,
        "observation_start": spells.observation_start and spells.observation_start.isoformat(),
        "observation_end": spells.observation_end.isoformat(),
        "spells": spells.rows,
        "set_aside": dict(spells.set_aside),
        "settled": dict(spells.settled) | {rule: count for rule, count in not_due.items() if count},
        "checks": [asdict(check) for check in (check_origin(table), *spells.checks[1:])],
    }
