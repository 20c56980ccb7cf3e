"""Purchases: all that a customer buys within one period is one purchase.

Each function adds a step to an expression that runs where the log lives. Nothing is computed yet.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, get_args

import narwhals as nw

from retention_models.core.arguments import check_choice
from retention_models.core.dates import read_day
from retention_models.logs.transactions.log import Granularity, Transactions
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.logs.transactions.returns import net_purchases
from retention_models.tables.engines import require_columns
from retention_models.tables.frames import collect, on_engine

Period = Literal["D", "W", "M", "Q", "Y"]

COLUMNS = ("customer_id", "date", "amount")
READ_FIRST = (
    "Read the log first, with read_transactions(log, customer_id=..., date=..., amount=...), with amount=None for no "
    "money, and pass the result"
)
EVERY = {"s": "1s", "min": "1m", "h": "1h", "D": "1d", "M": "1mo", "Q": "1q", "Y": "1y"}


def purchases(
    transactions: Transactions, granularity: Granularity = "D", *, cut: dt.date | None = None
) -> nw.LazyFrame[Any]:
    """One row for each customer and period in which they bought: ``customer_id, period, amount``, not yet computed.

    What a customer buys within one period, a day unless ``granularity`` says otherwise, is one purchase. ``period`` is
    its beginning: a date for days and weeks (which begin on Monday), otherwise a time. Purchases are net of the returns
    dated by the last day observed; those up to a ``cut``, of the returns dated by it.
    """
    return group_rows(transactions, purchase_rows(transactions, cut=cut), granularity)


def purchase_rows(transactions: Transactions, *, cut: dt.date | None = None) -> nw.LazyFrame[Any]:
    """The rows that are purchases; where returns are netted, with what is left of each and whether it is nothing."""
    rows = on_engine(transactions.frame)
    return net_purchases(rows, end=transactions.last_observed, cut=cut) if transactions.nets_refunds else rows


def group_rows(log: Transactions, rows: nw.LazyFrame[Any], granularity: Granularity = "D") -> nw.LazyFrame[Any]:
    """Some of the ``purchase_rows`` of a log, by customer and period, without periods in which all was returned."""
    periods = _periods(log, rows, granularity)
    if not log.nets_refunds:
        return periods
    return periods.filter(~_is_emptied()).drop("rows", "cancelled", *([] if log.has_amount else ["amount"]))


def count_returned_rows(log: Transactions, granularity: Granularity, cut: dt.date) -> int:
    """How many rows lie in periods that are no purchase because all was returned."""
    if not log.nets_refunds:
        return 0
    periods = _periods(log, purchase_rows(log, cut=cut), granularity)
    return int(collect(periods.filter(_is_emptied()).select(nw.col("rows").sum()))["rows"].fillna(0).iloc[0])


def observed_purchases(log: Transactions, granularity: Granularity = "D") -> nw.LazyFrame[Any]:
    """The purchases in the window of a log, each customer's ``first`` beside: of whom it counts, up to its last day."""
    bought = filter_days(purchases(log, granularity), "period", None, log.last_observed)
    return filter_days(add_first_period(bought), "first", log.acquired_after, None)


def as_transactions(transactions: Any) -> Transactions:
    """A checked log: as it is, or read by the default column names; the error for others says how to read the log."""
    if isinstance(transactions, Transactions):
        return transactions
    require_columns(transactions, COLUMNS, "the log", READ_FIRST)
    return read_transactions(transactions)


def add_first_period(periods: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Each customer's periods with the ``first`` of them beside."""
    return periods.with_columns(first=nw.col("period").min().over("customer_id"))


def filter_days(frame: nw.LazyFrame[Any], column: str, start: Any, end: Any) -> nw.LazyFrame[Any]:
    """The rows whose day is ``start`` or later and ``end`` or earlier; None is no bound."""
    day = nw.col(column).cast(nw.Date)
    if start is not None:
        frame = frame.filter(day >= read_day("acquired_after", start))
    if end is not None:
        frame = frame.filter(day <= read_day("observation_end" if column == "period" else "acquired_until", end))
    return frame


def period_start(moment: nw.Expr, period: Period | Granularity) -> nw.Expr:
    """First moment of the period, of the calendar or of the clock, that a moment lies in; weeks begin on Monday."""
    if period == "W":  # narwhals truncates to no week, and numbers Sundays 7 or, on Spark, 0
        day, weekday = moment.dt.truncate("1d"), moment.dt.weekday()
        mondays = [nw.when(weekday == n + 1).then(day.dt.offset_by(f"-{n}d")) for n in range(6)]
        return nw.coalesce(*mondays, day.dt.offset_by("-6d"))
    return moment.dt.truncate(EVERY[period])


def _periods(log: Transactions, rows: nw.LazyFrame[Any], granularity: Granularity) -> nw.LazyFrame[Any]:
    """Each customer's periods with their total; where returns are netted, also how many rows, and cancelled ones."""
    check_choice("granularity", granularity, get_args(Granularity))
    totals = [nw.col("amount").sum()] if log.has_amount or log.nets_refunds else []
    if log.nets_refunds:
        totals += [nw.len().alias("rows"), nw.col("cancelled").sum()]
    period = period_start(nw.col("date"), granularity)
    period = period.cast(nw.Date) if granularity in ("W", "D") else period
    return rows.with_columns(period=period).group_by("customer_id", "period").agg(*totals)


def _is_emptied() -> nw.Expr:
    """Which periods returns have emptied; rounded, because 0.1 + 0.2 - 0.3 is not quite nothing."""
    return (nw.col("cancelled") > 0) & (nw.col("amount").round(6) <= 0)
