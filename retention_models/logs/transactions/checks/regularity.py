"""Whether inter-purchase times are random or regular, as in a subscription.

If purchases come at random, the second of three purchases lies anywhere between the other two with equal probability.
This holds for any purchase rate and any time of churn. If purchases are regular, it lies in the middle (Wheat &
Morrison 1990, "Estimating Purchase Regularity with Two Interpurchase Times", Journal of Marketing Research 27, 87-93).
Days are whole numbers. Between two purchases S days apart, the second is uniform on S - 1 days, with variance S (S - 2)
/ 12.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.check import Check
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import add_first_period, as_transactions, filter_days, purchases
from retention_models.tables.frames import collect

NAME = "Regularity of purchases"
FEWEST_CUSTOMERS = 30
REGULAR = 0.5  # of the random variance: gaps of a gamma distribution of shape 2.5, (3 - ratio) / (2 ratio)


def check_regularity(transactions: Any) -> Check:
    """Whether inter-purchase times are irregular enough for models with random purchase times.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    Check
        Failed if purchases come at regular intervals, as in a subscription. Not testable with fewer than 30 customers
        with three purchases.

    Notes
    -----
    The check uses the first three purchases of each customer with at least three. At random times, the second purchase
    lies anywhere between the other two with equal probability. At regular intervals, it lies in the middle. The check
    compares the variance of its position with that of random times.

    Source: Wheat & Morrison (1990), "Estimating Purchase Regularity with Two Interpurchase Times", Journal of Marketing
    Research 27, 87-93.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(rm.logs.check_regularity(rm.datasets.load_cdnow()))
    Regularity of purchases: passed. The gaps between the first three purchases of 734 customers have 111 % of the
    variance expected by chance.
    """
    n, ratio = middle_purchase_spread(transactions)
    measured = spread_sentence(n, ratio)
    size, limit, unit = 100 * ratio, 100 * REGULAR, "% of the random variance"
    if n < FEWEST_CUSTOMERS:
        return Check(NAME, None, detail=f"{measured}.")
    if ratio >= REGULAR:
        return Check(NAME, True, size, limit, unit, detail=f"{measured}.")
    return Check(
        NAME,
        False,
        size,
        limit,
        unit,
        detail=f"{measured}: purchases come at regular intervals, as in a subscription. Models with random purchase "
        "times recognise too late that a customer has left, and their intervals are too wide.",
        remedy="Use MBGCNBD, or rm.read_contracts if the purchases are payments of a contract.",
    )


def middle_purchase_spread(transactions: Any) -> tuple[int, float]:
    """How many customers tell, and the variance of the middle purchase between the outer two over that by chance.

    The latter is 1 where nobody tells. Gaps of a gamma distribution of shape k have 3 / (2 k + 1).
    """
    first, middle, last = _first_three_purchases(as_transactions(transactions))
    apart = (last - first).dt.days.to_numpy()
    off = (middle - first).dt.days.to_numpy() / apart - 0.5
    expected = (apart - 2) / (12 * apart)
    n = int(np.count_nonzero(expected))
    return n, float(np.sum(off**2) / np.sum(expected)) if n else 1.0


def spread_sentence(n: int, ratio: float) -> str:
    """The same in words, without a full stop."""
    if n < FEWEST_CUSTOMERS:
        return f"There are {n:,} customers whose first three purchases are not on three days in a row: too few to tell"
    return (
        f"The gaps between the first three purchases of {n:,} customers have {100 * ratio:.0f} % of the variance "
        "expected by chance"
    )


def _first_three_purchases(log: Transactions) -> tuple[pd.Series, pd.Series, pd.Series]:
    """The days of the first, second and third purchase of each customer with at least three."""
    bought = add_first_period(filter_days(purchases(log), "period", None, log.last_observed))
    earlier = {n: nw.col("period").shift(n).over("customer_id", order_by="period") for n in (1, 2)}
    bought = bought.with_columns(before=earlier[1], two_before=earlier[2])
    thirds = collect(bought.filter(nw.col("two_before") == nw.col("first")).select("first", "before", "period"))
    return pd.to_datetime(thirds["first"]), pd.to_datetime(thirds["before"]), pd.to_datetime(thirds["period"])
