"""What customers pay at the end of observation, from a column with the price of each contract."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.logs.contracts.rows import PRICE, Unread
from retention_models.logs.contracts.spells import Rows, is_running
from retention_models.logs.set_aside import tally
from retention_models.logs.transactions.read_log import BEYOND_CENTS
from retention_models.tables.currencies import require_one_currency
from retention_models.tables.frames import collect

PRICE_STD = f"{PRICE}_std"


def count_prices(contracts: Rows, until: dt.date, column: str, unread: Unread, currency: str | None) -> tuple[int, int]:
    """How many contracts run on the last day of observation, and how many of these are free.

    ``currency`` is the column of the source that says the currency of its prices, if there is one.

    Raises
    ------
    ValueError
        When a price of these is missing, unreadable or below 0, or they have several currencies.
    """
    price, running = nw.col(PRICE), contracts.filter(is_running(until))
    known = ((price > -BEYOND_CENTS) & (price < BEYOND_CENTS)).fill_null(value=False)
    counts = {"rows": nw.len(), "unknown": tally(~known), "negative": tally(known & (price < 0))}
    lowest = nw.when(known).then(price).min()
    facts = collect(running.select(**counts, free=tally(known & (price == 0)), lowest=lowest)).fillna(0).iloc[0]
    hint = unread([PRICE]) if facts["unknown"] else ""
    _require_prices(facts, column, f"contracts that run on {until}{hint}")
    if currency:
        require_one_currency(running, currency, with_conditions=False)
    return int(facts["rows"]), int(facts["free"])


def count_free(active: pd.DataFrame, column: str) -> int:
    """How many customers of a table without dates are free: ``weight`` in each row of active ones.

    Raises
    ------
    ValueError
        When a price of these is missing, unreadable or below 0.
    """
    price, weight = active[PRICE], active["weight"]
    known = price.abs() < BEYOND_CENTS
    rows = {"unknown": ~known, "negative": known & (price < 0), "free": price == 0, "rows": weight > 0}
    facts = pd.Series({name: weight[which].sum() for name, which in rows.items()})
    _require_prices(pd.concat([facts, pd.Series({"lowest": price[known].min()})]), column, "active customers")
    return int(facts["free"])


def mean_prices(active: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """The ``weight`` of the rows that share some keys, with the mean of their price and its standard deviation."""
    paid = active.assign(**{PRICE: active["weight"] * active[PRICE]})
    sums = paid.groupby([*keys])[["weight", PRICE]].transform("sum")
    apart = (active[PRICE] - sums[PRICE] / sums["weight"]) ** 2
    counts = paid.assign(**{PRICE_STD: active["weight"] * apart}).groupby([*keys])[["weight", PRICE, PRICE_STD]].sum()
    prices = counts[[PRICE, PRICE_STD]].div(counts["weight"], axis=0)
    prices[PRICE_STD] **= 0.5
    return counts[["weight"]].join(prices.round(6)).reset_index()


def _require_prices(facts: pd.Series[Any], column: str, who: str) -> None:
    """An error where some prices are missing, no amounts or below 0."""
    problems = {"is missing or no amount": "unknown", f"is below 0 (such as {facts['lowest']:,g})": "negative"}
    if told := [f"{problem} for {int(facts[fact]):,}" for problem, fact in problems.items() if facts[fact]]:
        raise ValueError(
            f"column {column!r} {' and '.join(told)} of {int(facts['rows']):,} {who}; correct these prices (0 for a "
            "contract that is free), or leave out price"
        )
