"""Outcomes of units by period, from a log of purchases: the panel of a roll-out, counted where the data are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import check_choice, require_texts, require_whole
from retention_models.core.dates import read_day
from retention_models.tables.engines import open_table
from retention_models.tables.files import is_path, is_text_file, naming
from retention_models.tables.frames import as_lazy, collect, count_distinct, move_to_engine, on_engine

Period = Literal["D", "W", "M", "Q"]
CALENDAR: dict[str, str] = {"D": "D", "W": "W-SUN", "M": "M", "Q": "Q"}  # as pandas calls calendar periods
SHARES = {"retained_share": ("retained", "at_risk"), "churn": ("lost", "at_risk")}  # and what each is a ratio of
MONEY = {"amount": "amount", "discounts": "discount", "discounted_orders": "discount"}  # and the column of each
OUTCOMES = ("orders", "buyers", "amount", "new_customers", "discounts", "discounted_orders", *SHARES)
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
    discount: str | None = None,
    first_launch: str | dt.date | None = None,
    active_within: int = 1,
) -> pd.DataFrame:
    """Orders, buyers, amounts, new customers, retention and churn by unit and period.

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
        ``"new_customers"`` (customers whose first order falls in the period). ``"discounts"`` is the sum of what orders
        cost less, and ``"discounted_orders"`` the number of orders with a discount. ``"retained_share"`` is the share
        of customers at risk who order in the period, and ``"churn"`` the share who do not. The counts have columns of
        their own: ``at_risk``, ``retained`` and ``lost``.
    customer_id, date, amount, discount
        Names of the columns. ``amount`` is needed for the outcome of that name, and ``discount`` (in money) for
        ``"discounts"`` and ``"discounted_orders"``.
    first_launch
        Day of the first launch. A customer then belongs to the unit of most orders before it, and a new one to that of
        the first order, wherever they buy later. By default orders count where they are made.
    active_within
        Number of periods before a period. A customer with an order of the unit in them is at risk. By default 1: the
        period before.

    Returns
    -------
    pandas.DataFrame
        Columns ``panel_unit, period`` (first day) and the outcomes, one row a unit and period, with 0 where nothing
        happened. A share is missing where nobody is at risk. Incomplete periods at both ends are left out. With a
        share, so are the first ``active_within`` periods, since nobody knows who is at risk in them. ``attrs`` holds
        ``orders`` (counted), ``left_out`` (orders in periods left out), ``without_unit`` (rows without a unit),
        ``switched`` (share of orders made in another unit than that of the customer; None without ``first_launch``),
        and ``active_within`` (None without a share).

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

    Of the customers at risk, who ordered in the week before, none comes back in this log:

    >>> rm.interventions.event_panel(log, panel_unit="store", outcomes=["churn"]).head(1)
      store     period  at_risk  lost  churn
    0     a 2026-01-12        3     3    1.0
    """
    check_choice("period", period, get_args(Period))
    require_whole("active_within", active_within, 1)
    require_texts("outcomes", outcomes)
    for name in outcomes:
        check_choice("outcomes", name, OUTCOMES)
    money = {"amount": amount, "discount": discount}
    for name in outcomes:
        if name in MONEY and money[MONEY[name]] is None:
            column = MONEY[name]
            raise ValueError(f"the outcome {name!r} needs the column of the {column}: {column}='...'")
    columns = {"customer": customer_id, "date": date, "unit": panel_unit}
    kinds: Any = {"customer": "id", "date": "day", "unit": "text"}
    given = {name: column for name, column in money.items() if column is not None}
    columns, kinds = columns | given, kinds | dict.fromkeys(given, "number")
    with naming(log):
        keep = is_path(log) and is_text_file(log)
        rows = on_engine(open_table(log, columns, kinds, where="the log", keep=keep).to_native())
    rows = rows.with_columns(nw.col("unit").fill_null(UNKNOWN), nw.col("date").dt.truncate("1d"))
    days = count_distinct(rows, ["date"], orders=nw.len())[["date"]].sort_values("date", ignore_index=True)
    starts = _complete_periods(days["date"].iloc[0], days["date"].iloc[-1], period)
    calendar = days["date"].dt.to_period(CALENDAR[period])
    days["period"], days["place"] = calendar.dt.start_time, _places(calendar, starts[0].to_period(CALENDAR[period]))
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
    whole = [name for name in found if name not in ("amount", "discounts")]
    found = found.astype(dict.fromkeys(whole, np.int64))
    shares = [name for name in outcomes if name in SHARES]
    if shares:
        found = _with_shares(found, _gaps(rows, active_within), shares, active_within)
    found = found.reset_index()
    inside = int(found["orders"].sum())
    shown = [name for outcome in outcomes for name in (*SHARES.get(outcome, ())[::-1], outcome)]
    found = found[["unit", "period", *dict.fromkeys(shown)]].rename(columns={"unit": panel_unit})
    found.attrs = {"period": period, "orders": inside, "left_out": orders - inside, "without_unit": without}
    found.attrs |= {"switched": switched, "active_within": active_within if shares else None}
    return found


def _complete_periods(first: pd.Timestamp, last: pd.Timestamp, period: Period) -> pd.DatetimeIndex:
    """First days of the periods that lie within the log."""
    every = pd.period_range(first, last, freq=CALENDAR[period])
    complete = [each.start_time for each in every if each.start_time >= first and each.end_time.normalize() <= last]
    if not complete:
        raise ValueError(f"no whole period lies between {first.date()} and {last.date()}; choose a shorter period")
    return pd.DatetimeIndex(complete, name="period")


def _places(calendar: pd.Series, first: pd.Period) -> NDArray[np.int64]:
    """The number of periods since the first complete one."""
    return np.array([each.ordinal for each in calendar], dtype=np.int64) - first.ordinal


def _gaps(rows: nw.LazyFrame[Any], longest: int) -> pd.DataFrame:
    """Customers of each unit by a period with an order and the number of periods to their next one with an order.

    A customer who comes back after more than ``longest`` periods, or never, has a gap of ``longest + 1``.
    """
    each = rows.filter(nw.col("unit") != UNKNOWN).group_by("unit", "customer", "place").agg(orders=nw.len())
    later = nw.col("place").shift(-1).over("unit", "customer", order_by="place")
    gap = (later - nw.col("place")).fill_null(longest + 1)
    gaps = each.with_columns(gap.alias("gap")).with_columns(
        nw.when(nw.col("gap") > longest).then(nw.lit(longest + 1)).otherwise(nw.col("gap")).alias("gap")
    )
    return collect(gaps.group_by("unit", "place", "gap").agg(customers=nw.len()))


def _with_shares(found: pd.DataFrame, gaps: pd.DataFrame, shares: Sequence[str], longest: int) -> pd.DataFrame:
    """The panel with the customers at risk and what became of them, without the first periods.

    A customer is at risk in each period after an order until the next one, and for at most ``longest`` periods.
    """
    units, starts = (found.index.unique(name) for name in ("unit", "period"))
    at_risk, retained = np.zeros((2, len(units), len(starts)), dtype=np.int64)
    unit = units.get_indexer(pd.Index(gaps["unit"]))
    place, gap, customers = (gaps[name].to_numpy(dtype=np.int64) for name in ("place", "gap", "customers"))
    for since in range(1, longest + 1):
        inside = (place + since >= 0) & (place + since < len(starts)) & (gap >= since)
        np.add.at(at_risk, (unit[inside], place[inside] + since), customers[inside])
        back = inside & (gap == since)
        np.add.at(retained, (unit[back], place[back] + since), customers[back])
    counts = {"at_risk": at_risk, "retained": retained, "lost": at_risk - retained}
    found = found.assign(**{name: count.ravel() for name, count in counts.items()})
    for name in shares:
        part, whole = SHARES[name]
        found[name] = found[part] / found[whole].where(found[whole] > 0)
    kept = found[found.index.get_level_values("period").isin(starts[longest:])]
    if kept.empty:
        raise ValueError(
            f"the log has {len(starts)} complete periods and active_within is {longest}: no period is left; state "
            "fewer, or choose a shorter period"
        )
    return kept


def _counted(rows: nw.LazyFrame[Any], outcomes: Sequence[str]) -> pd.DataFrame:
    """The outcomes of each unit and period in which there is an order; ``orders`` in any case."""
    discounted = (nw.col("discount") > 0).cast(nw.Int64) if "discounted_orders" in outcomes else None
    every = {"amount": nw.col("amount"), "discounts": nw.col("discount"), "discounted_orders": discounted}
    sums = {name: each.sum() for name, each in every.items() if name in outcomes and each is not None}
    each = rows.group_by("unit", "period", "customer").agg(orders=nw.len(), **sums)
    both = {name: nw.col(name).sum() for name in ("orders", *sums)}
    found = collect(each.group_by("unit", "period").agg(**both, buyers=nw.len()))
    if "new_customers" in outcomes:
        firsts = rows.group_by("customer").agg(nw.col("date").min())
        joined = rows.join(firsts, on=["customer", "date"], how="inner").group_by("customer", "period")
        new = collect(joined.agg(nw.col("unit").min()).group_by("unit", "period").agg(new_customers=nw.len()))
        found = found.merge(new, on=["unit", "period"], how="left").fillna({"new_customers": 0})
    found["period"] = pd.to_datetime(found["period"])
    for name in {"amount", "discounts"} & set(found):
        found[name] = found[name].round(6)
    return found.sort_values(["unit", "period"], ignore_index=True)


def _at_home(rows: nw.LazyFrame[Any], launch: dt.datetime) -> tuple[nw.LazyFrame[Any], float]:
    """The rows in the unit that each customer belongs to, and the share of orders that were made in another one."""
    known = rows.filter(nw.col("unit") != UNKNOWN)
    moved = known.rename({"unit": "made_in"}).join(_home_units(known, launch), on="customer", how="left")
    away = (nw.col("unit") != nw.col("made_in")).cast(nw.Int64).sum()
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
