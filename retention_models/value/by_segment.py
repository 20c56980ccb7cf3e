"""The value of all customers by segment, and by how far one looks ahead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.dates import span_name
from retention_models.fitting.result import Fit
from retention_models.forecast.by_group import status_by_group
from retention_models.tables.groups import Labels
from retention_models.value.customer import total_value


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
        probability of being a customer still; ``value_per_customer`` and ``value``, both with ``_lower, _upper``;
        ``share_of_value``; and ``share_of_medians``, see ``total_value``.
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
    each, together = ([f"{name}{end}" for end in ("", "_lower", "_upper")] for name in ("value_per_customer", "value"))
    first, last = ["customers", "share_of_customers", "probability_alive"], ["share_of_value", "share_of_medians"]
    table = table[[*first, *each, *together, *last]]
    return table.sort_values("value", ascending=False, kind="stable")


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
        Indexed by ``horizon`` (text): the columns of ``total_value`` but for ``customers``.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> fits = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> money = {"time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}
    >>> rm.value.value_by_horizon(*fits, customers, horizons=(26, 52), **money)["value_per_customer"].round(2)
    horizon
    26 weeks        4.81
    52 weeks        8.87
    without end    44.32
    Name: value_per_customer, dtype: float64
    """
    if not len(horizons):
        raise ValueError("horizons must name at least one length to look ahead, such as (26, 52)")
    ahead = {span_name(horizon, time_unit): float(horizon) for horizon in horizons}
    if annual_discount_rate > 0:
        ahead["without end"] = np.inf
    money: dict[str, Any] = {"time_unit": time_unit, "annual_discount_rate": annual_discount_rate, "margin": margin}
    rows = {
        name: total_value(purchases_fit, spend_fit, customers, horizon=horizon, level=level, **money).iloc[0]
        for name, horizon in ahead.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").drop(columns="customers").rename_axis("horizon")
