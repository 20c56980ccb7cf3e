"""What several methods say of one exposure that nobody drew, beside each other."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from retention_models.core.arguments import require_whole
from retention_models.core.dates import read_day
from retention_models.interventions.designs.exposure import treatment_effect
from retention_models.logs.contacts.features import customer_features
from retention_models.logs.transactions.log import Transactions
from retention_models.logs.transactions.purchases import as_transactions, purchases
from retention_models.tables.frames import collect

DECILES = 10


def exposure_by_method(
    log: Any,
    received: Iterable[Any],
    *,
    first_day: str | dt.date,
    horizon_days: int,
    redeemed: Iterable[Any] | None = None,
) -> pd.DataFrame:
    """The change in spend after an exposure at one date, as several methods see it.

    Where they disagree, nothing is known, and a test would settle it.

    Parameters
    ----------
    log
        The result of ``read_transactions``, or a frame or file that it takes by default names, with amounts.
    received
        Ids of the customers who were exposed: who received a campaign.
    first_day
        The day of the exposure; spend counts from it on.
    horizon_days
        Number of days over which spend counts, and of those before the day for comparison.
    redeemed
        Ids of the customers who redeemed it. By default not known.

    Returns
    -------
    pandas.DataFrame
        Indexed by ``method``: ``customers`` (exposed, or who redeemed), ``others``, ``estimate`` and ``std_error``, in
        money per customer. ``attrs`` holds ``decision`` ("undecided" if the intervals of the methods that adjust do not
        lie on one side of 0), ``without_history`` (customers of the log without an order before the day, who are not
        compared) and ``unknown`` (ids of the exposed that are not in the log).

    Raises
    ------
    ValueError
        When the log has no amounts, the days are not in the log, or a group is empty.
    """
    require_whole("horizon_days", horizon_days, 1)
    day = read_day("first_day", first_day)
    known = as_transactions(log)
    if not known.has_amount:
        raise ValueError("the log has no amounts, which spend needs")
    everybody = _rows(known, day, horizon_days)
    exposed = _ids(received, everybody.index, "received")
    rows = everybody[everybody["known"]].drop(columns="known")
    got = rows.index.isin(exposed)
    if min(got.sum(), (~got).sum()) < 2:
        raise ValueError(
            f"{int(got.sum()):,} of {len(rows):,} customers with an order before {day} received it; two who did and "
            "two who did not are needed; write ids alike in both"
        )
    spend, change = rows["amount"], rows["amount"] - rows["amount_before"]
    decile = pd.qcut(rows["amount_before"], DECILES, labels=False, duplicates="drop")
    found = {"received against not received": _difference(spend, got)}
    if redeemed is not None:
        used = rows.index.isin(_ids(redeemed, everybody.index, "redeemed")) & got
        if min(used.sum(), (got & ~used).sum()) < 2:
            raise ValueError(
                f"{int(used.sum()):,} of {int(got.sum()):,} who received it redeemed it; two who did and two who did "
                "not are needed"
            )
        found["redeemed against received only"] = _difference(spend[got], used[got])
    found["difference in differences"] = _difference(change, got)
    found["within deciles of earlier spend"] = _within(spend, got, decile)
    found["weights and regression"] = _adjusted(rows, got, known, day)
    table = pd.DataFrame.from_dict(
        found, orient="index", columns=["customers", "others", "estimate", "std_error"]
    ).rename_axis("method")
    adjusted = table.iloc[-3:]
    ends = adjusted["estimate"].to_numpy() + np.outer([-1.96, 1.96], adjusted["std_error"])
    table.attrs["without_history"] = len(everybody) - len(rows)
    table.attrs["unknown"] = len(set(exposed)) - int(everybody.index.isin(exposed).sum())
    table.attrs["decision"] = "gain" if (ends > 0).all() else "loss" if (ends < 0).all() else "undecided"
    return table


def _rows(log: Transactions, day: dt.date, horizon_days: int) -> pd.DataFrame:
    """Spend of all customers of the log in the days from the exposure on, and in as many before it."""
    spent = collect(purchases(log))
    days = (pd.to_datetime(spent["period"]) - pd.Timestamp(day)).dt.days
    first, last = int(days.min()), int(days.max())
    if first > -horizon_days or last < horizon_days - 1:
        raise ValueError(
            f"{horizon_days} days before and from {day} on are not all in the log, which has {log.first_date} to "
            f"{log.last_observed}"
        )
    after = spent[(days >= 0) & (days < horizon_days)].groupby("customer_id")["amount"].sum()
    before = spent[(days < 0) & (days >= -horizon_days)].groupby("customer_id")["amount"].sum()
    rows = pd.DataFrame(index=pd.Index(np.sort(spent["customer_id"].unique()), name="customer_id"))
    begun = spent[days < 0]["customer_id"].unique()
    return rows.assign(amount=after, amount_before=before).fillna(0.0).assign(known=rows.index.isin(begun))


def _ids(given: Iterable[Any], index: pd.Index, name: str) -> list[Any]:
    """Ids as they are written in the log."""
    if isinstance(given, pd.DataFrame):
        raise TypeError(f"{name} must be a column of ids, not a frame; give {name}=frame['customer_id']")
    ids = list(given)
    if pd.api.types.is_numeric_dtype(index) == all(isinstance(each, int | float | np.number) for each in ids):
        return ids
    written = dict(zip(index.astype(str), index, strict=True))
    return [written.get(str(each), each) for each in ids]


def _difference(values: pd.Series, group: Any) -> tuple[int, int, float, float]:
    """Sizes of two groups, and the difference of their means with its standard error."""
    own, others = values[group], values[~group]
    error = math.sqrt(own.var() / len(own) + others.var() / len(others))
    return len(own), len(others), float(own.mean() - others.mean()), error


def _within(values: pd.Series, group: Any, part: pd.Series) -> tuple[int, int, float, float]:
    """The difference within parts, weighted by the exposed customers in each."""
    found = [_difference(values[own], group[own]) for own in (part.to_numpy() == k for k in range(DECILES)) if
             1 < group[own].sum() < own.sum() - 1]  # fmt: skip
    size = np.array([row[0] for row in found], dtype=float)
    share = size / size.sum()
    estimate = float(share @ [row[2] for row in found])
    error = float(np.sqrt(share**2 @ np.square([row[3] for row in found])))
    return int(size.sum()), sum(row[1] for row in found), estimate, error


def _adjusted(rows: pd.DataFrame, group: Any, log: Transactions, day: dt.date) -> tuple[int, int, float, float]:
    """The effect on those who received it, adjusted for all that was known of them before."""
    features = customer_features(log, as_of=day)
    table = rows[["amount"]].rename(columns={"amount": "spend"}).assign(received=group.astype(int))
    table = table.join(features)
    (effect,) = treatment_effect(
        table, treatment="received", outcomes="spend", covariates=list(features.columns), assigned_by="unknown"
    )
    treated = int(table["received"].sum())
    return treated, effect.n - treated, effect.estimate, effect.std_error
