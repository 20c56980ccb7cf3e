"""How simulated customers churn: the intensity of each cause at a renewal, and random draws.

The intensities of all causes add up, and the customer stays with probability exp(-sum). The cause of churn is drawn in
proportion. The basic intensity is the customer's own, -log(1 - theta) with theta from a beta distribution. Season,
price, complaints and a retention offer multiply it. Offers of competitors and failed payments add to it, equally for
all customers. Customers may adopt self-service by their own choice, which multiplies the sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from retention_models.core.arguments import is_number
from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation

CAUSES = ("no need", "price", "service", "competitor", "payment")


def _is_count(value: object) -> bool:
    return is_number(value) and value >= 0 and float(value).is_integer()


_RULES: tuple[tuple[tuple[str, ...], Callable[[Any], bool], str], ...] = (
    (("alpha", "beta"), lambda value: is_number(value) and value > 0, "a number above 0"),
    (
        ("complaint", "slow_share", "win_back", "adoption", "self_service"),
        lambda value: is_number(value) and 0 <= value <= 1,
        "from 0 to 1",
    ),
    (("competitor", "payment"), lambda value: is_number(value) and value >= 0, "an intensity, 0 or more"),
    (("price_rise", "fast", "slow"), lambda value: is_number(value) and value >= -1, "a number, -1 or more"),
    (("season",), lambda value: is_number(value) and abs(value) <= 1, "from -1 to 1"),
    (("premium", "friends", "offer_effect", "adoption_tenure", "adoption_premium"), is_number, "a number"),
    (("remembered", "offer_renewals"), _is_count, "a whole number, 0 or more"),
    (
        ("price_months", "competitor_months"),
        lambda value: not isinstance(value, str) and isinstance(value, Sequence) and all(map(_is_count, value)),
        "a list of months, whole numbers from 0 on",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Rules(Presentation):
    """Rules of a simulated subscription business; months count from 0, the first month.

    Attributes
    ----------
    alpha, beta
        Parameters of the beta distribution of churn probabilities, for customers with the basic plan from ads.
    premium, friends
        Shift of the mean churn probability on the logit scale, for the premium plan and for customers referred by
        friends.
    season
        Relative increase of the churn intensity in January, and decrease in July.
    price_rise, price_months
        Relative increase of the churn intensity by a price rise, and the months of price rises.
    competitor, competitor_months
        Churn intensity of an offer by a competitor, and the months of such offers.
    payment
        Churn intensity of failed payments.
    complaint, slow_share
        Probability of a complaint per month, and share of complaints with a slow resolution.
    fast, slow, remembered
        Relative increase of the churn intensity after a fast or a slow resolution, and the number of renewals that it
        lasts.
    offer_effect, offer_renewals
        Decrease of the log intensity by the retention offer, and the number of renewals that it lasts.
    win_back
        Probability that a churned customer comes back within six months.
    adoption
        Probability of adopting self-service in the first month, for customers with the basic plan. By default 0: nobody
        adopts it.
    adoption_tenure, adoption_premium
        Increase of the log odds of adopting in a month with each month of tenure, and with the premium plan.
    self_service
        Relative reduction of the churn intensity, for all causes, at renewals after the month of adoption.

    Raises
    ------
    ValueError
        When a number is not one that its rule allows.
    """

    alpha: float = 0.9
    beta: float = 12.0
    premium: float = -0.4
    friends: float = -0.3
    season: float = 0.3
    price_rise: float = 0.8
    price_months: tuple[int, ...] = (20, 21)
    competitor: float = 0.03
    competitor_months: tuple[int, ...] = (30,)
    payment: float = 0.006
    complaint: float = 0.05
    slow_share: float = 0.4
    fast: float = 0.2
    slow: float = 1.5
    remembered: int = 3
    offer_effect: float = 0.7
    offer_renewals: int = 6
    win_back: float = 0.1
    adoption: float = 0.0
    adoption_tenure: float = 0.05
    adoption_premium: float = 0.7
    self_service: float = 0.0

    def __post_init__(self) -> None:
        for names, holds, rule in _RULES:
            for name in names:
                if not holds(getattr(self, name)):
                    raise ValueError(f"{name} must be {rule}; got {getattr(self, name)!r}")


@dataclass(frozen=True, eq=False)
class SimulatedSpells:
    """Contract spells before they are simulated: the customer, the start, and the random draws of each month.

    ``person``, ``start`` (a month), ``own_intensity`` (of leaving for no other cause) and ``adoption_logit`` (log odds
    of adopting self-service in the first month) have shape (n,). ``slow`` and ``fast`` (whether there is such a
    complaint), ``churn_draws``, ``cause_draws`` and ``adoption_draws`` (uniform) have shape (n, months).
    """

    person: NDArray[np.int64]
    start: NDArray[np.int64]
    own_intensity: Array
    slow: NDArray[np.bool_]
    fast: NDArray[np.bool_]
    churn_draws: Array
    cause_draws: Array
    adoption_draws: Array
    adoption_logit: Array

    @classmethod
    def draw(
        cls,
        person: NDArray[np.int64],
        start: NDArray[np.int64],
        people: pd.DataFrame,
        months: int,
        rules: Rules,
        rng: np.random.Generator,
        *,
        adopts: bool = False,
    ) -> SimulatedSpells:
        """Spells of these persons from these months on, in which they may adopt self-service if ``adopts``."""
        shape = len(person), months
        complains = (rng.random(shape) < rules.complaint) & (np.arange(months) >= start[:, None])
        slow = rng.random(shape) < rules.slow_share
        own = -np.log1p(-people["chance"].to_numpy()[person])
        churns, causes = rng.random(shape), rng.random(shape)
        if not (adopts and rules.adoption):
            never = np.full(len(person), -np.inf)
            return cls(person, start, own, complains & slow, complains & ~slow, churns, causes, churns, never)
        log_odds = logit(rules.adoption) + rules.adoption_premium * (people["plan"].to_numpy()[person] == "premium")
        return cls(person, start, own, complains & slow, complains & ~slow, churns, causes, rng.random(shape), log_odds)

    def simulate(self, calendar: pd.DataFrame, rules: Rules, offered: range) -> NDArray[np.int64]:
        """The month in which each spell ends, the number of the cause, and the month of adopting self-service.

        The months are the number of months where there is no end or no adoption. The offer works on the renewals of the
        months ``offered``. The result has shape (3, n).
        """
        months = len(calendar)
        left, cause, adopted = np.array([[months], [0], [months]]) * np.ones(len(self.start), dtype=np.int64)
        for month in range(months):
            here = np.flatnonzero((self.start < month) & (left == months))
            intensities = self.intensities(here, month, calendar, rules, month in offered)
            intensities *= 1 - rules.self_service * (adopted[here] < month)
            total = intensities.sum(axis=0)
            goes = self.churn_draws[here, month] < -np.expm1(-total)
            left[here[goes]] = month
            share = np.cumsum(intensities, axis=0)[:, goes] / total[goes]
            cause[here[goes]] = (self.cause_draws[here[goes], month] > share).sum(axis=0)
            present = (self.start <= month) & (left == months) & (adopted == months)
            chooses = self.adoption_draws[:, month] < self.adoption_chance(month, rules)
            adopted[present & chooses] = month
        return np.stack([left, cause, adopted])

    def adoption_chance(self, month: int | NDArray[np.int64], rules: Rules) -> Array:
        """The chance of each customer to adopt self-service in a month."""
        return expit(self.adoption_logit + rules.adoption_tenure * (month - self.start))

    def survival(self, calendar: pd.DataFrame, rules: Rules, first: int) -> Array:
        """The probability to stay up to each month from ``first`` on, with these complaints; shape (n, months)."""
        everyone = np.arange(len(self.start))
        months = range(first, len(calendar))
        intensity = [self.intensities(everyone, month, calendar, rules, False).sum(axis=0) for month in months]
        return np.exp(-np.cumsum(intensity, axis=0)).T

    def intensities(
        self, here: NDArray[np.int64], month: int, calendar: pd.DataFrame, rules: Rules, offered: bool
    ) -> Array:
        """The intensity of each cause at the renewals of a month; shape (causes, customers)."""
        now = calendar.iloc[month]
        lately = slice(max(month - rules.remembered, 0), month)
        slow, fast = self.slow[here, lately].any(axis=1), self.fast[here, lately].any(axis=1)
        trouble = np.where(slow, rules.slow, np.where(fast, rules.fast, 0.0))
        own = self.own_intensity[here] * (1 + rules.season * now["season"]) * np.exp(-rules.offer_effect * offered)
        return np.stack(
            [
                own,
                own * rules.price_rise * now["price_rise"],
                own * trouble,
                np.full(len(here), rules.competitor * now["competitor"]),
                np.full(len(here), rules.payment),
            ]
        )
