"""A transaction log, read and checked: which rows count, how many do not and why, and what one purchase is.

A row needs a customer, a date and, where there is money, a finite amount. Refunds (negative amounts) and gifts (amounts
of zero) follow rules that the caller chooses and the result remembers. No row disappears uncounted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date as Date
from functools import reduce
from operator import or_
from typing import Any, Literal, get_args

import narwhals as nw
import pandas as pd

from retention_models.logs.engines import Frame, collect, on_engine, open_log
from retention_models.logs.files import WHOLE_ID, ZONE, naming

Refunds = Literal["set_aside", "net", "error"]
Zeros = Literal["keep", "set_aside"]
Granularity = Literal["W", "D", "h", "min", "s"]

NEGATIVE = "rows with a negative amount"
PERIODS = {"W": "1w", "D": "1d", "h": "1h", "min": "1m", "s": "1s"}


@dataclass(frozen=True, slots=True, eq=False)
class Transactions:
    """A checked log: its usable rows, still on the engine they came from, and what was set aside.

    ``frame`` is a frame of that engine (for files a DuckDB relation) with the columns ``customer_id``, ``date`` (on the
    wall clock, without time zone), ``amount`` (float; absent where there is no money) and all others the log has.
    ``rows`` counts them; ``set_aside`` counts the others by reason.
    """

    frame: Any = field(repr=False)
    rows: int
    set_aside: Mapping[str, int]
    first_date: Date
    last_date: Date
    has_amount: bool
    nets_refunds: bool


def read_transactions(
    source: Any,
    *,
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = "amount",
    refunds: Refunds = "set_aside",
    zeros: Zeros = "keep",
    time_zone: str | None = None,
) -> Transactions:
    """A transaction log, checked, with the rows that cannot count set aside and counted.

    ``source`` is a pandas or Polars frame (eager or lazy), a DuckDB relation, a Spark frame, or the path of a CSV or
    Parquet file or a pattern such as ``"sales/*.parquet"``; files may be larger than memory. ``customer_id``, ``date``
    and ``amount`` are the names of its columns; ``amount=None`` where there is no money. Set aside are rows without
    customer, without a readable date (text is read as ISO 8601: ``1997-01-31``, ``1997-01-31 14:05``), and without a
    finite amount.

    ``refunds`` says what a negative amount is: ``"set_aside"``, no purchase; ``"net"``, money back, taken off what the
    customer spent in the same period (a day, unless ``summarize`` is told otherwise), and a period of which nothing is
    left is no purchase; ``"error"``, a mistake. ``zeros`` says what an amount of zero is: ``"keep"``, a purchase;
    ``"set_aside"``, none.

    Days are those of the wall clock: of ``time_zone``, such as ``"Europe/Berlin"``, into which dates that have a zone
    are converted, or else of the zone that they have. DuckDB and Spark keep that zone in the connection or session; a
    Parquet file keeps instants in UTC.

    Raises ValueError where columns are missing, doubled or of the wrong type, where ids are of several types, where
    dates are of several zones and ``time_zone`` is not given, and where no row is left.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Ann", "Bob", "Bob"],
    ...     "date": ["2024-01-05", "2024-02-30", "2024-01-20", "2024-03-01"],
    ...     "amount": [20.0, 30.0, 15.0, -15.0],
    ... })
    >>> transactions = read_transactions(log)
    >>> transactions.set_aside
    {'rows without a readable date': 1, 'rows with a negative amount': 1}
    >>> transactions.frame
      customer_id       date  amount
    0         Ann 2024-01-05    20.0
    2         Bob 2024-01-20    15.0
    """
    check_choice("refunds", refunds, get_args(Refunds))
    check_choice("zeros", zeros, get_args(Zeros))
    roles = {"customer_id": customer_id, "date": date} | ({} if amount is None else {"amount": amount})
    faults = _faults(amount is not None, refunds, zeros)
    with naming(source):
        frame = open_log(source, roles, time_zone)
        facts = _scan(frame, faults)
    _check_zones(facts, time_zone)
    set_aside = {reason: int(facts[reason]) for reason in faults if facts[reason]}
    rows = int(facts["rows"]) - sum(set_aside.values())
    _check_rows(int(facts["rows"]), rows, set_aside, refunds)
    return Transactions(
        frame=_usable(frame, faults, facts).to_native(),
        rows=rows,
        set_aside=set_aside,
        first_date=facts["first_date"].date(),
        last_date=facts["last_date"].date(),
        has_amount=amount is not None,
        nets_refunds=amount is not None and refunds == "net",
    )


def purchases(transactions: Transactions, granularity: Granularity = "D") -> nw.LazyFrame[Any]:
    """One row for each customer and period in which they bought: ``customer_id, period, amount``, not yet computed.

    What a customer buys within one period, a day unless ``granularity`` says otherwise, is one purchase. ``period`` is
    its beginning: a date for days and weeks (which begin on Monday), otherwise a time.
    """
    periods = _periods(transactions, granularity)
    if transactions.nets_refunds:
        periods = periods.filter(~_nothing_left()).drop("rows", "refunds")
    return periods


def refunded_rows(transactions: Transactions, granularity: Granularity) -> int:
    """How many rows lie in periods that are no purchase because refunds left nothing of them."""
    if not transactions.nets_refunds:
        return 0
    rows = _periods(transactions, granularity).filter(_nothing_left()).select(nw.col("rows").sum())
    return int(collect(rows)["rows"].iloc[0])


def check_choice(name: str, value: object, choices: Collection[str]) -> None:
    """Raise a ValueError unless ``value`` is one that the keyword ``name`` can have."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, not {value!r}")


def _faults(has_amount: bool, refunds: Refunds, zeros: Zeros) -> dict[str, nw.Expr]:
    """Each reason to set a row aside, with the rows it applies to."""
    customer_id, date, amount = nw.col("customer_id"), nw.col("date"), nw.col("amount")
    faults = {"rows without a customer_id": customer_id.is_null(), "rows without a readable date": date.is_null()}
    if has_amount:
        faults["rows without a finite amount"] = amount.is_null() | ~amount.is_finite()
        if refunds != "net":
            faults[NEGATIVE] = amount < 0
        if zeros == "set_aside":
            faults["rows with an amount of zero"] = amount == 0
    return faults


def _scan(frame: Frame, faults: Mapping[str, nw.Expr]) -> pd.Series[Any]:
    """What one pass over the log tells: its rows, those with each fault (the first of several), dates, zones, ids."""
    columns = frame.collect_schema().names()
    facts, faulty = {"rows": nw.len()}, nw.lit(False)
    for reason, fault in faults.items():
        facts[reason] = (fault & ~faulty).sum()
        faulty = faulty | fault
    usable_date = nw.when(~faulty).then(nw.col("date"))
    facts |= {"first_date": usable_date.min(), "last_date": usable_date.max()}
    if ZONE in columns:
        zone = nw.when(~nw.col("date").is_null()).then(nw.col(ZONE))
        facts |= {"first_zone": zone.min(), "last_zone": zone.max()}
    if WHOLE_ID in columns:
        facts["other_ids"] = (nw.col(WHOLE_ID).is_null() & ~nw.col("customer_id").is_null()).sum()
    return collect(frame.lazy().select(**facts)).iloc[0]


def _check_zones(facts: pd.Series[Any], time_zone: str | None) -> None:
    if "first_zone" not in facts or pd.isna(facts["first_zone"]):
        return
    first, last = (facts[zone] or "none at all" for zone in ("first_zone", "last_zone"))
    if time_zone is None and first != last:
        raise ValueError(
            f"column 'date' mixes time zones ({first} and {last} among them); "
            "pass time_zone, such as 'Europe/Berlin', to say whose calendar counts"
        )
    if time_zone is not None and first == "none at all":
        raise ValueError(f"column 'date' holds times without a zone, which time_zone={time_zone!r} cannot convert")


def _check_rows(log: int, usable: int, set_aside: Mapping[str, int], refunds: Refunds) -> None:
    if log == 0:
        raise ValueError("the log has no rows")
    if refunds == "error" and NEGATIVE in set_aside:
        raise ValueError(
            f"column 'amount' is negative in {set_aside[NEGATIVE]:,} of {log:,} rows, which refunds='error' forbids; "
            "choose 'set_aside' or 'net', or correct the log"
        )
    if usable == 0:
        reasons = ", ".join(f"{rows:,} {reason}" for reason, rows in set_aside.items())
        raise ValueError(f"no row of the log can be used: {reasons} (a date in text is read as 1997-01-31 14:05)")


def _usable(frame: Frame, faults: Mapping[str, nw.Expr], facts: pd.Series[Any]) -> Frame:
    """The rows without fault, and only the log's own columns; ids that are whole numbers throughout become such."""
    if any(facts[reason] for reason in faults):
        frame = frame.filter(~reduce(or_, faults.values()))
    if facts.get("other_ids") == 0:
        frame = frame.with_columns(customer_id=nw.col(WHOLE_ID))
    return frame.drop([ZONE, WHOLE_ID], strict=False)


def _periods(transactions: Transactions, granularity: Granularity) -> nw.LazyFrame[Any]:
    """Each customer's periods with their total; where refunds are netted, also with the number of rows and refunds."""
    check_choice("granularity", granularity, PERIODS)
    columns = ["customer_id", "date", *(["amount"] if transactions.has_amount else [])]
    rows = on_engine(nw.from_native(transactions.frame).select(columns).to_native())
    period = nw.col("date").dt.truncate(PERIODS[granularity])
    if granularity in ("D", "W"):
        period = period.cast(nw.Date)
    totals = [nw.col(column).sum() for column in columns[2:]]
    if transactions.nets_refunds:
        totals += [nw.len().alias("rows"), (nw.col("amount") < 0).sum().alias("refunds")]
    return rows.with_columns(period.alias("period")).group_by("customer_id", "period").agg(*totals)


def _nothing_left() -> nw.Expr:
    """Which periods refunds have emptied; rounded, because 0.1 + 0.2 - 0.3 is not quite nothing."""
    return (nw.col("refunds") > 0) & (nw.col("amount").round(6) <= 0)
