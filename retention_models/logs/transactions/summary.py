"""Sufficient statistics from purchases: what a model needs to know of each customer.

The rows are reduced by the engine where they live (see ``by_engine``) or, as a pandas frame, in memory (see
``in_memory``). The result is small. This module converts it to units of time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from inspect import signature
from typing import Any, Unpack

import narwhals as nw
import numpy as np
import pandas as pd

from retention_models.core.arguments import require_texts
from retention_models.core.check import Check
from retention_models.logs.transactions.by_engine import (
    aggregate_customers,
    collect_customers,
    encode_ids,
    index_by_customer,
    restrict_to_observation,
    select_cohort,
)
from retention_models.logs.transactions.calendar import Calendar, calendar
from retention_models.logs.transactions.checks.last_day import judge_last_day
from retention_models.logs.transactions.checks.log_start import check_openings, halves
from retention_models.logs.transactions.in_memory import sort_and_aggregate
from retention_models.logs.transactions.log import Granularity, Transactions
from retention_models.logs.transactions.read_log import Reading, read_transactions
from retention_models.tables.engines import column_names, measured_columns, open_table
from retention_models.tables.files import Kind, is_path, naming
from retention_models.tables.frames import count_distinct


def summarize(
    transactions: Any,
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = "amount",
    *,
    calibration_end: str | dt.date | None = None,
    observation_end: str | dt.date | None = None,
    acquired_after: str | dt.date | None = None,
    time_unit: str | dt.timedelta = "W",
    granularity: Granularity = "D",
    **reading: Unpack[Reading],
) -> pd.DataFrame:
    """One row per customer: repeat purchases, recency, age and spend, and what followed in the holdout period.

    This table is what ``fit`` takes. The rows are reduced on the engine where the log lives, so the log can be larger
    than memory.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    customer_id, date, amount
        Column names of the customer, the day or time of the purchase, and the money, as in ``read_transactions``.
        ``amount=None`` means that the log has no money.
    calibration_end
        Last day of the calibration period. Models learn only from purchases up to this day. By default
        ``observation_end``: then there is no holdout period.
    observation_end
        Last day of observation; later rows are set aside. By default the last day in the log. It can lie after the last
        purchase.
    acquired_after
        Keep only customers whose first purchase is on this day or later. By default keep all customers.
    time_unit
        Unit of all times in the result: ``"W"`` (weeks, the default), ``"D"``, ``"h"``, ``"min"``, ``"s"``, a fixed
        length such as ``"30D"``, or a timedelta.
    granularity
        The period in which all purchases of a customer count as one: ``"D"`` (a day, the default), ``"W"`` (a week from
        Monday), ``"h"``, ``"min"`` or ``"s"``.
    **reading
        How to read the log, as in ``read_transactions``: ``refunds``, ``zeros``, ``time_zone``, ``max_set_aside``,
        ``date_format``, ``decimal``, ``where``, ``quantity`` and ``unit_price``, ``order_id`` and ``article``,
        ``separator``, ``no_header``, ``encoding``.

    Returns
    -------
    pandas.DataFrame
        One row per customer, indexed and sorted by ``customer_id``:

        - ``frequency``: number of repeat purchases in the calibration period
        - ``recency``: time from the first purchase to the last purchase of the calibration period, in time units
        - ``T``: time from the first purchase to the end of the calibration period, in time units
        - ``log_gaps``: sum of the logarithms of the inter-purchase times, which (M)BG/CNBD-k needs
        - ``monetary_value``: mean amount per repeat purchase, 0.0 for customers without one
        - ``first_purchase``: the day or time of the first purchase
        - ``holdout_frequency``: number of purchases in the holdout period
        - ``holdout_amount``: spend in the holdout period
        - ``holdout_duration``: length of the holdout period, in time units

        Without money, or where too many returns belong to no purchase, the columns of amounts are absent. Without a
        holdout period, the three holdout columns are absent. ``attrs`` has the time unit, the dates, the numbers of
        rows and customers left out by reason, and checks. The checks are ``check_log_start``, the last day if it is not
        stated, rows that cannot be read, and returns.

    Raises
    ------
    ValueError
        When the dates contradict each other or the log, or when no customer is left. When reading keywords are given
        for a log that is already read.

    Notes
    -----
    Returns are netted (see ``read_transactions``). Purchases up to ``calibration_end`` are net of the returns dated by
    then, those of the holdout period of the returns dated by ``observation_end``. Returns after ``calibration_end`` of
    purchases before it change nothing.

    All dates are whole days and belong to the period that they bound. Times are exact: 213 days are 30.428571 weeks.
    Customers whose first purchase is after ``calibration_end`` are left out.

    These are the sufficient statistics of the purchase models. See Fader, Hardie & Lee (2005), "Counting Your Customers
    the Easy Way", Marketing Science 24(2), 275-284.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({
    ...     "customer_id": ["Ann", "Ann", "Ann", "Bob", "Ann"],
    ...     "date": pd.to_datetime(["2024-01-01", "2024-01-08", "2024-01-22", "2024-01-15", "2024-02-05"]),
    ...     "amount": [20.0, 30.0, 10.0, 15.0, 25.0],
    ... })
    >>> summary = summarize(log, calibration_end="2024-01-29")
    >>> summary[["frequency", "recency", "T", "monetary_value"]]
                 frequency  recency    T  monetary_value
    customer_id
    Ann                  2      3.0  4.0            20.0
    Bob                  0      0.0  2.0             0.0
    >>> summary.filter(like="holdout")
                 holdout_frequency  holdout_amount  holdout_duration
    customer_id
    Ann                          1            25.0               1.0
    Bob                          0             0.0               1.0
    """
    log, days = _prepare(
        transactions,
        {"customer_id": customer_id, "date": date, "amount": amount, **reading},
        calibration_end=calibration_end,
        observation_end=observation_end,
        acquired_after=acquired_after,
        time_unit=time_unit,
        granularity=granularity,
    )
    everybody, set_aside = _customers(log, days)
    table, left_out = select_cohort(everybody, days)
    summary = _time_columns(table, days)
    if log.has_amount:
        repeat_spend = (table["total"] - table["first_amount"]).round(6)
        summary["monetary_value"] = repeat_spend / summary["frequency"].clip(lower=1)
    summary["first_purchase"] = table["first"]
    if days.has_holdout:
        summary["holdout_frequency"] = table["holdout_frequency"]
        if log.has_amount:
            summary["holdout_amount"] = table["holdout_amount"]
        summary["holdout_duration"] = (days.observation_end - days.calibration_end) / days.unit
    summary.attrs.update(_attrs(log, days, table, set_aside | left_out, _checks(log, days, everybody, table)))
    return summary


def histories(
    transactions: Any,
    customer_id: str = "customer_id",
    date: str = "date",
    amount: str | None = "amount",
    *,
    calibration_end: str | dt.date | None = None,
    observation_end: str | dt.date | None = None,
    acquired_after: str | dt.date | None = None,
    time_unit: str | dt.timedelta = "W",
    granularity: Granularity = "D",
    **reading: Unpack[Reading],
) -> pd.DataFrame:
    """The distinct purchase histories in a log, and how many customers share each of them.

    This is a smaller table than that of ``summarize`` with all that ``fit`` needs, for logs with very many customers.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    customer_id, date, amount
        Column names of the customer, the day or time of the purchase, and the money, as in ``read_transactions``.
        ``amount=None`` means that the log has no money.
    calibration_end
        Last day of the calibration period. Models learn only from purchases up to this day. By default
        ``observation_end``: then there is no holdout period.
    observation_end
        Last day of observation; later rows are set aside. By default the last day in the log. It can lie after the last
        purchase.
    acquired_after
        Keep only customers whose first purchase is on this day or later. By default keep all customers.
    time_unit
        Unit of all times in the result: ``"W"`` (weeks, the default), ``"D"``, ``"h"``, ``"min"``, ``"s"``, a fixed
        length such as ``"30D"``, or a timedelta.
    granularity
        The period in which all purchases of a customer count as one: ``"D"`` (a day, the default), ``"W"`` (a week from
        Monday), ``"h"``, ``"min"`` or ``"s"``.
    **reading
        How to read the log, as in ``read_transactions``: ``refunds``, ``zeros``, ``time_zone``, ``max_set_aside``,
        ``date_format``, ``decimal``, ``where``, ``quantity`` and ``unit_price``, ``order_id`` and ``article``,
        ``separator``, ``no_header``, ``encoding``.

    Returns
    -------
    pandas.DataFrame
        One row per history, sorted: ``frequency`` (repeat purchases), ``recency`` and ``T`` (time units), ``log_gaps``
        (mean over the customers who share the history), and ``weight`` (number of customers). ``attrs`` is that of
        ``summarize``.

    Raises
    ------
    ValueError
        When the dates contradict each other or the log, or when no customer is left. When reading keywords are given
        for a log that is already read.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"customer_id": [1, 2, 3, 3], "date": ["2024-01-01"] * 3 + ["2024-01-15"]})
    >>> histories(log, amount=None)
       frequency  recency    T  log_gaps  weight
    0          0      0.0  2.0  0.000000       2
    1          1      2.0  2.0  0.693147       1
    """
    log, days = _prepare(
        transactions,
        {"customer_id": customer_id, "date": date, "amount": amount, **reading},
        calibration_end=calibration_end,
        observation_end=observation_end,
        acquired_after=acquired_after,
        time_unit=time_unit,
        granularity=granularity,
    )
    everybody, set_aside = _histories(log, days)
    table, left_out = select_cohort(everybody, days)
    table["log_gaps"] /= table["customers"]
    distinct = _time_columns(table, days).assign(weight=table["customers"]).sort_values(["frequency", "recency", "T"])
    distinct = distinct.reset_index(drop=True)
    distinct.attrs.update(_attrs(log, days, table, set_aside | left_out, _checks(log, days, everybody, table)))
    return distinct


def compress(customers: Any, columns: Sequence[str] = ("frequency", "recency", "T")) -> pd.DataFrame:
    """The distinct rows of some columns, and how many customers share each row.

    Parameters
    ----------
    customers
        A frame or file with one row per customer. A column ``weight`` counts customers per row.
    columns
        Columns that define a distinct row. By default the purchase history: ``frequency``, ``recency`` and ``T``.

    Returns
    -------
    pandas.DataFrame
        ``columns``, sorted, and ``weight``, the number of customers per row. If there is ``log_gaps``, its mean per
        row.

    Raises
    ------
    ValueError
        When a column is missing, or none is named.

    Examples
    --------
    >>> import pandas as pd
    >>> compress(pd.DataFrame({"frequency": [0, 1, 0], "recency": [0.0, 2.0, 0.0], "T": [2.0, 2.0, 2.0]}))
       frequency  recency    T  weight
    0          0      0.0  2.0       2
    1          1      2.0  2.0       1
    """
    require_texts("columns", columns, "['frequency', 'recency', 'T']")
    if not columns:
        raise ValueError("columns is empty: name the columns that define a distinct row")
    there = column_names(customers)
    numbers = measured_columns(customers, list(columns)) if is_path(customers) else []
    averaged = [name for name in ("log_gaps",) if name in there and name not in columns]
    beside = [*averaged, *(["weight"] if "weight" in there else [])]
    kinds: dict[str, Kind] = {**dict.fromkeys(columns, "value"), **dict.fromkeys([*beside, *numbers], "number")}
    with naming(customers):
        rows = open_table(customers, list(kinds), kinds).lazy()
        rows = rows if "weight" in there else rows.with_columns(weight=nw.lit(1, nw.Int64))
        rows = rows.with_columns(nw.col("weight"), *(nw.col(name) * nw.col("weight") for name in averaged))
        sums = {name: nw.col(name).sum() for name in (*averaged, "weight")}
        distinct = count_distinct(rows, columns, **sums).sort_values(list(columns), ignore_index=True)
    distinct[averaged] = distinct[averaged].div(distinct["weight"].clip(lower=1e-300), axis=0).round(9)
    if (distinct["weight"] % 1 == 0).all():
        distinct["weight"] = distinct["weight"].astype("int64")
    distinct.attrs.update(getattr(customers, "attrs", {}))
    return distinct


def check_log_start(transactions: Any, **keywords: Any) -> Check:
    """Whether the first purchases in a log are the first purchases of its customers.

    A log cut out of a running business shows old customers as new ones. The check then fails.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    **keywords
        Keywords of ``summarize``, such as ``calibration_end`` and ``acquired_after``.

    Returns
    -------
    Check
        Passed; failed, if many early customers look like old ones; or not testable, with the reason.

    Raises
    ------
    ValueError
        As ``summarize`` raises it.

    Notes
    -----
    The check compares the first quarter of the first half of the log with that of the second half. Old customers make
    newcomers more frequent at the start, and more loyal. It cannot judge a log of one cohort or with few customers. It
    can mistake loyal early adopters for old customers.

    Examples
    --------
    >>> import retention_models as rm
    >>> print(rm.logs.check_log_start(rm.datasets.load_cdnow(), acquired_after="1997-02-01"))
    First purchases in the log: not testable. 1,576 customers are first seen in the 64 days from 1997-02-01, 0 in the
    64 days from 1997-10-17: too few to tell. You must know whether the log shows first purchases.
    """
    return Check(**histories(transactions, **keywords).attrs["checks"][0])


def _prepare(transactions: Any, reading: Mapping[str, Any], **dates: Any) -> tuple[Transactions, Calendar]:
    """The log, read unless it has been, and the calendar of its summary."""
    parameters = signature(read_transactions).parameters
    if unknown := [name for name in reading if name not in parameters]:
        raise TypeError(
            f"there is no keyword called {', '.join(unknown)}; the keywords of reading are {', '.join(parameters)}"
        )
    if not isinstance(transactions, Transactions):
        transactions = read_transactions(transactions, **reading)
    elif changed := [name for name, value in reading.items() if value != parameters[name].default]:
        raise ValueError(f"{', '.join(changed)}: pass this to read_transactions, which has already read the log")
    return transactions, calendar(transactions, **dates)


def _customers(log: Transactions, days: Calendar) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row a customer, indexed and sorted by ``customer_id``; how many rows were set aside, by reason."""
    if _is_in_memory(log):
        table, set_aside = sort_and_aggregate(log, days)
    else:
        encoded, ids = encode_ids(log)
        known = restrict_to_observation(encoded, days)
        table = index_by_customer(collect_customers(aggregate_customers(known, days)), ids)
        set_aside = dict(known.set_aside)
    return table.assign(customers=1), set_aside


def _is_in_memory(log: Transactions) -> bool:
    """Whether a log is reduced by sorting: in pandas, without returns, which need the windows of an engine."""
    return isinstance(log.frame, pd.DataFrame) and not log.nets_refunds


def _histories(log: Transactions, days: Calendar) -> tuple[pd.DataFrame, dict[str, int]]:
    """One row for customers with the same first and last period and number of purchases, counted on their engine."""
    same = ["first", "last", "purchases"]
    if _is_in_memory(log):
        table, set_aside = _customers(log, days)
        sums = dict.fromkeys(["customers", "again_early", "log_gaps"], "sum")
        return table.groupby(same, as_index=False).agg({"latest": "max", **sums}), set_aside
    log = restrict_to_observation(encode_ids(log)[0], days)
    facts = nw.len().alias("customers"), nw.col("latest").max(), nw.col("again_early", "log_gaps").sum()
    return collect_customers(aggregate_customers(log, days).group_by(same).agg(*facts)), dict(log.set_aside)


def _time_columns(table: pd.DataFrame, days: Calendar) -> pd.DataFrame:
    """The number of further purchases, the age at the last of them, the age at the end, the sum of logarithmic gaps."""
    first, unit = table["first"].to_numpy(), days.unit.to_timedelta64()
    frequency = table["purchases"] - 1
    return pd.DataFrame(
        {
            "frequency": frequency,
            "recency": np.subtract(table["last"].to_numpy(), first) / unit,
            "T": np.subtract(np.datetime64(days.last_period, "us"), first) / unit,
            "log_gaps": (table["log_gaps"] - frequency * np.log(days.unit.total_seconds())).round(9),
        },
        index=table.index,
    )


def _checks(log: Transactions, days: Calendar, everybody: pd.DataFrame, table: pd.DataFrame) -> list[Check]:
    """Data checks: the first purchases of the log, its last day, and the rows that count."""
    openings = check_openings(table, halves(days.start, days.calibration_end))
    return [openings, *([] if days.last_day_is_stated else [_check_last_day(everybody)]), *log.checks]


def _check_last_day(table: pd.DataFrame) -> Check:
    """Whether the last day belongs to the log, by the first and the latest purchases; of each row one is the latest."""
    zero, one = np.zeros(len(table)), np.ones(len(table))
    days = pd.concat([table["first"], table["last"], table["latest"]]).dt.floor("D")
    counts = pd.Series(np.concatenate([zero, table["customers"] - 1.0, one]), days.array).groupby(level=0).sum()
    return judge_last_day(pd.DatetimeIndex(counts.index), counts.to_numpy(), "customers' last purchases")


def _attrs(
    log: Transactions, days: Calendar, table: pd.DataFrame, set_aside: dict[str, int], checks: Sequence[Check]
) -> dict[str, Any]:
    """What a report wants to say of the summary, in plain values that JSON can hold."""
    return {
        "time_unit": days.time_unit,
        "granularity": days.granularity,
        "first_date": log.first_date.isoformat(),
        "last_date": log.last_date.isoformat(),
        "calibration_end": days.calibration_end.isoformat(),
        "observation_end": days.observation_end.isoformat(),
        "end_is_stated": days.end_is_stated,
        "customers": int(table["customers"].sum()),
        "transactions": int((table["purchases"] * table["customers"]).sum()),
        "set_aside": set_aside,
        "checks": [asdict(check) for check in checks],
    } | ({} if log.returns is None or log.returns.allow_value else {"no_value": log.returns.check.text})
