"""Outcomes of units by period, from a log of purchases: the panel of a roll-out, counted where the data are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice, require_texts
from retention_models.core.dates import read_day
from retention_models.tables.engines import open_table
from retention_models.tables.files import is_path, is_text_file, naming
from retention_models.tables.frames import as_lazy, collect, move_to_engine, on_engine

Period = Literal["D", "W", "M", "Q"]
CALENDAR: dict[str, str] = {"D": "D", "W": "W-SUN", "M": "M", "Q": "Q"}  # as pandas calls calendar periods
OUTCOMES = ("orders", "buyers", "amount", "new_customers")
UNKNOWN = "no unit"


def event_panel(
    log: Any,
    *,
    panel_unit: str,
    period: Period = "W",
    outcomes: Sequence[str] = ("orders", "buyers"),
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = None,
    first_launch: str | dt.date | None = None,
) -> pd.DataFrame:
    """Orders, buyers, amounts and new customers by unit and period.

    Parameters
    ----------
    log
        Frame of pandas, Polars, DuckDB or Spark, or path of a file, one row an order.
    panel_unit
        The column of the unit, such as the store, region, channel or team.
    period
        ``"D"``, ``"W"`` (weeks from Monday, the default), ``"M"`` or ``"Q"``.
    outcomes
        Some of ``"orders"`` (rows), ``"buyers"`` (customers with an order in the period), ``"amount"`` and
        ``"new_customers"`` (customers whose first order falls in the period).
    customer_id, date, amount
        Names of the columns. ``amount`` is needed for the outcome of that name.
    first_launch
        Day of the first launch. A customer then belongs to the unit of most orders before it, and a new one to that of
        the first order, wherever they buy later. By default orders count where they are made.

    Returns
    -------
    pandas.DataFrame
        Columns ``panel_unit, period`` (first day) and the outcomes, one row a unit and period, with 0 where nothing
        happened. Incomplete periods at both ends are left out. ``attrs`` holds ``orders`` (counted), ``left_out``
        (orders in incomplete periods), ``without_unit`` (rows without a unit), and ``switched`` (share of orders made
        in another unit than that of the customer; None without ``first_launch``).

    Raises
    ------
    ValueError
        When a column is missing, an outcome is unknown, or no complete period is in the log.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> days = pd.date_range("2026-01-05", periods=21)  # three weeks from a Monday
    >>> log = pd.DataFrame({"customer_id": range(21), "date": days, "store": ["a", "b", "b"] * 7})
    >>> rm.interventions.event_panel(log, panel_unit="store", outcomes=["orders"])
      store     period  orders
    0     a 2026-01-05       3
    1     a 2026-01-12       2
    2     a 2026-01-19       2
    3     b 2026-01-05       4
    4     b 2026-01-12       5
    5     b 2026-01-19       5
    """
    check_choice("period", period, get_args(Period))
    require_texts("outcomes", outcomes)
    for name in outcomes:
        check_choice("outcomes", name, OUTCOMES)
    if "amount" in outcomes and amount is None:
        raise ValueError("the outcome 'amount' needs the column of the amount: amount='...'")
    columns = {"customer": customer_id, "date": date, "unit": panel_unit}
    kinds: Any = {"customer": "id", "date": "day", "unit": "text"}
    if amount is not None:
        columns, kinds = columns | {"amount": amount}, kinds | {"amount": "number"}
    with naming(log):
        keep = is_path(log) and is_text_file(log)
        rows = on_engine(open_table(log, columns, kinds, where="the log", keep=keep).to_native())
    rows = rows.with_columns(nw.col("unit").fill_null(UNKNOWN), nw.col("date").dt.truncate("1d"))
    days = collect(rows.select("date").unique()).sort_values("date", ignore_index=True)
    starts = _complete_periods(days["date"].iloc[0], days["date"].iloc[-1], period)
    days["period"] = days["date"].dt.to_period(CALENDAR[period]).dt.start_time
    switched = None
    if first_launch is not None:
        rows, switched = _at_home(rows, dt.datetime.combine(read_day("first_launch", first_launch), dt.time()))
    rows = rows.join(move_to_engine(as_lazy(days), rows), on="date", how="inner")
    table = _counted(rows, outcomes)
    without = int(table.loc[table["unit"] == UNKNOWN, "orders"].sum())
    table = table[table["unit"] != UNKNOWN]
    orders = int(table["orders"].sum())
    units = sorted(table["unit"].unique())
    grid = pd.MultiIndex.from_product([units, starts], names=["unit", "period"])
    found = table.set_index(["unit", "period"]).reindex(grid).fillna(0)
    whole = [name for name in found if name != "amount"]
    found = found.astype(dict.fromkeys(whole, np.int64)).reset_index()
    inside = int(found["orders"].sum())
    found = found[["unit", "period", *outcomes]].rename(columns={"unit": panel_unit})
    found.attrs = {"period": period, "orders": inside, "left_out": orders - inside, "without_unit": without}
    found.attrs["switched"] = switched
    return found


def _complete_periods(first: pd.Timestamp, last: pd.Timestamp, period: Period) -> pd.DatetimeIndex:
    """First days of the periods that lie within the log."""
    every = pd.period_range(first, last, freq=CALENDAR[period])
    complete = [each.start_time for each in every if each.start_time >= first and each.end_time.normalize() <= last]
    if not complete:
        raise ValueError(f"no whole period lies between {first.date()} and {last.date()}; choose a shorter period")
    return pd.DatetimeIndex(complete, name="period")


def _counted(rows: nw.LazyFrame[Any], outcomes: Sequence[str]) -> pd.DataFrame:
    """The outcomes of each unit and period in which there is an order; ``orders`` in any case."""
    sums = {"amount": nw.col("amount").sum()} if "amount" in outcomes else {}
    each = rows.group_by("unit", "period", "customer").agg(orders=nw.len(), **sums)
    both = {name: nw.col(name).sum() for name in ("orders", *sums)}
    found = collect(each.group_by("unit", "period").agg(**both, buyers=nw.len()))
    if "new_customers" in outcomes:
        firsts = rows.group_by("customer").agg(nw.col("date").min())
        joined = rows.join(firsts, on=["customer", "date"], how="inner").group_by("customer", "period")
        new = collect(joined.agg(nw.col("unit").min()).group_by("unit", "period").agg(new_customers=nw.len()))
        found = found.merge(new, on=["unit", "period"], how="left").fillna({"new_customers": 0})
    found["period"] = pd.to_datetime(found["period"])
    if "amount" in found:
        found["amount"] = found["amount"].round(6)
    return found.sort_values(["unit", "period"], ignore_index=True)


def _at_home(rows: nw.LazyFrame[Any], launch: dt.datetime) -> tuple[nw.LazyFrame[Any], float]:
    """The rows in the unit that each customer belongs to, and the share of orders that were made in another one."""
    known = rows.filter(nw.col("unit") != UNKNOWN)
    moved = known.rename({"unit": "place"}).join(_home_units(known, launch), on="customer", how="left")
    away = (nw.col("unit") != nw.col("place")).cast(nw.Int64).sum()
    found = collect(moved.select(away.alias("away"), nw.len().alias("orders"))).iloc[0]
    return moved, float(found["away"]) / max(float(found["orders"]), 1.0)


def _home_units(rows: nw.LazyFrame[Any], launch: dt.datetime) -> nw.LazyFrame[Any]:
    """The unit of each customer: of most orders before the launch, and of the first order for new customers."""
    early = (nw.col("date") < launch).cast(nw.Int64)
    each = rows.with_columns(early.alias("early")).group_by("customer", "unit")
    counts = each.agg(nw.col("early").sum(), nw.col("date").min().alias("first"))
    most = counts.group_by("customer").agg(nw.col("early").max().alias("most"))
    counts = counts.join(most, on="customer", how="inner").filter(nw.col("early") == nw.col("most"))
    soonest = counts.group_by("customer").agg(nw.col("first").min().alias("soonest"))
    counts = counts.join(soonest, on="customer", how="inner").filter(nw.col("first") == nw.col("soonest"))
    return counts.group_by("customer").agg(nw.col("unit").min())
