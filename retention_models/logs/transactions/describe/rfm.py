"""RFM: recency, frequency and money in five classes each, and segments.

RFM describes the past, beside the expectation of a model. The segment names are common in e-mail marketing.
"""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.logs.transactions.purchases import as_transactions, observed_purchases
from retention_models.tables.frames import collect

LAPSED, RISK, LOSE = "hibernating", "at risk", "cannot lose them"
SLEEP, ATTENTION, LOYAL = "about to sleep", "needs attention", "loyal"
PROMISING, NEW, POTENTIAL, CHAMPION = "promising", "new", "potential loyalist", "champion"
NAMES = np.array(
    [  # frequency score 1 to 5 across, recency score 1 to 5 down
        [LAPSED, LAPSED, RISK, RISK, LOSE],
        [LAPSED, LAPSED, RISK, RISK, LOSE],
        [SLEEP, SLEEP, ATTENTION, LOYAL, LOYAL],
        [PROMISING, POTENTIAL, POTENTIAL, LOYAL, LOYAL],
        [NEW, POTENTIAL, POTENTIAL, CHAMPION, CHAMPION],
    ]
)
SCORES = NAMES.shape[0]


def rfm_segments(transactions: Any) -> pd.DataFrame:
    """RFM scores of each customer (recency, frequency, money, from 1 to 5) and the segment.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``customer_id``: ``days_since_last`` (days), ``purchases`` and, with money, ``spend``; then
        ``recency_score``, ``frequency_score`` and ``monetary_score`` (5 is best); and ``segment``, the name of the
        first two scores.

    Raises
    ------
    ValueError
        When no customer is left.

    Notes
    -----
    A score is the fifth of the ranking in which the customer lies. Customers with equal values have the same score, the
    lowest of their ranks. All customers with one purchase therefore have a frequency score of 1. The segment names are
    common in e-mail marketing. RFM describes the past; it is not a forecast.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.rfm_segments(rm.datasets.load_cdnow())["segment"].value_counts()
    segment
    hibernating           869
    champion              413
    about to sleep        349
    loyal                 310
    potential loyalist    250
    needs attention        82
    at risk                81
    cannot lose them        3
    Name: count, dtype: int64
    """
    log = as_transactions(transactions)
    start, end, bought = log.acquired_after, log.last_observed, observed_purchases(log)
    sums = [nw.col("period").max().alias("last"), nw.len().alias("purchases")]
    if log.has_amount:
        sums.append(nw.col("amount").sum().alias("spend"))
    customers = collect(bought.group_by("customer_id").agg(*sums)).set_index("customer_id").sort_index()
    if customers.empty:
        raise ValueError(f"no customer was first seen from {start} on; the log runs to {log.last_date}")
    customers.insert(0, "days_since_last", (pd.Timestamp(end) - pd.to_datetime(customers.pop("last"))).dt.days)
    customers["purchases"] = customers["purchases"].astype(np.int64)
    customers["recency_score"] = _quintile_scores(-customers["days_since_last"])
    customers["frequency_score"] = _quintile_scores(customers["purchases"])
    if log.has_amount:
        customers["spend"] = customers["spend"].round(6)
        customers["monetary_score"] = _quintile_scores(customers["spend"])
    names = NAMES[customers["recency_score"] - 1, customers["frequency_score"] - 1]
    return customers.assign(segment=names)


def recency_segments(rfm: pd.DataFrame) -> pd.Series:
    """Segments by recency alone, for a log that does not show who has left.

    Parameters
    ----------
    rfm
        The frame of ``rfm_segments``.

    Returns
    -------
    pandas.Series
        Called ``segment``, indexed as ``rfm``: the days since the last purchase of the customers with the same recency
        score, such as "last purchase 0 to 57 days ago".

    Examples
    --------
    >>> import retention_models as rm
    >>> segments = rm.logs.recency_segments(rm.logs.rfm_segments(rm.datasets.load_cdnow()))
    >>> segments.value_counts().sort_index().head(2)
    segment
    last purchase 0 to 150 days ago      471
    last purchase 152 to 441 days ago    470
    Name: count, dtype: int64
    """
    days = rfm["days_since_last"]
    ends = days.groupby(rfm["recency_score"]).agg(["min", "max"])
    names = {score: f"last purchase {row['min']:,} to {row['max']:,} days ago" for score, row in ends.iterrows()}
    return rfm["recency_score"].map(names).rename("segment")


def _quintile_scores(values: pd.Series) -> pd.Series:
    """Fifth of the ranking that each value lies in, 5 the highest; equal values take the lowest of their ranks."""
    below = (values.rank(method="min") - 1) / len(values)
    return np.floor(SCORES * below).astype(np.int64) + 1
