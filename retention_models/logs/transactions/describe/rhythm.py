"""Inter-purchase times, time to the second purchase, and seasons."""

from __future__ import annotations

from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import check_choice
from retention_models.core.dates import MEAN_DAYS
from retention_models.core.proportions import waiting_interval
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.purchases import (
    Period,
    as_transactions,
    filter_days,
    observed_purchases,
    purchases,
)
from retention_models.tables.frames import collect

Season = Literal["month", "weekday"]

ENOUGH_WATCHED = 30  # customers at risk, or a twentieth of all, for a share to be shown
ENOUGH_PERIODS, FEWEST_PERIODS = 12, 3  # whole ones in a log that a table of cohorts should have, and must have


def suitable_period(transactions: Any) -> Period:
    """The calendar period by which to tabulate a log: the longest one that the log covers twelve times.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    str
        ``"D"``, ``"W"``, ``"M"``, ``"Q"`` or ``"Y"``.

    Notes
    -----
    A period shorter than half the median inter-purchase time is avoided if the log covers three longer periods. In so
    short a period even loyal customers seldom buy.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.suitable_period(rm.datasets.load_cdnow())
    'M'
    """
    log = as_transactions(transactions)
    days = (log.last_observed - log.first_date).days + 1
    gaps = purchase_gaps(log)["share"]
    usual = 0 if gaps.empty else days_until(gaps, 0.5)
    every = get_args(Period)
    covered = [period for period in every if days >= FEWEST_PERIODS * MEAN_DAYS[period]] or ["D"]
    telling = [period for period in covered if MEAN_DAYS[period] >= usual / 2] or covered[-1:]
    often = [period for period in telling if days >= ENOUGH_PERIODS * MEAN_DAYS[period]] or telling[:1]
    return often[-1]


def days_until(share: pd.Series, reached: float) -> int:
    """The first day by which a cumulative ``share`` is reached, from the tables of this module."""
    return int(share.index[int(share.searchsorted(reached))])


def purchase_gaps(transactions: Any) -> pd.DataFrame:
    """Distribution of inter-purchase times: how many days lie between purchases of the same customer.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``days``, from 1 to the longest gap: number of ``gaps`` of that length, and ``share``, the cumulative
        share of all gaps (from 0 to 1). Empty if no customer bought twice.

    Notes
    -----
    Only customers who bought again have a gap. Long gaps are under-represented, because the log ends before they do.
    For the share of customers who come back, use ``time_to_second_purchase``.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.purchase_gaps(rm.datasets.load_cdnow()).loc[[7, 28, 182]].round(3)
          gaps  share
    days
    7      108  0.171
    28      52  0.456
    182      3  0.890
    """
    log = as_transactions(transactions)
    end = log.last_observed
    bought = filter_days(purchases(log), "period", None, end)
    before = nw.col("period").shift(1).over("customer_id", order_by="period")
    pairs = bought.with_columns(before=before).filter(~nw.col("before").is_null())
    counted = collect(pairs.group_by("before", "period").agg(gaps=nw.len()))
    if counted.empty:
        none = pd.RangeIndex(1, 1, name="days")
        return pd.DataFrame({"gaps": np.empty(0, np.int64), "share": np.empty(0)}, index=none)
    table = _sum_by_day(counted[["gaps"]], _days_between(counted["before"], counted["period"]))
    return table.assign(share=table["gaps"].cumsum() / table["gaps"].sum()).loc[1:]


def time_to_second_purchase(
    transactions: Any,
) -> pd.DataFrame:
    """Share of new customers who make a second purchase, by days since the first purchase.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``days`` since the first purchase: customers ``at_risk`` (observed that long and without a second
        purchase before), ``came_back`` (second purchases on that day), and ``share``, the cumulative share with a
        second purchase (from 0 to 1) with its 95 % confidence interval ``share_lower, share_upper``. The last rows rest
        on few customers.

    Raises
    ------
    ValueError
        When no customer is left, or none was observed for a whole day.

    Notes
    -----
    Recent customers were observed for a shorter time. They count for that time only (Kaplan & Meier 1958).

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.time_to_second_purchase(rm.datasets.load_cdnow()).loc[[7, 28, 182]].round(3)
          at_risk  came_back  share  share_lower  share_upper
    days
    7        2229         17  0.062        0.053        0.072
    28       1974         12  0.168        0.153        0.183
    182      1467          0  0.378        0.358        0.398
    """
    log = as_transactions(transactions)
    end, bought = log.last_observed, observed_purchases(log)
    then = nw.col("period").shift(-1).over("customer_id", order_by="period")
    firsts = bought.with_columns(second=then).filter(nw.col("period") == nw.col("first"))
    counted = collect(firsts.group_by("first", "second").agg(customers=nw.len()))
    if counted.empty:
        raise ValueError("no customer was first seen within these dates")
    back = counted["second"].notna().to_numpy()
    watched = _days_between(counted["first"], pd.to_datetime(counted["second"]).fillna(pd.Timestamp(end)))
    if not watched.any():
        raise ValueError(f"all customers were first seen on the last day, {end}, so none was watched for even one day")
    table = _sum_by_day(counted[["customers"]].assign(came_back=counted["customers"] * back), watched)
    table["at_risk"] = table["customers"][::-1].cumsum()
    table["share"] = 1 - (1 - table["came_back"] / table["at_risk"]).cumprod()
    table["share_lower"], table["share_upper"] = waiting_interval(table["at_risk"], table["came_back"])
    return table.loc[1:, ["at_risk", "came_back", "share", "share_lower", "share_upper"]]


def well_watched(second: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``time_to_second_purchase`` with enough customers at risk: 30, or a twentieth of all.

    The smaller of the two numbers is the limit.
    """
    return second[second["at_risk"] >= min(ENOUGH_WATCHED, second["at_risk"].iloc[0] / 20)]


def season(
    transactions: Any,
    *,
    by: Season = "month",
) -> pd.DataFrame:
    """Repeat purchases per day by calendar month or weekday, relative to the mean of all days.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    by
        ``"month"`` (the default) or ``"weekday"``.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``month`` or ``weekday`` in calendar order: number of ``days`` observed, ``repeat_purchases``,
        purchases ``per_day``, and ``relative``, that over the mean of all days (1 is average).

    Raises
    ------
    ValueError
        When no purchase lies within the dates.

    Notes
    -----
    Growth or decline within the log looks like a season, unless the log covers whole years. ``evaluation.season_left``
    gives the season that a model does not explain.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.season(rm.datasets.load_cdnow(), by="weekday").round(2)
               days  repeat_purchases  per_day  relative
    weekday
    Monday       78               670     8.59      1.08
    Tuesday      78               676     8.67      1.09
    Wednesday    78               607     7.78      0.98
    Thursday     78               629     8.06      1.01
    Friday       78               592     7.59      0.96
    Saturday     78               558     7.15      0.90
    Sunday       78               607     7.78      0.98
    """
    check_choice("by", by, get_args(Season))
    log = as_transactions(transactions)
    table = daily_purchases(log)
    end = table.index[-1] if log.observation_end is None else pd.Timestamp(log.observation_end)
    days = pd.date_range(table.index[0], end)
    repeat = (table["purchases"] - table["new_customers"]).reindex(days, fill_value=0)
    number, name = (days.month, days.month_name()) if by == "month" else (days.day_of_week, days.day_name())
    grouped = repeat.groupby([number, name])
    season = pd.DataFrame({"days": grouped.size(), "repeat_purchases": grouped.sum()}).droplevel(0).rename_axis(by)
    season["per_day"] = season["repeat_purchases"] / season["days"]
    return season.assign(relative=season["per_day"] / max(repeat.mean(), np.finfo(float).tiny))


def _sum_by_day(counts: pd.DataFrame, days: np.ndarray) -> pd.DataFrame:
    """Sums of whole numbers for every day from 0 to the last."""
    every = pd.RangeIndex(days.max() + 1, name="days")
    return counts.astype(np.int64).groupby(days).sum().reindex(every, fill_value=0)


def _days_between(start: pd.Series, end: pd.Series) -> np.ndarray:
    return (pd.to_datetime(end) - pd.to_datetime(start)).dt.days.to_numpy()
