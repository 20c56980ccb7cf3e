"""A simulated shop with a loyalty club that customers choose to join: orders, joins, and what joining changes.

Each day, an active customer may leave, place an order, and join, in this sequence. Membership works from the next day
on. The club belongs to the category "own". Orders of the category "other" go on as they would without any club.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from retention_models.core.arguments import check_choice, require_number, require_whole
from retention_models.core.arrays import Array
from retention_models.core.dates import read_day
from retention_models.core.formatting import Presentation

JoiningPlace = Literal["till", "app"]
Selection = Literal["observed", "latent"]
RATE = (0.8, 0.18)  # shape and mean of the gamma distribution of purchase rates, in orders a week
LEAVING = (0.8, 0.015)  # the same of leaving rates, a week
OTHER = (2.0, 0.5)  # shape and mean of the ratio of the rates of the two categories
IN_APP = 0.15  # decisions to join or not, a week, of a customer with the app; at the till there is one an order
MEMORY = 26 * 7  # days of earlier orders that the chance to join depends on
EARLY = 7  # days before the first order that a join may date from
FUTURES = 20_000  # simulated for the true outcomes, over all customers who joined
NEVER = np.iinfo(np.int64).max
POLICIES = {"joined": (True, True), "joining_later": (False, True), "never": (False, False)}  # member, may join


@dataclass(frozen=True, eq=False, repr=False)
class Club(Presentation):
    """A simulated shop with a club that customers choose to join.

    Attributes
    ----------
    transactions
        One row an order: ``customer_id, date, amount, category``, and ``discount`` (money given to members; ``amount``
        is the price before it). The club belongs to the category ``own``. It has no effect on the category ``other``.
    joins
        One row a member: ``customer_id, date, kind``, as ``read_contacts`` takes them.
    potential_outcomes
        Mean outcomes of the customers who joined, in the horizon from the day after joining: ``orders``, ``amount``,
        ``bought`` (at least one order), ``active`` (at the end of the horizon) and ``discounts``, all of category
        ``own``. The rows are policies: ``joined``; ``joining_later`` (not on that day, later as other customers do);
        ``never`` (not within the horizon).
    joined_customers
        Number of customers in these means. They joined at an order that was not their first one, in the app after the
        day of their first order, and their horizon ends within the log.
    horizon_weeks
        Length of the horizon.
    observation_end
        Last day of the log, as text.
    assigned_by
        Who decided about joining: ``"choice"``.
    """

    transactions: pd.DataFrame
    joins: pd.DataFrame
    potential_outcomes: pd.DataFrame
    joined_customers: int
    horizon_weeks: int
    observation_end: str
    assigned_by: str = "choice"

    @property
    def contacts(self) -> pd.DataFrame:
        """The joins and the discounts as one log of contacts: ``customer_id, date, kind, value``.

        The kinds are ``membership`` and ``discount``; ``value`` is the money given, 0 for a join.
        """
        given = self.transactions[self.transactions["discount"] > 0]
        discounts = given[["customer_id", "date"]].assign(kind="discount", value=given["discount"])
        return pd.concat([self.joins.assign(value=0.0), discounts], ignore_index=True)

    @property
    def truth(self) -> pd.DataFrame:
        """True mean effects on the customers who joined, with the columns of ``potential_outcomes``.

        The row ``as_joined`` compares with joining later as other customers do, ``never_joined`` with not joining
        within the horizon. Both are means over simulated futures of each customer, with a small error.
        """
        means = self.potential_outcomes
        compared = {"as_joined": "joining_later", "never_joined": "never"}
        effects = {name: means.loc["joined"] - means.loc[policy] for name, policy in compared.items()}
        return pd.DataFrame(effects).T.rename_axis("estimand")


def club(
    rng: int | np.random.Generator | None,
    *,
    customers: int = 10_000,
    weeks: int = 104,
    horizon_weeks: int = 12,
    gain: float = 0.15,
    stay: float = 0.2,
    where: JoiningPlace = "till",
    selection: Selection = "observed",
    selection_strength: float = 0.14,
    joining: float = 0.07,
    joined_early: float = 0.2,
    discount: float = 0.05,
    mean_amount: float = 40.0,
    begins: str = "2024-01-01",
) -> Club:
    """A simulated shop whose customers buy, leave in silence, and choose whether to join a club.

    Parameters
    ----------
    rng
        Source of randomness: a seed, a numpy Generator, or None for a new one.
    customers, weeks
        Number of customers, whose first orders spread over the log, and length of the log. By default 10,000 and 104.
    horizon_weeks
        Length of the window of the true outcomes. By default 12.
    gain
        Relative increase of the purchase rate of members in the category ``own``. By default 0.15.
    stay
        Relative reduction of the leaving rate of members. By default 0.2.
    where
        ``"till"``, the default: customers join on the day of an order. ``"app"``: on any day while they are active.
    selection
        What the chance to join depends on. ``"observed"``, the default: the number of orders in the 26 weeks before.
        ``"latent"``: the customer's own purchase rate, as expected orders in 26 weeks.
    selection_strength
        Increase of the log odds of joining with each of these orders. By default 0.14.
    joining
        Chance to join at an order without orders in the 26 weeks before. By default 0.07.
    joined_early
        Share of the joins on the day of the first order that are dated one to seven days before it. By default 0.2.
    discount
        Share of the amount that members get back on orders of the category ``own`` after the day of joining. By default
        0.05.
    mean_amount
        Mean amount of an order. By default 40.
    begins
        First day of the log.

    Returns
    -------
    Club
        The orders, the joins and the truth.

    Raises
    ------
    ValueError
        When a number or a day is not valid, or nobody joined early enough for a horizon within the log.

    Examples
    --------
    >>> import retention_models as rm
    >>> shop = rm.scenario.club(1, customers=2_000)
    >>> shop.truth[["orders", "active", "discounts"]].round(2)
                  orders  active  discounts
    estimand
    as_joined       0.38    0.02       5.19
    never_joined    0.56    0.02       7.95
    """
    require_whole("customers", customers, 1)
    require_whole("horizon_weeks", horizon_weeks, 1)
    require_whole("weeks", weeks, horizon_weeks + 1)
    require_number("gain", gain, -1)
    require_number("selection_strength", selection_strength)
    require_number("mean_amount", mean_amount, 0, inside=True)
    require_number("joining", joining, 0, 1, inside=True)
    for name, value in (("stay", stay), ("joined_early", joined_early), ("discount", discount)):
        require_number(name, value, 0, 1)
    check_choice("where", where, get_args(JoiningPlace))
    check_choice("selection", selection, get_args(Selection))
    first_day = pd.Timestamp(read_day("begins", begins))
    rng = np.random.default_rng(rng)
    rules = _Rules(gain, stay, where, selection, selection_strength, float(logit(joining)))
    days, horizon = 7 * weeks, 7 * horizon_weeks
    entry = np.sort(rng.integers(0, days, customers))
    people, typical = _People.draw(customers, rng), rng.gamma(4.0, mean_amount / 4.0, customers)
    first_order = np.zeros((MEMORY, customers), dtype=bool)
    first_order[-1] = True
    at_first = rng.random(customers) < rules.chance(people.rate, np.zeros(customers))
    course = _simulate(people, first_order, at_first, True, days - entry, rules, rng)
    latest = days - 1 - horizon - entry
    means, joiners = _mean_outcomes(course, people, typical, latest, horizon, rules, int(rng.integers(2**63)))
    joins = _dated_joins(course.joined, entry, joined_early, rng)
    members = np.flatnonzero(joins < NEVER)
    members = members[np.argsort(joins[members], kind="stable")]
    dates = first_day + pd.to_timedelta(joins[members], unit="D")
    return Club(
        transactions=_orders(course, entry, joins, typical, discount, first_day, rng),
        joins=pd.DataFrame({"customer_id": members, "date": dates, "kind": "membership"}),
        potential_outcomes=means.assign(discounts=means["discounts"] * discount),
        joined_customers=joiners,
        horizon_weeks=horizon_weeks,
        observation_end=str((first_day + pd.Timedelta(days - 1, "D")).date()),
    )


@dataclass(frozen=True)
class _Rules:
    """How customers join, and what membership changes."""

    gain: float
    stay: float
    where: str
    selection: str
    strength: float
    base: float

    def chance(self, rate: Array, recent: Array) -> Array:
        """The chance to join at one decision, by orders in the 26 weeks before: those placed, or those expected."""
        return expit(self.base + self.strength * (recent if self.selection == "observed" else rate * MEMORY / 7))

    def joins(
        self, draws: Array, orders: NDArray[np.bool_], active: NDArray[np.bool_], chance: Array
    ) -> NDArray[np.bool_]:
        """Which customers would join on a day, if they are not members."""
        return orders & (draws < chance) if self.where == "till" else active & (draws < chance * IN_APP / 7)


@dataclass(frozen=True)
class _People:
    """Rates a week of orders in each category and of leaving; shape (n,) each."""

    rate: Array
    other_rate: Array
    leaving: Array

    @classmethod
    def draw(cls, n: int, rng: np.random.Generator) -> _People:
        (a, rate), (b, leaving), (c, other) = RATE, LEAVING, OTHER
        own = rng.gamma(a, rate / a, n)
        return cls(own, own * rng.gamma(c, other / c, n), rng.gamma(b, leaving / b, n))

    def take(self, rows: NDArray[np.int64]) -> _People:
        return _People(self.rate[rows], self.other_rate[rows], self.leaving[rows])


@dataclass(frozen=True)
class _Course:
    """What customers did by day since the start, day 0; days before the start come first in ``bought``.

    ``bought`` has shape (MEMORY - 1 + days, n) and ``other`` (days, n): whether there was an order. ``joined`` is the
    day of joining, and ``active`` whether a customer has not left by the end; shape (n,).
    """

    bought: NDArray[np.bool_]
    other: NDArray[np.bool_]
    joined: NDArray[np.int64]
    active: NDArray[np.bool_]


def _simulate(
    people: _People,
    history: NDArray[np.bool_],
    member: NDArray[np.bool_],
    may_join: bool,
    days: NDArray[np.int64],
    rules: _Rules,
    rng: np.random.Generator,
) -> _Course:
    """The days after day 0, the last row of ``history``; ``days`` counts day 0 and must not increase by customer.

    One draw decides about leaving with and without membership. Orders of the other category end without it.
    """
    n, longest = len(member), int(days[0])
    bought = np.concatenate([history, np.zeros((longest - 1, n), dtype=bool)])
    other = np.zeros((longest, n), dtype=bool)
    joined = np.where(member, 0, NEVER)
    active, without_club = np.ones((2, n), dtype=bool)
    recent = history.sum(axis=0)
    buying = [-np.expm1(-people.rate * more / 7) for more in (1, 1 + rules.gain)]
    leaving = [-np.expm1(-people.leaving * less / 7) for less in (1, 1 - rules.stay)]
    buying_other = -np.expm1(-people.other_rate / 7)
    observed = n - np.searchsorted(days[::-1], np.arange(longest), side="right")
    for day in range(1, longest):
        m = int(observed[day])
        leaves, buys, joins, buys_other = rng.random((4, m))
        member = joined[:m] < day
        active[:m] &= leaves >= np.where(member, leaving[1][:m], leaving[0][:m])
        without_club[:m] &= leaves >= leaving[0][:m]
        orders = active[:m] & (buys < np.where(member, buying[1][:m], buying[0][:m]))
        other[day, :m] = without_club[:m] & (buys_other < buying_other[:m])
        if may_join:
            chance = rules.chance(people.rate[:m], recent[:m])
            joined[:m][~member & rules.joins(joins, orders, active[:m], chance)] = day
        bought[day + MEMORY - 1, :m] = orders
        recent[:m] += orders
        recent[:m] -= bought[day - 1, :m]
    return _Course(bought, other, joined, active)


def _mean_outcomes(
    course: _Course, people: _People, typical: Array, latest: NDArray[np.int64], horizon: int, rules: _Rules, seed: int
) -> tuple[pd.DataFrame, int]:
    """Mean outcomes by policy of those who joined from day 1 to the day ``latest``, and their number.

    Each of them lives the days of the horizon several times, with the same random draws under each policy. Discounts
    are counted as if orders were free.
    """
    joiners = np.flatnonzero((course.joined > 0) & (course.joined <= latest))
    if not len(joiners):
        raise ValueError("nobody joined early enough for a horizon within the log: simulate more customers or weeks")
    who = np.repeat(joiners, max(-(-FUTURES // len(joiners)), 2))
    past = course.bought[course.joined[who] + np.arange(MEMORY)[:, None], who]
    days = np.full(len(who), horizon + 1)
    means = {}
    for policy, (member, may_join) in POLICIES.items():
        rng = np.random.default_rng(seed)
        future = _simulate(people.take(who), past, np.full(len(who), member), may_join, days, rules, rng)
        bought = future.bought[MEMORY:]
        orders = bought.sum(axis=0)
        discounted = (bought & (np.arange(1, horizon + 1)[:, None] > future.joined)).sum(axis=0)
        outcomes = {
            "orders": orders,
            "amount": orders * typical[who],
            "bought": orders > 0,
            "active": future.active,
            "discounts": discounted * typical[who],
        }
        means[policy] = {name: float(np.mean(values)) for name, values in outcomes.items()}
    return pd.DataFrame(means).T.rename_axis("policy"), len(joiners)


def _dated_joins(
    joined: NDArray[np.int64], entry: NDArray[np.int64], share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The day of joining of each customer in the log, some before the first order; NEVER for others."""
    early = (joined == 0) & (rng.random(len(joined)) < share)
    before = np.minimum(rng.integers(1, EARLY + 1, len(joined)), entry)
    days = np.where(joined < NEVER, joined, 0) - np.where(early, before, 0)
    return np.where(joined < NEVER, entry + days, NEVER)


def _orders(
    course: _Course,
    entry: NDArray[np.int64],
    joins: NDArray[np.int64],
    typical: Array,
    discount: float,
    first_day: pd.Timestamp,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The log of orders of both categories."""
    placed = [np.nonzero(orders) for orders in (course.bought[MEMORY - 1 :], course.other)]
    age, who = (np.concatenate(parts) for parts in zip(*placed, strict=True))
    own = np.arange(len(who)) < len(placed[0][0])
    day = entry[who] + age
    amount = np.maximum((typical[who] * rng.gamma(6.0, 1 / 6.0, len(who))).round(2), 0.01)
    back = np.where(own & (day > joins[who]), (amount * discount).round(2), 0.0)
    log = pd.DataFrame(
        {
            "customer_id": who,
            "date": first_day + pd.to_timedelta(day, unit="D"),
            "amount": amount,
            "category": np.where(own, "own", "other"),
            "discount": back,
        }
    )
    return log.sort_values(["date", "customer_id"], ignore_index=True, kind="stable")
