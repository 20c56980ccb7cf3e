"""Costs of an intervention, and its net value per treated customer.

The net value is the gross margin gained, less the costs of contacts and redemptions. Redemptions include those for
subsidised purchases, which would have happened without the offer. Costs count in both arms, so only the additional cost
of the treatment remains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from retention_models.core.arguments import is_number
from retention_models.core.arrays import Array
from retention_models.core.formatting import Presentation
from retention_models.interventions.arms.contrasts import Measure, MeasureOf
from retention_models.interventions.effects.derived_laws import IndependentSum, Law, linear
from retention_models.interventions.effects.effect import Effect
from retention_models.interventions.effects.laws import StudentT
from retention_models.value.terms import Terms, require_terms

CURRENCY = re.compile(r"[A-Z]{3}\b")  # the code of one, with which a unit such as "EUR per customer" begins


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Costs(Presentation):
    """Cost of one customer who is assigned to an arm, in money.

    Attributes
    ----------
    contact
        Cost of each contact: paper, postage, the provider's fee. 0 by default.
    contacts
        The measured column with the number of contacts of a customer. By default None: one contact each.
    redemption
        Cost of each redemption: the discount or gift. 0 by default.
    redemptions
        The measured column with the number of redemptions of a customer; required if a redemption costs something.

    Raises
    ------
    ValueError
        When a cost is below 0, or redemptions cost something and their column is missing.
    """

    contact: float = 0.0
    contacts: str | None = None
    redemption: float = 0.0
    redemptions: str | None = None

    def __post_init__(self) -> None:
        for name in ("contact", "redemption"):
            cost = getattr(self, name)
            if not (is_number(cost) and cost >= 0):
                raise ValueError(f"{name} must be a cost of 0 or more; got {cost!r}")
        if self.redemption > 0 and self.redemptions is None:
            raise ValueError("redemption has a cost: name the column that counts redemptions in redemptions=")

    def prices(self, columns: Sequence[str]) -> tuple[float, Array]:
        """Cost as ``fixed + price @ mean``.

        Parameters
        ----------
        columns
            Names of the k measured columns.

        Returns
        -------
        tuple
            The fixed cost of each customer, and the price for each column, shape (k,).

        Raises
        ------
        ValueError
            When a column of the costs was not measured.
        """
        price = np.zeros(len(columns))
        for column, cost in ((self.contacts, self.contact), (self.redemptions, self.redemption)):
            if column is not None and cost > 0:
                price[position(columns, column)] += cost
        return (self.contact if self.contacts is None else 0.0), price


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """The price of an outcome and the costs of each arm; ``pricing`` creates it from terms and costs.

    Attributes
    ----------
    worth
        Money for one unit of the outcome: the margin of one purchase, or 1.0 where the outcome already is margin.
    costs
        Arm to its ``Costs``; an arm that is not listed costs nothing.
    currency
        The name of the currency, for sentences: ``EUR``.
    """

    worth: float
    costs: Mapping[str, Costs] = field(default_factory=dict)
    currency: str = ""

    def __post_init__(self) -> None:
        if not is_number(self.worth):
            raise ValueError(f"worth is money for one unit of the outcome, a finite number; got {self.worth!r}")

    def check_arms(self, arms: Sequence[str]) -> None:
        """Raise a ValueError if costs are stated for an unknown arm."""
        unknown = [arm for arm in self.costs if arm not in arms]
        if unknown:
            raise ValueError(f"costs are stated for {', '.join(unknown)}; the arms are {', '.join(arms)}")

    def cost_of_contact(self, weights: Mapping[str, float]) -> float | None:
        """Cost of one contact in the arms with a positive weight, the smallest gain that matters; None without one."""
        return sum(w * self.costs[arm].contact for arm, w in weights.items() if w > 0 and arm in self.costs) or None

    def cost(self, arm: str, columns: Sequence[str]) -> MeasureOf:
        """Cost per customer of an arm, as a measure of the arm's means."""
        fixed, price = self.costs.get(arm, Costs()).prices(columns)
        return lambda mean: (fixed + float(price @ mean), price)

    def net_value(self, arm: str, columns: Sequence[str], outcome: MeasureOf) -> MeasureOf:
        """Net value per customer of an arm, as a measure of the arm's means."""
        cost = self.cost(arm, columns)

        def measure(mean: Array) -> tuple[float, Array]:
            (value, gradient), (spent, price) = outcome(mean), cost(mean)
            return self.worth * value - spent, self.worth * gradient - price

        return measure


def pricing(
    terms: Terms | None, costs: Mapping[str, Costs] | None, unit: str, *, may_be_amount: bool = True
) -> Pricing | None:
    """The pricing of an outcome for some terms and costs; None without terms and costs.

    ``unit`` is that of the outcome, in words. An outcome that cannot be an amount of money needs a price.

    Raises
    ------
    ValueError
        When costs are stated without terms, or terms without a price or a margin; when a margin has no amount, or the
        currency of the terms is not that of the outcome.
    """
    if terms is None and not costs:
        return None
    if terms is not None:
        require_terms(terms)
    if terms is None or (terms.price is None and terms.margin is None):
        raise ValueError(
            "value needs what one unit of the outcome earns: pass terms such as Terms(price=12), or Terms(margin=0.3) "
            "where the outcome is an amount"
        )
    if terms.price is None and (unit.startswith("share of") or not may_be_amount):
        raise ValueError(
            f"margin is the share of an amount that is earned, but the outcome is not an amount ({unit}): state "
            "what one "
            "unit of it earns, such as Terms(price=12)"
        )
    measured = CURRENCY.match(unit)
    if measured and CURRENCY.match(terms.currency) and measured[0] != terms.currency:
        raise ValueError(
            f"currency is {terms.currency!r}, but the outcome is in {measured[0]} ({unit}): state both in one currency"
        )
    return Pricing(worth=terms.unit_value, costs=costs or {}, currency=terms.currency)


def add_value(row: Effect, money: Pricing, arm: str) -> Effect:
    """An effect with cost and net value, worth x effect - cost, where costs need no measured column."""
    cost, _ = money.cost(arm, ())(np.empty(0))
    return with_value(row, money, {arm: 1.0}, cost=cost, law=linear(row.law, money.worth, -cost))


def with_value(row: Effect, money: Pricing, weights: Mapping[str, float], *, cost: float, law: Law) -> Effect:
    """An effect with its cost and net value; its smallest gain, unless one is set, is the cost of a contact."""
    gain = row.smallest_gain or money.cost_of_contact(weights)
    return replace(row, cost=cost, value=law.estimate, value_law=law, smallest_gain=gain)


def law_of_net_value(gain: Law, value: StudentT) -> IndependentSum:
    """The law of a net value whose gain has a law of its own; ``value`` varies with the cost alone."""
    return IndependentSum(gain, StudentT(value.estimate - gain.estimate, value.std_error, value.df))


def require_amount(outcome: str, measure: Measure) -> None:
    """Raise a ValueError for a ratio of sums, which is not an amount per customer."""
    if measure.per is not None:
        raise ValueError(f"{outcome} is a ratio of sums, not an amount per customer: price its numerator instead")


def position(columns: Sequence[str], name: str) -> int:
    """The position of a measured column; a ValueError lists the columns where it is missing."""
    if name not in columns:
        raise ValueError(f"{name} was not measured in this experiment (measured: {', '.join(columns)})")
    return list(columns).index(name)
