"""What customers pay at the end of observation, from a column with the price of each contract."""

from __future__ import annotations

import datetime as dt

import narwhals as nw

from retention_models.logs.contracts.rows import PRICE, Unread
from retention_models.logs.contracts.spells import Rows, is_running
from retention_models.logs.transactions.log import BEYOND_CENTS, tally
from retention_models.tables.currencies import CURRENCY, require_one_currency
from retention_models.tables.engines import column_names
from retention_models.tables.frames import collect


def count_prices(contracts: Rows, until: dt.date, column: str, unread: Unread) -> tuple[int, int]:
    """How many contracts run on the last day of observation, and how many of these are free.

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
    problems = {
        "is missing or no amount": (int(facts["unknown"]), unread([PRICE]) if facts["unknown"] else ""),
        f"is below 0 (such as {facts['lowest']:,g})": (int(facts["negative"]), ""),
    }
    if told := [f"{problem} for {count:,}" for problem, (count, _) in problems.items() if count]:
        hint = "".join(hint for _, hint in problems.values())
        raise ValueError(
            f"column {column!r} {' and '.join(told)} of {int(facts['rows']):,} contracts that run on {until}{hint}; "
            "correct these prices (0 for a contract that is free), or leave out price"
        )
    if CURRENCY in column_names(running.to_native()):
        require_one_currency(running, CURRENCY, with_conditions=False)
    return int(facts["rows"]), int(facts["free"])
