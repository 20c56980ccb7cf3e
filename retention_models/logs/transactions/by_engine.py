"""One row per customer, computed by the engine of the log: first and last purchase, counts and amounts.

Rows are grouped twice: into purchases (the rows of a customer in one period), and then into customers. Sums of money
are rounded to six decimals, because engines that add in parallel differ in the last digits.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.core.formatting import counted
from retention_models.logs.transactions.calendar import Calendar
from retention_models.logs.transactions.checks.log_start import halves
from retention_models.logs.transactions.log import AFTER_OBSERVATION, EMPTIED, Transactions
from retention_models.logs.transactions.purchases import count_returned_rows, purchases
from retention_models.tables.frames import collect, on_engine


def encode_ids(log: Transactions) -> tuple[Transactions, pd.Index | None]:
    """The log on the engine that groups it, and the customer ids if numbers replace them.

    A pandas log gets numbers unless its ids are whole numbers, because its ids can have any type.
    """
    if not isinstance(log.frame, pd.DataFrame):
        return log, None
    rows, ids = log.frame[log.columns], None
    if not pd.api.types.is_integer_dtype(rows["customer_id"]):
        codes, uniques = pd.factorize(rows["customer_id"])
        rows, ids = rows.assign(customer_id=codes), pd.Index(uniques)
    return replace(log, frame=on_engine(rows).to_native()), ids


def index_by_customer(table: pd.DataFrame, ids: pd.Index | None) -> pd.DataFrame:
    """A collected table indexed and sorted by ``customer_id``, with the ids that ``encode_ids`` replaced."""
    numbers = table["customer_id"].to_numpy()
    index = pd.Index(numbers if ids is None else ids.take(numbers), name="customer_id")
    return table.drop(columns="customer_id").set_axis(index).sort_index()


def restrict_to_observation(log: Transactions, days: Calendar) -> Transactions:
    """The log up to ``observation_end``, with counts of later rows and of rows of purchases returned whole."""
    set_aside, log = dict(log.set_aside), replace(log, observation_end=days.observation_end)
    if days.observation_end < log.last_date:
        rows = on_engine(log.frame)
        later = nw.col("date").cast(nw.Date) > days.observation_end
        set_aside[AFTER_OBSERVATION] = int(collect(rows.filter(later).select(rows=nw.len()))["rows"].iloc[0])
        log = replace(log, frame=rows.filter(~later).to_native())
    if emptied := count_returned_rows(log, days.granularity, days.calibration_end):
        set_aside[EMPTIED] = emptied
    return replace(log, set_aside=set_aside)


def aggregate_customers(log: Transactions, days: Calendar) -> nw.LazyFrame[Any]:
    """One row per customer: first and last period, and purchases and amounts in calibration and holdout.

    ``again_early`` is 1 for customers who bought twice in the first half of the calibration period. ``log_gaps`` is the
    sum of the logarithms of the seconds between purchases.
    """
    bought = _add_log_gaps(purchases(log, days.granularity, cut=days.calibration_end), days)
    period, amount = nw.col("period"), nw.col("amount")
    calibrated = period.cast(nw.Date) <= days.calibration_end
    early = period.cast(nw.Date) < halves(days.start, days.calibration_end).first_end
    facts = {
        "first": period.min(),
        "last": nw.when(calibrated).then(period).max(),
        "latest": period.max(),
        "purchases": nw.when(calibrated).then(period).count(),
        "again_early": nw.when(early).then(period).count(),
        "log_gaps": nw.when(calibrated).then(nw.col("log_gap")).sum(),
    }
    if log.has_amount:
        bought, facts["first_amount"] = _first_amount(bought)
        facts["total"] = nw.when(calibrated).then(amount).sum()
    if days.has_holdout:
        facts["holdout_frequency"] = nw.when(~calibrated).then(period).count()
    if days.has_holdout and log.has_amount:
        facts["holdout_amount"] = nw.when(~calibrated).then(amount).sum()
    customers = bought.group_by("customer_id").agg(**facts)
    return customers.with_columns((nw.col("again_early") >= 2).cast(nw.Int64))


def _add_log_gaps(bought: nw.LazyFrame[Any], days: Calendar) -> nw.LazyFrame[Any]:
    """The purchases with the logarithm of the seconds since the same customer's last; missing for the first.

    Engines differ in what the difference of two times is; numbers made of their parts they all subtract alike.
    """
    period = nw.col("period")
    years, day = period.dt.year().cast(nw.Int64) - 1, period.dt.ordinal_day()
    second = (365 * years + years // 4 - years // 100 + years // 400 + day) * 86_400
    if days.granularity not in ("D", "W"):
        hour, minute, rest = (
            part.cast(nw.Int64) for part in (period.dt.hour(), period.dt.minute(), period.dt.second())
        )
        second = second + 3600 * hour + 60 * minute + rest
    before = nw.col("second").shift(1).over("customer_id", order_by="period")
    timed = bought.with_columns(second=second).with_columns(before=before)
    return timed.with_columns(log_gap=(nw.col("second") - nw.col("before")).log()).drop("second", "before")


def _first_amount(bought: nw.LazyFrame[Any]) -> tuple[nw.LazyFrame[Any], nw.Expr]:
    """The purchases, and the aggregation that gives the amount of each customer's first.

    Spark, in narwhals, has no first in an order; the others are twice as fast with it as with a window.
    """
    if not bought.implementation.is_spark_like():
        return bought, nw.col("amount").first(order_by="period")
    is_first = nw.col("period") == nw.col("period").min().over("customer_id")
    return bought.with_columns(first_amount=nw.when(is_first).then(nw.col("amount"))), nw.col("first_amount").sum()


def collect_customers(customers: nw.LazyFrame[Any]) -> pd.DataFrame:
    """The table in pandas, in types that no longer depend on the engine."""
    table = collect(customers)
    dates = {name: pd.to_datetime(table[name]).astype("datetime64[us]") for name in ("first", "last", "latest")}
    counts = {name: "int64" for name in ("purchases", "again_early", "holdout_frequency", "customers") if name in table}
    sums = {name: table[name].round(6) for name in ("total", "first_amount", "holdout_amount") if name in table}
    log_gaps = table["log_gaps"].fillna(0.0)
    return table.assign(**dates, **sums, log_gaps=log_gaps).astype(counts)


def select_cohort(table: pd.DataFrame, days: Calendar) -> tuple[pd.DataFrame, dict[str, int]]:
    """The customers of the analysis, by first purchase, and the number of others by reason."""
    earlier, later = table["first"] < pd.Timestamp(days.start), table["purchases"] == 0
    outside = {
        "customers first seen before acquired_after": earlier,
        "customers first seen after calibration_end": later,
    }
    left_out = {reason: int(table["customers"][rows].sum()) for reason, rows in outside.items() if rows.any()}
    kept = table[~(earlier | later)]
    if kept.empty:
        reasons = counted(left_out)
        raise ValueError(f"no customer is left: {reasons or 'every purchase was returned'}")
    return kept, left_out
