"""Inter-purchase times, time to the second purchase, and seasons."""

from __future__ import annotations

from typing import Any, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import check_choice, require_number, require_whole
from retention_models.core.dates import MEAN_DAYS
from retention_models.core.proportions import waiting_interval
from retention_models.logs.transactions.describe.cohorts import daily_purchases
from retention_models.logs.transactions.purchases import (
    Period,
    add_first_period,
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
        share of these gaps (from 0 to 1). Then, for silence: ``at_risk``, the gaps after a repeat purchase that lasted
        that long, and ``over``, the share of them that a purchase ended by then, with its 95 % confidence interval
        ``over_lower, over_upper``. Beyond the last of them, and where there is none, it is what was known before: 0,
        and 0 to 1, at the start. Empty if no customer bought twice.

    Notes
    -----
    ``share`` describes completed gaps. Long ones are under-represented, because the log ends before they do: use it for
    the usual rhythm. ``over`` includes gaps that are still open, which count as long as they were observed (Kaplan &
    Meier 1958): use it to judge a silence. Both describe customers of all kinds together. For new customers use
    ``time_to_second_purchase``.

    Examples
    --------
    >>> import retention_models as rm
    >>> rm.logs.purchase_gaps(rm.datasets.load_cdnow()).loc[[7, 28, 182], ["gaps", "share", "over"]].round(3)
          gaps  share   over
    days
    7      108  0.171  0.138
    28      52  0.456  0.370
    182      3  0.890  0.730
    """
    log = as_transactions(transactions)
    end = log.last_observed
    bought = add_first_period(filter_days(purchases(log), "period", None, end))
    then = nw.col("period").shift(-1).over("customer_id", order_by="period")
    pairs = bought.with_columns(then=then, again=(nw.col("period") > nw.col("first")).cast(nw.Int64))
    counted = collect(pairs.group_by("period", "then", "again").agg(gaps=nw.len()))
    is_over, lasted = _durations(counted["period"], counted["then"], end)
    if not is_over.any():
        names = ("share", "over", "over_lower", "over_upper")
        none = {"gaps": np.empty(0, np.int64), "at_risk": np.empty(0, np.int64), **dict.fromkeys(names, np.empty(0))}
        return pd.DataFrame(none, pd.RangeIndex(1, 1, name="days"))[["gaps", "share", "at_risk", *names[1:]]]
    again = counted["gaps"] * counted["again"]
    sums = {"gaps": counted["gaps"] * is_over, "watched": again, "ended": again * is_over}
    table = _sum_by_day(pd.DataFrame(sums), lasted)
    table["share"] = table["gaps"].cumsum() / table["gaps"].sum()
    waiting = _waiting(table.pop("watched"), table.pop("ended"))
    silence = waiting.rename(columns=lambda name: name.replace("share", "over")).drop(columns="came_back")
    table = table.join(silence).loc[1 : int(lasted[is_over].max())]
    table["at_risk"] = table["at_risk"].fillna(0).astype(np.int64)
    return table.ffill().fillna({"over": 0.0, "over_lower": 0.0, "over_upper": 1.0})


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
    back, watched = _durations(counted["first"], counted["second"], end)
    if not watched.any():
        raise ValueError(
            f"all customers were first seen on the last day, {end}, so no customer was observed for even one day"
        )
    table = _sum_by_day(counted[["customers"]].assign(came_back=counted["customers"] * back), watched)
    return _waiting(table["customers"], table["came_back"]).loc[1:]


def second_purchase_window(
    second: pd.DataFrame, *, ahead_days: int = 91, share: float = 0.1, at_risk: int = 30
) -> int | None:
    """The day from which on few of the customers without a second purchase still make one soon.

    Parameters
    ----------
    second
        The frame of ``time_to_second_purchase``.
    ahead_days
        What soon is, in days. By default 91, 13 weeks.
    share
        What few are, from 0 to 1. By default 0.1.
    at_risk
        How many customers must have been observed until ``ahead_days`` after a day. By default 30.

    Returns
    -------
    int or None
        The first day since the first purchase from which on less than ``share`` of those still without a second
        purchase make it within the next ``ahead_days``. None where there is no such day among those with enough
        customers.

    Raises
    ------
    ValueError
        When a number is not valid.

    Notes
    -----
    The share is 1 - S(d + ahead) / S(d), with S the share without a second purchase by Kaplan & Meier (1958). It does
    not move with the length of the log, as "ever" would. It describes customers of all kinds together, and does not say
    that a contact would bring more.

    Examples
    --------
    >>> import retention_models as rm
    >>> second = rm.logs.time_to_second_purchase(rm.datasets.load_cdnow())
    >>> rm.logs.second_purchase_window(second)
    129
    """
    require_whole("ahead_days", ahead_days, 1)
    require_number("share", share, 0, 1, inside=True)
    require_whole("at_risk", at_risk, 1)
    every = second.reindex(pd.RangeIndex(1, int(second.index[-1]) + 1))
    still, watched = 1 - every["share"], every["at_risk"].shift(-ahead_days)
    coming = 1 - still.shift(-ahead_days) / still.where(still > 0)
    known = coming[watched >= at_risk].fillna(0.0)
    many = known.index[known >= share]
    day = int(many[-1]) + 1 if len(many) else 1
    return day if len(known) and day <= known.index[-1] else None


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


def _durations(start: pd.Series, end: pd.Series, last: Any) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Whether each wait ended, and how many days it lasted or was observed."""
    lasted = pd.to_datetime(end).fillna(pd.Timestamp(last)) - pd.to_datetime(start)
    return np.asarray(end.notna()), np.asarray(lasted.dt.days, dtype=np.int64)


def _waiting(watched: pd.Series, came_back: pd.Series) -> pd.DataFrame:
    """By day: those at risk, those who came back on it, and the share back by then, with its interval."""
    at_risk = watched[::-1].cumsum()[::-1]
    at_risk, came_back = at_risk[at_risk > 0], came_back[at_risk > 0]
    share = 1 - (1 - came_back / at_risk).cumprod()
    lower, upper = waiting_interval(at_risk, came_back)
    columns = {"at_risk": at_risk, "came_back": came_back, "share": share, "share_lower": lower, "share_upper": upper}
    return pd.DataFrame(columns)


def _sum_by_day(counts: pd.DataFrame, days: np.ndarray) -> pd.DataFrame:
    """Sums of whole numbers for every day from 0 to the last."""
    every = pd.RangeIndex(days.max() + 1, name="days")
    return counts.astype(np.int64).groupby(days).sum().reindex(every, fill_value=0)
