"""The retention table: how many were at risk of leaving at each renewal, and how many left, cohort by cohort.

It is all that the models of contracts need of a log, and is small whatever the log: the engine counts spells that came
to the same renewals, and only these counts are brought back.

Contracts run in whole periods. A spell comes to its renewals one, two, three periods after its start, and counts at
those that fell due while it was observed, whatever became of it in a period not yet complete: to count an early
cancellation before the others of its age could stay would be to see leavers only. Whoever left within a period is lost
at its end. A spell that had begun before observation did counts periods from the first day observed, each a period of
its tenure; every such period holds exactly one renewal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.logs.contracts.log import Spells, as_of
from retention_models.logs.contracts.retention_counts import KEPT, LOST, added_up, check_origin, counted
from retention_models.tables.days import (
    MONTHS,
    Day,
    Period,
    check_period,
    completed_periods,
    day_number,
    period_offset,
    started_periods,
)
from retention_models.tables.engines import collect, on_engine


def retention_table(spells: Spells, *, period: Period, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """Customers at risk and lost at each renewal, by cohort: what ``fit`` takes.

    Parameters
    ----------
    spells
        From ``read_contracts``.
    period
        How long a contract runs before it is renewed: ``"M"`` a month, ``"Y"`` a year, or a number of days.
    by
        Covariates of the spells to tell apart.

    Returns
    -------
    pandas.DataFrame
        One row for each cohort, each value of ``by``, and each renewal to which any of them came: ``cohort`` (the
        month or year of the start, or the first day of its period, as text), ``tenure`` (1 for the first renewal),
        ``at_risk``, ``lost`` and, where there are causes, ``lost_<cause>`` for each. Its ``attrs`` say where it comes
        from, and how many spells have come to no renewal yet.

    Notes
    -----
    Where contracts can end on any day, a short period is the better one. What a model says of customers from their
    start on is right with any. But who is within a period has outlived a part of it, so that values are too low by
    about half the losses of a period. And where observation began within a period, the whole period from that day on
    stands for the one begun: losses are dated up to a period too early, and survival comes out too high where many
    leave soon (after six months 69 % instead of 67 %, in a snapshot of a month of customers of whom 8 % leave in the
    first month).

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
    counts = counted(_renewals(spells, period, names), names)
    came = counts["_last"] >= counts["_first"]
    if not came.any():
        raise ValueError(
            f"none of {spells.rows:,} spells has come to a renewal by {spells.observation_end}; {_why_none(spells)}"
        )
    table = added_up(counts[came], ["cohort", *names], spells.has_cause)
    table["cohort"] = _cohort_names(table["cohort"], period)
    table.attrs.update(_attrs(spells, period, table, int(counts.loc[~came, "spells"].sum())))
    return table


def with_calendar(table: pd.DataFrame) -> pd.DataFrame:
    """A retention table with the column ``calendar``: the month or year in which each row's renewal fell due, as text.

    What a price rise or a season is joined to. For tables from ``retention_table`` with the period "M" or "Y".

    Examples
    --------
    >>> import pandas as pd
    >>> from retention_models.logs.contracts.retention import with_calendar
    >>> table = pd.DataFrame({"cohort": ["2023-11", "2023-11"], "tenure": [1, 2], "at_risk": [9, 8], "lost": [1, 0]})
    >>> table.attrs["period"] = "M"
    >>> with_calendar(table)["calendar"].tolist()
    ['2023-12', '2024-01']
    """
    period = table.attrs.get("period")
    if period not in MONTHS:
        raise ValueError(
            f"only renewals by the month or the year fall into calendar months or years; period is {period!r}"
        )
    due = pd.PeriodIndex(table["cohort"], freq=period) + table["tenure"].to_numpy()
    return table.assign(calendar=due.astype(str))


def active_customers(spells: Spells, *, period: Period, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """The customers still there when observation ended, by how many renewals they have made: the base to be valued.

    Parameters are those of ``retention_table``.

    Returns
    -------
    pandas.DataFrame
        ``cohort``, the values of ``by``, ``tenure`` (renewals made, 0 for those who have come to none) and ``weight``,
        how many customers share them.

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
    rows = on_engine(nw.from_native(spells.frame).to_native()).filter(~nw.col("churned"))
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    made = completed_periods(start, Day.constant(spells.observation_end), period)
    rows = rows.with_columns(cohort=_cohort(start, period), tenure=made).select("cohort", *names, "tenure")
    counts = counted(rows, names).rename(columns={"spells": "weight"})
    counts = counts.sort_values(["cohort", *names, "tenure"], ignore_index=True)
    return counts.assign(cohort=_cohort_names(counts["cohort"], period))


def renewals_since(spells: Spells, day: str | dt.date, *, period: Period, renewals: int) -> pd.DataFrame:
    """How many more renewals the customers of an earlier day have made: what a forecast of that day is held against.

    Each period after the day holds one renewal of every contract, and is lost to whoever leaves within it, be it at the
    renewal or before.

    Parameters
    ----------
    spells
        From ``read_contracts``.
    day
        The earlier day; ``renewals`` periods must have passed since.
    period
        As in ``retention_table``.
    renewals
        How many renewals after that day are looked at.

    Returns
    -------
    pandas.DataFrame
        ``tenure`` (renewals made by that day), ``made`` (those made since, up to ``renewals``), ``weight`` (customers).
    """
    then = as_of(spells, day)
    last = pd.Timestamp(then.observation_end) + renewals * period_offset(period)
    if last > pd.Timestamp(spells.observation_end):
        raise ValueError(
            f"{renewals} renewals after {then.observation_end} run to {last.date()}, and observation ends on "
            f"{spells.observation_end}; choose an earlier day or fewer renewals"
        )
    rows, origin = on_engine(nw.from_native(spells.frame).to_native()), Day.constant(then.observation_end)
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    rows, end = Day.in_column("end").add_columns(rows, "_end")
    still = ~nw.col("churned") | (end.number > day_number(then.observation_end))
    rows = rows.filter((start.number <= day_number(then.observation_end)) & still)
    stayed = nw.when(nw.col("churned")).then(started_periods(origin, end, period) - 1).otherwise(renewals)
    made = nw.min_horizontal(stayed, nw.lit(renewals))
    rows = rows.select(tenure=completed_periods(start, origin, period), made=made)
    counts = collect(rows.group_by("tenure", "made").agg(weight=nw.len()))
    return counts.astype("int64").sort_values(["tenure", "made"], ignore_index=True)


def durations(spells: Spells, *, by: str | Sequence[str] = ()) -> pd.DataFrame:
    """The distinct spells by ``entry, tenure, churned`` (days), ``cause`` and the values of ``by``, with ``weight``.

    All that curves of survival need of a log: who shares these is counted, where the log is.
    """
    names = [by] if isinstance(by, str) else list(by)
    _check_by(names, spells)
    keys = [*names, "entry", "tenure", "churned", *(["cause"] if spells.has_cause else [])]
    counts = collect(on_engine(nw.from_native(spells.frame).to_native()).group_by(*keys).agg(weight=nw.len()))
    return counts.sort_values(keys, ignore_index=True)


def _why_none(spells: Spells) -> str:
    """What to change where no renewal falls into the days observed."""
    if spells.observation_start is None:
        return "is the period too long?"
    return (
        f"does a whole period lie between the day that observation began with, {spells.observation_start}, and then? "
        "All of June lies between 31 May and 30 June"
    )


def _check_by(by: Sequence[str], spells: Spells) -> None:
    known = ("spell", *spells.covariates)
    unknown = [name for name in by if name not in known]
    if unknown:
        raise ValueError(
            f"by={', '.join(unknown)}: the spells know {', '.join(known)}; "
            "name further columns in read_contracts(covariates=...)"
        )


def _renewals(spells: Spells, period: Period, by: Sequence[str]) -> nw.LazyFrame[Any]:
    """Each spell's cohort, the first and last renewal to which it came, and why it was lost at the last, if it was."""
    rows = on_engine(nw.from_native(spells.frame).to_native())
    rows, start = Day.in_column("start").add_columns(rows, "_start")
    rows, end = Day.in_column("end").add_columns(rows, "_end")
    until, begin = Day.constant(spells.observation_end), start
    if spells.observation_start is not None:
        rows, begin = start.or_later(Day.constant(spells.observation_start)).add_columns(rows, "_begin")
    rows = rows.with_columns(
        _made=completed_periods(start, begin, period),
        _due=completed_periods(begin, until, period),
        _left=nw.when(nw.col("churned")).then(nw.max_horizontal(started_periods(begin, end, period), nw.lit(1))),
    )
    lost = nw.col("churned") & (nw.col("_left") <= nw.col("_due"))
    return rows.select(
        *by,
        cohort=_cohort(start, period),
        _first=nw.col("_made") + 1,
        _last=nw.col("_made") + nw.when(lost).then(nw.col("_left")).otherwise(nw.col("_due")),
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


def _attrs(spells: Spells, period: Period, table: pd.DataFrame, not_due: int) -> dict[str, Any]:
    """What a report wants to say of the table, in plain values that JSON can hold."""
    return {
        "period": period,
        "sampling": spells.sampling,
        "observation_start": spells.observation_start and spells.observation_start.isoformat(),
        "observation_end": spells.observation_end.isoformat(),
        "spells": spells.rows,
        "set_aside": dict(spells.set_aside),
        "settled": dict(spells.settled) | ({"spells that have come to no renewal yet": not_due} if not_due else {}),
        "checks": [asdict(check) for check in (check_origin(table), *spells.checks[1:])],
    }
