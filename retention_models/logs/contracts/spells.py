"""Spells from the rows of a contract log: unbroken times as a customer, and the part observed.

These are expressions over the columns ``customer_id``, ``start``, ``end`` (missing if active) and, if there is one,
``cause``. The engine computes them where the log is.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal, TypeAlias

import narwhals as nw

from retention_models.tables.days import NEVER, Day, day_number
from retention_models.tables.files import NO_END
from retention_models.tables.frames import Frame

Overlaps = Literal["join", "keep", "error"]
Rows: TypeAlias = nw.LazyFrame[Any]

UNKNOWN = "unknown"
SAID_OPEN = "ends that are a word or a day for none, such as NULL, n/a or 1900-01-01, read as still running"
# What people write, or their programs, where there is no end yet.
NO_DAYS = (dt.datetime(1900, 1, 2), dt.datetime(1970, 1, 1))  # before the first, or on the second, nothing ends
UNCAUSED = "ends without a cause, called unknown"
ORDER = ("first_day", "last_day")


def read_ends(contracts: Frame) -> Frame:
    """The contracts without ends that are a word or a day for none, which ``said_open`` marks.

    ``unread_end`` marks those whose ``end_words`` nobody can read.
    """
    start, end, words = nw.col("start"), nw.col("end"), nw.col("end_words")
    no_day = (end < nw.lit(NO_DAYS[0])) | (end == nw.lit(NO_DAYS[1]))
    no_word = words.str.to_lowercase().is_in(NO_END)
    is_open = nw.when(end.is_null()).then(~words.is_null() & no_word).otherwise(no_day & (end < start))
    contracts = contracts.with_columns(said_open=is_open.fill_null(False))
    unread = ~words.is_null() & end.is_null() & ~nw.col("said_open")
    return contracts.with_columns(unread_end=unread, end=nw.when(~nw.col("said_open")).then(end)).drop("end_words")


def number_days(contracts: Rows) -> Rows:
    """The contracts with their ``first_day`` and ``last_day`` as numbers, NEVER where they are still running."""
    last_day = nw.when(nw.col("end").is_null()).then(nw.lit(NEVER)).otherwise(Day.in_column("end").number)
    return contracts.with_columns(first_day=Day.in_column("start").number, last_day=last_day)


def starts_after(until: dt.date) -> str:
    """Why a contract that starts after the last day of observation is set aside."""
    return f"contracts that start after {until}"


def contract_faults(until: dt.date) -> dict[str, nw.Expr]:
    """Each reason to set a numbered contract aside, with the rows it applies to.

    ``unread_end`` tells an end that cannot be read from none.
    """
    return {
        "rows without a customer_id": nw.col("customer_id").is_null(),
        "rows without a readable start": nw.col("start").is_null(),
        "rows without a readable end": nw.col("unread_end"),
        "contracts that end before they start": nw.col("last_day") < nw.col("first_day"),
        starts_after(until): nw.col("first_day") > day_number(until),
    }


def is_running(until: dt.date) -> nw.Expr:
    """Whether a numbered contract runs on after the last day of observation."""
    return nw.col("last_day") > day_number(until)


def join_contracts(contracts: Rows, overlaps: Overlaps, within: int, until: dt.date) -> Rows:
    """Contracts with numbered days as spells: each starts with its first contract and ends with its last.

    The cause is that of the contract that ends last, and the price the sum of those that run after ``until``. ``spell``
    numbers the spells of a customer. ``overlaps`` tells whether a contract began before another had ended.
    """
    contracts = contracts.with_columns(reach=nw.col("last_day").cum_max().over("customer_id", order_by=ORDER))
    contracts = contracts.with_columns(before=nw.col("reach").shift(1).over("customer_id", order_by=ORDER))
    new = nw.lit(True) if overlaps == "keep" else nw.col("first_day") > nw.col("before") + within
    contracts = contracts.with_columns(
        begins=nw.col("before").is_null() | new,
        overlaps=~nw.col("before").is_null() & (nw.col("first_day") < nw.col("before")),
    )
    count = nw.col("begins").cast(nw.Int64).cum_sum().over("customer_id", order_by=ORDER)
    contracts = contracts.with_columns(spell=count.cast(nw.Int64))
    latest = nw.col("last_day").max().over("customer_id", "spell")
    contracts = contracts.with_columns(overlaps=nw.col("overlaps").max().over("customer_id", "spell"), latest=latest)
    is_last = nw.col("last_day") == nw.col("latest")
    of_last = [
        nw.when(is_last).then(nw.col(name)).max().over("customer_id", "spell").alias(name)
        for name in ("end", "cause")
        if name in contracts.collect_schema().names()
    ]
    if "price" in contracts.collect_schema().names():
        paid = nw.when(is_running(until)).then(nw.col("price")).sum().over("customer_id", "spell")
        contracts = contracts.with_columns(price=paid.round(6))
    spells = contracts.with_columns(*of_last, last_day=nw.col("latest")).filter(nw.col("begins"))
    return spells.drop("reach", "before", "begins", "latest")


def single_spells(contracts: Rows) -> Rows:
    """Contracts with numbered days as spells, if each customer has one contract."""
    return contracts.with_columns(spell=nw.lit(1, nw.Int64), overlaps=nw.lit(False))


def observe_spells(spells: Rows, begin: dt.date | None, until: dt.date) -> Rows:
    """The spells as observed up to ``until``, with ``entry``, ``tenure``, ``churned`` and ``cause``.

    ``in_view`` is False for spells that ended before observation began. ``later`` marks ends after ``until``. Spells
    that have ended have no ``price``.
    """
    first, last, end = nw.col("first_day"), nw.col("last_day"), day_number(until)
    late = (
        nw.lit(0) if begin is None else nw.when(first < day_number(begin)).then(day_number(begin) - first).otherwise(0)
    )
    churned = ~is_running(until)
    columns = {
        "entry": late.cast(nw.Int64),
        "tenure": (nw.when(churned).then(last).otherwise(end) - first).cast(nw.Int64),
        "churned": churned,
        "end": nw.when(churned).then(nw.col("end")),
        "in_view": nw.lit(True) if begin is None else last > day_number(begin),
        "later": (last > end) & (last < NEVER),
    }
    names = spells.collect_schema().names()
    if "price" in names:
        columns["price"] = nw.when(~churned).then(nw.col("price"))
    if "cause" in names:
        given = ~nw.col("cause").is_null() & (nw.col("cause") != "")
        columns["uncaused"] = churned & ~given
        columns["cause"] = nw.when(churned).then(nw.when(given).then(nw.col("cause")).otherwise(nw.lit(UNKNOWN)))
    return spells.with_columns(**columns)
