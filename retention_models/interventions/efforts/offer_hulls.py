"""One offer for each of many customers under a budget, by the upper hulls of their offers.

Along a customer's upper concave hull of (cost, gain), each step to a dearer offer earns less per unit of money than the
step before. Taking the steps of all customers by what they earn per unit, until the money is spent, is the optimum of
the linear relaxation of the multiple-choice knapsack problem (Sinha & Zoltners 1979); at most one step is split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retention_models.core.arguments import require_number
from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation

NO_OFFER = -1


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class OfferAllocation(Presentation):
    """Which offer each customer gets.

    Attributes
    ----------
    offers
        The offer of each customer, by its column, and missing where a customer gets none; a Series with the customers'
        index.
    cost, gain
        Money spent, and what it is expected to earn, with the split customer in part.
    split_customer, split_offer, split_share
        The customer for whom the money does not last: to which offer the next step leads, and the share of it that the
        money pays for. None, None and 0 if there is none. ``offers`` holds what the customer gets without that step.
    return_at_margin
        What the last unit of money earns; 0 if the budget is not used up.
    """

    offers: pd.Series
    cost: float
    gain: float
    split_customer: Any
    split_offer: Any
    split_share: float
    return_at_margin: float


def allocate_offers(cost: ArrayLike | pd.DataFrame, gain: ArrayLike | pd.DataFrame, budget: float) -> OfferAllocation:
    """The offer for each customer that earns most within a budget.

    Parameters
    ----------
    cost
        Expected cost of each offer to each customer, shape (n, k), 0 or more; or of each offer, shape (k,). A frame
        has a column an offer.
    gain
        Expected gain of each offer to each customer before its cost, shape (n, k), in the same money. A frame has a
        column an offer and a row a customer. No offer costs and gains nothing.
    budget
        Money to spend, 0 or more.

    Returns
    -------
    OfferAllocation
        The offers, with cost and gain. The gain equals that of the linear relaxation.

    Raises
    ------
    ValueError
        When shapes or columns differ, a number is missing or infinite, or a cost or the budget is below 0.

    Notes
    -----
    An offer is taken as long as it adds gain, also where the gain is below its cost: state the gain net of cost to
    spend only what pays.

    Examples
    --------
    >>> import pandas as pd
    >>> import retention_models as rm
    >>> gain = pd.DataFrame({"mail": [2.0, 0.5, 1.0], "call": [5.0, 9.0, 2.0]}, index=["Ann", "Bob", "Eve"])
    >>> found = rm.interventions.allocate_offers([1.0, 5.0], gain, budget=7.0)
    >>> found.offers.to_dict(), found.gain
    ({'Ann': 'mail', 'Bob': 'call', 'Eve': 'mail'}, 12.0)
    """
    require_number("budget", budget, 0)
    if isinstance(gain, pd.DataFrame) and isinstance(cost, pd.DataFrame):
        if set(cost.columns) != set(gain.columns) or not cost.index.equals(gain.index):
            raise ValueError("cost and gain must have the same columns and the same index")
        if not gain.columns.is_unique or not cost.columns.is_unique:
            raise ValueError("each offer must have a column of its own name in cost and in gain")
        cost = cost[list(gain.columns)]
    gains = _numbers("gain", gain)
    if gains.ndim != 2 or not gains.size:
        raise ValueError(f"gain must have a row a customer and a column an offer; got the shape {gains.shape}")
    costs = _numbers("cost", cost)
    if costs.shape not in (gains.shape, gains.shape[1:]):
        raise ValueError(f"cost must have the shape {gains.shape} or {gains.shape[1:]}; got {costs.shape}")
    for name, values in (("cost", costs), ("gain", gains)):
        bad = ~np.isfinite(values) | ((values < 0) if name == "cost" else False)
        if bad.any():
            rule = "a number, 0 or more" if name == "cost" else "a number"
            raise ValueError(f"{name} must be {rule}, which fails for {bad.sum():,} of {values.size:,} values")
    frame = gain if isinstance(gain, pd.DataFrame) else pd.DataFrame(gains)
    return _allocate(np.broadcast_to(costs, gains.shape), gains, float(budget), frame.index, list(frame.columns))


def _numbers(name: str, values: ArrayLike | pd.DataFrame) -> Array:
    try:
        return np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers only, in rows of the same length") from None


def _allocate(cost: Array, gain: Array, budget: float, index: pd.Index, names: list[Any]) -> OfferAllocation:
    customer, offer, more_cost, more_gain, rate = hull_steps(cost, gain)
    order = np.argsort(-rate, kind="stable")
    spent = np.cumsum(more_cost[order])
    whole = int(np.searchsorted(spent, budget * (1 + 1e-15), side="right"))
    taken = order[:whole]
    choice = np.full(len(gain), NO_OFFER)
    choice[customer[taken]] = offer[taken]
    used = float(spent[whole - 1]) if whole else 0.0
    earned = float(more_gain[taken].sum())
    split, share = (order[whole], (budget - used) / more_cost[order[whole]]) if whole < len(order) else (None, 0.0)
    kept = pd.Series(np.append(np.array(names, dtype=object), [None])[choice], index=index, name="offer")
    part = split if share > 0 else None
    return OfferAllocation(
        offers=kept,
        cost=used + (0.0 if part is None else share * float(more_cost[part])),
        gain=earned + (0.0 if part is None else share * float(more_gain[part])),
        split_customer=None if part is None else index[customer[part]],
        split_offer=None if part is None else names[offer[part]],
        split_share=float(share),
        return_at_margin=0.0 if split is None else float(rate[split]),
    )


def hull_steps(cost: Array, gain: Array) -> tuple[NDArray[np.int64], NDArray[np.int64], Array, Array, Array]:
    """The steps along the upper hulls of all customers: customer, offer, additional cost and gain, and gain per cost.

    The steps of a customer are in order, none with a higher gain per cost than the one before, despite rounding. From
    (0, 0) on, the next point is the one to which the slope is steepest; of several in one direction, the farthest.
    """
    rows, cost, gain = np.arange(len(gain)), np.ascontiguousarray(cost.T), np.ascontiguousarray(gain.T)
    at_cost, at_gain, at_rate = np.zeros(len(rows)), np.zeros(len(rows)), np.full(len(rows), np.inf)
    found = []
    for _ in range(len(gain)):  # offers lie in rows here: the steepest of few is found several times faster
        more_cost, more_gain = cost - at_cost, gain - at_gain
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where((more_gain > 0) & (more_cost >= 0), more_gain / more_cost, -np.inf)
        steepest = slope.max(axis=0)
        goes_on = np.flatnonzero(steepest > 0)
        if not len(goes_on):
            break
        best = np.where(slope == steepest, more_gain, -np.inf).argmax(axis=0)[goes_on]
        rows, step_cost, step_gain = rows[goes_on], more_cost[best, goes_on], more_gain[best, goes_on]
        at_rate = np.minimum(at_rate[goes_on], steepest[goes_on])
        found.append((rows, best, step_cost, step_gain, at_rate))
        at_cost, at_gain = at_cost[goes_on] + step_cost, at_gain[goes_on] + step_gain
        cost, gain = cost[:, goes_on], gain[:, goes_on]
    if not found:
        empty = np.empty(0, dtype=np.int64)
        return empty, empty, np.empty(0), np.empty(0), np.empty(0)
    customer, offer, *steps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    step_cost, step_gain, rate = steps
    return customer, offer, step_cost, step_gain, rate
