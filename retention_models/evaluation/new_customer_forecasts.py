"""Errors of forecasts of new customers, made before they came: the record for the planning range of the next ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import pandas as pd

from retention_models.evaluation.past_forecasts import (
    EarlierForecasts,
    SegmentsOn,
    Target,
    read_days,
)
from retention_models.fitting.result import Fit
from retention_models.forecast.planning_range import PastErrors
from retention_models.logs.transactions.by_engine import encode_ids, index_by_customer
from retention_models.logs.transactions.log import Granularity, Transactions
from retention_models.logs.transactions.purchases import add_first_period, filter_days, purchases
from retention_models.tables.frames import collect
from retention_models.value.new_customers import first_day_rows

FEWEST_NEW = 30  # customers who came after an origin


def new_customer_errors(
    transactions: Any,
    model_class: Any,
    *,
    horizon: float,
    time_unit: str | timedelta = "W",
    granularity: Granularity = "D",
    by: SegmentsOn | None = None,
) -> PastErrors:
    """Errors of forecasts of new customers, made before they came, for the planning range of the next new ones.

    Parameters
    ----------
    transactions
        The purchase log: anything that ``read_transactions`` takes, or its result.
    model_class
        A class of purchase models, for example ``MBGNBD``. It is fitted at each origin to the customers known by then.
    horizon
        Time since the first purchase for which repeat purchases are forecast, in time units; at least a day.
    time_unit
        Unit of ``horizon``, as in ``summarize``. By default ``"W"`` (weeks).
    granularity
        The period in which all purchases of a customer count as one, as in ``summarize``. By default ``"D"`` (a day).
    by
        Segments with errors of their own, as in ``past_errors``; the labels of new customers, such as the channel.

    Returns
    -------
    PastErrors
        The errors of repeat purchases and, for a log with amounts, of their amount. ``new_customer_value`` takes it.

    Raises
    ------
    ValueError
        As in ``past_errors``.

    Notes
    -----
    The cohort of an origin are the customers whose first purchase lies in half a horizon after it; at least 30. What
    they buy within the horizon after their first purchase is compared with what the model expected of new customers at
    the origin. There is no season term.

    Examples
    --------
    >>> import numpy as np, retention_models as rm
    >>> shop, rng = rm.MBGNBD(r=0.5, alpha=6.0, a=0.9, b=1.6), np.random.default_rng(1)
    >>> log = shop.simulate_transactions(rng.uniform(0, 104, 700), rng, start="2023-01-02", time_unit="W")
    >>> errors = rm.evaluation.new_customer_errors(log.assign(amount=10.0), rm.MBGNBD, horizon=13)
    >>> len(errors.counts.origins), errors.counts.days_ahead
    (7, 140)
    """
    log, days, ahead = read_days(transactions, model_class, horizon, time_unit, granularity)
    return _NewCustomers(log, model_class, days, by, pd.DataFrame()).past_errors(horizon, ahead)


class _NewCustomers(EarlierForecasts):
    """Forecasts of the customers who came after each origin."""

    __slots__ = ()

    def _span(self, days_ahead: int) -> int:
        return days_ahead + _acquisition_days(days_ahead)

    def _season(self, fitted: Fit, origin: date, days_ahead: int) -> float:
        return 0.0

    def _targets(self, origin: date, days_ahead: int, customers: pd.DataFrame) -> Iterator[Target]:
        log = self.log.window(observation_end=origin + timedelta(self._span(days_ahead)))
        came = self._came(log, origin, days_ahead)
        if len(came) < FEWEST_NEW:
            return
        for labels in self._labels(came, log):
            sums = came.groupby(labels.to_numpy()).sum()
            new = first_day_rows(sums.pop("customers"))
            yield new, pd.Series(sums.index, new.index), sums

    def _came(self, log: Transactions, origin: date, days_ahead: int) -> pd.DataFrame:
        """Customers first seen soon after an origin, and what they bought again within the horizon."""
        encoded, ids = encode_ids(log)
        first, period = (nw.col(name).cast(nw.Datetime("us")) for name in ("first", "period"))
        bought = add_first_period(purchases(encoded, self.days.granularity)).with_columns(first=first, period=period)
        acquired = _acquisition_days(days_ahead)
        bought = filter_days(bought, "first", origin + timedelta(1), origin + timedelta(acquired))
        again = (nw.col("period") > nw.col("first")) & (
            nw.col("period") <= nw.col("first").dt.offset_by(f"{days_ahead}d")
        )
        counted = {"holdout_frequency": nw.when(again).then(nw.lit(1.0)).otherwise(nw.lit(0.0))}
        if log.has_amount:
            counted["holdout_amount"] = nw.when(again).then(nw.col("amount")).otherwise(nw.lit(0.0))
        sums = [nw.col(name).sum() for name in counted]
        table = collect(bought.with_columns(**counted).group_by("customer_id").agg(*sums))
        return index_by_customer(table, ids).assign(customers=1.0)


def _acquisition_days(days_ahead: int) -> int:
    """Days after an origin in which its new customers come: half the horizon, in whole weeks if it has two."""
    return math.ceil(days_ahead / 14) * 7 if days_ahead >= 14 else math.ceil(days_ahead / 2)
