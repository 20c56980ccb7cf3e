"""A transaction log, read and checked: which rows count, how many do not and why.

A row needs a customer, a date and, where there is money, a finite amount. Refunds (negative amounts) and gifts (amounts
of zero) follow rules that the caller chooses and the result remembers. No row disappears uncounted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Literal, get_args

import narwhals as nw
import pandas as pd

from retention_models.core.arguments import check_choice
from retention_models.core.formatting import Part, Presentation, counted
from retention_models.tables.engines import Frame, collect, open_log
from retention_models.tables.files import WHOLE_ID, ZONE, naming

Refunds = Literal["set_aside", "net", "error"]
Zeros = Literal["keep", "set_aside"]
Granularity = Literal["W", "D", "h", "min", "s"]

UNREADABLE = "rows without a readable date"
NO_AMOUNT = "rows without a finite amount"
NEGATIVE = "rows with a negative amount"
AFTER_OBSERVATION = "rows after observation_end"
EMPTIED = "rows of periods that refunds emptied"
READ_LIKE = {
    UNREADABLE: "; dates in text, as column {date!r} has them, are read like 1997-01-31 or 1997-01-31 14:05",
    NO_AMOUNT: (
        "; amounts in text, as column {amount!r} has them, are read like 29.33, without currency or thousands separator"
    ),
}
BEYOND_CENTS = 1e15  # numbers this large, with either sign, are an eighth apart; far larger ones have no sum


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Transactions(Presentation):
    """A checked log: its usable rows, still on the engine they came from, and what was set aside.

    ``frame`` is a frame of that engine (for files a DuckDB relation) with the columns ``customer_id``, ``date`` (on the
    wall clock, without time zone), ``amount`` (float; absent where there is no money) and all others the log has.
    ``rows`` counts them; ``set_aside`` counts the others by reason.
    """

    frame: Any = field(repr=False)
    rows: int
    set_aside: Mapping[str, int]
    first_date: dt.date
    last_date: dt.date
    has_amount: bool
    nets_refunds: bool

    def _parts(self) -> Sequence[Part]:
        amounts = "with amounts" if self.has_amount else "without amounts"
        headline = f"{self.rows:,} rows from {self.first_date} to {self.last_date}, {amounts}."
        return [headline, *([f"Set aside: {counted(self.set_aside)}."] if self.set_aside else [])]

    @property
    def columns(self) -> list[str]:
        """The columns of ``frame`` that every log has."""
        return ["customer_id", "date", "amount"] if self.has_amount else ["customer_id", "date"]


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
    customer (the id is missing, or blank text), without a readable date (text is read as ISO 8601: ``1997-01-31``,
    ``1997-01-31 14:05``), and without a finite amount below 1e15, where numbers cease to tell cents. Blanks around
    text do not matter in dates and amounts, nor in the ids of CSV files; elsewhere ids are taken as they stand.

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
    faulty = reduce(or_, faults.values())
    with naming(source):
        frame = open_log(source, roles, time_zone)
        facts = _scan(frame, faulty)
    set_aside = _count_faults(frame, faults) if facts["faulty"] else {}
    _check_zones(facts, time_zone, date)
    _check_rows(int(facts["rows"]), set_aside, refunds, roles)
    usable = frame.filter(~faulty) if set_aside else frame
    return Transactions(
        frame=_own_columns(usable, facts).to_native(),
        rows=int(facts["rows"]) - sum(set_aside.values()),
        set_aside=set_aside,
        first_date=facts["first"].date(),
        last_date=facts["last"].date(),
        has_amount=amount is not None,
        nets_refunds=amount is not None and refunds == "net",
    )


def _faults(has_amount: bool, refunds: Refunds, zeros: Zeros) -> dict[str, nw.Expr]:
    """Each reason to set a row aside, with the rows it applies to."""
    customer_id, date, amount = nw.col("customer_id"), nw.col("date"), nw.col("amount")
    faults = {"rows without a customer_id": customer_id.is_null(), UNREADABLE: date.is_null()}
    if has_amount:
        faults[NO_AMOUNT] = amount.is_null() | ~amount.is_finite()
        faults["rows with an amount of 1e15 or more"] = amount.abs() >= BEYOND_CENTS
        if refunds != "net":
            faults[NEGATIVE] = amount < 0
        if zeros == "set_aside":
            faults["rows with an amount of zero"] = amount == 0
    return faults


def _scan(frame: Frame, faulty: nw.Expr) -> pd.Series[Any]:
    """What one pass over the log tells: how many rows, and faulty ones, it has; the dates, zones and ids in it."""
    columns = frame.collect_schema().names()
    usable_date = nw.when(~nw.col("_faulty")).then(nw.col("date"))
    facts = {
        "rows": nw.len(),
        "faulty": tally(nw.col("_faulty")),
        "first": usable_date.min(),
        "last": usable_date.max(),
    }
    if ZONE in columns:
        zone = nw.when(~nw.col("date").is_null()).then(nw.col(ZONE))
        facts |= {"first_zone": zone.min(), "last_zone": zone.max()}
    if WHOLE_ID in columns:
        facts["other_ids"] = tally(nw.col(WHOLE_ID).is_null() & ~nw.col("customer_id").is_null())
    return collect(frame.lazy().with_columns(_faulty=faulty).select(**facts)).iloc[0]


def _count_faults(frame: Frame, faults: Mapping[str, nw.Expr]) -> dict[str, int]:
    """How many rows have each fault; a row with several counts under the first."""
    firsts, earlier = {}, nw.lit(False)
    for reason, fault in faults.items():
        firsts[reason] = tally(fault & ~earlier)
        earlier = earlier | fault
    counts = collect(frame.lazy().select(**firsts)).iloc[0]
    return {reason: int(counts[reason]) for reason in faults if counts[reason]}


def _check_zones(facts: pd.Series[Any], time_zone: str | None, date: str) -> None:
    if "first_zone" not in facts or pd.isna(facts["first_zone"]):
        return
    first, last = (facts[zone] or "none at all" for zone in ("first_zone", "last_zone"))
    if time_zone is None and first != last:
        raise ValueError(
            f"column {date!r} mixes time zones ({first} and {last} among them); "
            "pass time_zone, such as 'Europe/Berlin', to say whose calendar counts"
        )
    if time_zone is not None and first == "none at all":
        raise ValueError(f"column {date!r} holds times without a zone, which time_zone={time_zone!r} cannot convert")


def _check_rows(rows: int, set_aside: Mapping[str, int], refunds: Refunds, roles: Mapping[str, str]) -> None:
    if rows == 0:
        raise ValueError("the log has no rows")
    if refunds == "error" and NEGATIVE in set_aside:
        raise ValueError(
            f"column {roles['amount']!r} is negative in {set_aside[NEGATIVE]:,} of {rows:,} rows, "
            "which refunds='error' forbids; "
            "choose 'set_aside' or 'net', or correct the log"
        )
    if rows == sum(set_aside.values()):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in set_aside.items())
        hints = "".join(hint.format_map(roles) for reason, hint in READ_LIKE.items() if reason in set_aside)
        raise ValueError(f"no row of the log can be used: {reasons}{hints}")


def _own_columns(frame: Frame, facts: pd.Series[Any]) -> Frame:
    """The log without the columns that stood beside it; ids that are whole numbers throughout become such."""
    if facts.get("other_ids") == 0:
        frame = frame.with_columns(customer_id=nw.col(WHOLE_ID))
    return frame.drop([ZONE, WHOLE_ID], strict=False)


def tally(condition: nw.Expr) -> nw.Expr:
    """How many rows meet a condition; Spark does not add up booleans."""
    return condition.cast(nw.Int64).sum()
