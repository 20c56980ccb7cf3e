"""One row per customer from a pandas log, by sorting: the table that ``by_engine`` computes on engines.

A log in memory is sorted once, by customer and period. The rows of a purchase, and the purchases of a customer, are
then neighbours. This is much faster than grouping by hash.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arrays import Array
from retention_models.core.dates import unit_length
from retention_models.logs.transactions.calendar import Calendar
from retention_models.logs.transactions.checks.log_start import halves
from retention_models.logs.transactions.log import AFTER_OBSERVATION, Transactions

MONDAY = np.datetime64("1970-01-05", "us")
WIDE = 2**31  # numbers of customers below this leave room for periods in the same integer

Whole = NDArray[np.int64]


def sort_and_aggregate(log: Transactions, days: Calendar) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row a customer, indexed and sorted by ``customer_id``; and how many rows were set aside, by reason."""
    rows, later = log.frame, 0
    if days.observation_end < log.last_date:
        rows = rows[rows["date"].to_numpy("datetime64[D]") <= np.datetime64(days.observation_end)]
        later = len(log.frame) - len(rows)
    numbers, ids = _number_ids(rows["customer_id"])
    length = unit_length(days.granularity).to_timedelta64().astype("timedelta64[us]")
    periods = (rows["date"].to_numpy("datetime64[us]") - MONDAY) // length
    amounts = rows["amount"].to_numpy(float) if log.has_amount else np.zeros(len(rows))
    customers, periods, amounts = _purchases(numbers, periods, amounts)
    table = _table(customers, MONDAY + periods * length, amounts, days)
    table.index = ids.take(table.index.to_numpy()).rename("customer_id")
    return table, dict(log.set_aside) | ({AFTER_OBSERVATION: later} if later else {})


def _number_ids(ids: pd.Series[Any]) -> tuple[Whole, pd.Index]:
    """Numbers that sort as the ids do, and the ids that stand at these numbers; whole ids of no wide range are both."""
    if pd.api.types.is_integer_dtype(ids):
        lowest, highest = int(ids.min()), int(ids.max())
        if highest - lowest < WIDE and highest <= np.iinfo(np.int64).max:
            return ids.to_numpy(np.int64) - lowest, pd.RangeIndex(lowest, highest + 1)
    numbers, unique = pd.factorize(ids, sort=True)
    return numbers, pd.Index(unique)


def _purchases(customers: Whole, periods: Whole, amounts: Array) -> tuple[Whole, Whole, Array]:
    """Customer, period and total of each purchase, in this order."""
    start = periods.min()
    span = periods.max() - start + 1
    keys = customers * span + (periods - start)
    order = np.argsort(keys)
    keys, amounts = keys[order], amounts[order]
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    customers, periods = np.divmod(keys[begins], span)
    return customers, periods + start, np.add.reduceat(amounts, begins)


def _table(customers: Whole, moments: NDArray[np.datetime64], amounts: Array, days: Calendar) -> pd.DataFrame:
    """The columns of ``by_engine.aggregate_customers``, from purchases in the order of customers and time."""
    firsts = np.flatnonzero(np.diff(customers, prepend=-1))
    counts = np.diff(firsts, append=len(customers))
    second = moments[np.minimum(firsts + 1, len(moments) - 1)]
    early = (counts > 1) & (second < np.datetime64(halves(days.start, days.calibration_end).first_end))
    calibrated = moments < np.datetime64(days.calibration_end) + np.timedelta64(1, "D")
    purchases = np.add.reduceat(calibrated.astype(np.int64), firsts)
    spend, total = np.add.reduceat(amounts, firsts), np.add.reduceat(amounts * calibrated, firsts)
    again = calibrated.copy()
    again[firsts] = False
    log_gap = np.zeros(len(moments))
    log_gap[again] = np.log(np.diff(moments, prepend=moments[:1])[again] / np.timedelta64(1, "s"))
    return pd.DataFrame(
        {
            "first": moments[firsts],
            "last": moments[firsts + np.maximum(purchases, 1) - 1],
            "latest": moments[firsts + counts - 1],
            "purchases": purchases,
            "again_early": early.astype(np.int64),
            "log_gaps": np.add.reduceat(log_gap, firsts),
            "holdout_frequency": counts - purchases,
            "first_amount": amounts[firsts].round(6),
            "total": total.round(6),
            "holdout_amount": (spend - total).round(6),
        },
        index=customers[firsts],
    )
