"""Purchases per day and per period, and cohort retention.

Every table is one narwhals expression that runs where the log lives. Only sums per day or per cohort are returned.
Purchases of a customer on one day count as one.
"""

from __future__ import annotations

from typing import Any, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice
from retention_models.core.dates import PANDAS_PERIODS, unit_name
from retention_models.core.proportions import wilson_interval
from retention_models.logs.transactions.log import Granularity
from retention_models.logs.transactions.purchases import (
    Period,
    add_first_period,
    as_transactions,
    filter_days,
    observed_purchases,
    period_start,
)
from retention_models.tables.frames import collect


def daily_purchases(
    transactions: Any,
    *,
    granularity: Granularity = "D",
    acquired_until: Any = None,
) -> pd.DataFrame:
    """Purchases per day, with the number of first purchases.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    granularity
        The period in which all purchases of a customer count as one, and of the rows. By default ``"D"`` (a day).
    acquired_until
        Keep only customers whose first purchase is on this day or before. By default keep all customers.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``date``, only days with a purchase: ``purchases``, ``new_customers`` (first purchases) and, with
        money, ``amount``.

    Raises
    ------
    ValueError
        When no purchase lies within the dates.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.logs.transactions.describe.cohorts import daily_purchases
    >>> daily_purchases(rm.read_transactions(rm.datasets.load_cdnow()).window(observation_end="1997-01-03"))
                purchases  new_customers  amount
    date
    1997-01-01         18             18  439.11
    1997-01-02         22             22  551.78
    1997-01-03         17             17  442.36
    """
    log = as_transactions(transactions)
    bought = filter_days(observed_purchases(log, granularity), "first", None, acquired_until)
    is_first = nw.when(nw.col("period") == nw.col("first")).then(1).otherwise(0)
    sums = [nw.len().alias("purchases"), nw.col("is_first").sum().alias("new_customers")]
    if log.has_amount:
        sums.append(nw.col("amount").sum())
    days = collect(bought.with_columns(is_first=is_first).group_by("period").agg(*sums))
    if days.empty:
        raise ValueError(f"no purchase lies within these dates; the log runs from {log.first_date} to {log.last_date}")
    days.index = pd.DatetimeIndex(days.pop("period"), name="date").as_unit("us")
    days = days.sort_index()
    whole = {"purchases": np.int64, "new_customers": np.int64}
    return days.astype(whole).round(6)


def purchases_per_period(
    transactions: Any,
    *,
    period: Period = "M",
) -> pd.DataFrame:
    """Purchases, new customers and money per calendar period, including periods without a purchase.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    period
        Length of a period: ``"D"``, ``"W"`` (from Monday), ``"M"`` (the default), ``"Q"`` or ``"Y"``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``period`` (text such as 1997-01): ``purchases``, and their parts ``new_customers`` (first purchases)
        and ``repeat_purchases``. With money also ``amount``. ``complete`` is False for a first or last period that the
        log covers only in part.

    Raises
    ------
    ValueError
        When no purchase lies within the dates.

    Examples
    --------
    >>> import retention_models as rm
    >>> quarters = rm.logs.purchases_per_period(rm.datasets.load_cdnow(), period="Q")
    >>> quarters[["purchases", "new_customers", "complete"]]
            purchases  new_customers  complete
    period
    1997Q1       3169           2357      True
    1997Q2        920              0      True
    1997Q3        725              0      True
    1997Q4        731              0      True
    1998Q1        656              0      True
    1998Q2        495              0      True
    """
    check_choice("period", period, get_args(Period))
    log = as_transactions(transactions)
    days = daily_purchases(log)
    end = days.index[-1] if log.observation_end is None else pd.Timestamp(log.observation_end)
    label = pd.DatetimeIndex(days.index).to_period(PANDAS_PERIODS[period])
    every = pd.period_range(label[0], end.to_period(PANDAS_PERIODS[period]), name="period")
    table = days.groupby(label).sum().reindex(every, fill_value=0)
    table.insert(2, "repeat_purchases", table["purchases"] - table["new_customers"])
    table["complete"] = (every.start_time >= days.index[0]) & (every.end_time.normalize() <= end)
    return table.set_axis(_period_labels(every))


def cohort_retention(
    transactions: Any,
    *,
    period: Period = "M",
) -> pd.DataFrame:
    """Cohort retention: the share of each cohort of new customers who bought in each later period.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    period
        Length of the cohorts and of the later periods: ``"D"``, ``"W"`` (from Monday), ``"M"`` (the default),
        ``"Q"`` or ``"Y"``.

    Returns
    -------
    pandas.DataFrame
        One row per cohort and age: ``cohort`` (period of the first purchase, as text), ``age`` (periods since then),
        ``customers`` in the cohort, ``active`` (customers who bought at that age), and ``share`` (from 0 to 1) with its
        95 % confidence interval ``share_lower, share_upper``. A last period that is not complete is left out.

    Raises
    ------
    ValueError
        When the log covers no whole period, or the dates leave no customer.

    Notes
    -----
    The confidence interval is that of Wilson (1927). Purchases of a customer on one day count as one.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.cohort_retention(rm.datasets.load_cdnow(), period="Q").round(3)
       cohort  age  customers  active  share  share_lower  share_upper
    0  1997Q1    0       2357    2357  1.000        1.000        1.000
    1  1997Q1    1       2357     524  0.222        0.206        0.240
    2  1997Q1    2       2357     418  0.177        0.162        0.193
    3  1997Q1    3       2357     404  0.171        0.157        0.187
    4  1997Q1    4       2357     384  0.163        0.149        0.178
    5  1997Q1    5       2357     300  0.127        0.114        0.141
    """
    check_choice("period", period, get_args(Period))
    log = as_transactions(transactions)
    until, bought = log.last_observed, observed_purchases(log)
    active = add_first_period(
        bought.select("customer_id", period=period_start(nw.col("period").cast(nw.Datetime("us")), period)).unique()
    )
    pairs = collect(active.group_by("first", "period").agg(active=nw.len()))
    end = pd.Timestamp(until)
    last = end.to_period(PANDAS_PERIODS[period])
    return _cohort_table(pairs, last if last.end_time.normalize() <= end else last - 1, period)


def retention_by_age(retention: pd.DataFrame) -> pd.DataFrame:
    """Cohort retention over all cohorts together, by age.

    Parameters
    ----------
    retention
        The frame of ``cohort_retention``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``age`` (periods since the first purchase): number of ``cohorts`` observed at that age, their
        ``customers``, how many of these were ``active``, and ``share`` (from 0 to 1) with its 95 % confidence interval
        ``share_lower, share_upper``.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.retention_by_age(rm.logs.cohort_retention(rm.datasets.load_cdnow())).loc[[0, 1, 16, 17]].round(3)
         cohorts  customers  active  share  share_lower  share_upper
    age
    0          3       2357    2357  1.000        1.000        1.000
    1          3       2357     345  0.146        0.133        0.161
    16         2       1638      97  0.059        0.049        0.072
    17         1        781      33  0.042        0.030        0.059
    """
    table = retention.groupby("age").agg(
        cohorts=("cohort", "size"), customers=("customers", "sum"), active=("active", "sum")
    )
    return _add_share(table, table.index)


def cohort_labels(customers: pd.DataFrame, period: Period = "M") -> pd.Series:
    """The calendar period in which each customer made the first purchase, as text.

    The labels can go to ``fit(by=...)``.

    Parameters
    ----------
    customers
        The frame of ``summarize``, with ``first_purchase``.
    period
        Length of a cohort: ``"D"``, ``"W"`` (from Monday), ``"M"`` (the default), ``"Q"`` or ``"Y"``.

    Returns
    -------
    pandas.Series
        Named ``cohort``, indexed as ``customers``: text such as 1997-01.

    Raises
    ------
    ValueError
        When the table has no ``first_purchase``, or the period is not valid.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.cohort_labels(rm.summarize(rm.datasets.load_cdnow()), "Q").value_counts()
    cohort
    1997Q1    2357
    Name: count, dtype: int64
    """
    check_choice("period", period, get_args(Period))
    if "first_purchase" not in getattr(customers, "columns", ()):
        raise ValueError("the table of customers has no column first_purchase; pass the result of summarize(...)")
    first = pd.DatetimeIndex(customers["first_purchase"]).to_period(PANDAS_PERIODS[period])
    return pd.Series(_period_labels(first), index=customers.index, name="cohort")


def _cohort_table(pairs: pd.DataFrame, last: pd.Period, period: Period) -> pd.DataFrame:
    """Active customers of every cohort at every age up to the ``last`` period, zeros included."""
    first, later = (pd.PeriodIndex(pairs[name], freq=PANDAS_PERIODS[period]) for name in ("first", "period"))
    cohort, age = first.asi8, later.asi8 - first.asi8
    label = dict(zip(cohort.tolist(), _period_labels(first), strict=True))
    active = pd.Series(pairs["active"].to_numpy(dtype=np.int64), index=[cohort, age])
    cohorts = np.unique(cohort[cohort <= last.ordinal])
    if not len(cohorts):
        name = unit_name(period)
        raise ValueError(f"the log ends before its first {name} does, so no {name} is whole; choose a shorter period")
    ages = last.ordinal - cohorts + 1
    cells = pd.MultiIndex.from_arrays([np.repeat(cohorts, ages), np.concatenate([np.arange(n) for n in ages])])
    frame = pd.DataFrame({
        "cohort": cells.get_level_values(0).map(label),
        "age": cells.get_level_values(1),
        "customers": active.xs(0, level=1).reindex(cells.get_level_values(0)).to_numpy(),
        "active": active.reindex(cells, fill_value=0).to_numpy(),
    })  # fmt: skip
    frame = _add_share(frame, frame["age"])
    frame.attrs["period"] = period
    return frame


def _add_share(table: pd.DataFrame, age: Any) -> pd.DataFrame:
    """The table with the share of customers active and its interval; at age 0 all are, by definition."""
    share = table["active"] / table["customers"]
    lower, upper = wilson_interval(share, table["customers"])
    return table.assign(share=share, share_lower=np.where(age == 0, 1.0, lower), share_upper=upper)


def _period_labels(periods: pd.PeriodIndex) -> pd.Index:
    """Periods as short text: 1997-01, 1997Q1, 1997; days and weeks by their first day."""
    names = periods.start_time.strftime("%Y-%m-%d") if periods.freqstr[0] in "DW" else periods.astype(str)
    return pd.Index(names, name=periods.name)
