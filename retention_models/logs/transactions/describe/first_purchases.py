"""The first purchase of each customer: when, and for how much."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.logs.transactions.by_engine import encode_ids, index_by_customer
from retention_models.logs.transactions.purchases import as_transactions, observed_purchases
from retention_models.tables.frames import collect


def first_purchases(transactions: Any) -> pd.DataFrame:
    """The day and the amount of each customer's first purchase.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    pandas.DataFrame
        Indexed and sorted by ``customer_id``: ``first_purchase`` (the day) and, with money, ``amount`` (of all that was
        bought on that day, net of returns).

    Raises
    ------
    ValueError
        When no customer was first seen within the days of the log.

    Examples
    --------
    >>> import retention_models as rm
    >>> first = rm.logs.first_purchases(rm.datasets.load_cdnow())
    >>> first.head(2)
                first_purchase  amount
    customer_id
    1               1997-01-01   29.33
    2               1997-01-01   63.34
    >>> float(first["amount"].mean().round(2))
    32.99
    """
    log = as_transactions(transactions)
    encoded, ids = encode_ids(log)
    bought = observed_purchases(encoded).filter(nw.col("period") == nw.col("first"))
    names = ["customer_id", "first", *(["amount"] if log.has_amount else [])]
    table = collect(bought.select(names))
    if table.empty:
        raise ValueError(f"no customer was first seen within these dates; the log runs to {log.last_date}")
    table = index_by_customer(table, ids).rename(columns={"first": "first_purchase"})
    table["first_purchase"] = pd.to_datetime(table["first_purchase"]).astype("datetime64[us]")
    return table.assign(amount=table["amount"].round(6)) if log.has_amount else table
