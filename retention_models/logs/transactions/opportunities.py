"""A log as opportunities to buy: the periods after the first in which each customer bought.

For businesses with one occasion per period (a yearly gift, a weekly market), which BG/BB describes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice
from retention_models.core.dates import PANDAS_PERIODS, unit_name
from retention_models.logs.transactions.by_engine import encode_ids
from retention_models.logs.transactions.calendar import calendar
from retention_models.logs.transactions.checks.last_day import check_last_day
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import Period, filter_days, period_start, purchases
from retention_models.logs.transactions.read_log import read_transactions
from retention_models.tables.frames import collect

Opportunity = Literal["Y", "Q", "M", "W"]


def opportunities(
    transactions: Any,
    *,
    period: Opportunity = "Y",
    amount: str | None = "amount",
    calibration_end: str | dt.date | None = None,
    observation_end: str | dt.date | None = None,
) -> pd.DataFrame:
    """One row per customer: opportunities to buy since the first purchase, and how many were taken.

    For businesses with one occasion per period, such as a yearly gift or a weekly market. ``fit`` takes the table for
    BG/BB.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    period
        The calendar period that is one opportunity: ``"Y"`` (the default), ``"Q"``, ``"M"`` or ``"W"`` (from Monday).
        Purchases in the same period count once.
    amount
        Column of the amounts, which separates refunds from purchases. None if the log has no money.
    calibration_end, observation_end
        Last days of the calibration period and of observation, as in ``summarize``. Each must be the last day of a
        period, so that no opportunity is still open.

    Returns
    -------
    pandas.DataFrame
        Indexed and sorted by ``customer_id``: ``frequency`` (opportunities taken after the first period, up to
        ``calibration_end``), ``recency`` (number of the last opportunity taken, 0 for none), ``T`` (number of
        opportunities), and ``first_purchase`` (first day of the first period). With a holdout period also
        ``holdout_frequency`` and ``holdout_duration``, in opportunities. ``attrs`` counts the customers who are left
        out because they came after the calibration period.

    Raises
    ------
    ValueError
        When a date is not the last day of a period, contradicts another date, or leaves no customer.

    Notes
    -----
    See Fader, Hardie & Shang (2010), "Customer-Base Analysis in a Discrete-Time Noncontractual Setting", Marketing
    Science 29(6), 1086-1108.

    Examples
    --------
    >>> import pandas as pd
    >>> gifts = pd.DataFrame({"customer_id": ["Ann", "Ann", "Ann", "Bob"],
    ...     "date": pd.to_datetime(["2020-03-01", "2021-12-24", "2021-12-31", "2022-05-05"])})
    >>> opportunities(gifts, amount=None, observation_end="2023-12-31")
                 frequency  recency  T first_purchase
    customer_id
    Ann                  1        1  3     2020-01-01
    Bob                  0        0  1     2022-01-01
    """
    check_choice("period", period, get_args(Opportunity))
    log = transactions if isinstance(transactions, Transactions) else read_transactions(transactions, amount=amount)
    if log.acquired_after is not None:
        raise ValueError(
            "opportunities are counted from the first purchase of all customers, but the log has acquired_after "
            f"{log.acquired_after}: pass the log without it"
        )
    days = calendar(
        log,
        calibration_end=calibration_end,
        observation_end=observation_end,
        acquired_after=None,
        time_unit="D",
        granularity="D",
    )
    cut, end = (_whole_period(day, period, log.last_date) for day in (days.calibration_end, days.observation_end))
    encoded, ids = encode_ids(log)
    bought = filter_days(purchases(encoded), "period", None, days.observation_end)
    table = _aggregate_customers(
        bought.with_columns(begin=period_start(nw.col("period").cast(nw.Datetime("us")), period)), days.calibration_end
    )
    number = table["customer_id"].to_numpy()
    table.index = pd.Index(number if ids is None else ids.take(number), name="customer_id")
    later = table["taken"] == 0
    if later.all():
        raise ValueError(
            f"no customer is left: all {len(table):,} are first seen after calibration_end {cut.end_time:%Y-%m-%d}"
        )
    summary = _summary(table[~later].sort_index(), cut, end)
    summary.attrs.update(
        period=period,
        calibration_end=days.calibration_end.isoformat(),
        observation_end=days.observation_end.isoformat(),
        end_is_stated=days.end_is_stated,
        checks=[asdict(check) for check in (check_last_day(log.window(observation_end=observation_end)), *log.checks)],
        customers=len(summary),
        set_aside=dict(log.set_aside)
        | ({"customers first seen after calibration_end": int(later.sum())} if any(later) else {}),
    )
    return summary


def _aggregate_customers(bought: nw.LazyFrame[Any], calibration_end: dt.date) -> pd.DataFrame:
    """One row a customer: the first and the last period with a purchase, and how many there are, early and late."""
    begin = nw.col("begin")
    calibrated = begin.cast(nw.Date) <= calibration_end
    customers = (
        bought.select("customer_id", "begin")
        .unique()
        .group_by("customer_id")
        .agg(
            first=begin.min(),
            last=nw.when(calibrated).then(begin).max(),
            taken=nw.when(calibrated).then(begin).count(),
            holdout=nw.when(~calibrated).then(begin).count(),
        )
    )
    return collect(customers)


def _summary(table: pd.DataFrame, cut: pd.Period, end: pd.Period) -> pd.DataFrame:
    """The customers in opportunities, which are numbered from the period of the first purchase on."""
    first, last = (pd.PeriodIndex(pd.to_datetime(table[name]), freq=cut.freqstr) for name in ("first", "last"))
    summary = pd.DataFrame(
        {
            "frequency": table["taken"].to_numpy(np.int64) - 1,
            "recency": last.asi8 - first.asi8,
            "T": cut.ordinal - first.asi8,
            "first_purchase": first.start_time,
        },
        index=table.index,
    )
    if cut < end:
        summary["holdout_frequency"] = table["holdout"].astype(np.int64)
        summary["holdout_duration"] = float(end.ordinal - cut.ordinal)
    return summary


def _whole_period(day: dt.date, length: Period, last_date: dt.date) -> pd.Period:
    """The period that ends on a day; an error where none does."""
    whole = pd.Period(day, PANDAS_PERIODS[length])
    if whole.end_time.date() != day:
        before, name = (whole - 1).end_time.date(), unit_name(length)
        raise ValueError(
            f"{day} lies within a {name}, which is not complete; pass the last day of a {name} as "
            f"calibration_end and observation_end: {before}, or {whole.end_time.date()} if the log, whose last "
            f"purchase is on {last_date}, is complete until then"
        )
    return whole
