"""Value in tables: by how far one looks ahead, and by segment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retention_models.evaluation.groups import status_by_group
from retention_models.fitted import Fit
from retention_models.logs.calendar import span_name
from retention_models.tables import Labels
from retention_models.value.purchases import total_value


def value_by_horizon(
    purchases_fit: Fit,
    spend_fit: Fit | None,
    customers: Any,
    *,
    horizons: Sequence[float],
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
    level: float = 0.95,
) -> pd.DataFrame:
    """What all customers are worth by how far one looks ahead; without end in the last row, where there is a discount.

    Parameters are those of ``total_value``, with several ``horizons``. What lies beyond the horizon of a backtest is an
    extrapolation that nobody has checked.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``horizon`` (text): ``value`` with ``value_lower, value_upper``, and ``value_per_customer``.

    Examples
    --------
    >>> import retention_models as rm
    >>> from retention_models.value.tables import value_by_horizon
    >>> customers = rm.summarize(rm.load_cdnow())
    >>> fits = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> money = {"time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}
    >>> value_by_horizon(*fits, customers, horizons=(26, 52), **money)["value_per_customer"].round(2)
    horizon
    26 weeks        4.81
    52 weeks        8.87
    without end    44.32
    Name: value_per_customer, dtype: float64
    """
    ahead = {span_name(horizon, time_unit): float(horizon) for horizon in horizons}
    if annual_discount_rate > 0:
        ahead["without end"] = np.inf
    money: dict[str, Any] = {"time_unit": time_unit, "annual_discount_rate": annual_discount_rate, "margin": margin}
    rows = {
        name: total_value(purchases_fit, spend_fit, customers, horizon=horizon, level=level, **money).iloc[0]
        for name, horizon in ahead.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").drop(columns="customers").rename_axis("horizon")


def value_by_segment(
    purchases_fit: Fit,
    spend_fit: Fit | None,
    customers: Any,
    by: Labels,
    *,
    horizon: float,
    time_unit: str,
    annual_discount_rate: float,
    margin: float,
    level: float = 0.95,
) -> pd.DataFrame:
    """What each segment is and holds, the one that is worth most first.

    Parameters are those of ``total_value``.

    Returns
    -------
    pandas.DataFrame
        Indexed by segment: ``customers`` and their share, ``share_of_customers``; ``probability_alive``, the mean
        probability of being a customer still; ``value_per_customer``; ``value`` with ``value_lower, value_upper``, and
        ``share_of_value``.
    """
    worth = total_value(
        purchases_fit,
        spend_fit,
        customers,
        horizon=horizon,
        time_unit=time_unit,
        annual_discount_rate=annual_discount_rate,
        margin=margin,
        by=by,
        level=level,
    )
    alive = status_by_group(purchases_fit, customers, by, level=level)["probability_alive"]
    table = worth.assign(
        share_of_customers=worth["customers"] / worth["customers"].sum(),
        probability_alive=alive.reindex(worth.index.astype(str)).to_numpy(),
        share_of_value=worth["value"] / worth["value"].sum(),
    )
    first = ["customers", "share_of_customers", "probability_alive", "value_per_customer"]
    table = table[[*first, "value", "value_lower", "value_upper", "share_of_value"]]
    return table.sort_values("value", ascending=False, kind="stable")
