"""Customer value by segment and by forecast horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_horizon
from retention_models.core.dates import span_name
from retention_models.fitting.result import shows_leaving
from retention_models.fitting.uncertainty import Fitted, uncertainty_of
from retention_models.forecast.by_group import status_by_group
from retention_models.forecast.customers import require_purchases
from retention_models.forecast.planning_range import PastErrors
from retention_models.tables.customer_table import open_customers
from retention_models.tables.groups import Labels
from retention_models.value.customer import total_value
from retention_models.value.purchases import total_purchase_value
from retention_models.value.terms import Terms, require_terms


def value_by_segment(
    fit: Fitted,
    customers: Any,
    terms: Terms,
    by: Labels,
    *,
    spend: Fitted | None = None,
    level: float = 0.95,
    past_errors: PastErrors | None = None,
) -> pd.DataFrame:
    """Number of customers, activity and value of each segment, the most valuable segment first.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers, terms, spend, level
        As in ``customer_value``, for purchases.
    by
        The segments, as in ``total_value``.
    past_errors
        Errors of earlier forecasts over the same horizon, with those of the segments if they have some, for their
        planning ranges; see ``total_value``.

    Returns
    -------
    pandas.DataFrame
        Indexed by segment. ``customers`` and ``share_of_customers``; ``probability_alive``, the mean probability that a
        customer is still active; ``value_per_customer`` and ``value`` with their intervals ``<name>_lower,
        <name>_upper``; ``share_of_value``; and ``share_of_medians``, as in ``total_value``. With ``past_errors`` also
        ``planning`` and its ranges at 80 and 95 %.

    Raises
    ------
    ValueError
        As in ``total_value``.
    """
    customers = open_customers(customers)
    worth = total_value(fit, customers, terms, spend=spend, by=by, level=level, past_errors=past_errors)
    alive = status_by_group(fit, customers, by, level=level)["probability_alive"]
    table = worth.assign(
        share_of_customers=worth["customers"] / worth["customers"].sum(),
        probability_alive=alive.reindex(worth.index.astype(str)).to_numpy(),
        share_of_value=worth["value"] / worth["value"].sum(),
    )
    each, together = ([f"{name}{end}" for end in ("", "_lower", "_upper")] for name in ("value_per_customer", "value"))
    first, last = ["customers", "share_of_customers", "probability_alive"], ["share_of_value", "share_of_medians"]
    ranges = [name for name in table if str(name).startswith("planning")]
    table = table[[name for name in (*first, *each, *together, *ranges, *last) if name in table]]
    return table.sort_values("value", ascending=False, kind="stable")


def value_by_horizon(
    fit: Fitted,
    customers: Any,
    terms: Terms,
    *,
    horizons: Sequence[float],
    spend: Fitted | None = None,
    level: float | None = 0.95,
    past_errors: PastErrors | None = None,
) -> pd.DataFrame:
    """Value of all customers for several horizons; with a discount rate above 0 also without a time limit.

    There is no row without a time limit where the log contains no sign of customers leaving.

    Parameters
    ----------
    fit
        A fitted purchase model.
    customers, spend, level
        As in ``customer_value``, for purchases.
    terms
        As in ``customer_value``. The horizon of the terms is ignored.
    horizons
        Horizons in the time unit of the terms, such as (26, 52).
    past_errors
        Errors of earlier forecasts over the first of the horizons, the shortest, for the planning ranges. By default
        None: no planning range.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``horizon`` (text): the columns of ``total_value`` without ``customers``. With ``past_errors`` also
        ``planning`` and its ranges at 80 and 95 %: a longer horizon borrows the errors, as in ``past_errors``. There is
        none without a time limit, because no forecast can test it; ``range_rests_on`` says so.

    Raises
    ------
    ValueError
        When ``horizons`` is empty, or as in ``total_value``.

    Notes
    -----
    A value beyond the horizon of a backtest is an extrapolation. No data have tested it.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow())
    >>> purchases, spend = rm.fit(rm.ParetoNBD, customers), rm.fit(rm.GammaGamma, customers)
    >>> terms = rm.Terms(time_unit="W", annual_discount_rate=0.15, margin=0.3)
    >>> ahead = rm.value.value_by_horizon(purchases, customers, terms, horizons=(26, 52), spend=spend)
    >>> ahead["value_per_customer"].round(2)
    horizon
    26 weeks        4.81
    52 weeks        8.87
    without end    44.32
    Name: value_per_customer, dtype: float64
    """
    require_terms(terms)
    require_purchases(type(uncertainty_of(fit).model))
    if not np.iterable(horizons) or not list(horizons):
        raise ValueError("horizons must have at least one horizon, such as (26, 52)")
    require_terms(terms, "time_unit", "annual_discount_rate")
    for horizon in horizons:
        require_horizon(horizon, or_endless=True)
    ahead = {span_name(horizon, str(terms.time_unit)): float(horizon) for horizon in horizons}
    if terms.annual_discount_rate and shows_leaving(uncertainty_of(fit).fit):
        ahead["without end"] = np.inf
    customers = open_customers(customers)
    every = [replace(terms, horizon=horizon) for horizon in ahead.values()]
    totals = total_purchase_value(fit, customers, every, spend, None, level, past_errors)
    rows = {name: total.iloc[0] for name, total in zip(ahead, totals, strict=True)}
    table = pd.DataFrame.from_dict(rows, orient="index").drop(columns="customers").rename_axis("horizon")
    return table if past_errors is None else table.assign(range_rests_on=_basis(ahead, past_errors.horizon))


def _basis(ahead: Mapping[str, float], tested: float) -> list[str]:
    """What the planning range of each horizon rests on."""
    return [
        "nothing: no forecast tests it"
        if np.isinf(horizon)
        else "earlier forecasts"
        if horizon <= tested
        else "shorter ones"
        for horizon in ahead.values()
    ]
