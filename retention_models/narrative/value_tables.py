"""Value in tables: by how far one looks ahead, and by segment."""

from __future__ import annotations

from typing import Any

import pandas as pd

from retention_models.evaluation.by_group import status_by_group
from retention_models.fitting.result import Fit
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


def brief(table: pd.DataFrame) -> pd.DataFrame:
    """A table of this module to be shown on a page: without shares, ``alive`` and ``each`` for the longest names.

    ``alive`` is ``probability_alive``, and ``each`` is ``value_per_customer``, with their ``_lower, _upper``.
    """
    kept = table[[name for name in table if "share" not in str(name)]]
    short = kept.columns.str.replace("value_per_customer", "each").str.replace("probability_alive", "alive")
    return kept.set_axis(short, axis="columns")
