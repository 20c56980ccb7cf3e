"""From transactions to sufficient statistics: all that a model needs to know of each customer.

The rows are grouped where they live, twice: into purchases (a customer's rows of one period), then into customers. What
comes back is small, and everything to do with time units happens there. Sums of money are rounded to six decimals, as
engines that add in parallel differ in the last digits from run to run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date as Date
from datetime import timedelta
from inspect import signature
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.checks import Check
from retention_models.logs.calendar import Calendar, calendar
from retention_models.logs.engines import collect, on_engine
from retention_models.logs.log_start import check_openings, halves
from retention_models.logs.transactions import (
    Granularity,
    Refunds,
    Transactions,
    Zeros,
    purchases,
    read_transactions,
    refunded_rows,
)

def summarize(
    transactions: Any,
    *,
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = "amount",
    calibration_end: str | Date | None = None,
    observation_end: str | Date | None = None,
    acquired_after: str | Date | None = None,
    time_unit: str | timedelta = "W",
    granularity: Granularity = "D",
    refunds: Refunds = "set_aside",
    zeros: Zeros = "keep",
    time_zone: str | None = None,
) -> pd.DataFrame:
    """Frequency, recency, T and spend of each customer, and what they did after ``calibration_end``.

    ``transactions`` is anything that ``read_transactions`` takes, with the same keywords, or what it returned. A
    customer's rows of one period count as one purchase; ``granularity`` is that period: ``"D"``, or ``"W"`` (from
    Monday), ``"h"``, ``"min"``, ``"s"``. Times are measured in ``time_unit``: ``"W"``, ``"D"``, ``"h"``, ``"min"``,
    ``"s"``, or a fixed length such as ``"30D"`` or a timedelta.

    The result has one row a customer, indexed and sorted by ``customer_id``, and the columns

    - ``frequency``: purchases after the first, up to ``calibration_end``
    - ``recency``: time from the first to the last of these purchases, exact (213 days are 30.428571... weeks)
    - ``T``: time from the first purchase to ``calibration_end``
    - ``monetary_value``: mean amount of the purchases after the first, 0.0 where there is none
    - ``first_purchase``: when the first was
    - ``holdout_frequency``, ``holdout_amount``, ``holdout_duration``: purchases and spend after ``calibration_end`` and
      up to ``observation_end``, and the time between the two; only where the first lies before the second

    without those in money where ``amount=None``. All three dates are whole days and belong to what they bound:
    ``observation_end``, by default the last day in the log, may lie after it; later rows are set aside.
    ``calibration_end`` is ``observation_end`` where not given; customers first seen later are left out. So are, given
    ``acquired_after``, those first seen before that day. ``attrs`` of the result tells the time unit, the dates, what
    was set aside or left out, by reason and number, and whether the log seems to begin in the middle of customers'
    lives (see ``check_log_start``).

    Raises ValueError where these dates contradict each other or the log, and where no customer is left.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Ann", "Ann", "Bob", "Ann"],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-22", "2024-01-15", "2024-02-05"]),
    ...     "amount": [20.0, 30.0, 10.0, 15.0, 25.0],
    ... })
    >>> summarize(log, calibration_end="2024-01-29").drop(columns="first_purchase")
                 frequency  recency    T  monetary_value  holdout_frequency  holdout_amount  holdout_duration
    customer_id
    Ann                  2      3.0  4.0            20.0                  1            25.0               1.0
    Bob                  0      0.0  2.0             0.0                  0             0.0               1.0
    """
    log = _opened(
        transactions,
        customer_id=customer_id,
        date=date,
        amount=amount,
        refunds=refunds,
        zeros=zeros,
        time_zone=time_zone,
    )
    days = calendar(
        log,
        calibration_end=calibration_end,
        observation_end=observation_end,
        acquired_after=acquired_after,
        time_unit=time_unit,
        granularity=granularity,
    )
    log, ids = _lent(log)
    log = _observed(log, days)
    table = _collected(_customers(log, days)).assign(customers=1)
    table.index = pd.Index(table["customer_id"] if ids is None else ids.take(table["customer_id"]), name="customer_id")
    table, left_out = _cohort(table.sort_index(), days)
    summary = _times(table, days)
    if log.has_amount:
        repeat_spend = (table["total"] - table["first_amount"]).round(6)
        summary["monetary_value"] = repeat_spend / summary["frequency"].clip(lower=1)
    summary["first_purchase"] = table["first"]
    if days.has_holdout:
        summary["holdout_frequency"] = table["holdout_frequency"]
        if log.has_amount:
            summary["holdout_amount"] = table["holdout_amount"]
        summary["holdout_duration"] = days.measure(days.observation_end - days.calibration_end)
    summary.attrs = _attrs(log, days, table, left_out)
    return summary


def histories(
    transactions: Any,
    *,
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = "amount",
    calibration_end: str | Date | None = None,
    observation_end: str | Date | None = None,
    acquired_after: str | Date | None = None,
    time_unit: str | timedelta = "W",
    granularity: Granularity = "D",
    refunds: Refunds = "set_aside",
    zeros: Zeros = "keep",
    time_zone: str | None = None,
) -> pd.DataFrame:
    """The distinct histories in a log and how many customers share each: ``frequency, recency, T, weight``.

    All that the models need of a log of any size, counted on its engine. Keywords, rules and ``attrs`` are those of
    ``summarize``; the rows are sorted.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": [1, 2, 3, 3], "date": ["2024-01-01"] * 3 + ["2024-01-15"]})
    >>> histories(log, amount=None)
       frequency  recency    T  weight
    0          0      0.0  2.0       2
    1          1      2.0  2.0       1
    """
    log = _opened(
        transactions,
        customer_id=customer_id,
        date=date,
        amount=amount,
        refunds=refunds,
        zeros=zeros,
        time_zone=time_zone,
    )
    days = calendar(
        log,
        calibration_end=calibration_end,
        observation_end=observation_end,
        acquired_after=acquired_after,
        time_unit=time_unit,
        granularity=granularity,
    )
    log = _observed(_lent(log)[0], days)
    same = ["first", "last", "purchases"]
    shared = _customers(log, days).group_by(same).agg(nw.len().alias("customers"), nw.col("again_early").sum())
    table, left_out = _cohort(_collected(shared), days)
    distinct = _times(table, days).assign(weight=table["customers"]).sort_values(["frequency", "recency", "T"])
    distinct = distinct.reset_index(drop=True)
    distinct.attrs = _attrs(log, days, table, left_out)
    return distinct


def compress(customers: Any, columns: Sequence[str] = ("frequency", "recency", "T")) -> pd.DataFrame:
    """The distinct rows of ``columns`` and how many customers share each, as ``weight``; sorted.

    ``customers`` is a pandas or Polars frame. If it has a ``weight`` already, weights are added up.

    Examples
    --------
    >>> import pandas as pd
    >>> compress(pd.DataFrame({"frequency": [0, 1, 0], "recency": [0.0, 2.0, 0.0], "T": [2.0, 2.0, 2.0]}))
       frequency  recency    T  weight
    0          0      0.0  2.0       2
    1          1      2.0  2.0       1
    """
    frame = nw.from_native(customers, eager_only=True)
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ValueError(f"no column {', '.join(map(repr, missing))} to compress; there are {', '.join(frame.columns)}")
    weight = nw.col("weight").sum() if "weight" in frame.columns else nw.len().alias("weight")
    return collect(frame.group_by(*columns).agg(weight).sort(*columns))


def check_log_start(transactions: Any, **keywords: Any) -> Check:
    """Whether the log begins with its customers' first purchases; False if it seems to begin in the midst of them.

    Takes what ``summarize`` takes. See ``log_start`` for what is compared, and what the answer cannot tell.
    """
    return Check(**histories(transactions, **keywords).attrs["checks"][0])


def _opened(transactions: Any, **reading: Any) -> Transactions:
    """The log, read unless it has been; then what was settled by reading cannot be asked for again."""
    if not isinstance(transactions, Transactions):
        return read_transactions(transactions, **reading)
    parameters = signature(read_transactions).parameters
    changed = [name for name, value in reading.items() if value != parameters[name].default]
    if changed:
        raise ValueError(f"{', '.join(changed)}: pass this to read_transactions, which has already read the log")
    return transactions


def _lent(log: Transactions) -> tuple[Transactions, pd.Index | None]:
    """The log on the engine that groups it. A pandas log gets numbers for its ids, of whatever type those are.

    Also returns the ids that the numbers stand for, None for other engines.
    """
    if not isinstance(log.frame, pd.DataFrame):
        return log, None
    codes, ids = pd.factorize(log.frame["customer_id"])
    columns = ["date", *(["amount"] if log.has_amount else [])]
    return replace(log, frame=on_engine(log.frame[columns].assign(customer_id=codes)).to_native()), pd.Index(ids)


def _observed(log: Transactions, days: Calendar) -> Transactions:
    """The log up to ``observation_end``; the rows after it, and those of periods that refunds have emptied, counted."""
    set_aside = dict(log.set_aside)
    if days.observation_end < log.last_date:
        rows = nw.from_native(log.frame)
        later = nw.col("date").cast(nw.Date) > days.observation_end
        set_aside["rows after observation_end"] = _count(rows.filter(later))
        log = replace(log, frame=rows.filter(~later).to_native())
    if emptied := refunded_rows(log, days.granularity):
        set_aside["rows of days, or other periods, that refunds emptied"] = emptied
    return replace(log, set_aside=set_aside)


def _customers(log: Transactions, days: Calendar) -> nw.LazyFrame[Any]:
    """One row a customer: first and last period; number and amounts of purchases, in the calibration and after it.

    ``again_early`` is 1 for customers who bought twice in the first half of the calibration.
    """
    bought = purchases(log, days.granularity)
    period, amount = nw.col("period"), nw.col("amount")
    calibrated = period.cast(nw.Date) <= days.calibration_end
    early = period.cast(nw.Date) < halves(days.start, days.calibration_end).first_end
    facts = {
        "first": period.min(),
        "last": nw.when(calibrated).then(period).max(),
        "purchases": nw.when(calibrated).then(period).count(),
        "again_early": nw.when(early).then(period).count(),
        "holdout_frequency": nw.when(~calibrated).then(period).count(),
    }
    if log.has_amount:
        bought, facts["first_amount"] = _first_amount(bought)
        facts["total"] = nw.when(calibrated).then(amount).sum()
        facts["holdout_amount"] = nw.when(~calibrated).then(amount).sum()
    customers = bought.group_by("customer_id").agg(**facts)
    return customers.with_columns((nw.col("again_early") >= 2).cast(nw.Int64))


def _first_amount(bought: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], nw.Expr]:
    """The purchases, and the aggregation that gives the amount of each customer's first.

    Spark, in narwhals, has no first in an order; the others are twice as fast with it as with a window.
    """
    if not bought.implementation.is_spark_like():
        return bought, nw.col("amount").first(order_by="period")
    is_first = nw.col("period") == nw.col("period").min().over("customer_id")
    return bought.with_columns(first_amount=nw.when(is_first).then(nw.col("amount"))), nw.col("first_amount").sum()


def _collected(customers: nw.LazyFrame[Any]) -> pd.DataFrame:
    """The table in pandas, in types that no longer depend on the engine."""
    table = collect(customers)
    days = {name: pd.to_datetime(table[name]).astype("datetime64[us]") for name in ("first", "last")}
    counts = {name: "int64" for name in ("purchases", "again_early", "holdout_frequency", "customers") if name in table}
    sums = {name: table[name].round(6) for name in ("total", "first_amount", "holdout_amount") if name in table}
    return table.assign(**days, **sums).astype(counts)


def _cohort(table: pd.DataFrame, days: Calendar) -> tuple[pd.DataFrame, dict[str, int]]:
    """The customers first seen between ``start`` and the end of calibration, and how many others there are, by reason."""
    outside = {
        "customers first seen before acquired_after": table["first"] < pd.Timestamp(days.start),
        "customers first seen after calibration_end": table["purchases"] == 0,
    }
    left_out = {reason: int(table["customers"][rows].sum()) for reason, rows in outside.items() if rows.any()}
    kept = table[~np.logical_or(*outside.values())]
    if kept.empty:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise ValueError(f"no customer is left: {reasons or 'refunds have emptied every purchase'}")
    return kept, left_out


def _times(table: pd.DataFrame, days: Calendar) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "frequency": table["purchases"] - 1,
            "recency": days.measure(table["last"] - table["first"]),
            "T": days.measure(pd.Timestamp(days.last_period) - table["first"]),
        }
    )


def _attrs(log: Transactions, days: Calendar, table: pd.DataFrame, left_out: dict[str, int]) -> dict[str, Any]:
    """What a report wants to say of the summary, in plain values that JSON can hold."""
    checked = table.assign(again=table["customers"] * (table["purchases"] >= 2))
    return {
        "time_unit": days.time_unit,
        "granularity": days.granularity,
        "first_date": log.first_date.isoformat(),
        "last_date": log.last_date.isoformat(),
        "calibration_end": days.calibration_end.isoformat(),
        "observation_end": days.observation_end.isoformat(),
        "customers": int(table["customers"].sum()),
        "transactions": int((table["purchases"] * table["customers"]).sum()),
        "set_aside": dict(log.set_aside) | left_out,
        "checks": [asdict(check_openings(checked, halves(days.start, days.calibration_end)))],
    }


def _count(rows: nw.LazyFrame[Any] | nw.DataFrame[Any]) -> int:
    return int(collect(rows.lazy().select(rows=nw.len()))["rows"].iloc[0])
