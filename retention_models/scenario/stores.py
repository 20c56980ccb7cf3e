"""A simulated chain of stores that launch a club one after the other: logs, launches, and what the club changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import check_choice, require_number, require_whole
from retention_models.core.arrays import Array
from retention_models.core.dates import read_day
from retention_models.core.formatting import Presentation

LaunchOrder = Literal["size", "random"]
UNEQUAL = 0.7  # standard deviation of the logarithm of the size of stores
RATES = 2.0  # shape of the gamma distribution of customers' purchase rates
MEAN_RATE = 0.25  # orders a week
SHOCKS = 0.03  # standard deviation of what happens to a store in a week, on the log scale
BASKET, BASKET_SHAPE = 20.0, 4.0  # mean of an order at full price, and shape of its gamma distribution
NEAR = 1  # weeks between the club and the second effort in stores that get both


@dataclass(frozen=True, eq=False, repr=False)
class Chain(Presentation):
    """A simulated chain of stores.

    Attributes
    ----------
    transactions
        One row an order: ``customer_id, date, store, amount`` (paid, after the discount) and ``discount`` (what a
        member of the club paid less).
    launches
        ``store`` and ``first_treated`` (day; missing for stores without the club).
    other_launches
        The same of a second effort, which begins in some of the stores at about the same time.
    effect
        True mean effect over the treated stores and weeks since launch, as a share of the orders of the base period,
        weighted by these: the number that ``difference_in_differences`` estimates by default.
    additional_orders
        True number of orders that the club added within the log, in expectation.
    additional_amount
        The same in money at full price, before discounts.
    discounts
        True amount of discounts that members got within the log, in expectation.
    subsidised
        The part of these discounts on orders that members would have made without the club.
    assigned_by
        Who decided about the order of launches: ``"random"`` or ``"rule"`` (by size).
    """

    transactions: pd.DataFrame
    launches: pd.DataFrame
    other_launches: pd.DataFrame
    effect: float
    additional_orders: float
    additional_amount: float
    discounts: float
    subsidised: float
    assigned_by: str


def chain(
    rng: int | np.random.Generator | None,
    *,
    stores: int = 40,
    customers: int = 8_000,
    weeks: int = 78,
    order: LaunchOrder = "size",
    effect: float = 0.08,
    grows: int = 8,
    season: float = 0.3,
    without_club: float = 0.3,
    coincidence: float = 0.0,
    members: float = 0.0,
    discount: float = 0.1,
    begins: str = "2024-01-01",
) -> Chain:
    """A simulated chain whose stores launch a club in three waves.

    Parameters
    ----------
    rng
        Source of randomness: a seed, a numpy Generator, or None for a new one.
    stores, customers, weeks
        Numbers of stores (very unequal in size), of their customers, and of weeks. By default 40, 8,000 and 78.
    order
        ``"size"``, the default: the largest stores launch first. ``"random"``: by chance.
    effect
        Relative increase of orders once the effect is complete. By default 0.08.
    grows
        Number of weeks over which the effect grows from 0. By default 8.
    season
        Relative size of the season, the same for all stores. By default 0.3.
    without_club
        Share of stores that never launch. By default 0.3.
    coincidence
        Share of launching stores in which a second effort with the same effect begins within a week. By default 0.
    members
        Share of customers who are members where the store has the club. They get the discount on each order. By default
        0.
    discount
        Discount of members, as a share of the full price. By default 0.1.
    begins
        A Monday, the first day.

    Returns
    -------
    Chain
        The log, the launches and the truth.

    Raises
    ------
    ValueError
        When a number is not valid.

    Examples
    --------
    >>> import retention_models as rm
    >>> business = rm.scenario.chain(1, stores=12, customers=1_000)
    >>> int(business.launches["first_treated"].notna().sum()), round(business.effect, 3)
    (8, 0.064)

    Most of what members are given goes to orders that they would have made without the club:

    >>> offers = rm.scenario.chain(1, stores=12, customers=1_000, members=0.4)
    >>> round(offers.transactions["discount"].sum()), round(offers.discounts), round(offers.subsidised)
    (6934, 7115, 6629)
    """
    require_whole("stores", stores, 4)
    require_whole("customers", customers, stores)
    require_whole("weeks", weeks, 16)
    require_whole("grows", grows, 0)
    check_choice("order", order, get_args(LaunchOrder))
    for name, value in (("season", season), ("without_club", without_club), ("coincidence", coincidence)):
        require_number(name, value, 0, 1)
    for name, value in (("members", members), ("discount", discount)):
        require_number(name, value, 0, 1)
    require_number("effect", effect, -1)
    rng = np.random.default_rng(rng)
    first_day = pd.Timestamp(read_day("begins", begins))
    size = np.exp(rng.normal(0, UNEQUAL, stores))
    first = _first_weeks(size, weeks, order, without_club, rng)
    other = _other_weeks(first, weeks, coincidence, rng)
    grown = [_grown(start, weeks, grows) * effect for start in (first, other)]
    week = np.arange(weeks)
    seasonal = 1 + season * np.cos(2 * np.pi * (week - 50) / 52)
    store = rng.choice(stores, customers, p=size / size.sum())
    rate = rng.gamma(RATES, MEAN_RATE / RATES, customers)
    shocks = np.exp(rng.normal(-(SHOCKS**2) / 2, SHOCKS, (stores, weeks)))
    plain = seasonal * shocks
    intensity = (plain * (1 + grown[0] + grown[1]))[store] * rate[:, None]
    orders = rng.poisson(intensity)
    who, when = (np.repeat(place, orders[orders > 0]) for place in np.nonzero(orders))
    date = first_day + pd.to_timedelta(7 * when + rng.integers(0, 7, len(when)), unit="D")
    is_member = rng.random(customers) < members
    price = rng.gamma(BASKET_SHAPE, BASKET / BASKET_SHAPE, len(who)).round(2)
    given = np.where(is_member[who] & (when >= first[store[who]]), (discount * price).round(2), 0.0)
    log = pd.DataFrame({"customer_id": who, "date": date, "store": store[who]})
    log = log.assign(amount=(price - given).round(2), discount=given)
    base, base_of_members = (np.bincount(store, rate * each, stores) for each in (1.0, is_member))
    treated = week >= first[:, None]
    offered = discount * BASKET * base_of_members[:, None] * seasonal * treated
    since_base = seasonal / seasonal[: max(int(first.min()) // 2, 1)].mean()
    cells = base[:, None] * treated
    return Chain(
        transactions=log.sort_values(["date", "customer_id"], ignore_index=True),
        launches=_launches(first, weeks, first_day),
        other_launches=_launches(other, weeks, first_day),
        effect=float((cells * since_base * (grown[0] + grown[1])).sum() / cells.sum()),
        additional_orders=float((base[:, None] * seasonal * grown[0]).sum()),
        additional_amount=float(BASKET * (base[:, None] * seasonal * grown[0]).sum()),
        discounts=float((offered * (1 + grown[0] + grown[1])).sum()),
        subsidised=float((offered * (1 + grown[1])).sum()),
        assigned_by="random" if order == "random" else "rule",
    )


def _first_weeks(
    size: Array, weeks: int, order: LaunchOrder, without_club: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The week of launch of each store, in three waves; ``weeks`` for stores without the club."""
    stores = len(size)
    ranked = np.argsort(-size) if order == "size" else rng.permutation(stores)
    launching = min(max(round(stores * (1 - without_club)), 1), stores - 1)
    first = np.full(stores, weeks)
    for wave, members in enumerate(np.array_split(ranked[:launching], 3)):
        first[members] = weeks * (4 + 2 * wave) // 12
    return first


def _other_weeks(
    first: NDArray[np.int64], weeks: int, coincidence: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The week in which a second effort begins; ``weeks`` where it does not."""
    chosen = (first < weeks) & (rng.random(len(first)) < coincidence)
    return np.where(chosen, first + rng.integers(0, NEAR + 1, len(first)), weeks)


def _grown(first: NDArray[np.int64], weeks: int, grows: int) -> Array:
    """How much of the complete effect there is in each store and week, shape (stores, weeks)."""
    since = np.arange(weeks) - first[:, None] + 1
    return np.clip(since / max(grows, 1), 0, 1).astype(float)


def _launches(first: NDArray[np.int64], weeks: int, first_day: pd.Timestamp) -> pd.DataFrame:
    days = pd.Series(first_day + pd.to_timedelta(7 * first, unit="D")).where(first < weeks)
    return pd.DataFrame({"store": np.arange(len(first)), "first_treated": days})
